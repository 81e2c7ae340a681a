/* SPDX-License-Identifier: ISC */
/* The life of a session: what server.h promises. */
#include "smtp/server_private.h"

#include <stdlib.h>

static const bool kind_is_question[SMTP_EVENT_KINDS] = {
    [SMTP_EVENT_CONNECT] = true,    [SMTP_EVENT_HELLO] = true,     [SMTP_EVENT_STARTTLS] = true,
    [SMTP_EVENT_AUTH_BEGIN] = true, [SMTP_EVENT_AUTH_STEP] = true, [SMTP_EVENT_MAIL] = true,
    [SMTP_EVENT_RCPT] = true,       [SMTP_EVENT_VERIFY] = true,    [SMTP_EVENT_EXPAND] = true,
    [SMTP_EVENT_RETRY] = true,      [SMTP_EVENT_TURN] = true,      [SMTP_EVENT_NAMES] = true,
    [SMTP_EVENT_BODY_BEGIN] = true, [SMTP_EVENT_BODY_END] = true,  [SMTP_EVENT_URL] = true,
};

static const smtp_answered_fn answered[SMTP_EVENT_KINDS] = {
    [SMTP_EVENT_CONNECT] = smtp_answered_connect,
    [SMTP_EVENT_HELLO] = smtp_answered_hello,
    [SMTP_EVENT_STARTTLS] = smtp_answered_starttls,
    [SMTP_EVENT_AUTH_BEGIN] = smtp_answered_auth,
    [SMTP_EVENT_AUTH_STEP] = smtp_answered_auth,
    [SMTP_EVENT_MAIL] = smtp_answered_mail,
    [SMTP_EVENT_RCPT] = smtp_answered_rcpt,
    [SMTP_EVENT_VERIFY] = smtp_answered_verify,
    [SMTP_EVENT_EXPAND] = smtp_answered_verify,
    [SMTP_EVENT_RETRY] = smtp_answered_etrn,
    [SMTP_EVENT_TURN] = smtp_answered_atrn,
    [SMTP_EVENT_NAMES] = smtp_answered_names,
    [SMTP_EVENT_BODY_BEGIN] = smtp_answered_body_begin,
    [SMTP_EVENT_URL] = smtp_answered_url,
    [SMTP_EVENT_BODY_END] = smtp_answered_body_end,
};

struct smtp_server *
smtp_server_open(const struct smtp_server_options *options, const struct smtp_server_peer *peer,
                 struct instant now)
{
    struct smtp_server *server = calloc(1, sizeof(*server));

    if (!server)
        abort();
    server->options = options;
    server->peer = *peer;
    server->is_secure = peer->is_secure;
    server->helo = server->identity = server->identity_pending = SLICE("");
    /* One octet more than a line may have shows that it is too long. */
    buffer_init(&server->line, SMTP_SASL_LINE_MAX + 1);
    buffer_init(&server->output, OUTPUT_MAX);
    buffer_init(&server->kept, SMTP_SASL_LINE_MAX);
    arena_init(&server->session, SESSION_ARENA_MAX);
    arena_init(&server->letters, TRANSACTION_ARENA_MAX);
    arena_init(&server->recipient, RECIPIENT_ARENA_MAX);
    server->session_end = instant_after(now, smtp_limit_session_time(server));
    smtp_server_touch(server, now);
    smtp_server_raise(server, SMTP_EVENT_CONNECT);
    return server;
}

void
smtp_server_close(struct smtp_server **server_at)
{
    struct smtp_server *server = *server_at;

    *server_at = NULL;
    if (!server)
        return;
    buffer_wipe(&server->kept);
    buffer_wipe(&server->line);
    buffer_finish(&server->output);
    arena_finish(&server->session);
    arena_finish(&server->letters);
    arena_finish(&server->recipient);
    free(server);
}

struct slice
smtp_server_keep(struct smtp_server *server, struct slice bytes)
{
    buffer_clear(&server->kept);
    buffer_put(&server->kept, bytes);
    return buffer_slice(&server->kept);
}

void
smtp_server_raise(struct smtp_server *server, enum smtp_event_kind kind)
{
    assert(!server->has_event);
    server->has_event = true;
    server->event = (struct smtp_event){.kind = kind};
}

void
smtp_server_touch(struct smtp_server *server, struct instant now)
{
    bool is_body = server->state == STATE_TEXT || server->state == STATE_CHUNK;

    server->timer = instant_after(now, is_body ? smtp_limit_body_time(server)
                                               : smtp_limit_command_time(server));
}

