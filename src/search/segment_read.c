/* SPDX-License-Identifier: ISC */
#include "base/hash.h"
#include "search/segment_private.h"

#include <endian.h>
#include <stdlib.h>

enum { ROW_OCTETS_MIN = 3, BODY_OCTETS_MIN = 4, NEARBY_SHIFT = 12, TAIL_OCTETS = 64 << 10 };

struct foot {
    uint64_t magic, blocks_len, table_len, bodies_len, counts, table_hash, bodies_hash, foot_hash;
};

static uint8_t *
allocate(size_t len)
{
    uint8_t *octets = malloc(len ? len : 1);

    if (!octets)
        abort();
    return octets;
}

static bool
read_tail(struct segment *segment)
{
    const struct segment_source *source = &segment->source;

    segment->tail_len = source->octets < TAIL_OCTETS ? (size_t)source->octets : TAIL_OCTETS;
    segment->tail = allocate(segment->tail_len);
    return source->read(source->context, source->octets - segment->tail_len, segment->tail,
                        segment->tail_len);
}

static bool
read_part(const struct segment *segment, uint64_t offset, size_t len, uint8_t **ret_octets)
{
    const struct segment_source *source = &segment->source;
    uint64_t tail_at = source->octets - segment->tail_len;

    if (offset > source->octets || len > source->octets - offset)
        return false;
    uint8_t *octets = allocate(len);
    if (offset >= tail_at) {
        memcpy(octets, segment->tail + (offset - tail_at), len);
    } else if (!source->read(source->context, offset, octets, len)) {
        free(octets);
        return false;
    }
    *ret_octets = octets;
    return true;
}

static bool
take_table(struct segment *segment, struct slice table, uint64_t blocks_len)
{
    const uint8_t *at = table.at, *end = table.at + table.len;
    uint64_t key = 0, more, first, len, offset = 0;

    segment->blocks = calloc(segment->block_count + 1, sizeof(*segment->blocks));
    if (!segment->blocks)
        abort();
    for (size_t i = 0; i < segment->block_count; i++) {
        if (!varint_take(&at, end, &more) || !varint_take(&at, end, &first) ||
            !varint_take(&at, end, &len) || first > UINT32_MAX || len > SEGMENT_BLOCK_OCTETS_MAX)
            return false;
        key += more;
        segment->blocks[i] = (struct segment_block){key, offset, (uint32_t)first, (uint32_t)len};
        offset += len + SEGMENT_HASH_OCTETS;
    }
    return at == end && offset == blocks_len;
}

static bool
take_foot(struct segment *segment, const uint8_t *octets, struct foot *ret_foot)
{
    struct slice bytes = slice_of(octets, SEGMENT_FOOT_OCTETS - SEGMENT_HASH_OCTETS);
    uint64_t numbers[SEGMENT_FOOT_OCTETS / 8] = {0};
    uint64_t octets_left = segment->source.octets - SEGMENT_FOOT_OCTETS;

    for (size_t i = 0; i < SEGMENT_FOOT_OCTETS; i++)
        numbers[i / 8] |= (uint64_t)octets[i] << i % 8 * 8;
    struct foot foot = {numbers[0], numbers[1], numbers[2], numbers[3],
                        numbers[4], numbers[5], numbers[6], numbers[7]};
    segment->block_count = foot.counts >> 32;
    segment->body_count = foot.counts & UINT32_MAX;
    if (foot.magic != SEGMENT_MAGIC || foot.foot_hash != hash64(bytes, SEGMENT_SEED) ||
        foot.blocks_len > octets_left || foot.table_len > octets_left - foot.blocks_len ||
        foot.bodies_len != octets_left - foot.blocks_len - foot.table_len ||
        segment->block_count > foot.table_len / ROW_OCTETS_MIN ||
        segment->body_count > foot.bodies_len / BODY_OCTETS_MIN)
        return false;
    *ret_foot = foot;
    return true;
}

