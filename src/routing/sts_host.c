/* SPDX-License-Identifier: ISC */
/* Whether a domain says that it has a policy, and the addresses of the host that tells it: RFC 8461
 * §3.1, §3.3. A record that cannot be had is as none: a policy that is known counts still. */
#include "routing/run.h"
#include "routing/sts.h"

static const struct routing_fact *
ask_below(struct routing_run *run, const char *label, struct slice domain, enum dns_type type)
{
    struct buffer name;

    buffer_init(&name, DNS_NAME_MAX + 32);
    buffer_put_text(&name, label);
    buffer_put(&name, domain);
    const struct routing_fact *fact = routing_facts_dns(run->facts, buffer_slice(&name), type);
    buffer_finish(&name);
    return fact;
}

static void
take_addresses(struct routing_run *run, const struct dns_answer *answer)
{
    struct routing_hop *hop = run->hop;

    if (answer->outcome != DNS_FOUND)
        return;
    routing_use(run, answer);
    for (size_t i = 0; i < answer->count && hop->sts_address_count < ROUTING_ADDRESSES_MAX; i++) {
        struct slice data = answer->records[i].data;
        struct routing_address address = {.len = (uint8_t)data.len};
        memcpy(address.bytes, data.at, data.len);
        if (run->settings->is_local_allowed || routing_is_reachable(&address))
            hop->sts_addresses[hop->sts_address_count++] = address;
    }
}

/* Several records of this kind are none (RFC 8461 §3.1). */
static struct slice
find_id(const struct dns_answer *answer)
{
    struct slice id = SLICE(""), found;
    size_t count = 0;

    for (size_t i = 0; answer->outcome == DNS_FOUND && i < answer->count; i++) {
        if (slice_starts_with(answer->records[i].data, SLICE("v=STSv1")) && ++count &&
            routing_sts_record_parse(answer->records[i].data, &found))
            id = found;
    }
    return count == 1 ? id : SLICE("");
}

bool
routing_find_sts(struct routing_run *run, struct slice domain)
{
    static const enum dns_type types[] = {DNS_AAAA, DNS_A};
    const struct routing_fact *fact = ask_below(run, "_mta-sts.", domain, DNS_TXT);
    bool is_known = true;

    if (!fact)
        return false;
    run->hop->sts_domain = domain;
    run->hop->sts_id = find_id(&fact->dns);
    if (run->hop->sts_id.len == 0)
        return true;
    routing_use(run, &fact->dns);
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct routing_fact *host = ask_below(run, "mta-sts.", domain, types[i]);
        if (host)
            take_addresses(run, &host->dns);
        is_known &= host != NULL;
    }
    if (is_known)
        routing_step(run->steps, run->facts->arena, "the domain has an MTA-STS policy, id %.*s",
                     ROUTING_TEXT(run->hop->sts_id));
    return is_known;
}
