/* SPDX-License-Identifier: ISC */
#include "base/hash.h"
#include "search/segment_private.h"

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

static void
end_chunk(struct segment_writer *writer)
{
    uint8_t *to = writer->block;

    if (writer->chunk_len == 0)
        return;
    if (writer->block_len >= SEGMENT_BLOCK_OCTETS)
        end_block(writer);
    if (writer->block_len == 0) {
        writer->table_key = writer->chunk_key;
        writer->block_first = writer->chunk_first;
        writer->block_key = 0;
    }
    writer->block_len += varint_put(to + writer->block_len, writer->chunk_key - writer->block_key);
    writer->block_len += varint_put(to + writer->block_len, writer->chunk_len);
    memcpy(to + writer->block_len, writer->chunk, writer->chunk_len);
    writer->block_len += writer->chunk_len;
    writer->block_key = writer->chunk_key;
    writer->chunk_len = 0;
}

void
segment_put_place(struct segment_writer *writer, uint64_t key, uint32_t place)
{
    if (writer->chunk_len > 0 &&
        (writer->chunk_key != key || writer->chunk_len > SEGMENT_CHUNK_OCTETS - VARINT_MAX))
        end_chunk(writer);
    if (writer->chunk_len == 0) {
        writer->chunk_key = key;
        writer->chunk_first = place;
        writer->chunk_last = 0;
    }
    writer->chunk_len += varint_put(writer->chunk + writer->chunk_len, place - writer->chunk_last);
    writer->chunk_last = place;
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
