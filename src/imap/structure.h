/* SPDX-License-Identifier: ISC */
/* ENVELOPE and BODYSTRUCTURE (RFC 9051 §7.5.2), and the places of sections (§6.4.5.1), from the
 * parse record. Without a record (a message that could not be parsed) a message is one text. */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H

#include "base/buffer.h"
#include "mime/record.h"

enum { IMAP_PART_DEPTH_MAX = 110 };

/* What a message is made of; has_record false when there is none to go by. */
struct imap_message {
    struct mime_record record;
    bool has_record;
    uint32_t len;
};
void imap_message_open(struct imap_message *message, struct slice record, uint32_t len);

void imap_put_envelope(struct buffer *out, const struct imap_message *message);
/* BODYSTRUCTURE, or BODY without its extension data. */
void imap_put_structure(struct buffer *out, const struct imap_message *message, bool is_extensible);

struct imap_part_path {
    uint32_t numbers[IMAP_PART_DEPTH_MAX];
    unsigned depth;
};

enum imap_section_kind {
    IMAP_SECTION_WHOLE, /* BODY[], BODY[1] */
    IMAP_SECTION_HEADER,
    IMAP_SECTION_FIELDS,
    IMAP_SECTION_FIELDS_NOT,
    IMAP_SECTION_TEXT,
    IMAP_SECTION_MIME,
};

/* Where the octets of a section lie; of the FIELDS, where the header is that they are taken from.
 * False when the message has no such part. *ret_encoding: the part's, MIME_ENCODING_BINARY for
 * what is no leaf. */
MUST_USE bool imap_section_find(const struct imap_message *message,
                                const struct imap_part_path *path, enum imap_section_kind kind,
                                uint32_t *ret_offset, uint32_t *ret_len,
                                enum mime_encoding *ret_encoding);

/* What a part has become when its transfer encoding was undone. */
struct imap_decoded {
    uint64_t len, lines;
};

/* BODYPARTSTRUCTURE (RFC 5259 §8.5) of a part that is there, or of the whole message; `decoded`: of
 * a part that is sent without its encoding, else NULL. */
void imap_put_part_structure(struct buffer *out, const struct imap_message *message,
                             const struct imap_part_path *path, const struct imap_decoded *decoded);

/* Puts the fields of a header that are named (or not), and the empty line. */
void imap_put_fields(struct buffer *out, struct slice header, const struct slice *names,
                     size_t count, bool is_not);

/* RFC 8474: one number for all messages of a conversation: those that name the same first message
 * in References, or in In-Reply-To, and that message itself. Who names nobody is alone. */
uint64_t imap_thread_id(const struct imap_message *message, uint64_t body);

#endif
