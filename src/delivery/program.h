/* SPDX-License-Identifier: ISC */
/* Programs that mail is given to: how the configuration, an alias or a .forward names one, what it
 * is called with, and what its end means. Never a shell: words are taken apart here, once, and what
 * an address says is put into a word, never made words of. */
#ifndef DELIVERY_PROGRAM_H
#define DELIVERY_PROGRAM_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/time.h"
#include "envelope/status.h"

enum {
    PROGRAM_WORDS_MAX = 64,
    PROGRAM_NAME_MAX = 64,       /* as routing/transports.c */
    PROGRAM_COMMAND_MAX = 1000,  /* octets of a line */
    PROGRAM_ARGUMENT_MAX = 2048, /* octets of a word when all is put in */
    PROGRAM_TEXT_MAX = 300       /* octets of what is told of its end */
};

struct program {
    struct slice name;                     /* empty for a command */
    struct slice user;                     /* empty for a command */
    struct slice words[PROGRAM_WORDS_MAX]; /* [0] is an absolute path */
    size_t count;
};

/* "NAME USER PATH ARGUMENT…": words with blanks between; '…' and "…" hold a word together, a
 * backslash takes the next octet as it is (but between single quotes). NULL, or what was
 * expected. */
const char *program_parse(struct slice text, struct arena *arena, struct program *ret_program);

/* "PATH ARGUMENT…", what stands behind | in aliases and .forward. What only a shell would
 * understand outside of quotes (; & | < > $ ` and the like) is refused. */
const char *program_parse_command(struct slice text, struct arena *arena,
                                  struct program *ret_program);

/* What stands for $sender and so on; empty where there is none. */
struct program_facts {
    struct slice sender;                /* reverse-path */
    struct slice recipient;             /* whole address */
    struct slice local, detail, domain; /* its parts */
    struct slice queue_id;
    uint64_t size; /* octets of the message */
};

/* The argument vector, NULL-terminated: $sender $recipient $local $detail $domain $queue_id $size,
 * also as ${sender}; $$ is one $. NULL, or why this message cannot be given to it: an argument that
 * becomes an option by what an address says ("-" in front), NUL, or too long. */
const char *program_expand(const struct program *program, const struct program_facts *facts,
                           struct arena *arena, const char *const **ret_arguments);

/* "SENDER=…", "RECIPIENT=…", "LOCAL=…", "DETAIL=…", "DOMAIN=…", "QUEUE_ID=…", NULL-terminated.
 * Octets that a shell, which may read them after all, could misunderstand become "_". */
const char *const *program_variables(const struct program_facts *facts, struct arena *arena);

/* What the program reads: for a command the `From ` line of an mbox, then Return-Path:,
 * Delivered-To:, the message; all with LF. */
void program_put_message(struct buffer *out, bool is_command, struct wall received,
                         const struct program_facts *facts, struct slice message);

enum program_outcome { PROGRAM_DELIVERED, PROGRAM_TEMPORARY, PROGRAM_PERMANENT };
struct program_verdict {
    enum program_outcome outcome;
    struct envelope_status status;
    char text[PROGRAM_TEXT_MAX];
    size_t text_len;
};

/* Judges by the exit code (those of sysexits.h) or -signal. What the program said is told; when
 * that begins with a status of class 4 or 5 and the code is not 0, the status counts. */
void program_judge(int status, struct slice output, struct program_verdict *ret_verdict);

#endif
