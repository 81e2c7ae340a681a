/* SPDX-License-Identifier: ISC */
#include "postman.h"

#include "lines.h"
#include "reader.h"
#include "sender.h"

#include <stdlib.h>

enum { PAUSE_MS_MAX = 1500, OWNER = 0, INBOX = 0, FETCHED_MAX = 6 };

enum phase {
    RESTING,
    GREETING,
    HELLO,
    MAIL,
    RCPT,
    DATA,
    TEXT,
    LOGIN,
    LIST,
    LISTING,
    DELETING,
    QUITTING,
};

struct postman {
    struct sim *sim;
    struct boxes *boxes;
    struct host *host;
    struct host_timer *next;
    struct lines *lines;
    struct host_address server;
    bool is_fetcher;
    unsigned left;
    enum phase phase;
    struct boxes_op *op;
    uint32_t uids[BOXES_MESSAGES_MAX]; /* by number, from 0 */
    size_t count;
    uint32_t deleted[FETCHED_MAX]; /* uids */
    size_t numbers[FETCHED_MAX];
    size_t deleted_count, at;
};

bool
postman_is_resting(const struct postman *postman)
{
    return postman->left == 0 && postman->phase == RESTING;
}

static void
sleep_some(struct postman *postman)
{
    int64_t ms = (int64_t)sim_random(postman->sim, PAUSE_MS_MAX) + 1;

    host_timer_set(postman->next, instant_after(host_now(postman->host), duration_ms(ms)));
}

/* It is done, or has come to nothing; nobody tries again. */
static void
leave(struct postman *postman)
{
    if (postman->op)
        boxes_lost(postman->op);
    postman->op = NULL;
    lines_close(&postman->lines);
    postman->phase = RESTING;
    if (postman->left > 0)
        sleep_some(postman);
}

static struct buffer *
begin(struct postman *postman, enum phase phase, struct slice words)
{
    struct buffer *output = lines_output(postman->lines);

    postman->phase = phase;
    buffer_put(output, words);
    return output;
}

static void
say(struct postman *postman, enum phase phase, struct slice words)
{
    buffer_put(begin(postman, phase, words), SLICE("\r\n"));
    lines_flush(postman->lines);
}

/* ---- SMTP ------------------------------------------------------------------------------------ */

static void
send_letter(struct postman *postman)
{
    unsigned letter = boxes_new_letters(postman->boxes, 1);
    struct buffer text;

    buffer_init(&text, BOXES_LETTER_MAX);
    boxes_put_letter(letter, &text);
    buffer_put(lines_output(postman->lines), buffer_slice(&text));
    buffer_finish(&text);
    postman->op = boxes_begin_append(postman->boxes, INBOX, 0, letter, 1);
    say(postman, TEXT, SLICE("."));
}

static void
on_reply(struct postman *postman)
{
    struct buffer *output;

    switch ((int)postman->phase) {
    case GREETING:
        say(postman, HELLO, SLICE("EHLO stranger.test"));
        break;
    case HELLO:
        say(postman, MAIL, SLICE("MAIL FROM:<stranger@foo.test>"));
        break;
    case MAIL:
        output = begin(postman, RCPT, SLICE("RCPT TO:<"));
        sender_put_address(output, OWNER);
        say(postman, RCPT, SLICE(">"));
        break;
    case RCPT:
        say(postman, DATA, SLICE("DATA"));
        break;
    case DATA:
        send_letter(postman);
        break;
    default:
        boxes_delivered(postman->boxes, postman->op);
        postman->op = NULL;
        leave(postman);
    }
}

/* ---- POP3 ------------------------------------------------------------------------------------ */

static uint64_t
take_number(struct slice *text)
{
    uint64_t number = 0;

    for (; text->len > 0 && byte_is_digit(text->at[0]); *text = slice_skip(*text, 1))
        number = number * 10 + (uint64_t)(text->at[0] - '0');
    *text = slice_skip(*text, text->len > 0 ? 1 : 0);
    return number;
}

