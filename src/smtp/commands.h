/* SPDX-License-Identifier: ISC */
/* Private to the room: the rows of the table of commands. */
#ifndef SMTP_COMMANDS_H
#define SMTP_COMMANDS_H

#include "base/time.h"
#include "base/slice.h"

struct smtp_server;

typedef void (*smtp_command_fn)(struct smtp_server *server, struct slice argument,
                                struct instant now);

struct smtp_command {
    struct slice verb;
    smtp_command_fn handle; /* with the argument, trimmed */
    unsigned flags;         /* of commands.c */
    const char *syntax;     /* for HELP and 501; NULL: not to be told of */
};

/* NULL when there is none of this name, in any case of letters. */
const struct smtp_command *smtp_command_find(struct slice verb);

/* The session's service has it, and it may be told of. */
bool smtp_command_is_listed(const struct smtp_server *server, const struct smtp_command *command);

/* Walks over those that work in this session, from *place = 0; NULL at the end. */
const struct smtp_command *smtp_command_next(const struct smtp_server *server, size_t *place);

#endif
