/* SPDX-License-Identifier: ISC */
/* The states, the output and the timer of the client engine. */
#include "imap/client.h"

#include "imap/client_private.h"

#include <stdlib.h>

enum { OUTPUT_MAX = 256 * 1024, ARENA_MAX = 64 * 1024, TRACED_MAX = 400 };

const char *
imap_client_state_name(enum imap_client_state state)
{
    static const char *const names[] = {
        [IMAP_CLIENT_WAITING] = "waiting",
        [IMAP_CLIENT_OPENING] = "opening",
        [IMAP_CLIENT_AUTHENTICATION] = "authentication",
        [IMAP_CLIENT_AUTHENTICATED] = "authenticated",
        [IMAP_CLIENT_SELECTED] = "selected",
        [IMAP_CLIENT_LOGOUT] = "logout",
    };

    return names[state];
}

static bool
can_be_sent(struct slice secret)
{
    return secret.len > 0 && secret.len <= IMAP_CLIENT_SECRET_MAX &&
           slice_find_byte(secret, '\r') == secret.len &&
           slice_find_byte(secret, '\n') == secret.len && slice_find_byte(secret, 0) == secret.len;
}

struct imap_client *
imap_client_open(const struct imap_client_options *options)
{
    assert(options->mechanisms_count <= IMAP_CLIENT_MECHANISMS_MAX);
    if (!can_be_sent(options->name) || !can_be_sent(options->password))
        return NULL;
    struct imap_client *client = calloc(1, sizeof(*client));
    if (!client)
        abort();
    client->options = *options;
    if (client->options.message_bytes_max == 0)
        client->options.message_bytes_max = IMAP_CLIENT_MESSAGE_BYTES_MAX;
    if (client->options.responses_max == 0)
        client->options.responses_max = IMAP_CLIENT_RESPONSES_MAX;
    if (client->options.reply_ms == 0)
        client->options.reply_ms = IMAP_CLIENT_REPLY_MS;
    buffer_init(&client->sasl, IMAP_CLIENT_SASL_MAX);
    buffer_init(&client->response, IMAP_CLIENT_RESPONSE_MAX);
    buffer_init(&client->section, IMAP_CLIENT_LOGIN_LINE_MAX);
    buffer_init(&client->command, IMAP_CLIENT_COMMAND_MAX);
    buffer_init(&client->output, OUTPUT_MAX);
    arena_init(&client->arena, ARENA_MAX);
    client->reply_due = INSTANT_NEVER;
    return client;
}

/* Secrets have passed through what is wiped. */
static void
forget_session(struct imap_client *client)
{
    buffer_wipe(&client->sasl);
    buffer_wipe(&client->response);
    buffer_wipe(&client->command);
    buffer_wipe(&client->output);
    buffer_finish(&client->section);
    arena_finish(&client->arena);
}

void
imap_client_close(struct imap_client **client)
{
    if (!*client)
        return;
    forget_session(*client);
    free(*client);
    *client = NULL;
}

/* ---- states -------------------------------------------------------------------------------- */

void
imap_client_trace(struct imap_client *client, const char *who, struct slice text)
{
    struct buffer *out = client->options.trace;

    if (!out)
        return;
    buffer_put_text(out, who);
    buffer_put(out, slice_first(text, TRACED_MAX));
    if (text.len > TRACED_MAX)
        buffer_put_text(out, " ...");
    buffer_put_byte(out, '\n');
}

void
imap_client_enter(struct imap_client *client, enum imap_client_state state)
{
    if (client->state == state)
        return;
    client->state = state;
    imap_client_trace(client, "-- ", slice_of_string(imap_client_state_name(state)));
}

void
imap_client_wait_for_server(struct imap_client *client, struct instant now)
{
    client->reply_due = instant_after(now, duration_ms(client->options.reply_ms));
}

void
imap_client_begin(struct imap_client *client, struct instant now)
{
    assert(client->state == IMAP_CLIENT_WAITING);
    forget_session(client);
    client->facts = (struct imap_client_facts){0};
    client->mailbox = (struct imap_client_mailbox){0};
    client->has_event = client->has_initial = client->has_facts = false;
    client->is_whole = client->has_bye = client->is_select_asked = false;
    client->is_synced = true;
    client->is_secure = client->options.is_secure;
    client->frame = FRAME_LINE;
    client->walk = WALK_NOTHING;
    client->tags_count = client->responses = 0;
    client->awaits = AWAITS_CONNECTION;
    imap_client_enter(client, IMAP_CLIENT_OPENING);
    imap_client_wait_for_server(client, now);
}

void
imap_client_connected(struct imap_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_CONNECTION);
    client->awaits = AWAITS_GREETING;
    imap_client_wait_for_server(client, now);
}

