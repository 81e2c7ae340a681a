/* SPDX-License-Identifier: ISC */
/* The tool's socket of the parent: status, reload, stop. Only the owner of the socket can connect.
 */
#include "role/parent/parent_private.h"

#include "host/log.h"

#include <stdlib.h>
#include <unistd.h>

enum { STATS_ID_SHIFT = 16, ADDRESS_MAX = 160, STATUS_WAIT_MS = 2000, RELOAD_WAIT_MS = 10000 };
enum { CHILDREN_PAGE = 100 };

/* One connected tool. */
struct tool_link {
    struct parent *parent;
    struct tool_link *next;
    struct host_channel *channel;
    struct host_timer *timer; /* of the status that waits */
    struct host_timer *reload_timer;
    struct note_ledger ledger;
    uint64_t status_id;     /* of the status that waits for counters */
    uint64_t stats_round;   /* which answers are for it */
    unsigned stats_pending; /* children that have not answered; 0: nothing waits */
    uint64_t reload_id;     /* of the reload that waits */
    uint64_t reload_round;  /* that all children must have reached for it; 0: nothing waits */
};

static void
send(struct tool_link *link, bool is_put)
{
    struct parent *parent = link->parent;

    if (is_put)
        host_channel_send(link->channel, buffer_slice(&parent->note), HOST_HANDLE_NONE);
    buffer_clear(&parent->note);
}

static void
drop(struct tool_link *link)
{
    struct tool_link **at = &link->parent->links;

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    host_channel_close(&link->channel);
    host_timer_close(&link->timer);
    host_timer_close(&link->reload_timer);
    note_ledger_finish(&link->ledger);
    free(link);
}

/* ---- status ---------------------------------------------------------------------------------- */

/* The parent itself, then its children. */
static void
send_processes(struct tool_link *link, uint64_t id)
{
    struct parent *parent = link->parent;
    struct tool_parent_process rows[CHILDREN_PAGE] = {{
        .role = SLICE("parent"),
        .pid = (uint32_t)getpid(),
        .state = parent->is_stopping ? TOOL_PARENT_STATE_STOPPING : TOOL_PARENT_STATE_READY,
        .started_ns = parent->started_wall.ns,
        .confinement = slice_of_string(parent->report),
    }};
    struct tool_parent_processes itself = {.id = id, .rows = {rows, 1}};

    send(link, tool_parent_put_processes(&parent->note, &link->ledger, &itself));
    for (size_t start = 0; start < parent->child_count; start += CHILDREN_PAGE) {
        struct tool_parent_processes note = {.id = id, .rows = {.at = rows}};
        for (size_t i = start; i < parent->child_count && note.rows.count < CHILDREN_PAGE; i++) {
            const struct child *child = &parent->children[i];
            rows[note.rows.count++] = (struct tool_parent_process){
                .role = slice_of_string(role_kind_name(child->kind)),
                .index = child->index,
                .pid = child->process ? (uint32_t)host_process_id(child->process) : 0,
                .state = child->state,
                .restarts = child->restarts,
                .started_ns = child->started_wall.ns,
                .confinement = slice_of_string(child->report),
            };
        }
        send(link, tool_parent_put_processes(&parent->note, &link->ledger, &note));
    }
}

static void
send_listeners(struct tool_link *link, uint64_t id)
{
    struct parent *parent = link->parent;

    for (size_t i = 0; i < parent->listener_count; i++) {
        struct buffer address;
        buffer_init(&address, ADDRESS_MAX);
        listener_put_address(&parent->listeners[i], &address);
        struct tool_parent_listener row = {
            .service = slice_of_string(role_service_name(parent->listeners[i].service)),
            .address = buffer_slice(&address),
        };
        struct tool_parent_listeners note = {.id = id, .rows = {&row, 1}};
        send(link, tool_parent_put_listeners(&parent->note, &link->ledger, &note));
        buffer_finish(&address);
    }
}

static void
finish_status(struct tool_link *link)
{
    struct parent *parent = link->parent;
    struct tool_parent_status_done note = {
        .id = link->status_id,
        .version = SLICE(FACTEUR_VERSION),
        .started_ns = parent->started_wall.ns,
        .config_path =
            slice_of_string(parent->options->config_path ? parent->options->config_path : ""),
        .hostname = parent->config.hostname,
    };

    link->stats_pending = 0;
    host_timer_set(link->timer, INSTANT_NEVER);
    send(link, tool_parent_put_status_done(&parent->note, &link->ledger, &note));
}

/* A role that is slow to count does not hold up the rest for ever. */
static void
on_status_timeout(void *context)
{
    struct tool_link *link = context;

    if (link->stats_pending)
        finish_status(link);
}

/* Asks every child for its counters; the id says which child and in which round. */
static void
on_status(struct tool_link *link, uint64_t id)
{
    struct parent *parent = link->parent;

    send_processes(link, id);
    send_listeners(link, id);
    link->status_id = id;
    link->stats_pending = 1; /* this function itself */
    parent->stats_round++;
    for (size_t i = 0; i < parent->child_count; i++) {
        if (parent->children[i].state != TOOL_PARENT_STATE_READY)
            continue;
        link->stats_pending++;
        child_ask_stats(&parent->children[i], parent->stats_round << STATS_ID_SHIFT | i);
    }
    link->stats_round = parent->stats_round;
    host_timer_set(link->timer, instant_after(host_now(parent->host), duration_ms(STATUS_WAIT_MS)));
    if (--link->stats_pending == 0)
        finish_status(link);
}

