/* SPDX-License-Identifier: ISC */
/* Tables that other programs keep: one key in, one value out. See README.md for the kinds. */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/buffer.h"

enum {
    TABLE_NAME_MAX = 64,
    TABLE_KEY_MAX = 1024,
    TABLE_VALUE_MAX = 16 * 1024,
    TABLE_WHY_MAX = 200,
    TABLE_PROBLEMS_MAX = 100 /* kept; the rest is only counted */
};

enum table_kind {
    TABLE_FILE,
    TABLE_REGEX,
    TABLE_CDB,
    TABLE_SQLITE,
    TABLE_LMDB,
    TABLE_LDAP,
    TABLE_POSTGRESQL,
    TABLE_KINDS
};

/* What the configuration says of one table: "NAME KIND PLACE [QUERY]". */
struct table_spec {
    struct slice name;
    enum table_kind kind;
    struct slice place; /* an absolute path, or a URL */
    struct slice query; /* SQL; empty for the other kinds */
};

/* Reads a spec, which then borrows from `text`. NULL, or what was expected. */
const char *table_spec_parse(struct slice text, struct table_spec *ret_spec);

/* Its content is given to table_open as bytes; else the library opens the place itself. */
bool table_takes_bytes(enum table_kind kind);
/* On another host: answers take their time. */
bool table_is_remote(enum table_kind kind);

/* For servers that want one. Borrowed during table_open. */
struct table_login {
    struct slice user, secret;
};

struct table;

/* Opens it; `spec` and `bytes` are not needed afterwards. A server that is not there is no failure:
 * it is asked again with the next key. NULL when the spec or the file makes no sense; ret_why (at
 * least TABLE_WHY_MAX + 1 octets) then says what. */
struct table *table_open(const struct table_spec *spec, struct slice bytes,
                         const struct table_login *login, char *ret_why);
void table_close(struct table **table);

/* What is wrong with lines of a file; the others stand. */
struct table_problem {
    size_t line; /* from 1 */
    const char *what;
};
size_t table_problem_count(const struct table *table);
const struct table_problem *table_problem(const struct table *table, size_t index);

enum table_outcome {
    TABLE_FOUND,
    TABLE_NOT_FOUND,
    TABLE_TEMPORARY /* table_why says why */
};

/* Puts the value of a key. Keys compare without ASCII case in files and patterns; elsewhere as the
 * other program compares. Blocks: for a few seconds at most where a server is asked. */
enum table_outcome table_look_up(struct table *table, struct slice key, struct buffer *ret_value);
/* Why the last look-up was temporary. */
const char *table_why(const struct table *table);

#endif
