/* SPDX-License-Identifier: ISC */
/* Holds a whole server for run.py (requests.h): the production roles on the simulator, in virtual
 * time, and clients on the same machine. What can be set:
 *
 *     set config LINE                   a line of facteur.conf
 *     set directory LINE                one of the directory's accounts
 *     set password ID:ADDRESS:PASSWORD  of an account, for everything but APOP
 *     set apop ID:ADDRESS:PASSWORD      the same with APOP */
#include "requests.h"

#include "base/cursor.h"
#include "directory/secret.h"
#include "seeds.h"
#include "town.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 64 * 1024, OUTPUT_MAX = 8 * 1024 * 1024 };

/* What follows from one octet, and from all that was said: no time of a client's or a timer's. */
static const struct duration octet_time = {200000}, settle_time = {20000000};

struct caller {
    struct host_stream *stream;
    struct buffer output;
    size_t id;
    bool is_open, is_ending, is_closed;
};

static struct {
    char real_path[SEEDS_PATH_SIZE];
    struct sim *sim;
    struct town *town;
    struct host *host; /* of the callers */
    struct buffer config, accounts, secrets;
    struct caller callers[REQUESTS_SESSIONS_MAX];
} world;

static void
run(struct duration duration)
{
    struct instant until = instant_after(sim_now(world.sim), duration);

    while (instant_is_before(sim_now(world.sim), until)) {
        struct instant next = town_next(world.town);
        struct host *host = NULL;
        bool is_restart = instant_is_before(next, until);
        switch (sim_run(world.sim, is_restart ? next : until, &host)) {
        case SIM_STOPPED:
            town_process_ended(world.town, host);
            break;
        case SIM_TIME:
            town_wake(world.town);
            break;
        case SIM_IDLE:
            sim_advance(world.sim, is_restart ? next : until);
            break;
        case SIM_CRASHED:
            requests_fail("a crash that nobody asked for");
        }
        if (town_complaint(world.town))
            requests_fail(town_complaint(world.town));
    }
}

/* ---- what is set ----------------------------------------------------------------------------- */

static void
put_line(struct buffer *buffer, const char *text)
{
    buffer_put_text(buffer, text);
    buffer_put_byte(buffer, '\n');
}

/* ID:ADDRESS:PASSWORD */
static void
put_secret(const char *value, bool has_apop)
{
    static const uint8_t random[DIRECTORY_RANDOM_LEN] = {1};
    struct cursor cursor = cursor_of(slice_of_string(value));
    struct directory_secret_options options = {.with_apop = has_apop};

    if (!cursor_take_u64(&cursor, 1, UINT64_MAX, &options.id) || !cursor_take_byte(&cursor, ':') ||
        !cursor_take_until(&cursor, ':', &options.name) || !cursor_take_byte(&cursor, ':') ||
        directory_secret_make(&world.secrets, &options, cursor_rest(&cursor),
                              slice_of(random, sizeof(random))) != DIRECTORY_SECRET_MADE)
        requests_fail("no secret can be made of it");
}

static void
set(const char *name, const char *value)
{
    if (world.town)
        requests_fail("the town stands already");
    if (strcmp(name, "config") == 0)
        put_line(&world.config, value);
    else if (strcmp(name, "directory") == 0)
        put_line(&world.accounts, value);
    else if (strcmp(name, "password") == 0 || strcmp(name, "apop") == 0)
        put_secret(value, strcmp(name, "apop") == 0);
    else
        requests_fail("no such thing to set");
}

/* ---- callers --------------------------------------------------------------------------------- */

static void on_stream(void *context, unsigned events);

static void
watch(struct caller *caller)
{
    unsigned events = HOST_READABLE | (buffer_len(&caller->output) > 0 ? HOST_WRITABLE : 0U);

    host_stream_watch(caller->stream, events, on_stream, caller);
}

static void
close_stream(struct caller *caller)
{
    host_stream_close(&caller->stream);
    caller->is_closed = true;
    printf("closed %zu\n", caller->id);
}

