/* SPDX-License-Identifier: ISC */
/* A constant database (cdb by D. J. Bernstein), as `cdb -c`, `postmap cdb:` and others make it, in
 * memory: 256 places and lengths of hash tables, rows, the tables. All numbers are 32 bits, little
 * end first. Nothing in the file is believed. */
#include "base/cursor.h"
#include "table/table_private.h"

#include <stdlib.h>

enum { TABLES = 256, HEAD_OCTETS = TABLES * 8, HASH_FIRST = 5381 };

struct cdb {
    size_t len;
    uint8_t bytes[];
};

static bool
open_cdb(struct table *table, const struct table_spec *spec, struct slice bytes,
         const struct table_login *login)
{
    struct cdb *cdb;

    (void)spec;
    (void)login;
    if (bytes.len < HEAD_OCTETS) {
        table_say_why(table, "the file is no constant database", "it is too short");
        return false;
    }
    cdb = malloc(sizeof(*cdb) + bytes.len);
    if (!cdb)
        abort();
    cdb->len = bytes.len;
    memcpy(cdb->bytes, bytes.at, bytes.len);
    table->state = cdb;
    return true;
}

static uint32_t
hash_of(struct slice key)
{
    uint32_t hash = HASH_FIRST;

    for (size_t i = 0; i < key.len; i++)
        hash = (hash * 33) ^ key.at[i];
    return hash;
}

/* Two numbers at a place; false when the file ends before. */
static bool
take_two(const struct cdb *cdb, uint64_t place, uint32_t *ret_first, uint32_t *ret_second)
{
    struct cursor cursor = cursor_of(
        place > cdb->len ? SLICE("") : slice_of(cdb->bytes + place, cdb->len - (size_t)place));

    return cursor_take_le32(&cursor, ret_first) && cursor_take_le32(&cursor, ret_second);
}

/* The row at a place, if it is one and has that key. */
static enum table_outcome
take_row(const struct cdb *cdb, uint32_t place, struct slice key, struct slice *ret_value)
{
    uint32_t key_len, value_len;

    if (!take_two(cdb, place, &key_len, &value_len) ||
        (uint64_t)place + 8 + key_len + value_len > cdb->len)
        return TABLE_TEMPORARY;
    const uint8_t *at = cdb->bytes + place + 8;
    if (!slice_equal(slice_of(at, key_len), key))
        return TABLE_NOT_FOUND;
    *ret_value = slice_of(at + key_len, value_len);
    return TABLE_FOUND;
}

static enum table_outcome
find(const struct cdb *cdb, struct slice key, struct slice *ret_value)
{
    uint32_t hash = hash_of(key), table, slots, row_hash, row;
    uint64_t head = (hash % TABLES) * 8ULL;

    if (!take_two(cdb, head, &table, &slots) || (uint64_t)table + slots * 8ULL > cdb->len)
        return TABLE_TEMPORARY;
    for (uint32_t i = 0; i < slots; i++) {
        uint64_t slot = (hash / TABLES + (uint64_t)i) % slots;
        if (!take_two(cdb, table + slot * 8, &row_hash, &row))
            return TABLE_TEMPORARY;
        if (row == 0)
            return TABLE_NOT_FOUND;
        enum table_outcome outcome =
            row_hash == hash ? take_row(cdb, row, key, ret_value) : TABLE_NOT_FOUND;
        if (outcome != TABLE_NOT_FOUND)
            return outcome;
    }
    return TABLE_NOT_FOUND;
}

/* Some programs count the NUL behind a C string to the key, and to the value. */
static enum table_outcome
look_up_cdb(struct table *table, struct slice key, struct buffer *ret_value)
{
    const struct cdb *cdb = table->state;
    char with_nul[TABLE_KEY_MAX + 1] = "";
    struct slice value;

    enum table_outcome outcome = find(cdb, key, &value);
    if (outcome == TABLE_NOT_FOUND && key.len < sizeof(with_nul)) {
        memcpy(with_nul, key.at, key.len);
        outcome = find(cdb, slice_of(with_nul, key.len + 1), &value);
    }
    if (outcome == TABLE_FOUND)
        buffer_put(ret_value, slice_first(value, slice_find_byte(value, 0)));
    else if (outcome == TABLE_TEMPORARY)
        table_say_why(table, "the database cannot be read", "it is damaged");
    return outcome;
}

const struct table_driver table_driver_cdb = {
    .open = open_cdb, .look_up = look_up_cdb, .close = free};
