/* SPDX-License-Identifier: ISC */
/* One connection to one host: the client engine on a stream, with TLS as the job wants it, kept for
 * a moment for the next message that goes the same way. */
#include "role/transport/transport_role.h"

#include "host/log.h"
#include "sasl/scram.h"
#include "smtp/dialogue.h"
#include "tls/facts.h"

#include <stdlib.h>

enum {
    SESSION_ARENA_MAX = 64 * 1024,
    TLS_TEXT_MAX = 100,
    TLSA_MAX = 16,
    NAMES_MAX = 32,
    COMMAND_MAX = 2048
};

struct transport_session {
    struct list link;      /* in transport->sessions */
    struct list idle_link; /* in transport->idle */
    struct transport *transport;
    struct transport_job *job;               /* NULL while it is kept, and when it is ending */
    struct store_transport_attempt *attempt; /* the job's */
    struct arena arena;
    struct smtp_client *client;
    struct smtp_dialogue dialogue; /* only while the log wants it */
    bool has_dialogue;
    struct connection *connection;
    struct transport_manner manner;
    struct transport_turn *turn; /* ATRN; else NULL */
    struct slice key, host;
    struct host_address address;
    struct instant begun; /* of the job in hand */
    struct instant idle_until;
    size_t place; /* of the host, in the first job's list */
    unsigned messages;
    bool is_tls_asked, is_secured, is_closed;
};

/* ---- the engine, as the connection sees it ------------------------------------------------- */

static size_t
engine_feed(void *engine, struct slice input, struct instant now)
{
    struct transport_session *session = engine;
    size_t taken = smtp_client_feed(session->client, input, now);

    if (session->has_dialogue)
        smtp_dialogue_heard(&session->dialogue, slice_first(input, taken));
    return taken;
}

static struct slice
engine_output(const void *engine)
{
    const struct transport_session *session = engine;

    return smtp_client_output(session->client);
}

static void
engine_sent(void *engine, size_t len, struct instant now)
{
    struct transport_session *session = engine;

    if (session->has_dialogue)
        smtp_dialogue_said(&session->dialogue,
                           slice_first(smtp_client_output(session->client), len));
    smtp_client_sent(session->client, len, now);
}

static struct instant
engine_deadline(const void *engine)
{
    const struct transport_session *session = engine;

    return smtp_client_deadline(session->client);
}

static void
engine_expire(void *engine, struct instant now)
{
    struct transport_session *session = engine;

    smtp_client_expire(session->client, now);
}

/* Nothing keeps it busy: a server that has closed its side answers nothing any more. */
static const struct engine_kind engine_kind = {
    .feed = engine_feed,
    .output = engine_output,
    .sent = engine_sent,
    .deadline = engine_deadline,
    .expire = engine_expire,
};

/* ---- TLS ----------------------------------------------------------------------------------- */

static void
start_tls(struct transport_session *session)
{
    const struct store_transport_carry *carry = &session->job->carry;
    struct tls_tlsa tlsa[TLSA_MAX];
    struct slice names[NAMES_MAX];
    struct tls_expectation expectation = {
        .server_name = session->host, .names = names, .tlsa = tlsa};
    bool is_dane = !session->manner.is_verified && carry->tls == STORE_TRANSPORT_TLS_DANE &&
                   carry->hosts.at[session->place].is_secure;

    for (size_t i = 0; is_dane && i < carry->tlsa.count; i++) {
        const struct store_transport_tlsa *from = &carry->tlsa.at[i];
        if (from->host == session->place && expectation.tlsa_count < TLSA_MAX)
            tlsa[expectation.tlsa_count++] =
                (struct tls_tlsa){from->usage, from->selector, from->matching, from->data};
    }
    /* Patterns of a policy name hosts, not what stands in certificates (RFC 8461 §4.2). */
    bool has_names = session->manner.is_verified && session->job->policy.mode == ROUTING_STS_NONE;
    for (size_t i = 0; has_names && i < carry->verify_names.count && i < NAMES_MAX; i++)
        names[expectation.name_count++] = carry->verify_names.at[i].name;
    session->is_tls_asked = true;
    connection_start_tls_client(session->connection,
                                transport_tls(session->transport, session->manner.is_verified),
                                &expectation);
}

