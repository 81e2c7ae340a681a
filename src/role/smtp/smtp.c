/* SPDX-License-Identifier: ISC */
/* The role `smtp`: its channels, its listeners, its limits as a whole. */
#include "role/smtp/claim.h"
#include "role/smtp/head.h"

#include <stdlib.h>

enum {
    NOTE_ARENA_MAX = 4 * 1024 * 1024,
    STRESS_PARTS =
        4, /* stress begins when fewer than one part in four of connections_max is free */
    SIDE_ANSWERING = 1,
};

/* ---- channels -------------------------------------------------------------------------------- */

/* The role whose answer the session waits for; NULL when it waits for none. */
static const struct smtp_peer_role *
awaited_of(const struct smtp_session *session)
{
    const struct smtp_role *role = session->role;

    switch (session->waiting) {
    case WAITING_NOT:
        return NULL;
    case WAITING_AUTH:
        return &role->auth;
    case WAITING_RECIPIENT:
    case WAITING_VERIFY:
    case WAITING_NAMES:
    case WAITING_SENDER:
    case WAITING_AUTHOR:
    case WAITING_SIGNER:
        return &role->route;
    case WAITING_QUOTA:
    case WAITING_FLUSH:
    case WAITING_URL:
    case WAITING_TURN:
    case WAITING_PROBE:
    case WAITING_ROOM:
    case WAITING_FILED:
        break;
    }
    return &role->store;
}

/* Everybody who waits for that role hears "later": whether it did its work is not known. */
static void
lose(struct smtp_role *role, struct smtp_peer_role *peer)
{
    struct smtp_session *session;

    host_channel_close(&peer->channel);
    note_ledger_finish(&peer->ledger);
    if (peer == &role->route)
        answers_forget(&role->answers);
    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (awaited_of(session) == peer)
            smtp_session_give_up(session);
        if (peer == &role->auth)
            session->auth_request = 0;
    }
}

static void
on_bad_note(struct smtp_role *role, struct smtp_peer_role *peer, host_handle handle,
            const char *name)
{
    host_handle_close(role->host, handle);
    log_event(role->host, HOST_LEVEL_ERROR, "bad_note", "from", slice_of_string(name));
    lose(role, peer);
}

static void
on_route_note(void *context, struct slice bytes, host_handle handle)
{
    struct smtp_role *role = context;
    struct smtp_route_note note;
    struct smtp_session *session;

    arena_reset(&role->note_arena);
    if (!smtp_route_take(bytes, handle, SIDE_ANSWERING, &role->route.ledger, &role->note_arena,
                         &note)) {
        on_bad_note(role, &role->route, handle, "route");
        return;
    }
    if (note.kind == SMTP_ROUTE_CHANGED)
        answers_forget(&role->answers);
    if (note.kind == SMTP_ROUTE_ROUTE && (session = smtp_session_find(role, note.as.route.id)))
        smtp_session_on_route(session, &note.as.route);
    if (note.kind == SMTP_ROUTE_CLAIMED && (session = smtp_session_find(role, note.as.claimed.id)))
        claim_on_claimed(session, &note.as.claimed);
    if (note.kind == SMTP_ROUTE_NAMED && (session = smtp_session_find(role, note.as.named.id)))
        smtp_session_on_named(session, &note.as.named);
    if (note.kind == SMTP_ROUTE_VERIFIED &&
        (session = smtp_session_find(role, note.as.verified.id)))
        smtp_session_on_verified(session, &note.as.verified);
}

static void
on_auth_note(void *context, struct slice bytes, host_handle handle)
{
    struct smtp_role *role = context;
    struct smtp_auth_note note;
    struct smtp_session *session;

    arena_reset(&role->note_arena);
    if (!smtp_auth_take(bytes, handle, SIDE_ANSWERING, &role->auth.ledger, &role->note_arena,
                        &note)) {
        on_bad_note(role, &role->auth, handle, "auth");
        return;
    }
    /* Every note of auth begins with the session it is about. */
    if (note.kind == SMTP_AUTH_CHALLENGE &&
        (session = smtp_session_find(role, note.as.challenge.session)))
        smtp_session_on_challenge(session, &note.as.challenge);
    if (note.kind == SMTP_AUTH_FAILED &&
        (session = smtp_session_find(role, note.as.failed.session)))
        smtp_session_on_failed(session, &note.as.failed);
    if (note.kind == SMTP_AUTH_GRANTED &&
        (session = smtp_session_find(role, note.as.granted.session)))
        smtp_session_on_granted(session, &note.as.granted);
}

