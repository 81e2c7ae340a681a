/* SPDX-License-Identifier: ISC */
/* Who is connected to one process, counted by customer: an IPv4 address or an IPv6 /64. For the
 * limits on connections and on their rate. Holds a few dozen bytes for each customer seen within
 * the last minute. */
#ifndef ROLE_PEERS_H
#define ROLE_PEERS_H

#include "host/host.h"

struct peers;

/* `seed`: random, so that nobody can choose colliding addresses. */
struct peers *peers_open(uint64_t seed);
void peers_close(struct peers **peers);

/* Counts a new connection and returns NULL when it is welcome; peers_leave must then follow once.
 * Else why not: too many from there at the same time, or within a minute. */
const char *peers_enter(struct peers *peers, const struct host_address *address,
                        uint32_t connections_max, uint32_t rate_max, struct instant now);
void peers_leave(struct peers *peers, const struct host_address *address);

/* Forgets who has no connection and was not seen for a minute: call it now and then. */
void peers_sweep(struct peers *peers, struct instant now);

#endif
