/* SPDX-License-Identifier: ISC */
#include "imap/set.h"

#include <stdlib.h>

/* seq-number = nz-number / "*" */
static bool
take_number(struct cursor *cursor, uint32_t *ret_number)
{
    if (cursor_take_byte(cursor, '*')) {
        *ret_number = IMAP_STAR;
        return true;
    }
    return cursor_peek(cursor) != '0' && cursor_take_u32(cursor, 1, UINT32_MAX, ret_number);
}

static bool
take_range(struct cursor *cursor, struct imap_range *ret_range)
{
    if (!take_number(cursor, &ret_range->first))
        return false;
    ret_range->last = ret_range->first;
    return !cursor_take_byte(cursor, ':') || take_number(cursor, &ret_range->last);
}

static size_t
count_ranges(const struct cursor *cursor)
{
    size_t count = 1;

    for (const uint8_t *at = cursor->at; at < cursor->end && *at != ' ' && *at != '\r'; at++)
        count += *at == ',';
    return count;
}

bool
imap_set_is_over(const struct cursor *cursor)
{
    return count_ranges(cursor) > IMAP_SET_RANGES_MAX;
}

bool
imap_take_set(struct cursor *cursor, struct arena *arena, struct imap_set *ret_set)
{
    struct cursor ahead = *cursor;
    size_t count = count_ranges(cursor), i = 0;

    if (count > IMAP_SET_RANGES_MAX)
        return false;
    struct imap_range *ranges = ARENA_ARRAY(arena, struct imap_range, count);
    if (!ranges)
        return false;
    do {
        if (i == count || !take_range(&ahead, &ranges[i++]))
            return false;
    } while (cursor_take_byte(&ahead, ','));
    *ret_set = (struct imap_set){ranges, i};
    *cursor = ahead;
    return true;
}

static int
compare_ranges(const void *left, const void *right)
{
    const struct imap_range *a = left, *b = right;

    return a->first < b->first ? -1 : a->first > b->first;
}

bool
imap_set_resolve(struct imap_set *set, uint32_t star, struct arena *arena)
{
    struct imap_range *ranges = ARENA_ARRAY(arena, struct imap_range, set->count + 1);
    size_t count = 0, joined = 0;

    if (!ranges)
        return false;
    for (size_t i = 0; i < set->count; i++) {
        struct imap_range range = set->at[i];
        if ((range.first == IMAP_STAR || range.last == IMAP_STAR) && star == 0)
            continue;
        range.first = range.first == IMAP_STAR ? star : range.first;
        range.last = range.last == IMAP_STAR ? star : range.last;
        if (range.first > range.last)
            range = (struct imap_range){range.last, range.first};
        ranges[count++] = range;
    }
    qsort(ranges, count, sizeof(*ranges), compare_ranges);
    for (size_t i = 0; i < count; i++) {
        if (joined > 0 && (ranges[joined - 1].last == UINT32_MAX ||
                           ranges[i].first <= ranges[joined - 1].last + 1)) {
            if (ranges[i].last > ranges[joined - 1].last)
                ranges[joined - 1].last = ranges[i].last;
        } else {
            ranges[joined++] = ranges[i];
        }
    }
    *set = (struct imap_set){ranges, joined};
    return true;
}

bool
imap_set_has(const struct imap_set *set, uint32_t number)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->at[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->at[low].first <= number;
}

void
imap_set_put(struct buffer *buffer, const struct imap_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buffer_put_byte(buffer, ',');
        buffer_put_decimal(buffer, set->at[i].first);
        if (set->at[i].last != set->at[i].first) {
            buffer_put_byte(buffer, ':');
            buffer_put_decimal(buffer, set->at[i].last);
        }
    }
}

void
imap_set_builder_init(struct imap_set_builder *builder)
{
    buffer_init(&builder->ranges, SIZE_MAX / 2);
}

void
imap_set_builder_add(struct imap_set_builder *builder, uint32_t first, uint32_t last)
{
    struct buffer *ranges = &builder->ranges;
    struct imap_range range = {first, last};

    if (buffer_len(ranges) > 0) {
        struct imap_range *before = (void *)(ranges->at + ranges->end - sizeof(*before));
        if (before->last + 1 == first) {
            before->last = last;
            return;
        }
    }
    buffer_put(ranges, slice_of(&range, sizeof(range)));
}

struct imap_set
imap_set_builder_set(const struct imap_set_builder *builder)
{
    struct slice bytes = buffer_slice(&builder->ranges);

    return (struct imap_set){(const void *)bytes.at, bytes.len / sizeof(struct imap_range)};
}

void
imap_set_builder_finish(struct imap_set_builder *builder)
{
    buffer_finish(&builder->ranges);
}
