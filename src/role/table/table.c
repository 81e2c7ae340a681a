/* SPDX-License-Identifier: ISC */
/* The role that keeps one table open and looks keys up in it. See README.md. */
#include "table/table.h"

#include "host/log.h"
#include "note/route_table.h"
#include "role/login.h"
#include "role/snapshot.h"

#include <stdlib.h>

enum {
    SIDE_ROUTE = 0,
    NOTE_ARENA_MAX = 256 * 1024,
    FILE_BYTES_MAX = 256 << 20,
    PATH_OCTETS_MAX = 4096,
};

#define LOOK_AGAIN duration_s(1)

struct table_role {
    struct role_start start;
    struct table_spec spec;
    struct arena spec_arena; /* the configuration may be read anew under it */
    struct host_dir *dir;    /* of a local file */
    const char *name;        /* of the file in it */
    uint64_t stamp;
    struct instant looked;
    struct table *table; /* NULL: could not be opened yet */
    struct table_login login;
    struct host_channel *route;
    struct note_ledger ledger;
    struct arena arena; /* of the note in hand */
    struct buffer note, value;
    uint64_t asked, found, temporary;
};

/* ---- opening the table --------------------------------------------------------------------- */

static void
log_table(struct table_role *role, enum host_level level, const char *event, const char *why,
          int error, size_t line_number)
{
    struct log_line line;

    log_begin(&line, role->start.host, level, event);
    log_text(&line, "table", role->spec.name);
    if (line_number > 0)
        log_number(&line, "line", line_number);
    if (error)
        log_error(&line, "error", error);
    if (why)
        log_string(&line, "why", why);
    log_end(&line);
}

/* What cannot be opened leaves the former table in force. */
static void
adopt(struct table_role *role, struct slice bytes)
{
    char why[TABLE_WHY_MAX + 1];
    const struct table_problem *problem;
    struct table *table =
        table_open(&role->spec, bytes, role->login.user.len > 0 ? &role->login : NULL, why);

    if (!table) {
        log_table(role, HOST_LEVEL_ERROR, "table_not_opened", why, 0, 0);
        return;
    }
    table_close(&role->table);
    role->table = table;
    for (size_t i = 0; (problem = table_problem(table, i)); i++)
        log_table(role, HOST_LEVEL_ERROR, "table_line_damaged", problem->what, 0, problem->line);
    log_table(role, HOST_LEVEL_INFO, "table_opened", NULL, 0, 0);
}

static void
open_table(struct table_role *role)
{
    struct snapshot snapshot;
    int error;

    role->looked = host_now(role->start.host);
    if (table_is_remote(role->spec.kind)) {
        adopt(role, SLICE(""));
        return;
    }
    if (table_takes_bytes(role->spec.kind)) {
        error = snapshot_read(role->dir, role->name, FILE_BYTES_MAX, &snapshot);
        if (error == 0) {
            role->stamp = snapshot.stamp;
            adopt(role, buffer_slice(&snapshot.bytes));
            snapshot_finish(&snapshot);
        }
    } else {
        error = host_dir_stamp(role->dir, role->name, &role->stamp);
        if (error == 0)
            adopt(role, SLICE(""));
    }
    if (error < 0)
        log_table(role, HOST_LEVEL_ERROR, "table_not_read", NULL, error, 0);
}

static void
look_again(struct table_role *role)
{
    struct instant now = host_now(role->start.host);

    if (instant_is_before(now, instant_after(role->looked, LOOK_AGAIN)))
        return;
    role->looked = now;
    if (!role->table || (role->dir && snapshot_has_changed(role->dir, role->name, role->stamp)))
        open_table(role);
}

/* ---- notes --------------------------------------------------------------------------------- */

static void
on_ask(struct table_role *role, const struct route_table_ask *ask)
{
    static const enum route_table_outcome outcomes[] = {
        [TABLE_FOUND] = ROUTE_TABLE_OUTCOME_FOUND,
        [TABLE_NOT_FOUND] = ROUTE_TABLE_OUTCOME_NOT_FOUND,
        [TABLE_TEMPORARY] = ROUTE_TABLE_OUTCOME_TEMPORARY,
    };
    struct route_table_answer answer = {.id = ask->id, .value = SLICE(""), .why = SLICE("")};
    enum table_outcome outcome = TABLE_TEMPORARY;

    role->asked++;
    look_again(role);
    if (!role->table) {
        answer.why = SLICE("the table could not be opened");
    } else {
        outcome = table_look_up(role->table, ask->key, &role->value);
        if (outcome == TABLE_FOUND)
            answer.value = buffer_slice(&role->value);
        if (outcome == TABLE_TEMPORARY) {
            answer.why = slice_of_string(table_why(role->table));
            log_table(role, HOST_LEVEL_WARNING, "table_not_asked", table_why(role->table), 0, 0);
        }
    }
    answer.outcome = outcomes[outcome];
    role->found += outcome == TABLE_FOUND;
    role->temporary += outcome == TABLE_TEMPORARY;
    bool is_put = route_table_put_answer(&role->note, &role->ledger, &answer);
    assert(is_put);
    host_channel_send(role->route, buffer_slice(&role->note), HOST_HANDLE_NONE);
    buffer_clear(&role->note);
}

