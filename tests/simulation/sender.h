/* SPDX-License-Identifier: ISC */
/* A mail client that does not give up: it has some letters to send, and tries each, with a new
 * number each time, until every recipient is acknowledged. Speaks SMTP (in steps or pipelined) or
 * LMTP. */
#ifndef TESTS_SIMULATION_SENDER_H
#define TESTS_SIMULATION_SENDER_H

#include "oracle.h"
#include "host/sim/sim.h"

struct sender;

struct sender *sender_open(struct sim *sim, struct oracle *oracle, unsigned number,
                           unsigned letters);
/* Starts no connection any more but lets a running one end; for the end of a run. */
bool sender_is_done(const struct sender *sender);
void sender_close(struct sender **sender);

/* The address of an account of the town: user0@example.test … */
void sender_put_address(struct buffer *buffer, unsigned account);

enum { TOWN_PORT_SMTP = 25, TOWN_PORT_LMTP = 24, TOWN_PORT_POP3 = 110 };

#endif
