/* SPDX-License-Identifier: ISC */
/* A POP3 session for callers that wait: the automaton of pop3/client.h on a connection. Numbers are
 * those of the session, from 1 on. */
#ifndef CLIENT_POP_H
#define CLIENT_POP_H

#include "client/session.h"

struct client_pop;

/* Connects and logs in; NULL and the problem is set. */
struct client_pop *client_pop_open(const struct client_login *login,
                                   struct client_problem *problem);

struct client_pop_message {
    uint64_t octets;
    const char *uid; /* NULL when the server has no UIDL */
};

/* How many messages there are, and what is known of one (1 to count). Asked for once, at the
 * opening. */
uint32_t client_pop_count(const struct client_pop *pop);
struct client_pop_message client_pop_message(const struct client_pop *pop, uint32_t number);

/* Puts the message, or its header and the first `lines` lines of its body (the whole where the
 * server has no TOP). */
MUST_USE bool client_pop_read(struct client_pop *pop, uint32_t number, struct buffer *out,
                              struct client_problem *problem);
MUST_USE bool client_pop_top(struct client_pop *pop, uint32_t number, uint32_t lines,
                             struct buffer *out, struct client_problem *problem);

/* Marks it; it goes when client_pop_quit has its +OK. */
MUST_USE bool client_pop_delete(struct client_pop *pop, uint32_t number,
                                struct client_problem *problem);

/* Ends the session with QUIT. False when the server did not say that all is done. */
MUST_USE bool client_pop_quit(struct client_pop *pop, struct client_problem *problem);

/* Frees; without a quit before, nothing is deleted. Accepts a pointer to NULL. */
void client_pop_close(struct client_pop **pop);

#endif
