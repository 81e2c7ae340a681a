/* SPDX-License-Identifier: ISC */
/* Quoted-printable (RFC 2045 §6.7), both ways. The decoder is tolerant as that section's notes ask:
 * an '=' that begins nothing stands for itself, and the report tells. Line ends go through as they
 * came; the encoder wants text with CRLF and protects a lone CR or LF as =0D, =0A. */
#ifndef TEXT_QUOTED_PRINTABLE_H
#define TEXT_QUOTED_PRINTABLE_H

#include "base/buffer.h"

/* Octets in an encoded line, without the line end, the soft break's '=' included. */
enum { QUOTED_PRINTABLE_LINE_MAX = 76, QUOTED_PRINTABLE_BLANKS_MAX = 128 };

/* What was wrong. All zero: nothing. Offsets count from the first octet fed. */
struct quoted_printable_report {
    uint64_t bad_count;  /* '=' followed by neither two hexadecimal digits nor a line end */
    uint64_t bad_offset; /* of the first of them; meaningful when bad_count > 0 */
    uint64_t raw_count;  /* octets that should have been encoded: controls, 8-bit */
    bool has_lower_hex;  /* =e9 for =E9: decoded */
    bool has_long_line;  /* an encoded line longer than 76 */
    bool is_cut;         /* the text ended in '=' or '=X' */
};

struct quoted_printable_decoder {
    struct quoted_printable_report report;
    uint64_t offset;    /* octets fed */
    uint64_t line_offset; /* of the encoded line that is being read */
    uint64_t escape_offset; /* of the '=' that is being read */
    uint8_t held[QUOTED_PRINTABLE_BLANKS_MAX]; /* blanks: dropped if the line ends after them */
    uint8_t held_count;
    uint8_t state;
    uint8_t digit;      /* first octet of an escape */
};

/* Decodes a body piece by piece; never makes it longer. Blanks before a line end and at the end are
 * dropped (RFC 2045 §6.7 (3)); of a longer row only the last QUOTED_PRINTABLE_BLANKS_MAX. */
void quoted_printable_decoder_init(struct quoted_printable_decoder *decoder);
void quoted_printable_decoder_feed(struct quoted_printable_decoder *decoder, struct slice text,
                                   struct buffer *out);
void quoted_printable_decoder_finish(struct quoted_printable_decoder *decoder, struct buffer *out);

/* The same for a whole body. */
struct quoted_printable_report quoted_printable_decode(struct slice text, struct buffer *out);

/* Encodes a whole text: CRLF stays a line end; every other octet but printable US-ASCII, space and
 * tab inside a line, becomes =XX. A line that begins "From " or is a lone dot is protected too, so
 * that letter boxes and SMTP leave it alone. */
void quoted_printable_encode(struct slice text, struct buffer *out);

/* How many octets of the text need an escape wherever they stand: each costs two octets more, which
 * is how to choose between quoted-printable and base64 without encoding twice. */
size_t quoted_printable_escape_count(struct slice text);

#endif
