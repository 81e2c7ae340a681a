/* SPDX-License-Identifier: ISC */
/* What the engine of a session tells or asks: each question is passed on to route, auth or store,
 * or answered here. */
#include "envelope/received.h"
#include "host/address.h"
#include "role/evidence.h"
#include "role/smtp/claim.h"
#include "role/smtp/head.h"
#include "role/smtp/sign.h"
#include "tls/facts.h"

#define NO_MEMORY "too many messages are in transit, try again later"

enum {
    PREFIX_MAX = SMTP_STORE_SUBMIT_PREFIX_MAX,
    MISSING_FIELDS_MAX = 512,
    RECEIVED_MAX = 100, /* servers behind a message (RFC 5321 §6.3) */
};

/* A new request id: it finds its session again, and is never used twice. */
static uint64_t
new_request(struct smtp_session *session)
{
    return ++session->role->request_count << SMTP_SLOT_BITS | session->slot;
}

static void
wait_for(struct smtp_session *session, enum smtp_waiting waiting, uint64_t request)
{
    session->waiting = waiting;
    session->request = request;
    session->waiting_since = host_now(session->role->host);
}

/* Sends the note that was put; false when there is nobody to send it to. */
static bool
send(struct smtp_role *role, struct smtp_peer_role *to, bool is_put)
{
    bool is_sent = is_put && to->channel;

    if (is_sent)
        host_channel_send(to->channel, buffer_slice(&role->note_buffer), HOST_HANDLE_NONE);
    buffer_clear(&role->note_buffer);
    return is_sent;
}

static void
on_mail(struct smtp_session *session, const struct smtp_event *event)
{
    struct envelope_mail_parameters parameters = *event->mail.parameters;
    struct smtp_verdict verdict = smtp_session_check_wishes(session, &parameters);

    smtp_session_drop_transaction(session);
    if (verdict.code >= 400) {
        smtp_session_answer(session, &verdict);
        return;
    }
    session->transaction = transaction_open(session->role->host, event->mail.path, &parameters);
    session->transaction->reverse_path = head_address(session, session->transaction->reverse_path);
    claim_take_mail(session, &verdict);
}

/* Source routes stay behind (RFC 5321 §4.1.1.3), unless the operator has them followed. */
static struct slice
address_in_question(const struct smtp_session *session)
{
    const struct envelope_path *path = session->rcpt_path;
    struct buffer text;

    if (path->route.len == 0 || session->role->config->source_routes != CONFIG_ROUTES_HONOUR)
        return head_address(session, path->canonical);
    buffer_init(&text, SMTP_ROUTE_RECIPIENT_ADDRESS_MAX);
    buffer_put(&text, path->route);
    buffer_put_byte(&text, ':');
    buffer_put(&text, path->canonical);
    struct slice address = buffer_overflowed(&text)
                               ? path->canonical
                               : arena_copy(&session->transaction->arena, buffer_slice(&text));
    buffer_finish(&text);
    return address;
}

struct smtp_route_recipient
smtp_session_question(const struct smtp_session *session)
{
    return (struct smtp_route_recipient){
        .address = address_in_question(session),
        .is_authenticated = session->account != 0,
        .account = session->account,
        .is_trusted_network = session->is_relay,
        .sender = session->transaction->reverse_path,
        .takes_remote = true,
    };
}

static void
on_rcpt(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;

    session->rcpt_path = event->rcpt.path;
    session->rcpt_parameters = event->rcpt.parameters;
    if (event->rcpt.path->route.len > 0 && role->config->source_routes == CONFIG_ROUTES_REFUSE) {
        smtp_session_answer(session,
                            &(struct smtp_verdict){.code = 553,
                                                   .status = ENVELOPE_STATUS(5, 1, 3),
                                                   .text = SLICE("no source routes here")});
        return;
    }
    struct smtp_route_recipient note = smtp_session_question(session);
    const struct smtp_route_route *known = answers_find(&role->answers, &note);
    if (known) {
        smtp_session_take_route(session, known);
        return;
    }
    note.id = new_request(session);
    if (send(role, &role->route,
             smtp_route_put_recipient(&role->note_buffer, &role->route.ledger, &note)))
        wait_for(session, WAITING_RECIPIENT, note.id);
    else
        smtp_session_answer(session, &smtp_try_later);
}