static void
describe_tls(struct transport_session *session)
{
    const struct tls_engine *tls = connection_tls(session->connection);
    struct buffer text;

    if (!tls || !session->attempt)
        return;
    buffer_init(&text, TLS_TEXT_MAX);
    buffer_put(&text, tls_engine_version(tls));
    buffer_put_byte(&text, ' ');
    buffer_put(&text, tls_engine_cipher(tls));
    session->attempt->tls = arena_copy(&session->job->arena, buffer_slice(&text));
    session->attempt->tls_result = tls_engine_is_verified(tls)
                                       ? STORE_TRANSPORT_TLS_RESULT_VERIFIED
                                       : STORE_TRANSPORT_TLS_RESULT_ENCRYPTED;
    buffer_finish(&text);
}

static void
bind_channel(struct transport_session *session, const struct tls_engine *tls)
{
    struct buffer binding;

    buffer_init(&binding, TLS_BINDING_MAX);
    for (enum tls_binding kind = TLS_BINDING_EXPORTER; kind <= TLS_BINDING_END_POINT; kind++) {
        if (!tls_engine_put_binding(tls, kind, &binding))
            continue;
        smtp_client_bind(session->client, tls_binding_name(kind), buffer_slice(&binding));
        break;
    }
    buffer_finish(&binding);
}

static void
on_secured(void *owner)
{
    struct transport_session *session = owner;
    struct transport *transport = session->transport;
    const struct tls_engine *tls = connection_tls(session->connection);
    struct instant now = host_now(transport->start.host);

    session->is_secured = true;
    transport->tls_sessions++;
    transport->tls_verified_sessions += tls_engine_is_verified(tls);
    describe_tls(session);
    bind_channel(session, tls);
    smtp_client_set_verified(session->client, tls_engine_is_verified(tls));
    if (session->manner.is_implicit)
        smtp_client_connected(session->client, now);
    else
        smtp_client_tls_started(session->client, now);
    if (session->has_dialogue)
        smtp_dialogue_secured(&session->dialogue);
}

/* RFC 8460 §4.3 */
static enum store_transport_tls_result
tls_result_of(enum tls_fault fault)
{
    switch (fault) {
    case TLS_FAULT_HOST_MISMATCH:
        return STORE_TRANSPORT_TLS_RESULT_HOST_MISMATCH;
    case TLS_FAULT_EXPIRED:
        return STORE_TRANSPORT_TLS_RESULT_EXPIRED;
    case TLS_FAULT_NOT_TRUSTED:
        return STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED;
    case TLS_FAULT_TLSA:
        return STORE_TRANSPORT_TLS_RESULT_TLSA_INVALID;
    case TLS_FAULT_OTHER:
        break;
    }
    return STORE_TRANSPORT_TLS_RESULT_VALIDATION;
}

/* ---- the job ------------------------------------------------------------------------------- */

static uint32_t
ms_since(const struct transport_session *session)
{
    struct instant now = host_now(session->transport->start.host);

    return (uint32_t)(instant_since(now, session->begun).ns / duration_ms(1).ns);
}

/* The job has what this session can give it. */
static void
release_job(struct transport_session *session, bool is_tls_failure)
{
    struct transport_job *job = session->job;
    struct smtp_client_reply last = smtp_client_last_reply(session->client);

    if (!job)
        return;
    session->attempt->duration_ms = ms_since(session);
    if (session->attempt->text.len == 0) {
        session->attempt->code = last.code;
        session->attempt->text = arena_copy(&job->arena, slice_first(last.text, 300));
    }
    session->job = NULL;
    session->attempt = NULL;
    job_session_over(job, is_tls_failure);
}

static void
keep(struct transport_session *session)
{
    struct transport *transport = session->transport;
    struct instant now = host_now(transport->start.host);

    bool is_needed =
        session->messages >= TRANSPORT_MESSAGES_MAX || !list_is_empty(&transport->waiting);

    if (transport->is_stopping || (is_needed && !session->turn)) {
        smtp_client_quit(session->client, now);
        return;
    }
    session->idle_until = instant_after(now, duration_ms(TRANSPORT_IDLE_MS));
    list_append(&transport->idle, &session->idle_link);
    if (transport->idle.next == &session->idle_link)
        host_timer_set(transport->idle_timer, session->idle_until);
}

