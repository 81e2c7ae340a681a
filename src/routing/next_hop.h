/* SPDX-License-Identifier: ISC */
/* The decision: where a message to one recipient goes next. RFC 5321 §5, RFC 7505, RFC 7672 §2. */
#ifndef ROUTING_NEXT_HOP_H
#define ROUTING_NEXT_HOP_H

#include "directory/directory.h"
#include "routing/fact.h"
#include "routing/transports.h"

enum routing_outcome {
    ROUTING_FOUND,
    ROUTING_MISSING,   /* facts->questions says what must be known first */
    ROUTING_TEMPORARY, /* hop->status and text say why; try again later */
    ROUTING_PERMANENT  /* hop->status and text say why; nobody takes it */
};

enum routing_family {
    ROUTING_ANY_FAMILY,
    ROUTING_IPV6_FIRST,
    ROUTING_IPV4_FIRST,
    ROUTING_ONLY_IPV4,
    ROUTING_ONLY_IPV6
};

struct routing_self {
    const struct slice *names; /* ours: host name and what else a MX may call us */
    size_t name_count;
    const struct routing_address *addresses; /* ours; those we listen on */
    size_t address_count;
};

struct routing_settings {
    const struct directory *directory;           /* whose domains are ours; may be NULL: none is */
    struct slice srs_domain;                     /* ours, too; empty: none */
    const struct routing_transports *transports; /* may be NULL */
    /* Names of tables elsewhere with next hops, asked by address, then domain, then *.domain. */
    const struct slice *tables;
    size_t table_count;
    struct routing_transport smart_host; /* when has_smart_host: for all that no row is about */
    bool has_smart_host;
    /* Domains that are fetched by their own hosts (ATRN), in canonical form: without a row of a
     * table their mail waits. */
    const struct slice *fetched;
    size_t fetched_count;
    struct routing_self self;
    enum routing_family family;
    enum routing_tls tls;  /* where no row says otherwise */
    bool has_sts;          /* domains' policies count (RFC 8461) */
    bool is_local_allowed; /* connect to loopback addresses that an MX names */
};

/* Decides. sender and recipient in any spelling; sender may be empty. `seed` orders equal MX hosts.
 * Everything of the hop lives in the arena of `facts` or borrows from the settings. */
enum routing_outcome routing_next_hop(const struct routing_settings *settings, struct slice sender,
                                      struct slice recipient, uint64_t seed,
                                      struct routing_facts *facts, struct routing_steps *steps,
                                      struct routing_hop *ret_hop);

/* The same where the way is given: a row that is followed whatever tables and directory say. */
enum routing_outcome routing_follow_row(const struct routing_settings *settings,
                                        const struct routing_transport *row, struct slice recipient,
                                        uint64_t seed, struct routing_facts *facts,
                                        struct routing_steps *steps, struct routing_hop *ret_hop);

/* Whether all addresses of the hop are this machine's own. */
bool routing_hop_is_loopback(const struct routing_hop *hop);

#endif
