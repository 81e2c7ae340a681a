/* SPDX-License-Identifier: ISC */
/* The life of one session: from accept to close, and the glue between connection and engine. */
#include "role/access/access.h"

#include "host/address.h"

#include <stdlib.h>

void
access_session_log(struct log_line *line, struct access_session *session, enum host_level level,
                   const char *event)
{
    log_begin(line, session->role->host, level, event);
    log_number(line, "session", session->number);
    log_peer(line, "client", &session->peer);
    log_string(line, "service", role_service_name(session->service));
}

/* ---- answers ------------------------------------------------------------------------------- */

void
access_session_answer(struct access_session *session, const struct pop3_answer *answer)
{
    session->waiting = WAITING_NOT;
    session->is_reading = false;
    if (session->imap)
        access_imap_answer(session, answer);
    else
        pop3_server_answer(session->engine, answer, host_now(session->role->host));
}

void
access_session_answer_later(struct access_session *session, enum pop3_answer_kind kind)
{
    access_session_answer(session, &(struct pop3_answer){.kind = kind});
    connection_wake(session->connection);
}

void
access_session_give_up(struct access_session *session)
{
    if (session->waiting == WAITING_NOT)
        return;
    if (session->waiting == WAITING_AUTH)
        access_session_abort_auth(session);
    if (session->waiting == WAITING_IMAP) {
        session->waiting = WAITING_NOT;
        session->open_count = 0;
        imap_server_store_lost(session->imap);
        if (session->is_held_back) /* the store may have a part of it, and forgets that so */
            imap_server_stop(session->imap, host_now(session->role->host));
        connection_wake(session->connection);
        return;
    }
    access_session_answer_later(session, POP3_ANSWER_TEMPORARY);
}

struct instant
access_session_patience(const struct access_session *session)
{
    if (session->waiting == WAITING_NOT)
        return INSTANT_NEVER;
    return instant_after(
        session->waiting_since,
        duration_s(session->waiting == WAITING_AUTH ? ACCESS_AUTH_WAIT_S : ACCESS_STORE_WAIT_S));
}

bool
access_session_is_held_back(struct access_session *session)
{
    const struct access_peer_role *store = &session->role->store;

    session->is_held_back =
        session->granted != 0 && store->channel && host_channel_is_full(store->channel);
    return session->is_held_back;
}

/* ---- the session, as the connection sees it ------------------------------------------------ */

static void
process(void *owner)
{
    struct access_session *session = owner;
    struct pop3_event event;

    if (session->imap) {
        access_imap_process(session);
        return;
    }
    while (!access_session_is_held_back(session) && pop3_server_next(session->engine, &event))
        access_session_on_event(session, &event);
    access_session_read_on(session);
}

static void
secured(void *owner)
{
    struct access_session *session = owner;

    bool has_certificate = tls_engine_has_peer_certificate(connection_tls(session->connection));

    if (session->imap) {
        imap_server_tls_started(session->imap, host_now(session->role->host));
        if (has_certificate)
            imap_server_has_certificate(session->imap);
    } else {
        pop3_server_tls_started(session->engine, host_now(session->role->host));
        if (has_certificate)
            pop3_server_has_certificate(session->engine);
    }
}

void
access_session_close(struct access_session *session)
{
    struct access_role *role = session->role;

    access_session_abort_auth(session);
    access_role_end_grant(role, session->granted);
    connection_close(&session->connection);
    pop3_server_close(&session->engine);
    imap_server_close(&session->imap);
    if (!session->is_trusted)
        peers_leave(role->peers, &session->peer);
    slots_release(&role->sessions, session->slot);
    free(session);
}