void
smtp_server_abort(struct smtp_server *server)
{
    if (!server->transaction.is_open)
        return;
    server->transaction = (struct smtp_transaction){0};
    server->has_abort = true;
}

/* A small arena stays for the next message, a large one goes back. */
static void
reset_letters(struct smtp_server *server)
{
    if (server->letters.total > TRANSACTION_ARENA_KEPT)
        arena_finish(&server->letters);
    else
        arena_reset(&server->letters);
    arena_finish(&server->recipient);
}

void
smtp_server_conclude(struct smtp_server *server)
{
    server->transaction = (struct smtp_transaction){0};
    reset_letters(server);
}

void
smtp_server_shut(struct smtp_server *server, enum smtp_close_reason reason)
{
    if (server->state == STATE_CLOSED)
        return;
    smtp_server_abort(server);
    server->has_auth_abort = server->has_auth_abort || server->has_exchange;
    server->has_exchange = false;
    server->state = STATE_CLOSED;
    server->has_close = true;
    server->reason = reason;
}

static bool
can_take(const struct smtp_server *server)
{
    return !server->is_asking && !server->has_event && !server->has_abort &&
           !server->has_auth_abort && !server->is_held && server->state != STATE_TURNED &&
           buffer_len(&server->output) <= SMTP_OUTPUT_SOFT;
}

/* The end of a chunk has no octet of its own: it is seen when its last piece was taken. */
static void
finish_chunk(struct smtp_server *server)
{
    if (server->state == STATE_CHUNK && server->chunk_left == 0 && can_take(server))
        smtp_chunk_ended(server, server->now);
}

/* One line, piece or chunk. */
static size_t
take_step(struct smtp_server *server, struct slice input, struct instant now)
{
    switch (server->state) {
    case STATE_TEXT:
        return smtp_frame_text(server, input, now);
    case STATE_CHUNK:
        return smtp_frame_chunk(server, input, now);
    case STATE_TLS:
        /* It was said before the TLS handshake, by whoever sits on the line (RFC 3207 §6). */
        smtp_say(server, 554, ENVELOPE_STATUS(5, 5, 1), "Plaintext after STARTTLS", now);
        smtp_server_shut(server, SMTP_CLOSE_PLAINTEXT);
        return input.len;
    case STATE_COMMAND:
    case STATE_SASL:
    case STATE_SASL_LAST:
    case STATE_TURNED:
    case STATE_CLOSED:
        break;
    }
    return smtp_frame_line(server, input, now);
}

size_t
smtp_server_feed(struct smtp_server *server, struct slice input, struct instant now)
{
    size_t taken = 0;

    server->now = now;
    finish_chunk(server);
    while (taken < input.len && server->state != STATE_CLOSED && can_take(server)) {
        taken += take_step(server, slice_skip(input, taken), now);
        finish_chunk(server);
    }
    return server->state == STATE_CLOSED ? input.len : taken;
}

/* After an answer: what waited for it. */
static void
settle(struct smtp_server *server, struct instant now)
{
    if (server->is_asking || server->has_event || server->state == STATE_CLOSED)
        return;
    if (server->state == STATE_TURNED)
        return;
    /* Between the 220 of STARTTLS and the handshake nothing can be said. */
    if (server->is_stopping && server->state != STATE_TLS)
        smtp_say_goodbye(server, ENVELOPE_STATUS(4, 3, 2), "Service shutting down, try again later",
                         SMTP_CLOSE_SHUTDOWN, now);
    else if (server->is_input_over)
        smtp_server_shut(server, SMTP_CLOSE_GONE);
}

bool
smtp_server_next(struct smtp_server *server, struct smtp_event *ret_event)
{
    if (server->is_asking)
        return false;
    finish_chunk(server);
    if (server->has_auth_abort) {
        server->has_auth_abort = false;
        *ret_event = (struct smtp_event){.kind = SMTP_EVENT_AUTH_ABORT};
        return true;
    }
    if (server->has_abort) {
        server->has_abort = false;
        *ret_event = (struct smtp_event){.kind = SMTP_EVENT_ABORT};
        reset_letters(server);
        return true;
    }
    if (server->has_event) {
        server->has_event = false;
        *ret_event = server->event;
        server->question = server->event.kind;
        server->is_asking = kind_is_question[server->event.kind];
        return true;
    }
    /* The last words come first, also when they are held back. */
    if (server->has_close && !server->is_held) {
        server->has_close = false;
        *ret_event = (struct smtp_event){.kind = SMTP_EVENT_CLOSE, .reason = server->reason};
        return true;
    }
    return false;
}

