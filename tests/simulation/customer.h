/* SPDX-License-Identifier: ISC */
/* A customer without an address of its own (ATRN, RFC 2645): calls at times, logs in, turns the
 * connection round, and takes the mail of its domain, as a server that falls now and then. */
#ifndef TESTS_SIMULATION_CUSTOMER_H
#define TESTS_SIMULATION_CUSTOMER_H

#include "oracle.h"
#include "host/sim/sim.h"

struct customer;

/* Its login, at the server that keeps its mail. */
#define CUSTOMER_ADDRESS "customer@mx2.example.test"
#define CUSTOMER_PASSWORD "secret-of-the-customer"
/* crypt(3) of it, with few rounds. */
#define CUSTOMER_CRYPT                                                                             \
    "$6$rounds=1000$salt.of.test$"                                                                 \
    "OurFOmqAKPSHXwGRxu1OFymnVCE.fb6GgdX7ZphaNTM"                                                  \
    "NTPnT7E78Bzx.PHa1v6OQVL5o1/15LlN0AvNMT.pPM/"

/* It calls at times, from now on, and takes what comes for ORACLE_CUSTOMER. */
struct customer *customer_open(struct sim *sim, struct oracle *oracle,
                               const struct host_address *submission);
void customer_close(struct customer **customer);

/* It falls no more. */
void customer_calm(struct customer *customer);

/* How many letters it has taken over its own connections. */
uint64_t customer_taken(const struct customer *customer);

#endif