static const char *
reason_of(const struct access_session *session, enum connection_end end)
{
    static const char *const closes[] = {
        [POP3_CLOSE_QUIT] = "quit",
        [POP3_CLOSE_IDLE] = "idle",
        [POP3_CLOSE_ERRORS] = "errors",
        [POP3_CLOSE_SERVER] = "server",
    };
    static const char *const ends[] = {
        [CONNECTION_END_PEER] = "peer",
        [CONNECTION_END_LOST] = "lost",
        [CONNECTION_END_TLS] = "tls",
        [CONNECTION_END_DROPPED] = "dropped",
    };

    return end == CONNECTION_END_FINISHED ? closes[session->close] : ends[end];
}

static void
log_end_of(struct access_session *session, enum connection_end end)
{
    struct pop3_server_counts counts = {0};
    struct instant now = host_now(session->role->host);
    struct log_line line;

    if (session->engine)
        counts = pop3_server_counts(session->engine);
    access_session_log(&line, session, HOST_LEVEL_INFO, session->account ? "logout" : "closed");
    if (session->account)
        log_number(&line, "account", session->account);
    if (session->account && session->engine) {
        log_number(&line, "read", counts.read);
        log_number(&line, "deleted", counts.deleted);
    }
    log_string(&line, "reason", reason_of(session, end));
    if (end == CONNECTION_END_TLS)
        log_text(&line, "problem", connection_problem(session->connection));
    log_number(&line, "in", connection_bytes_in(session->connection));
    log_number(&line, "out", connection_bytes_out(session->connection));
    log_duration(&line, "after", instant_since(now, session->opened));
    log_end(&line);
    session->role->messages_read += counts.read;
}

static void
closed(void *owner, enum connection_end end)
{
    struct access_session *session = owner;
    struct access_role *role = session->role;

    log_end_of(session, end);
    access_session_close(session);
    if (role->is_stopping && role->sessions.count == 0)
        host_stop(role->host);
}

static const struct connection_owner owner_kind = {
    .process = process,
    .secured = secured,
    .closed = closed,
};

/* ---- life ---------------------------------------------------------------------------------- */

static bool
is_imap(enum role_service service)
{
    return service == SERVICE_IMAP || service == SERVICE_IMAPS;
}

static bool
is_tls_at_once(enum role_service service)
{
    return service == SERVICE_IMAPS || service == SERVICE_POP3S;
}

/* A newcomer that is over a limit hears why and goes: told in one line, without an engine. */
static void
refuse(struct access_role *role, enum role_service service, struct host_stream *stream,
       const struct host_address *peer, const char *reason)
{
    struct log_line line;
    struct buffer text;

    buffer_init(&text, 256);
    buffer_put_text(&text, is_imap(service) ? "* BYE [UNAVAILABLE] " : "-ERR [SYS/TEMP] ");
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

/* All places are taken: who has been there longest without logging in goes. False when there is
 * nobody. */
static bool
make_room(struct access_role *role)
{
    struct access_session *oldest = NULL;
    struct access_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (!session->account && session->waiting == WAITING_NOT &&
            !connection_is_ending(session->connection) &&
            (!oldest || instant_is_before(session->opened, oldest->opened)))
            oldest = session;
    }
    if (oldest)
        connection_drop(oldest->connection);
    return oldest != NULL;
}

/* NULL when the newcomer is welcome, and then it is counted. */
static const char *
reason_to_refuse(struct access_role *role, const struct host_address *peer, bool is_trusted)
{
    const struct config *config = role->config;

    if (role->sessions.count >= role_share(&role->start, config->connections_max) &&
        !make_room(role))
        return "too many connections";
    if (is_trusted)
        return NULL;
    return peers_enter(role->peers, peer, config->connections_per_address_max,
                       config->connection_rate, host_now(role->host));
}

static void
begin_pop3(struct access_session *session, bool is_secure, bool allows_clear_password)
{
    struct access_role *role = session->role;
    struct pop3_server_options options = role->options;
    struct buffer timestamp;

    buffer_init(&timestamp, ACCESS_TIMESTAMP_MAX);
    if (role->config->pop3_apop) {
        host_random(role->host, session->nonce, sizeof(session->nonce));
        access_session_put_timestamp(session, &timestamp);
    }
    options.timestamp = buffer_slice(&timestamp);
    options.is_tls_available = identity_is_there(&role->identity);
    options.is_secure = is_secure;
    options.allows_clear_password = allows_clear_password;
    session->engine = pop3_server_open(&options, session->opened);
    buffer_finish(&timestamp);
}

