/* SPDX-License-Identifier: ISC */
#include "text/utf7.h"
#include "text/utf8.h"

/* Base64 with ',' for '/' (RFC 3501 §5.1.3). */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
digit_value(uint8_t octet)
{
    if (octet >= 'A' && octet <= 'Z')
        return octet - 'A';
    if (octet >= 'a' && octet <= 'z')
        return octet - 'a' + 26;
    if (byte_is_digit(octet))
        return octet - '0' + 52;
    return octet == '+' ? 62 : octet == ',' ? 63 : -1;
}

static bool
is_direct(uint32_t character)
{
    return character >= 0x20 && character <= 0x7E;
}

/* Puts one UTF-16 unit; *surrogate keeps a high one until its low one comes. */
static bool
put_unit(struct buffer *out, uint32_t unit, uint32_t *surrogate)
{
    bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;

    if (is_low != (*surrogate != 0))
        return false;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        *surrogate = unit;
        return true;
    }
    if (is_low)
        unit = 0x10000 + ((*surrogate - 0xD800) << 10) + (unit - 0xDC00);
    *surrogate = 0;
    if (is_direct(unit))
        return false;
    utf8_put(out, unit);
    return true;
}

/* Between '&' and '-': whole UTF-16 units, at least one, and the bits left over zero. */
static bool
put_shifted(struct buffer *out, struct slice text)
{
    uint32_t bits = 0, surrogate = 0;
    unsigned bit_count = 0;

    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.at[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 16) {
            bit_count -= 16;
            if (!put_unit(out, bits >> bit_count & 0xFFFF, &surrogate))
                return false;
            bits &= (1U << bit_count) - 1;
        }
    }
    return text.len >= 3 && surrogate == 0 && bit_count < 6 && bits == 0;
}

static bool
decode_name(struct slice name, struct buffer *out)
{
    struct cursor cursor = cursor_of(name);
    bool was_shifted = false;
    uint8_t octet;

    while (cursor_take_any(&cursor, &octet)) {
        struct slice shifted;
        if (!is_direct(octet))
            return false;
        if (octet != '&') {
            buffer_put_byte(out, octet);
            was_shifted = false;
            continue;
        }
        if (!cursor_take_until(&cursor, '-', &shifted) || !cursor_take_byte(&cursor, '-'))
            return false;
        if (shifted.len == 0) {
            buffer_put_byte(out, '&');
            was_shifted = false;
            continue;
        }
        if (was_shifted || !put_shifted(out, shifted))
            return false;
        was_shifted = true;
    }
    return true;
}

bool
utf7_decode(struct slice name, struct buffer *out)
{
    size_t len = buffer_len(out);

    if (decode_name(name, out))
        return true;
    buffer_truncate(out, len);
    return false;
}

struct encoder {
    struct buffer *out;
    uint32_t bits;
    unsigned bit_count;
    bool is_shifted;
};

static void
encode_unit(struct encoder *encoder, uint32_t unit)
{
    encoder->bits = encoder->bits << 16 | unit;
    encoder->bit_count += 16;
    while (encoder->bit_count >= 6) {
        encoder->bit_count -= 6;
        buffer_put_byte(encoder->out,
                        (uint8_t)alphabet[encoder->bits >> encoder->bit_count & 63]);
    }
    encoder->bits &= (1U << encoder->bit_count) - 1;
}

static void
end_shift(struct encoder *encoder)
{
    if (!encoder->is_shifted)
        return;
    if (encoder->bit_count)
        buffer_put_byte(encoder->out,
                        (uint8_t)alphabet[encoder->bits << (6 - encoder->bit_count) & 63]);
    buffer_put_byte(encoder->out, '-');
    *encoder = (struct encoder){.out = encoder->out};
}

static void
encode_character(struct encoder *encoder, uint32_t character)
{
    if (is_direct(character)) {
        end_shift(encoder);
        buffer_put_byte(encoder->out, (uint8_t)character);
        if (character == '&')
            buffer_put_byte(encoder->out, '-');
        return;
    }
    if (!encoder->is_shifted)
        buffer_put_byte(encoder->out, '&');
    encoder->is_shifted = true;
    if (character >= 0x10000) {
        encode_unit(encoder, 0xD800 + ((character - 0x10000) >> 10));
        character = 0xDC00 + ((character - 0x10000) & 0x3FF);
    }
    encode_unit(encoder, character);
}

bool
utf7_encode(struct slice text, struct buffer *out)
{
    struct encoder encoder = {.out = out};
    struct cursor cursor = cursor_of(text);
    uint32_t character;

    if (!utf8_is_valid(text))
        return false;
    while (utf8_take(&cursor, &character))
        encode_character(&encoder, character);
    end_shift(&encoder);
    return true;
}
