/* SPDX-License-Identifier: ISC */
/* One of several IMAP clients on the same mailboxes: user0's own, or user1, with whom user0 shares
 * them. It does what comes to its mind, and tells the model. */
#ifndef TESTS_SIMULATION_MEMBER_H
#define TESTS_SIMULATION_MEMBER_H

#include "boxes.h"
#include "host/sim/sim.h"

struct member;

struct member_options {
    struct host_address server;
    unsigned number;
    bool is_owner;  /* of the mailboxes; else user1 */
    bool is_first;  /* gives user1 the rights */
    bool is_resync; /* comes back by QRESYNC when its connection was lost */
    bool is_notify; /* hears by NOTIFY of all mailboxes (RFC 5465); means messages by UID only */
};

/* Connects as soon as it can, and rests. */
struct member *member_open(struct sim *sim, struct boxes *boxes,
                           const struct member_options *options);
void member_close(struct member **member);

/* A round: so many commands, then it rests, still connected if it can be. */
void member_work(struct member *member, unsigned commands);
bool member_is_resting(const struct member *member);

/* Nobody works: it asks for what it has not been told, and compares. */
void member_sync(struct member *member);
bool member_is_synced(const struct member *member);

#endif
