/* SPDX-License-Identifier: ISC */
#include "text/base64.h"

/* What is no digit has one of the two high bits set, so that four octets are judged by one OR. */
enum { GAP = 0xFE, PAD = 0xFD, BAD = 0xFF, NO_DIGIT = 0xC0 };

/* Octets decoded with one look at the buffer's bound. */
enum { PIECE_LEN = 16384 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const uint8_t digit_of[256] = {
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, GAP, GAP, BAD, BAD, GAP, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    GAP, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,  62, BAD, BAD, BAD,  63,
     52,  53,  54,  55,  56,  57,  58,  59,  60,  61, BAD, BAD, BAD, PAD, BAD, BAD,
    BAD,   0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,
     15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25, BAD, BAD, BAD, BAD, BAD,
    BAD,  26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,
     41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51, BAD, BAD, BAD, BAD, BAD,
    [128 ... 255] = BAD,
};

/* Decodes whole groups of four digits up to the first octet that is none; returns where it stopped
 * reading, and moves *out. */
static const uint8_t *
decode_groups(const uint8_t *at, const uint8_t *end, uint8_t **out)
{
    uint8_t *to = *out;

    while (end - at >= 4) {
        uint32_t first = digit_of[at[0]], second = digit_of[at[1]];
        uint32_t third = digit_of[at[2]], fourth = digit_of[at[3]];
        if ((first | second | third | fourth) & NO_DIGIT)
            break;
        uint32_t bits = first << 18 | second << 12 | third << 6 | fourth;
        to[0] = (uint8_t)(bits >> 16);
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)bits;
        to += 3;
        at += 4;
    }
    *out = to;
    return at;
}

/* Puts the whole octets that an unfinished group holds. */
static uint8_t *
put_rest(const struct base64_decoder *decoder, uint8_t *to)
{
    if (decoder->digits == 2) {
        *to++ = (uint8_t)(decoder->bits >> 4);
    } else if (decoder->digits == 3) {
        *to++ = (uint8_t)(decoder->bits >> 10);
        *to++ = (uint8_t)(decoder->bits >> 2);
    }
    return to;
}

static void
note_stray(struct base64_decoder *decoder, uint64_t offset)
{
    if (decoder->report.stray_count++ == 0)
        decoder->report.stray_offset = offset;
}

/* Behind the first '=' only its second and white space may come. */
static void
take_after_padding(struct base64_decoder *decoder, uint8_t value, uint64_t offset)
{
    if (value == GAP || decoder->report.has_late)
        return;
    if (value == PAD && decoder->digits + decoder->padding < 4) {
        decoder->padding++;
        return;
    }
    decoder->report.has_late = true;
    decoder->report.late_offset = offset;
}

/* Takes one octet that is not inside a plain run of groups. */
static uint8_t *
take_one(struct base64_decoder *decoder, uint8_t octet, uint64_t offset, uint8_t *to)
{
    uint8_t value = digit_of[octet];

    if (decoder->is_ended) {
        take_after_padding(decoder, value, offset);
    } else if (value < 64) {
        decoder->bits = decoder->bits << 6 | value;
        if (++decoder->digits == 4) {
            *to++ = (uint8_t)(decoder->bits >> 16);
            *to++ = (uint8_t)(decoder->bits >> 8);
            *to++ = (uint8_t)decoder->bits;
            decoder->digits = 0;
            decoder->bits = 0;
        }
    } else if (value == PAD && decoder->digits >= 2) {
        to = put_rest(decoder, to);
        decoder->is_ended = true;
        decoder->padding = 1;
    } else if (value != GAP) {
        note_stray(decoder, offset);
    }
    return to;
}

void
base64_decoder_init(struct base64_decoder *decoder)
{
    *decoder = (struct base64_decoder){0};
}

void
base64_decoder_feed(struct base64_decoder *decoder, struct slice text, struct buffer *out)
{
    while (text.len) {
        struct slice piece = slice_first(text, PIECE_LEN);
        uint8_t *start = buffer_reserve(out, piece.len / 4 * 3 + 6);
        if (!start)
            return;
        uint8_t *to = start;
        const uint8_t *at = piece.at, *end = piece.at + piece.len;
        while (at < end) {
            if (decoder->digits == 0 && !decoder->is_ended)
                at = decode_groups(at, end, &to);
            if (at < end) {
                to = take_one(decoder, *at, decoder->offset + (uint64_t)(at - piece.at), to);
                at++;
            }
        }
        buffer_commit(out, (size_t)(to - start));
        decoder->offset += piece.len;
        text = slice_skip(text, piece.len);
    }
}

void
base64_decoder_finish(struct base64_decoder *decoder, struct buffer *out)
{
    if (decoder->is_ended) {
        decoder->report.is_cut = decoder->digits + decoder->padding < 4;
        return;
    }
    uint8_t rest[2];
    const uint8_t *end = put_rest(decoder, rest);
    buffer_put(out, slice_of(rest, (size_t)(end - rest)));
    decoder->report.is_cut = decoder->digits > 0;
    decoder->is_ended = true;
}

struct base64_report
base64_decode(struct slice text, struct buffer *out)
{
    struct base64_decoder decoder;

    base64_decoder_init(&decoder);
    base64_decoder_feed(&decoder, text, out);
    base64_decoder_finish(&decoder, out);
    return decoder.report;
}

/* Decodes the last group of the strict form: "xx==", "xxx=" or "xxxx". Returns how many octets, or
 * -1 when it is none of these or has bits that mean nothing. */
