/* SPDX-License-Identifier: ISC */
/* A message as people read it. */
#ifndef TOOL_MAIL_VIEW_H
#define TOOL_MAIL_VIEW_H

#include "mime/part.h"
#include "tool/report.h"

/* What a signature is worth. */
enum view_signature {
    VIEW_UNSIGNED,
    VIEW_GOOD,
    VIEW_OF_ANOTHER, /* good, but of somebody who is not in From */
    VIEW_PARTIAL,    /* good, but of a part of the message only */
    VIEW_UNTRUSTED,  /* nobody who is trusted vouches for the signer */
    VIEW_UNKNOWN,    /* the signer's key is not known */
    VIEW_EXPIRED,
    VIEW_REVOKED, /* the key was called back */
    VIEW_CHANGED,
    VIEW_BROKEN
};
const char *view_signature_name(enum view_signature signature);

struct view {
    struct buffer content; /* of the message; filled by the caller */
    struct arena arena;
    struct mime_tree tree;
    /* After unseal (seal.h). */
    enum view_signature signature;
    uint32_t signed_part; /* its index; 0: all below the header */
    bool is_encrypted;
    struct buffer seals; /* a sentence a line, for people */
};

/* Empty; fill `content`, then parse. */
void view_init(struct view *view);
MUST_USE int view_parse(struct view *view);
void view_finish(struct view *view);

/* Puts a field's text, decoded, as one line that a terminal can show; nothing without it. */
void view_put_field(const struct view *view, enum field_id id, struct buffer *out);
/* The same of a header alone. */
void view_put_head_field(const struct header *header, enum field_id id, struct buffer *out);

/* Puts the text of the message: its first text part, charset and encoding undone, paragraphs of
 * format=flowed joined, HTML as text. Control characters are taken out. */
void view_put_text(const struct view *view, struct buffer *out);

/* Puts what it tells besides (client/notice.h). */
void view_put_notices(const struct view *view, struct buffer *out);

/* True for a part that is shown as an attachment: a leaf that is not the text, or a message. */
bool view_is_attachment(const struct view *view, uint32_t index);

/* Puts its number ("2.1"), as IMAP counts; its name, safe for a file. */
void view_put_number(const struct view *view, uint32_t index, struct buffer *out);
void view_put_name(const struct view *view, uint32_t index, struct buffer *out);

/* Puts the octets of a part, encoding undone. */
void view_put_part(const struct view *view, uint32_t index, struct buffer *out);

/* Writes the whole page: fields, text, attachments; or all of it as JSON. */
MUST_USE int view_write(const struct view *view, uint32_t id, bool is_json);

#endif
