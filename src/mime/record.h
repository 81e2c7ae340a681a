/* SPDX-License-Identifier: ISC */
/* The parse record: what one parse of a message found, as typed, bounded binary. `deliver` makes
 * it (`access` of what users append), `store` keeps it beside the body, and whoever serves
 * ENVELOPE, BODYSTRUCTURE or BODY[1.2] reads it in place. Its reader parses nothing: it follows
 * numbers that mime_record_open has checked, every one of them, against their limits and the
 * length of the body.
 *
 * Layout (all little-endian): a header of MIME_RECORD_HEADER octets with the counts, then tables
 * of fixed rows (parts, messages, fields, parameters, addresses, defects), then the strings, each
 * behind its 16-bit length. A reference to a string is its 32-bit offset among the strings; 0 is
 * "absent", which IMAP shows as NIL. The tables' places follow from the counts, and the whole
 * must be exactly as long as they say. Version changes with any change of layout. */
#ifndef MIME_RECORD_H
#define MIME_RECORD_H

#include "base/time.h"
#include "mime/part.h"

enum {
    MIME_RECORD_VERSION = 1,
    MIME_RECORD_MAX = 1024 * 1024,      /* a record is never longer */
    MIME_RECORD_STRING_MAX = 16 * 1024, /* longer strings are cut */
    MIME_RECORD_MESSAGES_MAX = 500,     /* messages inside messages that get a summary */
    MIME_RECORD_ADDRESSES_MAX = 4096,   /* of all summaries together */
    MIME_RECORD_FIELDS_MAX = 2000,      /* rows of an index that nobody writes any more */
    MIME_RECORD_PARAMETERS_MAX = 12000,
    MIME_RECORD_PREVIEW_MAX = 600, /* octets of UTF-8; about 200 characters */
};

/* ---- making one ---------------------------------------------------------------------------- */

/* Puts the record of the message that `tree` came from: summaries, addresses, base subject and
 * preview are made here. What does not fit its limit is left out and the record marked as cut.
 * Always succeeds when the buffer holds MIME_RECORD_MAX; `arena` is for working memory. */
void mime_record_put(struct buffer *buffer, const struct mime_tree *tree, struct arena *arena);

/* ---- reading one --------------------------------------------------------------------------- */

struct mime_record {
    struct slice bytes; /* borrowed */
    uint32_t body_len;
    uint32_t parts_count, messages_count, parameters_count, addresses_count, defects_count;
    /* Offsets of the tables in bytes. */
    uint32_t parts, messages, parameters, addresses, defects, strings;
    uint64_t defect_kinds; /* 1 << enum mime_defect_kind */
    bool is_cut;           /* something did not fit a limit */
};

/* Checks every count, offset and reference once. `body_len` is the length of the message it
 * claims to describe. False for anything that is not exactly right; then *ret_record is
 * untouched. After true none of the readers below can fail or leave the record. */
MUST_USE bool mime_record_open(struct slice bytes, uint64_t body_len,
                               struct mime_record *ret_record);

/* Parses a message, puts its record into an empty buffer that holds MIME_RECORD_MAX, and opens it.
 * What the arena has no room for is cut. */
void mime_record_make(struct slice message, struct arena *arena, struct buffer *buffer,
                      struct mime_record *ret_record);

struct mime_record_part {
    enum mime_part_kind kind;
    enum mime_encoding encoding;
    uint32_t parent; /* or MIME_NO_PART */
    uint32_t after;  /* children of part i: i + 1, then each one's `after`, below this one's */
    uint32_t header_start, body_start, body_end;
    uint32_t lines;
    uint32_t message; /* number of its summary, or MIME_NO_PART */
    /* Absent ones have at == NULL. */
    struct slice type, subtype; /* lower case */
    struct slice encoding_name; /* as sent; absent without the field */
    struct slice id, description, md5, location;
    struct slice disposition;   /* its type */
    struct slice file_name;     /* resolved, UTF-8, as sent */
    /* Ranges for mime_record_parameter, parameters as written. Languages are rows with a value
     * only. */
    uint32_t parameters_first, parameters_count;
    uint32_t disposition_first, disposition_count;
    uint32_t languages_first, languages_count;
};

/* index < parts_count. */
void mime_record_part(const struct mime_record *record, uint32_t index,
                      struct mime_record_part *ret_part);

struct mime_record_parameter {
    struct slice name, value;
};
/* index < parameters_count. */
struct mime_record_parameter mime_record_parameter(const struct mime_record *record,
                                                   uint32_t index);

enum mime_record_list {
    MIME_RECORD_FROM,
    MIME_RECORD_SENDER,
    MIME_RECORD_REPLY_TO,
    MIME_RECORD_TO,
    MIME_RECORD_CC,
    MIME_RECORD_BCC,
    MIME_RECORD_LISTS
};

/* The summary of the message or of one inside it. Strings are as sent, unfolded; the decoded ones
 * say so. */
struct mime_record_message {
    uint32_t part;
    struct slice date, subject, message_id, in_reply_to, references;
    bool has_wall;
    struct wall wall; /* of the Date field */
    int32_t zone_s;   /* its offset from UTC, in seconds */
    /* Only for message 0, the whole: in UTF-8. */
    struct slice subject_text; /* encoded words decoded */
    struct slice base_subject; /* RFC 5256 2.1, of subject_text */
    bool is_reply_or_forward;
    struct slice preview;
    /* Ranges for mime_record_address. */
    uint32_t addresses_first[MIME_RECORD_LISTS], addresses_count[MIME_RECORD_LISTS];
};

/* index < messages_count; there is always message 0, the whole. */
void mime_record_message(const struct mime_record *record, uint32_t index,
                         struct mime_record_message *ret_message);

/* As IMAP lists them (RFC 9051 7.5.2): a group begins with a row that has a mailbox (its name)
 * and no host, and ends with one that has neither. */
struct mime_record_address {
    struct slice name, route, mailbox, host; /* name as sent, without quotes, words not decoded */
};
/* index < addresses_count. */
struct mime_record_address mime_record_address(const struct mime_record *record, uint32_t index);

/* index < defects_count. */
struct mime_defect mime_record_defect(const struct mime_record *record, uint32_t index);

#endif