static int
parse_last_group(const uint8_t *at, uint8_t *to)
{
    uint32_t first = digit_of[at[0]], second = digit_of[at[1]];
    uint32_t third = digit_of[at[2]], fourth = digit_of[at[3]];

    if ((first | second) & NO_DIGIT)
        return -1;
    to[0] = (uint8_t)(first << 2 | second >> 4);
    if (third == PAD)
        return fourth == PAD && (second & 15) == 0 ? 1 : -1;
    if (third & NO_DIGIT)
        return -1;
    to[1] = (uint8_t)(second << 4 | third >> 2);
    if (fourth == PAD)
        return (third & 3) == 0 ? 2 : -1;
    if (fourth & NO_DIGIT)
        return -1;
    to[2] = (uint8_t)(third << 6 | fourth);
    return 3;
}

bool
base64_parse(struct slice text, struct buffer *out)
{
    if (text.len == 0)
        return true;
    if (text.len % 4 != 0)
        return false;
    uint8_t *start = buffer_reserve(out, text.len / 4 * 3);
    if (!start)
        return false;
    uint8_t *to = start;
    const uint8_t *last = text.at + text.len - 4;
    if (decode_groups(text.at, last, &to) != last)
        return false;
    int count = parse_last_group(last, to);
    if (count < 0)
        return false;
    buffer_commit(out, (size_t)(to - start) + (size_t)count);
    return true;
}

static uint8_t *
encode_group(const uint8_t *at, uint8_t *to)
{
    to[0] = (uint8_t)alphabet[at[0] >> 2];
    to[1] = (uint8_t)alphabet[(at[0] & 3) << 4 | at[1] >> 4];
    to[2] = (uint8_t)alphabet[(at[1] & 15) << 2 | at[2] >> 6];
    to[3] = (uint8_t)alphabet[at[2] & 63];
    return to + 4;
}

/* One or two octets, padded. */
static uint8_t *
encode_last(const uint8_t *at, size_t count, uint8_t *to)
{
    uint8_t group[3] = {at[0], count > 1 ? at[1] : 0, 0};

    encode_group(group, to);
    to[3] = '=';
    if (count == 1)
        to[2] = '=';
    return to + 4;
}

void
base64_format(struct slice bytes, struct buffer *out)
{
    size_t whole = bytes.len / 3 * 3;
    uint8_t *start = buffer_reserve(out, (bytes.len + 2) / 3 * 4);

    if (!start)
        return;
    uint8_t *to = start;
    for (size_t i = 0; i < whole; i += 3)
        to = encode_group(bytes.at + i, to);
    if (bytes.len > whole)
        to = encode_last(bytes.at + whole, bytes.len - whole, to);
    buffer_commit(out, (size_t)(to - start));
}

void
base64_encoder_init(struct base64_encoder *encoder)
{
    *encoder = (struct base64_encoder){0};
}

/* Encodes a whole number of groups, at most 4096 of them, breaking full lines. */
static void
encode_lines(struct base64_encoder *encoder, struct slice bytes, struct buffer *out)
{
    size_t groups = bytes.len / 3;
    uint8_t *start = buffer_reserve(out, groups * 4 + (groups / (BASE64_LINE_MAX / 4) + 1) * 2);

    if (!start)
        return;
    uint8_t *to = start;
    for (size_t i = 0; i < bytes.len; i += 3) {
        if (encoder->column == BASE64_LINE_MAX) {
            *to++ = '\r';
            *to++ = '\n';
            encoder->column = 0;
        }
        to = encode_group(bytes.at + i, to);
        encoder->column = (uint8_t)(encoder->column + 4);
    }
    buffer_commit(out, (size_t)(to - start));
}

void
base64_encoder_feed(struct base64_encoder *encoder, struct slice bytes, struct buffer *out)
{
    while (encoder->count && bytes.len) {
        if (encoder->count < 2) {
            encoder->pending[encoder->count++] = bytes.at[0];
        } else {
            uint8_t group[3] = {encoder->pending[0], encoder->pending[1], bytes.at[0]};
            encode_lines(encoder, slice_of(group, 3), out);
            encoder->count = 0;
        }
        bytes = slice_skip(bytes, 1);
    }
    while (bytes.len >= 3) {
        size_t whole = bytes.len < PIECE_LEN ? bytes.len / 3 * 3 : PIECE_LEN / 3 * 3;
        encode_lines(encoder, slice_first(bytes, whole), out);
        bytes = slice_skip(bytes, whole);
    }
    while (bytes.len) {
        encoder->pending[encoder->count++] = bytes.at[0];
        bytes = slice_skip(bytes, 1);
    }
}

void
base64_encoder_finish(struct base64_encoder *encoder, struct buffer *out)
{
    if (encoder->count) {
        uint8_t last[4];
        if (encoder->column == BASE64_LINE_MAX) {
            buffer_put(out, SLICE("\r\n"));
            encoder->column = 0;
        }
        encode_last(encoder->pending, encoder->count, last);
        buffer_put(out, slice_of(last, sizeof(last)));
        encoder->column = 4;
    }
    if (encoder->column)
        buffer_put(out, SLICE("\r\n"));
    base64_encoder_init(encoder);
}

size_t
base64_lines_len(size_t len)
{
    size_t digits = (len + 2) / 3 * 4;
    return digits + (digits + BASE64_LINE_MAX - 1) / BASE64_LINE_MAX * 2;
}
