/* SPDX-License-Identifier: ISC */
#include "sasl/scram_grammar.h"

#include "text/base64.h"

bool
sasl_scram_take_value(struct cursor *cursor, char attribute, struct slice *ret_value)
{
    struct cursor ahead = *cursor;
    struct slice value;

    if (!cursor_take_byte(&ahead, (uint8_t)attribute) || !cursor_take_byte(&ahead, '='))
        return false;
    value = slice_first(cursor_rest(&ahead), slice_find_byte(cursor_rest(&ahead), ','));
    if (!cursor_take_bytes(&ahead, value.len, ret_value))
        return false;
    *cursor = ahead;
    return true;
}

bool
sasl_scram_skip_extensions(struct cursor *cursor)
{
    struct slice value;
    uint8_t name;

    while (cursor_take_byte(cursor, ',')) {
        struct cursor ahead = *cursor;
        if (!cursor_take_any(&ahead, &name) || !byte_is_alpha(name) || name == 'm' ||
            !sasl_scram_take_value(cursor, (char)name, &value) || value.len == 0)
            return false;
    }
    return cursor_is_done(cursor);
}

bool
sasl_scram_nonce_is_valid(struct slice nonce, size_t max)
{
    for (size_t i = 0; i < nonce.len; i++) {
        if (nonce.at[i] <= 0x20 || nonce.at[i] >= 0x7F || nonce.at[i] == ',')
            return false;
    }
    return nonce.len > 0 && nonce.len <= max;
}

bool
sasl_scram_put_name_decoded(struct buffer *buffer, struct slice name)
{
    struct cursor cursor = cursor_of(name);
    uint8_t byte;

    while (cursor_take_any(&cursor, &byte)) {
        if (byte == '=') {
            if (cursor_take_text(&cursor, SLICE("2C")))
                byte = ',';
            else if (!cursor_take_text(&cursor, SLICE("3D")))
                return false;
        }
        if (byte == 0)
            return false;
        buffer_put_byte(buffer, byte);
    }
    return name.len > 0;
}

void
sasl_scram_put_name(struct buffer *buffer, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == ',')
            buffer_put_text(buffer, "=2C");
        else if (name.at[i] == '=')
            buffer_put_text(buffer, "=3D");
        else
            buffer_put_byte(buffer, name.at[i]);
    }
}

bool
sasl_scram_digest_parse(struct slice text, size_t len, uint8_t *ret_digest)
{
    struct buffer octets;

    buffer_init(&octets, SASL_DIGEST_MAX + 3); /* decoding counts in groups of three */
    bool is_digest = base64_parse(text, &octets) && buffer_len(&octets) == len;
    if (is_digest)
        memcpy(ret_digest, buffer_slice(&octets).at, len);
    sasl_wipe(octets.at, octets.size);
    buffer_finish(&octets);
    return is_digest;
}

void
sasl_scram_mix(const uint8_t *left, const uint8_t *right, size_t len, uint8_t *ret_mix)
{
    for (size_t i = 0; i < len; i++)
        ret_mix[i] = left[i] ^ right[i];
}
