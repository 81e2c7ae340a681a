/* SPDX-License-Identifier: ISC */
/* Lines "KEY VALUE", in memory. */
#include "base/map.h"
#include "table/table_private.h"

#include <stdlib.h>

enum { ROOM = 64 * 1024 };

struct file {
    struct map rows; /* from the key in lower case to a struct slice * */
    struct arena arena;
};

/* FNV-1a over the whole file: who can write rows may also choose colliding keys, nobody else. */
static uint64_t
seed_of(struct slice bytes)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.at[i]) * 0x100000001b3;
    return hash;
}

static struct slice
lower(struct arena *arena, struct slice text)
{
    uint8_t *copy = arena_new(arena, text.len);

    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = byte_to_lower(text.at[i]);
    return copy ? slice_of(copy, text.len) : SLICE("");
}

static bool
open_file(struct table *table, const struct table_spec *spec, struct slice bytes,
          const struct table_login *login)
{
    struct file *file = calloc(1, sizeof(*file));
    struct table_lines lines = {bytes, 0};
    struct slice line;

    (void)spec;
    (void)login;
    if (!file)
        abort();
    /* A row of four octets ("a b\n") costs a slice and two pieces, each aligned. */
    arena_init(&file->arena, bytes.len * 32 + ROOM);
    map_init(&file->rows, seed_of(bytes));
    while (table_next_line(&lines, &line)) {
        struct slice key = lower(&file->arena, table_take_word(&line));
        struct slice *value = ARENA_NEW(&file->arena, struct slice);
        if (line.len == 0 || key.len > TABLE_KEY_MAX || line.len > TABLE_VALUE_MAX) {
            table_add_problem(table, lines.number, "expected a key, a blank and a value");
            continue;
        }
        if (!value)
            abort(); /* the arena is larger than any file can need */
        *value = arena_copy(&file->arena, line);
        if (map_set(&file->rows, key, value))
            table_add_problem(table, lines.number, "expected each key once; this one wins");
    }
    table->state = file;
    return true;
}

static enum table_outcome
look_up_file(struct table *table, struct slice key, struct buffer *ret_value)
{
    const struct file *file = table->state;
    struct arena arena;

    arena_init(&arena, 2 * TABLE_KEY_MAX);
    const struct slice *value = map_find(&file->rows, lower(&arena, key));
    if (value)
        buffer_put(ret_value, *value);
    arena_finish(&arena);
    return value ? TABLE_FOUND : TABLE_NOT_FOUND;
}

static void
close_file(void *state)
{
    struct file *file = state;

    map_finish(&file->rows);
    arena_finish(&file->arena);
    free(file);
}

const struct table_driver table_driver_file = {
    .open = open_file, .look_up = look_up_file, .close = close_file};