static bool
is_errand(const struct transport_job *job)
{
    return job->carry.errand != STORE_TRANSPORT_ERRAND_NONE;
}

/* What the errand says next, or nothing more: then the session is kept. */
static void
go_on_errand(struct transport_session *session, const struct smtp_client_event *event)
{
    struct smtp_client_facts facts = smtp_client_facts(session->client);
    struct instant now = host_now(session->transport->start.host);
    struct buffer command;

    buffer_init(&command, COMMAND_MAX);
    bool has_more = event ? errand_answered(session->job, event, &command)
                          : errand_begin(session->job, &facts, &command);
    if (has_more)
        smtp_client_ask(session->client, buffer_slice(&command), now);
    buffer_finish(&command);
    if (has_more)
        return;
    keep(session);
    release_job(session, false);
}

static void
carry(struct transport_session *session)
{
    if (is_errand(session->job)) {
        go_on_errand(session, NULL);
        return;
    }
    session->messages++;
    session->job->rounds++;
    job_make_message(session->job);
    smtp_client_carry(session->client, &session->job->message,
                      host_now(session->transport->start.host));
}

static void
on_done(struct transport_session *session)
{
    struct transport_job *job = session->job;

    if (!smtp_client_facts(session->client).is_ready)
        return; /* CLOSE comes next */
    if (job->wants_more && job->has_progress && job->rounds < TRANSPORT_ROUNDS_MAX) {
        carry(session);
        return;
    }
    if (session->turn) {
        release_job(session, false);
        if (!session->job && !turn_go_on(session->turn))
            keep(session);
        return;
    }
    keep(session);
    release_job(session, false);
}

static void
on_close(struct transport_session *session, const struct smtp_client_event *event)
{
    struct transport_job *job = session->job;

    session->is_closed = true;
    if (job && !smtp_client_facts(session->client).has_tried) {
        /* Whatever a host says before it has seen a message concerns the host. */
        struct envelope_status status = ENVELOPE_STATUS(4, 4, 2);
        if (envelope_status_is_given(event->reply.status))
            status = ENVELOPE_STATUS(4, event->reply.status.subject, event->reply.status.detail);
        job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, event->reply.code, status,
                    event->reply.text);
        if (job->reach == STORE_TRANSPORT_REACH_UNREACHABLE)
            job->reach = STORE_TRANSPORT_REACH_REFUSED;
    }
    if (job && session->attempt->text.len == 0) {
        session->attempt->code = event->reply.code;
        session->attempt->text = arena_copy(&job->arena, slice_first(event->reply.text, 300));
    }
    if (job && event->close == SMTP_CLIENT_CLOSE_INSECURE)
        session->attempt->tls_result = STORE_TRANSPORT_TLS_RESULT_NOT_SUPPORTED;
}

static void
handle_event(struct transport_session *session, const struct smtp_client_event *event)
{
    switch (event->kind) {
    case SMTP_CLIENT_EVENT_STARTTLS:
        start_tls(session);
        break;
    case SMTP_CLIENT_EVENT_READY:
        carry(session);
        break;
    case SMTP_CLIENT_EVENT_CONVERT:
        smtp_client_convert(session->client, job_convert(session->job),
                            host_now(session->transport->start.host));
        break;
    case SMTP_CLIENT_EVENT_ANSWER:
        go_on_errand(session, event);
        break;
    case SMTP_CLIENT_EVENT_RESULT:
        job_take_result(session->job, event);
        break;
    case SMTP_CLIENT_EVENT_DONE:
        on_done(session);
        break;
    case SMTP_CLIENT_EVENT_CLOSE:
        on_close(session, event);
        break;
    }
}

static void
on_process(void *owner)
{
    struct transport_session *session = owner;
    struct smtp_client_event event;

    while (smtp_client_next(session->client, &event))
        handle_event(session, &event);
    if (session->is_closed) {
        connection_finish(session->connection);
        release_job(session, false);
    }
}

