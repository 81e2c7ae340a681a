/* SPDX-License-Identifier: ISC */
/* The client's side of SOCKS 5 (RFC 1928), without authentication and without I/O: asks a proxy to
 * connect to an address. Take exactly what is wanted from the stream: what follows is the host's.
 */
#ifndef ROLE_TRANSPORT_SOCKS_H
#define ROLE_TRANSPORT_SOCKS_H

#include "host/host.h"

enum { SOCKS_ANSWER_MAX = 262, SOCKS_REQUEST_MAX = 22 };

struct socks {
    struct host_address target;
    uint8_t output[SOCKS_REQUEST_MAX];
    uint8_t output_len, output_sent;
    uint8_t answer[SOCKS_ANSWER_MAX];
    size_t answer_len;
    size_t answer_wanted; /* octets of the answer that must be there before it is looked at */
    bool is_asked;        /* the request was made; before it stands the greeting */
    bool is_done;
};

/* target: an IPv4 or IPv6 address. */
void socks_begin(struct socks *socks, const struct host_address *target);

/* What is to be sent, and that `len` bytes of it were. */
struct slice socks_output(const struct socks *socks);
void socks_sent(struct socks *socks, size_t len);

/* How many octets to read now; 0 when it is done. */
size_t socks_wanted(const struct socks *socks);

/* Takes at most that many. NULL, or why the proxy does not do it. */
MUST_USE const char *socks_take(struct socks *socks, struct slice bytes);

#endif
