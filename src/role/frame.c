/* SPDX-License-Identifier: ISC */
#include "role/frame.h"

#include "base/arena.h"
#include "note/parent_role.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONFINEMENT_REPORT_MAX = 400, NOTE_ARENA_MAX = 1024 * 1024, SIDE_PARENT = 0 };

struct role_frame {
    struct host *host;
    struct host_channel *control;
    struct note_ledger ledger;
    struct arena arena; /* of the note in hand */
    struct buffer buffer;
    role_confine_fn confine;
    void *confine_context;

    const struct role *const *roles; /* by kind; NULL: of another program */
    const struct role *role;
    void *state;
    struct config config;
    struct arena config_arenas[2]; /* of the configuration in force and of the next, in turn */
    unsigned config_turn;
    unsigned index; /* of the process among those of its role */
    bool has_failed;
};

struct role_stats {
    struct parent_role_counter counters[PARENT_ROLE_STATS_COUNTERS_MAX];
    size_t count;
};

const char *
role_kind_name(enum role_kind kind)
{
    static const char *const names[ROLE_KINDS] = {
        [ROLE_PARENT] = "parent",       [ROLE_SMTP] = "smtp",           [ROLE_ACCESS] = "access",
        [ROLE_AUTH] = "auth",           [ROLE_ROUTE] = "route",         [ROLE_DELIVER] = "deliver",
        [ROLE_LETTERBOX] = "letterbox", [ROLE_STORE] = "store",         [ROLE_RESOLVE] = "resolve",
        [ROLE_TABLE] = "table",         [ROLE_TRANSPORT] = "transport",
        [ROLE_INDEX] = "index",         [ROLE_HAND] = "hand",           [ROLE_ISSUER] = "issuer",
        [ROLE_KEYS] = "keys",
    };
    return names[kind < ROLE_KINDS ? kind : ROLE_PARENT];
}

const char *
role_service_name(enum role_service service)
{
    static const char *const names[SERVICES] = {
        [SERVICE_SMTP] = "smtp",   [SERVICE_SUBMISSION] = "submission",
        [SERVICE_LMTP] = "lmtp",   [SERVICE_SUBMISSIONS] = "submissions",
        [SERVICE_POP3] = "pop3",   [SERVICE_POP3S] = "pop3s",
        [SERVICE_IMAP] = "imap",   [SERVICE_IMAPS] = "imaps",
        [SERVICE_ADMIN] = "admin",
    };
    return names[service];
}

void
role_stats_add(struct role_stats *stats, const char *name, uint64_t value)
{
    if (stats->count < COUNT_OF(stats->counters))
        stats->counters[stats->count++] =
            (struct parent_role_counter){.name = slice_of_string(name), .value = value};
}

/* Sends what stands in the frame's buffer. */
static void
send(struct role_frame *frame, bool is_put)
{
    if (is_put && frame->control)
        host_channel_send(frame->control, buffer_slice(&frame->buffer), HOST_HANDLE_NONE);
    buffer_clear(&frame->buffer);
}

static void
fail(void *context, const char *why)
{
    struct role_frame *frame = context;
    struct parent_role_failing note = {
        .why = slice_first(slice_of_string(why), PARENT_ROLE_FAILING_WHY_MAX)};

    frame->has_failed = true;
    send(frame, parent_role_put_failing(&frame->buffer, &frame->ledger, &note));
    host_stop(frame->host);
}

/* Puts new values in the place that the role knows. The old ones' strings stay until the next time,
 * so that the role can compare. */
static bool
decode_config(struct role_frame *frame, struct slice bytes)
{
    struct arena *arena = &frame->config_arenas[frame->config_turn];

    arena_finish(arena);
    if (!config_decode(bytes, arena, &frame->config))
        return false;
    frame->config_turn ^= 1;
    return true;
}