bool
smtp_session_ask_room(struct smtp_session *session, const struct smtp_route_target *target)
{
    struct smtp_role *role = session->role;
    struct smtp_store_room note = {
        .id = new_request(session),
        .account = target->account,
        .bytes = session->transaction->declared_bytes,
        .quota_bytes = target->quota_bytes,
        .quota_messages = target->quota_messages,
    };

    if (!role->store.channel || host_channel_is_full(role->store.channel) ||
        !send(role, &role->store,
              smtp_store_put_room(&role->note_buffer, &role->store.ledger, &note)))
        return false;
    wait_for(session, WAITING_QUOTA, note.id);
    return true;
}

bool
smtp_session_ask_turn(struct smtp_session *session, struct slice domains)
{
    struct smtp_role *role = session->role;
    struct smtp_store_turn note = {.id = new_request(session), .domains = domains};

    if (!send(role, &role->store,
              smtp_store_put_turn(&role->note_buffer, &role->store.ledger, &note)))
        return false;
    wait_for(session, WAITING_TURN, note.id);
    return true;
}

bool
smtp_session_ask_ahead(struct smtp_session *session, struct slice address)
{
    struct smtp_role *role = session->role;
    struct smtp_store_probe note = {.id = new_request(session), .address = address};

    session->probed = arena_copy(&session->transaction->arena, address);
    if (!role->store.channel || host_channel_is_full(role->store.channel) ||
        !send(role, &role->store,
              smtp_store_put_probe(&role->note_buffer, &role->store.ledger, &note)))
        return false;
    wait_for(session, WAITING_PROBE, note.id);
    return true;
}

static void
on_query(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;
    struct smtp_route_verify note = {
        .id = new_request(session),
        .query = event->query,
        .expand = event->kind == SMTP_EVENT_EXPAND,
    };

    if (send(role, &role->route,
             smtp_route_put_verify(&role->note_buffer, &role->route.ledger, &note)))
        wait_for(session, WAITING_VERIFY, note.id);
    else
        smtp_session_answer(session, &smtp_try_later);
}

static void
on_names(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;
    struct smtp_route_names note = {
        .id = new_request(session),
        .account = session->account,
        .domain = event->names.domain,
        .serial = event->names.serial,
        .from = event->names.from,
    };

    if (send(role, &role->route,
             smtp_route_put_names(&role->note_buffer, &role->route.ledger, &note)))
        wait_for(session, WAITING_NAMES, note.id);
    else
        smtp_session_answer(session, &smtp_try_later);
}

static void
on_retry(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;
    struct smtp_store_flush note = {.id = new_request(session), .domain = event->query};

    if (send(role, &role->store,
             smtp_store_put_flush(&role->note_buffer, &role->store.ledger, &note)))
        wait_for(session, WAITING_FLUSH, note.id);
    else
        smtp_session_answer(session, &smtp_try_later);
}

/* What belongs to no message. */
static void
on_errand(struct smtp_session *session, const struct smtp_event *event)
{
    if (event->kind == SMTP_EVENT_RETRY)
        on_retry(session, event);
    else if (event->kind == SMTP_EVENT_NAMES)
        on_names(session, event);
    else
        smtp_session_on_turn(session, event->query);
}

/* 454 is the code that RFC 4954 §4.7 has for "not now". */
static void
answer_auth_away(struct smtp_session *session)
{
    smtp_session_answer(session,
                        &(struct smtp_verdict){
                            .code = 454,
                            .status = ENVELOPE_STATUS(4, 7, 0),
                            .text = SLICE("passwords cannot be checked now, try again later"),
                        });
}

static void
on_auth_begin(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;
    const struct tls_engine *tls = connection_tls(session->connection);
    struct evidence evidence;
    struct smtp_auth_begin note = {
        .session = new_request(session),
        .mechanism = slice_of_string(event->auth.mechanism),
        .has_initial = event->auth.has_response,
        .initial = event->auth.response,
        .is_secure = tls != NULL,
        .peer = host_address_bytes(&session->peer),
        .service = SLICE("smtp"),
    };

    evidence_gather(&evidence, tls, note.mechanism);
    note.channel_binding = buffer_slice(&evidence.binding);
    note.channel_binding_kind = evidence.binding_kind;
    note.certificates = buffer_slice(&evidence.certificates);
    if (send(role, &role->auth,
             smtp_auth_put_begin(&role->note_buffer, &role->auth.ledger, &note))) {
        session->auth_request = note.session;
        wait_for(session, WAITING_AUTH, note.session);
    } else {
        answer_auth_away(session);
    }
    evidence_finish(&evidence);
}

