/* SPDX-License-Identifier: ISC */
/* Source routes, "@a,@b:user@c" (RFC 5321 Appendix C, RFC 821 §3.6): dropped everywhere, unless the
 * operator has them followed for those who may relay. Addresses here are without brackets. */
#ifndef ROUTING_SOURCE_ROUTE_H
#define ROUTING_SOURCE_ROUTE_H

#include "routing/next_hop.h"

/* The first host of the route, or empty when there is none. Borrows. */
struct slice routing_route_first(struct slice address);

/* The address without any route. Borrows. */
struct slice routing_route_drop(struct slice address);

/* What is left when we have been reached: hosts that are us leave the front. Borrows where nothing
 * or everything of the route stays, else it is in the arena. */
struct slice routing_route_peel(const struct routing_settings *settings, struct slice address,
                                struct arena *arena);

/* Puts `host` in front: the way back (RFC 821 §3.6). In the arena; "" stays. */
struct slice routing_route_prepend(struct slice host, struct slice address, struct arena *arena);

#endif
