/* SPDX-License-Identifier: ISC */
#include "table/table_private.h"

#include <stdlib.h>

static const struct table_driver *const drivers[] = {
    [TABLE_FILE] = &table_driver_file,     [TABLE_REGEX] = &table_driver_regex,
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

struct slice
table_take_word(struct slice *line)
{
    size_t len = 0;

    while (len < line->len && line->at[len] != ' ' && line->at[len] != '\t')
        len++;
    struct slice word = slice_first(*line, len);
    *line = slice_trim(slice_skip(*line, len));
    return word;
}

void
table_put_piece(struct buffer *value, struct slice piece)
{
    if (buffer_len(value) > 0)
        buffer_put_text(value, ", ");
    buffer_put(value, piece);
}

/* ---- what the configuration says ------------------------------------------------------------ */

static bool
is_name(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.at[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return word.len > 0 && word.len <= TABLE_NAME_MAX;
}

static bool
find_kind(struct slice word, enum table_kind *ret_kind)
{
    for (size_t i = 0; i < TABLE_KINDS; i++) {
        if (slice_equal(word, slice_of_string(drivers[i]->name))) {
            *ret_kind = (enum table_kind)i;
            return true;
        }
    }
    return false;
}

const char *
table_spec_parse(struct slice text, struct table_spec *ret_spec)
{
    struct slice rest = slice_trim(text);

    *ret_spec = (struct table_spec){.name = table_take_word(&rest)};
    if (!is_name(ret_spec->name))
        return "expected a name of letters, digits, - and _ first: \"NAME KIND PLACE [QUERY]\"";
    if (!find_kind(table_take_word(&rest), &ret_spec->kind))
        return "expected file, regex, sqlite, lmdb, ldap or postgresql behind the name";
    const struct table_driver *driver = drivers[ret_spec->kind];
    ret_spec->place = table_take_word(&rest);
    ret_spec->query = rest;
    if (slice_find_byte(text, 0) < text.len)
        return "expected text without NUL";
    if (driver->is_remote ? ret_spec->place.len == 0
                          : ret_spec->place.len < 2 || ret_spec->place.at[0] != '/')
        return driver->is_remote ? "expected a URL behind the kind"
                                 : "expected an absolute path behind the kind";
    if (driver->wants_query != (ret_spec->query.len > 0))
        return driver->wants_query ? "expected a query at the end, SELECT …"
                                   : "expected nothing behind the place";
    return NULL;
}

const char *
table_kind_name(enum table_kind kind)
{
    return drivers[kind]->name;
}

bool
table_takes_bytes(enum table_kind kind)
{
    return drivers[kind]->takes_bytes;
}

bool
table_is_remote(enum table_kind kind)
{
    return drivers[kind]->is_remote;
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
