/* SPDX-License-Identifier: ISC */
/* Private to the room: what a session of POP3 and one of IMAP have alike: the connection, how far
 * it is, and what has gone wrong. */
#ifndef CLIENT_TALK_H
#define CLIENT_TALK_H

#include "client/login.h"

struct talk {
    struct login login;
    struct client_wire *wire;
    struct slice input; /* what the engine has not taken yet */
    bool is_in, is_over;
    bool is_answered, is_ok; /* the question that runs */
    enum client_problem_kind end;
    char why[512];
};

/* Keeps the reason. */
void talk_fail(struct talk *talk, enum client_problem_kind kind, struct slice text);
/* Tells it; false. */
bool talk_tell(const struct talk *talk, struct client_problem *problem);

/* Connects to the account's server for incoming mail. */
MUST_USE bool talk_connect(struct talk *talk, struct client_problem *problem);
/* Says what is polite to say at the end, if it can be sent at once, and closes. */
void talk_close(struct talk *talk, struct slice last_words);

/* The server has agreed to TLS. False: it must end, for the reason that is kept. */
MUST_USE bool talk_start_tls(struct talk *talk);
/* The first response of a mechanism, or the one to a challenge. False: the exchange is to be given
 * up, for the reason that is kept. */
MUST_USE bool talk_begin_sasl(struct talk *talk, struct slice mechanism,
                              struct slice *ret_response);
MUST_USE bool talk_step_sasl(struct talk *talk, struct slice challenge, struct slice *ret_response);
/* The server says that we are in. */
void talk_logged_in(struct talk *talk);

#endif
