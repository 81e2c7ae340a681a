/* SPDX-License-Identifier: ISC */
/* The fields of a header that are named, or those that are not (HEADER.FIELDS, HEADER.FIELDS.NOT),
 * made of octets that come a piece at a time: however long the header is, little is held. */
#ifndef IMAP_FIELDS_H
#define IMAP_FIELDS_H

#include "base/buffer.h"

/* Of a line, until its name is known. A longer line without a colon names nothing: RFC 5322 §2.1.1
 * has 998. */
enum { IMAP_FIELDS_HELD_MAX = 1000 };

struct imap_fields {
    const struct slice *names; /* borrowed */
    size_t count;
    bool is_not;
    bool is_wanted;  /* the field in hand */
    bool is_in_line; /* behind its name */
    bool is_over;
    uint16_t held;
    uint8_t line[IMAP_FIELDS_HELD_MAX];
};

void imap_fields_begin(struct imap_fields *fields, const struct slice *names, size_t count,
                       bool is_not);
/* Puts at most IMAP_FIELDS_HELD_MAX octets more than the piece has. */
void imap_fields_feed(struct imap_fields *fields, struct slice piece, struct buffer *out);
/* No more comes: puts what was held, and the empty line. */
void imap_fields_finish(struct imap_fields *fields, struct buffer *out);

#endif
