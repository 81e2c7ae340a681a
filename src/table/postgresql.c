/* SPDX-License-Identifier: ISC */
/* A query of a PostgreSQL server: the one file that knows libpq. The connection is opened with the
 * first key and again when it broke. */
#include "table/table_private.h"

#include <libpq-fe.h>
#include <stdlib.h>

/* Seconds to connect; then milliseconds until a host that is silent, or a query, is given up. */
#define CONNECT_S "5"
#define SILENT_MS "5000"
#define QUERY_OPTIONS "-c statement_timeout=5000 -c default_transaction_read_only=on"

struct postgresql {
    struct arena arena; /* of the strings */
    const char *uri, *query, *user, *secret;
    PGconn *connection;
};

static void
close_postgresql(void *state)
{
    struct postgresql *postgresql = state;

    PQfinish(postgresql->connection);
    arena_wipe(&postgresql->arena);
    free(postgresql);
}

static bool
open_postgresql(struct table *table, const struct table_spec *spec, struct slice bytes,
                const struct table_login *login)
{
    struct postgresql *postgresql = calloc(1, sizeof(*postgresql));
    char *error = NULL;

    (void)bytes;
    if (!postgresql)
        abort();
    arena_init(&postgresql->arena, 1 << 16);
    postgresql->uri = arena_copy_string(&postgresql->arena, spec->place);
    postgresql->query = arena_copy_string(&postgresql->arena, spec->query);
    if (login) {
        postgresql->user = arena_copy_string(&postgresql->arena, login->user);
        postgresql->secret = arena_copy_string(&postgresql->arena, login->secret);
    }
    if (arena_failed(&postgresql->arena)) {
        table_say_why(table, "the line is too long", "");
        close_postgresql(postgresql);
        return false;
    }
    PQconninfoOption *options = PQconninfoParse(postgresql->uri, &error);
    if (!options) {
        table_say_why(table, "expected a URI postgresql://HOST/DATABASE", error ? error : "");
        PQfreemem(error);
        close_postgresql(postgresql);
        return false;
    }
    PQconninfoFree(options);
    table->state = postgresql;
    return true;
}

/* What the server wants to tell people has no reader here: libpq would write it to standard error.
 */
static void
ignore_notice(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static bool
connect_to(struct table *table, struct postgresql *postgresql)
{
    /* A later one overrules an earlier one, so that the URI may choose its own bounds. */
    const char *keys[] = {"connect_timeout", "tcp_user_timeout", "options", "user",
                          "password",        "dbname",           NULL};
    const char *values[] = {CONNECT_S,          SILENT_MS,       QUERY_OPTIONS, postgresql->user,
                            postgresql->secret, postgresql->uri, NULL};

    PQfinish(postgresql->connection);
    postgresql->connection = PQconnectdbParams(keys, values, 1);
    PQsetNoticeProcessor(postgresql->connection, ignore_notice, NULL);
    if (PQstatus(postgresql->connection) == CONNECTION_OK)
        return true;
    table_say_why(table, "no connection", PQerrorMessage(postgresql->connection));
    return false;
}

static enum table_outcome
read_rows(struct table *table, struct postgresql *postgresql, PGresult *rows,
          struct buffer *ret_value)
{
    enum table_outcome outcome = TABLE_NOT_FOUND;

    if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
        const char *said = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
        table_say_why(table, "the query fails",
                      said ? said : PQerrorMessage(postgresql->connection));
        return TABLE_TEMPORARY;
    }
    for (int i = 0; i < PQntuples(rows) && PQnfields(rows) > 0; i++) {
        if (PQgetisnull(rows, i, 0))
            continue;
        table_put_piece(ret_value, slice_of_string(PQgetvalue(rows, i, 0)));
        outcome = TABLE_FOUND;
    }
    return outcome;
}

static enum table_outcome
look_up_postgresql(struct table *table, struct slice key, struct buffer *ret_value)
{
    struct postgresql *postgresql = table->state;
    char text[TABLE_KEY_MAX + 1];
    const char *parameters[] = {text};
    bool is_new = PQstatus(postgresql->connection) != CONNECTION_OK;

    snprintf(text, sizeof(text), "%.*s", (int)key.len, (const char *)key.at);
    if (is_new && !connect_to(table, postgresql))
        return TABLE_TEMPORARY;
    PGresult *rows =
        PQexecParams(postgresql->connection, postgresql->query, 1, NULL, parameters, NULL, NULL, 0);
    /* The server may have been restarted while nobody asked. */
    if (!is_new && PQstatus(postgresql->connection) != CONNECTION_OK) {
        PQclear(rows);
        if (!connect_to(table, postgresql))
            return TABLE_TEMPORARY;
        rows = PQexecParams(postgresql->connection, postgresql->query, 1, NULL, parameters, NULL,
                            NULL, 0);
    }
    enum table_outcome outcome = read_rows(table, postgresql, rows, ret_value);
    PQclear(rows);
    return outcome;
}

const struct table_driver table_driver_postgresql = {
    .open = open_postgresql, .look_up = look_up_postgresql, .close = close_postgresql};
