/* SPDX-License-Identifier: ISC */
#include "reader.h"

#include "lines.h"
#include "sasl/digest.h"
#include "sender.h"

#include <stdlib.h>

enum { DELETIONS_MAX = 8 };

enum phase { IDLE, GREETING, LOGIN, LISTING, READING, DELETING, QUITTING };

struct reader {
    struct sim *sim;
    struct oracle *oracle;
    struct host *host;
    struct host_timer *next;
    struct lines *lines;
    struct host_address pop3;
    unsigned pause_ms_max;
    unsigned account;
    enum phase phase;
    bool is_finishing;
    bool is_done;
    bool was_answered; /* the first line of a long answer has come */
    struct oracle_listing listing;
    size_t at; /* message in hand, from 0 */
    struct buffer message;
    size_t deletions[DELETIONS_MAX]; /* indices in the listing */
    size_t deletion_count;
};

void
reader_put_secret(struct buffer *buffer, unsigned account)
{
    buffer_put(buffer, SLICE("secret-of-"));
    buffer_put_decimal(buffer, account);
}

bool
reader_is_done(const struct reader *reader)
{
    return reader->is_done && reader->phase == IDLE;
}

static void
rest(struct reader *reader)
{
    lines_close(&reader->lines);
    reader->phase = IDLE;
    if (!reader->is_done)
        host_timer_set(
            reader->next,
            instant_after(host_now(reader->host),
                          duration_ms((int64_t)sim_random(reader->sim, reader->pause_ms_max))));
}

static void
say(struct reader *reader, enum phase phase, struct slice command)
{
    buffer_put(lines_output(reader->lines), command);
    buffer_put(lines_output(reader->lines), SLICE("\r\n"));
    lines_flush(reader->lines);
    reader->phase = phase;
    reader->was_answered = false;
}

static void
say_numbered(struct reader *reader, enum phase phase, struct slice command, size_t number)
{
    struct buffer text;

    buffer_init(&text, 64);
    buffer_put(&text, command);
    buffer_put_decimal(&text, number);
    say(reader, phase, buffer_slice(&text));
    buffer_finish(&text);
}

bool
reader_put_apop(struct slice greeting, unsigned account, struct buffer *buffer)
{
    size_t from = slice_find_byte(greeting, '<');
    size_t to = slice_find_last_byte(greeting, '>');
    uint8_t digest[SASL_DIGEST_MAX];
    struct buffer text;

    if (to <= from || to == greeting.len)
        return false;
    buffer_init(&text, 1000);
    buffer_put(&text, slice_between(greeting, from, to + 1));
    reader_put_secret(&text, account);
    sasl_digest(SASL_HASH_MD5, buffer_slice(&text), digest);
    buffer_finish(&text);
    buffer_put(buffer, SLICE("APOP "));
    sender_put_address(buffer, account);
    buffer_put_byte(buffer, ' ');
    buffer_put_hex(buffer, slice_of(digest, sasl_hash_len(SASL_HASH_MD5)));
    return true;
}

static void
log_in(struct reader *reader, struct slice greeting)
{
    struct buffer text;

    buffer_init(&text, 1000);
    if (reader_put_apop(greeting, reader->account, &text)) {
        say(reader, LOGIN, buffer_slice(&text));
    } else {
        oracle_fail(reader->oracle, "the POP3 greeting has no timestamp: %.*s", (int)greeting.len,
                    (const char *)greeting.at);
        rest(reader);
    }
    buffer_finish(&text);
}

/* ---- the session ---------------------------------------------------------------------------- */

static uint64_t
take_number(struct slice *text)
{
    uint64_t number = 0;

    for (; text->len > 0 && byte_is_digit(text->at[0]); *text = slice_skip(*text, 1))
        number = number * 10 + (uint64_t)(text->at[0] - '0');
    return number;
}

/* "1 VALIDITY.UID" */
static void
on_listed_line(struct reader *reader, struct slice line)
{
    struct oracle_listing *listing = &reader->listing;
    uint64_t number = take_number(&line);

    line = slice_skip(line, 1);
    listing->validity = take_number(&line);
    line = slice_skip(line, 1);
    if (number != listing->count + 1 || listing->count == COUNT_OF(listing->uids)) {
        oracle_fail(reader->oracle, "account %u: UIDL numbers a message %llu after %zu",
                    reader->account, (unsigned long long)number, listing->count);
        return;
    }
    listing->uids[listing->count++] = (uint32_t)take_number(&line);
}

static void
begin_quit(struct reader *reader)
{
    for (size_t i = 0; i < reader->deletion_count; i++)
        oracle_deleting(reader->oracle, reader->account,
                        reader->listing.uids[reader->deletions[i]]);
    say(reader, QUITTING, SLICE("QUIT"));
}

