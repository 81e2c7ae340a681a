/* SPDX-License-Identifier: ISC */
#include "mailbox/segment.h"

#include "base/cursor.h"
#include "base/hash.h"

#include <stdio.h>

/* "FACTSEGM", little-endian. */
#define SEGMENT_MAGIC 0x4D47455354434146u

void
segment_name(uint32_t number, bool is_new, char ret_name[SEGMENT_NAME_SIZE])
{
    snprintf(ret_name, SEGMENT_NAME_SIZE, "%08u.%s", number, is_new ? "new" : "seg");
}

void
segment_twin_name(uint32_t number, char ret_name[SEGMENT_NAME_SIZE])
{
    snprintf(ret_name, SEGMENT_NAME_SIZE, "%08u.twin", number);
}

bool
segment_name_parse(struct slice name, uint32_t *ret_number, bool *ret_is_new)
{
    struct cursor cursor = cursor_of(name);
    uint32_t number;

    /* At least eight digits; all of them when there are more. */
    if (name.len < 12 || !cursor_take_u32(&cursor, 1, UINT32_MAX, &number) ||
        name.len - cursor_left(&cursor) < 8)
        return false;
    bool is_new = slice_equal(cursor_rest(&cursor), SLICE(".new"));
    if (!is_new && !slice_equal(cursor_rest(&cursor), SLICE(".seg")))
        return false;
    *ret_number = number;
    *ret_is_new = is_new;
    return true;
}

void
segment_header_put(struct buffer *buffer, const struct segment_header *header)
{
    size_t start = buffer_len(buffer);

    buffer_put_le64(buffer, SEGMENT_MAGIC);
    buffer_put_le16(buffer, header->version);
    buffer_put_le16(buffer, SEGMENT_HEADER_LEN);
    buffer_put_le32(buffer, header->shard);
    buffer_put_le64(buffer, header->number);
    buffer_put_le64(buffer, header->epoch);
    buffer_put_le64(buffer, header->first_turn);
    buffer_put_le64(buffer, (uint64_t)header->begun.ns);
    buffer_put_le64(buffer, header->secret);
    buffer_put_le64(buffer, hash64(slice_skip(buffer_slice(buffer), start), SEGMENT_MAGIC));
}

bool
segment_header_take(struct slice bytes, struct segment_header *ret_header)
{
    struct cursor cursor = cursor_of(slice_first(bytes, SEGMENT_HEADER_LEN));
    struct segment_header header = {0};
    uint64_t magic, number, begun, hash;
    uint16_t len;

    if (bytes.len < SEGMENT_HEADER_LEN || !cursor_take_le64(&cursor, &magic) ||
        magic != SEGMENT_MAGIC || !cursor_take_le16(&cursor, &header.version) ||
        !cursor_take_le16(&cursor, &len) || !cursor_take_le32(&cursor, &header.shard) ||
        !cursor_take_le64(&cursor, &number) || !cursor_take_le64(&cursor, &header.epoch) ||
        !cursor_take_le64(&cursor, &header.first_turn) || !cursor_take_le64(&cursor, &begun) ||
        !cursor_take_le64(&cursor, &header.secret) || !cursor_take_le64(&cursor, &hash) ||
        hash != hash64(slice_first(bytes, SEGMENT_HEADER_LEN - 8), SEGMENT_MAGIC))
        return false;
    if (header.version <= SEGMENT_VERSION &&
        (header.version == 0 || len != SEGMENT_HEADER_LEN || number > UINT32_MAX || number == 0 ||
         header.first_turn == 0))
        return false;
    header.number = (uint32_t)number;
    header.begun.ns = (int64_t)begun;
    *ret_header = header;
    return true;
}
