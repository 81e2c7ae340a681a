/* SPDX-License-Identifier: ISC */
/* DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030 §2): how the content comes in and what is answered.
 */
#include "smtp/server_private.h"

#include "base/cursor.h"

/* RFC 2920 §3.1 and RFC 2033 §4.2 say what is answered when no recipient was
 * taken. */
bool
smtp_body_refuse_begin(struct smtp_server *server, struct instant now)
{
    const struct smtp_transaction *transaction = &server->transaction;

    if (!transaction->is_open)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Need MAIL first", now);
    else if (transaction->recipients > 0)
        return false;
    else if (transaction->tried == 0 || smtp_is_lmtp(server))
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Need RCPT first", now);
    else
        smtp_say(server, 554, ENVELOPE_STATUS(5, 5, 1), "No valid recipients", now);
    return true;
}

void
smtp_command_data(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    if (smtp_body_refuse_begin(server, now))
        return;
    /* RFC 3030 §2 and §3: content comes in one way, and binary content in chunks only. */
    if (server->transaction.has_chunks || server->transaction.is_binary) {
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Need BDAT here", now);
        return;
    }
    server->is_chunk_coming = server->is_url_coming = false;
    smtp_server_raise(server, SMTP_EVENT_BODY_BEGIN);
}

/* chunk-size [SP end-marker] */
static bool
parse_bdat(struct slice argument, uint64_t *ret_len, bool *ret_is_last)
{
    struct cursor cursor = cursor_of(argument);
    uint64_t len;

    if (!cursor_take_u64(&cursor, 0, INT64_MAX, &len))
        return false;
    bool has_blank = cursor_skip_blanks(&cursor) > 0;
    bool is_last = has_blank && cursor_take_text_nocase(&cursor, SLICE("LAST"));
    if (!cursor_is_done(&cursor))
        return false;
    *ret_len = len;
    *ret_is_last = is_last;
    return true;
}

/* More than a refused body may have: there is no way but to close. */
static bool
is_beyond_sink(const struct smtp_server *server, uint64_t len)
{
    uint64_t max = smtp_limit_message_bytes(server);
    uint64_t bound;

    return !(__builtin_mul_overflow(max, 2, &bound) ||
             __builtin_add_overflow(bound, BODY_SLACK, &bound)) &&
           len > bound;
}

/* The octets are on their way already (RFC 3030 §2): they are read, and nothing is made of them. */
static void
sink_chunk(struct smtp_server *server, unsigned code, const char *text)
{
    server->state = STATE_CHUNK;
    server->transaction.refused_code = (uint16_t)code;
    server->transaction.refused_status = ENVELOPE_STATUS(5, 5, 1);
    server->transaction.refused_text = text;
}

void
smtp_command_bdat(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct smtp_transaction *transaction = &server->transaction;

    /* Without a length the octets that follow cannot be told from commands. */
    if (!parse_bdat(argument, &server->chunk_len, &server->is_last_chunk)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Syntax: BDAT octets [LAST]; closing", now);
        smtp_server_shut(server, SMTP_CLOSE_PROTOCOL);
        return;
    }
    if (is_beyond_sink(server, server->chunk_len)) {
        smtp_say(server, 552, ENVELOPE_STATUS(5, 3, 4), "Message too big", now);
        smtp_server_shut(server, SMTP_CLOSE_LIMIT);
        return;
    }
    /* A chunk of nothing is small talk, unless it is the last. */
    if (server->chunk_len == 0 && !server->is_last_chunk && !smtp_count_idle(server, now))
        return;
    server->chunk_left = server->chunk_len;
    server->is_chunk_coming = true;
    server->is_url_coming = false;
    if (server->options->is_chunking_off)
        sink_chunk(server, 502, "Command not available");
    else if (server->options->is_tls_required && !server->is_secure)
        sink_chunk(server, 530, "Must issue a STARTTLS command first");
    else if (!transaction->is_open)
        sink_chunk(server, 503, "Need MAIL first");
    else if (transaction->recipients == 0)
        sink_chunk(server, transaction->tried > 0 && !smtp_is_lmtp(server) ? 554 : 503,
                   transaction->tried > 0 ? "No valid recipients" : "Need RCPT first");
    else if (transaction->has_chunks)
        server->state = STATE_CHUNK;
    else
        smtp_server_raise(server, SMTP_EVENT_BODY_BEGIN);
}

void
smtp_answered_body_begin(struct smtp_server *server, const struct smtp_verdict *verdict,
                         struct instant now)
{
    bool has_chunk = server->is_chunk_coming;

