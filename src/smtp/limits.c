/* SPDX-License-Identifier: ISC */
/* The limits of a session: what the options say, or the default that server.h gives. */
#include "smtp/server_private.h"

enum {
    DEFAULT_TEXT_LINE = 65536,
    DEFAULT_TRANSACTIONS = 1000,
    DEFAULT_COMMANDS_IDLE = 100,
    DEFAULT_ERRORS = 20,
    DEFAULT_ERRORS_FREE = 3,
    DEFAULT_AUTH_FAILURES = 3,
    DEFAULT_COMMAND_S = 300,
    DEFAULT_BODY_S = 180,
    DEFAULT_SESSION_S = 3600,
    DEFAULT_STRESS_S = 10,
};

static const uint64_t default_message_bytes = UINT64_C(50) * 1024 * 1024;

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

uint64_t
smtp_limit_message_bytes(const struct smtp_server *server)
{
    uint64_t max = server->options->message_bytes_max;

    return max != 0 ? max : default_message_bytes;
}

uint32_t
smtp_limit_text_line(const struct smtp_server *server)
{
    uint32_t max = or_default(server->options->text_line_max, DEFAULT_TEXT_LINE);

    return max < SMTP_TEXT_LINE_MIN ? SMTP_TEXT_LINE_MIN : max;
}

uint32_t
smtp_limit_recipients(const struct smtp_server *server)
{
    uint32_t max = or_default(server->options->recipients_max, RECIPIENTS_MAX);

    return max > RECIPIENTS_MAX ? RECIPIENTS_MAX : max;
}

uint32_t
smtp_limit_transactions(const struct smtp_server *server)
{
    return or_default(server->options->transactions_max, DEFAULT_TRANSACTIONS);
}

uint32_t
smtp_limit_commands_idle(const struct smtp_server *server)
{
    return or_default(server->options->commands_idle_max, DEFAULT_COMMANDS_IDLE);
}

uint32_t
smtp_limit_errors(const struct smtp_server *server)
{
    return or_default(server->options->errors_max, DEFAULT_ERRORS);
}

uint32_t
smtp_limit_errors_free(const struct smtp_server *server)
{
    return or_default(server->options->errors_free, DEFAULT_ERRORS_FREE);
}

uint32_t
smtp_limit_auth_failures(const struct smtp_server *server)
{
    return or_default(server->options->auth_failures_max, DEFAULT_AUTH_FAILURES);
}

struct duration
smtp_limit_tarpit(const struct smtp_server *server)
{
    return duration_ms(server->options->tarpit_ms);
}

/* Under stress a client has the short time, if that is shorter. */
static struct duration
client_time(const struct smtp_server *server, uint32_t seconds)
{
    uint32_t stress_s = or_default(server->options->stress_timeout_s, DEFAULT_STRESS_S);

    return duration_s(server->is_stressed && stress_s < seconds ? stress_s : seconds);
}

struct duration
smtp_limit_command_time(const struct smtp_server *server)
{
    return client_time(server, or_default(server->options->command_timeout_s, DEFAULT_COMMAND_S));
}

struct duration
smtp_limit_body_time(const struct smtp_server *server)
{
    return client_time(server, or_default(server->options->body_timeout_s, DEFAULT_BODY_S));
}

struct duration
smtp_limit_session_time(const struct smtp_server *server)
{
    return duration_s(or_default(server->options->session_max_s, DEFAULT_SESSION_S));
}
