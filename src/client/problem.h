/* SPDX-License-Identifier: ISC */
/* What went wrong in this room, as data: a kind for programs and a sentence for people. */
#ifndef CLIENT_PROBLEM_H
#define CLIENT_PROBLEM_H

#include "base/slice.h"

enum client_problem_kind {
    CLIENT_PROBLEM_NONE,
    CLIENT_PROBLEM_SETTINGS,    /* of the account: a wrong URL, a name that cannot be sent */
    CLIENT_PROBLEM_UNREACHABLE, /* no connection, or it was lost: try again later */
    CLIENT_PROBLEM_INSECURE,    /* TLS is missing, or the server is not known to be the one meant */
    CLIENT_PROBLEM_LOGIN,       /* name or password, or no way that both sides know */
    CLIENT_PROBLEM_PROTOCOL,    /* the server breaks the rules */
    CLIENT_PROBLEM_TEMPORARY,   /* the server says: not now */
    CLIENT_PROBLEM_REFUSED,     /* the server says: no */
    CLIENT_PROBLEM_MISSING,     /* no such folder, message or part */
    CLIENT_PROBLEM_FILE,        /* on this machine */
    CLIENT_PROBLEM_TOO_LARGE
};

/* Begins as {0}. The first that is set stays: what follows it is its consequence. */
struct client_problem {
    enum client_problem_kind kind;
    char text[600]; /* one sentence without a full stop; printable UTF-8 */
};

/* Sets kind and text, and returns false: `return client_problem_set(problem, …)`. */
bool client_problem_set(struct client_problem *problem, enum client_problem_kind kind,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The arguments of a %.*s: text of a server. */
#define CLIENT_TEXT(slice) (int)(slice).len, (const char *)(slice).at

#endif
