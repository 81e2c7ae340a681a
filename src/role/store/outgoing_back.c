/* SPDX-License-Identifier: ISC */
/* Hosts that did not answer, and are heard of again: what waits for them is tried at once. So a
 * primary server that was away gets its mail from its secondary as soon as it connects to it. */
#include "role/store/outgoing.h"

#include "host/log.h"

#include <stdlib.h>

enum { MISSED_MAX = 4096, ADDRESS_MAX = 16 };

struct missed {
    uint8_t address[ADDRESS_MAX];
    size_t address_len;
    size_t domain_len;
    uint8_t domain[];
};

static void
forget_all(struct outgoing *outgoing)
{
    const struct map_item *item;

    for (size_t place = 0; (item = map_next(&outgoing->missed, &place));)
        free(item->value);
    map_finish(&outgoing->missed);
}

void
outgoing_back_init(struct outgoing *outgoing, uint64_t seed)
{
    map_init(&outgoing->missed, seed);
    outgoing->missed_seed = seed;
}

void
outgoing_back_finish(struct outgoing *outgoing)
{
    forget_all(outgoing);
}

/* Only this process remembers: after a restart the first try finds out anew. */
static void
remember(struct outgoing *outgoing, struct slice address, struct slice domain)
{
    if (map_find(&outgoing->missed, address))
        return;
    if (outgoing->missed.count >= MISSED_MAX) {
        forget_all(outgoing);
        map_init(&outgoing->missed, outgoing->missed_seed);
    }
    struct missed *missed = malloc(sizeof(*missed) + domain.len);
    if (!missed)
        abort();
    memcpy(missed->address, address.at, address.len);
    missed->address_len = address.len;
    memcpy(missed->domain, domain.at, domain.len);
    missed->domain_len = domain.len;
    map_set(&outgoing->missed, slice_of(missed->address, missed->address_len), missed);
}

void
outgoing_missed(struct store_role *role, struct slice domain,
                const struct store_transport_carried *carried)
{
    if (carried->reach != STORE_TRANSPORT_REACH_UNREACHABLE)
        return;
    for (size_t i = 0; i < carried->attempts.count; i++) {
        const struct store_transport_attempt *attempt = &carried->attempts.at[i];
        if (attempt->address.len == 4 || attempt->address.len == ADDRESS_MAX)
            remember(role->outgoing, attempt->address, domain);
    }
}

void
outgoing_arrived(struct store_role *role, struct slice address)
{
    struct missed *missed = map_remove(&role->outgoing->missed, address);
    bool is_busy;

    if (!missed)
        return;
    struct slice domain = slice_of(missed->domain, missed->domain_len);
    if (asking_retry(role, domain, &is_busy))
        log_event(role->host, HOST_LEVEL_INFO, "host_is_back", "domain", domain);
    free(missed);
}
