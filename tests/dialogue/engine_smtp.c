/* SPDX-License-Identifier: ISC */
/* Dialogues with the SMTP server engine: services smtp, submission, submissions, lmtp. */
#include "engine.h"

#include <stdlib.h>

struct session {
    struct smtp_server_options options;
    struct office_desk desk;
};

static bool
is_set(const struct dialogue_world *world, const char *name)
{
    const char *value = dialogue_setting_find(world, name);

    return value && strcmp(value, "on") == 0;
}

static enum smtp_verify_policy
policy(const struct dialogue_world *world, const char *name)
{
    const char *value = dialogue_setting_find(world, name);

    if (value && strcmp(value, "everybody") == 0)
        return SMTP_VERIFY_EVERYBODY;
    return value && strcmp(value, "authenticated") == 0 ? SMTP_VERIFY_AUTHENTICATED
                                                        : SMTP_VERIFY_NOBODY;
}

static void
choose_options(struct session *session, const struct dialogue_world *world, const char *service)
{
    bool is_submission = strncmp(service, "submission", 10) == 0;

    session->options = (struct smtp_server_options){
        .service = is_submission                  ? SMTP_SERVICE_SUBMISSION
                   : strcmp(service, "lmtp") == 0 ? SMTP_SERVICE_LMTP
                                                  : SMTP_SERVICE_SMTP,
        .hostname = SLICE("foo.com"),
        .message_bytes_max = dialogue_setting_number(world, "message_size_max"),
        .recipients_max = dialogue_setting_number(world, "recipients_max"),
        .errors_max = dialogue_setting_number(world, "errors_max"),
        .mechanisms =
            is_submission ? SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN | SMTP_AUTH_SCRAM_SHA_256 : 0,
        .verify = policy(world, "vrfy"),
        .expand = policy(world, "expn"),
        .has_tls = true,
        .is_auth_required = is_submission,
        .is_obsolete_on = is_set(world, "obsolete_commands"),
    };
}

static void *
open_session(struct dialogue_world *world, const char *service, struct instant now,
             void **ret_server)
{
    struct session *session = calloc(1, sizeof(*session));
    struct smtp_server_peer peer = {.is_secure = strcmp(service, "submissions") == 0};

    if (!session)
        abort();
    choose_options(session, world, service);
    office_desk_init(&session->desk, &world->office,
                     smtp_server_open(&session->options, &peer, now));
    session->desk.greeting = (uint16_t)dialogue_setting_number(world, "greeting");
    session->desk.tls_code = (uint16_t)dialogue_setting_number(world, "starttls");
    *ret_server = session->desk.server;
    return session;
}

static void
close_session(void *at)
{
    struct session *session = at;

    office_desk_finish(&session->desk);
    free(session);
}

static struct smtp_server *
server_of(void *session)
{
    return ((struct session *)session)->desk.server;
}

static void
work(void *session, struct instant now)
{
    office_desk_work(&((struct session *)session)->desk, now);
}

static void
end(void *session, struct instant now)
{
    (void)now;
    smtp_server_input_ended(server_of(session));
}

static void
stop(void *session, struct instant now)
{
    smtp_server_stop(server_of(session), now);
}

static bool
wants_tls(void *session)
{
    return ((struct session *)session)->desk.is_tls_due;
}

static void
tls_started(void *session, struct instant now)
{
    ((struct session *)session)->desk.is_tls_due = false;
    smtp_server_tls_started(server_of(session), false, now);
}

static bool
is_closed(void *session)
{
    return ((struct session *)session)->desk.is_closed;
}

const struct dialogue_engine dialogue_engine_smtp = {
    .service = "smtp",
    .kind = &smtp_server_kind,
    .open = open_session,
    .close = close_session,
    .work = work,
    .end = end,
    .stop = stop,
    .wants_tls = wants_tls,
    .tls_started = tls_started,
    .is_closed = is_closed,
};
