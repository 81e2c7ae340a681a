/* SPDX-License-Identifier: ISC */
/* Dialogues with the POP3 server engine: services pop3 and pop3s. What the SMTP engine's office has
 * taken in can be read here. Settings: pop3_apop, login_delay, expire. */
#include "engine.h"

#include <stdlib.h>

struct session {
    struct pop3_server_options options;
    struct lobby_desk desk;
    struct dialogue_world *world;
};

/* As PASSWORDS in engine_world.py has them. */
static const struct {
    const char *name, *password;
} users[] = {
    {"alice@example.test", "wonderland"},
    {"mrose@foo.com", "a password for dialogues"},
    {"jones@foo.com", "a password for dialogues"},
};

enum { REFUSED_DELAY_MS = 250 };

/* Takes over what has arrived at the office since the last time. */
static void
fetch_new(struct dialogue_world *world)
{
    struct lobby *lobby = &world->lobby;

    while (lobby->user_count < COUNT_OF(users))
        lobby_add_user(lobby, users[lobby->user_count].name, users[lobby->user_count].password);
    lobby->delay_ms = REFUSED_DELAY_MS;
    for (; world->lobby_seen < world->office.message_count; world->lobby_seen++) {
        const struct office_message *message = &world->office.messages[world->lobby_seen];
        for (size_t user = 0; user < COUNT_OF(users); user++) {
            if (strcmp(message->recipient, users[user].name) == 0)
                (void)lobby_add_message(lobby, user, message->bytes);
        }
    }
}

static void *
open_session(struct dialogue_world *world, const char *service, struct instant now,
             void **ret_server)
{
    struct session *session = calloc(1, sizeof(*session));
    const char *apop = dialogue_setting_find(world, "pop3_apop");
    uint32_t expire = dialogue_setting_number(world, "expire");

    if (!session)
        abort();
    session->world = world;
    session->options = (struct pop3_server_options){
        .hostname = SLICE("pop.foo.com"),
        .timestamp =
            apop && strcmp(apop, "on") == 0 ? SLICE("<1896.697170952@pop.foo.com>") : SLICE(""),
        .implementation = SLICE("Facteur"),
        .mechanisms = {SLICE("SCRAM-SHA-256"), SLICE("PLAIN"), SLICE("LOGIN")},
        .mechanisms_count = 3,
        .is_tls_available = true,
        .is_secure = strcmp(service, "pop3s") == 0,
        .allows_clear_password = true,
        .login_delay_s = dialogue_setting_number(world, "login_delay"),
        .expire_days = expire > 0 ? expire : (uint32_t)POP3_EXPIRE_NEVER,
    };
    lobby_desk_init(&session->desk, &world->lobby, pop3_server_open(&session->options, now),
                    session->options.timestamp);
    *ret_server = session->desk.server;
    return session;
}

static void
close_session(void *at)
{
    struct session *session = at;

    lobby_desk_finish(&session->desk);
    free(session);
}

static struct lobby_desk *
desk_of(void *session)
{
    return &((struct session *)session)->desk;
}

static void
work(void *session, struct instant now)
{
    fetch_new(((struct session *)session)->world);
    lobby_desk_work(desk_of(session), now);
}

/* A client that has gone: the connection would close, and with it the engine. */
static void
end(void *session, struct instant now)
{
    pop3_server_stop(desk_of(session)->server, now);
}

static bool
wants_tls(void *session)
{
    return desk_of(session)->is_tls_due;
}

static void
tls_started(void *session, struct instant now)
{
    desk_of(session)->is_tls_due = false;
    pop3_server_tls_started(desk_of(session)->server, now);
}

static bool
is_closed(void *session)
{
    return desk_of(session)->is_closed;
}

const struct dialogue_engine dialogue_engine_pop3 = {
    .service = "pop3",
    .kind = &pop3_server_kind,
    .open = open_session,
    .close = close_session,
    .work = work,
    .end = end,
    .stop = end,
    .wants_tls = wants_tls,
    .tls_started = tls_started,
    .is_closed = is_closed,
};