static_assert(TABLE_VALUE_MAX == ROUTE_TABLE_ANSWER_VALUE_MAX &&
                  TABLE_WHY_MAX == ROUTE_TABLE_ANSWER_WHY_MAX &&
                  TABLE_KEY_MAX == ROUTE_TABLE_ASK_KEY_MAX,
              "note and room have the same bounds");

static void
forget_route(struct table_role *role)
{
    host_channel_close(&role->route);
    note_ledger_finish(&role->ledger);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct table_role *role = context;
    struct route_table_note note;

    arena_reset(&role->arena);
    if (route_table_take(bytes, handle, SIDE_ROUTE, &role->ledger, &role->arena, &note)) {
        on_ask(role, &note.as.ask);
        return;
    }
    host_handle_close(role->start.host, handle);
    log_event(role->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("route"));
    forget_route(role);
}

static void
on_closed(void *context)
{
    forget_route(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

/* NULL, or why the role cannot begin. */
static const char *
prepare(struct table_role *role)
{
    const struct config_strings *tables = &role->start.config->tables;
    struct routing_credentials login;
    char path[PATH_OCTETS_MAX];

    if (role->start.index >= tables->count)
        return "the option tables has changed: restart the server";
    const char *what =
        table_spec_parse(arena_copy(&role->spec_arena, tables->at[role->start.index]), &role->spec);
    if (what)
        return what;
    if (table_is_remote(role->spec.kind)) {
        if (login_read(&role->start, role->spec.name, &role->spec_arena, &login))
            role->login = (struct table_login){login.user, login.secret};
        return NULL;
    }
    struct slice place = role->spec.place;
    size_t slash = slice_find_last_byte(place, '/');
    snprintf(path, sizeof(path), "%.*s", (int)(slash > 0 ? slash : 1), (const char *)place.at);
    role->name = arena_copy_string(&role->spec_arena, slice_skip(place, slash + 1));
    return host_dir_open(role->start.host, path, &role->dir) < 0
               ? "the folder of a table cannot be opened; make it, or correct the option tables"
               : NULL;
}

static void
table_role_close(void *state)
{
    struct table_role *role = state;

    forget_route(role);
    table_close(&role->table);
    host_dir_close(&role->dir);
    arena_finish(&role->arena);
    arena_wipe(&role->spec_arena);
    buffer_finish(&role->note);
    buffer_finish(&role->value);
    free(role);
}

static void *
table_role_open(const struct role_start *start)
{
    struct table_role *role = calloc(1, sizeof(*role));

    if (!role)
        abort();
    role->start = *start;
    arena_init(&role->arena, NOTE_ARENA_MAX);
    arena_init(&role->spec_arena, NOTE_ARENA_MAX);
    buffer_init(&role->note, HOST_NOTE_MAX);
    buffer_init(&role->value, TABLE_VALUE_MAX);
    const char *why = prepare(role);
    if (!why)
        return role;
    start->fail(start->fail_context, why);
    table_role_close(role);
    return NULL;
}

static void
table_role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct table_role *role = state;

    if (peer != ROLE_ROUTE || peer_index != 0) {
        host_handle_close(role->start.host, handle);
        return;
    }
    forget_route(role);
    role->route = host_channel_open(role->start.host, handle, &handler, role);
}

static bool
table_role_start(void *state)
{
    open_table(state);
    return true;
}

static void
table_role_reload(void *state, const struct config *config)
{
    struct table_role *role = state;

    (void)config;
    if (role->dir)
        open_table(role);
}

static void
table_role_stats(void *state, struct role_stats *stats)
{
    const struct table_role *role = state;

    role_stats_add(stats, "questions", role->asked);
    role_stats_add(stats, "found", role->found);
    role_stats_add(stats, "temporary", role->temporary);
}

const struct role role_table = {
    .kind = ROLE_TABLE,
    .open = table_role_open,
    .attach = table_role_attach,
    .start = table_role_start,
    .reload = table_role_reload,
    .stats = table_role_stats,
    .close = table_role_close,
};
