/* SPDX-License-Identifier: ISC */
/* RSET, NOOP, QUIT, HELP (RFC 5321 §4.1.1.5 to §4.1.1.10), and commands that are known but not
 * done. */
#include "smtp/commands.h"
#include "smtp/server_private.h"

void
smtp_command_rset(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    smtp_server_abort(server);
    smtp_say(server, 250, ENVELOPE_STATUS(2, 0, 0), "Reset", now);
}

void
smtp_command_noop(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    smtp_say(server, 250, ENVELOPE_STATUS(2, 0, 0), "Ok", now);
}

void
smtp_command_quit(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct buffer text;

    (void)argument;
    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put(&text, server->options->hostname);
    buffer_put_text(&text, " closing connection");
    smtp_say_lines(server, 221, ENVELOPE_STATUS(2, 0, 0), buffer_slice(&text), now);
    buffer_finish(&text);
    smtp_server_shut(server, SMTP_CLOSE_QUIT);
}

void
smtp_command_off(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    smtp_say(server, 502, ENVELOPE_STATUS(5, 5, 1), "Command not available here", now);
}

void
smtp_command_foreign(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    smtp_say_goodbye(server, ENVELOPE_STATUS(4, 7, 0), "This is not a web server",
                     SMTP_CLOSE_PROTOCOL, now);
}

/* 211: how the session stands. */
static void
say_status(struct smtp_server *server, struct instant now)
{
    struct buffer text;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX * 3);
    buffer_put(&text, server->options->hostname);
    buffer_put_text(&text, server->is_secure ? ": connection secured by TLS" : ": no TLS");
    buffer_put_text(&text, server->identity.len > 0 ? ", authenticated" : ", not authenticated");
    buffer_put_text(&text, "\nTransactions begun: ");
    buffer_put_decimal(&text, server->transactions);
    buffer_put_text(&text, ", recipients in the current one: ");
    buffer_put_decimal(&text, server->transaction.recipients);
    smtp_say_lines(server, 211, ENVELOPE_STATUS(2, 0, 0), buffer_slice(&text), now);
    buffer_finish(&text);
}

static void
say_commands(struct smtp_server *server, struct instant now)
{
    const struct smtp_command *command;
    struct buffer text;
    size_t place = 0;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&text, "Commands:");
    while ((command = smtp_command_next(server, &place))) {
        buffer_put_byte(&text, ' ');
        buffer_put(&text, command->verb);
    }
    buffer_put_text(&text, "\nHELP and a command tells its syntax");
    smtp_say_lines(server, 214, ENVELOPE_STATUS(2, 0, 0), buffer_slice(&text), now);
    buffer_finish(&text);
}

void
smtp_command_help(struct smtp_server *server, struct slice argument, struct instant now)
{
    const struct smtp_command *command = smtp_command_find(argument);

    if (argument.len == 0)
        say_commands(server, now);
    else if (slice_equal_nocase(argument, SLICE("STATUS")))
        say_status(server, now);
    else if (command && smtp_command_is_listed(server, command))
        smtp_say(server, 214, ENVELOPE_STATUS(2, 0, 0), command->syntax, now);
    else
        smtp_say(server, 504, ENVELOPE_STATUS(5, 5, 4), "No help on this", now);
}
