/* SPDX-License-Identifier: ISC */
/* The life of a client's session: feed, next, output, deadline, expire. */
#include "smtp/client_private.h"

#include <stdlib.h>

struct smtp_client *
smtp_client_open(const struct smtp_client_options *options)
{
    struct smtp_client *client = calloc(1, sizeof(*client));

    if (!client)
        abort();
    client->options = *options;
    client->is_secure = options->is_secure;
    client->timer = client->transaction_end = INSTANT_NEVER;
    buffer_init(&client->output, CLIENT_OUTPUT_MAX);
    buffer_init(&client->line, SMTP_CLIENT_SASL_LINE_MAX);
    buffer_init(&client->challenge, SMTP_CLIENT_SASL_LINE_MAX);
    buffer_init(&client->answer, SMTP_CLIENT_ANSWER_MAX);
    buffer_init(&client->binding, CLIENT_BINDING_MAX);
    buffer_init(&client->binding_kind, CLIENT_BINDING_MAX);
    smtp_words_init(&client->reply);
    smtp_words_init(&client->verdict.words);
    smtp_words_init(&client->last_verdict.words);
    smtp_words_init(&client->close_words);
    return client;
}

void
smtp_client_close(struct smtp_client **client)
{
    if (!*client)
        return;
    struct buffer *const buffers[] = {
        &(*client)->line,         &(*client)->challenge, &(*client)->binding,
        &(*client)->binding_kind, &(*client)->answer,
    };
    /* The output may still hold a password. */
    buffer_wipe(&(*client)->output);
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_finish(buffers[i]);
    smtp_words_finish(&(*client)->reply);
    smtp_words_finish(&(*client)->verdict.words);
    smtp_words_finish(&(*client)->last_verdict.words);
    smtp_words_finish(&(*client)->close_words);
    sasl_client_close(&(*client)->sasl);
    free(*client);
    *client = NULL;
}

/* ---- time ---------------------------------------------------------------------------------- */

static struct duration
time_of(const struct smtp_client *client, enum client_await kind)
{
    const struct smtp_client_times *times = &client->options.times;
    const struct {
        uint32_t given_s, default_s;
    } rows[] = {
        [AWAIT_GREETING] = {times->greeting_s, 300}, [AWAIT_EHLO] = {times->hello_s, 300},
        [AWAIT_HELO] = {times->hello_s, 300},        [AWAIT_STARTTLS] = {times->hello_s, 300},
        [AWAIT_AUTH] = {times->hello_s, 300},        [AWAIT_AUTH_ABORT] = {times->hello_s, 300},
        [AWAIT_MAIL] = {times->mail_s, 300},         [AWAIT_RCPT] = {times->rcpt_s, 300},
        [AWAIT_DATA] = {times->data_s, 120},         [AWAIT_BODY] = {times->end_s, 600},
        [AWAIT_RSET] = {times->hello_s, 300},        [AWAIT_ANSWER] = {times->rcpt_s, 300},
        [AWAIT_QUIT] = {times->quit_s, 10},
    };
    return duration_s(rows[kind].given_s ? rows[kind].given_s : rows[kind].default_s);
}

void
smtp_client_touch(struct smtp_client *client, struct instant now)
{
    enum client_await kind = client->awaited[client->awaited_first].kind;
    bool is_sending = client->body != BODY_NONE ||
                      (client->is_body_begun && buffer_len(&client->output) > 0);

    if (is_sending && (client->awaited_count == 0 || kind == AWAIT_BODY)) {
        uint32_t block_s = client->options.times.block_s;
        client->timer = instant_after(now, duration_s(block_s ? block_s : 180));
    } else if (client->awaited_count > 0) {
        client->timer = instant_after(now, time_of(client, kind));
    } else {
        client->timer = INSTANT_NEVER;
    }
}

struct instant
smtp_client_deadline(const struct smtp_client *client)
{
    if (client->state == CLIENT_OVER || client->state == CLIENT_READY ||
        client->state == CLIENT_CONVERTING || client->state == CLIENT_TLS)
        return INSTANT_NEVER;
    return instant_is_before(client->transaction_end, client->timer) ? client->transaction_end
                                                                     : client->timer;
}

void
smtp_client_expire(struct smtp_client *client, struct instant now)
{
    if (instant_is_before(now, smtp_client_deadline(client)))
        return;
    smtp_client_shut_saying(client,
                            client->state == CLIENT_QUITTING ? SMTP_CLIENT_CLOSE_QUIT
                                                             : SMTP_CLIENT_CLOSE_SILENCE,
                            "The host has been silent for too long");
}