static void
on_auth_step(struct smtp_session *session, const struct smtp_event *event)
{
    struct smtp_role *role = session->role;
    struct smtp_auth_step note = {.session = session->auth_request,
                                  .response = event->auth.response};

    if (send(role, &role->auth, smtp_auth_put_step(&role->note_buffer, &role->auth.ledger, &note)))
        wait_for(session, WAITING_AUTH, note.session);
    else
        answer_auth_away(session);
}

static void
abort_auth(struct smtp_session *session)
{
    struct smtp_role *role = session->role;
    struct smtp_auth_abort note = {.session = session->auth_request};

    if (session->auth_request)
        send(role, &role->auth, smtp_auth_put_abort(&role->note_buffer, &role->auth.ledger, &note));
    session->auth_request = 0;
}

static void
on_starttls(struct smtp_session *session)
{
    if (!identity_is_there(&session->role->identity)) {
        smtp_session_answer(session,
                            &(struct smtp_verdict){.code = 454,
                                                   .status = ENVELOPE_STATUS(4, 7, 0),
                                                   .text = SLICE("TLS is not available now")});
        return;
    }
    smtp_session_answer(session, &(struct smtp_verdict){0});
    connection_start_tls(session->connection, identity_context(&session->role->identity));
}

bool
smtp_session_ask_fetch(struct smtp_session *session, struct smtp_store_fetch *note)
{
    struct smtp_role *role = session->role;

    note->id = new_request(session);
    if (!role->store.channel || host_channel_is_full(role->store.channel) ||
        !send(role, &role->store,
              smtp_store_put_fetch(&role->note_buffer, &role->store.ledger, note)))
        return false;
    wait_for(session, WAITING_URL, note->id);
    return true;
}

const struct smtp_verdict smtp_verdict_no_memory = {
    .code = 452,
    .status = ENVELOPE_STATUS(4, 3, 1),
    .text = {(const uint8_t *)NO_MEMORY, sizeof(NO_MEMORY) - 1}};

/* Memory for messages is shared by all sessions: beyond its bound new ones have to wait. */
bool
smtp_session_has_memory(const struct smtp_session *session)
{
    const struct smtp_role *role = session->role;

    return role->body_bytes <= role_share(&role->start, role->config->body_memory_max);
}

static void
on_body_begin(struct smtp_session *session)
{
    claim_begin(session);
    sign_begin(session);
    smtp_session_answer(session, smtp_session_has_memory(session) ? &(struct smtp_verdict){0}
                                                                  : &smtp_verdict_no_memory);
}

static void
keep(struct smtp_session *session, struct slice piece)
{
    claim_take(session, piece);
    sign_take(session, piece);
    transaction_put_body(session->transaction, piece);
    session->role->body_bytes += piece.len;
}

/* What a message lacks that a user hands in. */
static void
keep_missing_fields(struct smtp_session *session)
{
    struct buffer fields;

    buffer_init(&fields, MISSING_FIELDS_MAX);
    envelope_completion_put(&session->transaction->completion, &fields,
                            host_wall(session->role->host), 0, smtp_session_queue_id(session),
                            session->role->options[session->service].hostname);
    keep(session, buffer_slice(&fields));
    buffer_finish(&fields);
}

static bool
is_submission(const struct smtp_session *session)
{
    return session->service == SERVICE_SUBMISSION || session->service == SERVICE_SUBMISSIONS;
}

void
smtp_session_keep_piece(struct smtp_session *session, struct slice piece)
{
    size_t offset = piece.len;
    bool has_ended = envelope_completion_scan(&session->transaction->completion, piece, &offset);

    head_take(session, slice_first(piece, offset), has_ended, keep);
    if (has_ended && is_submission(session))
        keep_missing_fields(session);
    keep(session, slice_skip(piece, offset));
}

/* The message is over; its header may be all of it. */
static void
end_head(struct smtp_session *session)
{
    bool is_all = envelope_completion_end(&session->transaction->completion);

    if (is_all)
        head_take(session, SLICE(""), true, keep);
    if (is_all && is_submission(session))
        keep_missing_fields(session);
    if (!session->transaction->is_head_over)
        head_give_up(session, keep);
}

void
smtp_session_drop_transaction(struct smtp_session *session)
{
    if (!session->transaction)
        return;
    session->role->body_bytes -=
        session->transaction->body_bytes + session->transaction->envelope_bytes;
    transaction_close(&session->transaction);
}

