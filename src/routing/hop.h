/* SPDX-License-Identifier: ISC */
/* The next hop: what the transport agent is told. note/store_route.notes has the same, flattened.
 */
#ifndef ROUTING_HOP_H
#define ROUTING_HOP_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    ROUTING_HOSTS_MAX = 15,     /* of those that a domain names, the best */
    ROUTING_ADDRESSES_MAX = 16, /* of one host */
    ROUTING_TLSA_MAX = 16,      /* of one host */
    ROUTING_STEPS_MAX = 64,
    ROUTING_STEP_MAX = 400, /* octets */
    ROUTING_PORT_SMTP = 25,
    ROUTING_PORT_LMTP = 24
};

enum routing_carrier {
    ROUTING_SMTP,
    ROUTING_LMTP,
    ROUTING_PIPE,    /* a program, by the name that the configuration gives it */
    ROUTING_DISCARD, /* taken, and thrown away */
    ROUTING_ERROR,   /* refused, with code, status and text */
    ROUTING_LOCAL    /* an address of ours */
};

enum routing_tls {
    ROUTING_TLS_NONE,
    ROUTING_TLS_MAY,     /* if offered, unverified (RFC 7435) */
    ROUTING_TLS_DANE,    /* as MAY; with TLSA records as RFC 7672 wants it */
    ROUTING_TLS_ENCRYPT, /* TLS or nothing, unverified */
    ROUTING_TLS_VERIFY   /* with a certificate that the system's roots vouch for */
};

struct routing_address {
    uint8_t len; /* 4 or 16 */
    uint8_t bytes[16];
};

struct routing_tlsa {
    uint8_t usage, selector, matching;
    struct slice data;
};

struct routing_host {
    struct slice name;
    uint16_t preference;
    bool is_secure;   /* name and addresses are proven by DNSSEC */
    bool tlsa_failed; /* TLSA records could not be had: not to be tried (RFC 7672 §2.1.1) */
    struct routing_address addresses[ROUTING_ADDRESSES_MAX]; /* in the order of trial */
    size_t address_count;
    struct routing_tlsa tlsa[ROUTING_TLSA_MAX];
    size_t tlsa_count;
};

struct routing_hop {
    enum routing_carrier carrier;
    struct slice destination; /* what messages that can share one transaction have in common */
    struct slice path;        /* LMTP: a unix socket, or empty; PIPE: the program's name */
    uint16_t port;
    enum routing_tls tls;
    struct slice auth; /* name of the credentials to log in with, or empty */
    struct routing_address source_ipv4, source_ipv6; /* our own to bind to; len 0: any */
    uint8_t proxy; /* version of the PROXY header that the host wants first; 0: none */
    const struct routing_host *hosts; /* SMTP, LMTP without path: in order of trial */
    size_t host_count;
    /* MTA-STS (RFC 8461): the domain whose policy counts, or empty; what its record says, empty
     * when it has none now; and where the policy is to be had. */
    struct slice sts_domain, sts_id;
    struct routing_address sts_addresses[ROUTING_ADDRESSES_MAX];
    size_t sts_address_count;
    uint16_t code;      /* ERROR, and for failed decisions: 550 */
    const char *status; /* "5.1.2" */
    struct slice text;
    uint32_t valid_s;   /* for how long it may be used again */
    bool is_for_domain; /* by all senders, for all addresses of the recipient's domain */
};

/* How a decision was reached, a line each; what does not fit is left out. */
struct routing_steps {
    struct slice at[ROUTING_STEPS_MAX];
    size_t count;
};

/* Adds one; ROUTING_TEXT gives a slice to "%.*s". Octets that are not printable become "?". */
void routing_step(struct routing_steps *steps, struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define ROUTING_TEXT(slice) (int)(slice).len, (const char *)(slice).at

const char *routing_carrier_name(enum routing_carrier carrier);
const char *routing_tls_name(enum routing_tls tls);

#endif
