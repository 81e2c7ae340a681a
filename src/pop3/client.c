/* SPDX-License-Identifier: ISC */
/* The framer, the output, the states and the timer of the client engine. */
#include "pop3/client.h"

#include "pop3/client_private.h"

#include <stdlib.h>

enum { OUTPUT_MAX = 64 * 1024 };

const char *
pop3_client_state_name(enum pop3_client_state state)
{
    static const char *const names[] = {
        [POP3_CLIENT_WAITING] = "waiting",
        [POP3_CLIENT_OPENING] = "opening",
        [POP3_CLIENT_AUTHENTICATION] = "authentication",
        [POP3_CLIENT_TRANSACTION] = "transaction",
        [POP3_CLIENT_UPDATE] = "update",
    };

    return names[state];
}

static bool
can_be_sent(struct slice secret)
{
    return secret.len > 0 && secret.len <= POP3_CLIENT_SECRET_MAX &&
           slice_find_byte(secret, '\r') == secret.len &&
           slice_find_byte(secret, '\n') == secret.len && slice_find_byte(secret, 0) == secret.len;
}

struct pop3_client *
pop3_client_open(const struct pop3_client_options *options)
{
    assert(options->mechanisms_count <= POP3_CLIENT_MECHANISMS_MAX);
    if (!can_be_sent(options->name) || !can_be_sent(options->password))
        return NULL;
    struct pop3_client *client = calloc(1, sizeof(*client));
    if (!client)
        abort();
    client->options = *options;
    if (client->options.message_bytes_max == 0)
        client->options.message_bytes_max = POP3_CLIENT_MESSAGE_BYTES_MAX;
    if (client->options.reply_ms == 0)
        client->options.reply_ms = POP3_CLIENT_REPLY_MS;
    buffer_init(&client->line, POP3_CLIENT_SASL_LINE_MAX);
    buffer_init(&client->output, OUTPUT_MAX);
    buffer_init(&client->scratch, POP3_CLIENT_SASL_LINE_MAX);
    buffer_init(&client->response, POP3_CLIENT_RESPONSE_MAX);
    buffer_init(&client->timestamp, POP3_CLIENT_TIMESTAMP_MAX);
    client->reply_due = INSTANT_NEVER;
    return client;
}

/* Secrets have passed through what is wiped. */
static void
forget_session(struct pop3_client *client)
{
    buffer_wipe(&client->line);
    buffer_wipe(&client->output);
    buffer_wipe(&client->scratch);
    buffer_wipe(&client->response);
    buffer_finish(&client->timestamp);
}

void
pop3_client_close(struct pop3_client **client)
{
    if (!*client)
        return;
    forget_session(*client);
    free(*client);
    *client = NULL;
}

/* ---- states -------------------------------------------------------------------------------- */

static void
trace(struct pop3_client *client, const char *who, struct slice text)
{
    struct buffer *out = client->options.trace;

    if (!out)
        return;
    buffer_put_text(out, who);
    buffer_put(out, text);
    buffer_put_byte(out, '\n');
}

void
pop3_client_enter(struct pop3_client *client, enum pop3_client_state state)
{
    client->state = state;
    trace(client, "-- ", slice_of_string(pop3_client_state_name(state)));
}

static void
wait_for_server(struct pop3_client *client, struct instant now)
{
    client->reply_due = instant_after(now, duration_ms(client->options.reply_ms));
}

void
pop3_client_begin(struct pop3_client *client, struct instant now)
{
    assert(client->state == POP3_CLIENT_WAITING);
    forget_session(client);
    client->facts = (struct pop3_client_facts){0};
    client->has_event = client->has_initial = client->is_quitting = false;
    client->is_secure = client->options.is_secure;
    client->queue_start = client->queue_count = client->sent_count = 0;
    client->awaits = AWAITS_CONNECTION;
    pop3_client_enter(client, POP3_CLIENT_OPENING);
    wait_for_server(client, now);
}

