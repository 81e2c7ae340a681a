/* SPDX-License-Identifier: ISC */
/* Whom an address leads to: the directory first, and for names of ours that it does not have the
 * tables that other programs keep. */
#ifndef ROUTING_RECIPIENT_H
#define ROUTING_RECIPIENT_H

#include "directory/directory.h"
#include "routing/next_hop.h"

enum { ROUTING_ALIAS_DEPTH_MAX = 8, ROUTING_ALIAS_ADDRESSES_MAX = 256 };

struct routing_names {
    const struct directory *directory;
    /* Asked for the address, for the address without its detail, and for @domain. */
    const struct slice *alias_tables;
    size_t alias_table_count;
    bool has_forwards; /* ~/.forward of system users counts (forward.h) */
    struct slice separators; /* of the detail in user+detail; each octet is one */
};

/* Resolves one recipient as directory_resolve does. MISSING: facts->questions says which tables
 * must be asked first. TEMPORARY: a table cannot be asked, or its aliases lead nowhere, in a circle
 * or to too many; ret_answer->why then says which. The answer lives in the arena of `facts`. */
enum routing_outcome routing_recipient(const struct routing_names *names, struct slice address,
                                       struct routing_facts *facts, struct routing_steps *steps,
                                       struct directory_answer *ret_answer);

#endif
