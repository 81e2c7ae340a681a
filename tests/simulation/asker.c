/* SPDX-License-Identifier: ISC */
#include "asker.h"

#include "lines.h"
#include "sender.h"

#include <stdlib.h>

enum { PAUSE_MS_MAX = 300 * 1000 };

enum phase { IDLE, GREETING, HELLO, MAIL, SOMEBODY, NOBODY, QUITTING };

struct asker {
    struct sim *sim;
    struct oracle *oracle;
    struct host *host;
    struct host_timer *next;
    struct lines *lines;
    struct host_address smtp;
    enum phase phase;
    bool is_finishing, is_done;
    bool is_taken; /* somebody was, in this connection */
    uint64_t refusals;
};

static void
rest(struct asker *asker)
{
    lines_close(&asker->lines);
    asker->phase = IDLE;
    host_timer_set(asker->next,
                   instant_after(host_now(asker->host),
                                 duration_ms((int64_t)sim_random(asker->sim, PAUSE_MS_MAX) + 1)));
}

static void
say(struct asker *asker, enum phase phase, struct slice words)
{
    buffer_put(lines_output(asker->lines), words);
    buffer_put(lines_output(asker->lines), SLICE("\r\n"));
    lines_flush(asker->lines);
    asker->phase = phase;
}

static void
ask_for_somebody(struct asker *asker)
{
    struct buffer words;

    buffer_init(&words, 200);
    buffer_put(&words, SLICE("RCPT TO:<"));
    sender_put_address(&words, (unsigned)sim_random(asker->sim, ORACLE_ACCOUNTS));
    buffer_put_byte(&words, '>');
    say(asker, SOMEBODY, buffer_slice(&words));
    buffer_finish(&words);
}

static void
on_line(void *context, struct slice line)
{
    struct asker *asker = context;
    bool is_good = slice_starts_with(line, SLICE("2"));

    if (line.len < 4 || line.at[3] == '-')
        return;
    if (asker->phase == SOMEBODY && line.at[0] == '5')
        oracle_fail(asker->oracle, "somebody who is there is refused: %.*s", (int)line.len,
                    (const char *)line.at);
    if (asker->phase == GREETING && is_good) {
        say(asker, HELLO, SLICE("EHLO asker.test"));
    } else if (asker->phase == HELLO && is_good) {
        say(asker, MAIL, SLICE("MAIL FROM:<asker@asker.test>"));
    } else if (asker->phase == MAIL && is_good) {
        ask_for_somebody(asker);
    } else if (asker->phase == SOMEBODY) {
        asker->is_taken = is_good;
        say(asker, NOBODY, SLICE("RCPT TO:<nobody@example.test>"));
    } else if (asker->phase == NOBODY) {
        bool is_refused = slice_starts_with(line, SLICE("550"));
        asker->refusals += is_refused;
        asker->is_done = asker->is_done || (asker->is_finishing && is_refused && asker->is_taken);
        say(asker, QUITTING, SLICE("QUIT"));
    } else {
        rest(asker);
    }
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
    struct asker *asker = context;

    asker->phase = GREETING;
    asker->lines = lines_open(asker->host, &asker->smtp, &handler, asker);
}

void
asker_finish(struct asker *asker)
{
    asker->is_finishing = true;
}

bool
asker_is_done(const struct asker *asker)
{
    return asker->is_done;
}

uint64_t
asker_refusals(const struct asker *asker)
{
    return asker->refusals;
}

struct asker *
asker_open(struct sim *sim, struct oracle *oracle, const struct host_address *smtp)
{
    struct asker *asker = calloc(1, sizeof(*asker));

    if (!asker)
        abort();
    asker->sim = sim;
    asker->oracle = oracle;
    asker->smtp = *smtp;
    asker->host = sim_host_open(sim, "asker");
    sim_host_move_away(asker->host);
    asker->next = host_timer_open(asker->host, on_next, asker);
    rest(asker);
    return asker;
}

void
asker_close(struct asker **asker)
{
    lines_close(&(*asker)->lines);
    host_timer_close(&(*asker)->next);
    sim_host_close(&(*asker)->host);
    free(*asker);
    *asker = NULL;
}
