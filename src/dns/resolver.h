/* SPDX-License-Identifier: ISC */
/* Questions to the name system: the project's one door to libunbound. Two ways to use it: with a
 * loop (ask, watch the descriptor, process when it is readable) or without (look up and wait). */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "dns/dns.h"

struct dns_resolver;

struct dns_resolver_options {
    /* Resolvers to ask, "192.0.2.1", "192.0.2.1@5353" or "::1@5353". None: those of
     * /etc/resolv.conf, or the root servers if `is_recursive`. */
    const struct slice *forwarders;
    size_t forwarder_count;
    /* "ZONE ADDRESS[@PORT]": the servers of a zone, asked directly. */
    const struct slice *stubs;
    size_t stub_count;
    bool is_recursive;
    /* File with trust anchors: DS or DNSKEY records in the form of a zone file. Empty: none, and
     * no answer is secure. */
    struct slice trust_anchors;
    struct slice root_hints; /* file; empty: those built in */
    /* Take answers about, and from servers on, loopback and private addresses. */
    bool is_local_allowed;
    uint32_t cache_bytes; /* of memory for answers kept; 0: the library's default */
};

/* NULL when an option cannot be taken; ret_why then says which, as static text. Reads the files
 * now, so that the process may lose its files afterwards; opens no socket and no thread yet. */
struct dns_resolver *dns_resolver_open(const struct dns_resolver_options *options,
                                       const char **ret_why);
/* Questions that are open are dropped: their fn is not called, but `drop` (may be NULL) is, with
 * the context of each. */
void dns_resolver_close(struct dns_resolver **resolver, void (*drop)(void *context));

/* `answer` is valid during the call. */
typedef void (*dns_answer_fn)(void *context, const struct dns_answer *answer);

/* Puts a question: fn is called once, from dns_resolver_process, unless the resolver is closed
 * before. False when the question cannot be put (name not sound, no memory): fn is not called. */
MUST_USE bool dns_resolver_ask(struct dns_resolver *resolver, struct slice name, enum dns_type type,
                               dns_answer_fn fn, void *context);

/* Readable when dns_resolver_process has something to do. Stays the resolver's. */
int dns_resolver_descriptor(struct dns_resolver *resolver);
void dns_resolver_process(struct dns_resolver *resolver);

/* Asks and waits, for as long as the library tries (up to a minute or so). The answer lives in the
 * arena. */
void dns_resolver_look_up(struct dns_resolver *resolver, struct slice name, enum dns_type type,
                          struct arena *arena, struct dns_answer *ret_answer);

#endif
