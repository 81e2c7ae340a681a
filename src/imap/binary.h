/* SPDX-License-Identifier: ISC */
/* A part without its transfer encoding (RFC 3516), or some fields of a header, made of octets that
 * come a piece at a time: once to learn how long it is, then again to send it. So it takes the
 * memory of a piece. */
#ifndef IMAP_BINARY_H
#define IMAP_BINARY_H

#include "base/buffer.h"
#include "imap/fields.h"
#include "mime/part.h"
#include "text/base64.h"
#include "text/quoted_printable.h"

struct imap_binary {
    enum mime_encoding encoding;
    struct base64_decoder base64;
    struct quoted_printable_decoder quoted_printable;
    bool is_fields; /* no encoding is undone: these are picked */
    struct imap_fields fields;
    uint64_t made;      /* octets that came out so far */
    bool has_zero;      /* octet 0 was among them */
    uint64_t lines;     /* ends of lines among them, while nothing is put */
    uint64_t from, end; /* of what comes out, this goes to `out` */
    struct buffer *out; /* NULL: nothing does */
};

/* False for an encoding that must be undone as a whole. */
bool imap_binary_can(enum mime_encoding encoding);
/* Begins, or begins again. Octets from `from` to below `end` are put into `out`, if there is one.
 */
void imap_binary_begin(struct imap_binary *binary, enum mime_encoding encoding, uint64_t from,
                       uint64_t end, struct buffer *out);
/* Behind begin: of a header, only these fields are made. The names are borrowed. */
void imap_binary_pick(struct imap_binary *binary, const struct slice *names, size_t count,
                      bool is_not);
void imap_binary_feed(struct imap_binary *binary, struct slice piece);
/* No more comes. */
void imap_binary_finish(struct imap_binary *binary);

#endif