static void
begin(struct access_session *session, struct host_stream *stream)
{
    static const char *const imap_names[] = {"imap", NULL}, *const pop3_names[] = {"pop3", NULL};
    struct access_role *role = session->role;
    bool is_secure = is_tls_at_once(session->service);
    bool allows_clear_password =
        role->config->auth_plaintext_on_loopback && host_address_is_loopback(&session->peer);
    struct connection_options connection = {
        .shared = role->shared,
        .stream = stream,
        .tls = is_secure ? identity_context(&role->identity) : NULL,
        .handshake = role->config->tls_handshake_timer,
        .asks_certificate = (role->config->auth_mechanisms & CONFIG_MECHANISM_EXTERNAL) != 0,
        .protocols = is_imap(session->service) ? imap_names : pop3_names,
        .engine_kind = is_imap(session->service) ? &imap_server_kind : &pop3_server_kind,
        .owner_kind = &owner_kind,
        .owner = session,
    };

    if (is_imap(session->service)) {
        access_imap_open(session, is_secure, allows_clear_password);
        connection.engine = session->imap;
    } else {
        begin_pop3(session, is_secure, allows_clear_password);
        connection.engine = session->engine;
    }
    session->connection = connection_open(&connection);
}

/* RFC 1939 §7: in the form of a message id, different for each connection. */
void
access_session_put_timestamp(const struct access_session *session, struct buffer *ret_timestamp)
{
    buffer_put_byte(ret_timestamp, '<');
    buffer_put_hex(ret_timestamp, slice_of(session->nonce, sizeof(session->nonce)));
    buffer_put_byte(ret_timestamp, '@');
    buffer_put(ret_timestamp, slice_first(session->role->options.hostname,
                                          ACCESS_TIMESTAMP_MAX - 3 - 2 * sizeof(session->nonce)));
    buffer_put_byte(ret_timestamp, '>');
}

void
access_session_open(struct access_role *role, enum role_service service, struct host_stream *stream)
{
    struct host_address peer;

    host_stream_peer(stream, &peer);
    bool is_trusted = peer.family == HOST_FAMILY_UNIX ||
                      config_networks_contain(&role->config->trusted_networks, &peer);
    if (is_tls_at_once(service) && !identity_is_there(&role->identity)) {
        refuse(role, service, stream, &peer, "TLS is not available now");
        return;
    }
    const char *reason = reason_to_refuse(role, &peer, is_trusted);
    if (reason) {
        refuse(role, service, stream, &peer, reason);
        return;
    }
    struct access_session *session = calloc(1, sizeof(*session));
    if (!session)
        abort();
    session->role = role;
    session->service = service;
    session->peer = peer;
    session->is_trusted = is_trusted;
    session->opened = host_now(role->host);
    session->close = POP3_CLOSE_SERVER;
    session->slot = slots_take(&role->sessions, session);
    role->sessions_total++;
    begin(session, stream);
}

struct access_session *
access_session_find(struct access_role *role, uint64_t request)
{
    uint64_t slot = request & (((uint64_t)1 << ACCESS_SLOT_BITS) - 1);
    struct access_session *session = slots_at(&role->sessions, slot);

    if (!session || session->waiting == WAITING_NOT)
        return NULL;
    if (session->waiting == WAITING_IMAP)
        return request >= session->request_first && request <= session->request ? session : NULL;
    return session->request == request ? session : NULL;
}

void
access_session_stop(struct access_session *session)
{
    if (session->imap)
        imap_server_stop(session->imap, host_now(session->role->host));
    else
        pop3_server_stop(session->engine, host_now(session->role->host));
    connection_wake(session->connection);
}