    if (verdict->code != 0 && verdict->code != 354) {
        if (has_chunk) {
            /* Answered when the chunk has come. RFC 3030 §2: the transaction is lost. */
            sink_chunk(server, verdict->code, NULL);
            server->transaction.refused_status = verdict->status;
            server->closes_after_answer = verdict->closes || verdict->code == 421;
        } else {
            smtp_say_verdict(server, verdict, (struct smtp_words){451, {4, 3, 0}, ""}, now);
            smtp_server_abort(server);
        }
        return;
    }
    if (server->is_url_coming) {
        smtp_burl_begin(server);
        return;
    }
    server->transaction.has_body = true;
    server->transaction.has_chunks = has_chunk;
    server->state = has_chunk ? STATE_CHUNK : STATE_TEXT;
    server->text_state = TEXT_START;
    server->text_line_len = 0;
    if (!has_chunk)
        smtp_put_line(server, 354, true, SLICE("Start mail input; end with <CRLF>.<CRLF>"));
}

void
smtp_body_refuse(struct smtp_server *server, unsigned code, struct envelope_status status,
                 const char *text)
{
    struct smtp_transaction *transaction = &server->transaction;

    if (transaction->refused_code != 0)
        return;
    transaction->refused_code = (uint16_t)code;
    transaction->refused_status = status;
    transaction->refused_text = text;
}

void
smtp_body_count(struct smtp_server *server, uint64_t len, struct instant now)
{
    struct smtp_transaction *transaction = &server->transaction;

    transaction->body_bytes += len;
    /* Whatever else is wrong with it, and however it was cut: a line too long may have been seen
     * first, or in the same piece. */
    if (transaction->body_bytes > smtp_limit_message_bytes(server)) {
        transaction->refused_code = 0;
        smtp_body_refuse(server, 552, ENVELOPE_STATUS(5, 3, 4), "Message too big");
    }
    if (is_beyond_sink(server, transaction->body_bytes)) {
        smtp_say(server, 552, ENVELOPE_STATUS(5, 3, 4), "Message too big", now);
        smtp_server_shut(server, SMTP_CLOSE_LIMIT);
    }
}

/* The answer to a body that was refused on its way; of LMTP one for each recipient (RFC 2033
 * §4.2). */
static void
say_refused(struct smtp_server *server, struct instant now)
{
    struct smtp_transaction transaction = server->transaction;
    bool is_each = smtp_is_lmtp(server) && transaction.has_body;
    const char *text = transaction.refused_text ? transaction.refused_text : "";

    smtp_server_abort(server);
    server->transaction = (struct smtp_transaction){0};
    for (uint32_t left = is_each ? transaction.recipients : 1; left > 0; left--)
        smtp_say(server, transaction.refused_code, transaction.refused_status, text, now);
}

static void
ask_body_end(struct smtp_server *server)
{
    server->transaction.answers_left = smtp_is_lmtp(server) ? server->transaction.recipients : 1;
    smtp_server_raise(server, SMTP_EVENT_BODY_END);
    server->event.body_bytes = server->transaction.body_bytes;
}

void
smtp_body_ended(struct smtp_server *server, struct instant now)
{
    server->state = STATE_COMMAND;
    if (server->transaction.refused_code != 0)
        say_refused(server, now);
    else
        ask_body_end(server);
}

static void
say_chunk_taken(struct smtp_server *server, struct instant now)
{
    struct buffer text;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put_decimal(&text, server->chunk_len);
    buffer_put_text(&text, " octets received");
    smtp_say_lines(server, 250, ENVELOPE_STATUS(2, 0, 0), buffer_slice(&text), now);
    buffer_finish(&text);
}

void
smtp_chunk_ended(struct smtp_server *server, struct instant now)
{
    bool is_last = server->is_last_chunk;

    server->state = STATE_COMMAND;
    if (server->transaction.refused_code != 0) {
        say_refused(server, now);
    } else if (is_last) {
        ask_body_end(server);
    } else {
        say_chunk_taken(server, now);
    }
    server->chunk_len = 0;
    server->is_last_chunk = false;
    if (server->closes_after_answer)
        smtp_server_shut(server, SMTP_CLOSE_REFUSED);
}

void
smtp_answered_body_end(struct smtp_server *server, const struct smtp_verdict *verdict,
                       struct instant now)
{
    static const struct smtp_words accepted = {250, {2, 6, 0}, "Message accepted"};
    struct smtp_verdict own = *verdict;

    /* All recipients get their answer before the end. */
    server->closes_after_answer =
        server->closes_after_answer || verdict->closes || verdict->code == 421;
    own.closes = false;
    if (--server->transaction.answers_left > 0) {
        own.code = verdict->code == 421 ? 451 : verdict->code;
        smtp_say_verdict(server, &own, accepted, now);
        server->is_asking = true;
        return;
    }
    server->transaction.is_open = false;
    smtp_say_verdict(server, &own, accepted, now);
    server->commands_idle = 0;
    smtp_server_conclude(server);
    if (server->closes_after_answer)
        smtp_server_shut(server, SMTP_CLOSE_REFUSED);
}
