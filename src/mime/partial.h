/* SPDX-License-Identifier: ISC */
/* Large messages sent as several (message/partial, RFC 2046 §5.2.2): cut, and put together. */
#ifndef MIME_PARTIAL_H
#define MIME_PARTIAL_H

#include "mime/part.h"

enum { MIME_PARTIAL_PIECES_MAX = 1000 };

/* ---- cutting ---- */

struct mime_partial {
    struct slice message; /* 7 bits, lines that end in CRLF: see downgrade.h */
    struct slice id;      /* of all pieces, and with the number in front of each: "x@example.org" */
    size_t piece_max;     /* octets of content in a piece */
};

/* How many pieces it takes; 0 when it cannot be cut: it is empty, has a line longer than a piece,
 * or takes more than MIME_PARTIAL_PIECES_MAX. */
size_t mime_partial_count(const struct mime_partial *partial);

/* Puts piece `number`, from 1 on: a whole message. Fields of the original stand in all pieces; what
 * belongs to its content stands inside of the first. */
void mime_partial_put(const struct mime_partial *partial, size_t number, struct buffer *out);

/* ---- joining ---- */

/* True for a piece; its number from 1 on, and how many there are (0: it does not say). */
MUST_USE bool mime_partial_is_piece(const struct mime_tree *tree, struct slice *ret_id,
                                    uint32_t *ret_number, uint32_t *ret_total);

/* Puts the message that was cut: fields of the first piece, those of the content from inside of it,
 * and the contents of all, which are given in their order. */
void mime_partial_join(const struct mime_tree *const *pieces, size_t count, struct buffer *out);

#endif