/* ---- the end ------------------------------------------------------------------------------- */

void
smtp_client_shut(struct smtp_client *client, enum smtp_client_close reason,
                 const struct client_words *words)
{
    if (client->state == CLIENT_OVER)
        return;
    if (client->message) {
        struct client_verdict *verdict = &client->last_verdict;
        bool is_all_sent = client->is_body_begun && client->body == BODY_NONE &&
                           buffer_len(&client->output) == 0 && !client->is_body_answered;
        smtp_words_copy(&verdict->words, words);
        bool is_answer = reason == SMTP_CLIENT_CLOSE_REFUSED && client->awaited_count > 0 &&
                         client->awaited[client->awaited_first].kind == AWAIT_BODY;
        bool is_unknown = is_all_sent && !is_answer;
        verdict->outcome = is_unknown ? SMTP_CLIENT_UNKNOWN : SMTP_CLIENT_TEMPORARY;
        verdict->is_of_session = !is_unknown && !is_answer;
        verdict->is_too_many = false;
        smtp_client_settle(client, RECIPIENT_DUE_LAST);
        client->has_done = true;
    }
    client->state = CLIENT_OVER;
    client->reason = reason;
    smtp_words_copy(&client->close_words, words);
    client->has_event = false;
    client->has_close = true;
    client->awaited_count = 0;
    client->body = BODY_NONE;
    buffer_finish(&client->line);
    /* Half a message must not be ended, and half a command helps nobody. */
    buffer_clear(&client->output);
}

void
smtp_client_shut_saying(struct smtp_client *client, enum smtp_client_close reason, const char *text)
{
    struct client_words words;

    smtp_words_init(&words);
    smtp_words_say(&words,
                   reason == SMTP_CLIENT_CLOSE_INSECURE || reason == SMTP_CLIENT_CLOSE_LOGIN
                       ? ENVELOPE_STATUS(4, 7, 0)
                       : ENVELOPE_STATUS(4, 4, 2),
                   text);
    smtp_client_shut(client, reason, &words);
    smtp_words_finish(&words);
}

void
smtp_client_input_ended(struct smtp_client *client)
{
    if (client->state == CLIENT_QUITTING)
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_QUIT, "Closed");
    else
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_LOST, "The connection was lost");
}

/* ---- events -------------------------------------------------------------------------------- */

void
smtp_client_raise(struct smtp_client *client, enum smtp_client_event_kind kind)
{
    client->has_event = true;
    client->event = kind;
}

/* The next recipient that has a result to be told; as many as there are when there is none. */
static size_t
find_due(const struct smtp_client *client)
{
    size_t count = client->message ? client->message->recipients_count : 0;

    for (size_t i = 0; i < count; i++) {
        if (client->recipients[i] == RECIPIENT_DUE || client->recipients[i] == RECIPIENT_DUE_LAST)
            return i;
    }
    return SIZE_MAX;
}

static bool
has_waiting_event(const struct smtp_client *client)
{
    return client->has_event || client->has_done || client->has_close ||
           find_due(client) != SIZE_MAX;
}

bool
smtp_client_next(struct smtp_client *client, struct smtp_client_event *ret_event)
{
    struct smtp_client_event event = {0};
    size_t due = find_due(client);

    if (due != SIZE_MAX) {
        const struct client_verdict *verdict =
            client->recipients[due] == RECIPIENT_DUE ? &client->verdict : &client->last_verdict;
        client->recipients[due] = RECIPIENT_TOLD;
        event.kind = SMTP_CLIENT_EVENT_RESULT;
        event.reply = smtp_words_reply(&verdict->words);
        event.recipient = due;
        event.outcome = verdict->outcome;
        event.is_of_session = verdict->is_of_session;
        event.is_too_many = verdict->is_too_many;
        event.dsn_passed =
            client->extensions & ENVELOPE_DSN && verdict->outcome == SMTP_CLIENT_DELIVERED;
        event.by_passed =
            client->extensions & ENVELOPE_DELIVERBY && verdict->outcome == SMTP_CLIENT_DELIVERED;
    } else if (client->has_event) {
        client->has_event = false;
        event.kind = client->event;
        event.is_7bit_wanted = client->is_7bit_wanted;
        if (event.kind == SMTP_CLIENT_EVENT_ANSWER) {
            event.reply = smtp_words_reply(&client->reply);
            event.answer = buffer_slice(&client->answer);
        }
    } else if (client->has_done) {
        client->has_done = false;
        client->message = NULL;
        event.kind = SMTP_CLIENT_EVENT_DONE;
    } else if (client->has_close) {
        client->has_close = false;
        event.kind = SMTP_CLIENT_EVENT_CLOSE;
        event.close = client->reason;
        event.reply = smtp_words_reply(&client->close_words);
    } else {
        return false;
    }
    *ret_event = event;
    return true;
}

