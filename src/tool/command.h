/* SPDX-License-Identifier: ISC */
/* Subcommands as rows of a table. */
#ifndef TOOL_COMMAND_H
#define TOOL_COMMAND_H

#include "base/buffer.h"

#include <stdio.h>
#include <sysexits.h>

struct command_option {
    const char *name;  /* without the dashes */
    const char *value; /* what stands behind it in the synopsis: FILE; NULL for a switch */
    const char *meaning;
    char letter;        /* of the short form: -s; 0: none */
    bool is_repeatable; /* its values: command_next_value */
};

/* Options that many commands have. */
#define COMMAND_OPTION_CONFIG                                                                      \
    {                                                                                              \
        "config", "FILE",                                                                          \
            "Configuration file; default: $FACTEUR_CONFIG or /etc/facteur/facteur.conf."           \
    }
#define COMMAND_OPTION_JSON                                                                        \
    {                                                                                              \
        "json", NULL, "Print JSON instead of text."                                                \
    }

enum { COMMAND_OPTIONS_MAX = 24, COMMAND_ARGUMENTS_ANY = 1 << 20 };

struct command_call;

struct command {
    const char *name;      /* "user add" */
    const char *arguments; /* as in the synopsis: "ADDRESS [FILE]" */
    const char *summary;   /* one line, without a full stop */
    const char *about;     /* paragraphs, separated by empty lines */
    const char *examples;  /* lines "command # what it does" */
    size_t arguments_min;
    size_t arguments_max;
    struct command_option options[COMMAND_OPTIONS_MAX]; /* ends with a NULL name, if not full */
    int (*run)(const struct command_call *call);
    bool is_hidden; /* for the machinery: in no help, page or completion */
};

struct command_given {
    size_t option; /* row of the command's options */
    const char *value;
};

/* A subcommand with what the user gave. Strings are those of main. */
struct command_call {
    const struct command *command;
    const char *values[COMMAND_OPTIONS_MAX]; /* as the rows; NULL: not given; "" for a switch */
    char **arguments;
    size_t count;
    struct command_given *given; /* all options, in their order */
    size_t given_count;
};

/* Walks over the table: begin with NULL; NULL at the end. */
const struct command *command_next(const struct command *command);

/* The row of this name ("user add"), or NULL. */
const struct command *command_find(struct slice name);

/* The value of an option that the command has: NULL when it was not given. */
const char *command_value(const struct command_call *call, const char *option);
bool command_has(const struct command_call *call, const char *option);

/* The values of an option that may be given more than once: begin with *place = 0; NULL at the
 * end. */
const char *command_next_value(const struct command_call *call, const char *option, size_t *place);

/* Finds the subcommand in the words behind the program's name, reads its options and runs it; says
 * what is wrong with them. Returns an exit code. */
int command_main(int count, char **words);

/* Help for all subcommands, and for one. */
void command_put_overview(struct buffer *out);
void command_put_help(const struct command *command, struct buffer *out);

/* This process becomes a program of ours; returns an exit code, and has said why, if it fails. */
int command_become(const char *name, const char *const *arguments);

/* This process becomes the parent, a program of its own: what the tool links does not stay in
 * memory. `ready`: a descriptor that gets one octet when all is; or -1. Returns an exit code if it
 * fails. */
int command_become_parent(const char *config_path, int ready);

/* The rows, each in the file of its subcommand. */
extern const struct command command_serve, command_demo, command_check, command_status,
    command_reload, command_stop, command_config_check, command_config_show, command_user_add,
    command_user_passwd, command_user_set, command_user_remove, command_user_list,
    command_alias_add, command_alias_remove, command_alias_list, command_alias_build,
    command_domain_add, command_domain_remove, command_domain_list,
    command_domain_records, command_domain_sts, command_domain_autoconfig, command_import,
    command_migrate,
    command_export, command_mailbox_list, command_mailbox_show, command_queue_list,
    command_queue_show, command_queue_hold, command_queue_release, command_queue_retry,
    command_queue_delete, command_queue_bounce, command_trace, command_tlsrpt,
    command_dkim_generate, command_dkim_show,
    command_itinerary, command_route,
    command_relay_add, command_relay_remove, command_relay_list, command_relay_export,
    command_relay_import, command_lab_start, command_lab_send, command_lab_stop, command_lab_status,
    command_mime_tree, command_mime_part, command_mime_check, command_mime_build,
    command_mime_split, command_mime_join, command_completion, command_man, command_version,
    command_help;

/* A person's own mail: tool/mail. */
extern const struct command command_account_add, command_account_list, command_account_remove,
    command_account_test, command_certificate_add, command_certificate_list, command_mail,
    command_send, command_fetch, command_folders, command_sync, command_list, command_thread,
    command_search, command_show, command_save, command_reply, command_forward, command_bounce,
    command_receipt, command_accept, command_decline, command_move, command_flag, command_delete;

#endif
