/* SPDX-License-Identifier: ISC */
/* The role that knows where addresses lead. See README.md. */
#include "role/route/route_private.h"

#include "host/log.h"
#include "routing/forward.h"
#include "table/table.h"

#include <stdlib.h>

enum {
    SIDE_ASKING = 0,    /* smtp and store ask us */
    SIDE_ANSWERING = 1, /* resolve answers */
    NOTE_ARENA_MAX = 4 * 1024 * 1024,
    PATH_BYTES_MAX = 4096,
};

/* ---- notes --------------------------------------------------------------------------------- */

/* Those who keep our answers must ask again. */
void
route_tell_change(struct route *route)
{
    struct smtp_route_changed note = {.tables = ++route->tables_read};

    for (size_t i = 0; i < COUNT_OF(route->smtps); i++) {
        struct route_smtp *smtp = &route->smtps[i];
        buffer_clear(&route->note);
        if (smtp->channel && smtp_route_put_changed(&route->note, &smtp->ledger, &note))
            host_channel_send(smtp->channel, buffer_slice(&route->note), HOST_HANDLE_NONE);
    }
    struct store_route_changed for_store = {.tables = route->tables_read};
    buffer_clear(&route->note);
    if (route->store && store_route_put_changed(&route->note, &route->store_ledger, &for_store))
        host_channel_send(route->store, buffer_slice(&route->note), HOST_HANDLE_NONE);
    buffer_clear(&route->note);
}

