/* SPDX-License-Identifier: ISC */
/* The life of one session: from accept to close, and the glue between connection and engine. */
#include "role/smtp/smtp.h"

#include "host/address.h"

#include <stdlib.h>

const struct smtp_verdict smtp_try_later = {
    .code = 451,
    .status = {4, 3, 0},
    .text = {(const uint8_t *)"a part of this server is away, try again later", 46},
};

struct slice
smtp_session_queue_id(const struct smtp_session *session)
{
    return slice_of(session->transaction->queue_id, TRANSACTION_QUEUE_ID_LEN);
}

void
smtp_session_log(struct log_line *line, struct smtp_session *session, enum host_level level,
                 const char *event)
{
    log_begin(line, session->role->host, level, event);
    if (session->transaction)
        log_text(line, "id", smtp_session_queue_id(session));
    log_peer(line, "client", &session->peer);
    log_string(line, "service", role_service_name(session->service));
}

/* ---- answers --------------------------------------------------------------------------------- */

void
smtp_session_answer(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    session->waiting = WAITING_NOT;
    smtp_server_answer(session->engine, verdict, host_now(session->role->host));
}

void
smtp_session_answer_later(struct smtp_session *session, const struct smtp_verdict *verdict)
{
    smtp_session_answer(session, verdict);
    connection_wake(session->connection);
}

void
smtp_session_give_up(struct smtp_session *session)
{
    struct smtp_verdict verdict = smtp_try_later;

    switch (session->waiting) {
    case WAITING_NOT:
        return;
    case WAITING_AUTH:
        verdict.code = 454;
        verdict.status = ENVELOPE_STATUS(4, 7, 0);
        session->auth_request = 0;
        smtp_session_answer_later(session, &verdict);
        return;
    case WAITING_RECIPIENT:
    case WAITING_VERIFY:
    case WAITING_FLUSH:
    case WAITING_NAMES:
    case WAITING_URL:
    case WAITING_TURN:
        smtp_session_answer_later(session, &verdict);
        return;
    case WAITING_PROBE:
        smtp_session_on_probed(session, NULL);
        return;
    case WAITING_QUOTA: /* it is asked again when the message has come */
        smtp_session_take_room(session, true);
        return;
    case WAITING_SENDER:
        smtp_session_drop_transaction(session);
        smtp_session_answer_later(session, &verdict);
        return;
    case WAITING_AUTHOR:
    case WAITING_SIGNER:
        smtp_session_answer_body(session, NULL);
        connection_wake(session->connection);
        return;
    case WAITING_ROOM:
    case WAITING_FILED:
        list_remove(&session->room_link);
        smtp_session_answer_body(session, NULL);
        connection_wake(session->connection);
        return;
    }
}

/* Until when it is willing to wait for the role that it has asked. */
struct instant
smtp_session_patience(const struct smtp_session *session)
{
    static const int seconds[] = {
        [WAITING_RECIPIENT] = SMTP_ROUTE_WAIT_S, [WAITING_VERIFY] = SMTP_ROUTE_WAIT_S,
        [WAITING_AUTH] = SMTP_AUTH_WAIT_S,       [WAITING_ROOM] = SMTP_STORE_WAIT_S,
        [WAITING_FILED] = SMTP_STORE_WAIT_S,     [WAITING_QUOTA] = SMTP_ROUTE_WAIT_S,
        [WAITING_FLUSH] = SMTP_ROUTE_WAIT_S,     [WAITING_NAMES] = SMTP_ROUTE_WAIT_S,
        [WAITING_URL] = SMTP_STORE_WAIT_S,       [WAITING_SENDER] = SMTP_ROUTE_WAIT_S,
        [WAITING_AUTHOR] = SMTP_ROUTE_WAIT_S,    [WAITING_SIGNER] = SMTP_ROUTE_WAIT_S,
        [WAITING_PROBE] = SMTP_PROBE_WAIT_S,     [WAITING_TURN] = SMTP_ROUTE_WAIT_S,
    };

    if (session->waiting == WAITING_NOT)
        return INSTANT_NEVER;
    return instant_after(session->waiting_since, duration_s(seconds[session->waiting]));
}

/* ---- the session, as the connection sees it -------------------------------------------------- */

static void
process(void *owner)
{
    struct smtp_session *session = owner;
    struct smtp_event event;

    while (smtp_server_next(session->engine, &event))
        smtp_session_on_event(session, &event);
    if (session->turned)
        smtp_turned_process(session);
}

static void
secured(void *owner)
{
    struct smtp_session *session = owner;

    session->account = 0;
    smtp_server_tls_started(session->engine, true, host_now(session->role->host));
    if (tls_engine_has_peer_certificate(connection_tls(session->connection)))
        smtp_server_has_certificate(session->engine);
}

static void
forget_auth(struct smtp_session *session)
{
    struct smtp_role *role = session->role;
    struct smtp_auth_abort note = {.session = session->auth_request};

    if (!session->auth_request || !role->auth.channel)
        return;
    if (smtp_auth_put_abort(&role->note_buffer, &role->auth.ledger, &note))
        host_channel_send(role->auth.channel, buffer_slice(&role->note_buffer), HOST_HANDLE_NONE);
    buffer_clear(&role->note_buffer);
}