/* ---- input --------------------------------------------------------------------------------- */

void
smtp_client_await(struct smtp_client *client, enum client_await kind, size_t recipient)
{
    assert(client->awaited_count < CLIENT_AWAITED_MAX);
    uint32_t place = (client->awaited_first + client->awaited_count++) % CLIENT_AWAITED_MAX;
    client->awaited[place] = (struct client_awaited){(uint8_t)kind, (uint8_t)recipient};
}

/* LMTP answers for the message as often as recipients were accepted (RFC 2033 §4.2). */
static bool
is_answered_again(const struct smtp_client *client, struct client_awaited awaited)
{
    if (!client->options.is_lmtp || awaited.kind != AWAIT_BODY)
        return false;
    for (size_t i = 0; i < client->message->recipients_count; i++) {
        if (client->recipients[i] == RECIPIENT_ACCEPTED)
            return true;
    }
    return false;
}

static void
handle_reply(struct smtp_client *client, struct client_awaited awaited, struct instant now)
{
    switch ((enum client_await)awaited.kind) {
    case AWAIT_GREETING:
        smtp_client_greeted(client, now);
        break;
    case AWAIT_EHLO:
    case AWAIT_HELO:
        smtp_client_helloed(client, awaited.kind == AWAIT_EHLO);
        break;
    case AWAIT_STARTTLS:
        smtp_client_tls_answered(client);
        break;
    case AWAIT_AUTH:
        smtp_client_login_answered(client);
        break;
    case AWAIT_AUTH_ABORT:
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_LOGIN,
                                "The host could not prove that it knows our password");
        break;
    case AWAIT_MAIL:
        smtp_client_mail_answered(client);
        break;
    case AWAIT_RCPT:
        smtp_client_rcpt_answered(client, awaited.recipient);
        break;
    case AWAIT_DATA:
        smtp_client_data_answered(client);
        break;
    case AWAIT_BODY:
        smtp_client_body_answered(client);
        break;
    case AWAIT_RSET:
        if (client->reply.code / 100 != 2)
            smtp_client_shut(client, SMTP_CLIENT_CLOSE_REFUSED, &client->reply);
        break;
    case AWAIT_ANSWER:
        if (buffer_overflowed(&client->answer)) {
            smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                    "The host's answer is too long");
            break;
        }
        client->state = CLIENT_READY;
        smtp_client_raise(client, SMTP_CLIENT_EVENT_ANSWER);
        break;
    case AWAIT_QUIT:
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_QUIT, &client->reply);
        break;
    }
}

static void
handle_line(struct smtp_client *client, struct slice line, struct instant now)
{
    bool is_last;

    if (!smtp_reply_add_line(client, line, &is_last)) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "What the host said is no SMTP reply");
        return;
    }
    if (!is_last)
        return;
    /* RFC 5321 §3.8: at any moment, and the session is over. */
    if (client->reply.code == 421) {
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_REFUSED, &client->reply);
        return;
    }
    if (client->awaited_count == 0) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "The host spoke without being asked");
        return;
    }
    struct client_awaited awaited = client->awaited[client->awaited_first];
    handle_reply(client, awaited, now);
    if (client->state == CLIENT_OVER)
        return;
    if (!is_answered_again(client, awaited)) {
        client->awaited_first = (client->awaited_first + 1) % CLIENT_AWAITED_MAX;
        client->awaited_count--;
    }
    if (client->state == CLIENT_TRANSACTION)
        smtp_client_advance(client);
    smtp_client_touch(client, now);
}

static size_t
line_max(const struct smtp_client *client)
{
    bool is_sasl =
        client->awaited_count > 0 && client->awaited[client->awaited_first].kind == AWAIT_AUTH;
    return is_sasl ? SMTP_CLIENT_SASL_LINE_MAX : SMTP_CLIENT_LINE_MAX;
}