void
admin_on_stats(struct child *child, const struct parent_role_stats *stats)
{
    struct parent *parent = child->parent;
    struct tool_parent_counter rows[PARENT_ROLE_STATS_COUNTERS_MAX];

    for (size_t i = 0; i < stats->counters.count; i++)
        rows[i] =
            (struct tool_parent_counter){stats->counters.at[i].name, stats->counters.at[i].value};
    for (struct tool_link *link = parent->links; link; link = link->next) {
        if (link->stats_pending == 0 || link->stats_round != stats->id >> STATS_ID_SHIFT)
            continue;
        struct tool_parent_counters note = {
            .id = link->status_id,
            .role = slice_of_string(role_kind_name(child->kind)),
            .index = child->index,
            .rows = {rows, stats->counters.count},
        };
        send(link, tool_parent_put_counters(&parent->note, &link->ledger, &note));
        if (--link->stats_pending == 0)
            finish_status(link);
    }
}

/* ---- reload ---------------------------------------------------------------------------------- */

static void
send_reload_done(struct tool_link *link, uint64_t id, bool is_good, struct slice text)
{
    struct tool_parent_reload_done note = {.id = id, .is_good = is_good, .text = text};

    send(link, tool_parent_put_reload_done(&link->parent->note, &link->ledger, &note));
}

/* `text`: what else there is to say. */
static void
finish_reload(struct tool_link *link, struct slice text)
{
    struct slice late = buffer_slice(&link->parent->late);
    struct buffer all;

    link->reload_round = 0;
    host_timer_set(link->reload_timer, INSTANT_NEVER);
    buffer_init(&all, TOOL_PARENT_RELOAD_DONE_TEXT_MAX);
    if (late.len > 0) {
        buffer_put_text(&all, "A change of these works after a restart: ");
        buffer_put(&all, late);
        buffer_put_text(&all, "\n");
    }
    buffer_put(&all, text);
    send_reload_done(link, link->reload_id, true, buffer_slice(&all));
    buffer_finish(&all);
}

/* One that is dead reads everything when it starts anew: nobody waits for it. */
static bool
is_behind(const struct child *child, uint64_t round)
{
    return child->process && child->control && child->reload_round < round;
}

void
admin_on_reloaded(struct parent *parent)
{
    uint64_t reached = parent->reload_round;

    for (size_t i = 0; i < parent->child_count; i++)
        if (is_behind(&parent->children[i], reached))
            reached = parent->children[i].reload_round;
    for (struct tool_link *link = parent->links; link; link = link->next)
        if (link->reload_round && link->reload_round <= reached)
            finish_reload(link, slice_of("", 0));
}

/* A role that is busy reads when it comes to it; who asked is not kept waiting for ever. */
static void
on_reload_timeout(void *context)
{
    struct tool_link *link = context;
    struct parent *parent = link->parent;
    struct buffer text;

    buffer_init(&text, TOOL_PARENT_RELOAD_DONE_TEXT_MAX);
    for (size_t i = 0; i < parent->child_count; i++) {
        if (!is_behind(&parent->children[i], link->reload_round))
            continue;
        struct slice name = slice_of_string(role_kind_name(parent->children[i].kind));
        log_event(parent->host, HOST_LEVEL_ERROR, "reload_slow", "role", name);
        buffer_put(&text, name);
        buffer_put_text(&text, " is busy and has not read the change yet; it will\n");
    }
    finish_reload(link, buffer_slice(&text));
    buffer_finish(&text);
}

static void
on_reload(struct tool_link *link, uint64_t id)
{
    struct parent *parent = link->parent;
    struct buffer problems;

    buffer_init(&problems, TOOL_PARENT_RELOAD_DONE_TEXT_MAX);
    if (link->reload_round)
        finish_reload(link, slice_of("", 0));
    if (parent_reload(parent, &problems)) {
        link->reload_id = id;
        link->reload_round = parent->reload_round;
        host_timer_set(link->reload_timer,
                       instant_after(host_now(parent->host), duration_ms(RELOAD_WAIT_MS)));
        admin_on_reloaded(parent);
    } else {
        send_reload_done(link, id, false, buffer_slice(&problems));
    }
    buffer_finish(&problems);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void
on_stop(struct tool_link *link, uint64_t id)
{
    struct tool_parent_stopping note = {.id = id, .pid = (uint32_t)getpid()};

    send(link, tool_parent_put_stopping(&link->parent->note, &link->ledger, &note));
    parent_stop(link->parent);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct tool_link *link = context;
    struct parent *parent = link->parent;
    struct tool_parent_note note;

    arena_reset(&parent->note_arena);
    if (!tool_parent_take(bytes, handle, 0, &link->ledger, &parent->note_arena, &note)) {
        host_handle_close(parent->host, handle);
        drop(link);
        return;
    }
    if (note.kind == TOOL_PARENT_STATUS)
        on_status(link, note.as.status.id);
    else if (note.kind == TOOL_PARENT_RELOAD)
        on_reload(link, note.as.reload.id);
    else if (note.kind == TOOL_PARENT_STOP)
        on_stop(link, note.as.stop.id);
}

static void
on_closed(void *context)
{
    drop(context);
}

static const struct host_channel_handler link_handler = {.on_note = on_note,
                                                         .on_closed = on_closed};

void
admin_accept(void *context, host_handle handle)
{
    struct parent *parent = context;
    struct tool_link *link = calloc(1, sizeof(*link));

    if (!link)
        abort();
    link->parent = parent;
    link->next = parent->links;
    parent->links = link;
    link->timer = host_timer_open(parent->host, on_status_timeout, link);
    link->reload_timer = host_timer_open(parent->host, on_reload_timeout, link);
    link->channel = host_channel_open(parent->host, handle, &link_handler, link);
}

void
admin_close(struct parent *parent)
{
    while (parent->links)
        drop(parent->links);
}