void
smtp_session_close(struct smtp_session *session)
{
    struct smtp_role *role = session->role;

    forget_auth(session);
    list_remove(&session->room_link);
    smtp_session_drop_transaction(session);
    connection_close(&session->connection);
    smtp_turned_close(&session->turned);
    smtp_server_close(&session->engine);
    if (!session->is_trusted)
        peers_leave(role->peers, &session->peer);
    slots_release(&role->sessions, session->slot);
    free(session);
}

static void
closed(void *owner, enum connection_end end)
{
    struct smtp_session *session = owner;
    struct smtp_role *role = session->role;

    if (end == CONNECTION_END_TLS) {
        struct log_line line;
        smtp_session_log(&line, session, HOST_LEVEL_INFO, "tls_failed");
        log_text(&line, "problem", connection_problem(session->connection));
        log_end(&line);
    }
    smtp_session_close(session);
    if (role->is_stopping && role->sessions.count == 0)
        host_stop(role->host);
}

static const struct connection_owner owner_kind = {
    .process = process,
    .secured = secured,
    .closed = closed,
};

/* ---- life ------------------------------------------------------------------------------------ */

/* A newcomer that is over a limit hears 421 and goes: told in one line, without an engine. */
static void
refuse(struct smtp_role *role, struct host_stream *stream, const struct host_address *peer,
       const char *reason)
{
    struct log_line line;
    struct buffer text;

    buffer_init(&text, 512);
    buffer_put_text(&text, "421 ");
    buffer_put(&text, role->options[SERVICE_SMTP].hostname);
    buffer_put_text(&text, " 4.7.0 ");
    buffer_put_text(&text, reason);
    buffer_put_text(&text, ", try again later\r\n");
    (void)!host_stream_write(stream, buffer_slice(&text));
    buffer_finish(&text);
    host_stream_close(&stream);
    role->refused++;
    log_begin(&line, role->host, HOST_LEVEL_NOTICE, "connection_refused");
    log_peer(&line, "client", peer);
    log_string(&line, "reason", reason);
    log_end(&line);
}

/* NULL when the newcomer is welcome, and then it is counted. */
static const char *
reason_to_refuse(struct smtp_role *role, const struct host_address *peer, bool is_trusted)
{
    const struct config *config = role->config;

    if (role->sessions.count >= role_share(&role->start, config->connections_max))
        return "too many connections";
    if (is_trusted)
        return NULL;
    return peers_enter(role->peers, peer, config->connections_per_address_max,
                       config->connection_rate, host_now(role->host));
}

/* Neither is registered, but clients that say anything say one of them (Exim's either). */
static const char *const protocol_names[] = {"smtp", "esmtp", NULL};

static void
begin(struct smtp_session *session, struct host_stream *stream)
{
    struct smtp_role *role = session->role;
    bool is_secure = session->service == SERVICE_SUBMISSIONS;
    struct smtp_server_peer peer = {
        .is_loopback = host_address_is_loopback(&session->peer),
        .is_trusted = session->is_trusted,
        .may_relay = session->is_relay,
        .is_secure = is_secure,
        .has_channel_binding = is_secure,
    };
    struct connection_options options = {
        .shared = role->shared,
        .stream = stream,
        .tls = is_secure ? identity_context(&role->identity) : NULL,
        .handshake = role->config->tls_handshake_timer,
        .asks_certificate = session->service != SERVICE_SMTP &&
                            (role->config->auth_mechanisms & CONFIG_MECHANISM_EXTERNAL) != 0,
        .protocols = protocol_names,
        .engine_kind = &smtp_server_kind,
        .owner_kind = &owner_kind,
        .owner = session,
    };

    session->engine =
        smtp_server_open(&role->options[session->service], &peer, host_now(role->host));
    smtp_server_set_stress(session->engine, role->is_stressed && !session->is_trusted);
    options.engine = session->engine;
    session->connection = connection_open(&options);
}

void
smtp_session_open(struct smtp_role *role, enum role_service service, struct host_stream *stream)
{
    struct host_address peer;

    host_stream_peer(stream, &peer);
    bool is_trusted = peer.family == HOST_FAMILY_UNIX ||
                      config_networks_contain(&role->config->trusted_networks, &peer);
    /* Asked first: who is welcome is counted. */
    const char *reason = service == SERVICE_SUBMISSIONS && !identity_is_there(&role->identity)
                             ? "TLS is not available now"
                             : reason_to_refuse(role, &peer, is_trusted);
    if (reason) {
        refuse(role, stream, &peer, reason);
        return;
    }
    struct smtp_session *session = calloc(1, sizeof(*session));
    if (!session)
        abort();
    session->role = role;
    session->service = service;
    session->peer = peer;
    session->is_trusted = is_trusted;
    session->is_relay = config_networks_contain(&role->config->relay_networks, &peer) ||
                        (peer.family == HOST_FAMILY_UNIX && service == SERVICE_SUBMISSION);
    session->slot = slots_take(&role->sessions, session);
    list_init(&session->room_link);
    role->sessions_total++;
    begin(session, stream);
}

struct smtp_session *
smtp_session_find(struct smtp_role *role, uint64_t request)
{
    uint64_t slot = request & (((uint64_t)1 << SMTP_SLOT_BITS) - 1);
    struct smtp_session *session = slots_at(&role->sessions, slot);

    return session && session->request == request ? session : NULL;
}

void
smtp_session_stop(struct smtp_session *session)
{
    smtp_server_stop(session->engine, host_now(session->role->host));
    if (session->turned)
        connection_finish(session->connection);
    connection_wake(session->connection);
}
