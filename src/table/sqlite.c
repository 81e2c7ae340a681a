/* SPDX-License-Identifier: ISC */
/* A query of a SQLite database. Rows are pieces of the value. */
#include "table/table_private.h"

#include <sqlite3.h>
#include <stdlib.h>

enum {
    STEPS_MAX = 2000000, /* of SQLite's machine: a table without an index is noticed */
    WAIT_MS = 1000,      /* while somebody writes */
    VALUE_OCTETS_MAX = 1 << 20,
    PATH_OCTETS_MAX = 4096
};

struct sqlite {
    sqlite3 *database;
    sqlite3_stmt *query;
};

static void
close_sqlite(void *state)
{
    struct sqlite *sqlite = state;

    sqlite3_finalize(sqlite->query);
    sqlite3_close(sqlite->database);
    free(sqlite);
}

static int
on_steps(void *context)
{
    (void)context;
    return 1; /* enough */
}

/* A database that an enemy may have written must stay data: no functions behind its views. */
static void
bound(sqlite3 *database)
{
    sqlite3_busy_timeout(database, WAIT_MS);
    sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, VALUE_OCTETS_MAX);
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(database, STEPS_MAX, on_steps, NULL);
}

static bool
prepare(struct table *table, struct sqlite *sqlite, const struct table_spec *spec)
{
    const char *rest = NULL;

    if (sqlite3_prepare_v3(sqlite->database, (const char *)spec->query.at, (int)spec->query.len,
                           SQLITE_PREPARE_PERSISTENT, &sqlite->query, &rest) != SQLITE_OK) {
        table_say_why(table, "the query is not understood", sqlite3_errmsg(sqlite->database));
        return false;
    }
    if (!sqlite->query || !sqlite3_stmt_readonly(sqlite->query) ||
        sqlite3_bind_parameter_count(sqlite->query) == 0 ||
        sqlite3_column_count(sqlite->query) == 0) {
        table_say_why(table, "expected a query with ? in the place of the key: SELECT …", "");
        return false;
    }
    return true;
}

static bool
open_sqlite(struct table *table, const struct table_spec *spec, struct slice bytes,
            const struct table_login *login)
{
    struct sqlite *sqlite = calloc(1, sizeof(*sqlite));
    char path[PATH_OCTETS_MAX];

    (void)bytes;
    (void)login;
    if (!sqlite)
        abort();
    snprintf(path, sizeof(path), "%.*s", (int)spec->place.len, (const char *)spec->place.at);
    int error =
        sqlite3_open_v2(path, &sqlite->database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (error == SQLITE_OK)
        bound(sqlite->database);
    else
        table_say_why(table, "the database cannot be opened", sqlite3_errstr(error));
    if (error != SQLITE_OK || !prepare(table, sqlite, spec)) {
        close_sqlite(sqlite);
        return false;
    }
    table->state = sqlite;
    return true;
}

static enum table_outcome
look_up_sqlite(struct table *table, struct slice key, struct buffer *ret_value)
{
    struct sqlite *sqlite = table->state;
    enum table_outcome outcome = TABLE_NOT_FOUND;
    int error;

    for (int i = 1; i <= sqlite3_bind_parameter_count(sqlite->query); i++)
        sqlite3_bind_text(sqlite->query, i, (const char *)key.at, (int)key.len, SQLITE_STATIC);
    /* SQLite counts over all runs of a statement: each look-up has its own bound. */
    (void)sqlite3_stmt_status(sqlite->query, SQLITE_STMTSTATUS_VM_STEP, 1);
    while ((error = sqlite3_step(sqlite->query)) == SQLITE_ROW && !buffer_overflowed(ret_value)) {
        const void *text = sqlite3_column_text(sqlite->query, 0);
        if (!text)
            continue;
        table_put_piece(ret_value, slice_of(text, (size_t)sqlite3_column_bytes(sqlite->query, 0)));
        outcome = TABLE_FOUND;
    }
    if (error != SQLITE_DONE && error != SQLITE_ROW) {
        table_say_why(table, "the query fails", sqlite3_errmsg(sqlite->database));
        outcome = TABLE_TEMPORARY;
    }
    sqlite3_reset(sqlite->query);
    sqlite3_clear_bindings(sqlite->query);
    return outcome;
}

const struct table_driver table_driver_sqlite = {
    .open = open_sqlite, .look_up = look_up_sqlite, .close = close_sqlite};
