/* SPDX-License-Identifier: ISC */
/* Private to the room: one decision under way. next_hop.c chooses the way, exchange.c finds the
 * hosts that a domain names, host.c finds their addresses. */
#ifndef ROUTING_RUN_H
#define ROUTING_RUN_H

#include "routing/next_hop.h"

/* A host that may take the mail, in order of trial. */
struct routing_candidate {
    struct slice name;
    uint16_t preference;
    bool is_secure; /* that this host takes the domain's mail is proven */
};

struct routing_run {
    const struct routing_settings *settings;
    struct routing_facts *facts;
    struct routing_steps *steps;
    struct routing_hop *hop;
    uint64_t seed;
    struct routing_candidate candidates[DNS_RECORDS_MAX];
    size_t count;
    bool is_named; /* the host was named by the operator, not by the name system */
    bool found_self;
};

/* An end of the decision: "4.…" is temporary, "5.…" permanent. */
enum routing_outcome routing_refuse(struct routing_run *run, const char *status, struct slice text);
/* A text around a name, in the arena. */
struct slice routing_text(struct routing_run *run, const char *before, struct slice name,
                          const char *after);
/* The answer was used: the decision is good for no longer than it. */
void routing_use(struct routing_run *run, const struct dns_answer *answer);
/* splitmix64: enough to share load; nobody must be unable to guess it. */
uint64_t routing_draw(struct routing_run *run);
/* RFC 5321 §5.1: what is as good as we are, or worse, would send it back to us. */
void routing_drop_from(struct routing_run *run, uint16_t preference, struct slice name);

/* Fills the candidates from the MX of a domain, or from the domain itself. */
enum routing_outcome routing_find_exchanges(struct routing_run *run, struct slice domain);

/* Finds out whether the domain has a policy, and where; false when names must be asked for. */
bool routing_find_sts(struct routing_run *run, struct slice domain);

/* Whether another host can have such an address: not this network, loopback, multicast and beyond.
 * An IPv4 address in IPv6 clothes is judged as what it is. */
bool routing_is_reachable(const struct routing_address *address);

/* Fills the hop's hosts from the candidates. */
enum routing_outcome routing_find_hosts(struct routing_run *run);

#endif
