/* SPDX-License-Identifier: ISC */
#include "inspector.h"

#include "visit.h"
#include "shown.h"

#include <stdlib.h>

enum { RETRY_MS = 500 };

enum step { EXAMINE, FETCH, LOGOUT };

struct inspector {
    struct sim *sim;
    struct boxes *boxes;
    struct host_address server;
    struct host *host;
    struct host_timer *next;
    struct visit *visit;
    enum step step;
    unsigned box;
    bool is_done;
    struct shown shown; /* of the mailbox in hand: only its counts and codes are asked for */
    struct buffer expected;
    struct boxes_truth truth[BOXES];
};

bool
inspector_is_done(const struct inspector *inspector)
{
    return inspector->is_done;
}

const struct boxes_truth *
inspector_truth(const struct inspector *inspector)
{
    return inspector->truth;
}

static void
ask(struct inspector *inspector, enum step step)
{
    struct buffer *output = visit_ask(inspector->visit);

    inspector->step = step;
    if (step == EXAMINE) {
        shown_begin(&inspector->shown, inspector->box, false);
        buffer_put(output, SLICE("EXAMINE "));
        buffer_put_text(output, boxes_name(inspector->boxes, inspector->box));
    } else if (step == FETCH) {
        buffer_put(output, SLICE("FETCH "));
        buffer_put_decimal(output, inspector->truth[inspector->box].count + 1);
        buffer_put(output, SLICE(":* (UID FLAGS BODY.PEEK[])"));
    } else {
        buffer_put(output, SLICE("LOGOUT"));
    }
    visit_send(inspector->visit);
}

static void
begin_again(struct inspector *inspector)
{
    visit_close(&inspector->visit);
    if (!inspector->is_done)
        host_timer_set(inspector->next,
                       instant_after(host_now(inspector->host), duration_ms(RETRY_MS)));
}

/* Goes on with the mailbox at which it was cut off, behind the last message that came whole: on a
 * line that is cut every few hundred pieces nobody ever reads all of them in one session (seed
 * 111192). */
static void
on_ready(void *context)
{
    struct inspector *inspector = context;

    ask(inspector, inspector->box < BOXES ? EXAMINE : LOGOUT);
}

/* Which letter is it? It must be that, to the last octet. */
static unsigned
identify(struct inspector *inspector, struct slice octets)
{
    const struct slice before = SLICE("Subject: letter ");
    size_t at = slice_find(octets, before);
    unsigned letter = 0;

    for (at += before.len; at < octets.len && byte_is_digit(octets.at[at]); at++)
        letter = letter * 10 + (unsigned)(octets.at[at] - '0');
    buffer_clear(&inspector->expected);
    boxes_put_letter(letter, &inspector->expected);
    struct slice expected = buffer_slice(&inspector->expected), trace = octets;
    trace.len -= octets.len > expected.len ? expected.len : octets.len;
    if (slice_starts_with(trace, SLICE("Return-Path: <"))) /* it came by SMTP */
        octets = slice_skip(octets, trace.len);
    if (!slice_equal(octets, expected))
        boxes_fail(inspector->boxes, "%s: a message of %zu octets is not letter %u",
                   boxes_names[inspector->box], octets.len, letter);
    return letter;
}

static void
on_data(void *context, struct slice line, struct slice literal)
{
    struct inspector *inspector = context;
    struct boxes_truth *truth = &inspector->truth[inspector->box];
    struct shown_message message;

    if (slice_find(line, SLICE(" FETCH (")) == line.len || inspector->step != FETCH) {
        if (!slice_starts_with(line, SLICE("BYE ")))
            shown_line(&inspector->shown, line, false);
        return;
    }
    shown_fetched(line, &message);
    if (truth->count == BOXES_MESSAGES_MAX)
        abort();
    truth->rows[truth->count++] = (struct boxes_row){
        .uid = message.uid, .flags = message.flags, .letter = identify(inspector, literal)};
}

/* What was read before the line was cut still holds when nothing has changed. */
static void
forget_unless_same(struct boxes_truth *truth, const struct shown *shown)
{
    if (truth->validity != shown->validity || truth->modseq != shown->modseq)
        truth->count = 0;
    truth->validity = shown->validity;
    truth->modseq = shown->modseq;
}

static void
on_answer(void *context, enum visit_status status, struct slice line)
{
    struct inspector *inspector = context;
    struct boxes_truth *truth = &inspector->truth[inspector->box];

    if (inspector->step == EXAMINE && slice_find(line, SLICE("[NONEXISTENT]")) < line.len)
        boxes_saw_no_name(inspector->boxes, inspector->box);
    if (status == VISIT_OK && inspector->step == EXAMINE)
        forget_unless_same(truth, &inspector->shown);
    if (status != VISIT_OK) {
        begin_again(inspector);
    } else if (inspector->step == EXAMINE && inspector->shown.count > truth->count) {
        ask(inspector, FETCH);
    } else if (inspector->step == LOGOUT) {
        inspector->is_done = true;
        begin_again(inspector);
    } else {
        if (truth->count != inspector->shown.count)
            boxes_fail(inspector->boxes, "%s: of %zu messages %zu can be read",
                       boxes_names[inspector->box], inspector->shown.count, truth->count);
        inspector->box++;
        ask(inspector, inspector->box < BOXES ? EXAMINE : LOGOUT);
    }
}

static void
on_continue(void *context)
{
    (void)context;
}

static void
on_end(void *context)
{
    begin_again(context);
}

static void
on_next(void *context)
{
    static const struct visit_handler handler = {on_ready, on_data, on_continue, on_answer, on_end};
    struct inspector *inspector = context;
    const struct visit_options options = {.server = inspector->server, .account = 0};

    inspector->visit = visit_open(inspector->sim, inspector->host, &options, &handler, inspector);
}

void
inspector_look(struct inspector *inspector)
{
    inspector->is_done = false;
    inspector->box = 0;
    for (unsigned i = 0; i < BOXES; i++)
        inspector->truth[i].count = 0;
    begin_again(inspector);
}

struct inspector *
inspector_open(struct sim *sim, struct boxes *boxes, const struct host_address *server)
{
    struct inspector *inspector = calloc(1, sizeof(*inspector));

    if (!inspector)
        abort();
    inspector->sim = sim;
    inspector->boxes = inspector->shown.boxes = boxes;
    inspector->server = *server;
    inspector->host = sim_host_open(sim, "inspector");
    sim_host_move_away(inspector->host);
    inspector->next = host_timer_open(inspector->host, on_next, inspector);
    buffer_init(&inspector->expected, BOXES_LETTER_MAX);
    return inspector;
}

void
inspector_close(struct inspector **inspector)
{
    visit_close(&(*inspector)->visit);
    host_timer_close(&(*inspector)->next);
    buffer_finish(&(*inspector)->expected);
    sim_host_close(&(*inspector)->host);
    free(*inspector);
    *inspector = NULL;
}
