/* SPDX-License-Identifier: ISC */
/* The role that carries mail to other hosts. See README.md. */
#include "role/transport/transport_role.h"

#include "host/log.h"

#include <stdlib.h>

enum { STOP_MS = 5 * 1000 };

/* ---- jobs that wait ------------------------------------------------------------------------ */

void
transport_work_waiting(struct transport *transport)
{
    while (!list_is_empty(&transport->waiting) &&
           transport->session_count < TRANSPORT_SESSIONS_MAX) {
        struct list *link = transport->waiting.next;
        list_remove(link);
        job_advance(LIST_ITEM(link, struct transport_job, waiting_link));
    }
    if (transport->is_stopping && list_is_empty(&transport->jobs) &&
        list_is_empty(&transport->sessions))
        host_stop(transport->start.host);
}

/* ---- the channel --------------------------------------------------------------------------- */

/* What a store that is gone wanted is in its queue still. */
static void
forget_store(struct transport *transport)
{
    host_channel_close(&transport->channel);
    note_ledger_finish(&transport->ledger);
    while (!list_is_empty(&transport->sessions)) {
        struct transport_session *session = session_first(transport);
        session_close(&session);
    }
    transport->session_count = 0;
    while (!list_is_empty(&transport->jobs)) {
        struct transport_job *job = LIST_ITEM(transport->jobs.next, struct transport_job, link);
        job_close(&job);
    }
    turns_forget(transport); /* jobs were in their lists */
}

static void
on_note(void *context, struct slice note, host_handle handle)
{
    struct transport *transport = context;
    struct transport_job *job = NULL;
    bool is_good = job_open(transport, note, handle, &job);

    /* What was mapped stays mapped. */
    host_handle_close(transport->start.host, handle);
    if (job)
        job_advance(job);
    if (is_good)
        return;
    log_event(transport->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
    forget_store(transport);
}

static void
on_channel_closed(void *context)
{
    forget_store(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

static void
on_idle_timer(void *context)
{
    session_expire_idle(context);
}

struct tls_context *
transport_tls(struct transport *transport, bool is_verified)
{
    struct buffer problem;

    if (is_verified)
        return trust_context(&transport->trust);
    if (!transport->tls_open) {
        buffer_init(&problem, 1024);
        transport->tls_open = tls_context_open_client(false, SLICE(""), &problem);
        buffer_finish(&problem);
    }
    return transport->tls_open;
}

static void *
transport_open(const struct role_start *start)
{
    struct transport *transport = calloc(1, sizeof(*transport));
    uint64_t seed;

    if (!transport)
        abort();
    transport->start = *start;
    list_init(&transport->jobs);
    list_init(&transport->waiting);
    list_init(&transport->sessions);
    list_init(&transport->turns);
    list_init(&transport->idle);
    list_init(&transport->sts_recent);
    host_random(start->host, &seed, sizeof(seed));
    map_init(&transport->sts, seed);
    buffer_init(&transport->note, HOST_NOTE_MAX);
    transport->shared = connection_shared_open(start->host);
    transport->idle_timer = host_timer_open(start->host, on_idle_timer, transport);
    trust_init(&transport->trust, start->host, start->config->outbound_trust);
    return transport;
}

static void
transport_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note,
                                                        .on_closed = on_channel_closed};
    struct transport *transport = state;

    if (peer == ROLE_HAND) {
        reach_attach(transport, handle);
        return;
    }
    if (peer != ROLE_STORE || peer_index != 0) {
        host_handle_close(transport->start.host, handle);
        return;
    }
    forget_store(transport);
    transport->channel = host_channel_open(transport->start.host, handle, &handler, transport);
}

static void
transport_reload(void *state, const struct config *config)
{
    (void)state, (void)config;
}

static void
transport_stats(void *state, struct role_stats *stats)
{
    const struct transport *transport = state;

    role_stats_add(stats, "carried", transport->carried);
    role_stats_add(stats, "recipients_delivered", transport->delivered);
    role_stats_add(stats, "recipients_temporary", transport->temporary);
    role_stats_add(stats, "recipients_permanent", transport->permanent);
    role_stats_add(stats, "recipients_unknown", transport->unknown);
    role_stats_add(stats, "connections", transport->connections);
    role_stats_add(stats, "connections_open", transport->session_count);
    role_stats_add(stats, "connections_reused", transport->reused);
    role_stats_add(stats, "tls_sessions", transport->tls_sessions);
    role_stats_add(stats, "tls_sessions_verified", transport->tls_verified_sessions);
    role_stats_add(stats, "tls_failures", transport->tls_failures);
    role_stats_add(stats, "sts_policies_fetched", transport->sts_fetched);
    role_stats_add(stats, "sts_failures", transport->sts_failures);
}

static void
on_stop_timer(void *context)
{
    struct transport *transport = context;

    host_stop(transport->start.host);
}

/* What is under way has a moment to end; the rest is in the queue. */
static void
transport_stop(void *state)
{
    struct transport *transport = state;
    struct host *host = transport->start.host;

    transport->is_stopping = true;
    host_timer_close(&transport->idle_timer);
    transport->idle_timer = host_timer_open(host, on_stop_timer, transport);
    host_timer_set(transport->idle_timer, instant_after(host_now(host), duration_ms(STOP_MS)));
    session_quit_idle(transport);
    transport_work_waiting(transport);
}

static void
transport_close(void *state)
{
    struct transport *transport = state;

    forget_store(transport);
    reach_close(transport);
    sts_forget_all(transport);
    host_timer_close(&transport->idle_timer);
    connection_shared_close(&transport->shared);
    tls_context_close(&transport->tls_open);
    trust_finish(&transport->trust);
    buffer_finish(&transport->note);
    free(transport);
}

const struct role role_transport = {
    .kind = ROLE_TRANSPORT,
    .open = transport_open,
    .attach = transport_attach,
    .reload = transport_reload,
    .stats = transport_stats,
    .stop = transport_stop,
    .close = transport_close,
};