/* Return-Path: (final delivery keeps it, RFC 5321 §4.4) and Received:. */
static uint16_t
put_prefix(struct smtp_session *session, struct buffer *prefix)
{
    struct smtp_server_facts facts = smtp_server_facts(session->engine);
    const struct tls_engine *tls = connection_tls(session->connection);
    struct buffer client, tls_text;
    struct envelope_received received = {
        .helo = facts.helo,
        .by = session->role->options[session->service].hostname,
        .id = smtp_session_queue_id(session),
        .recipient = session->transaction->only_recipient,
        .date = host_wall(session->role->host),
        .is_lmtp = session->service == SERVICE_LMTP,
        .is_extended = facts.is_extended,
        .is_utf8 = session->transaction->parameters.is_utf8,
        .is_secure = tls != NULL,
        .is_authenticated = session->account != 0,
        .has_priority = session->transaction->parameters.has_priority,
        .priority = session->transaction->parameters.priority,
    };

    buffer_init(&client, 64);
    buffer_init(&tls_text, 128);
    if (session->peer.family == HOST_FAMILY_UNIX) {
        buffer_put_text(&client, "userid=");
        buffer_put_decimal(&client, session->peer.user);
        received.client_name = buffer_slice(&client);
    } else {
        host_address_put(&client, &session->peer);
        received.client_ip = buffer_slice(&client);
    }
    if (tls) {
        buffer_put(&tls_text, tls_engine_version(tls));
        buffer_put_byte(&tls_text, ' ');
        buffer_put(&tls_text, tls_engine_cipher(tls));
        received.tls = buffer_slice(&tls_text);
    }
    envelope_return_path_put(prefix, session->transaction->reverse_path);
    uint16_t return_path_len = (uint16_t)buffer_len(prefix);
    envelope_received_put(prefix, &received);
    buffer_finish(&client);
    buffer_finish(&tls_text);
    return return_path_len;
}

void
smtp_session_submit(struct smtp_session *session)
{
    struct smtp_role *role = session->role;
    struct buffer prefix;

    buffer_init(&prefix, PREFIX_MAX);
    struct transaction_submit want = {
        .id = new_request(session),
        .is_atomic = session->service != SERVICE_LMTP,
        .is_submission = is_submission(session),
        .prefix_return_path_len = put_prefix(session, &prefix),
    };
    if (!sign_put(session, &prefix)) {
        buffer_finish(&prefix);
        smtp_session_answer_body(session, NULL);
        return;
    }
    want.prefix = buffer_slice(&prefix);
    bool is_sent = transaction_submit(session->transaction, &want, role->store.channel,
                                      &role->store.ledger, &role->note_buffer);
    buffer_clear(&role->note_buffer);
    buffer_finish(&prefix);
    if (is_sent) {
        wait_for(session, WAITING_FILED, want.id);
        return;
    }
    struct log_line line;
    smtp_session_log(&line, session, HOST_LEVEL_ERROR, "body_lost");
    log_error(&line, "error", session->transaction->body_error);
    log_end(&line);
    smtp_session_answer_body(session, NULL);
}

/* "<team.example.org>" of the fields that a list adds; empty when they are none. */
static struct slice
list_id_of(struct slice fields)
{
    struct slice rest = slice_skip(fields, slice_find(fields, SLICE("List-Id:")));
    struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));

    line = slice_skip(line, slice_find_last_byte(line, '<'));
    return slice_first(line, slice_find_byte(line, '>') + 1);
}

/* A message that runs in a circle must not run on: each turn may make many of one. */
static bool
is_in_circle(const struct transaction *transaction)
{
    if (transaction->completion.received > RECEIVED_MAX)
        return true;
    for (uint32_t i = 0; i < transaction->group_count; i++) {
        if (envelope_completion_has_list(&transaction->completion,
                                         list_id_of(transaction->groups[i].fields)))
            return true;
    }
    return false;
}

void
smtp_session_hand_over(struct smtp_session *session)
{
    struct smtp_peer_role *store = &session->role->store;

    if (!store->channel) {
        smtp_session_answer_body(session, NULL);
    } else if (host_channel_is_full(store->channel)) {
        wait_for(session, WAITING_ROOM, new_request(session));
        list_append(&store->waiting, &session->room_link);
    } else {
        smtp_session_submit(session);
    }
}

bool
smtp_session_ask_claim(struct smtp_session *session, struct slice address,
                       enum smtp_waiting waiting)
{
    struct smtp_role *role = session->role;
    struct smtp_route_claim note = {
        .id = new_request(session), .account = session->account, .address = address};

