/* SPDX-License-Identifier: ISC */
/* Hands a message to the account's server for outgoing mail (RFC 6409), and waits. */
#ifndef CLIENT_SUBMIT_H
#define CLIENT_SUBMIT_H

#include "client/session.h"

/* Of one recipient that was not accepted. */
struct client_submit_refusal {
    struct slice recipient;
    bool is_temporary;
    uint16_t code; /* of the server; 0: it has not answered */
    struct slice text;
};
/* Called for each; valid during the call. */
typedef void (*client_submit_fn)(void *context, const struct client_submit_refusal *refusal);

struct client_submission {
    struct slice sender;            /* canonical */
    const struct slice *recipients; /* the same */
    size_t count;
    struct slice content;        /* CRLF lines */
    client_submit_fn on_refusal; /* may be NULL */
    void *context;
};

/* True when every recipient was accepted. Otherwise the problem is set: UNREACHABLE or TEMPORARY
 * when all that was not accepted may be tried again later. *ret_accepted is how many were. */
MUST_USE bool client_submit(const struct client_login *login,
                            const struct client_submission *submission, size_t *ret_accepted,
                            struct client_problem *problem);

/* Connects, logs in and quits: whether it would work. */
MUST_USE bool client_submit_test(const struct client_login *login, struct client_problem *problem);

#endif
