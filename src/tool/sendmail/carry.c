/* SPDX-License-Identifier: ISC */
#include "tool/sendmail/carry.h"

#include "role/parent/parent.h"
#include "smtp/client.h"
#include "tool/say.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 16 * 1024, NANOSECONDS_IN_MS = 1000000 };

int
carry_connect(const struct settings *settings, int *ret_descriptor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct slice folder = settings->config.runtime_dir;
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%.*s/%s", (int)folder.len,
                       (const char *)folder.at, SUBMIT_SOCKET_NAME);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (descriptor >= 0 && len > 0 && (size_t)len < sizeof(address.sun_path) &&
        connect(descriptor, (const struct sockaddr *)(const void *)&address, sizeof(address)) ==
            0) {
        *ret_descriptor = descriptor;
        return EX_OK;
    }
    int error = errno;
    if (descriptor >= 0)
        close(descriptor);
    return say_error(
        EX_TEMPFAIL,
        "%.*s/%s: %s; is the server running, and local_submission on? Nothing was sent",
        (int)folder.len, (const char *)folder.at, SUBMIT_SOCKET_NAME, strerror(error));
}

/* ---- one session --------------------------------------------------------------------------- */

struct session {
    const struct carry *carry;
    struct smtp_client *client;
    int descriptor;
    struct smtp_client_recipient recipients[SMTP_CLIENT_RECIPIENTS_MAX];
    struct smtp_client_message message;
    size_t next; /* recipient that no transaction has had yet */
    int code;    /* the gravest so far */
    uint8_t input[INPUT_MAX];
};

static struct instant
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (struct instant){(int64_t)time.tv_sec * 1000000000 + time.tv_nsec};
}

/* Worse than what there was? What can be tried again weighs least. */
static void
worsen(struct session *session, int code)
{
    if (session->code == EX_OK || session->code == EX_TEMPFAIL)
        session->code = code;
}

static int
code_of(const struct smtp_client_reply *reply, enum smtp_client_outcome outcome)
{
    if (outcome != SMTP_CLIENT_PERMANENT)
        return EX_TEMPFAIL;
    return reply->code == 550 || reply->code == 551 || reply->code == 553 ? EX_NOUSER
                                                                          : EX_UNAVAILABLE;
}

static void
tell(struct session *session, const struct smtp_client_event *event)
{
    struct slice address = session->recipients[event->recipient].address;
    const struct smtp_client_reply *reply = &event->reply;

    if (event->outcome != SMTP_CLIENT_DELIVERED)
        worsen(session, say_error(code_of(reply, event->outcome), "%.*s: %u %.*s", (int)address.len,
                                  (const char *)address.at, reply->code, (int)reply->text.len,
                                  (const char *)reply->text.at));
    else if (session->carry->is_verbose)
        printf("%.*s: %u %.*s\n", (int)address.len, (const char *)address.at, reply->code,
               (int)reply->text.len, (const char *)reply->text.at);
}

/* The next transaction, or the end. */
static void
go_on(struct session *session)
{
    const struct carry *carry = session->carry;
    size_t count = 0;

    while (count < SMTP_CLIENT_RECIPIENTS_MAX && session->next < carry->count) {
        session->recipients[count].parameters = carry->rcpt;
        session->recipients[count++].address = carry->recipients[session->next++];
    }
    if (count == 0) {
        smtp_client_quit(session->client, now());
        return;
    }
    session->message = (struct smtp_client_message){
        .reverse_path = carry->sender,
        .parameters = carry->mail,
        .recipients = session->recipients,
        .recipients_count = count,
        .content = carry->content,
    };
    smtp_client_carry(session->client, &session->message, now());
}

static void
tell_end(struct session *session, const struct smtp_client_event *event)
{
    size_t left = session->carry->count - session->next;

    if (event->close != SMTP_CLIENT_CLOSE_QUIT && left > 0)
        worsen(session,
               say_error(EX_TEMPFAIL, "%u %.*s; %zu recipients were not tried", event->reply.code,
                         (int)event->reply.text.len, (const char *)event->reply.text.at, left));
}

/* False when the session is over. */
static bool
take_events(struct session *session)
{
    struct smtp_client_event event;

    while (smtp_client_next(session->client, &event)) {
        switch (event.kind) {
        case SMTP_CLIENT_EVENT_READY:
        case SMTP_CLIENT_EVENT_DONE:
            if (smtp_client_facts(session->client).is_ready)
                go_on(session);
            break;
        case SMTP_CLIENT_EVENT_ANSWER: /* nothing was asked */
            break;
        case SMTP_CLIENT_EVENT_RESULT:
            tell(session, &event);
            break;
        case SMTP_CLIENT_EVENT_CONVERT: /* our server takes what there is */
            smtp_client_convert(session->client, NULL, now());
            break;
        case SMTP_CLIENT_EVENT_CLOSE:
            tell_end(session, &event);
            return false;
        case SMTP_CLIENT_EVENT_STARTTLS: /* never asked for */
            break;
        }
    }
    return true;
}

/* Sends what can be sent; false when the server takes no more. */
static bool
send_output(struct session *session)
{
    struct slice output;

    while ((output = smtp_client_output(session->client)).len > 0) {
        ssize_t sent =
            send(session->descriptor, output.at, output.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        smtp_client_sent(session->client, (size_t)sent, now());
    }
    return true;
}

/* Waits for the server, or until the engine's patience ends. */
static void
wait_for_server(struct session *session)
{
    bool has_output = smtp_client_output(session->client).len > 0;
    struct pollfd poller = {.fd = session->descriptor,
                            .events = (short)(POLLIN | (has_output ? POLLOUT : 0))};
    struct instant deadline = smtp_client_deadline(session->client);
    int64_t left_ms = (deadline.ns - now().ns) / NANOSECONDS_IN_MS + 1;

    if (left_ms > INT32_MAX)
        left_ms = -1;
    else if (left_ms < 0)
        left_ms = 0;
    if (poll(&poller, 1, (int)left_ms) == 0)
        smtp_client_expire(session->client, now());
}

/* Feeds what has come; events may stand before it is all taken. False when the session is over. */
static bool
take_input(struct session *session)
{
    ssize_t len = recv(session->descriptor, session->input, sizeof(session->input), MSG_DONTWAIT);
    struct slice input = slice_of(session->input, len > 0 ? (size_t)len : 0);

    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
        smtp_client_input_ended(session->client);
    while (input.len > 0) {
        input = slice_skip(input, smtp_client_feed(session->client, input, now()));
        if (!take_events(session))
            return false;
    }
    return take_events(session);
}

int
carry_message(int descriptor, const struct carry *carry)
{
    static const struct smtp_client_options options = {
        .hostname = {(const uint8_t *)"localhost", 9},
        .tls = SMTP_CLIENT_TLS_NEVER,
        .is_local = true};
    struct session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    session->carry = carry;
    session->descriptor = descriptor;
    session->client = smtp_client_open(&options);
    smtp_client_connected(session->client, now());
    while (take_input(session)) {
        if (!send_output(session))
            smtp_client_input_ended(session->client);
        wait_for_server(session);
    }
    (void)send_output(session); /* QUIT */
    smtp_client_close(&session->client);
    int code = session->code;
    free(session);
    return code;
}