void
imap_client_raise(struct imap_client *client, enum imap_client_event_kind kind)
{
    assert(!client->has_event);
    client->event.kind = kind;
    client->has_event = true;
}

void
imap_client_end(struct imap_client *client, enum imap_client_close close, struct slice code,
                struct slice text)
{
    struct buffer *kept = &client->section;
    struct slice pieces[] = {slice_first(code, TRACED_MAX), slice_first(text, TRACED_MAX)};

    buffer_clear(kept);
    buffer_put(kept, pieces[0]);
    buffer_put(kept, pieces[1]);
    client->event = (struct imap_client_event){
        .close = close,
        .code = slice_first(buffer_slice(kept), pieces[0].len),
        .text = slice_skip(buffer_slice(kept), pieces[0].len),
    };
    client->has_event = false; /* the news before it is worth less than this */
    client->walk = WALK_NOTHING;
    client->awaits = AWAITS_NOT_ANY_MORE;
    client->mailbox = (struct imap_client_mailbox){0};
    imap_client_enter(client, IMAP_CLIENT_WAITING);
    imap_client_raise(client, IMAP_CLIENT_EVENT_CLOSE);
}

void
imap_client_end_protocol(struct imap_client *client, const char *why)
{
    imap_client_end(client, IMAP_CLIENT_CLOSE_PROTOCOL, SLICE(""), slice_of_string(why));
}

/* ---- input --------------------------------------------------------------------------------- */

size_t
imap_client_feed(struct imap_client *client, struct slice input, struct instant now)
{
    if (client->awaits == AWAITS_NOTHING || client->awaits == AWAITS_NOT_ANY_MORE)
        return input.len; /* after the end nothing matters */
    if (input.len == 0 || client->has_event || client->walk != WALK_NOTHING ||
        client->awaits == AWAITS_CONNECTION || client->awaits == AWAITS_CALLER)
        return 0;
    if (client->awaits == AWAITS_TLS) { /* RFC 9051 §11.1: it could be anybody's */
        imap_client_end_protocol(client, "something stands between the answer to STARTTLS and TLS");
        return input.len;
    }
    if (client->awaits != AWAITS_IDLING)
        imap_client_wait_for_server(client, now);
    return imap_client_take(client, input);
}

bool
imap_client_next(struct imap_client *client, struct imap_client_event *ret_event)
{
    if (!client->has_event && client->walk != WALK_NOTHING)
        imap_client_walk_on(client);
    if (!client->has_event)
        return false;
    client->has_event = false;
    *ret_event = client->event;
    if (client->awaits == AWAITS_NOT_ANY_MORE)
        client->awaits = AWAITS_NOTHING;
    return true;
}

void
imap_client_input_ended(struct imap_client *client)
{
    bool is_done = client->state == IMAP_CLIENT_LOGOUT && client->has_bye;

    if (client->state != IMAP_CLIENT_WAITING)
        imap_client_end(client, is_done ? IMAP_CLIENT_CLOSE_DONE : IMAP_CLIENT_CLOSE_LOST,
                        SLICE(""), SLICE("the connection has ended"));
}

/* ---- output and time ----------------------------------------------------------------------- */

struct slice
imap_client_output(const struct imap_client *client)
{
    return buffer_slice(&client->output);
}

void
imap_client_sent(struct imap_client *client, size_t len)
{
    buffer_consume(&client->output, len);
    if (buffer_len(&client->output) == 0 && client->state < IMAP_CLIENT_AUTHENTICATED)
        buffer_wipe(&client->output);
}

struct instant
imap_client_deadline(const struct imap_client *client)
{
    bool is_waiting = client->awaits != AWAITS_NOTHING && client->awaits != AWAITS_CALLER &&
                      client->awaits != AWAITS_READY && client->awaits != AWAITS_NOT_ANY_MORE;

    if (client->awaits == AWAITS_IDLING)
        return client->idle_due;
    return is_waiting ? client->reply_due : INSTANT_NEVER;
}

void
imap_client_expire(struct imap_client *client, struct instant now)
{
    struct instant due = imap_client_deadline(client);

    if (instant_is_never(due) || instant_is_before(now, due))
        return;
    if (client->awaits == AWAITS_IDLING)
        imap_client_done(client, now);
    else
        imap_client_end(client, IMAP_CLIENT_CLOSE_SILENCE, SLICE(""),
                        SLICE("the server says nothing"));
}

enum imap_client_state
imap_client_state(const struct imap_client *client)
{
    return client->state;
}

struct imap_client_mailbox
imap_client_mailbox(const struct imap_client *client)
{
    return client->mailbox;
}

struct imap_client_facts
imap_client_facts(const struct imap_client *client)
{
    return client->facts;
}

bool
imap_client_can_ask(const struct imap_client *client)
{
    return client->awaits == AWAITS_READY && !client->has_event && client->walk == WALK_NOTHING;
}