static void
on_stream(void *context, unsigned events)
{
    struct caller *caller = context;
    static uint8_t bytes[65536];

    if (events & HOST_WRITABLE && buffer_len(&caller->output) > 0) {
        int64_t written = host_stream_write(caller->stream, buffer_slice(&caller->output));
        buffer_consume(&caller->output, written > 0 ? (size_t)written : 0);
        if (written < 0 && written != -EAGAIN)
            buffer_clear(&caller->output);
    }
    if (caller->is_ending && buffer_len(&caller->output) == 0) {
        caller->is_ending = false;
        host_stream_shut(caller->stream);
    }
    if (events & HOST_READABLE) {
        int64_t count = host_stream_read(caller->stream, bytes, sizeof(bytes));
        if (count <= 0 && count != -EAGAIN) {
            close_stream(caller);
            return;
        }
        if (count > 0)
            requests_print("out", caller->id, slice_of(bytes, (size_t)count));
    }
    watch(caller);
}

static void
found_town(void)
{
    struct town_options options = {
        .machine = sim_machine(world.sim),
        .ipv4 = {127, 0, 0, 1},
        .config = buffer_slice(&world.config),
        .accounts = buffer_slice(&world.accounts),
        .secrets = buffer_slice(&world.secrets),
        .has_submission = true,
    };

    world.town = town_open(world.sim, &options);
    world.host = sim_host_open(world.sim, "callers");
    run(duration_s(2));
}

static void
open_caller(size_t id, const char *service)
{
    static const struct {
        const char *service;
        uint16_t port;
    } services[] = {
        {"smtp", TOWN_PORT_SMTP}, {"submission", TOWN_PORT_SUBMISSION},
        {"lmtp", TOWN_PORT_LMTP}, {"pop3", TOWN_PORT_POP3},
        {"imap", TOWN_PORT_IMAP},
    };
    struct host_address address = {.family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}};
    struct caller *caller = &world.callers[id];

    for (size_t i = 0; i < COUNT_OF(services); i++)
        if (strcmp(services[i].service, service) == 0)
            address.port = services[i].port;
    if (address.port == 0)
        requests_fail("no such service");
    if (!world.town)
        found_town();
    caller->id = id;
    caller->is_open = true;
    buffer_init(&caller->output, OUTPUT_MAX);
    if (host_stream_connect(world.host, &address, &caller->stream) < 0)
        requests_fail("no connection");
    watch(caller);
}

static bool
is_open(size_t id)
{
    return world.callers[id].is_open;
}

static void
feed(size_t id, struct slice piece)
{
    struct caller *caller = &world.callers[id];

    if (caller->is_closed)
        return;
    buffer_put(&caller->output, piece);
    watch(caller);
    run(octet_time);
}

static void
end(size_t id)
{
    struct caller *caller = &world.callers[id];

    if (caller->is_closed)
        return;
    caller->is_ending = true;
    host_stream_watch(caller->stream, HOST_READABLE | HOST_WRITABLE, on_stream, caller);
}

static void
stop(size_t id)
{
    (void)id;
    town_stop(world.town);
}

static void
settle(size_t id)
{
    (void)id;
    run(settle_time);
}

int
main(void)
{
    static const struct requests_handler handler = {
        .set = set,
        .open = open_caller,
        .is_open = is_open,
        .feed = feed,
        .end = end,
        .stop = stop,
        .settle = settle,
        .pass_time = run,
    };
    struct buffer *texts[] = {&world.config, &world.accounts, &world.secrets};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buffer_init(texts[i], TEXT_MAX);
    seeds_make_folder(world.real_path);
    world.sim = sim_open(1, &(struct sim_options){.real_path = world.real_path});
    requests_serve(&handler);
    for (size_t i = 0; i < REQUESTS_SESSIONS_MAX; i++) {
        host_stream_close(&world.callers[i].stream);
        if (world.callers[i].is_open)
            buffer_finish(&world.callers[i].output);
    }
    if (world.town) {
        sim_host_close(&world.host);
        town_close(&world.town);
    }
    sim_close(&world.sim);
    seeds_remove_folder(world.real_path);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        buffer_finish(texts[i]);
    return 0;
}
