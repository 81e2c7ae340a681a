/* SPDX-License-Identifier: ISC */
/* A buffer owns bytes and grows up to a bound given at birth. Going over the bound is sticky and
 * silent until asked for: writers put as many things as they like and check once at the end.
 * Running out of memory of the machine ends the process: its peers recover from the log. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

struct buffer {
    uint8_t *at;   /* owned; NULL while nothing was put */
    size_t start;  /* bytes before this one were taken from the front */
    size_t end;    /* first free byte */
    size_t size;   /* bytes allocated */
    size_t max;    /* len never exceeds this */
    bool overflowed;
};

/* Prepares an empty buffer in the caller's memory; allocates nothing yet. */
void buffer_init(struct buffer *buffer, size_t max);

/* Frees the bytes; the buffer is empty and usable again. */
void buffer_finish(struct buffer *buffer);

/* The same for secrets: they do not stay in freed memory, nor where they were before it grew. */
void buffer_wipe(struct buffer *buffer);

/* Drops the content, keeps the memory, clears the overflow mark. */
void buffer_clear(struct buffer *buffer);

/* Gives memory back when nothing is held: idle sessions cost nothing. */
void buffer_release_if_empty(struct buffer *buffer);

static inline size_t
buffer_len(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* How many more bytes fit under the bound. */
static inline size_t
buffer_room(const struct buffer *buffer)
{
    return buffer->max - buffer_len(buffer);
}

/* True when something put did not fit (nothing of it was kept). */
static inline bool
buffer_overflowed(const struct buffer *buffer)
{
    return buffer->overflowed;
}

/* The content; valid until the next change of the buffer. */
static inline struct slice
buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->at ? buffer->at + buffer->start : (const uint8_t *)"",
                    buffer_len(buffer));
}

/* Takes `count` bytes (at most all) from the front. */
void buffer_consume(struct buffer *buffer, size_t count);

/* Cuts the content to its first `len` bytes. */
void buffer_truncate(struct buffer *buffer, size_t len);

/* The way of buffer_reserve when the memory must grow or the bound forbids it. */
MUST_USE uint8_t *buffer_reserve_slowly(struct buffer *buffer, size_t count);

/* Room for at least `count` bytes at the end, to be filled by the caller and then said with
 * buffer_commit; NULL, and the overflow mark, when the bound forbids it. Here, as what is below,
 * because notes and records are put in pieces of a few bytes. */
MUST_USE static inline uint8_t *
buffer_reserve(struct buffer *buffer, size_t count)
{
    if (UNLIKELY(!buffer->at || buffer->size - buffer->end < count ||
                 buffer_room(buffer) < count))
        return buffer_reserve_slowly(buffer, count);
    return buffer->at + buffer->end;
}

static inline void
buffer_commit(struct buffer *buffer, size_t count)
{
    assert(count <= buffer->size - buffer->end);
    buffer->end += count;
}

/* Each appends, or sets the overflow mark. */
static inline void
buffer_put(struct buffer *buffer, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    uint8_t *space = buffer_reserve(buffer, bytes.len);
    if (UNLIKELY(!space))
        return;
    memcpy(space, bytes.at, bytes.len);
    buffer_commit(buffer, bytes.len);
}

static inline void
buffer_put_byte(struct buffer *buffer, uint8_t byte)
{
    uint8_t *space = buffer_reserve(buffer, 1);

    if (UNLIKELY(!space))
        return;
    *space = byte;
    buffer_commit(buffer, 1);
}

static inline void
buffer_put_text(struct buffer *buffer, const char *text)
{
    buffer_put(buffer, slice_of_string(text));
}

void buffer_put_decimal(struct buffer *buffer, uint64_t number);
/* At least `width` digits, zeros in front: dates and times. */
void buffer_put_padded(struct buffer *buffer, uint64_t number, unsigned width);
/* Two lower-case hexadecimal digits for each byte. */
void buffer_put_hex(struct buffer *buffer, struct slice bytes);

/* Little-endian binary integers, as our own notes and files have them. */
static inline void
buffer_put_le(struct buffer *buffer, uint64_t number, size_t width)
{
    uint8_t *space = buffer_reserve(buffer, width);

    if (UNLIKELY(!space))
        return;
    for (size_t i = 0; i < width; i++)
        space[i] = (uint8_t)(number >> (8 * i));
    buffer_commit(buffer, width);
}

static inline void
buffer_put_le8(struct buffer *buffer, uint8_t number)
{
    buffer_put_byte(buffer, number);
}

static inline void
buffer_put_le16(struct buffer *buffer, uint16_t number)
{
    buffer_put_le(buffer, number, sizeof(number));
}

static inline void
buffer_put_le32(struct buffer *buffer, uint32_t number)
{
    buffer_put_le(buffer, number, sizeof(number));
}

static inline void
buffer_put_le64(struct buffer *buffer, uint64_t number)
{
    buffer_put_le(buffer, number, sizeof(number));
}

#endif