void
smtp_server_answer(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    assert(server->is_asking);
    server->now = now;
    server->is_asking = false;
    answered[server->question](server, verdict, now);
    if (!server->is_asking)
        buffer_wipe(&server->kept);
    smtp_server_touch(server, now);
    settle(server, now);
}

struct slice
smtp_server_output(const struct smtp_server *server)
{
    return server->is_held ? SLICE("") : buffer_slice(&server->output);
}

void
smtp_server_sent(struct smtp_server *server, size_t len, struct instant now)
{
    (void)now; /* the client's time runs from its own bytes */
    buffer_consume(&server->output, len);
    buffer_release_if_empty(&server->output);
}

struct instant
smtp_server_deadline(const struct smtp_server *server)
{
    struct instant end = server->session_end;

    if (server->is_held)
        return server->held_until;
    if (server->is_asking || server->has_event || server->state == STATE_CLOSED ||
        server->state == STATE_TURNED)
        return INSTANT_NEVER;
    if (server->transaction.is_open)
        end = instant_after(end, smtp_limit_session_time(server));
    return instant_is_before(server->timer, end) ? server->timer : end;
}

void
smtp_server_expire(struct smtp_server *server, struct instant now)
{
    struct instant due = smtp_server_deadline(server);

    server->now = now;
    if (instant_is_before(now, due))
        return;
    if (server->is_held) {
        server->is_held = false;
        smtp_server_touch(server, now);
        return;
    }
    bool is_timer = !instant_is_before(now, server->timer);
    if (server->state == STATE_TLS) {
        smtp_server_shut(server, SMTP_CLOSE_TIMEOUT);
        return;
    }
    smtp_say_goodbye(server, ENVELOPE_STATUS(4, 4, 2),
                     is_timer ? "Timeout, closing connection" : "Session too long",
                     is_timer ? SMTP_CLOSE_TIMEOUT : SMTP_CLOSE_LIMIT, now);
}

bool
smtp_server_is_asking(const struct smtp_server *server)
{
    return server->is_asking;
}

bool
smtp_server_is_busy(const struct smtp_server *server)
{
    return server->is_asking || server->is_held;
}

void
smtp_server_tls_started(struct smtp_server *server, bool has_channel_binding, struct instant now)
{
    server->now = now;
    if (server->state == STATE_CLOSED)
        return;
    if (server->peer.is_secure) {
        server->peer.has_channel_binding = has_channel_binding;
        return;
    }
    assert(server->state == STATE_TLS);
    smtp_server_abort(server);
    server->has_abort = false;
    reset_letters(server);
    arena_reset(&server->session);
    server->helo = server->identity = SLICE("");
    server->has_hello = server->is_extended = false;
    server->is_secure = true;
    server->peer.has_channel_binding = has_channel_binding;
    server->state = STATE_COMMAND;
    smtp_server_touch(server, now);
    settle(server, now);
}

void
smtp_server_has_certificate(struct smtp_server *server)
{
    server->peer.has_certificate = true;
}

void
smtp_server_input_ended(struct smtp_server *server)
{
    server->is_input_over = true;
    settle(server, server->now);
}

void
smtp_server_stop(struct smtp_server *server, struct instant now)
{
    server->now = now;
    server->is_stopping = true;
    settle(server, now);
}

void
smtp_server_set_stress(struct smtp_server *server, bool is_stressed)
{
    server->is_stressed = is_stressed;
}

struct smtp_server_facts
smtp_server_facts(const struct smtp_server *server)
{
    return (struct smtp_server_facts){
        .service = server->options->service,
        .helo = server->helo,
        .identity = server->identity,
        .is_extended = server->is_extended,
        .is_secure = server->is_secure,
        .is_utf8 = server->transaction.is_utf8,
        .is_waiting = server->is_asking,
        .is_closing = server->state == STATE_CLOSED,
        .is_secret = server->state == STATE_SASL || server->state == STATE_SASL_LAST,
        .recipients = server->transaction.recipients,
        .body_bytes = server->transaction.body_bytes,
        .errors = server->errors,
        .transactions = server->transactions,
    };
}

ENGINE_KIND(smtp_server);