static void
take_turned(struct smtp_role *role, const struct smtp_store_turned *note, host_handle handle)
{
    struct smtp_session *session = smtp_session_find(role, note->id);

    if (session)
        smtp_session_on_turned(session, note, handle);
    else
        host_handle_close(role->host, handle);
}

static void
on_store_note(void *context, struct slice bytes, host_handle handle)
{
    struct smtp_role *role = context;
    struct smtp_store_note note;

    arena_reset(&role->note_arena);
    if (!smtp_store_take(bytes, handle, SIDE_ANSWERING, &role->store.ledger, &role->note_arena,
                         &note)) {
        on_bad_note(role, &role->store, handle, "store");
        return;
    }
    if (note.kind == SMTP_STORE_FLUSHED) {
        struct smtp_session *asker = smtp_session_find(role, note.as.flushed.id);
        if (asker)
            smtp_session_on_flushed(asker, &note.as.flushed);
        return;
    }
    if (note.kind == SMTP_STORE_FETCHED) {
        struct smtp_session *asker = smtp_session_find(role, note.as.fetched.id);
        if (asker && asker->waiting == WAITING_URL)
            smtp_session_on_fetched(asker, &note.as.fetched);
        host_handle_close(role->host, handle);
        return;
    }
    if (note.kind == SMTP_STORE_TURNED) {
        take_turned(role, &note.as.turned, handle);
        return;
    }
    if (note.kind == SMTP_STORE_PROBED) {
        struct smtp_session *asker = smtp_session_find(role, note.as.probed.id);
        if (asker)
            smtp_session_on_probed(asker, &note.as.probed);
        return;
    }
    bool is_room = note.kind == SMTP_STORE_HAS_ROOM;
    struct smtp_session *session =
        smtp_session_find(role, is_room ? note.as.has_room.id : note.as.filed.id);
    if (!session || session->waiting != (is_room ? WAITING_QUOTA : WAITING_FILED))
        return;
    if (is_room) {
        smtp_session_take_room(session, note.as.has_room.has_room);
        return;
    }
    smtp_session_answer_body(session, &note.as.filed);
    connection_wake(session->connection);
}

/* The sessions that stood in line go on until the channel is full again. */
static void
on_store_room(void *context)
{
    struct smtp_role *role = context;

    LIST_EACH (link, &role->store.waiting) {
        if (host_channel_is_full(role->store.channel))
            return;
        struct smtp_session *session = LIST_ITEM(link, struct smtp_session, room_link);
        list_remove(link);
        smtp_session_submit(session);
        connection_wake(session->connection);
    }
}

static void
on_route_closed(void *context)
{
    struct smtp_role *role = context;
    lose(role, &role->route);
}

static void
on_auth_closed(void *context)
{
    struct smtp_role *role = context;
    lose(role, &role->auth);
}

static void
on_store_closed(void *context)
{
    struct smtp_role *role = context;
    lose(role, &role->store);
}

static const struct host_channel_handler route_handler = {on_route_note, on_route_closed, NULL};
static const struct host_channel_handler auth_handler = {on_auth_note, on_auth_closed, NULL};
static const struct host_channel_handler store_handler = {on_store_note, on_store_closed,
                                                          on_store_room};

static void
role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    struct smtp_role *role = state;
    bool is_route = peer == ROLE_ROUTE, is_auth = peer == ROLE_AUTH;
    struct smtp_peer_role *slot = is_route ? &role->route : is_auth ? &role->auth : &role->store;
    const struct host_channel_handler *handler = is_route  ? &route_handler
                                                 : is_auth ? &auth_handler
                                                           : &store_handler;

    if (peer == ROLE_KEYS) {
        identity_attach(&role->identity, handle);
        return;
    }
    assert(peer_index == 0 && (is_route || is_auth || peer == ROLE_STORE));
    if (slot->channel)
        lose(role, slot);
    slot->channel = host_channel_open(role->host, handle, handler, role);
}

/* ---- options --------------------------------------------------------------------------------- */

static uint32_t
seconds_of(struct duration duration)
{
    return (uint32_t)((duration.ns + 999999999) / 1000000000);
}

