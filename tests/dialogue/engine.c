/* SPDX-License-Identifier: ISC */
/* Holds protocol engines for run.py, which speaks to it over its standard input and output, a line
 * at a time:
 *
 *     set NAME VALUE      before open; see the engines' files
 *     split N             feed N octets at a time from now on; 0: as they come
 *     open ID SERVICE     ID is a number below SESSIONS_MAX
 *     feed ID HEX         what the client sends
 *     tls ID              the handshake after STARTTLS is done
 *     end ID              the client closes its side
 *     stop ID             the service goes down
 *     time MS             time passes
 *     mail ADDRESS        shows what was delivered there
 *
 * Each is answered by any number of "out ID HEX", "closed ID", "message HEX", then by "done". */
#include "engine.h"

#include "base/cursor.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 64, LINE_MAX_BYTES = 8 * 1024 * 1024 };

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
static struct connection connections[SESSIONS_MAX];
static struct instant now = {INT64_C(1000000000)};
static size_t split;

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
fail(const char *why)
{
    printf("error %s\n", why);
    exit(1);
}

static void
print_hex(const char *what, size_t id, struct slice bytes)
{
    printf("%s %zu ", what, id);
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.at[i]);
    printf("\n");
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
        print_hex("out", id, output);
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
        for (size_t id = 0; id < SESSIONS_MAX; id++) {
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
feed_piece(size_t id, struct slice piece)
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
feed(size_t id, struct slice input)
{
    size_t step = split > 0 ? split : input.len;

    for (size_t at = 0; at < input.len; at += step)
        feed_piece(id, slice_between(input, at, at + step));
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
    fail("no such service");
}

static void
show_mail(const char *address)
{
    for (size_t i = 0; i < world.office.message_count; i++) {
        if (strcmp(world.office.messages[i].recipient, address) == 0)
            print_hex("message", 0, world.office.messages[i].bytes);
    }
}

static void
add_setting(const char *name, const char *value)
{
    if (world.setting_count == DIALOGUE_SETTINGS_MAX)
        fail("too many settings");
    struct dialogue_setting *setting = &world.settings[world.setting_count++];
    snprintf(setting->name, sizeof(setting->name), "%s", name);
    snprintf(setting->value, sizeof(setting->value), "%s", value);
}

static void
feed_hex(size_t id, const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len + 1);

    if (!bytes)
        abort();
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    feed(id, slice_of(bytes, len));
    free(bytes);
}

/* Requests about one open connection. */
static void
handle_connection(const char *verb, size_t id, const char *rest)
{
    if (id >= SESSIONS_MAX)
        fail("no such connection");
    if (strcmp(verb, "open") == 0) {
        open_connection(id, rest);
        return;
    }
    struct connection *connection = &connections[id];
    if (!connection->session)
        fail("not open");
    if (strcmp(verb, "feed") == 0)
        feed_hex(id, rest);
    else if (strcmp(verb, "tls") == 0 && connection->engine->wants_tls(connection->session))
        connection->engine->tls_started(connection->session, now);
    else if (strcmp(verb, "end") == 0)
        connection->engine->end(connection->session, now);
    else if (strcmp(verb, "stop") == 0)
        connection->engine->stop(connection->session, now);
    else
        fail("not now");
    settle(id);
}

static void
handle(char *line)
{
    char *first = strchr(line, ' ');
    char *rest = first ? strchr(first + 1, ' ') : NULL;

    if (!first)
        fail("a request has a verb and an argument");
    *first++ = '\0';
    if (rest)
        *rest++ = '\0';
    if (strcmp(line, "set") == 0 && rest)
        add_setting(first, rest);
    else if (strcmp(line, "split") == 0)
        split = strtoul(first, NULL, 10);
    else if (strcmp(line, "time") == 0)
        pass_time(instant_after(now, duration_ms(strtol(first, NULL, 10))));
    else if (strcmp(line, "mail") == 0)
        show_mail(first);
    else
        handle_connection(line, strtoul(first, NULL, 10), rest ? rest : "");
    printf("done\n");
    fflush(stdout);
}

int
main(void)
{
    char *line = malloc(LINE_MAX_BYTES);

    if (!line)
        abort();
    while (fgets(line, LINE_MAX_BYTES, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        handle(line);
    }
    free(line);
    for (size_t id = 0; id < SESSIONS_MAX; id++) {
        if (connections[id].session)
            connections[id].engine->close(connections[id].session);
    }
    office_finish(&world.office);
    lobby_finish(&world.lobby);
    return 0;
}
