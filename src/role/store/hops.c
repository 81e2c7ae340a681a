/* SPDX-License-Identifier: ISC */
#include "role/store/hops.h"

#include <stdlib.h>

struct kept_hop {
    struct arena arena;
    struct store_route_hop hop;
    struct instant until;
    unsigned uses;
};

#define COPY_LIST(arena, to, from, type, copy_one)                                                 \
    do {                                                                                           \
        struct type *rows = ARENA_ARRAY(arena, struct type, (from).count);                         \
        for (size_t i = 0; rows && i < (from).count; i++) {                                        \
            rows[i] = (from).at[i];                                                                \
            copy_one;                                                                              \
        }                                                                                          \
        (to).at = rows;                                                                            \
        (to).count = rows ? (from).count : 0;                                                      \
    } while (0)

void
hop_copy(struct arena *arena, const struct store_route_hop *from, struct store_route_hop *to)
{
    *to = *from;
    to->destination = arena_copy(arena, from->destination);
    to->path = arena_copy(arena, from->path);
    to->auth_name = arena_copy(arena, from->auth_name);
    to->auth_secret = arena_copy(arena, from->auth_secret);
    to->source_ipv4 = arena_copy(arena, from->source_ipv4);
    to->source_ipv6 = arena_copy(arena, from->source_ipv6);
    to->status = arena_copy(arena, from->status);
    to->text = arena_copy(arena, from->text);
    COPY_LIST(arena, to->hosts, from->hosts, store_route_host,
              rows[i].name = arena_copy(arena, rows[i].name));
    COPY_LIST(arena, to->addresses, from->addresses, store_route_address,
              rows[i].bytes = arena_copy(arena, rows[i].bytes));
    COPY_LIST(arena, to->tlsa, from->tlsa, store_route_tlsa,
              rows[i].data = arena_copy(arena, rows[i].data));
    COPY_LIST(arena, to->verify_names, from->verify_names, store_route_verify_name,
              rows[i].name = arena_copy(arena, rows[i].name));
    to->sts_domain = arena_copy(arena, from->sts_domain);
    to->sts_id = arena_copy(arena, from->sts_id);
    COPY_LIST(arena, to->sts_addresses, from->sts_addresses, store_route_address,
              rows[i].bytes = arena_copy(arena, rows[i].bytes));
    to->steps.count = 0;
}

static void
drop(struct kept_hop *kept)
{
    if (!kept)
        return;
    arena_wipe(&kept->arena); /* there may be a password in it */
    free(kept);
}

void
hops_init(struct hops *hops, uint64_t seed)
{
    map_init(&hops->map, seed);
}

void
hops_forget(struct hops *hops)
{
    const struct map_item *item;
    uint64_t seed = hops->map.seed;

    for (size_t place = 0; (item = map_next(&hops->map, &place));)
        drop(item->value);
    map_finish(&hops->map);
    map_init(&hops->map, seed);
}

void
hops_finish(struct hops *hops)
{
    hops_forget(hops);
    map_finish(&hops->map);
}

bool
hops_is_for_domain(const struct store_route_hop *hop)
{
    /* An address of ours is looked up by itself. */
    return hop->is_for_domain && hop->outcome == STORE_ROUTE_OUTCOME_FOUND &&
           hop->carrier != STORE_ROUTE_CARRIER_LOCAL;
}

const struct store_route_hop *
hops_find(struct hops *hops, struct slice domain, struct instant now)
{
    struct kept_hop *kept = map_find(&hops->map, domain);

    if (!kept)
        return NULL;
    if (kept->uses++ < HOPS_USES_MAX && instant_is_before(now, kept->until))
        return &kept->hop;
    drop(map_remove(&hops->map, domain));
    return NULL;
}

void
hops_keep(struct hops *hops, struct slice domain, const struct store_route_hop *hop,
          struct instant now)
{
    uint32_t valid_s = hop->valid_s < HOPS_VALID_MAX_S ? hop->valid_s : HOPS_VALID_MAX_S;
    struct kept_hop *kept;

    if (!hops_is_for_domain(hop) || valid_s == 0)
        return;
    if (hops->map.count >= HOPS_MAX)
        hops_forget(hops);
    kept = calloc(1, sizeof(*kept));
    if (!kept)
        abort();
    arena_init(&kept->arena, HOPS_ARENA_MAX);
    hop_copy(&kept->arena, hop, &kept->hop);
    kept->until = instant_after(now, duration_s(valid_s));
    if (arena_failed(&kept->arena))
        drop(kept);
    else
        drop(map_set(&hops->map, domain, kept));
}
