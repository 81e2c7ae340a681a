/* SPDX-License-Identifier: ISC */
/* The client engine in the transaction and update states: RFC 1939 §5 to §7. */
#include "pop3/client_private.h"

#include <stdio.h>

enum { QUESTION_TEXT_MAX = 40 };

/* ---- questions ----------------------------------------------------------------------------- */

static const struct pop3_client_question *
first_question(const struct pop3_client *client)
{
    return &client->queue[client->queue_start];
}

static void
send_question(struct pop3_client *client, const struct pop3_client_question *question)
{
    static const char *const verbs[] = {"STAT", "LIST", "UIDL", "RETR", "TOP",
                                        "DELE", "NOOP", "RSET", "QUIT"};
    char text[QUESTION_TEXT_MAX];
    int len;

    if (question->command == POP3_CLIENT_TOP)
        len = snprintf(text, sizeof(text), "TOP %u %u", question->number, question->lines);
    else if (question->command == POP3_CLIENT_RETR || question->command == POP3_CLIENT_DELE ||
             (question->number > 0 && question->command <= POP3_CLIENT_UIDL &&
              question->command != POP3_CLIENT_STAT))
        len = snprintf(text, sizeof(text), "%s %u", verbs[question->command], question->number);
    else
        len = snprintf(text, sizeof(text), "%s", verbs[question->command]);
    pop3_client_put_line(client, slice_of(text, (size_t)len), NULL);
    if (question->command == POP3_CLIENT_QUIT)
        pop3_client_enter(client, POP3_CLIENT_UPDATE);
}

void
pop3_client_send_questions(struct pop3_client *client)
{
    size_t sent_max = client->facts.has_pipelining ? POP3_CLIENT_QUEUE_MAX : 1;

    while (client->sent_count < client->queue_count && client->sent_count < sent_max) {
        size_t at = (client->queue_start + client->sent_count++) % POP3_CLIENT_QUEUE_MAX;
        send_question(client, &client->queue[at]);
    }
    if (client->awaits == AWAITS_IDLE && client->sent_count > 0)
        client->awaits = AWAITS_REPLY;
}

/* The first question has its answer. */
static void
finish_question(struct pop3_client *client)
{
    client->queue_start = (client->queue_start + 1) % POP3_CLIENT_QUEUE_MAX;
    client->queue_count--;
    client->sent_count--;
    client->awaits = client->sent_count > 0 ? AWAITS_REPLY : AWAITS_IDLE;
    pop3_client_send_questions(client);
}

/* ---- answers ------------------------------------------------------------------------------- */

static bool
is_uid(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x21 || text.at[i] > 0x7E)
            return false;
    }
    return text.len >= 1 && text.len <= POP3_CLIENT_UID_MAX;
}

/* RFC 1939 §5 and §7: "number octets" for LIST, "number unique-id" for UIDL; more may follow a
 * length. */
static bool
take_item(struct pop3_client *client, struct slice text, enum pop3_client_command command)
{
    struct cursor cursor = cursor_of(text);
    uint32_t min = command == POP3_CLIENT_STAT ? 0 : 1;
    uint32_t number;
    uint64_t octets = 0;
    struct slice uid = slice_first(text, 0);

    if (!cursor_take_u32(&cursor, min, POP3_CLIENT_LIST_MAX, &number) ||
        cursor_skip_blanks(&cursor) == 0)
        return false;
    if (command == POP3_CLIENT_UIDL) {
        uid = slice_trim(cursor_rest(&cursor));
        if (!is_uid(uid))
            return false;
    } else if (!cursor_take_u64(&cursor, 0, INT64_MAX, &octets)) {
        return false;
    }
    client->event.number = number;
    client->event.octets = octets;
    client->event.bytes = uid;
    return true;
}

/* What borrows from the line must outlive it. */
static struct slice
keep_line(struct pop3_client *client, struct slice line)
{
    buffer_clear(&client->scratch);
    buffer_put(&client->scratch, line);
    return buffer_slice(&client->scratch);
}

