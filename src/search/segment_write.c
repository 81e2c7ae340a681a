/* SPDX-License-Identifier: ISC */
#include "base/hash.h"
#include "search/segment_private.h"

/* The worst that a chunk can be. */
static_assert(SEGMENT_CHUNK_PLACES * RICE_ESCAPE_BITS / 8 + VARINT_MAX + 2 <= SEGMENT_CHUNK_OCTETS);

void
segment_writer_init(struct segment_writer *writer)
{
    memset(writer, 0, sizeof(*writer));
    buffer_init(&writer->out, SIZE_MAX / 4);
    buffer_init(&writer->table, SIZE_MAX / 4);
    buffer_init(&writer->bodies, SIZE_MAX / 4);
}

void
segment_writer_finish(struct segment_writer *writer)
{
    buffer_finish(&writer->out);
    buffer_finish(&writer->table);
    buffer_finish(&writer->bodies);
}

static void
put_varint(struct buffer *buffer, uint64_t number)
{
    uint8_t octets[VARINT_MAX];

    buffer_put(buffer, slice_of(octets, varint_put(octets, number)));
}

static void
end_block(struct segment_writer *writer)
{
    struct slice block = slice_of(writer->block, writer->block_len);

    if (block.len == 0)
        return;
    buffer_put(&writer->out, block);
    buffer_put_le64(&writer->out, hash64(block, SEGMENT_SEED));
    put_varint(&writer->table, writer->table_key - writer->key_of_row_before);
    put_varint(&writer->table, writer->block_first);
    put_varint(&writer->table, block.len);
    writer->key_of_row_before = writer->table_key;
    writer->blocks_len += block.len + SEGMENT_HASH_OCTETS;
    writer->block_count++;
    writer->block_len = 0;
}

/* Bits gather from the lowest on. */
struct bits {
    uint8_t *to;
    uint64_t waiting;
    unsigned count; /* of those that wait: less than 8 */
};

static void
put_bits(struct bits *bits, uint64_t number, unsigned count)
{
    bits->waiting |= number << bits->count;
    bits->count += count;
    for (; bits->count >= 8; bits->count -= 8) {
        *bits->to++ = (uint8_t)bits->waiting;
        bits->waiting >>= 8;
    }
}

/* How many low bits are told as they are, when distances are about so long. */
static unsigned
low_bits_of(uint64_t distance)
{
    uint64_t of_it = distance * 7 / 10; /* ln 2 */
    unsigned low = of_it > 1 ? 63 - (unsigned)__builtin_clzll(of_it) : 0;

    return low < RICE_LOW_MAX ? low : RICE_LOW_MAX;
}

/* The octets of a chunk: returns how many. */
static size_t
pack(const uint32_t *places, size_t count, uint8_t *to)
{
    struct bits bits = {to + varint_put(to, places[0]), 0, 0};

    if (count == 1)
        return (size_t)(bits.to - to);
    unsigned low = low_bits_of((places[count - 1] - places[0]) / (count - 1));
    *bits.to++ = (uint8_t)low;
    for (size_t i = 1; i < count; i++) {
        uint32_t distance = places[i] - places[i - 1] - 1;
        uint32_t zeros = distance >> low;
        if (zeros < RICE_ZEROS_MAX) {
            put_bits(&bits, UINT64_C(1) << zeros, zeros + 1);
            put_bits(&bits, distance & ((UINT64_C(1) << low) - 1), low);
        } else {
            put_bits(&bits, UINT64_C(1) << RICE_ZEROS_MAX, RICE_ZEROS_MAX + 1);
            put_bits(&bits, distance, 32);
        }
    }
    put_bits(&bits, 0, bits.count ? 8 - bits.count : 0);
    return (size_t)(bits.to - to);
}

static void
end_chunk(struct segment_writer *writer)
{
    uint8_t octets[SEGMENT_CHUNK_OCTETS];
    uint8_t *to = writer->block;

    if (writer->chunk_count == 0)
        return;
    if (writer->block_len >= SEGMENT_BLOCK_OCTETS)
        end_block(writer);
    if (writer->block_len == 0) {
        writer->table_key = writer->chunk_key;
        writer->block_first = writer->chunk[0];
        writer->block_key = 0;
    }
    size_t len = pack(writer->chunk, writer->chunk_count, octets);
    writer->block_len += varint_put(to + writer->block_len, writer->chunk_key - writer->block_key);
    writer->block_len += varint_put(to + writer->block_len, len);
    memcpy(to + writer->block_len, octets, len);
    writer->block_len += len;
    writer->block_key = writer->chunk_key;
    writer->chunk_count = 0;
}

void
segment_put_place(struct segment_writer *writer, uint64_t key, uint32_t place)
{
    if (writer->chunk_count == SEGMENT_CHUNK_PLACES ||
        (writer->chunk_count > 0 && writer->chunk_key != key))
        end_chunk(writer);
    writer->chunk_key = key;
    writer->chunk[writer->chunk_count++] = place;
}

static uint64_t
zigzag(uint64_t number)
{
    return number << 1 ^ (number >> 63 ? UINT64_MAX : 0);
}

void
segment_put_body(struct segment_writer *writer, const struct segment_body *body)
{
    put_varint(&writer->bodies, zigzag(body->body - writer->last_body));
    put_varint(&writer->bodies, body->start - writer->bodies_end);
    put_varint(&writer->bodies, body->body_start - body->start);
    put_varint(&writer->bodies, body->end - body->body_start);
    writer->last_body = body->body;
    writer->bodies_end = body->end;
    writer->body_count++;
}

void
segment_end(struct segment_writer *writer)
{
    struct buffer *out = &writer->out;
    struct slice table, bodies;

    end_chunk(writer);
    end_block(writer);
    table = buffer_slice(&writer->table);
    bodies = buffer_slice(&writer->bodies);
    buffer_put(out, table);
    buffer_put(out, bodies);
    buffer_put_le64(out, SEGMENT_MAGIC);
    buffer_put_le64(out, writer->blocks_len);
    buffer_put_le64(out, table.len);
    buffer_put_le64(out, bodies.len);
    buffer_put_le64(out, writer->block_count << 32 | writer->body_count);
    buffer_put_le64(out, hash64(table, SEGMENT_SEED));
    buffer_put_le64(out, hash64(bodies, SEGMENT_SEED));
    struct slice all = buffer_slice(out);
    size_t foot_len = SEGMENT_FOOT_OCTETS - SEGMENT_HASH_OCTETS;
    buffer_put_le64(out, hash64(slice_skip(all, all.len - foot_len), SEGMENT_SEED));
}
