/* SPDX-License-Identifier: ISC */
#include "mailbox/turn.h"

#include "base/hash.h"

/* "FTRN", little-endian. */
#define TURN_MAGIC 0x4E525446u
#define CHANGE_IS_DELETION UINT32_MAX

/* A header is good at one place of one segment only. */
static uint64_t
header_seed(uint64_t secret, struct place place)
{
    return secret ^ ((uint64_t)place.segment << 40) ^ place.offset;
}

uint64_t
turn_body_hash(struct slice first, struct slice second)
{
    if (second.len == 0)
        return hash64(first, 0);
    struct hash_stream *stream = hash_stream_open();
    hash_stream_put(stream, first);
    hash_stream_put(stream, second);
    return hash_stream_close(&stream);
}

uint64_t
turn_meta_hash(struct slice meta, uint64_t secret)
{
    return hash64(meta, secret);
}

static uint64_t
meta_len(const struct turn *turn)
{
    uint64_t len = (uint64_t)turn->body_count * TURN_ROW_LEN;

    for (size_t i = 0; i < turn->change_count; i++)
        len += 6 + turn->changes[i].key.len +
               (turn->changes[i].is_put ? turn->changes[i].value.len : 0);
    return len;
}

static uint64_t
pad(uint64_t len)
{
    return (len + TURN_ALIGN - 1) / TURN_ALIGN * TURN_ALIGN;
}

uint64_t
turn_len(const struct turn *turn)
{
    uint64_t meta = meta_len(turn), len = TURN_HEADER_LEN + meta;

    if (meta > TURN_META_MAX || turn->body_count > TURN_BODIES_MAX)
        return 0;
    for (size_t i = 0; i < turn->body_count; i++) {
        const struct turn_body *body = &turn->bodies[i];
        if (body->parts[0].len > BODY_LEN_MAX || body->parts[1].len > BODY_LEN_MAX ||
            body->parts[0].len + body->parts[1].len > BODY_LEN_MAX ||
            body->record.len > BODY_RECORD_MAX)
            return 0;
        len += body->parts[0].len + body->parts[1].len + body->record.len;
    }
    return pad(len);
}

struct turn_row
turn_row_of(const struct turn *turn, size_t index, uint64_t offset)
{
    const struct turn_body *body = &turn->bodies[index];

    return (struct turn_row){
        .id = body->id,
        .refs = body->refs,
        .len = (uint32_t)(body->parts[0].len + body->parts[1].len),
        .record_len = (uint32_t)body->record.len,
        .hash = body->hash,
        .record_hash = body->record_hash,
        .offset = index == 0 ? TURN_HEADER_LEN + meta_len(turn) : offset,
    };
}

static void
put_meta(const struct turn *turn, struct buffer *buffer)
{
    for (size_t i = 0; i < turn->body_count; i++) {
        const struct turn_body *body = &turn->bodies[i];
        buffer_put_le64(buffer, body->id);
        buffer_put_le32(buffer, body->refs);
        buffer_put_le32(buffer, (uint32_t)(body->parts[0].len + body->parts[1].len));
        buffer_put_le32(buffer, (uint32_t)body->record.len);
        buffer_put_le64(buffer, body->hash);
        buffer_put_le64(buffer, body->record_hash);
    }
    for (size_t i = 0; i < turn->change_count; i++) {
        const struct turn_change *change = &turn->changes[i];
        assert(change->key.len <= TURN_KEY_MAX && change->value.len <= TURN_VALUE_MAX);
        buffer_put_le16(buffer, (uint16_t)change->key.len);
        buffer_put_le32(buffer, change->is_put ? (uint32_t)change->value.len : CHANGE_IS_DELETION);
        buffer_put(buffer, change->key);
        if (change->is_put)
            buffer_put(buffer, change->value);
    }
}

bool
turn_put(const struct turn *turn, const struct turn_stamp *stamp, struct buffer *buffer)
{
    uint64_t total = turn_len(turn);
    struct buffer meta;

    if (total == 0)
        return false;
    buffer_init(&meta, TURN_META_MAX);
    put_meta(turn, &meta);
    size_t start = buffer_len(buffer);
    buffer_put_le32(buffer, TURN_MAGIC);
    buffer_put_le16(buffer, TURN_VERSION);
    buffer_put_le16(buffer, (uint16_t)turn->kind);
    buffer_put_le32(buffer, stamp->shard);
    buffer_put_le32(buffer, (uint32_t)turn->body_count);
    buffer_put_le64(buffer, stamp->epoch);
    buffer_put_le64(buffer, stamp->number);
    buffer_put_le64(buffer, (uint64_t)turn->wall.ns);
    buffer_put_le64(buffer, total);
    buffer_put_le32(buffer, (uint32_t)turn->change_count);
    buffer_put_le32(buffer, (uint32_t)buffer_len(&meta));
    buffer_put_le64(buffer, turn_meta_hash(buffer_slice(&meta), stamp->secret));
    buffer_put_le64(buffer, hash64(slice_skip(buffer_slice(buffer), start),
                                   header_seed(stamp->secret, stamp->place)));
    buffer_put(buffer, buffer_slice(&meta));
    buffer_finish(&meta);
    return !buffer_overflowed(buffer);
}

