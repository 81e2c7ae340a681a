/* SPDX-License-Identifier: ISC */
#include "token/json.h"

#include "text/base64.h"

enum { BASE64_MAX = 64 * 1024 };

json_t *
json_object_of(struct slice text)
{
    json_t *value = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL);

    if (value && !json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

struct slice
json_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value))
        return slice_of(NULL, 0);
    return slice_of(json_string_value(value), json_string_length(value));
}

bool
json_base64_parse(struct slice text, struct buffer *out)
{
    struct buffer plain;
    bool is_url = true;

    buffer_init(&plain, BASE64_MAX);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        is_url = is_url && octet != '+' && octet != '/' && octet != '=';
        buffer_put_byte(&plain, octet == '-' ? '+' : octet == '_' ? '/' : octet);
    }
    for (size_t i = text.len; i % 4 != 0; i++)
        buffer_put_byte(&plain, '=');
    bool is_parsed =
        is_url && !buffer_overflowed(&plain) && base64_parse(buffer_slice(&plain), out);
    buffer_finish(&plain);
    return is_parsed;
}