static void
raise_reply(struct pop3_client *client, enum pop3_client_command command)
{
    const struct pop3_client_question *question = first_question(client);
    bool is_listing = command == POP3_CLIENT_LIST || command == POP3_CLIENT_UIDL;
    bool is_body = command == POP3_CLIENT_RETR || command == POP3_CLIENT_TOP;
    bool has_item = command == POP3_CLIENT_STAT || (is_listing && question->number > 0);
    bool is_ok = client->event.is_ok;

    client->event.command = command;
    if (command != POP3_CLIENT_STAT)
        client->event.number = question->number;
    if (is_ok && has_item && !take_item(client, client->event.text, command)) {
        pop3_client_end_protocol(client, "an answer has no numbers that make sense");
        return;
    }
    if (is_ok && is_listing && has_item && client->event.number != question->number) {
        pop3_client_end_protocol(client, "an answer is about another message");
        return;
    }
    client->count = 0;
    pop3_client_raise(client, POP3_CLIENT_EVENT_REPLY);
    if (is_ok && is_body) {
        pop3_unstuffer_init(&client->unstuffer);
        client->is_overlong = false;
        client->awaits = AWAITS_BODY;
    } else if (is_ok && is_listing && !has_item) {
        client->awaits = AWAITS_LIST;
    } else {
        finish_question(client);
    }
}

static void
on_reply(struct pop3_client *client, struct slice line)
{
    enum pop3_client_command command = first_question(client)->command;

    if (!pop3_client_parse_status(keep_line(client, line), &client->event))
        pop3_client_end_protocol(client, "an answer is neither +OK nor -ERR");
    else if (command == POP3_CLIENT_QUIT)
        pop3_client_end(
            client, client->event.is_ok ? POP3_CLIENT_CLOSE_DONE : POP3_CLIENT_CLOSE_UPDATE, line);
    else
        raise_reply(client, command);
}

static void
raise_end(struct pop3_client *client)
{
    const struct pop3_client_question *question = first_question(client);

    client->event = (struct pop3_client_event){
        .command = question->command, .number = question->number, .octets = client->count};
    pop3_client_raise(client, POP3_CLIENT_EVENT_END);
    finish_question(client);
}

static void
on_item(struct pop3_client *client, struct slice line)
{
    enum pop3_client_command command = first_question(client)->command;

    if (slice_equal(line, SLICE("."))) {
        raise_end(client);
        return;
    }
    line = keep_line(client, line);
    if (++client->count > POP3_CLIENT_LIST_MAX) {
        pop3_client_end_protocol(client, "a listing is too long");
    } else if (!take_item(client, line, command)) {
        pop3_client_end_protocol(client, "a line of a listing makes no sense");
    } else {
        client->event.command = command;
        pop3_client_raise(client, POP3_CLIENT_EVENT_ITEM);
    }
}

void
pop3_client_on_reply_line(struct pop3_client *client, struct slice line)
{
    struct pop3_client_event status = {0};

    if (client->awaits == AWAITS_REPLY)
        on_reply(client, line);
    else if (client->awaits == AWAITS_LIST)
        on_item(client, line);
    else if (pop3_client_parse_status(line, &status) && !status.is_ok)
        pop3_client_end(client, POP3_CLIENT_CLOSE_REFUSED, line); /* it goes down */
    else
        pop3_client_end_protocol(client, "the server answers what nobody asked");
}

/* What would pass the bound stays in the input: the next call ends the session. */
static size_t
raise_body(struct pop3_client *client, struct slice piece, size_t taken)
{
    const struct pop3_client_question *question = first_question(client);
    uint64_t room = client->options.message_bytes_max - client->count;
    struct slice fitting = slice_first(piece, room < piece.len ? (size_t)room : piece.len);

    client->count += fitting.len;
    client->is_overlong = fitting.len < piece.len;
    if (fitting.len == 0) {
        pop3_client_end_protocol(client, "a message is too long");
        return taken;
    }
    client->event = (struct pop3_client_event){
        .command = question->command, .number = question->number, .bytes = fitting};
    pop3_client_raise(client, POP3_CLIENT_EVENT_BODY);
    return taken - (piece.len - fitting.len);
}

size_t
pop3_client_on_body(struct pop3_client *client, struct slice input)
{
    struct slice rest = input, piece = slice_first(input, 0);
    bool is_open = true;

    if (client->is_overlong) {
        pop3_client_end_protocol(client, "a message is too long");
        return input.len;
    }
    while (rest.len > 0 && piece.len == 0 && is_open)
        is_open = pop3_unstuffer_take(&client->unstuffer, &rest, &piece);
    size_t taken = input.len - rest.len;
    if (!is_open)
        raise_end(client);
    else if (piece.len > 0)
        return raise_body(client, piece, taken);
    return taken;
}
