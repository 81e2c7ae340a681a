/* SPDX-License-Identifier: ISC */
#include "table/table_private.h"

#include <stdlib.h>

static const struct table_driver *const drivers[] = {
    [TABLE_FILE] = &table_driver_file,     [TABLE_REGEX] = &table_driver_regex,
    [TABLE_CDB] = &table_driver_cdb,
    [TABLE_SQLITE] = &table_driver_sqlite, [TABLE_LMDB] = &table_driver_lmdb,
    [TABLE_LDAP] = &table_driver_ldap,     [TABLE_POSTGRESQL] = &table_driver_postgresql,
};

static_assert(COUNT_OF(drivers) == TABLE_KINDS, "each kind has a driver");

/* ---- lines --------------------------------------------------------------------------------- */

bool
table_next_line(struct table_lines *lines, struct slice *ret_line)
{
    while (lines->rest.len > 0) {
        size_t end = slice_find_byte(lines->rest, '\n');
        *ret_line = slice_trim(slice_first(lines->rest, end));
        lines->rest = slice_skip(lines->rest, end + 1);
        lines->number++;
        if (ret_line->len > 0 && ret_line->at[0] != '#')
            return true;
    }
    return false;
}

void
table_put_piece(struct buffer *value, struct slice piece)
{
    if (buffer_len(value) > 0)
        buffer_put_text(value, ", ");
    buffer_put(value, piece);
}

/* ---- tables -------------------------------------------------------------------------------- */

struct table *
table_open(const struct table_spec *spec, struct slice bytes, const struct table_login *login,
           char *ret_why)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        abort();
    table->driver = drivers[spec->kind];
    if (table->driver->open(table, spec, bytes, login))
        return table;
    memcpy(ret_why, table->why, sizeof(table->why));
    free(table);
    return NULL;
}

void
table_close(struct table **table)
{
    if (*table) {
        (*table)->driver->close((*table)->state);
        free(*table);
    }
    *table = NULL;
}

void
table_add_problem(struct table *table, size_t line, const char *what)
{
    if (table->problem_count < COUNT_OF(table->problems))
        table->problems[table->problem_count] = (struct table_problem){line, what};
    table->problem_count++;
}

void
table_say_why(struct table *table, const char *what, const char *detail)
{
    size_t len = (size_t)snprintf(table->why, sizeof(table->why), "%s%s%s", what,
                                  detail[0] ? ": " : "", detail);

    /* Libraries end their texts with line ends, or put several lines into one. */
    for (size_t i = 0; i < len && i < TABLE_WHY_MAX; i++) {
        if ((uint8_t)table->why[i] < ' ')
            table->why[i] = ' ';
    }
}

size_t
table_problem_count(const struct table *table)
{
    return table->problem_count;
}

const struct table_problem *
table_problem(const struct table *table, size_t index)
{
    return index < table->problem_count && index < COUNT_OF(table->problems)
               ? &table->problems[index]
               : NULL;
}

enum table_outcome
table_look_up(struct table *table, struct slice key, struct buffer *ret_value)
{
    buffer_clear(ret_value);
    if (key.len == 0 || key.len > TABLE_KEY_MAX || slice_find_byte(key, 0) < key.len)
        return TABLE_NOT_FOUND;
    enum table_outcome outcome = table->driver->look_up(table, key, ret_value);
    if (outcome == TABLE_FOUND && buffer_overflowed(ret_value)) {
        table_say_why(table, "the value is too long", "");
        outcome = TABLE_TEMPORARY;
    }
    if (outcome == TABLE_FOUND && buffer_len(ret_value) == 0)
        outcome = TABLE_NOT_FOUND;
    return outcome;
}

const char *
table_why(const struct table *table)
{
    return table->why;
}
