/* SPDX-License-Identifier: ISC */
/* The role that knows where addresses lead. See README.md. */
#include "role/route/route_private.h"

#include "host/log.h"
#include "role/snapshot.h"

#include <stdlib.h>

enum {
    SIDE_SMTP = 0,
    ACCOUNTS_BYTES_MAX = 1 << 30, /* a million accounts take a tenth of it */
    NOTE_ARENA_MAX = 4 * 1024 * 1024,
    PATH_BYTES_MAX = 4096,
};

#define LOOK_AGAIN duration_s(1)

/* ---- the table ----------------------------------------------------------------------------- */

static void
log_problems(struct route *route)
{
    const struct directory_problem *problem;
    struct log_line line;

    for (size_t i = 0; (problem = directory_problem(route->directory, i)); i++) {
        log_begin(&line, route->start.host, HOST_LEVEL_ERROR, "accounts_line_damaged");
        log_number(&line, "line", problem->line);
        log_text(&line, "at", problem->place);
        log_string(&line, "why", problem->what);
        log_end(&line);
    }
}

/* Those who keep our answers must ask again. */
static void
tell_change(struct route *route)
{
    struct smtp_route_changed note = {.tables = ++route->tables};

    for (size_t i = 0; i < COUNT_OF(route->smtps); i++) {
        struct route_smtp *smtp = &route->smtps[i];
        buffer_clear(&route->note);
        if (smtp->channel && smtp_route_put_changed(&route->note, &smtp->ledger, &note))
            host_channel_send(smtp->channel, buffer_slice(&route->note), HOST_HANDLE_NONE);
    }
    buffer_clear(&route->note);
}

static void
load(struct route *route)
{
    struct snapshot snapshot;
    struct directory_options options = {
        .separators = route->start.config->subaddress_separator,
        .postmaster = route->start.config->postmaster,
    };
    int error = snapshot_read(route->dir, "accounts", ACCOUNTS_BYTES_MAX, &snapshot);
    struct log_line line;

    route->looked = host_now(route->start.host);
    if (error < 0) {
        log_begin(&line, route->start.host, HOST_LEVEL_ERROR, "accounts_not_read");
        log_string(&line, "file", "directory/accounts");
        log_error(&line, "error", error);
        log_end(&line);
        return;
    }
    host_random(route->start.host, &options.seed, sizeof(options.seed));
    directory_close(&route->directory);
    route->directory = directory_parse(buffer_slice(&snapshot.bytes), &options);
    route->stamp = snapshot.stamp;
    snapshot_finish(&snapshot);
    log_problems(route);
    log_begin(&line, route->start.host, HOST_LEVEL_INFO, "accounts_loaded");
    log_number(&line, "id_next", directory_id_next(route->directory));
    log_number(&line, "problems", directory_problem_count(route->directory));
    log_end(&line);
    tell_change(route);
}

/* True when the file was another one and has been read. */
static bool
look_again(struct route *route)
{
    struct instant now = host_now(route->start.host);

    if (instant_is_before(now, instant_after(route->looked, LOOK_AGAIN)))
        return false;
    route->looked = now;
    if (route->directory && !snapshot_has_changed(route->dir, "accounts", route->stamp))
        return false;
    load(route);
    return true;
}

/* ---- notes --------------------------------------------------------------------------------- */

static void
forget(struct route_smtp *smtp)
{
    host_channel_close(&smtp->channel);
    note_ledger_finish(&smtp->ledger);
}

/* Could the answer be another one with the file as it is now? */
static bool
is_worth_a_look(enum smtp_route_verdict verdict)
{
    return verdict == SMTP_ROUTE_VERDICT_UNKNOWN || verdict == SMTP_ROUTE_VERDICT_RELAY_DENIED ||
           verdict == SMTP_ROUTE_VERDICT_TEMPORARY || verdict == SMTP_ROUTE_VERDICT_REFUSED;
}

static void
send(struct route_smtp *smtp, bool is_put)
{
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&smtp->route->note), HOST_HANDLE_NONE);
    buffer_clear(&smtp->route->note);
}

