/* SPDX-License-Identifier: ISC */
/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include "base/buffer.h"
#include "base/cursor.h"

/* What stands for octets that are no character. */
#define UTF8_REPLACEMENT 0xFFFDU

/* True when every octet is below 128. */
MUST_USE bool utf8_is_ascii(struct slice text);

/* Offset of the first octet above 127, or text.len. */
size_t utf8_ascii_len(struct slice text);

/* Length of the longest valid prefix: text.len when all is well. */
size_t utf8_valid_len(struct slice text);

MUST_USE static inline bool
utf8_is_valid(struct slice text)
{
    return utf8_valid_len(text) == text.len;
}

/* Takes one character; fails at the end and before what is not valid. */
MUST_USE bool utf8_take(struct cursor *cursor, uint32_t *ret_character);

/* Puts one character; what is no Unicode scalar value becomes UTF8_REPLACEMENT. */
void utf8_put(struct buffer *buffer, uint32_t character);

/* How many characters valid text has. (Not columns on a terminal.) */
size_t utf8_length(struct slice text);

/* The longest prefix of at most `len` octets that does not cut a character in two. */
struct slice utf8_first(struct slice text, size_t len);

/* Puts text with each maximal ill-formed piece (Unicode §3.9, table 3-8) replaced by U+FFFD;
 * returns how many pieces were. */
size_t utf8_put_repaired(struct buffer *buffer, struct slice text);

/* False for what commands a terminal or breaks its line (C0, DEL, C1, U+2028, U+2029), and for what
 * overrides the writing direction (Unicode §23.2). */
MUST_USE bool utf8_is_printable(uint32_t character);

/* Puts text as one line that a terminal or page can show: repaired, everything that commands or
 * breaks it a space, every override of the writing direction U+FFFD. */
void utf8_put_printable(struct buffer *buffer, struct slice text);

/* How many octets at the end are the valid beginning of a character that is not complete: 0 to 3.
 * For text that comes in pieces. */
size_t utf8_incomplete_len(struct slice text);

#endif
