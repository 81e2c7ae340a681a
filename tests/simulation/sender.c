/* SPDX-License-Identifier: ISC */
#include "sender.h"

#include "lines.h"

#include <stdlib.h>

enum {
    SMALL_MAX = 4000,
    LARGE_MAX = 200000, /* over 64 KiB a body travels as a blob */
    COMMANDS_MAX = ORACLE_MAILBOXES + 2,
};

enum phase { IDLE, GREETING, HELLO, ENVELOPE, BODY, QUITTING };

struct sender {
    struct sim *sim;
    struct oracle *oracle;
    struct host *host;
    struct host_timer *retry;
    struct lines *lines;
    struct sender_options options;
    const struct sender_target *target; /* of this connection */
    unsigned letters_left;
    bool is_lmtp;
    bool is_pipelining;
    enum phase phase;

    /* the letter in hand */
    bool wants[ORACLE_MAILBOXES]; /* who has not been acknowledged yet */
    uint32_t len;

    /* the attempt in hand */
    uint32_t attempt;
    unsigned commands[COMMANDS_MAX]; /* MAIL, RCPT of an account, DATA */
    size_t command_count;
    size_t commands_sent;
    size_t replies;
    unsigned accepted[ORACLE_MAILBOXES]; /* accounts whose RCPT was answered 250, in order */
    size_t accepted_count;
};

enum { COMMAND_MAIL = 1000, COMMAND_DATA = 1001 }; /* others: RCPT of that account */

void
sender_put_address(struct buffer *buffer, unsigned account)
{
    buffer_put(buffer, SLICE("user"));
    buffer_put_decimal(buffer, account);
    buffer_put(buffer, account == ORACLE_RETURNED   ? SLICE("@foo.test")
                       : account == ORACLE_CUSTOMER ? SLICE("@customer.test")
                                                    : SLICE("@example.test"));
}

static void
put_line(struct sender *sender, struct slice line)
{
    buffer_put(lines_output(sender->lines), line);
    buffer_put(lines_output(sender->lines), SLICE("\r\n"));
}

/* ---- letters -------------------------------------------------------------------------------- */

static bool
letter_is_done(const struct sender *sender)
{
    for (size_t i = 0; i < ORACLE_MAILBOXES; i++)
        if (sender->wants[i])
            return false;
    return true;
}

static void
draw_letter(struct sender *sender)
{
    struct sim *sim = sender->sim;
    bool is_large = sim_random(sim, 12) == 0;

    sender->len = (uint32_t)sim_random(sim, is_large ? LARGE_MAX : SMALL_MAX);
    if (sender->target->is_relay && sim_random(sim, 8) == 0) {
        sender->wants[ORACLE_RETURNED] = true;
        return;
    }
    if (sender->target->has_customer && sim_random(sim, 4) == 0)
        sender->wants[ORACLE_CUSTOMER] = true;
    else
        sender->wants[sim_random(sim, ORACLE_ACCOUNTS)] = true;
    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        if (sim_random(sim, 4) == 0)
            sender->wants[i] = true;
}

bool
sender_is_done(const struct sender *sender)
{
    return sender->letters_left == 0 && sender->phase == IDLE;
}

/* ---- one transaction ------------------------------------------------------------------------ */

/* RFC 3461 §4.4: a notification names it, whatever it brings back. */
static void
put_envelope_id(const struct sender *sender, struct buffer *output)
{
    if (!sender->wants[ORACLE_RETURNED])
        return;
    buffer_put(output, SLICE(" ENVID="));
    buffer_put_decimal(output, sender->attempt);
    buffer_put(output, SLICE("@simulation"));
}

static void
put_command(struct sender *sender, unsigned command)
{
    struct buffer *output = lines_output(sender->lines);

    if (command == COMMAND_MAIL) {
        buffer_put(output, SLICE("MAIL FROM:<"));
        sender_put_address(output, ORACLE_RETURNED);
        buffer_put_byte(output, '>');
        put_envelope_id(sender, output);
    } else if (command == COMMAND_DATA) {
        buffer_put(output, SLICE("DATA"));
    } else {
        buffer_put(output, SLICE("RCPT TO:<"));
        if (command == ORACLE_RETURNED)
            buffer_put(output, SLICE("nobody@example.test"));
        else
            sender_put_address(output, command);
        buffer_put_byte(output, '>');
    }
    buffer_put(output, SLICE("\r\n"));
}

