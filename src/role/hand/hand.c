/* SPDX-License-Identifier: ISC */
/* The role that has to do with programs of this machine. See README.md. */
#include "role/hand/hand_role.h"

#include "directory/unix_aliases.h"
#include "host/log.h"

#include <stdlib.h>

enum { SIDE_TRANSPORT = 0, NOTE_ARENA_MAX = 1024 * 1024 };

/* ---- sockets for transport ----------------------------------------------------------------- */

static void
lose_transport(struct hand_transport *transport)
{
    host_channel_close(&transport->channel);
    note_ledger_finish(&transport->ledger);
}

static void
answer_reach(struct hand_transport *transport, uint64_t id, host_handle stream, const char *text)
{
    struct hand *hand = transport->hand;
    struct transport_hand_reached note = {
        .id = id,
        .text = slice_first(slice_of_string(text), TRANSPORT_HAND_REACHED_TEXT_MAX),
        .stream = stream};

    bool is_put = transport_hand_put_reached(&hand->note, &transport->ledger, &note);
    assert(is_put);
    host_channel_send(transport->channel, buffer_slice(&hand->note), stream);
    buffer_clear(&hand->note);
}

static void
reach(struct hand_transport *transport, const struct transport_hand_reach *note)
{
    struct hand *hand = transport->hand;
    const struct config *config = hand->start.config;
    char *path = arena_copy_string(&hand->arena, note->path);
    host_handle stream = HOST_HANDLE_NONE;
    const char *text = "";

    if (!path || slice_find_byte(note->path, 0) < note->path.len ||
        !directory_file_is_below(note->path, config->socket_dirs.at, config->socket_dirs.count)) {
        text = "the socket is not below one of socket_dirs";
    } else {
        int error = host_unix_connect(hand->start.host, path, &stream);
        text = error < 0 ? strerror(-error) : "";
        hand->sockets += error == 0;
    }
    answer_reach(transport, note->id, stream, text);
}

static void
on_transport_note(void *context, struct slice bytes, host_handle handle)
{
    struct hand_transport *transport = context;
    struct hand *hand = transport->hand;
    struct transport_hand_note note;

    arena_reset(&hand->arena);
    if (transport_hand_take(bytes, handle, SIDE_TRANSPORT, &transport->ledger, &hand->arena,
                            &note) &&
        note.kind == TRANSPORT_HAND_REACH) {
        reach(transport, &note.as.reach);
        return;
    }
    host_handle_close(hand->start.host, handle);
    log_event(hand->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("transport"));
    lose_transport(transport);
}

static void
on_transport_closed(void *context)
{
    lose_transport(context);
}

/* ---- the store ----------------------------------------------------------------------------- */

/* What a store that is gone wanted is in its queue still. */
static void
lose_store(struct hand *hand)
{
    host_channel_close(&hand->store);
    note_ledger_finish(&hand->store_ledger);
    for (struct hand_task *task = task_first(hand); task; task = task_first(hand))
        task_close(&task);
}

static void
on_store_note(void *context, struct slice bytes, host_handle handle)
{
    struct hand *hand = context;
    bool is_good = task_open(hand, bytes, handle);

    /* What was mapped stays mapped. */
    host_handle_close(hand->start.host, handle);
    if (is_good)
        return;
    log_event(hand->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
    lose_store(hand);
}

static void
on_store_closed(void *context)
{
    lose_store(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

/* Mistakes of the configuration are told when the server starts, not when mail comes. */
static bool
check_programs(const struct role_start *start, struct arena *arena)
{
    const struct config_strings *programs = &start->config->programs;
    struct program program;
    char text[PROGRAM_COMMAND_MAX];

    for (size_t i = 0; i < programs->count; i++) {
        const char *problem = program_parse(programs->at[i], arena, &program);
        if (!problem)
            continue;
        snprintf(text, sizeof(text), "programs, entry %zu: %s", i + 1, problem);
        start->fail(start->fail_context, text);
        return false;
    }
    return true;
}

static void
hand_close(void *state)
{
    struct hand *hand = state;

    lose_store(hand);
    forward_close(hand);
    for (size_t i = 0; i < HAND_TRANSPORTS_MAX; i++)
        lose_transport(&hand->transports[i]);
    arena_finish(&hand->arena);
    buffer_finish(&hand->note);
    free(hand);
}

static void *
hand_open(const struct role_start *start)
{
    struct hand *hand = calloc(1, sizeof(*hand));

    if (!hand)
        abort();
    hand->start = *start;
    list_init(&hand->tasks);
    list_init(&hand->waiting);
    arena_init(&hand->arena, NOTE_ARENA_MAX);
    buffer_init(&hand->note, HOST_NOTE_MAX);
    for (size_t i = 0; i < HAND_TRANSPORTS_MAX; i++)
        hand->transports[i].hand = hand;
    if (!check_programs(start, &hand->arena)) {
        hand_close(hand);
        return NULL;
    }
    return hand;
}

static void
hand_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler store_handler = {.on_note = on_store_note,
                                                              .on_closed = on_store_closed};
    static const struct host_channel_handler transport_handler = {.on_note = on_transport_note,
                                                                  .on_closed = on_transport_closed};
    struct hand *hand = state;
    struct host *host = hand->start.host;

    if (peer == ROLE_STORE) {
        lose_store(hand);
        hand->store = host_channel_open(host, handle, &store_handler, hand);
    } else if (peer == ROLE_TRANSPORT && peer_index < HAND_TRANSPORTS_MAX) {
        struct hand_transport *transport = &hand->transports[peer_index];
        lose_transport(transport);
        transport->channel = host_channel_open(host, handle, &transport_handler, transport);
    } else if (peer == ROLE_ROUTE) {
        forward_attach(hand, handle);
    } else {
        host_handle_close(host, handle);
    }
}

static void
hand_reload(void *state, const struct config *config)
{
    (void)state, (void)config;
}

static void
hand_stats(void *state, struct role_stats *stats)
{
    const struct hand *hand = state;

    role_stats_add(stats, "programs_started", hand->started);
    role_stats_add(stats, "programs_running", hand->errand_count);
    role_stats_add(stats, "programs_stopped", hand->stopped);
    role_stats_add(stats, "recipients_delivered", hand->delivered);
    role_stats_add(stats, "recipients_temporary", hand->temporary);
    role_stats_add(stats, "recipients_permanent", hand->permanent);
    role_stats_add(stats, "sockets_reached", hand->sockets);
}

static void
hand_stop(void *state)
{
    struct hand *hand = state;

    hand->is_stopping = true;
    task_stop_all(hand);
    task_work(hand);
}

const struct role role_hand = {
    .kind = ROLE_HAND,
    .open = hand_open,
    .attach = hand_attach,
    .reload = hand_reload,
    .stats = hand_stats,
    .stop = hand_stop,
    .close = hand_close,
};