/* The fields behind magic and version; the lengths must be able to be true. */
static bool
take_fields(struct cursor *cursor, struct turn_header *header)
{
    uint16_t kind;
    uint64_t wall;

    if (!cursor_take_le16(cursor, &kind) || !cursor_take_le32(cursor, &header->shard) ||
        !cursor_take_le32(cursor, &header->body_count) ||
        !cursor_take_le64(cursor, &header->epoch) || !cursor_take_le64(cursor, &header->number) ||
        !cursor_take_le64(cursor, &wall) || !cursor_take_le64(cursor, &header->total_len) ||
        !cursor_take_le32(cursor, &header->change_count) ||
        !cursor_take_le32(cursor, &header->meta_len) ||
        !cursor_take_le64(cursor, &header->meta_hash))
        return false;
    header->kind = (enum turn_kind)kind;
    header->wall.ns = (int64_t)wall;
    return kind <= TURN_MOVED && header->body_count <= TURN_BODIES_MAX &&
           header->meta_len <= TURN_META_MAX && header->total_len % TURN_ALIGN == 0 &&
           header->total_len >= TURN_HEADER_LEN + (uint64_t)header->meta_len;
}

enum turn_reading
turn_take_header(struct slice bytes, uint64_t secret, struct place place,
                 struct turn_header *ret_header)
{
    struct cursor cursor = cursor_of(slice_first(bytes, TURN_HEADER_LEN));
    struct turn_header header = {0};
    uint32_t magic;
    uint16_t version;

    if (bytes.len < TURN_HEADER_LEN || !cursor_take_le32(&cursor, &magic) || magic != TURN_MAGIC ||
        !cursor_take_le16(&cursor, &version))
        return TURN_BAD;
    struct cursor tail = cursor_of(slice_between(bytes, TURN_HEADER_LEN - 8, TURN_HEADER_LEN));
    uint64_t hash;
    if (!cursor_take_le64(&tail, &hash) ||
        hash != hash64(slice_first(bytes, TURN_HEADER_LEN - 8), header_seed(secret, place)))
        return TURN_BAD;
    if (version > TURN_VERSION)
        return TURN_NEWER;
    if (version == 0 || !take_fields(&cursor, &header))
        return TURN_BAD;
    *ret_header = header;
    return TURN_GOOD;
}

bool
turn_take_row(struct turn_reader *reader, struct turn_row *ret_row)
{
    struct cursor *rows = &reader->rows;
    struct turn_row row = {.offset = reader->body_offset};

    if (!cursor_take_le64(rows, &row.id) || !cursor_take_le32(rows, &row.refs) ||
        !cursor_take_le32(rows, &row.len) || !cursor_take_le32(rows, &row.record_len) ||
        !cursor_take_le64(rows, &row.hash) || !cursor_take_le64(rows, &row.record_hash) ||
        row.len > BODY_LEN_MAX || row.record_len > BODY_RECORD_MAX || row.id == 0)
        return false;
    reader->body_offset += (uint64_t)row.len + row.record_len;
    *ret_row = row;
    return true;
}

bool
turn_take_change(struct turn_reader *reader, struct turn_change *ret_change)
{
    struct cursor *changes = &reader->changes;
    struct turn_change change = {0};
    uint16_t key_len;
    uint32_t value_len;

    if (!cursor_take_le16(changes, &key_len) || key_len == 0 || key_len > TURN_KEY_MAX ||
        !cursor_take_le32(changes, &value_len) || !cursor_take_bytes(changes, key_len, &change.key))
        return false;
    change.is_put = value_len != CHANGE_IS_DELETION;
    if (change.is_put &&
        (value_len > TURN_VALUE_MAX || !cursor_take_bytes(changes, value_len, &change.value)))
        return false;
    *ret_change = change;
    return true;
}

bool
turn_open_meta(struct slice meta, const struct turn_header *header, struct turn_reader *ret_reader)
{
    size_t rows_len = (size_t)header->body_count * TURN_ROW_LEN;
    struct turn_row row;
    struct turn_change change;

    if (meta.len != header->meta_len || meta.len < rows_len)
        return false;
    struct turn_reader reader = {
        cursor_of(slice_first(meta, rows_len)),
        cursor_of(slice_skip(meta, rows_len)),
        TURN_HEADER_LEN + (uint64_t)header->meta_len,
    };
    struct turn_reader trial = reader;
    for (uint32_t i = 0; i < header->body_count; i++) {
        if (!turn_take_row(&trial, &row))
            return false;
    }
    for (uint32_t i = 0; i < header->change_count; i++) {
        if (!turn_take_change(&trial, &change))
            return false;
    }
    if (!cursor_is_done(&trial.changes) || pad(trial.body_offset) != header->total_len)
        return false;
    *ret_reader = reader;
    return true;
}