static enum smtp_verify_policy
policy_of(enum config_vrfy policy)
{
    switch (policy) {
    case CONFIG_VRFY_ALL:
        return SMTP_VERIFY_EVERYBODY;
    case CONFIG_VRFY_TRUSTED:
        return SMTP_VERIFY_AUTHENTICATED;
    case CONFIG_VRFY_REFUSE:
    case CONFIG_VRFY_CANNOT_TELL:
        break;
    }
    return SMTP_VERIFY_NOBODY;
}

static unsigned
mechanisms_of(uint32_t configured)
{
    return (configured & CONFIG_MECHANISM_PLAIN ? SMTP_AUTH_PLAIN : 0u) |
           (configured & CONFIG_MECHANISM_LOGIN ? SMTP_AUTH_LOGIN : 0u) |
           (configured & CONFIG_MECHANISM_SCRAM_SHA_256 ? SMTP_AUTH_SCRAM_SHA_256 : 0u) |
           (configured & CONFIG_MECHANISM_SCRAM_SHA_256_PLUS ? SMTP_AUTH_SCRAM_SHA_256_PLUS : 0u) |
           (configured & CONFIG_MECHANISM_SCRAM_SHA_1 ? SMTP_AUTH_SCRAM_SHA_1 : 0u) |
           (configured & CONFIG_MECHANISM_SCRAM_SHA_1_PLUS ? SMTP_AUTH_SCRAM_SHA_1_PLUS : 0u) |
           (configured & CONFIG_MECHANISM_OAUTHBEARER ? SMTP_AUTH_OAUTHBEARER : 0u) |
           (configured & CONFIG_MECHANISM_XOAUTH2 ? SMTP_AUTH_XOAUTH2 : 0u) |
           (configured & CONFIG_MECHANISM_EXTERNAL ? SMTP_AUTH_EXTERNAL : 0u);
}

/* Strangers' port 25 takes no passwords: who has one uses submission (RFC 6409). */
static void
set_options(struct smtp_role *role)
{
    const struct config *config = role->config;

    for (int service = SERVICE_SMTP; service <= SERVICE_LMTP; service++) {
        bool is_submission = service == SERVICE_SUBMISSION || service == SERVICE_SUBMISSIONS;
        role->options[service] = (struct smtp_server_options){
            .service = is_submission             ? SMTP_SERVICE_SUBMISSION
                       : service == SERVICE_LMTP ? SMTP_SERVICE_LMTP
                                                 : SMTP_SERVICE_SMTP,
            .hostname = config->hostname,
            .message_bytes_max = config->message_size_max,
            .recipients_max = config->recipients_max,
            .transactions_max = config->transactions_max,
            .errors_max = config->errors_max,
            .errors_free = config->tarpit_errors,
            .tarpit_ms = (uint32_t)(config->tarpit_delay.ns / 1000000),
            .command_timeout_s = seconds_of(config->smtp_command_timer),
            .body_timeout_s = seconds_of(config->smtp_data_block_timer),
            .session_max_s = seconds_of(config->smtp_session_max),
            .stress_timeout_s = seconds_of(config->smtp_stress_timer),
            .mechanisms = is_submission ? mechanisms_of(config->auth_mechanisms) : 0,
            .verify = policy_of(config->vrfy),
            .expand = policy_of(config->expn),
            .retry = config->etrn == CONFIG_ETRN_ALL       ? SMTP_VERIFY_EVERYBODY
                     : config->etrn == CONFIG_ETRN_TRUSTED ? SMTP_VERIFY_AUTHENTICATED
                                                           : SMTP_VERIFY_NOBODY,
            .has_tls = config->tls_certificate.len > 0,
            .is_auth_required = is_submission,
            .allows_auth_on_loopback = config->auth_plaintext_on_loopback,
            .is_obsolete_on = config->obsolete_commands,
            .offers_deliver_by = true,
            .offers_priority = true,
            .offers_burl = true,
            .offers_turn = is_submission && config->atrn.count > 0,
        };
    }
}

/* ---- the role's functions -------------------------------------------------------------------- */

static void
set_stress(struct smtp_role *role)
{
    uint64_t share = role_share(&role->start, role->config->connections_max);
    bool is_stressed = role->sessions.count * STRESS_PARTS > share * (STRESS_PARTS - 1);
    struct smtp_session *session;

    if (is_stressed == role->is_stressed)
        return;
    role->is_stressed = is_stressed;
    log_event(role->host, HOST_LEVEL_WARNING, "stress", "state",
              is_stressed ? SLICE("on") : SLICE("off"));
    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (!session->is_trusted)
            smtp_server_set_stress(session->engine, is_stressed);
    }
}