static bool
read_table(struct segment *segment)
{
    struct foot foot;
    uint8_t *octets;

    if (segment->source.octets < SEGMENT_FOOT_OCTETS || !read_tail(segment) ||
        !take_foot(segment, segment->tail + segment->tail_len - SEGMENT_FOOT_OCTETS, &foot) ||
        !read_part(segment, foot.blocks_len, foot.table_len, &octets))
        return false;
    struct slice table = slice_of(octets, foot.table_len);
    bool is_good = foot.table_hash == hash64(table, SEGMENT_SEED) &&
                   take_table(segment, table, foot.blocks_len);
    free(octets);
    segment->bodies_offset = foot.blocks_len + foot.table_len;
    segment->bodies_len = foot.bodies_len;
    segment->bodies_hash = foot.bodies_hash;
    return is_good;
}

bool
segment_open(struct segment *segment, struct segment_source source)
{
    *segment = (struct segment){.source = source};
    if (read_table(segment))
        return true;
    segment_close(segment);
    return false;
}

void
segment_close(struct segment *segment)
{
    free(segment->tail);
    free(segment->blocks);
    free(segment->bodies);
    free(segment->nearby);
    segment->tail = NULL;
    segment->blocks = NULL;
    segment->bodies = NULL;
    segment->nearby = NULL;
}

static bool
take_body(const uint8_t **at, const uint8_t *end, struct segment_body *body)
{
    uint64_t number, gap, head, len;

    if (!varint_take(at, end, &number) || !varint_take(at, end, &gap) ||
        !varint_take(at, end, &head) || !varint_take(at, end, &len) || gap > UINT32_MAX ||
        head > UINT32_MAX || len > UINT32_MAX || body->end + gap + head + len > UINT32_MAX)
        return false;
    body->body += number >> 1 ^ (number & 1 ? UINT64_MAX : 0);
    body->start = body->end + (uint32_t)gap;
    body->body_start = body->start + (uint32_t)head;
    body->end = body->body_start + (uint32_t)len;
    return true;
}

static void
note_nearby(struct segment *segment, uint32_t end)
{
    size_t at = 0;

    segment->nearby_count = ((size_t)end >> NEARBY_SHIFT) + 1;
    segment->nearby = calloc(segment->nearby_count, sizeof(*segment->nearby));
    if (!segment->nearby)
        abort();
    for (size_t i = 0; i < segment->nearby_count; i++) {
        while (at < segment->body_count && segment->bodies[at].end <= i << NEARBY_SHIFT)
            at++;
        segment->nearby[i] = (uint32_t)at;
    }
}

bool
segment_read_bodies(struct segment *segment)
{
    struct segment_body body = {0};
    uint8_t *octets;

    if (segment->bodies)
        return true;
    if (!read_part(segment, segment->bodies_offset, segment->bodies_len, &octets))
        return false;
    bool is_good =
        segment->bodies_hash == hash64(slice_of(octets, segment->bodies_len), SEGMENT_SEED);
    const uint8_t *at = octets, *end = octets + segment->bodies_len;
    segment->bodies = calloc(segment->body_count + 1, sizeof(*segment->bodies));
    if (!segment->bodies)
        abort();
    for (size_t i = 0; i < segment->body_count && is_good; i++) {
        is_good = take_body(&at, end, &body);
        segment->bodies[i] = body;
    }
    is_good = is_good && at == end;
    free(octets);
    if (is_good)
        note_nearby(segment, body.end);
    return is_good;
}

size_t
segment_body_of(const struct segment *segment, uint32_t place)
{
    if (place >> NEARBY_SHIFT >= segment->nearby_count)
        return segment->body_count;
    size_t at = segment->nearby[place >> NEARBY_SHIFT];
    while (at < segment->body_count && segment->bodies[at].end <= place)
        at++;
    return at < segment->body_count && segment->bodies[at].start <= place ? at
                                                                          : segment->body_count;
}

/* ---- the cursor ------------------------------------------------------------------------------ */