    if (!send(role, &role->route,
              smtp_route_put_claim(&role->note_buffer, &role->route.ledger, &note)))
        return false;
    wait_for(session, waiting, note.id);
    return true;
}

static void
on_body_end(struct smtp_session *session)
{
    end_head(session);
    if (is_in_circle(session->transaction)) {
        smtp_session_refuse_body(
            session, &(struct smtp_verdict){.code = 554,
                                            .status = ENVELOPE_STATUS(5, 4, 6),
                                            .text = SLICE("the message runs in a circle: it has "
                                                          "been through here before")});
    } else {
        claim_take_end(session);
    }
}

static void
log_close(struct smtp_session *session, enum smtp_close_reason reason)
{
    static const char *const names[] = {
        [SMTP_CLOSE_QUIT] = "quit",         [SMTP_CLOSE_REFUSED] = "refused",
        [SMTP_CLOSE_TIMEOUT] = "timeout",   [SMTP_CLOSE_ERRORS] = "errors",
        [SMTP_CLOSE_LINE_END] = "line_end", [SMTP_CLOSE_PLAINTEXT] = "plaintext_behind_starttls",
        [SMTP_CLOSE_LIMIT] = "limit",       [SMTP_CLOSE_SHUTDOWN] = "shutdown",
        [SMTP_CLOSE_PROTOCOL] = "protocol", [SMTP_CLOSE_GONE] = "gone",
    };
    bool is_usual = reason == SMTP_CLOSE_QUIT || reason == SMTP_CLOSE_SHUTDOWN;
    struct log_line line;

    smtp_session_log(&line, session, is_usual ? HOST_LEVEL_DEBUG : HOST_LEVEL_NOTICE,
                     "session_closed");
    log_string(&line, "reason", names[reason]);
    log_end(&line);
}

/* Who connects is up again: mail may wait for it. Said once; when there is no room, not at all. */
static void
tell_of_arrival(struct smtp_session *session)
{
    struct smtp_role *role = session->role;
    struct smtp_store_arrived note = {.address = host_address_bytes(&session->peer)};

    if (session->is_arrival_told || session->peer.family == HOST_FAMILY_UNIX ||
        !role->store.channel || host_channel_is_full(role->store.channel))
        return;
    session->is_arrival_told = send(
        role, &role->store, smtp_store_put_arrived(&role->note_buffer, &role->store.ledger, &note));
}

void
smtp_session_on_event(struct smtp_session *session, const struct smtp_event *event)
{
    switch (event->kind) {
    case SMTP_EVENT_CONNECT:
        smtp_session_answer(session, &(struct smtp_verdict){0});
        break;
    case SMTP_EVENT_HELLO:
        tell_of_arrival(session);
        smtp_session_offer(session);
        smtp_session_answer(session, &(struct smtp_verdict){0});
        break;
    case SMTP_EVENT_STARTTLS:
        on_starttls(session);
        break;
    case SMTP_EVENT_AUTH_BEGIN:
        on_auth_begin(session, event);
        break;
    case SMTP_EVENT_AUTH_STEP:
        on_auth_step(session, event);
        break;
    case SMTP_EVENT_AUTH_ABORT:
        abort_auth(session);
        break;
    case SMTP_EVENT_MAIL:
        on_mail(session, event);
        break;
    case SMTP_EVENT_RCPT:
        on_rcpt(session, event);
        break;
    case SMTP_EVENT_VERIFY:
    case SMTP_EVENT_EXPAND:
        on_query(session, event);
        break;
    case SMTP_EVENT_RETRY:
    case SMTP_EVENT_NAMES:
    case SMTP_EVENT_TURN:
        on_errand(session, event);
        break;
    case SMTP_EVENT_BODY_BEGIN:
        on_body_begin(session);
        break;
    case SMTP_EVENT_URL:
        smtp_session_on_url(session, event->query);
        break;
    case SMTP_EVENT_BODY_PIECE:
        smtp_session_keep_piece(session, event->body);
        break;
    case SMTP_EVENT_BODY_END:
        on_body_end(session);
        break;
    case SMTP_EVENT_ABORT:
        smtp_session_drop_transaction(session);
        break;
    case SMTP_EVENT_CLOSE:
        log_close(session, event->reason);
        connection_finish(session->connection);
        break;
    case SMTP_EVENT_KINDS:
        break;
    }
}