/* The handshake has failed, or a record behind it. */
static void
note_tls_failure(struct transport_session *session)
{
    struct slice problem = connection_problem(session->connection);
    struct transport_job *job = session->job;

    session->transport->tls_failures++;
    if (!job)
        return;
    session->attempt->tls_result = tls_result_of(connection_fault(session->connection));
    session->attempt->text = arena_copy(&job->arena, slice_first(problem, 300));
    job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 7, 5),
                session->attempt->text);
    if (job->reach == STORE_TRANSPORT_REACH_UNREACHABLE)
        job->reach = STORE_TRANSPORT_REACH_REFUSED;
}

static void
on_closed(void *owner, enum connection_end end)
{
    struct transport_session *session = owner;
    struct transport *transport = session->transport;
    struct smtp_client_event event;
    bool is_tls_failure = end == CONNECTION_END_TLS && !session->is_secured;

    if (!session->is_closed)
        smtp_client_input_ended(session->client);
    while (smtp_client_next(session->client, &event))
        handle_event(session, &event);
    if (end == CONNECTION_END_TLS)
        note_tls_failure(session);
    list_remove(&session->idle_link);
    list_remove(&session->link);
    list_init(&session->link);
    transport->session_count--;
    struct transport_turn *turn = session->turn;
    release_job(session, is_tls_failure);
    if (turn)
        turn_over(turn);
    session_close(&session);
    transport_work_waiting(transport);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void
log_dialogue(void *context, bool is_server, struct slice text)
{
    const struct transport_session *session = context;
    struct log_line line;

    log_begin(&line, session->transport->start.host, HOST_LEVEL_DEBUG,
              is_server ? "heard" : "said");
    if (session->job)
        log_text(&line, "id", session->job->carry.queue_id);
    log_text(&line, "host", session->host);
    log_text(&line, "line", text);
    log_end(&line);
}

/* What both sides say goes to the log of who wants to see everything, but for addresses where these
 * are masked. */
static void
open_dialogue(struct transport_session *session)
{
    const struct config *config = session->transport->start.config;

    session->has_dialogue = config->log_level == CONFIG_LOG_DEBUG && !config->log_mask_addresses;
    if (session->has_dialogue)
        smtp_dialogue_init(&session->dialogue, log_dialogue, session);
}

static void
open_client(struct transport_session *session)
{
    const struct store_transport_carry *carry = &session->job->carry;
    struct transport *transport = session->transport;
    uint8_t random[SASL_NONCE_RANDOM_LEN], nonce[SASL_NONCE_LEN];

    host_random(transport->start.host, random, sizeof(random));
    struct smtp_client_options options = {
        .hostname = arena_copy(&session->arena, transport->start.config->hostname),
        .tls = session->manner.tls,
        .is_lmtp = carry->carrier == STORE_TRANSPORT_CARRIER_LMTP,
        .is_secure = session->manner.is_implicit,
        .name = arena_copy(&session->arena, carry->auth_name),
        .password = arena_copy(&session->arena, carry->auth_secret),
        .nonce = arena_copy(&session->arena, sasl_nonce_format(random, nonce)),
    };
    if (is_errand(session->job))
        options.times = (struct smtp_client_times){
            .greeting_s = TRANSPORT_ERRAND_REPLY_S,
            .hello_s = TRANSPORT_ERRAND_REPLY_S,
            .rcpt_s = TRANSPORT_ERRAND_REPLY_S,
        };
    session->client = smtp_client_open(&options);
}

/* What the host has said before its connection was handed over. */
static void
feed_early(struct transport_session *session, const struct transport_stream *stream)
{
    struct slice early = slice_of(stream->early, stream->early_len);

    while (early.len > 0) {
        size_t taken = engine_feed(session, early, host_now(session->transport->start.host));
        if (taken == 0)
            break; /* an event waits, which is CLOSE: nothing else comes so early */
        early = slice_skip(early, taken);
    }
}

void
session_open(struct transport_job *job, struct transport_stream *stream, size_t host,
             struct transport_manner manner)
{
    static const struct connection_owner owner_kind = {
        .process = on_process, .secured = on_secured, .closed = on_closed};
    struct transport *transport = job->transport;
    struct transport_session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    session->transport = transport;
    session->job = job;
    job->session = session;
    session->manner = manner;
    session->place = host;
    session->address = stream->address;
    session->begun = stream->begun;
    session->attempt = stream->attempt;
    arena_init(&session->arena, SESSION_ARENA_MAX);
    session->key = arena_copy(&session->arena, job->key);
    session->host = arena_copy(&session->arena, job->carry.hosts.at[host].name);
    list_init(&session->idle_link);
    list_append(&transport->sessions, &session->link);
    transport->session_count++;
    open_client(session);
    open_dialogue(session);
    session->connection = connection_open(&(struct connection_options){
        .shared = transport->shared,
        .stream = stream->stream,
        .engine_kind = &engine_kind,
        .engine = session,
        .owner_kind = &owner_kind,
        .owner = session,
    });
    if (manner.is_verified && !transport_tls(transport, true)) {
        session->is_closed = true;
        job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 7, 5),
                    SLICE("there are no certificates to trust here (outbound_trust)"));
        connection_drop(session->connection);
    } else if (manner.is_implicit) {
        start_tls(session);
    } else {
        smtp_client_connected(session->client, host_now(transport->start.host));
        feed_early(session, stream);
    }
    connection_wake(session->connection);
}

