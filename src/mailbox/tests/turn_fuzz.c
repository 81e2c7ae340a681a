/* SPDX-License-Identifier: ISC */
/* Metas as they come: what opens must be readable to its end and stay inside. Then a turn made from
 * the same octets must be found again, and not after any one of its octets was changed. */
#include "mailbox/turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CHANGES_MAX = 8 };

static void
read_meta(struct slice data)
{
    struct cursor cursor = cursor_of(data);
    struct turn_header header = {0};
    struct turn_reader reader;
    struct turn_row row;
    struct turn_change change;
    uint8_t rows, changes;
    uint16_t total;

    if (!cursor_take_le8(&cursor, &rows) || !cursor_take_le8(&cursor, &changes) ||
        !cursor_take_le16(&cursor, &total))
        return;
    struct slice meta = cursor_rest(&cursor);
    header.body_count = rows;
    header.change_count = changes;
    header.meta_len = (uint32_t)meta.len;
    header.total_len = (uint64_t)total * TURN_ALIGN;
    if (!turn_open_meta(meta, &header, &reader))
        return;
    uint64_t end = TURN_HEADER_LEN + (uint64_t)header.meta_len;
    for (uint32_t i = 0; i < header.body_count; i++) {
        bool is_there = turn_take_row(&reader, &row);
        assert(is_there && row.offset == end);
        end += (uint64_t)row.len + row.record_len;
    }
    assert(end <= header.total_len && header.total_len - end < TURN_ALIGN);
    size_t seen = 0;
    for (uint32_t i = 0; i < header.change_count; i++) {
        bool is_there = turn_take_change(&reader, &change);
        assert(is_there && change.key.len <= TURN_KEY_MAX);
        seen += change.key.len + change.value.len;
    }
    assert(seen <= meta.len && !turn_take_change(&reader, &change));
}

/* Cuts the data into keys and values. */
static size_t
make_changes(struct slice data, struct turn_change *changes)
{
    struct cursor cursor = cursor_of(data);
    size_t count = 0;
    uint8_t shape;

    while (count < CHANGES_MAX && cursor_take_le8(&cursor, &shape)) {
        struct turn_change change = {.is_put = shape & 1};
        if (!cursor_take_bytes(&cursor, 1 + (shape >> 5), &change.key) ||
            !cursor_take_bytes(&cursor, (shape >> 1) & 15, &change.value))
            break;
        changes[count++] = change;
    }
    return count;
}

static void
write_and_read(struct slice data)
{
    static const struct turn_stamp stamp = {3, 4, 5, 0x1234567890, {6, 64}};
    struct turn_change changes[CHANGES_MAX], change;
    struct turn_body body = {
        .id = 9, .refs = 2, .parts = {data, slice_first(data, 3)}, .record = slice_skip(data, 2)};
    body.hash = turn_body_hash(body.parts[0], body.parts[1]);
    struct turn turn = {.bodies = &body, .body_count = 1, .changes = changes};
    struct turn_header header;
    struct turn_reader reader;
    struct turn_row row;
    struct buffer buffer;

    turn.change_count = make_changes(data, changes);
    buffer_init(&buffer, 1 << 20);
    bool is_put = turn_put(&turn, &stamp, &buffer);
    struct slice bytes = buffer_slice(&buffer), meta = slice_skip(bytes, TURN_HEADER_LEN);
    assert(is_put && turn_take_header(bytes, stamp.secret, stamp.place, &header) == TURN_GOOD &&
           header.number == 5 && header.total_len == turn_len(&turn) &&
           turn_meta_hash(meta, stamp.secret) == header.meta_hash &&
           turn_open_meta(meta, &header, &reader) && turn_take_row(&reader, &row) &&
           row.hash == body.hash && row.len == data.len + body.parts[1].len);
    for (size_t i = 0; i < turn.change_count; i++) {
        bool is_there = turn_take_change(&reader, &change);
        assert(is_there && slice_equal(change.key, changes[i].key) &&
               change.is_put == changes[i].is_put &&
               (!change.is_put || slice_equal(change.value, changes[i].value)));
    }
    /* Elsewhere, with another secret, or with a changed octet it is no turn. */
    struct place elsewhere = {6, 72};
    assert(turn_take_header(bytes, stamp.secret, elsewhere, &header) == TURN_BAD);
    assert(turn_take_header(bytes, stamp.secret + 1, stamp.place, &header) == TURN_BAD);
    size_t at = data.len % TURN_HEADER_LEN;
    buffer.at[buffer.start + at] ^= 0x10;
    assert(turn_take_header(buffer_slice(&buffer), stamp.secret, stamp.place, &header) == TURN_BAD);
    buffer_finish(&buffer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    read_meta(slice_of(data, len));
    write_and_read(slice_of(data, len));
    return 0;
}
