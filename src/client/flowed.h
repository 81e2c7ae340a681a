/* SPDX-License-Identifier: ISC */
/* format=flowed (RFC 3676): paragraphs whose lines may be broken anew by who shows them. */
#ifndef CLIENT_FLOWED_H
#define CLIENT_FLOWED_H

#include "base/buffer.h"

enum { FLOWED_COLUMNS = 72 };

/* Puts text (UTF-8, any line ends) as flowed text: long lines are broken behind a blank that stays
 * at the line's end, lines are space-stuffed (§4.2, §4.4). */
void flowed_put(struct slice text, struct buffer *out);

/* Puts flowed text as lines for people: paragraphs joined, stuffing taken off, quote marks kept.
 * `deletes_blank` is the parameter DelSp (§4.1). */
void flowed_read(struct slice text, bool deletes_blank, struct buffer *out);

#endif
