/* SPDX-License-Identifier: ISC */
/* Fields of the machine's part of a report (RFC 3464 §2, RFC 8098 §3). What others have said is
 * made harmless: one line of bounded length, in ASCII where the report is. Private to the room. */
#ifndef DSN_FIELDS_H
#define DSN_FIELDS_H

#include "base/buffer.h"

/* Puts text of others, without a line end. */
void dsn_fields_put_harmless(struct buffer *out, struct slice text, bool is_utf8);

/* Puts "NAME: TYPE; ADDRESS"; an address outside of ASCII as "utf-8; …", as it is where the report
 * is UTF-8, else in its ASCII form (RFC 6533 §3). */
void dsn_fields_put_address(struct buffer *out, const char *name, struct slice type,
                            struct slice address, bool is_utf8);

/* Puts "NAME: TYPE; TEXT", without a type when it is ""; nothing for an empty text. */
void dsn_fields_put_words(struct buffer *out, const char *name, const char *type, struct slice text,
                          bool is_utf8);

#endif
