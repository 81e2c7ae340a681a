/* SPDX-License-Identifier: ISC */
/* Addresses of hosts, and the records that say which certificate they have: RFC 5321 §5.1, RFC
 * 7672 §2 (DANE). */
#include "routing/run.h"

#include "envelope/literal.h"

enum { IPV4_LEN = 4, IPV6_LEN = 16 };

static_assert(2 * ROUTING_HOSTS_MAX <= ROUTING_QUESTIONS_MAX,
              "all addresses are asked for at once");

/* What one host has turned out to be. */
struct found {
    struct routing_host *host;
    bool is_missing;
    bool is_temporary;
    bool is_self;
    struct slice canonical; /* its name behind CNAMEs, or empty */
};

/* ---- addresses ----------------------------------------------------------------------------- */

bool
routing_is_reachable(const struct routing_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    const uint8_t *bytes = address->bytes;

    if (address->len == IPV6_LEN && memcmp(bytes, mapped, sizeof(mapped)) == 0)
        bytes += sizeof(mapped);
    else if (address->len == IPV6_LEN) {
        for (size_t i = 0; i < IPV6_LEN - 1; i++) {
            if (bytes[i] != 0)
                return bytes[0] != 0xFF;
        }
        return false;
    }
    return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
}

static bool
is_ours(const struct routing_self *self, const struct routing_address *address)
{
    for (size_t i = 0; i < self->address_count; i++) {
        if (self->addresses[i].len == address->len &&
            memcmp(self->addresses[i].bytes, address->bytes, address->len) == 0)
            return true;
    }
    return false;
}

static void
add_address(struct routing_run *run, struct found *found, struct slice bytes)
{
    struct routing_address address = {.len = (uint8_t)bytes.len};

    memcpy(address.bytes, bytes.at, bytes.len);
    if (!run->is_named && is_ours(&run->settings->self, &address)) {
        found->is_self = true;
        return;
    }
    if (!run->is_named && !run->settings->is_local_allowed && !routing_is_reachable(&address)) {
        routing_step(run->steps, run->facts->arena,
                     "%.*s: an address that no other host can have is left out",
                     ROUTING_TEXT(found->host->name));
        return;
    }
    if (found->host->address_count < ROUTING_ADDRESSES_MAX)
        found->host->addresses[found->host->address_count++] = address;
}

/* One type of address; which of several comes first is drawn. */
static void
find_addresses(struct routing_run *run, struct found *found, enum dns_type type)
{
    const struct routing_fact *fact = routing_facts_dns(run->facts, found->host->name, type);

    if (!fact) {
        found->is_missing = true;
        return;
    }
    routing_use(run, &fact->dns);
    if (fact->dns.outcome == DNS_TEMPORARY || fact->dns.outcome == DNS_BOGUS) {
        found->is_temporary = true;
        routing_step(run->steps, run->facts->arena, "%s of %.*s: %s", dns_type_name(type),
                     ROUTING_TEXT(found->host->name), dns_outcome_name(fact->dns.outcome));
        return;
    }
    found->host->is_secure = found->host->is_secure && fact->dns.is_secure;
    if (fact->dns.outcome != DNS_FOUND)
        return;
    if (!slice_equal_nocase(fact->dns.canonical, found->host->name))
        found->canonical = fact->dns.canonical;
    size_t first = (size_t)(routing_draw(run) % fact->dns.count);
    for (size_t i = 0; i < fact->dns.count; i++)
        add_address(run, found, fact->dns.records[(first + i) % fact->dns.count].data);
}

/* One IPv6, one IPv4 and so on: whoever tries several at once begins with both. */
static void
interleave(struct routing_host *host)
{
    struct routing_address mixed[ROUTING_ADDRESSES_MAX];
    size_t ipv6 = 0, ipv4 = 0, count = 0;

    while (ipv4 < host->address_count && host->addresses[ipv4].len != IPV4_LEN)
        ipv4++;
    size_t ipv6_end = ipv4;
    while (ipv6 < ipv6_end || ipv4 < host->address_count) {
        if (ipv6 < ipv6_end)
            mixed[count++] = host->addresses[ipv6++];
        if (ipv4 < host->address_count)
            mixed[count++] = host->addresses[ipv4++];
    }
    if (count > 0)
        memcpy(host->addresses, mixed, count * sizeof(*mixed));
}

static void
find_both_families(struct routing_run *run, struct found *found)
{
    enum routing_family family = run->settings->family;

    if (family == ROUTING_IPV4_FIRST || family == ROUTING_ONLY_IPV4)
        find_addresses(run, found, DNS_A);
    if (family != ROUTING_ONLY_IPV4)
        find_addresses(run, found, DNS_AAAA);
    if (family == ROUTING_IPV6_FIRST || family == ROUTING_ANY_FAMILY)
        find_addresses(run, found, DNS_A);
    if (family == ROUTING_ANY_FAMILY)
        interleave(found->host);
}

/* A host that is an address: nothing to ask. False when it is a name. */
static bool
take_literal(struct routing_run *run, struct found *found)
{
    struct slice name = found->host->name;
    enum envelope_domain_kind kind;
    uint8_t bytes[IPV6_LEN];

    if (name.len > 2 && name.at[0] == '[')
        name = slice_between(name, 1, name.len - 1);
    if (!envelope_literal_parse(name, &kind, bytes) || kind == ENVELOPE_DOMAIN_TAGGED)
        return false;
    struct routing_address *address = &found->host->addresses[0];
    address->len = kind == ENVELOPE_DOMAIN_IPV4 ? IPV4_LEN : IPV6_LEN;
    memcpy(address->bytes, bytes, address->len);
    found->is_self = !run->is_named && is_ours(&run->settings->self, address);
    found->host->address_count = 1;
    found->host->is_secure = false; /* there is no name for a certificate to be about */
    return true;
}

