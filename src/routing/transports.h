/* SPDX-License-Identifier: ISC */
/* The transport table: which mail goes another way than MX says. One row a line, # for comments:
 *
 *     # pattern            next hop                        options
 *     example.com          smtp:[192.168.23.56]:20025
 *     *.example.com        smtp:hub.example.net            tls=encrypt
 *     boss@example.com     lmtp:unix:/run/other/lmtp
 *     from:@vip.test       smtp:[relay.test]:587           auth=vip tls=verify
 *     spam.test            error:5.7.1 not here
 *     void.test            discard:
 *     fax.test             pipe:fax
 *     direct.test          smtp:                           source=192.0.2.7
 *     behind.test          smtp:[192.0.2.8]                proxy=2
 *     *                    smtp:[smart.test]:587           auth=smart tls=verify
 *
 * Patterns: an address, a domain, *.domain (all below it, not itself); `from:` in front of an
 * address or @domain compares the sender instead, `from:<>` is the null sender; * is everything.
 * They are tried in this order, the longest first. Brackets mean: no MX look-up. A row for a
 * pattern that another row has had replaces it. */
#ifndef ROUTING_TRANSPORTS_H
#define ROUTING_TRANSPORTS_H

#include "routing/hop.h"

enum {
    ROUTING_ROWS_MAX = 1000000,
    ROUTING_LINE_MAX = 2048,
    ROUTING_PATH_MAX = 1024, /* of a unix socket; as note/store_route */
    ROUTING_PROBLEMS_MAX = 100 /* kept; the rest is only counted */
};

struct routing_transport {
    enum routing_carrier carrier;
    struct slice host; /* name or literal (without brackets); empty: the recipient's domain */
    bool is_host;      /* brackets: no MX look-up */
    uint16_t port;     /* 0: the carrier's own */
    struct slice path; /* unix socket, or the program's name */
    bool has_tls;
    enum routing_tls tls;
    struct slice auth;
    struct routing_address source_ipv4, source_ipv6;
    uint8_t proxy; /* version of the PROXY protocol, 0: none */
    const char *status; /* ERROR */
    struct slice text;
    struct slice written; /* the row's next hop as it stands in the file, for the steps */
};

/* What is wrong with one line. */
struct routing_problem {
    size_t line; /* from 1 */
    const char *what;
};

struct routing_transports;

/* Never fails: a damaged line becomes a problem and all others stand. Borrows nothing. */
struct routing_transports *routing_transports_parse(struct slice text, uint64_t seed);
void routing_transports_close(struct routing_transports **transports);
size_t routing_transports_problem_count(const struct routing_transports *transports);
const struct routing_problem *
routing_transports_problem(const struct routing_transports *transports, size_t index);

/* One next hop with its options, as it stands behind a pattern; for options of the configuration
 * (smart host) and for rows that come from a table elsewhere. NULL, or what was expected. */
const char *routing_transport_parse(struct slice text, struct arena *arena,
                                    struct routing_transport *ret_transport);

/* The row for this sender and recipient, in canonical form (directory/address.h), and the pattern
 * that matched; NULL when there is none. */
const struct routing_transport *routing_transports_find(const struct routing_transports *transports,
                                                        struct slice sender, struct slice recipient,
                                                        struct slice *ret_pattern);

/* Whether the row is the same for all senders and for all addresses of this domain. */
bool routing_transports_are_by_domain(const struct routing_transports *transports,
                                      struct slice domain);

#endif
