/* SPDX-License-Identifier: ISC */
/* Base64 as mail uses it: RFC 2045 §6.8 for bodies, RFC 4648 §4 for protocols.
 * Decoding of bodies is tolerant: octets outside the alphabet are passed over (RFC 2045 asks for
 * it), and the report says how many there were and where the first one stood. */
#ifndef TEXT_BASE64_H
#define TEXT_BASE64_H

#include "base/buffer.h"

/* Octets of text in a line of an encoded body, without the line end: RFC 2045 §6.8. */
enum { BASE64_LINE_MAX = 76 };

/* What was wrong with the text. All zero: nothing. Offsets count from the first octet fed. */
struct base64_report {
    uint64_t stray_count;  /* octets outside the alphabet that are not white space */
    uint64_t stray_offset; /* of the first of them; meaningful when stray_count > 0 */
    uint64_t late_offset;  /* first octet, not white space, behind the padding; see has_late */
    bool has_late;         /* something stood behind the padding: it was not decoded */
    bool is_cut;           /* ended inside a group of four; what its digits hold was decoded */
};

struct base64_decoder {
    struct base64_report report;
    uint64_t offset;   /* octets fed */
    uint32_t bits;     /* digits of the group that is not complete */
    uint8_t digits;    /* how many, 0 to 3 */
    uint8_t padding;   /* '=' seen: 0, 1 or 2 */
    bool is_ended;     /* padding is complete */
};

/* Decodes a body piece by piece; `out` receives at most 3/4 of the octets fed (plus 2). When `out`
 * is at its bound the rest is lost and buffer_overflowed tells. Finish completes the report. */
void base64_decoder_init(struct base64_decoder *decoder);
void base64_decoder_feed(struct base64_decoder *decoder, struct slice text, struct buffer *out);
void base64_decoder_finish(struct base64_decoder *decoder, struct buffer *out);

/* The same for a whole body. */
struct base64_report base64_decode(struct slice text, struct buffer *out);

/* The strict form (RFC 4648 §3): alphabet and correct padding only, no line breaks, unused bits
 * zero. False, and nothing put into `out`, when the text is anything else. */
MUST_USE bool base64_parse(struct slice text, struct buffer *out);

/* One line, padded; empty for no octets. */
void base64_format(struct slice bytes, struct buffer *out);

struct base64_encoder {
    uint8_t pending[2]; /* octets that do not make a group yet */
    uint8_t count;
    uint8_t column;     /* text octets in the current line */
};

/* Encodes a body piece by piece into lines of BASE64_LINE_MAX with CRLF between them. Finish pads;
 * the last line, too, is ended by CRLF unless there was nothing at all. */
void base64_encoder_init(struct base64_encoder *encoder);
void base64_encoder_feed(struct base64_encoder *encoder, struct slice bytes, struct buffer *out);
void base64_encoder_finish(struct base64_encoder *encoder, struct buffer *out);

/* How long `len` octets become as lines with CRLF (as the encoder writes them). */
size_t base64_lines_len(size_t len);

#endif
