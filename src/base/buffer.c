/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"

#include <stdlib.h>

enum { BUFFER_SIZE_FIRST = 256 };

void
buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){.max = max};
}

void
buffer_finish(struct buffer *buffer)
{
    free(buffer->at);
    buffer_init(buffer, buffer->max);
}

void
buffer_wipe(struct buffer *buffer)
{
    if (buffer->at)
        explicit_bzero(buffer->at, buffer->size);
    buffer_finish(buffer);
}

void
buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
    buffer->overflowed = false;
}

void
buffer_release_if_empty(struct buffer *buffer)
{
    if (buffer_len(buffer) == 0 && !buffer->overflowed)
        buffer_finish(buffer);
}

void
buffer_consume(struct buffer *buffer, size_t count)
{
    assert(count <= buffer_len(buffer));
    buffer->start += count;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void
buffer_truncate(struct buffer *buffer, size_t len)
{
    assert(len <= buffer_len(buffer));
    buffer->end = buffer->start + len;
}

/* Makes space behind the content: first by moving it to the front, then by growing. */
static void
make_space(struct buffer *buffer, size_t count)
{
    size_t len = buffer_len(buffer);

    if (buffer->at && buffer->size - len >= count && buffer->start >= len) {
        memmove(buffer->at, buffer->at + buffer->start, len);
        buffer->start = 0;
        buffer->end = len;
        return;
    }
    size_t size = buffer->size ? buffer->size : BUFFER_SIZE_FIRST;
    while (size - len < count)
        size *= 2;
    uint8_t *at = malloc(size);
    if (!at)
        abort();
    if (len)
        memcpy(at, buffer->at + buffer->start, len);
    /* Whether it is a secret, and will be wiped at the end, is not known here. */
    if (buffer->at)
        explicit_bzero(buffer->at, buffer->size);
    free(buffer->at);
    buffer->at = at;
    buffer->start = 0;
    buffer->end = len;
    buffer->size = size;
}

uint8_t *
buffer_reserve_slowly(struct buffer *buffer, size_t count)
{
    if (count > buffer_room(buffer)) {
        buffer->overflowed = true;
        return NULL;
    }
    if (buffer->size - buffer->end < count || !buffer->at)
        make_space(buffer, count);
    return buffer->at + buffer->end;
}

void
buffer_put_decimal(struct buffer *buffer, uint64_t number)
{
    buffer_put_padded(buffer, number, 1);
}

void
buffer_put_padded(struct buffer *buffer, uint64_t number, unsigned width)
{
    uint8_t digits[32];
    size_t first = sizeof(digits);

    assert(width <= sizeof(digits));
    if (width == 2 && number < 100) { /* most are parts of a date */
        digits[0] = (uint8_t)('0' + number / 10);
        digits[1] = (uint8_t)('0' + number % 10);
        buffer_put(buffer, slice_of(digits, 2));
        return;
    }
    do {
        digits[--first] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
    while (sizeof(digits) - first < width)
        digits[--first] = '0';
    buffer_put(buffer, slice_of(digits + first, sizeof(digits) - first));
}

void
buffer_put_hex(struct buffer *buffer, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        buffer_put_byte(buffer, (uint8_t)digits[bytes.at[i] >> 4]);
        buffer_put_byte(buffer, (uint8_t)digits[bytes.at[i] & 15]);
    }
}