/* The configuration comes inline, or sealed when it is long. */
static bool
take_config(struct role_frame *frame, struct slice bytes, host_handle blob)
{
    struct host_mapping mapping;

    if (blob == HOST_HANDLE_NONE)
        return decode_config(frame, bytes);
    bool is_good = host_blob_map(frame->host, blob, &mapping) == 0;
    if (is_good) {
        is_good = decode_config(frame, mapping.bytes);
        host_blob_unmap(frame->host, &mapping);
    }
    host_handle_close(frame->host, blob);
    return is_good;
}

/* Lines say which process they are from; addresses are hashed alike in all of them. */
static void
configure_log(struct role_frame *frame, const struct parent_role_configure *note)
{
    struct host_log_settings settings = *host_log_settings(frame->host);

    if (note)
        settings.mask_seed = note->log_seed;
    if (note)
        snprintf(settings.process, sizeof(settings.process), "%s/%u",
                 role_kind_name(frame->role->kind), note->index);
    config_log_settings(&frame->config, &settings);
    host_log_configure(frame->host, &settings);
}

static bool
on_configure(struct role_frame *frame, const struct parent_role_configure *note)
{
    if (frame->role || note->kind >= ROLE_KINDS || !frame->roles[note->kind] ||
        !take_config(frame, note->config, note->config_blob))
        return false;
    frame->role = frame->roles[note->kind];
    frame->index = note->index;
    configure_log(frame, note);
    struct role_start start = {
        .host = frame->host,
        .config = &frame->config,
        .index = note->index,
        .processes = note->processes ? note->processes : 1,
        .falls = note->falls,
        .fail = fail,
        .fail_context = frame,
    };
    frame->state = frame->role->open(&start);
    return true;
}

static bool
on_start(struct role_frame *frame, const struct parent_role_start *note)
{
    struct buffer report;

    buffer_init(&report, CONFINEMENT_REPORT_MAX);
    if (note->confine && !frame->confine(frame->confine_context, frame->role->kind, frame->index,
                                         &frame->config, &report)) {
        buffer_truncate(&report, CONFINEMENT_REPORT_MAX - 1);
        buffer_put_byte(&report, 0);
        fail(frame, (const char *)buffer_slice(&report).at);
    } else if (!frame->role->start || frame->role->start(frame->state)) {
        struct parent_role_ready ready = {.confinement = buffer_slice(&report)};
        send(frame, parent_role_put_ready(&frame->buffer, &frame->ledger, &ready));
    }
    buffer_finish(&report);
    return true;
}

/* The role keeps a pointer to the configuration: it is exchanged under it, then the role is told.
 */
static bool
on_reload(struct role_frame *frame, const struct parent_role_reload *note)
{
    if (!take_config(frame, note->config, note->config_blob))
        return false;
    configure_log(frame, NULL);
    frame->role->reload(frame->state, &frame->config);
    host_rest_again(frame->host);
    struct parent_role_reloaded answer = {.id = note->id};
    send(frame, parent_role_put_reloaded(&frame->buffer, &frame->ledger, &answer));
    return true;
}

static void
on_stats_ask(struct role_frame *frame, const struct parent_role_stats_ask *note)
{
    struct role_stats stats = {.count = 0};

    if (frame->role->stats)
        frame->role->stats(frame->state, &stats);
    struct parent_role_stats answer = {.id = note->id,
                                       .counters = {.at = stats.counters, .count = stats.count}};
    send(frame, parent_role_put_stats(&frame->buffer, &frame->ledger, &answer));
}

static void
on_life_ask(struct role_frame *frame, const struct parent_role_life_ask *note)
{
    struct parent_role_life answer = {.id = note->id};

    send(frame, parent_role_put_life(&frame->buffer, &frame->ledger, &answer));
}

