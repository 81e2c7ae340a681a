/* SPDX-License-Identifier: ISC */
#include "message/unstructured.h"

static bool
is_dropped(uint8_t octet)
{
    return octet == '\r' || octet == '\n' || octet == '\0';
}

struct slice
unstructured_unfold(struct arena *arena, struct slice body)
{
    size_t len = 0;

    body = slice_trim(body);
    while (len < body.len && !is_dropped(body.at[len]))
        len++;
    if (len == body.len)
        return body;
    uint8_t *text = arena_room(arena, body.len);
    if (!text)
        return slice_of(body.at, 0);
    memcpy(text, body.at, len);
    for (size_t i = len; i < body.len; i++) {
        if (!is_dropped(body.at[i]))
            text[len++] = body.at[i];
    }
    return slice_trim(slice_of(text, len));
}
