/* SPDX-License-Identifier: ISC */
/* Next hops that still hold: mail for one domain comes again and again, and asking route costs two
 * wakings for each. Kept is what route calls good for the whole domain, for as long as it says, and
 * not for long: hosts that are equally good take turns, and a change of the transport table is seen
 * when route is asked. Route says `changed` when it has read its tables again; then all are
 * forgotten. Private to this folder. */
#ifndef ROLE_STORE_HOPS_H
#define ROLE_STORE_HOPS_H

#include "base/arena.h"
#include "base/map.h"
#include "base/time.h"
#include "note/store_route.h"

enum {
    HOPS_MAX = 1024,     /* domains; when there are more, all are forgotten and it begins anew */
    HOPS_USES_MAX = 200, /* then route is asked again */
    HOPS_VALID_MAX_S = 10,
    HOPS_ARENA_MAX = 256 * 1024, /* of one: what a note can hold, twice over */
};

struct hops {
    struct map map; /* from domain to struct kept_hop */
};

/* In the caller's memory; finish frees what is kept. */
void hops_init(struct hops *hops, uint64_t seed);
void hops_finish(struct hops *hops);

/* The hop of a domain (in lower case), or NULL. Valid until the next call. */
const struct store_route_hop *hops_find(struct hops *hops, struct slice domain, struct instant now);

/* Whether this is an answer for all that goes to the recipient's domain. */
bool hops_is_for_domain(const struct store_route_hop *hop);

/* Copies an answer, if it is for the whole domain. */
void hops_keep(struct hops *hops, struct slice domain, const struct store_route_hop *hop,
               struct instant now);

/* Forgets all of them. */
void hops_forget(struct hops *hops);

/* A copy whose texts are in the arena, without the steps. */
void hop_copy(struct arena *arena, const struct store_route_hop *from, struct store_route_hop *to);

#endif
