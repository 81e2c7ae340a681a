/* SPDX-License-Identifier: ISC */
#include "role/peers.h"

#include "base/map.h"
#include "host/address.h"

#include <stdlib.h>

enum { WINDOW_S = 60 };

struct customer {
    uint32_t connections;
    uint32_t arrivals; /* in this window */
    struct instant window_start;
};

struct peers {
    struct map customers;
};

struct peers *
peers_open(uint64_t seed)
{
    struct peers *peers = calloc(1, sizeof(*peers));

    if (!peers)
        abort();
    map_init(&peers->customers, seed);
    return peers;
}

void
peers_close(struct peers **peers)
{
    if (!*peers)
        return;
    size_t place = 0;
    for (const struct map_item *item; (item = map_next(&(*peers)->customers, &place));)
        free(item->value);
    map_finish(&(*peers)->customers);
    free(*peers);
    *peers = NULL;
}

static struct customer *
customer_get(struct peers *peers, struct slice key, struct instant now)
{
    struct customer *customer = map_find(&peers->customers, key);

    if (!customer) {
        customer = calloc(1, sizeof(*customer));
        if (!customer)
            abort();
        customer->window_start = now;
        map_set(&peers->customers, key, customer);
    }
    if (instant_since(now, customer->window_start).ns >= duration_s(WINDOW_S).ns) {
        customer->window_start = now;
        customer->arrivals = 0;
    }
    return customer;
}

const char *
peers_enter(struct peers *peers, const struct host_address *address, uint32_t connections_max,
            uint32_t rate_max, struct instant now)
{
    struct customer *customer = customer_get(peers, host_address_customer(address), now);

    if (customer->arrivals < UINT32_MAX)
        customer->arrivals++;
    if (customer->arrivals > rate_max)
        return "connections from your address come too fast";
    if (customer->connections >= connections_max)
        return "too many connections from your address";
    customer->connections++;
    return NULL;
}

void
peers_leave(struct peers *peers, const struct host_address *address)
{
    struct customer *customer = map_find(&peers->customers, host_address_customer(address));

    assert(customer && customer->connections > 0);
    customer->connections--;
}

void
peers_sweep(struct peers *peers, struct instant now)
{
    struct map kept;
    size_t place = 0;

    map_init(&kept, peers->customers.seed);
    for (const struct map_item *item; (item = map_next(&peers->customers, &place));) {
        struct customer *customer = item->value;
        if (customer->connections == 0 &&
            instant_since(now, customer->window_start).ns >= duration_s(WINDOW_S).ns)
            free(customer);
        else
            map_set(&kept, item->key, customer);
    }
    map_finish(&peers->customers);
    peers->customers = kept;
}