static void
on_recipient(struct route_smtp *smtp, const struct smtp_route_recipient *recipient)
{
    struct route *route = smtp->route;
    struct smtp_route_route answer;

    route->asked++;
    route_answer_recipient(route, recipient, &answer);
    if (is_worth_a_look(answer.verdict) && look_again(route))
        route_answer_recipient(route, recipient, &answer);
    route->unknown += answer.verdict == SMTP_ROUTE_VERDICT_UNKNOWN;
    route->refused += answer.verdict == SMTP_ROUTE_VERDICT_RELAY_DENIED;
    if (smtp_route_put_route(&route->note, &smtp->ledger, &answer)) {
        send(smtp, true);
        return;
    }
    /* A thousand targets with long paths do not fit into one note. */
    answer.targets.count = 0;
    answer.verdict = SMTP_ROUTE_VERDICT_TEMPORARY;
    answer.text = SLICE("");
    buffer_clear(&route->note);
    send(smtp, smtp_route_put_route(&route->note, &smtp->ledger, &answer));
}

static void
on_verify(struct route_smtp *smtp, const struct smtp_route_verify *verify)
{
    struct route *route = smtp->route;
    struct smtp_route_verified answer;

    route_answer_verify(route, verify, &answer);
    if (is_worth_a_look(answer.verdict) && look_again(route))
        route_answer_verify(route, verify, &answer);
    send(smtp, smtp_route_put_verified(&route->note, &smtp->ledger, &answer));
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct route_smtp *smtp = context;
    struct route *route = smtp->route;
    struct smtp_route_note note;

    arena_reset(&route->arena);
    if (smtp_route_take(bytes, handle, SIDE_SMTP, &smtp->ledger, &route->arena, &note)) {
        if (note.kind == SMTP_ROUTE_RECIPIENT)
            on_recipient(smtp, &note.as.recipient);
        else
            on_verify(smtp, &note.as.verify);
        return;
    }
    host_handle_close(route->start.host, handle);
    log_event(route->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("smtp"));
    forget(smtp);
}

static void
on_closed(void *context)
{
    forget(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

static void *
route_open(const struct role_start *start)
{
    struct route *route = calloc(1, sizeof(*route));
    char path[PATH_BYTES_MAX];

    if (!route)
        abort();
    route->start = *start;
    arena_init(&route->arena, NOTE_ARENA_MAX);
    buffer_init(&route->note, HOST_NOTE_MAX);
    snprintf(path, sizeof(path), "%.*s/directory", (int)start->config->data_dir.len,
             (const char *)start->config->data_dir.at);
    if (host_dir_open(start->host, path, &route->dir) == 0)
        return route;
    start->fail(start->fail_context,
                "the folder DATA/directory cannot be opened: make it, or correct data_dir");
    buffer_finish(&route->note);
    arena_finish(&route->arena);
    free(route);
    return NULL;
}

static void
route_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct route *route = state;

    if (peer != ROLE_SMTP || peer_index >= COUNT_OF(route->smtps)) {
        host_handle_close(route->start.host, handle);
        return;
    }
    struct route_smtp *smtp = &route->smtps[peer_index];
    forget(smtp);
    smtp->route = route;
    smtp->channel = host_channel_open(route->start.host, handle, &handler, smtp);
}

static bool
route_start(void *state)
{
    load(state);
    return true;
}

static void
route_reload(void *state, const struct config *config)
{
    (void)config;
    load(state);
}

static void
route_stats(void *state, struct role_stats *stats)
{
    const struct route *route = state;

    role_stats_add(stats, "recipients", route->asked);
    role_stats_add(stats, "recipients_unknown", route->unknown);
    role_stats_add(stats, "relays_denied", route->refused);
}

static void
route_stop(void *state)
{
    struct route *route = state;

    host_stop(route->start.host);
}

static void
route_close(void *state)
{
    struct route *route = state;

    for (size_t i = 0; i < COUNT_OF(route->smtps); i++)
        forget(&route->smtps[i]);
    directory_close(&route->directory);
    host_dir_close(&route->dir);
    arena_finish(&route->arena);
    buffer_finish(&route->note);
    free(route);
}

const struct role role_route = {
    .kind = ROLE_ROUTE,
    .name = "route",
    .open = route_open,
    .attach = route_attach,
    .start = route_start,
    .reload = route_reload,
    .stats = route_stats,
    .stop = route_stop,
    .close = route_close,
};
