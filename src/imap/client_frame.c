/* SPDX-License-Identifier: ISC */
/* The framer of the client engine: lines, literals, bodies and the numbers of SEARCH out of
 * octets (RFC 9051 §2.2.2, §4.3). It alone knows responses that are not whole. */
#include "imap/client_private.h"
#include "imap/grammar.h"

/* What tells a response of numbers, as SEARCH has them, from all others. */
#define NUMBERS_PREFIX SLICE("* SEARCH ")

static size_t
response_max(const struct imap_client *client)
{
    return client->state < IMAP_CLIENT_AUTHENTICATED ? IMAP_CLIENT_LOGIN_LINE_MAX
                                                     : IMAP_CLIENT_RESPONSE_MAX;
}

/* ---- whole responses ------------------------------------------------------------------------- */

static void
on_untagged(struct imap_client *client, struct slice data)
{
    struct imap_client_said_status status;

    if (!imap_client_parse_status(data, &status)) {
        imap_client_on_data(client, data);
    } else if (status.word == WORD_BYE && client->state == IMAP_CLIENT_LOGOUT) {
        client->has_bye = true;
    } else if (status.word == WORD_BYE) {
        imap_client_end(client, IMAP_CLIENT_CLOSE_REFUSED, status.code, status.text);
    } else if (client->state < IMAP_CLIENT_AUTHENTICATED) {
        imap_client_on_login_status(client, false, &status);
    } else if (!imap_client_take_code(client, status.code)) {
        client->event.result = (enum imap_client_result)status.word;
        client->event.code = status.code;
        client->event.text = status.text;
        if (status.word == WORD_PREAUTH)
            imap_client_end_protocol(client, "a greeting comes twice");
        else
            imap_client_raise(client, IMAP_CLIENT_EVENT_NOTICE);
    }
}

static void
on_tagged(struct imap_client *client, struct slice line)
{
    struct imap_client_said_status status;
    struct cursor cursor = cursor_of(line);
    uint32_t tag;

    if (!cursor_take_byte(&cursor, 'A') || !cursor_take_u32(&cursor, 1, UINT32_MAX, &tag) ||
        tag != client->tags_count || !imap_take_space(&cursor) || client->awaits == AWAITS_READY ||
        client->awaits == AWAITS_GREETING)
        imap_client_end_protocol(client, "the server answers what nobody asked");
    else if (!imap_client_parse_status(cursor_rest(&cursor), &status) || status.word > WORD_BAD)
        imap_client_end_protocol(client, "an answer is neither OK nor NO nor BAD");
    else if (client->state < IMAP_CLIENT_AUTHENTICATED)
        imap_client_on_login_status(client, true, &status);
    else
        imap_client_on_reply(client, &status);
}

/* command-continuation-req */
static void
on_continuation(struct imap_client *client, struct slice line)
{
    if (client->awaits == AWAITS_SASL)
        imap_client_on_challenge(client, slice_skip(line, 2));
    else if (!client->is_synced)
        imap_client_go_on(client);
    else
        imap_client_end_protocol(client, "the server waits for what nobody announced");
}

/* One more response, or number; false when there were too many. */
static bool
count_response(struct imap_client *client)
{
    if (client->responses++ < client->options.responses_max)
        return true;
    imap_client_end_protocol(client, "the server does not come to an end");
    return false;
}

static void
on_response(struct imap_client *client, struct slice response)
{
    bool is_challenge = client->awaits == AWAITS_SASL && slice_starts_with(response, SLICE("+"));

    /* A challenge may tell what is secret. */
    imap_client_trace(client, "S: ", is_challenge ? SLICE("+ ****") : response);
    client->event = (struct imap_client_event){0};
    arena_reset(&client->arena);
    if (!count_response(client))
        return;
    if (slice_starts_with(response, SLICE("* ")))
        on_untagged(client, slice_skip(response, 2));
    else if (slice_starts_with(response, SLICE("+")))
        on_continuation(client, response);
    else
        on_tagged(client, response);
}

/* ---- literals -------------------------------------------------------------------------------- */

/* Text for people may end in braces, too: only data have literals. */
static bool
can_have_literals(struct slice response)
{
    struct imap_client_said_status status;

    return slice_starts_with(response, SLICE("* ")) &&
           !imap_client_parse_status(slice_skip(response, 2), &status);
}

/* "{n}" at the end of a line. */
static bool
ends_with_literal(struct slice line, uint64_t *ret_octets)
{
    size_t start = slice_find_last_byte(line, '{');
    struct cursor cursor = cursor_of(slice_skip(line, start + 1));
    uint64_t octets;

    if (start == line.len || !cursor_take_u64(&cursor, 0, INT64_MAX, &octets) ||
        !cursor_take_byte(&cursor, '}') || !cursor_is_done(&cursor))
        return false;
    *ret_octets = octets;
    return true;
}

static void
begin_literal(struct imap_client *client, uint64_t octets)
{
    if (imap_client_begin_body(client, octets))
        return;
    if (octets > buffer_room(&client->response) ||
        ++client->literals_count > IMAP_CLIENT_LITERALS_MAX) {
        imap_client_end_protocol(client, "a response is too long");
        return;
    }
    client->left = octets;
    client->line_at = buffer_len(&client->response);
    client->frame = octets > 0 ? FRAME_LITERAL : FRAME_LINE;
}