void
pop3_client_connected(struct pop3_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_CONNECTION);
    client->awaits = AWAITS_BANNER;
    wait_for_server(client, now);
}

void
pop3_client_raise(struct pop3_client *client, enum pop3_client_event_kind kind)
{
    assert(!client->has_event);
    client->event.kind = kind;
    client->has_event = true;
}

void
pop3_client_end(struct pop3_client *client, enum pop3_client_close close, struct slice said)
{
    struct buffer *scratch = &client->scratch;
    struct pop3_client_event event = {0};

    buffer_clear(scratch);
    buffer_put(scratch, slice_first(said, POP3_CLIENT_LINE_MAX));
    if (!pop3_client_parse_status(buffer_slice(scratch), &event))
        event = (struct pop3_client_event){.text = buffer_slice(scratch)};
    event.close = close;
    event.is_ok = close == POP3_CLIENT_CLOSE_DONE;
    client->event = event;
    client->has_event = false; /* the news before it is worth less than this */
    client->awaits = AWAITS_NOT_ANY_MORE;
    client->queue_count = client->sent_count = 0;
    pop3_client_enter(client, POP3_CLIENT_WAITING);
    pop3_client_raise(client, POP3_CLIENT_EVENT_CLOSE);
}

void
pop3_client_end_protocol(struct pop3_client *client, const char *why)
{
    pop3_client_end(client, POP3_CLIENT_CLOSE_PROTOCOL, slice_of_string(why));
}

/* ---- input --------------------------------------------------------------------------------- */

/* RFC 1939 §3: "+OK" or "-ERR", alone or with text; RFC 2449 §8: the text may begin with a code. */
bool
pop3_client_parse_status(struct slice line, struct pop3_client_event *ret_event)
{
    bool is_ok = slice_starts_with_nocase(line, SLICE("+OK"));
    struct slice rest = slice_skip(line, is_ok ? 3 : 4);

    if (!is_ok && !slice_starts_with_nocase(line, SLICE("-ERR")))
        return false;
    if (rest.len > 0 && rest.at[0] != ' ')
        return false;
    rest = slice_trim(rest);
    ret_event->is_ok = is_ok;
    ret_event->code = slice_first(rest, 0);
    size_t end = slice_find_byte(rest, ']');
    if (slice_starts_with(rest, SLICE("[")) && end < rest.len) {
        ret_event->code = slice_between(rest, 1, end);
        rest = slice_trim(slice_skip(rest, end + 1));
    }
    ret_event->text = rest;
    return true;
}

static size_t
line_max(const struct pop3_client *client)
{
    return client->awaits == AWAITS_SASL ? POP3_CLIENT_SASL_LINE_MAX : POP3_CLIENT_LINE_MAX;
}

static void
take_line(struct pop3_client *client, struct slice line)
{
    line = slice_first(line, line.len - 1);
    if (slice_ends_with(line, SLICE("\r")))
        line = slice_first(line, line.len - 1);
    /* A challenge may tell what is secret; listings would fill the trace. */
    bool is_challenge = client->awaits == AWAITS_SASL && slice_starts_with(line, SLICE("+ "));
    if (client->awaits != AWAITS_LIST)
        trace(client, "S: ", is_challenge ? SLICE("+ ****") : line);
    client->event = (struct pop3_client_event){0};
    if (client->awaits >= AWAITS_IDLE)
        pop3_client_on_reply_line(client, line);
    else
        pop3_client_on_login_line(client, line);
}

static size_t
feed_line(struct pop3_client *client, struct slice input)
{
    size_t end = slice_find_byte(input, '\n');
    struct slice part = slice_first(input, end + 1);

    if (buffer_len(&client->line) + part.len > line_max(client)) {
        pop3_client_end_protocol(client, "a line is too long");
        return input.len;
    }
    if (end == input.len) {
        buffer_put(&client->line, part);
        return part.len;
    }
    if (buffer_len(&client->line) == 0) {
        take_line(client, part);
        return part.len;
    }
    buffer_put(&client->line, part);
    take_line(client, buffer_slice(&client->line));
    buffer_clear(&client->line);
    return part.len;
}

