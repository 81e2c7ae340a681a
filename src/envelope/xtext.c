/* SPDX-License-Identifier: ISC */
/* xtext (RFC 3461 §4) and unitext (RFC 6533 §3). */
#include "envelope/xtext.h"

#include "base/hex.h"
#include "text/utf8.h"

/* xchar: "!" to "~" without "+" and "=". */
static byte_set xchar = {['!' ... '*'] = true, [',' ... '<'] = true, ['>' ... '~'] = true};

/* QUCHAR (RFC 6533 §3): "!" to "~" without "+", "=" and backslash. */
static byte_set quchar = {
    ['!' ... '*'] = true,
    [',' ... '<'] = true,
    ['>' ... '['] = true,
    [']' ... '~'] = true,
};

/* hexchar has upper-case digits only (RFC 3461 §4); lower-case ones are written, and are clear. */
static int
take_hex(struct cursor *cursor)
{
    int value = cursor_is_done(cursor) ? -1 : byte_hex_value(*cursor->at);

    if (value >= 0)
        cursor->at++;
    return value;
}

bool
envelope_xtext_decode(struct slice text, struct arena *arena, struct slice *ret_bytes)
{
    struct cursor cursor = cursor_of(text);
    uint8_t *at = arena_new(arena, text.len);
    size_t len = 0;
    uint8_t octet;

    if (!at)
        return false;
    while (cursor_take_any(&cursor, &octet)) {
        if (octet == '+') {
            int high = take_hex(&cursor);
            int low = take_hex(&cursor);
            if (high < 0 || low < 0)
                return false;
            octet = (uint8_t)(high << 4 | low);
        } else if (!xchar[octet]) {
            return false;
        }
        at[len++] = octet;
    }
    *ret_bytes = slice_of(at, len);
    return true;
}

void
envelope_xtext_put(struct buffer *buffer, struct slice bytes)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t octet = bytes.at[i];
        if (xchar[octet]) {
            buffer_put_byte(buffer, octet);
            continue;
        }
        buffer_put_byte(buffer, '+');
        buffer_put_byte(buffer, (uint8_t)digits[octet >> 4]);
        buffer_put_byte(buffer, (uint8_t)digits[octet & 15]);
    }
}

/* EmbeddedUnicodeChar = "\x{" 2*6HEXDIG "}" */
static bool
take_embedded(struct cursor *cursor, struct buffer *out)
{
    struct cursor work = *cursor;
    uint32_t character = 0;
    int digits = 0;

    if (!cursor_take_text(&work, SLICE("\\x{")))
        return false;
    for (int digit; digits < 6 && (digit = take_hex(&work)) >= 0; digits++)
        character = character << 4 | (uint32_t)digit;
    if (digits < 2 || !cursor_take_byte(&work, '}') || character == 0 || character > 0x10FFFF ||
        (character >= 0xD800 && character <= 0xDFFF))
        return false;
    utf8_put(out, character);
    *cursor = work;
    return true;
}

bool
envelope_unitext_decode(struct slice text, struct arena *arena, struct slice *ret_bytes)
{
    struct cursor cursor = cursor_of(text);
    struct buffer out;
    bool is_good = true;

    buffer_init(&out, text.len);
    while (is_good && !cursor_is_done(&cursor)) {
        uint32_t character;
        int octet = cursor_peek(&cursor);
        if (octet == '\\') {
            is_good = take_embedded(&cursor, &out);
        } else {
            is_good = (octet >= 0x80 || quchar[octet]) && utf8_take(&cursor, &character);
            if (is_good)
                utf8_put(&out, character);
        }
    }
    if (is_good)
        *ret_bytes = arena_copy(arena, buffer_slice(&out));
    buffer_finish(&out);
    return is_good && !arena_failed(arena);
}

void
envelope_unitext_put(struct buffer *buffer, struct slice utf8)
{
    static const char digits[] = "0123456789ABCDEF";
    struct cursor cursor = cursor_of(utf8);
    uint32_t character;

    while (utf8_take(&cursor, &character)) {
        if (character < 0x80 && quchar[character]) {
            buffer_put_byte(buffer, (uint8_t)character);
            continue;
        }
        buffer_put_text(buffer, "\\x{");
        int shift = 4;
        while (shift < 20 && character >> (shift + 4) != 0)
            shift += 4;
        for (; shift >= 0; shift -= 4)
            buffer_put_byte(buffer, (uint8_t)digits[character >> shift & 15]);
        buffer_put_byte(buffer, '}');
    }
}
