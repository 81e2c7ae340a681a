/* SPDX-License-Identifier: ISC */
/* The table of commands, and who may be called when (RFC 1939 §3). */
#include "pop3/server_private.h"

struct command {
    const char *verb;
    unsigned states;
    pop3_command_fn run;
};

static const struct command commands[] = {
    {"APOP", POP3_AUTHORIZATION, pop3_command_apop},
    {"AUTH", POP3_AUTHORIZATION, pop3_command_auth},
    {"CAPA", POP3_AUTHORIZATION | POP3_TRANSACTION, pop3_command_capa},
    {"DELE", POP3_TRANSACTION, pop3_command_dele},
    {"LAST", POP3_TRANSACTION, pop3_command_last},
    {"LIST", POP3_TRANSACTION, pop3_command_list},
    {"NOOP", POP3_TRANSACTION, pop3_command_noop},
    {"PASS", POP3_AUTHORIZATION, pop3_command_pass},
    {"QUIT", POP3_AUTHORIZATION | POP3_TRANSACTION, pop3_command_quit},
    {"RETR", POP3_TRANSACTION, pop3_command_retr},
    {"RSET", POP3_TRANSACTION, pop3_command_rset},
    {"STAT", POP3_TRANSACTION, pop3_command_stat},
    {"STLS", POP3_AUTHORIZATION, pop3_command_stls},
    {"TOP", POP3_TRANSACTION, pop3_command_top},
    {"UIDL", POP3_TRANSACTION, pop3_command_uidl},
    {"USER", POP3_AUTHORIZATION, pop3_command_user},
    {"UTF8", POP3_AUTHORIZATION, pop3_command_utf8},
};

static const struct command *
find_command(struct slice verb)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (slice_equal_nocase(verb, slice_of_string(commands[i].verb)))
            return &commands[i];
    }
    return NULL;
}

/* A browser was led here, to say what stands behind its request: nothing of that is looked at. */
static bool
is_of_browser(const struct pop3_server *server, struct slice line)
{
    return server->state == POP3_AUTHORIZATION && slice_find(line, SLICE(" HTTP/")) < line.len;
}

void
pop3_run_command(struct pop3_server *server, struct slice line)
{
    size_t space = slice_find_byte(line, ' ');
    struct slice verb = slice_first(line, space);
    struct pop3_call call = {.arguments = slice_skip(line, space + 1)};

    /* A NUL would end a name or a password for the mechanism PLAIN, and has no other use. */
    if (slice_find_byte(line, 0) < line.len) {
        pop3_refuse(server, "NUL in a command");
        return;
    }
    const struct command *command = find_command(verb);
    if (!command && is_of_browser(server, line)) {
        pop3_put_error(server, "this is not a web server");
        pop3_end(server, POP3_CLOSE_ERRORS);
    } else if (!command)
        pop3_refuse(server, "unknown command");
    else if ((command->states & server->state) == 0)
        pop3_refuse(server, server->state == POP3_AUTHORIZATION ? "log in first"
                                                                : "you are logged in already");
    else
        command->run(server, &call);
}
