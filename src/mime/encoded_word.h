/* SPDX-License-Identifier: ISC */
/* Encoded words, `=?charset?Q?text?=` (RFC 2047, language suffix of RFC 2231 5). */
#ifndef MIME_ENCODED_WORD_H
#define MIME_ENCODED_WORD_H

#include "base/buffer.h"

/* RFC 2047 2: an encoded word has at most 75 octets, a line with one at most 76. Longer ones are
 * decoded all the same, up to this. */
enum { MIME_ENCODED_WORD_MAX = 75, MIME_ENCODED_WORD_DECODE_MAX = 2000 };

/* True when there is something to decode: "=?" occurs, or octets above 127. */
bool mime_encoded_words_present(struct slice text);

/* Puts the text in UTF-8: encoded words decoded, blanks between two of them dropped, characters
 * that were split over adjacent words of one charset joined, folding removed (CR and LF
 * dropped). Words that are bad stay as they are. Raw 8-bit octets that are not UTF-8 are taken
 * as windows-1252. Control octets other than TAB become spaces. The output is valid UTF-8. */
void mime_encoded_words_decode(struct buffer *buffer, struct slice text);

/* Where an encoded word will stand; RFC 2047 5 restricts the octets for each. */
enum mime_word_place {
    MIME_WORD_TEXT,   /* Subject, Comments: any printable octet may stand in Q form */
    MIME_WORD_PHRASE, /* display names */
};

/* Puts UTF-8 text as field content: plain where RFC 5322 can say it, else encoded words (Q or B,
 * whichever is shorter, in the narrowest charset: charset_narrowest), characters never split,
 * lines folded so that none is longer than 76. `column` is that of the first octet on its line. In
 * MIME_WORD_PHRASE plain text becomes atoms or a quoted string. */
void mime_encoded_words_put(struct buffer *buffer, struct slice text, enum mime_word_place place,
                            size_t column);

#endif