/* ---- TLSA ---------------------------------------------------------------------------------- */

static const struct routing_fact *
find_tlsa_of(struct routing_run *run, struct slice name)
{
    struct buffer question;

    buffer_init(&question, DNS_NAME_MAX + 32);
    buffer_put_byte(&question, '_');
    buffer_put_decimal(&question, run->hop->port);
    buffer_put_text(&question, "._tcp.");
    buffer_put(&question, name);
    const struct routing_fact *fact =
        routing_facts_dns(run->facts, buffer_slice(&question), DNS_TLSA);
    buffer_finish(&question);
    return fact;
}

static void
take_tlsa(struct routing_run *run, struct routing_host *host, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count && host->tlsa_count < ROUTING_TLSA_MAX; i++) {
        struct slice data = answer->records[i].data;
        if (data.len > 3)
            host->tlsa[host->tlsa_count++] =
                (struct routing_tlsa){data.at[0], data.at[1], data.at[2], slice_skip(data, 3)};
    }
    routing_step(run->steps, run->facts->arena, "TLSA of %.*s: %zu record%s, DANE is required",
                 ROUTING_TEXT(host->name), host->tlsa_count, host->tlsa_count == 1 ? "" : "s");
}

/* RFC 7672 §2.1.3, §2.2: only for hosts whose name and addresses are secure; the name behind the
 * CNAMEs first, then the one that the MX has. */
static void
find_tlsa(struct routing_run *run, struct found *found)
{
    struct slice names[] = {found->canonical, found->host->name};

    for (size_t i = 0; i < COUNT_OF(names) && found->host->tlsa_count == 0; i++) {
        if (names[i].len == 0)
            continue;
        const struct routing_fact *fact = find_tlsa_of(run, names[i]);
        if (!fact) {
            found->is_missing = true;
            return;
        }
        routing_use(run, &fact->dns);
        if (fact->dns.outcome == DNS_TEMPORARY || fact->dns.outcome == DNS_BOGUS) {
            found->host->tlsa_failed = true;
            routing_step(run->steps, run->facts->arena, "TLSA of %.*s: %s, so it is not tried",
                         ROUTING_TEXT(names[i]), dns_outcome_name(fact->dns.outcome));
            return;
        }
        if (fact->dns.outcome == DNS_FOUND && fact->dns.is_secure)
            take_tlsa(run, found->host, &fact->dns);
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

static void
show_host(struct routing_run *run, const struct routing_host *host)
{
    struct buffer text;

    buffer_init(&text, 1024);
    for (size_t i = 0; i < host->address_count; i++) {
        buffer_put_byte(&text, ' ');
        envelope_address_put(&text, host->addresses[i].bytes, host->addresses[i].len);
    }
    routing_step(run->steps, run->facts->arena, "host %.*s:%.*s, port %u%s",
                 ROUTING_TEXT(host->name), ROUTING_TEXT(buffer_slice(&text)), run->hop->port,
                 host->is_secure ? ", secured by DNSSEC" : "");
    buffer_finish(&text);
}

static enum routing_outcome
conclude(struct routing_run *run, struct routing_host *hosts, size_t count, bool was_temporary)
{
    struct slice domain = run->hop->destination;

    run->hop->hosts = hosts;
    run->hop->host_count = count;
    if (count > 0) {
        for (size_t i = 0; i < count; i++)
            show_host(run, &hosts[i]);
        return ROUTING_FOUND;
    }
    if (was_temporary)
        return routing_refuse(
            run, "4.4.3",
            routing_text(run, "no address of a host for ", domain, " can be had for now"));
    if (run->found_self)
        return routing_refuse(run, "5.4.6",
                              routing_text(run, "mail for ", domain, " would come back to us"));
    return routing_refuse(run, "5.4.4",
                          routing_text(run, "no host for ", domain, " has an address"));
}

/* One candidate; true when it can be tried. */
static bool
find_host(struct routing_run *run, const struct routing_candidate *candidate, struct found *found)
{
    struct routing_host *host = found->host;

    *host = (struct routing_host){.name = candidate->name,
                                  .preference = candidate->preference,
                                  .is_secure = candidate->is_secure};
    found->canonical = SLICE("");
    if (!take_literal(run, found))
        find_both_families(run, found);
    if (host->address_count > 0 && host->is_secure && !found->is_missing && !found->is_self &&
        run->hop->tls == ROUTING_TLS_DANE)
        find_tlsa(run, found);
    return host->address_count > 0 && !host->tlsa_failed;
}

enum routing_outcome
routing_find_hosts(struct routing_run *run)
{
    struct routing_host *hosts =
        ARENA_ARRAY(run->facts->arena, struct routing_host, ROUTING_HOSTS_MAX + 1);
    bool was_temporary = false, is_missing = false;
    size_t count = 0;

    if (!hosts)
        return routing_refuse(run, "4.3.0", SLICE("the decision takes too much memory"));
    for (size_t i = 0; i < run->count && i < ROUTING_HOSTS_MAX; i++) {
        struct found found = {.host = &hosts[count]};
        bool is_good = find_host(run, &run->candidates[i], &found);
        if (found.is_self) {
            routing_drop_from(run, run->candidates[i].preference, run->candidates[i].name);
            while (count > 0 && hosts[count - 1].preference >= run->candidates[i].preference)
                count--;
            break;
        }
        is_missing |= found.is_missing;
        was_temporary |= found.is_temporary || found.host->tlsa_failed;
        count += is_good;
    }
    return is_missing ? ROUTING_MISSING : conclude(run, hosts, count, was_temporary);
}