static size_t
take_literal(struct imap_client *client, struct slice input)
{
    struct slice piece = slice_first(input, (size_t)client->left);

    buffer_put(&client->response, piece);
    client->left -= piece.len;
    client->line_at = buffer_len(&client->response);
    if (client->left == 0)
        client->frame = FRAME_LINE;
    return piece.len;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static size_t
take_body(struct imap_client *client, struct slice input)
{
    struct slice piece =
        slice_first(input, client->left < input.len ? (size_t)client->left : input.len);

    client->body.bytes = piece;
    client->event = (struct imap_client_event){.message = client->message, .body = client->body};
    imap_client_raise(client, IMAP_CLIENT_EVENT_BODY);
    client->body.offset += piece.len;
    client->left -= piece.len;
    if (client->left == 0)
        client->frame = FRAME_LINE;
    return piece.len;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void
end_number(struct imap_client *client)
{
    if (!client->has_digits)
        return;
    client->has_digits = false;
    if (client->number == 0)
        imap_client_end_protocol(client, "a UID is no number that makes sense");
    if (client->number == 0 || !count_response(client))
        return;
    client->event = (struct imap_client_event){.first = (uint32_t)client->number,
                                               .last = (uint32_t)client->number};
    imap_client_raise(client, IMAP_CLIENT_EVENT_NUMBERS);
}

/* "1 2 3" and, with CONDSTORE, "(MODSEQ 4)" behind them (RFC 7162 §3.1.5), which nobody needs. */
static size_t
take_numbers(struct imap_client *client, struct slice input)
{
    for (size_t i = 0; i < input.len; i++) {
        uint8_t byte = input.at[i];
        if (byte == '\n' || byte == '(') {
            end_number(client);
            client->frame = FRAME_LINE;
            client->is_whole = byte == '\n';
            return i + 1;
        }
        if (byte_is_digit(byte)) {
            client->number = (client->has_digits ? client->number * 10 : 0) + (byte - '0');
            client->has_digits = true;
        } else if (byte == ' ' || byte == '\r') {
            end_number(client);
        }
        if ((!byte_is_digit(byte) && byte != ' ' && byte != '\r') || client->number > UINT32_MAX)
            imap_client_end_protocol(client, "a UID is no number that makes sense");
        if (client->has_event)
            return i + 1;
    }
    return input.len;
}

static void
begin_numbers(struct imap_client *client)
{
    imap_client_trace(client, "S: ", SLICE("* SEARCH ..."));
    client->frame = FRAME_NUMBERS;
    client->has_digits = false;
    client->number = 0;
}

void
imap_client_walk_on(struct imap_client *client)
{
    if (client->walk == WALK_FETCH)
        imap_client_walk_fetch(client);
    else
        imap_client_walk_set(client);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void
take_line(struct imap_client *client)
{
    struct slice response = buffer_slice(&client->response);
    uint64_t octets;

    response = slice_first(response, response.len - 1);
    if (slice_ends_with(response, SLICE("\r")))
        response = slice_first(response, response.len - 1);
    if (client->state >= IMAP_CLIENT_AUTHENTICATED &&
        ends_with_literal(slice_skip(response, client->line_at), &octets) &&
        can_have_literals(response)) {
        begin_literal(client, octets);
        return;
    }
    client->is_whole = true;
    on_response(client, response);
}

/* How much of the input may be looked at: not the numbers of SEARCH. */
static struct slice
first_part(const struct imap_client *client, struct slice input)
{
    size_t end = slice_find_byte(input, '\n');
    struct slice part = slice_first(input, end + 1);
    size_t known = buffer_len(&client->response);

    if (client->state >= IMAP_CLIENT_AUTHENTICATED && known < NUMBERS_PREFIX.len)
        part = slice_first(part, NUMBERS_PREFIX.len - known);
    return part;
}

static size_t
feed_line(struct imap_client *client, struct slice input)
{
    if (client->is_whole) {
        buffer_clear(&client->response);
        client->is_whole = false;
        client->literals_count = 0;
        client->line_at = client->fetch_at = 0;
    }
    struct slice part = first_part(client, input);
    if (buffer_len(&client->response) + part.len > response_max(client)) {
        imap_client_end_protocol(client, "a response is too long");
        return input.len;
    }
    buffer_put(&client->response, part);
    if (slice_ends_with(part, SLICE("\n")))
        take_line(client);
    else if (client->state >= IMAP_CLIENT_AUTHENTICATED &&
             buffer_len(&client->response) == NUMBERS_PREFIX.len &&
             slice_starts_with_nocase(buffer_slice(&client->response), NUMBERS_PREFIX))
        begin_numbers(client);
    return part.len;
}

size_t
imap_client_take(struct imap_client *client, struct slice input)
{
    switch (client->frame) {
    case FRAME_LITERAL:
        return take_literal(client, input);
    case FRAME_BODY:
        return take_body(client, input);
    case FRAME_NUMBERS:
        return take_numbers(client, input);
    case FRAME_LINE:
        break;
    }
    return feed_line(client, input);
}
