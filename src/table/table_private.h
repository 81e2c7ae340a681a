/* SPDX-License-Identifier: ISC */
/* What each kind gives table.c: three functions. Private to the room. */
#ifndef TABLE_TABLE_PRIVATE_H
#define TABLE_TABLE_PRIVATE_H

#include "base/arena.h"
#include "table/table.h"

struct table {
    const struct table_driver *driver;
    void *state; /* the driver's */
    struct table_problem problems[TABLE_PROBLEMS_MAX];
    size_t problem_count;
    char why[TABLE_WHY_MAX + 1];
};

struct table_driver {
    /* Sets table->state; false when it cannot, with table->why. */
    bool (*open)(struct table *table, const struct table_spec *spec, struct slice bytes,
                 const struct table_login *login);
    enum table_outcome (*look_up)(struct table *table, struct slice key, struct buffer *ret_value);
    void (*close)(void *state);
};

extern const struct table_driver table_driver_file, table_driver_regex, table_driver_cdb,
    table_driver_sqlite, table_driver_lmdb, table_driver_ldap, table_driver_postgresql;

void table_add_problem(struct table *table, size_t line, const char *what);
/* Keeps why the table cannot be asked. */
void table_say_why(struct table *table, const char *what, const char *detail);

/* The next line of a text, trimmed, without comments (# in front); false at the end. */
struct table_lines {
    struct slice rest;
    size_t number; /* of the line that was taken last */
};
bool table_next_line(struct table_lines *lines, struct slice *ret_line);
/* Cuts the first word off a line; the rest is trimmed. */
struct slice table_take_word(struct slice *line);

/* Another piece of a value that has several: behind a comma. */
void table_put_piece(struct buffer *value, struct slice piece);

#endif
