/* SPDX-License-Identifier: ISC */
/* Case and normal forms of UTF-8 text, for comparing and searching. Wraps libunistring; plain
 * US-ASCII takes a fast path. Text that is not valid UTF-8 is repaired first (utf8.h). */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include "base/buffer.h"

/* Puts the key under which two texts are equal when people would call them so: full case folding
 * and compatibility decomposition (Unicode D146: NFKD after folding), so that "STRASSE" finds
 * "straße" and "ﬁn" finds "fin". Accents count. */
void unicode_put_search_key(struct buffer *buffer, struct slice text);

/* The same without accents (combining marks): "Gérard" finds "gerard". */
void unicode_put_plain_key(struct buffer *buffer, struct slice text);

/* Puts each character's title case (of one character: no "SS" for "ß") and of that the full
 * decomposition, one character after another: the key of i;unicode-casemap (RFC 5051 §2). `text` is
 * valid UTF-8. */
void unicode_put_title_decomposed(struct buffer *buffer, struct slice text);

/* Puts normal form C: how names (mailboxes, accounts) are stored. */
void unicode_put_nfc(struct buffer *buffer, struct slice text);

#endif