/* Every few seconds: who has waited too long for another role, who can be forgotten. */
static void
on_sweep(void *context)
{
    struct smtp_role *role = context;
    struct instant now = host_now(role->host);
    struct smtp_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (instant_is_before(smtp_session_patience(session), now))
            smtp_session_give_up(session);
    }
    peers_sweep(role->peers, now);
    if (role->sessions.count == 0) /* they cost memory, and at rest they spare nothing */
        answers_forget(&role->answers);
    set_stress(role);
    identity_set_time(&role->identity);
    host_timer_set(role->sweep, instant_after(now, duration_s(SMTP_SWEEP_S)));
}

static void
on_accept(void *owner, enum role_service service, struct host_stream *stream)
{
    struct smtp_role *role = owner;

    smtp_session_open(role, service, stream);
    set_stress(role);
}

static void *
role_open(const struct role_start *start)
{
    struct smtp_role *role = calloc(1, sizeof(*role));
    uint64_t seed;

    if (!role)
        abort();
    role->host = start->host;
    role->config = start->config;
    role->start = *start;
    list_init(&role->route.waiting);
    list_init(&role->auth.waiting);
    list_init(&role->store.waiting);
    arena_init(&role->note_arena, NOTE_ARENA_MAX);
    buffer_init(&role->note_buffer, HOST_NOTE_MAX);
    host_random(role->host, &seed, sizeof(seed));
    role->peers = peers_open(seed);
    answers_init(&role->answers, seed);
    role->shared = connection_shared_open(role->host);
    identity_init(&role->identity, role->host);
    acceptors_init(&role->acceptors, role->host, &role->config->proxy_networks, on_accept, role);
    role->sweep = host_timer_open(role->host, on_sweep, role);
    set_options(role);
    head_set_rules(role);
    return role;
}

static void
role_listen(void *state, enum role_service service, host_handle handle)
{
    struct smtp_role *role = state;

    acceptors_add(&role->acceptors, service, handle);
}

static void
role_tls(void *state, struct slice name, struct slice chain, struct slice key)
{
    struct smtp_role *role = state;

    (void)key; /* we are told none */
    identity_set(&role->identity, name, chain);
}

static bool
role_start(void *state)
{
    struct smtp_role *role = state;

    acceptors_pause(&role->acceptors, false);
    host_timer_set(role->sweep, host_now(role->host));
    return true;
}

static void
role_reload(void *state, const struct config *config)
{
    struct smtp_role *role = state;

    role->config = config;
    set_options(role);
    head_set_rules(role);
}

static void
role_stats(void *state, struct role_stats *stats)
{
    const struct smtp_role *role = state;

    role_stats_add(stats, "sessions", role->sessions.count);
    role_stats_add(stats, "sessions_total", role->sessions_total);
    role_stats_add(stats, "accepted", role->accepted);
    role_stats_add(stats, "refused", role->refused);
    role_stats_add(stats, "body_bytes", role->body_bytes);
}

/* Nobody new; everybody who is there hears 421 as soon as his open question is answered. */
static void
role_stop(void *state)
{
    struct smtp_role *role = state;
    struct smtp_session *session;

    role->is_stopping = true;
    acceptors_pause(&role->acceptors, true);
    if (role->sessions.count == 0) {
        host_stop(role->host);
        return;
    }
    for (size_t i = 0; (session = slots_next(&role->sessions, &i));)
        smtp_session_stop(session);
}

static void
role_close(void *state)
{
    struct smtp_role *role = state;
    struct smtp_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));)
        smtp_session_close(session);
    acceptors_close(&role->acceptors);
    struct smtp_peer_role *peers[] = {&role->route, &role->auth, &role->store};
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        host_channel_close(&peers[i]->channel);
        note_ledger_finish(&peers[i]->ledger);
    }
    host_timer_close(&role->sweep);
    connection_shared_close(&role->shared);
    identity_finish(&role->identity);
    peers_close(&role->peers);
    answers_finish(&role->answers);
    arena_finish(&role->note_arena);
    head_forget_rules(role);
    buffer_finish(&role->note_buffer);
    slots_finish(&role->sessions);
    free(role);
}

const struct role role_smtp = {
    .kind = ROLE_SMTP,
    .open = role_open,
    .attach = role_attach,
    .listen = role_listen,
    .tls = role_tls,
    .start = role_start,
    .reload = role_reload,
    .stats = role_stats,
    .stop = role_stop,
    .close = role_close,
};