static void
send_commands(struct sender *sender)
{
    size_t until = sender->is_pipelining ? sender->command_count : sender->replies + 1;

    while (sender->commands_sent < until && sender->commands_sent < sender->command_count)
        put_command(sender, sender->commands[sender->commands_sent++]);
    lines_flush(sender->lines);
}

static void
begin_attempt(struct sender *sender)
{
    if (letter_is_done(sender))
        draw_letter(sender);
    sender->attempt = oracle_attempt(sender->oracle, sender->len);
    if (sender->target->is_signing)
        oracle_signed(sender->oracle, sender->attempt);
    sender->command_count = sender->commands_sent = sender->replies = 0;
    sender->accepted_count = 0;
    sender->commands[sender->command_count++] = COMMAND_MAIL;
    for (unsigned i = 0; i < ORACLE_MAILBOXES; i++)
        if (sender->wants[i]) {
            sender->commands[sender->command_count++] = i;
            oracle_addressed(sender->oracle, sender->attempt, i);
        }
    sender->commands[sender->command_count++] = COMMAND_DATA;
    sender->phase = ENVELOPE;
    send_commands(sender);
}

static void
give_up(struct sender *sender)
{
    lines_close(&sender->lines);
    sender->phase = IDLE;
    host_timer_set(
        sender->retry,
        instant_after(host_now(sender->host),
                      duration_ms((int64_t)sim_random(sender->sim, sender->options.retry_ms_max))));
}

/* RFC 5321 §4.5.2: a line that begins with a dot gets another. */
static void
put_body(struct sender *sender)
{
    struct buffer *output = lines_output(sender->lines);
    struct buffer message;

    buffer_init(&message, ORACLE_MESSAGE_MAX);
    oracle_put_message(sender->oracle, sender->attempt, &message);
    for (struct slice rest = buffer_slice(&message); rest.len > 0;) {
        size_t len = slice_find_byte(rest, '\n') + 1;
        if (rest.at[0] == '.')
            buffer_put_byte(output, '.');
        buffer_put(output, slice_first(rest, len));
        rest = slice_skip(rest, len);
    }
    buffer_put(output, SLICE(".\r\n"));
    buffer_finish(&message);
    lines_flush(sender->lines);
}

static bool
code_is(struct slice line, const char *code)
{
    return slice_starts_with(line, slice_of_string(code));
}

/* Only trouble that passes may be told to a sender whose letters are in order. */
static void
expect_temporary(struct sender *sender, struct slice line, const char *to_what)
{
    if (!code_is(line, "4"))
        oracle_fail(sender->oracle, "attempt %u: %s answered \"%.*s\"", sender->attempt, to_what,
                    (int)line.len, (const char *)line.at);
}

static void
on_envelope_reply(struct sender *sender, struct slice line)
{
    unsigned command = sender->commands[sender->replies++];

    if (command < ORACLE_MAILBOXES && code_is(line, "250"))
        sender->accepted[sender->accepted_count++] = command;
    else if (command < ORACLE_MAILBOXES)
        expect_temporary(sender, line, "RCPT");
    else if (command == COMMAND_MAIL && !code_is(line, "250")) {
        expect_temporary(sender, line, "MAIL");
        give_up(sender);
        return;
    }
    if (command != COMMAND_DATA) {
        send_commands(sender);
        return;
    }
    if (!code_is(line, "354")) { /* also 503 or 554 when no recipient was taken */
        if (sender->accepted_count > 0)
            expect_temporary(sender, line, "DATA");
        give_up(sender);
        return;
    }
    sender->phase = BODY;
    sender->replies = 0;
    put_body(sender);
}