static void
forget(struct route_smtp *smtp)
{
    if (smtp->route)
        decisions_drop_recipients(smtp);
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

/* To the store: where one of its queued recipients leads to. */
static void
send_located(struct route *route, const struct smtp_route_route *answer)
{
    struct store_route_target *targets =
        ARENA_ARRAY(&route->arena, struct store_route_target, answer->targets.count);
    struct store_route_located located = {
        .id = answer->id,
        .verdict = (enum store_route_verdict)answer->verdict,
        .text = answer->text,
    };

    for (size_t i = 0; targets && i < answer->targets.count; i++) {
        const struct smtp_route_target *from = &answer->targets.at[i];
        targets[i] = (struct store_route_target){
            .account = from->account,
            .detail = from->detail,
            .name = from->name,
            .box = (enum store_route_box)from->box,
            .path = from->path,
            .user = from->user,
            .quota_bytes = from->quota_bytes,
            .quota_messages = from->quota_messages,
        };
    }
    located.targets.at = targets;
    located.targets.count = targets ? answer->targets.count : 0;
    buffer_clear(&route->note);
    bool is_put = store_route_put_located(&route->note, &route->store_ledger, &located);
    if (!is_put) { /* more than a note holds */
        located.targets.count = 0;
        located.verdict = STORE_ROUTE_VERDICT_TEMPORARY;
        buffer_clear(&route->note);
        is_put = store_route_put_located(&route->note, &route->store_ledger, &located);
    }
    assert(is_put);
    host_channel_send(route->store, buffer_slice(&route->note), HOST_HANDLE_NONE);
    buffer_clear(&route->note);
}

void
route_send_answer(struct route_smtp *smtp, struct smtp_route_route *answer)
{
    struct route *route = smtp->route;

    if (smtp->is_store) {
        send_located(route, answer);
        return;
    }
    route->unknown += answer->verdict == SMTP_ROUTE_VERDICT_UNKNOWN;
    route->refused += answer->verdict == SMTP_ROUTE_VERDICT_RELAY_DENIED;
    if (smtp_route_put_route(&route->note, &smtp->ledger, answer)) {
        send(smtp, true);
        return;
    }
    /* A thousand targets with long paths do not fit into one note. */
    answer->targets.count = 0;
    answer->groups.count = 0;
    answer->verdict = SMTP_ROUTE_VERDICT_TEMPORARY;
    answer->text = SLICE("");
    buffer_clear(&route->note);
    send(smtp, smtp_route_put_route(&route->note, &smtp->ledger, answer));
}

void
route_send_claimed(struct route_smtp *smtp, const struct smtp_route_claimed *answer)
{
    send(smtp, smtp_route_put_claimed(&smtp->route->note, &smtp->ledger, answer));
}

static void
on_claim(struct route_smtp *smtp, const struct smtp_route_claim *claim)
{
    struct route *route = smtp->route;
    struct routing_facts facts;
    struct smtp_route_claimed answer;

    routing_facts_init(&facts, &route->arena);
    bool is_answered = route_answer_claim(route, claim, &facts, &answer);
    if ((!is_answered || answer.result != SMTP_ROUTE_CLAIM_RESULT_OWN) && tables_look_again(route))
        is_answered = route_answer_claim(route, claim, &facts, &answer);
    if (is_answered)
        route_send_claimed(smtp, &answer);
    else
        decision_begin_claim(smtp, claim);
}

static void
on_recipient(struct route_smtp *smtp, const struct smtp_route_recipient *recipient)
{
    struct route *route = smtp->route;
    struct routing_facts facts;
    struct smtp_route_route answer;

    route->asked++;
    routing_facts_init(&facts, &route->arena);
    bool is_answered = route_answer_recipient(route, recipient, &facts, &answer);
    if ((!is_answered || is_worth_a_look(answer.verdict)) && tables_look_again(route))
        is_answered = route_answer_recipient(route, recipient, &facts, &answer);
    if (is_answered && answer.verdict == SMTP_ROUTE_VERDICT_UNKNOWN)
        names_missed(route, recipient->address);
    if (is_answered)
        route_send_answer(smtp, &answer);
    else
        decision_begin_recipient(smtp, recipient);
}

static void
on_verify(struct route_smtp *smtp, const struct smtp_route_verify *verify)
{
    struct route *route = smtp->route;
    struct smtp_route_verified answer;

    route_answer_verify(route, verify, &answer);
    if (is_worth_a_look(answer.verdict) && tables_look_again(route))
        route_answer_verify(route, verify, &answer);
    send(smtp, smtp_route_put_verified(&route->note, &smtp->ledger, &answer));
}

static void
on_names(struct route_smtp *smtp, const struct smtp_route_names *ask)
{
    struct smtp_route_named answer;
    struct buffer page;

    buffer_init(&page, SMTP_ROUTE_NAMED_NAMES_MAX);
    names_answer(smtp->route, ask, &page, &answer);
    send(smtp, smtp_route_put_named(&smtp->route->note, &smtp->ledger, &answer));
    buffer_finish(&page);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct route_smtp *smtp = context;
    struct route *route = smtp->route;
    struct smtp_route_note note;

    arena_reset(&route->arena);
    if (smtp_route_take(bytes, handle, SIDE_ASKING, &smtp->ledger, &route->arena, &note)) {
        if (note.kind == SMTP_ROUTE_RECIPIENT)
            on_recipient(smtp, &note.as.recipient);
        else if (note.kind == SMTP_ROUTE_NAMES)
            on_names(smtp, &note.as.names);
        else if (note.kind == SMTP_ROUTE_CLAIM)
            on_claim(smtp, &note.as.claim);
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

static void
forget_store(struct route *route)
{
    if (route->locator.route)
        decisions_drop_recipients(&route->locator);
    host_channel_close(&route->store);
    note_ledger_finish(&route->store_ledger);
    decisions_drop(route);
}

static void
forget_resolve(struct route *route)
{
    host_channel_close(&route->resolve);
    note_ledger_finish(&route->resolve_ledger);
    decisions_fail(route);
}

static void
on_locate(struct route *route, const struct store_route_locate *locate)
{
    struct smtp_route_recipient recipient = {
        .id = locate->id,
        .address = locate->recipient,
        .sender = locate->sender,
        .takes_remote = true,
    };

    route->locator.route = route;
    route->locator.is_store = true;
    on_recipient(&route->locator, &recipient);
}

/* False when the note is not to be believed. */
static bool
take_store_note(struct route *route, const struct store_route_note *note, host_handle handle)
{
    if (note->kind == STORE_ROUTE_RELAY_NAMES)
        return names_take(route, &note->as.relay_names, handle);
    if (note->kind == STORE_ROUTE_NEXT_HOP)
        decision_begin(route, &note->as.next_hop);
    else if (note->kind == STORE_ROUTE_REPORT_ADDRESS)
        decision_begin_report(route, &note->as.report_address);
    else
        on_locate(route, &note->as.locate);
    return true;
}

static void
on_store_note(void *context, struct slice bytes, host_handle handle)
{
    struct route *route = context;
    struct store_route_note note;

    arena_reset(&route->arena);
    if (store_route_take(bytes, handle, SIDE_ASKING, &route->store_ledger, &route->arena, &note) &&
        take_store_note(route, &note, handle)) {
        host_handle_close(route->start.host, handle);
        return;
    }
    host_handle_close(route->start.host, handle);
    log_event(route->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
    forget_store(route);
}

static void
on_resolve_note(void *context, struct slice bytes, host_handle handle)
{
    struct route *route = context;
    struct route_resolve_note note;

    arena_reset(&route->arena);
    if (route_resolve_take(bytes, handle, SIDE_ANSWERING, &route->resolve_ledger, &route->arena,
                           &note)) {
        decision_on_answer(route, &note.as.answer);
        return;
    }
    host_handle_close(route->start.host, handle);
    log_event(route->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("resolve"));
    forget_resolve(route);
}

static void
forget_table(struct route_table *table)
{
    host_channel_close(&table->channel);
    note_ledger_finish(&table->ledger);
    decisions_lose_table(table);
}

static void
on_table_note(void *context, struct slice bytes, host_handle handle)
{
    struct route_table *table = context;
    struct route *route = table->route;
    struct route_table_note note;

    arena_reset(&route->arena);
    if (route_table_take(bytes, handle, SIDE_ANSWERING, &table->ledger, &route->arena, &note)) {
        decision_on_row(route, &note.as.answer);
        return;
    }
    host_handle_close(route->start.host, handle);
    log_event(route->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("table"));
    forget_table(table);
}

static void
on_table_closed(void *context)
{
    forget_table(context);
}

static void
on_store_closed(void *context)
{
    forget_store(context);
}

static void
on_resolve_closed(void *context)
{
    forget_resolve(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

/* The tables by their names, as the configuration numbers them. */
static void
name_others(struct route *route)
{
    const struct config_strings *tables = &route->start.config->tables;
    struct table_spec spec;

    arena_init(&route->others_arena, NOTE_ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(route->others); i++) {
        route->others[i].route = route;
        route->others[i].name = SLICE("");
        if (i < tables->count && !table_spec_parse(tables->at[i], &spec))
            route->others[i].name = arena_copy(&route->others_arena, spec.name);
    }
    route->others[ROUTE_TABLES_MAX].name = SLICE(ROUTING_FORWARD_TABLE);
}

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
    tables_init(&route->tables);
    list_init(&route->decisions);
    map_init(&route->asks, 0); /* its keys are ours: they count up */
    name_others(route);
    snprintf(path, sizeof(path), "%.*s/directory", (int)start->config->data_dir.len,
             (const char *)start->config->data_dir.at);
    if (host_dir_open(start->host, path, &route->dir) == 0)
        return route;
    start->fail(start->fail_context,
                "the folder DATA/directory cannot be opened: make it, or correct data_dir");
    tables_finish(&route->tables);
    arena_finish(&route->others_arena);
    buffer_finish(&route->note);
    arena_finish(&route->arena);
    free(route);
    return NULL;
}

static void
attach_smtp(struct route *route, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct route_smtp *smtp = &route->smtps[peer_index];

    forget(smtp);
    smtp->route = route;
    smtp->channel = host_channel_open(route->start.host, handle, &handler, smtp);
}

static void
attach_table(struct route *route, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_table_note,
                                                        .on_closed = on_table_closed};
    struct route_table *table = &route->others[peer_index];

    forget_table(table);
    table->channel = host_channel_open(route->start.host, handle, &handler, table);
}

static void
route_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler for_store = {.on_note = on_store_note,
                                                          .on_closed = on_store_closed};
    static const struct host_channel_handler for_resolve = {.on_note = on_resolve_note,
                                                            .on_closed = on_resolve_closed};
    struct route *route = state;

    if (peer == ROLE_SMTP && peer_index < COUNT_OF(route->smtps)) {
        attach_smtp(route, peer_index, handle);
    } else if (peer == ROLE_STORE) {
        forget_store(route);
        route->store = host_channel_open(route->start.host, handle, &for_store, route);
    } else if (peer == ROLE_RESOLVE) {
        forget_resolve(route);
        route->resolve = host_channel_open(route->start.host, handle, &for_resolve, route);
    } else if (peer == ROLE_TABLE && peer_index < ROUTE_TABLES_MAX) {
        attach_table(route, peer_index, handle);
    } else if (peer == ROLE_HAND) {
        attach_table(route, ROUTE_TABLES_MAX, handle);
    } else {
        host_handle_close(route->start.host, handle);
    }
}

static bool
route_start(void *state)
{
    tables_load(state);
    return true;
}

static void
route_reload(void *state, const struct config *config)
{
    (void)config;
    tables_load(state);
}

static void
route_stats(void *state, struct role_stats *stats)
{
    const struct route *route = state;

    role_stats_add(stats, "recipients", route->asked);
    role_stats_add(stats, "recipients_unknown", route->unknown);
    role_stats_add(stats, "relays_denied", route->refused);
    role_stats_add(stats, "next_hops", route->hops);
    role_stats_add(stats, "next_hops_failed", route->hops_failed);
    role_stats_add(stats, "decisions_open", route->decision_count);
}

static void
route_close(void *state)
{
    struct route *route = state;

    for (size_t i = 0; i < COUNT_OF(route->smtps); i++)
        forget(&route->smtps[i]);
    forget_store(route);
    for (size_t i = 0; i < COUNT_OF(route->others); i++)
        forget_table(&route->others[i]);
    forget_resolve(route);
    map_finish(&route->asks);
    arena_finish(&route->others_arena);
    tables_finish(&route->tables);
    host_dir_close(&route->dir);
    arena_finish(&route->arena);
    buffer_finish(&route->note);
    free(route);
}

const struct role role_route = {
    .kind = ROLE_ROUTE,
    .open = route_open,
    .attach = route_attach,
    .start = route_start,
    .reload = route_reload,
    .stats = route_stats,
    .close = route_close,
};