static void
delete_next(struct reader *reader)
{
    if (reader->at < reader->deletion_count)
        say_numbered(reader, DELETING, SLICE("DELE "), reader->deletions[reader->at] + 1);
    else
        begin_quit(reader);
}

static void
begin_deletions(struct reader *reader)
{
    reader->at = 0;
    reader->deletion_count = 0;
    for (size_t i = 0; i < reader->listing.count && !reader->is_finishing; i++)
        if (reader->deletion_count < DELETIONS_MAX && sim_random(reader->sim, 8) == 0 &&
            oracle_is_read(reader->oracle, reader->account, reader->listing.uids[i]))
            reader->deletions[reader->deletion_count++] = i;
    delete_next(reader);
}

/* At the end all messages are read again; before that, those that come to be. */
static void
read_next(struct reader *reader)
{
    while (reader->at < reader->listing.count && !reader->is_finishing &&
           sim_random(reader->sim, 3) > 0)
        reader->at++;
    if (reader->at < reader->listing.count) {
        buffer_clear(&reader->message);
        say_numbered(reader, READING, SLICE("RETR "), reader->at + 1);
    } else {
        begin_deletions(reader);
    }
}

static void
on_message_line(struct reader *reader, struct slice line)
{
    if (!slice_equal(line, SLICE("."))) {
        buffer_put(&reader->message, line.len && line.at[0] == '.' ? slice_skip(line, 1) : line);
        buffer_put(&reader->message, SLICE("\r\n"));
        return;
    }
    oracle_retrieved(reader->oracle, reader->account, reader->listing.uids[reader->at],
                     buffer_slice(&reader->message));
    reader->at++;
    read_next(reader);
}

static void
on_long_answer(struct reader *reader, struct slice line)
{
    if (reader->phase == READING) {
        on_message_line(reader, line);
    } else if (!slice_equal(line, SLICE("."))) {
        on_listed_line(reader, line);
    } else {
        oracle_listed(reader->oracle, reader->account, &reader->listing);
        reader->at = 0;
        read_next(reader);
    }
}

static void
on_quit_answer(struct reader *reader)
{
    for (size_t i = 0; i < reader->deletion_count; i++)
        oracle_deleted(reader->oracle, reader->account, reader->listing.uids[reader->deletions[i]]);
    reader->is_done = reader->is_finishing;
    rest(reader);
}

static void
on_first_line(struct reader *reader, struct slice line)
{
    switch (reader->phase) {
    case GREETING:
        log_in(reader, line);
        break;
    case LOGIN:
        reader->listing.count = 0;
        reader->deletion_count = 0;
        say(reader, LISTING, SLICE("UIDL"));
        break;
    case LISTING:
    case READING:
        reader->was_answered = true;
        break;
    case DELETING:
        reader->at++;
        delete_next(reader);
        break;
    case QUITTING:
        on_quit_answer(reader);
        break;
    case IDLE:
        break;
    }
}

static void
on_line(void *context, struct slice line)
{
    struct reader *reader = context;

    if (reader->was_answered)
        on_long_answer(reader, line);
    else if (slice_starts_with(line, SLICE("+OK")))
        on_first_line(reader, line);
    else
        rest(reader); /* trouble that passes, or the account is in use; the end shows */
}

static void
on_end(void *context)
{
    rest(context);
}

static void
on_next(void *context)
{
    static const struct lines_handler handler = {on_line, on_end};
    struct reader *reader = context;

    reader->phase = GREETING;
    reader->was_answered = false;
    reader->lines = lines_open(reader->host, &reader->pop3, &handler, reader);
}

void
reader_finish(struct reader *reader)
{
    reader->is_finishing = true;
    reader->is_done = false;
    rest(reader);
}

struct reader *
reader_open(struct sim *sim, struct oracle *oracle, unsigned account,
            const struct host_address *pop3, unsigned pause_ms_max)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    char name[24];

    if (!reader)
        abort();
    snprintf(name, sizeof(name), "reader/%u", account);
    reader->sim = sim;
    reader->oracle = oracle;
    reader->account = account;
    reader->pop3 = *pop3;
    reader->pause_ms_max = pause_ms_max;
    reader->host = sim_host_open(sim, name);
    sim_host_move_away(reader->host);
    reader->next = host_timer_open(reader->host, on_next, reader);
    buffer_init(&reader->message, ORACLE_MESSAGE_MAX * 2);
    rest(reader);
    return reader;
}

void
reader_close(struct reader **reader)
{
    lines_close(&(*reader)->lines);
    host_timer_close(&(*reader)->next);
    buffer_finish(&(*reader)->message);
    sim_host_close(&(*reader)->host);
    free(*reader);
    *reader = NULL;
}