static void
finish_letter(struct sender *sender)
{
    if (letter_is_done(sender))
        sender->letters_left--;
    if (sender->letters_left > 0 && sim_random(sender->sim, 3) > 0) {
        begin_attempt(sender);
        return;
    }
    sender->phase = QUITTING;
    put_line(sender, SLICE("QUIT"));
    lines_flush(sender->lines);
}

/* SMTP answers for all recipients at once, LMTP (RFC 2033 §4.2) for each that was taken. */
static void
on_body_reply(struct sender *sender, struct slice line)
{
    size_t first = sender->is_lmtp ? sender->replies : 0;
    size_t end = sender->is_lmtp ? sender->replies + 1 : sender->accepted_count;

    sender->replies++;
    if (code_is(line, "250")) {
        for (size_t i = first; i < end && i < sender->accepted_count; i++) {
            oracle_acknowledged(sender->oracle, sender->attempt, sender->accepted[i]);
            sender->wants[sender->accepted[i]] = false;
        }
    } else if (sender->accepted_count > 0) {
        expect_temporary(sender, line, "the body");
    }
    if (code_is(line, "421"))
        give_up(sender);
    else if (!sender->is_lmtp || sender->replies >= sender->accepted_count)
        finish_letter(sender);
}

static void
on_line(void *context, struct slice line)
{
    struct sender *sender = context;

    if (line.len < 4 || line.at[3] == '-') /* more lines of this reply follow */
        return;
    switch (sender->phase) {
    case GREETING:
        if (!code_is(line, "220")) {
            give_up(sender);
            break;
        }
        sender->phase = HELLO;
        put_line(sender, sender->is_lmtp ? SLICE("LHLO sender.test") : SLICE("EHLO sender.test"));
        lines_flush(sender->lines);
        break;
    case HELLO:
        if (code_is(line, "250"))
            begin_attempt(sender);
        else
            give_up(sender);
        break;
    case ENVELOPE:
        if (code_is(line, "421"))
            give_up(sender);
        else
            on_envelope_reply(sender, line);
        break;
    case BODY:
        on_body_reply(sender, line);
        break;
    case QUITTING:
    case IDLE:
        give_up(sender);
        break;
    }
}

static void
on_end(void *context)
{
    give_up(context);
}

/* What was meant to come back, or for the customer, goes to no other server than one that takes
 * it. */
static void
draw_target(struct sender *sender)
{
    do
        sender->target =
            &sender->options.targets[sim_random(sender->sim, sender->options.target_count)];
    while ((sender->wants[ORACLE_RETURNED] && !sender->target->is_relay) ||
           (sender->wants[ORACLE_CUSTOMER] && !sender->target->has_customer));
    sender->is_lmtp = sender->target->lmtp.port != 0 && sim_random(sender->sim, 3) == 0;
}

static void
on_retry(void *context)
{
    static const struct lines_handler handler = {on_line, on_end};
    struct sender *sender = context;

    if (sender->letters_left == 0)
        return;
    draw_target(sender);
    sender->is_pipelining = sim_random(sender->sim, 2) == 0;
    sender->phase = GREETING;
    sender->lines =
        lines_open(sender->host, sender->is_lmtp ? &sender->target->lmtp : &sender->target->smtp,
                   &handler, sender);
}

struct sender *
sender_open(struct sim *sim, struct oracle *oracle, unsigned number,
            const struct sender_options *options)
{
    struct sender *sender = calloc(1, sizeof(*sender));
    char name[24];

    if (!sender)
        abort();
    snprintf(name, sizeof(name), "sender/%u", number);
    sender->sim = sim;
    sender->oracle = oracle;
    sender->options = *options;
    sender->letters_left = options->letters;
    sender->host = sim_host_open(sim, name);
    sim_host_move_away(sender->host);
    sender->retry = host_timer_open(sender->host, on_retry, sender);
    host_timer_set(sender->retry,
                   instant_after(host_now(sender->host),
                                 duration_ms((int64_t)sim_random(sim, options->retry_ms_max))));
    return sender;
}

void
sender_close(struct sender **sender)
{
    lines_close(&(*sender)->lines);
    host_timer_close(&(*sender)->retry);
    sim_host_close(&(*sender)->host);
    free(*sender);
    *sender = NULL;
}
