/* SPDX-License-Identifier: ISC */
/* Writing header fields: folded at blanks so that lines stay within FOLD_COLUMN_MAX where they can
 * (RFC 5322 §2.1.1, §2.2.3). */
#ifndef MESSAGE_FOLD_H
#define MESSAGE_FOLD_H

#include "base/buffer.h"

enum { FOLD_COLUMN_MAX = 78 };

/* Puts "name: body" CRLF. Line ends in `body` are not let through (a CR or LF is where header
 * injection begins): each run of them becomes one blank. The text is broken before blanks only, so
 * unfolding gives the body back; a line is never made of blanks alone. */
void fold_put_field(struct buffer *buffer, struct slice name, struct slice body);

/* Puts body text in the same way, the first line standing at `column` already; no line end. Returns
 * the column reached. */
size_t fold_put_text(struct buffer *buffer, size_t column, struct slice body);

#endif
