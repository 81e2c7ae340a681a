/* SPDX-License-Identifier: ISC */
#include "customer.h"

#include "lines.h"
#include "text/base64.h"

#include <stdlib.h>

enum {
    PAUSE_MS_MAX = 300 * 1000, /* between two calls */
    FALLS_EVERY = 60,          /* lines */
};

enum phase { IDLE, GREETING, HELLO, LOGIN, TURNING, SERVING, BODY };

struct customer {
    struct sim *sim;
    struct oracle *oracle;
    struct host *host;
    struct host_timer *next;
    struct lines *lines;
    struct host_address submission;
    enum phase phase;
    struct buffer letter; /* that is coming */
    uint32_t number;      /* of the last one that was taken */
    bool is_calm;
};

static void
rest(struct customer *customer)
{
    lines_close(&customer->lines);
    customer->phase = IDLE;
    host_timer_set(
        customer->next,
        instant_after(host_now(customer->host),
                      duration_ms((int64_t)sim_random(customer->sim, PAUSE_MS_MAX) + 1)));
}

static void
say(struct customer *customer, enum phase phase, struct slice words)
{
    buffer_put(lines_output(customer->lines), words);
    buffer_put(lines_output(customer->lines), SLICE("\r\n"));
    lines_flush(customer->lines);
    customer->phase = phase;
}

/* ---- as a client ----------------------------------------------------------------------------- */

static void
log_in(struct customer *customer)
{
    struct buffer words;

    buffer_init(&words, 200);
    buffer_put(&words, SLICE("AUTH PLAIN "));
    base64_format(SLICE("\0" CUSTOMER_ADDRESS "\0" CUSTOMER_PASSWORD), &words);
    say(customer, LOGIN, buffer_slice(&words));
    buffer_finish(&words);
}

/* What is not as wished must be trouble that passes: nothing waits, the mail is being fetched. */
static void
on_reply(struct customer *customer, struct slice line)
{
    static const char *const codes[] = {
        [GREETING] = "220", [HELLO] = "250", [LOGIN] = "235", [TURNING] = "250"};

    if (line.len < 4 || line.at[3] == '-')
        return;
    if (!slice_starts_with(line, slice_of_string(codes[customer->phase]))) {
        if (line.at[0] != '4')
            oracle_fail(customer->oracle, "the customer is told \"%.*s\"", (int)line.len,
                        (const char *)line.at);
        rest(customer);
    } else if (customer->phase == GREETING) {
        say(customer, HELLO, SLICE("EHLO customer.test"));
    } else if (customer->phase == HELLO) {
        log_in(customer);
    } else if (customer->phase == LOGIN) {
        say(customer, TURNING, SLICE("ATRN"));
    } else {
        say(customer, SERVING, SLICE("220 customer.test ready"));
    }
}

/* ---- as a server ----------------------------------------------------------------------------- */

static bool
falls(struct customer *customer)
{
    return !customer->is_calm && sim_random(customer->sim, FALLS_EVERY) == 0;
}

/* It is kept before that is said: when the answer gets lost, another copy comes. */
static void
keep(struct customer *customer)
{
    oracle_retrieved(customer->oracle, ORACLE_CUSTOMER, ++customer->number,
                     buffer_slice(&customer->letter));
    if (falls(customer)) {
        oracle_hazard(customer->oracle);
        rest(customer);
    } else {
        say(customer, SERVING, SLICE("250 taken"));
    }
}

static void
on_body_line(struct customer *customer, struct slice line)
{
    if (slice_equal(line, SLICE("."))) {
        keep(customer);
        return;
    }
    buffer_put(&customer->letter, line.len && line.at[0] == '.' ? slice_skip(line, 1) : line);
    buffer_put(&customer->letter, SLICE("\r\n"));
}

static void
on_command(struct customer *customer, struct slice line)
{
    if (slice_starts_with(line, SLICE("EHLO"))) {
        bool is_modern = sim_random(customer->sim, 2) == 0;
        say(customer, SERVING,
            is_modern ? SLICE("250-customer.test\r\n250-PIPELINING\r\n250 8BITMIME")
                      : SLICE("250 customer.test"));
    } else if (slice_starts_with(line, SLICE("DATA"))) {
        buffer_clear(&customer->letter);
        buffer_put(&customer->letter, SLICE("Return-Path: <whoever@foo.test>\r\n"));
        say(customer, BODY, SLICE("354 go on"));
    } else if (slice_starts_with(line, SLICE("RCPT")) &&
               slice_find(line, SLICE("@customer.test>")) == line.len) {
        oracle_fail(customer->oracle, "the customer is given mail of others: %.*s", (int)line.len,
                    (const char *)line.at);
    } else {
        bool is_last = slice_starts_with(line, SLICE("QUIT"));
        say(customer, SERVING, is_last ? SLICE("221 bye") : SLICE("250 ok"));
    }
}

static void
on_line(void *context, struct slice line)
{
    struct customer *customer = context;

    if (customer->phase < SERVING)
        on_reply(customer, line);
    else if (falls(customer))
        rest(customer);
    else if (customer->phase == BODY)
        on_body_line(customer, line);
    else
        on_command(customer, line);
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
    struct customer *customer = context;

    customer->phase = GREETING;
    customer->lines = lines_open(customer->host, &customer->submission, &handler, customer);
}

/* ---- life ------------------------------------------------------------------------------------ */

void
customer_calm(struct customer *customer)
{
    customer->is_calm = true;
}

uint64_t
customer_taken(const struct customer *customer)
{
    return customer->number;
}

struct customer *
customer_open(struct sim *sim, struct oracle *oracle, const struct host_address *submission)
{
    struct customer *customer = calloc(1, sizeof(*customer));

    if (!customer)
        abort();
    customer->sim = sim;
    customer->oracle = oracle;
    customer->submission = *submission;
    customer->host = sim_host_open(sim, "customer");
    sim_host_move_away(customer->host);
    customer->next = host_timer_open(customer->host, on_next, customer);
    buffer_init(&customer->letter, ORACLE_MESSAGE_MAX * 2);
    rest(customer);
    return customer;
}

void
customer_close(struct customer **customer)
{
    lines_close(&(*customer)->lines);
    host_timer_close(&(*customer)->next);
    buffer_finish(&(*customer)->letter);
    sim_host_close(&(*customer)->host);
    free(*customer);
    *customer = NULL;
}
