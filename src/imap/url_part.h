/* SPDX-License-Identifier: ISC */
/* What a URL means within a message: the section that it names, and PARTIAL of it. */
#ifndef IMAP_URL_PART_H
#define IMAP_URL_PART_H

#include "imap/fetch.h"
#include "imap/structure.h"
#include "imap/url.h"

struct imap_url_part {
    struct imap_url url;
    struct imap_fetch_item item; /* the section */
};

/* False for what is no URL of a message; all of it lies in the arena or in the text. The mailbox's
 * name is decoded. imap://… must have its token; anything else is relative to a session. */
MUST_USE bool imap_url_part_parse(struct slice text, struct arena *arena,
                                  struct imap_url_part *ret_part);

/* The octets: part of the message, or made of it (header fields) and put into `made`. The record
 * may be empty. False when the message has no such part. */
MUST_USE bool imap_url_part_cut(const struct imap_url_part *part, struct slice message,
                                struct slice record, struct buffer *made,
                                struct slice *ret_octets);

/* What PARTIAL leaves of a range. */
void imap_url_clip(const struct imap_url *url, uint32_t *offset, uint32_t *len);

/* FIELDS are made of the header, which is the range that is found. */
bool imap_url_part_is_made(const struct imap_url_part *part);

/* Puts them, of a header that was found. */
void imap_url_part_put_fields(const struct imap_url_part *part, struct slice header,
                              struct buffer *into);

#endif
