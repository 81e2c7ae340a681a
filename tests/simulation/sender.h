/* SPDX-License-Identifier: ISC */
/* A mail client that does not give up: it has some letters to send, and tries each, with a new
 * number each time, until every recipient is acknowledged. Speaks SMTP (in steps or pipelined) or
 * LMTP. */
#ifndef TESTS_SIMULATION_SENDER_H
#define TESTS_SIMULATION_SENDER_H

#include "oracle.h"
#include "town.h"

struct sender;

/* A server that letters may be given to. */
struct sender_target {
    struct host_address smtp;
    struct host_address lmtp; /* port 0: it has none */
    bool is_relay;            /* takes letters for people that there are not, and returns them */
    bool has_customer;        /* takes letters for ORACLE_CUSTOMER */
    bool is_signing;          /* signs them (DKIM) */
};

struct sender_options {
    const struct sender_target *targets; /* drawn anew for each connection */
    size_t target_count;
    unsigned letters;
    unsigned retry_ms_max;
};

/* The options' targets must outlive it. */
struct sender *sender_open(struct sim *sim, struct oracle *oracle, unsigned number,
                           const struct sender_options *options);
/* Starts no connection any more but lets a running one end; for the end of a run. */
bool sender_is_done(const struct sender *sender);
void sender_close(struct sender **sender);

/* The address of a mailbox: user0@example.test …, user4@foo.test, where letters come back, and
 * user5@customer.test. */
void sender_put_address(struct buffer *buffer, unsigned account);

#endif
