/* SPDX-License-Identifier: ISC */
#include "text/utf8.h"

/* Not a character: what measure() says of octets that are ill-formed or not complete. */
#define NO_CHARACTER UINT32_MAX

enum { WORD_LEN = sizeof(uint64_t) };
#define WORD_HIGH_BITS UINT64_C(0x8080808080808080)

size_t
utf8_ascii_len(struct slice text)
{
    size_t len = 0;

    while (text.len - len >= WORD_LEN * 2) {
        uint64_t words[2];
        memcpy(words, text.at + len, sizeof(words));
        if ((words[0] | words[1]) & WORD_HIGH_BITS)
            break;
        len += sizeof(words);
    }
    while (len < text.len && text.at[len] < 0x80)
        len++;
    return len;
}

bool
utf8_is_ascii(struct slice text)
{
    return utf8_ascii_len(text) == text.len;
}

/* The range of the second octet (RFC 3629 §4) keeps out overlong forms, surrogates and what lies
 * above U+10FFFF. Returns how many octets the lead announces, 0 if it is no lead. */
static size_t
lead_len(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *ret_high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* Looks at the character at the start of `text`, which is not empty. Returns its length; or, with
 * NO_CHARACTER, that of the maximal piece that is wrong, and whether more octets could right it. */
static size_t
measure(struct slice text, uint32_t *ret_character, bool *ret_is_incomplete)
{
    uint8_t low, high;
    uint8_t lead = text.at[0];
    size_t len = lead_len(lead, &low, &high);

    *ret_is_incomplete = false;
    *ret_character = lead < 0x80 ? lead : NO_CHARACTER;
    if (len == 0)
        return 1;
    uint32_t character = lead & (0x7FU >> len);
    for (size_t i = 1; i < len; i++) {
        if (i == text.len) {
            *ret_is_incomplete = true;
            return i;
        }
        if (text.at[i] < low || text.at[i] > high)
            return i;
        character = character << 6 | (text.at[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *ret_character = character;
    return len;
}

size_t
utf8_valid_len(struct slice text)
{
    size_t len = 0;

    for (;;) {
        len += utf8_ascii_len(slice_skip(text, len));
        while (len < text.len && text.at[len] >= 0x80) {
            uint32_t character;
            bool is_incomplete;
            size_t step = measure(slice_skip(text, len), &character, &is_incomplete);
            if (character == NO_CHARACTER)
                return len;
            len += step;
        }
        if (len == text.len)
            return len;
    }
}

bool
utf8_take(struct cursor *cursor, uint32_t *ret_character)
{
    uint32_t character;
    bool is_incomplete;

    if (cursor_is_done(cursor))
        return false;
    size_t len = measure(cursor_rest(cursor), &character, &is_incomplete);
    if (character == NO_CHARACTER)
        return false;
    cursor->at += len;
    *ret_character = character;
    return true;
}

void
utf8_put(struct buffer *buffer, uint32_t character)
{
    uint8_t octets[4];
    size_t len;

    if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        character = UTF8_REPLACEMENT;
    if (character < 0x80) {
        octets[0] = (uint8_t)character;
        len = 1;
    } else {
        len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
        for (size_t i = len; i-- > 1; character >>= 6)
            octets[i] = (uint8_t)(0x80 | (character & 0x3F));
        octets[0] = (uint8_t)(0xF00U >> len | character);
    }
    buffer_put(buffer, slice_of(octets, len));
}

size_t
utf8_length(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += (text.at[i] & 0xC0) != 0x80;
    return count;
}

struct slice
utf8_first(struct slice text, size_t len)
{
    if (len >= text.len)
        return text;
    /* At most three octets can follow a lead; more than that is not UTF-8 anyway. */
    for (size_t back = 0; back < 4 && len > back; back++) {
        if ((text.at[len - back] & 0xC0) != 0x80)
            return slice_first(text, len - back);
    }
    return slice_first(text, len < 4 ? 0 : len);
}

size_t
utf8_put_repaired(struct buffer *buffer, struct slice text)
{
    size_t bad_count = 0;

    for (;;) {
        size_t len = utf8_valid_len(text);
        buffer_put(buffer, slice_first(text, len));
        text = slice_skip(text, len);
        if (text.len == 0)
            return bad_count;
        uint32_t character;
        bool is_incomplete;
        text = slice_skip(text, measure(text, &character, &is_incomplete));
        utf8_put(buffer, UTF8_REPLACEMENT);
        bad_count++;
    }
}

/* Embeddings, overrides and isolates, with which "fdp.exe" reads as "exe.pdf". */
static bool
turns_direction(uint32_t character)
{
    return (character >= 0x202A && character <= 0x202E) ||
           (character >= 0x2066 && character <= 0x2069);
}

static bool
is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0) || character == 0x2028 ||
           character == 0x2029;
}

bool
utf8_is_printable(uint32_t character)
{
    return !is_control(character) && !turns_direction(character);
}

void
utf8_put_printable(struct buffer *buffer, struct slice text)
{
    while (text.len > 0) {
        uint32_t character;
        bool is_incomplete;
        text = slice_skip(text, measure(text, &character, &is_incomplete));
        if (character == NO_CHARACTER || turns_direction(character))
            character = UTF8_REPLACEMENT;
        utf8_put(buffer, is_control(character) ? ' ' : character);
    }
}

size_t
utf8_incomplete_len(struct slice text)
{
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        uint8_t octet = text.at[text.len - back];
        if ((octet & 0xC0) == 0x80)
            continue;
        uint32_t character;
        bool is_incomplete;
        measure(slice_skip(text, text.len - back), &character, &is_incomplete);
        return is_incomplete ? back : 0;
    }
    return 0;
}
