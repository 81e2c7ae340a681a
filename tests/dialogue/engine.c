/* SPDX-License-Identifier: ISC */
/* Holds protocol engines for run.py (requests.h). What can be set is told in the engines' files. */
#include "engine.h"

#include "base/cursor.h"
#include "requests.h"

#include <stdio.h>
#include <stdlib.h>

/* A service and the engine that speaks it. A new protocol adds its rows here. */
static const struct {
    const char *service;
    const struct dialogue_engine *engine;
} services[] = {
    {"smtp", &dialogue_engine_smtp},        {"submission", &dialogue_engine_smtp},
    {"submissions", &dialogue_engine_smtp}, {"lmtp", &dialogue_engine_smtp},
    {"pop3", &dialogue_engine_pop3},        {"pop3s", &dialogue_engine_pop3},
};

struct connection {
    const struct dialogue_engine *engine;
    void *session;
    void *server;
    bool is_closed;
};

static struct dialogue_world world;
static struct connection connections[REQUESTS_SESSIONS_MAX];
static struct instant now = {INT64_C(1000000000)};

const char *
dialogue_setting_find(const struct dialogue_world *from, const char *name)
{
    for (size_t i = 0; i < from->setting_count; i++) {
        if (strcmp(from->settings[i].name, name) == 0)
            return from->settings[i].value;
    }
    return NULL;
}

uint32_t
dialogue_setting_number(const struct dialogue_world *from, const char *name)
{
    const char *value = dialogue_setting_find(from, name);

    return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

static void
settle(size_t id)
{
    struct connection *connection = &connections[id];

    connection->engine->work(connection->session, now);
    for (;;) {
        struct slice output = connection->engine->kind->output(connection->server);
        if (output.len == 0)
            break;
        requests_print("out", id, output);
        connection->engine->kind->sent(connection->server, output.len, now);
        connection->engine->work(connection->session, now);
    }
    if (!connection->is_closed && connection->engine->is_closed(connection->session)) {
        connection->is_closed = true;
        printf("closed %zu\n", id);
    }
}

/* Lets time pass until `until`, stopping at every deadline. */
static void
pass_time(struct instant until)
{
    for (;;) {
        struct connection *first = NULL;
        struct instant due = until;
        for (size_t id = 0; id < REQUESTS_SESSIONS_MAX; id++) {
            struct connection *connection = &connections[id];
            if (!connection->session)
                continue;
            struct instant when = connection->engine->kind->deadline(connection->server);
            if (!instant_is_before(due, when) && (!first || instant_is_before(when, due))) {
                first = connection;
                due = when;
            }
        }
        now = instant_is_before(now, due) ? due : now;
        if (!first)
            return;
        first->engine->kind->expire(first->server, now);
        settle((size_t)(first - connections));
    }
}

static void
feed(size_t id, struct slice piece)
{
    struct connection *connection = &connections[id];
    int idle = 0;

    while (piece.len > 0 && idle < 3) {
        size_t taken = connection->engine->kind->feed(connection->server, piece, now);
        piece = slice_skip(piece, taken);
        settle(id);
        if (taken > 0) {
            idle = 0;
            continue;
        }
        /* An answer is held back: the client waits for it. */
        struct instant due = connection->engine->kind->deadline(connection->server);
        if (instant_is_never(due))
            break;
        pass_time(due);
        idle++;
    }
}

static void
open_connection(size_t id, const char *service)
{
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        if (strcmp(services[i].service, service) != 0)
            continue;
        connections[id] = (struct connection){.engine = services[i].engine};
        connections[id].session =
            services[i].engine->open(&world, service, now, &connections[id].server);
        settle(id);
        return;
    }
    requests_fail("no such service");
}

static void
show_mail(const char *address)
{
    for (size_t i = 0; i < world.office.message_count; i++) {
        if (strcmp(world.office.messages[i].recipient, address) == 0)
            requests_print("message", 0, world.office.messages[i].bytes);
    }
}

static void
add_setting(const char *name, const char *value)
{
    if (world.setting_count == DIALOGUE_SETTINGS_MAX)
        requests_fail("too many settings");
    struct dialogue_setting *setting = &world.settings[world.setting_count++];
    snprintf(setting->name, sizeof(setting->name), "%s", name);
    snprintf(setting->value, sizeof(setting->value), "%s", value);
}

static bool
is_open(size_t id)
{
    return connections[id].session;
}

static void
start_tls(size_t id)
{
    if (!connections[id].engine->wants_tls(connections[id].session))
        requests_fail("no TLS now");
    connections[id].engine->tls_started(connections[id].session, now);
}

static void
end(size_t id)
{
    connections[id].engine->end(connections[id].session, now);
}

static void
stop(size_t id)
{
    connections[id].engine->stop(connections[id].session, now);
}

static void
pass(struct duration duration)
{
    pass_time(instant_after(now, duration));
}

int
main(void)
{
    static const struct requests_handler handler = {
        .set = add_setting,
        .open = open_connection,
        .is_open = is_open,
        .feed = feed,
        .tls = start_tls,
        .end = end,
        .stop = stop,
        .settle = settle,
        .pass_time = pass,
        .mail = show_mail,
    };

    requests_serve(&handler);
    for (size_t id = 0; id < REQUESTS_SESSIONS_MAX; id++) {
        if (connections[id].session)
            connections[id].engine->close(connections[id].session);
    }
    office_finish(&world.office);
    lobby_finish(&world.lobby);
    return 0;
}