static void
delete_next(struct postman *postman)
{
    if (postman->at < postman->deleted_count) {
        struct buffer *output = begin(postman, DELETING, SLICE("DELE "));
        buffer_put_decimal(output, postman->numbers[postman->at]);
        say(postman, DELETING, SLICE(""));
        return;
    }
    const struct boxes_targets targets = {INBOX, postman->deleted, postman->deleted_count};
    postman->op = boxes_begin_removal(postman->boxes, &targets);
    say(postman, QUITTING, SLICE("QUIT"));
}

/* "1 VALIDITY.UID" */
static void
on_listed(struct postman *postman, struct slice line)
{
    if (!slice_equal(line, SLICE("."))) {
        (void)take_number(&line);
        (void)take_number(&line);
        if (postman->count == BOXES_MESSAGES_MAX)
            abort();
        postman->uids[postman->count] = (uint32_t)take_number(&line);
        boxes_saw(postman->boxes, INBOX, postman->uids[postman->count]);
        postman->count++;
        return;
    }
    postman->at = postman->deleted_count = 0;
    for (size_t i = 0; i < postman->count && postman->deleted_count < FETCHED_MAX; i++) {
        if (sim_random(postman->sim, 5) > 0)
            continue;
        postman->numbers[postman->deleted_count] = i + 1;
        postman->deleted[postman->deleted_count++] = postman->uids[i];
    }
    delete_next(postman);
}

static void
on_ok(struct postman *postman, struct slice line)
{
    struct buffer apop;

    switch ((int)postman->phase) {
    case GREETING:
        buffer_init(&apop, 1000);
        if (!reader_put_apop(line, OWNER, &apop))
            boxes_fail(postman->boxes, "the POP3 greeting has no timestamp");
        say(postman, LOGIN, buffer_slice(&apop));
        buffer_finish(&apop);
        break;
    case LOGIN:
        postman->count = 0;
        say(postman, LIST, SLICE("UIDL"));
        break;
    case LIST:
        postman->phase = LISTING;
        break;
    case DELETING:
        postman->at++;
        delete_next(postman);
        break;
    default:
        boxes_done(postman->boxes, postman->op);
        postman->op = NULL;
        leave(postman);
    }
}

/* ---- both ------------------------------------------------------------------------------------ */

static void
on_line(void *context, struct slice line)
{
    struct postman *postman = context;
    bool is_more = line.len > 3 && line.at[3] == '-';
    bool is_good = line.len > 0 && (line.at[0] == '2' || line.at[0] == '3');

    if (postman->is_fetcher && postman->phase == LISTING)
        on_listed(postman, line);
    else if (postman->is_fetcher && slice_starts_with(line, SLICE("+OK")))
        on_ok(postman, line);
    else if (postman->is_fetcher || !is_good)
        leave(postman);
    else if (!is_more)
        on_reply(postman);
}

static void
on_end(void *context)
{
    leave(context);
}

static void
on_next(void *context)
{
    static const struct lines_handler handler = {on_line, on_end};
    struct postman *postman = context;

    if (boxes_has_failed(postman->boxes) || postman->left == 0)
        return;
    postman->left--;
    postman->phase = GREETING;
    postman->lines = lines_open(postman->host, &postman->server, &handler, postman);
}

void
postman_work(struct postman *postman, unsigned count)
{
    postman->left = count;
    if (count > 0)
        sleep_some(postman);
}

struct postman *
postman_open(struct sim *sim, struct boxes *boxes, const struct host_address *server,
             bool is_fetcher)
{
    struct postman *postman = calloc(1, sizeof(*postman));

    if (!postman)
        abort();
    postman->sim = sim;
    postman->boxes = boxes;
    postman->server = *server;
    postman->is_fetcher = is_fetcher;
    postman->host = sim_host_open(sim, is_fetcher ? "fetcher" : "postman");
    sim_host_move_away(postman->host);
    postman->next = host_timer_open(postman->host, on_next, postman);
    return postman;
}

void
postman_close(struct postman **postman)
{
    if (!*postman)
        return;
    lines_close(&(*postman)->lines);
    host_timer_close(&(*postman)->next);
    sim_host_close(&(*postman)->host);
    free(*postman);
    *postman = NULL;
}