/* RFC 2595 §4: nothing may stand between the answer to STLS and the handshake. */
static size_t
refuse_early(struct pop3_client *client, struct slice input)
{
    pop3_client_end_protocol(client, "something stands between the answer to STLS and TLS");
    return input.len;
}

size_t
pop3_client_feed(struct pop3_client *client, struct slice input, struct instant now)
{
    if (client->awaits == AWAITS_NOTHING || client->awaits == AWAITS_NOT_ANY_MORE)
        return input.len; /* after the end nothing matters */
    if (input.len == 0 || client->has_event || client->awaits == AWAITS_CONNECTION ||
        client->awaits == AWAITS_CALLER)
        return 0;
    if (client->awaits == AWAITS_TLS)
        return refuse_early(client, input);
    wait_for_server(client, now);
    return client->awaits == AWAITS_BODY ? pop3_client_on_body(client, input)
                                         : feed_line(client, input);
}

bool
pop3_client_next(struct pop3_client *client, struct pop3_client_event *ret_event)
{
    if (!client->has_event)
        return false;
    client->has_event = false;
    *ret_event = client->event;
    if (client->awaits == AWAITS_NOT_ANY_MORE)
        client->awaits = AWAITS_NOTHING;
    return true;
}

void
pop3_client_input_ended(struct pop3_client *client)
{
    if (client->state != POP3_CLIENT_WAITING)
        pop3_client_end(client, POP3_CLIENT_CLOSE_LOST, SLICE("the connection has ended"));
}

bool
pop3_client_ask(struct pop3_client *client, enum pop3_client_command command, uint32_t number,
                uint32_t lines, struct instant now)
{
    if (client->state != POP3_CLIENT_TRANSACTION || client->is_quitting ||
        client->queue_count == POP3_CLIENT_QUEUE_MAX)
        return false;
    size_t at = (client->queue_start + client->queue_count++) % POP3_CLIENT_QUEUE_MAX;
    client->queue[at] = (struct pop3_client_question){command, number, lines};
    client->is_quitting = command == POP3_CLIENT_QUIT;
    wait_for_server(client, now);
    pop3_client_send_questions(client);
    return true;
}

/* ---- output and time ----------------------------------------------------------------------- */

void
pop3_client_put_line(struct pop3_client *client, struct slice line, const char *shown)
{
    trace(client, "C: ", shown ? slice_of_string(shown) : line);
    buffer_put(&client->output, line);
    buffer_put_text(&client->output, "\r\n");
    assert(!buffer_overflowed(&client->output));
}

struct slice
pop3_client_output(const struct pop3_client *client)
{
    return buffer_slice(&client->output);
}

void
pop3_client_sent(struct pop3_client *client, size_t len)
{
    buffer_consume(&client->output, len);
    if (buffer_len(&client->output) == 0)
        buffer_wipe(&client->output);
}

struct instant
pop3_client_deadline(const struct pop3_client *client)
{
    bool is_waiting = client->awaits != AWAITS_NOTHING && client->awaits != AWAITS_CALLER &&
                      client->awaits != AWAITS_IDLE && client->awaits != AWAITS_NOT_ANY_MORE;

    return is_waiting ? client->reply_due : INSTANT_NEVER;
}

void
pop3_client_expire(struct pop3_client *client, struct instant now)
{
    if (!instant_is_never(pop3_client_deadline(client)) &&
        !instant_is_before(now, client->reply_due))
        pop3_client_end(client, POP3_CLIENT_CLOSE_SILENCE, SLICE("the server says nothing"));
}

enum pop3_client_state
pop3_client_state(const struct pop3_client *client)
{
    return client->state;
}

struct pop3_client_facts
pop3_client_facts(const struct pop3_client *client)
{
    return client->facts;
}
