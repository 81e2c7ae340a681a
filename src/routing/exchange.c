/* SPDX-License-Identifier: ISC */
/* The hosts that take a domain's mail: RFC 5321 §5.1, RFC 7505 (null MX). */
#include "routing/run.h"

enum { STEPS_SHOWN = 20 };

static bool
is_our_name(const struct routing_self *self, struct slice name)
{
    for (size_t i = 0; i < self->name_count; i++) {
        if (slice_equal_nocase(self->names[i], name))
            return true;
    }
    return false;
}

/* Each name once, with its best preference. */
static void
collect(struct routing_run *run, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        size_t at = 0;
        while (at < run->count && !slice_equal(run->candidates[at].name, record->name))
            at++;
        if (record->name.len == 0 ||
            (at < run->count && run->candidates[at].preference <= record->preference))
            continue;
        run->candidates[at] =
            (struct routing_candidate){record->name, record->preference, answer->is_secure};
        run->count += at == run->count;
    }
}

/* Where the next candidate belongs among those before it: behind the better ones, and among equal
 * ones at a place that is drawn (an insertion at a random place of each group gives each order the
 * same chance). */
static size_t
place_of(struct routing_run *run, size_t index)
{
    uint16_t preference = run->candidates[index].preference;
    size_t last = index, first;

    while (last > 0 && run->candidates[last - 1].preference > preference)
        last--;
    for (first = last; first > 0 && run->candidates[first - 1].preference == preference;)
        first--;
    return first + (size_t)(routing_draw(run) % (last - first + 1));
}

static void
sort(struct routing_run *run)
{
    for (size_t i = 1; i < run->count; i++) {
        struct routing_candidate candidate = run->candidates[i];
        size_t at = place_of(run, i);
        memmove(&run->candidates[at + 1], &run->candidates[at], (i - at) * sizeof(candidate));
        run->candidates[at] = candidate;
    }
}

static void
show(struct routing_run *run, struct slice domain, const struct dns_answer *answer)
{
    routing_step(run->steps, run->facts->arena, "MX of %.*s: %zu host%s, %s", ROUTING_TEXT(domain),
                 run->count, run->count == 1 ? "" : "s",
                 answer->is_secure ? "secured by DNSSEC" : "not secured by DNSSEC");
    for (size_t i = 0; i < run->count && i < STEPS_SHOWN; i++)
        routing_step(run->steps, run->facts->arena, "MX %u %.*s", run->candidates[i].preference,
                     ROUTING_TEXT(run->candidates[i].name));
}

void
routing_drop_from(struct routing_run *run, uint16_t preference, struct slice name)
{
    size_t kept = 0;

    while (kept < run->count && run->candidates[kept].preference < preference)
        kept++;
    run->count = kept;
    run->found_self = true;
    routing_step(run->steps, run->facts->arena,
                 "%.*s is this server: hosts of preference %u and above are dropped, %zu left",
                 ROUTING_TEXT(name), preference, kept);
}

static enum routing_outcome
read_exchanges(struct routing_run *run, struct slice domain, const struct dns_answer *answer)
{
    collect(run, answer);
    if (run->count == 0)
        return routing_refuse(run, "5.1.10",
                              routing_text(run, "the domain ", domain, " takes no mail (null MX)"));
    sort(run);
    show(run, domain, answer);
    for (size_t i = 0; i < run->count; i++) {
        struct slice name = run->candidates[i].name;
        if (is_our_name(&run->settings->self, name))
            routing_drop_from(run, run->candidates[i].preference, name);
    }
    return ROUTING_FOUND;
}

enum routing_outcome
routing_find_exchanges(struct routing_run *run, struct slice domain)
{
    const struct routing_fact *fact = routing_facts_dns(run->facts, domain, DNS_MX);

    if (!fact)
        return ROUTING_MISSING;
    routing_use(run, &fact->dns);
    switch (fact->dns.outcome) {
    case DNS_TEMPORARY:
    case DNS_BOGUS:
        routing_step(run->steps, run->facts->arena, "MX of %.*s: %s (%.*s)", ROUTING_TEXT(domain),
                     dns_outcome_name(fact->dns.outcome), ROUTING_TEXT(fact->dns.why));
        return routing_refuse(
            run, "4.4.3",
            routing_text(run, "the name servers give no good answer for the MX of ", domain, ""));
    case DNS_NO_NAME:
        return routing_refuse(run, "5.1.2",
                              routing_text(run, "the domain ", domain, " does not exist"));
    case DNS_NO_DATA:
        run->candidates[0] = (struct routing_candidate){domain, 0, fact->dns.is_secure};
        run->count = 1;
        routing_step(run->steps, run->facts->arena, "MX of %.*s: none, so its own address counts",
                     ROUTING_TEXT(domain));
        return ROUTING_FOUND;
    case DNS_FOUND:
        break;
    }
    return read_exchanges(run, domain, &fact->dns);
}