struct transport_session *
session_find(struct transport *transport, struct slice key)
{
    /* The youngest: it is the least likely to be given up by the host. */
    for (struct list *link = transport->idle.previous; link != &transport->idle;
         link = link->previous) {
        struct transport_session *session = LIST_ITEM(link, struct transport_session, idle_link);
        if (!session->turn && slice_equal(session->key, key) &&
            smtp_client_facts(session->client).is_ready &&
            !connection_is_ending(session->connection))
            return session;
    }
    return NULL;
}

void
session_take(struct transport_session *session, struct transport_job *job)
{
    list_remove(&session->idle_link);
    session->job = job;
    job->session = session;
    session->begun = host_now(session->transport->start.host);
    session->attempt = job_attempt(job, arena_copy(&job->arena, session->host), &session->address);
    session->attempt->is_connected = session->attempt->is_reused = true;
    session->transport->reused++;
    describe_tls(session);
    carry(session);
    connection_wake(session->connection);
}

bool
session_is_free(const struct transport_session *session)
{
    return !session->job && smtp_client_facts(session->client).is_ready &&
           !connection_is_ending(session->connection);
}

void
session_set_turn(struct transport_session *session, struct transport_turn *turn)
{
    session->turn = turn;
}

struct transport_session *
session_first(struct transport *transport)
{
    return LIST_ITEM(transport->sessions.next, struct transport_session, link);
}

void
session_close(struct transport_session **session)
{
    struct transport_session *old = *session;

    list_remove(&old->link);
    list_remove(&old->idle_link);
    connection_close(&old->connection);
    smtp_client_close(&old->client);
    if (old->has_dialogue)
        smtp_dialogue_finish(&old->dialogue);
    arena_wipe(&old->arena);
    free(old);
    *session = NULL;
}

static void
quit(struct transport_session *session)
{
    list_remove(&session->idle_link);
    smtp_client_quit(session->client, host_now(session->transport->start.host));
    connection_wake(session->connection);
}

void
session_quit_oldest(struct transport *transport)
{
    if (!list_is_empty(&transport->idle))
        quit(LIST_ITEM(transport->idle.next, struct transport_session, idle_link));
}

void
session_quit_idle(struct transport *transport)
{
    while (!list_is_empty(&transport->idle))
        quit(LIST_ITEM(transport->idle.next, struct transport_session, idle_link));
}

void
session_expire_idle(struct transport *transport)
{
    struct instant now = host_now(transport->start.host);

    while (!list_is_empty(&transport->idle)) {
        struct transport_session *session =
            LIST_ITEM(transport->idle.next, struct transport_session, idle_link);
        if (instant_is_before(now, session->idle_until)) {
            host_timer_set(transport->idle_timer, session->idle_until);
            return;
        }
        quit(session);
    }
}
