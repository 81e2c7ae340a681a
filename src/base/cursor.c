/* SPDX-License-Identifier: ISC */
#include "base/cursor.h"

bool
cursor_take_text(struct cursor *cursor, struct slice text)
{
    if (!slice_starts_with(cursor_rest(cursor), text))
        return false;
    cursor->at += text.len;
    return true;
}

bool
cursor_take_text_nocase(struct cursor *cursor, struct slice text)
{
    if (!slice_starts_with_nocase(cursor_rest(cursor), text))
        return false;
    cursor->at += text.len;
    return true;
}

bool
cursor_take_set(struct cursor *cursor, byte_set set, size_t max, struct slice *ret_bytes)
{
    const uint8_t *at = cursor->at;

    while (at < cursor->end && set[*at])
        at++;
    size_t len = (size_t)(at - cursor->at);
    if (len == 0 || len > max)
        return false;
    *ret_bytes = slice_of(cursor->at, len);
    cursor->at = at;
    return true;
}

size_t
cursor_skip_set(struct cursor *cursor, byte_set set)
{
    const uint8_t *start = cursor->at;

    while (cursor->at < cursor->end && set[*cursor->at])
        cursor->at++;
    return (size_t)(cursor->at - start);
}

size_t
cursor_skip_blanks(struct cursor *cursor)
{
    static byte_set blanks = {[' '] = true, ['\t'] = true};
    return cursor_skip_set(cursor, blanks);
}

bool
cursor_take_until(struct cursor *cursor, uint8_t byte, struct slice *ret_bytes)
{
    struct slice rest = cursor_rest(cursor);
    size_t len = slice_find_byte(rest, byte);

    if (len == rest.len)
        return false;
    *ret_bytes = slice_first(rest, len);
    cursor->at += len;
    return true;
}

bool
cursor_take_u64(struct cursor *cursor, uint64_t min, uint64_t max, uint64_t *ret_number)
{
    const uint8_t *at = cursor->at;
    uint64_t number = 0;

    while (at < cursor->end && byte_is_digit(*at)) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
        at++;
    }
    if (at == cursor->at || number < min || number > max)
        return false;
    *ret_number = number;
    cursor->at = at;
    return true;
}

bool
cursor_take_u32(struct cursor *cursor, uint32_t min, uint32_t max, uint32_t *ret_number)
{
    uint64_t number;

    if (!cursor_take_u64(cursor, min, max, &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}