/* The last block that begins before the key; the first when none does. */
static size_t
block_before(const struct segment *segment, uint64_t key)
{
    size_t low = 0, high = segment->block_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (segment->blocks[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

void
segment_cursor_open(struct segment_cursor *cursor, struct segment *segment, uint64_t low,
                    uint64_t high)
{
    *cursor =
        (struct segment_cursor){.segment = segment, .low = low, .high = high, .block = SIZE_MAX};
    cursor->last_block = block_before(segment, high);
    cursor->run_max = SEGMENT_RUN_BLOCKS;
    cursor->places = malloc(SEGMENT_CHUNK_PLACES * sizeof(*cursor->places));
    if (!cursor->places)
        abort();
}

void
segment_cursor_close(struct segment_cursor *cursor)
{
    free(cursor->run);
    free(cursor->places);
    cursor->run = NULL;
    cursor->octets = NULL;
    cursor->places = NULL;
}

size_t
segment_cursor_blocks(const struct segment_cursor *cursor)
{
    return block_before(cursor->segment, cursor->high) -
           block_before(cursor->segment, cursor->low) + 1;
}

static bool
damaged(struct segment_cursor *cursor)
{
    cursor->is_damaged = true;
    cursor->count = cursor->next = 0;
    return false;
}

/* How many blocks to read from this one on: twice as many as last time, when it follows them. */
static size_t
run_of(const struct segment_cursor *cursor, size_t number)
{
    size_t end = cursor->run_first + cursor->run_count;
    bool is_going_on = cursor->run_count > 0 && number >= end && number - end < cursor->run_count;
    size_t count = is_going_on ? cursor->run_count * 2 : 2;
    size_t left = number < cursor->last_block ? cursor->last_block - number + 1 : 1;

    count = count < cursor->run_max ? count : cursor->run_max;
    return count < left ? count : left;
}

static bool
read_run(struct segment_cursor *cursor, size_t number)
{
    const struct segment *segment = cursor->segment;
    const struct segment_block *blocks = &segment->blocks[number];
    size_t count = run_of(cursor, number);
    size_t len = (size_t)(blocks[count - 1].offset - blocks[0].offset) + blocks[count - 1].len +
                 SEGMENT_HASH_OCTETS;

    if (len + RICE_LOAD_OCTETS > cursor->run_size) {
        cursor->run_size = len + RICE_LOAD_OCTETS;
        free(cursor->run);
        cursor->run = allocate(cursor->run_size);
    }
    memset(cursor->run + len, 0, RICE_LOAD_OCTETS);
    cursor->run_first = number;
    cursor->run_count = count;
    return segment->source.read(segment->source.context, blocks[0].offset, cursor->run, len);
}

static bool
load_block(struct segment_cursor *cursor, size_t number)
{
    const struct segment *segment = cursor->segment;
    uint64_t hash = 0;

    if (number >= segment->block_count || segment->blocks[number].key >= cursor->high)
        return false;
    bool is_read = number >= cursor->run_first && number - cursor->run_first < cursor->run_count;
    if (!is_read && !read_run(cursor, number))
        return damaged(cursor);
    const struct segment_block *block = &segment->blocks[number];
    cursor->octets = cursor->run + (block->offset - segment->blocks[cursor->run_first].offset);
    for (size_t i = 0; i < SEGMENT_HASH_OCTETS; i++)
        hash |= (uint64_t)cursor->octets[block->len + i] << i * 8;
    if (hash != hash64(slice_of(cursor->octets, block->len), SEGMENT_SEED))
        return damaged(cursor);
    cursor->block = number;
    cursor->len = block->len;
    cursor->at = 0;
    cursor->entry_key = 0;
    return true;
}

/* The key and octets of the entry at `at`, which lies in the block. */
static bool
take_entry(struct segment_cursor *cursor, uint64_t *ret_key, struct slice *ret_octets)
{
    const uint8_t *at = cursor->octets + cursor->at, *end = cursor->octets + cursor->len;
    uint64_t more, len;

    if (!varint_take(&at, end, &more) || !varint_take(&at, end, &len) || len == 0 ||
        len > SEGMENT_CHUNK_OCTETS || len > (uint64_t)(end - at))
        return damaged(cursor);
    *ret_key = cursor->entry_key + more;
    *ret_octets = slice_of(at, len);
    return true;
}

/* True when the entry behind this one has the same key and begins at the place or before. */
static bool
is_passed(const struct segment_cursor *cursor, const uint8_t *behind, uint32_t place)
{
    const uint8_t *end = cursor->octets + cursor->len;
    uint64_t more, len, first;

    return behind < end && *behind == 0 && varint_take(&behind, end, &more) &&
           varint_take(&behind, end, &len) && varint_take(&behind, end, &first) && first <= place;
}

/* The bits from one on: 57 at least, or as many as are left, and zeros. */
static uint64_t
bits_from(struct slice octets, size_t at)
{
    size_t left = octets.len * 8 - at;
    uint64_t bits;

    memcpy(&bits, octets.at + at / 8, sizeof(bits)); /* the buffer is that much longer */
    bits = le64toh(bits) >> at % 8;
    return left < RICE_ESCAPE_BITS ? bits & ((UINT64_C(1) << left) - 1) : bits;
}

/* Takes one distance, less one; *at moves. False when it is none that was written. */
static bool
take_distance(struct slice octets, size_t *at, uint64_t bits, unsigned low, uint64_t *ret_distance)
{
    unsigned zeros = (unsigned)__builtin_ctzll(bits), len = zeros + 1 + low;

    if (zeros < RICE_ZEROS_MAX) {
        *ret_distance = (uint64_t)zeros << low | (bits >> (zeros + 1) & ((UINT64_C(1) << low) - 1));
    } else {
        *ret_distance = bits >> (RICE_ZEROS_MAX + 1) & UINT32_MAX;
        len = RICE_ESCAPE_BITS;
    }
    *at += len;
    return zeros <= RICE_ZEROS_MAX && *at <= octets.len * 8;
}

static bool
unpack(struct segment_cursor *cursor, uint64_t key, struct slice octets)
{
    const uint8_t *from = octets.at;
    uint64_t place, bits, distance;
    size_t count = 0, at = 0;
    unsigned low = 0;

    if (!varint_take(&from, octets.at + octets.len, &place) || place > SEGMENT_PLACES_MAX)
        return damaged(cursor);
    octets = slice_skip(octets, (size_t)(from - octets.at));
    if (octets.len > 0 && (low = octets.at[0]) > RICE_LOW_MAX)
        return damaged(cursor);
    octets = slice_skip(octets, 1);
    cursor->places[count++] = (uint32_t)place;
    while (at < octets.len * 8 && (bits = bits_from(octets, at)) != 0) {
        if (!take_distance(octets, &at, bits, low, &distance))
            return damaged(cursor);
        place += distance + 1;
        if (UNLIKELY(place > SEGMENT_PLACES_MAX || count == SEGMENT_CHUNK_PLACES))
            return damaged(cursor);
        cursor->places[count++] = (uint32_t)place;
    }
    cursor->count = count;
    cursor->next = 0;
    cursor->key = key;
    return true;
}

/* Where to begin, or the next block. */
static bool
next_block(struct segment_cursor *cursor, uint32_t place, bool may_pass)
{
    const struct segment *segment = cursor->segment;
    size_t number =
        cursor->block == SIZE_MAX ? block_before(segment, cursor->low) : cursor->block + 1;

    while (may_pass && number + 1 < segment->block_count &&
           segment->blocks[number + 1].key == cursor->low &&
           segment->blocks[number + 1].first <= place)
        number++;
    return load_block(cursor, number);
}

static bool
next_entry(struct segment_cursor *cursor, uint32_t place, bool may_pass)
{
    struct slice octets;
    uint64_t key;

    cursor->count = cursor->next = 0;
    while (!cursor->is_damaged) {
        if (cursor->block == SIZE_MAX || cursor->at == cursor->len ||
            (may_pass && cursor->block + 1 < cursor->segment->block_count &&
             cursor->segment->blocks[cursor->block + 1].key == cursor->low &&
             cursor->segment->blocks[cursor->block + 1].first <= place)) {
            if (!next_block(cursor, place, may_pass))
                return false;
        }
        if (!take_entry(cursor, &key, &octets))
            return false;
        if (key >= cursor->high)
            return false;
        cursor->entry_key = key;
        cursor->at = (size_t)(octets.at + octets.len - cursor->octets);
        if (key >= cursor->low &&
            !(may_pass && is_passed(cursor, cursor->octets + cursor->at, place)))
            return unpack(cursor, key, octets);
    }
    return false;
}

bool
segment_cursor_entry(struct segment_cursor *cursor)
{
    return next_entry(cursor, 0, false);
}

bool
segment_cursor_entry_from(struct segment_cursor *cursor, uint32_t place)
{
    return next_entry(cursor, place, true);
}