/* False when the note makes no sense now: the parent is not the parent we know. */
static bool
dispatch(struct role_frame *frame, const struct parent_role_note *note)
{
    if (note->kind == PARENT_ROLE_CONFIGURE)
        return on_configure(frame, &note->as.configure);
    if (!frame->state)
        return frame->has_failed;

    const struct role *role = frame->role;
    switch (note->kind) {
    case PARENT_ROLE_ATTACH:
        role->attach(frame->state, (enum role_kind)note->as.attach.peer, note->as.attach.peer_index,
                     note->as.attach.channel);
        return true;
    case PARENT_ROLE_LISTEN:
        if (!role->listen || note->as.listen.service >= SERVICES)
            return false;
        role->listen(frame->state, (enum role_service)note->as.listen.service,
                     note->as.listen.listener);
        return true;
    case PARENT_ROLE_CERTIFICATE:
        if (role->tls)
            role->tls(frame->state, note->as.certificate.name, note->as.certificate.chain,
                      note->as.certificate.key);
        host_rest_again(frame->host);
        return true;
    case PARENT_ROLE_START:
        return on_start(frame, &note->as.start);
    case PARENT_ROLE_RELOAD:
        return on_reload(frame, &note->as.reload);
    case PARENT_ROLE_STOP:
        if (role->stop)
            role->stop(frame->state);
        else
            host_stop(frame->host);
        return true;
    case PARENT_ROLE_STATS_ASK:
        on_stats_ask(frame, &note->as.stats_ask);
        return true;
    case PARENT_ROLE_LIFE_ASK:
        on_life_ask(frame, &note->as.life_ask);
        return true;
    case PARENT_ROLE_CONFIGURE:
    case PARENT_ROLE_HELLO:
    case PARENT_ROLE_READY:
    case PARENT_ROLE_FAILING:
    case PARENT_ROLE_RELOADED:
    case PARENT_ROLE_STATS:
    case PARENT_ROLE_LIFE:
        break;
    }
    return false;
}

static void
on_control_closed(void *context)
{
    struct role_frame *frame = context;

    host_channel_close(&frame->control);
    host_stop(frame->host);
}

static void
on_control_note(void *context, struct slice bytes, host_handle handle)
{
    struct role_frame *frame = context;
    struct parent_role_note note;

    arena_reset(&frame->arena);
    if (!parent_role_take(bytes, handle, SIDE_PARENT, &frame->ledger, &frame->arena, &note)) {
        host_handle_close(frame->host, handle);
        fail(frame, "a note from the parent could not be read");
    } else if (!dispatch(frame, &note)) {
        fail(frame, "a note from the parent came out of order or from another version");
    }
}

static const struct host_channel_handler control_handler = {
    .on_note = on_control_note,
    .on_closed = on_control_closed,
};

struct role_frame *
role_frame_open(struct host *host, const struct role *const *roles, host_handle control,
                role_confine_fn confine, void *context)
{
    struct role_frame *frame = calloc(1, sizeof(*frame));
    struct parent_role_hello hello = {.version = SLICE(FACTEUR_VERSION)};

    if (!frame)
        abort();
    frame->host = host;
    frame->roles = roles;
    frame->confine = confine;
    frame->confine_context = context;
    arena_init(&frame->arena, NOTE_ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(frame->config_arenas); i++)
        arena_init(&frame->config_arenas[i], CONFIG_ARENA_MAX);
    buffer_init(&frame->buffer, HOST_NOTE_MAX);
    frame->control = host_channel_open(host, control, &control_handler, frame);
    send(frame, parent_role_put_hello(&frame->buffer, &frame->ledger, &hello));
    return frame;
}

bool
role_frame_close(struct role_frame **frame)
{
    struct role_frame *old = *frame;
    bool is_good = !old->has_failed;

    if (old->state)
        old->role->close(old->state);
    host_channel_close(&old->control);
    note_ledger_finish(&old->ledger);
    arena_finish(&old->arena);
    for (size_t i = 0; i < COUNT_OF(old->config_arenas); i++)
        arena_finish(&old->config_arenas[i]);
    buffer_finish(&old->buffer);
    free(old);
    *frame = NULL;
    return is_good;
}
