/* SPDX-License-Identifier: ISC */
/* ~/.forward of system users: what it says is a fact of a table of its own, asked by LOGIN@DOMAIN,
 * with the members that directory_unix_forward makes. */
#ifndef ROUTING_FORWARD_H
#define ROUTING_FORWARD_H

#include "routing/recipient.h"

#define ROUTING_FORWARD_TABLE ".forward" /* no table of the configuration can have this name */

enum { ROUTING_FORWARD_DEPTH_MAX = 8 };

/* Puts in the place of each target that is a system user what the user's .forward names. An address
 * that leads back to the user, or to nobody, means the user's own mailbox; so does a file that
 * leads nowhere: mail is not lost. MISSING: facts->questions says what must be asked. TEMPORARY: it
 * cannot be asked now, or they lead too deep or to too many. */
enum routing_outcome routing_forward(const struct routing_names *names, struct routing_facts *facts,
                                     struct routing_steps *steps, struct directory_answer *answer);

#endif
