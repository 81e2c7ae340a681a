/* SPDX-License-Identifier: ISC */
/* The header by which a proxy says for whom it speaks: PROXY protocol, versions 1 and 2 (HAProxy's
 * proxy-protocol.txt), both ends, without I/O. Take exactly what is wanted from the stream: what
 * follows is the client's. */
#ifndef ROLE_HAPROXY_H
#define ROLE_HAPROXY_H

#include "base/buffer.h"
#include "host/host.h"

enum {
    HAPROXY_LINE_MAX = 107,      /* octets of version 1, with its CRLF */
    HAPROXY_HEAD_LEN = 16,       /* octets of version 2 that say how many follow */
    HAPROXY_ADDRESSES_MAX = 36,  /* of those that follow, what is kept: two addresses, two ports */
    HAPROXY_FOLLOWING_MAX = 4096 /* longer lists of additions are refused */
};

struct haproxy {
    uint8_t bytes[HAPROXY_LINE_MAX];
    size_t len;
    size_t skipped; /* octets of version 2 behind the addresses */
    bool is_done;
    bool has_client; /* else it speaks for itself: a look whether we live, or an unknown family */
    struct host_address client;
};

/* How many octets to read now; 0 when it is done. Begin with all zero. */
size_t haproxy_wanted(const struct haproxy *header);

/* Takes at most that many. NULL, or what is wrong: nothing more may be taken then. */
MUST_USE const char *haproxy_take(struct haproxy *header, struct slice bytes);

/* Puts a header: for `from`, to `to`, of one family (IPv4, IPv6); for anything else one that says
 * nothing of addresses. */
enum haproxy_version { HAPROXY_NONE, HAPROXY_1, HAPROXY_2 };
void haproxy_put(struct buffer *out, enum haproxy_version version, const struct host_address *from,
                 const struct host_address *to);

#endif