size_t
smtp_client_feed(struct smtp_client *client, struct slice input, struct instant now)
{
    if (client->state == CLIENT_OVER)
        return input.len;
    if (input.len == 0 || has_waiting_event(client) || client->state == CLIENT_WAITING)
        return 0;
    /* What stands in the clear behind the answer to STARTTLS is not the host's (CVE-2021-38371). */
    if (client->state == CLIENT_TLS) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "Something stood in the clear behind the answer to STARTTLS");
        return input.len;
    }
    client->heard = now;
    size_t end = slice_find_byte(input, '\n');
    bool is_whole = end < input.len;
    struct slice line = slice_first(input, is_whole ? end + 1 : end);
    size_t len = line.len;
    if (buffer_len(&client->line) + len > line_max(client)) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "A line of the host's reply is too long");
        return input.len;
    }
    if (!is_whole || buffer_len(&client->line) > 0) {
        buffer_put(&client->line, line);
        line = buffer_slice(&client->line);
    }
    if (!is_whole)
        return len;
    /* A lone LF is taken for a line end: a reply cannot be smuggled anywhere. */
    line = slice_first(line, line.len - 1);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line = slice_first(line, line.len - 1);
    handle_line(client, line, now);
    buffer_clear(&client->line);
    buffer_release_if_empty(&client->line);
    return len;
}

/* ---- output -------------------------------------------------------------------------------- */

struct slice
smtp_client_output(const struct smtp_client *client)
{
    if (buffer_len(&client->output) > 0 || client->body != BODY_RAW)
        return buffer_slice(&client->output);
    return slice_skip(client->content.bytes, client->body_at);
}

void
smtp_client_sent(struct smtp_client *client, size_t len, struct instant now)
{
    if (len == 0)
        return;
    if (buffer_len(&client->output) > 0)
        buffer_consume(&client->output, len);
    else
        client->body_at += len;
    smtp_client_fill(client);
    if (client->state == CLIENT_TRANSACTION)
        smtp_client_advance(client);
    smtp_client_touch(client, now);
    if (buffer_len(&client->output) == 0 && client->sasl)
        explicit_bzero(client->output.at, client->output.size);
    buffer_release_if_empty(&client->output);
}

/* ---- the caller's wishes ------------------------------------------------------------------- */

void
smtp_client_connected(struct smtp_client *client, struct instant now)
{
    assert(client->state == CLIENT_WAITING);
    client->state = CLIENT_OPENING;
    smtp_client_await(client, AWAIT_GREETING, 0);
    smtp_client_touch(client, now);
}

void
smtp_client_tls_started(struct smtp_client *client, struct instant now)
{
    if (client->state != CLIENT_TLS)
        return;
    client->is_secure = true;
    client->state = CLIENT_OPENING;
    smtp_client_hello(client);
    smtp_client_touch(client, now);
}

void
smtp_client_bind(struct smtp_client *client, struct slice kind, struct slice binding)
{
    buffer_clear(&client->binding_kind);
    buffer_put(&client->binding_kind, kind);
    buffer_clear(&client->binding);
    buffer_put(&client->binding, binding);
}

void
smtp_client_set_verified(struct smtp_client *client, bool is_verified)
{
    client->is_verified = is_verified;
}

void
smtp_client_ask(struct smtp_client *client, struct slice command, struct instant now)
{
    assert(client->state == CLIENT_READY && !client->message);
    client->has_event = false; /* READY, if it was not taken */
    client->state = CLIENT_ASKING;
    buffer_clear(&client->answer);
    buffer_put(&client->output, command);
    buffer_put_text(&client->output, "\r\n");
    smtp_client_await(client, AWAIT_ANSWER, 0);
    smtp_client_touch(client, now);
}

void
smtp_client_quit(struct smtp_client *client, struct instant now)
{
    if (client->state != CLIENT_READY) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_QUIT, "We have ended the session");
        return;
    }
    client->has_event = false;
    client->state = CLIENT_QUITTING;
    buffer_put_text(&client->output, "QUIT\r\n");
    smtp_client_await(client, AWAIT_QUIT, 0);
    smtp_client_touch(client, now);
}

struct smtp_client_facts
smtp_client_facts(const struct smtp_client *client)
{
    return (struct smtp_client_facts){
        .is_ready = client->state == CLIENT_READY && !client->message,
        .is_secure = client->is_secure,
        .is_extended = client->is_extended,
        .has_tried = client->has_tried,
        .extensions = client->extensions,
        .has_pipelining = client->session_extensions & SESSION_PIPELINING,
        .has_chunking = client->session_extensions & SESSION_CHUNKING,
        .has_starttls = client->session_extensions & SESSION_STARTTLS,
        .has_auth = client->mechanisms != 0,
        .is_authenticated = client->is_authenticated,
        .size_max = client->size_max,
    };
}

struct smtp_client_reply
smtp_client_last_reply(const struct smtp_client *client)
{
    return client->reply_lines > 0 ? (struct smtp_client_reply){0}
                                   : smtp_words_reply(&client->reply);
}
