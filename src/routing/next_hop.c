/* SPDX-License-Identifier: ISC */
/* The decision: which way a recipient's mail goes. RFC 5321 §2.3.5, §4.1.3, §5.1. */
#include "directory/address.h"
#include "routing/run.h"
#include "routing/source_route.h"

enum { VALID_MIN_S = 10, VALID_MAX_S = 300, TEXT_MAX = 400, KEY_MAX = 1024 };

struct slice
routing_text(struct routing_run *run, const char *before, struct slice name, const char *after)
{
    char text[TEXT_MAX];
    int len = snprintf(text, sizeof(text), "%s%.*s%s", before,
                       ROUTING_TEXT(slice_first(name, DNS_NAME_MAX)), after);
    size_t used = len < 0 ? 0 : len < TEXT_MAX ? (size_t)len : TEXT_MAX - 1;

    return arena_copy(run->facts->arena, slice_of(text, used));
}

enum routing_outcome
routing_refuse(struct routing_run *run, const char *status, struct slice text)
{
    bool is_permanent = status[0] == '5';

    run->hop->code = is_permanent ? 550 : 451;
    run->hop->status = status;
    run->hop->text = text;
    routing_step(run->steps, run->facts->arena, "%s: %s %.*s",
                 is_permanent ? "refused for good" : "has to wait", status, ROUTING_TEXT(text));
    return is_permanent ? ROUTING_PERMANENT : ROUTING_TEMPORARY;
}

void
routing_use(struct routing_run *run, const struct dns_answer *answer)
{
    uint32_t ttl = answer->ttl_s < VALID_MIN_S ? VALID_MIN_S : answer->ttl_s;

    if (ttl < run->hop->valid_s)
        run->hop->valid_s = ttl;
}

uint64_t
routing_draw(struct routing_run *run)
{
    uint64_t z = (run->seed += 0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

/* ---- tables elsewhere ---------------------------------------------------------------------- */

/* Looks one key up in all tables; FOUND with *ret_value, PERMANENT for "in none". */
static enum routing_outcome
ask_tables(struct routing_run *run, struct slice key, struct slice *ret_value)
{
    const struct routing_settings *settings = run->settings;

    for (size_t i = 0; i < settings->table_count; i++) {
        const struct routing_fact *fact = routing_facts_table(run->facts, settings->tables[i], key);
        if (!fact)
            return ROUTING_MISSING;
        if (fact->table == ROUTING_TABLE_TEMPORARY)
            return routing_refuse(
                run, "4.3.5",
                routing_text(run, "the table ", settings->tables[i], " cannot be asked for now"));
        if (fact->table == ROUTING_TABLE_FOUND) {
            routing_step(run->steps, run->facts->arena, "table %.*s: %.*s → %.*s",
                         ROUTING_TEXT(settings->tables[i]), ROUTING_TEXT(key),
                         ROUTING_TEXT(fact->value));
            *ret_value = fact->value;
            return ROUTING_FOUND;
        }
    }
    return ROUTING_PERMANENT;
}

/* Address, domain, then *.domain upwards. */
static enum routing_outcome
find_in_tables(struct routing_run *run, struct slice recipient, struct slice *ret_value)
{
    size_t at = slice_find_last_byte(recipient, '@');
    struct slice domain = slice_skip(recipient, at + 1);
    enum routing_outcome outcome = ask_tables(run, recipient, ret_value);

    if (outcome == ROUTING_PERMANENT && domain.len > 0)
        outcome = ask_tables(run, domain, ret_value);
    while (outcome == ROUTING_PERMANENT && domain.len > 0 && domain.at[0] != '[') {
        char key[KEY_MAX];
        domain = slice_skip(domain, slice_find_byte(domain, '.') + 1);
        if (domain.len == 0 || domain.len > KEY_MAX - 2)
            break;
        key[0] = '*';
        key[1] = '.';
        memcpy(key + 2, domain.at, domain.len);
        outcome = ask_tables(run, slice_of(key, domain.len + 2), ret_value);
    }
    return outcome;
}

/* ---- the way ------------------------------------------------------------------------------- */

/* To the hosts that a domain names; its policy counts when it is the recipient's, and the operator
 * has not said what TLS is to be. */
static enum routing_outcome
follow_exchanges(struct routing_run *run, struct slice domain, bool is_recipients)
{
    bool may_have_policy = is_recipients && run->settings->has_sts &&
                           (run->hop->tls == ROUTING_TLS_MAY || run->hop->tls == ROUTING_TLS_DANE);
    /* Asked for together with the MX: it costs no time. */
    bool is_known = !may_have_policy || routing_find_sts(run, domain);
    enum routing_outcome outcome = routing_find_exchanges(run, domain);

    if (outcome == ROUTING_FOUND)
        outcome = routing_find_hosts(run);
    return outcome == ROUTING_FOUND && !is_known ? ROUTING_MISSING : outcome;
}

/* To the literal's host, or by MX. */
static enum routing_outcome
follow_domain(struct routing_run *run, struct slice domain, bool is_recipients)
{
    if (domain.at[0] != '[')
        return follow_exchanges(run, domain, is_recipients);
    routing_step(run->steps, run->facts->arena, "an address literal: to that host, no look-up");
    run->candidates[0] = (struct routing_candidate){.name = domain};
    run->count = 1;
    enum routing_outcome outcome = routing_find_hosts(run);
    return outcome == ROUTING_MISSING
               ? routing_refuse(run, "5.1.3", SLICE("that is no address of a host"))
               : outcome;
}

/* What a row says: sets the hop up and names the candidates, as far as there are any. */
static enum routing_outcome
follow(struct routing_run *run, const struct routing_transport *transport, struct slice domain)
{
    struct routing_hop *hop = run->hop;
    bool is_lmtp = transport->carrier == ROUTING_LMTP;

    hop->carrier = transport->carrier;
    hop->path = transport->path;
    hop->auth = transport->auth;
    hop->source_ipv4 = transport->source_ipv4;
    hop->source_ipv6 = transport->source_ipv6;
    hop->proxy = transport->proxy;
    hop->status = transport->status ? transport->status : "";
    hop->code = hop->status[0] == '4' ? 450 : 550;
    hop->text = transport->text;
    if (transport->has_tls)
        hop->tls = transport->tls;
    hop->port = transport->port ? transport->port : is_lmtp ? ROUTING_PORT_LMTP : ROUTING_PORT_SMTP;
    if (transport->host.len > 0 || transport->carrier != ROUTING_SMTP)
        hop->destination = transport->written;
    if ((transport->carrier != ROUTING_SMTP && !is_lmtp) || transport->path.len > 0)
        return ROUTING_FOUND;
    if (transport->host.len > 0 && (transport->is_host || is_lmtp)) {
        run->candidates[0] = (struct routing_candidate){transport->host, 0, true};
        run->count = 1;
        run->is_named = true;
        return routing_find_hosts(run);
    }
    return transport->host.len > 0 ? follow_domain(run, transport->host, false)
                                   : follow_domain(run, domain, true);
}

static bool
is_ours(const struct routing_settings *settings, struct slice domain)
{
    return (settings->directory && directory_domain_find(settings->directory, domain)) ||
           (settings->srs_domain.len > 0 && slice_equal_nocase(settings->srs_domain, domain));
}

/* Whatever tables say of it: its users are here. */
static enum routing_outcome
keep(struct routing_run *run)
{
    routing_step(run->steps, run->facts->arena, "the domain is ours: no next hop");
    run->hop->carrier = ROUTING_LOCAL;
    run->hop->destination = SLICE("local:");
    return ROUTING_FOUND;
}

/* What an alias or a .forward names: the recipient is the program's key (directory/unix_aliases.h).
 * Nobody from outside gets that far with such a name: the directory does not know it. */
static enum routing_outcome
give_to_program(struct routing_run *run, struct slice recipient)
{
    run->hop->carrier = ROUTING_PIPE;
    run->hop->path = slice_first(recipient, slice_find_last_byte(recipient, '@'));
    run->hop->destination = run->hop->path;
    routing_step(run->steps, run->facts->arena, "a program of this machine");
    return ROUTING_FOUND;
}

static enum routing_outcome
choose(struct routing_run *run, struct slice sender, struct slice recipient, struct slice domain)
{
    const struct routing_settings *settings = run->settings;
    struct routing_transport row;
    struct slice value, pattern;
    enum routing_outcome outcome = find_in_tables(run, recipient, &value);

    /* A table elsewhere may say anything of any address. */
    run->hop->is_for_domain =
        settings->table_count == 0 &&
        (!settings->transports || routing_transports_are_by_domain(settings->transports, domain));
    if (outcome == ROUTING_FOUND) {
        const char *what = routing_transport_parse(value, run->facts->arena, &row);
        return what ? routing_refuse(run, "4.3.5", slice_of_string(what))
                    : follow(run, &row, domain);
    }
    /* A refusal for good does not come out of tables; PERMANENT says "in none of them". */
    if (outcome != ROUTING_PERMANENT)
        return outcome;
    const struct routing_transport *transport =
        settings->transports
            ? routing_transports_find(settings->transports, sender, recipient, &pattern)
            : NULL;
    if (transport) {
        routing_step(run->steps, run->facts->arena, "transport table: %.*s → %.*s",
                     ROUTING_TEXT(pattern), ROUTING_TEXT(transport->written));
        return follow(run, transport, domain);
    }
    routing_step(run->steps, run->facts->arena, "transport table: no row");
    for (size_t i = 0; i < settings->fetched_count; i++) {
        if (slice_equal(settings->fetched[i], domain))
            return routing_refuse(run, "4.4.1",
                                  SLICE("its own host has not fetched it yet (ATRN)"));
    }
    if (!settings->has_smart_host) {
        run->hop->port = ROUTING_PORT_SMTP;
        return follow_domain(run, domain, true);
    }
    routing_step(run->steps, run->facts->arena, "smart host: %.*s",
                 ROUTING_TEXT(settings->smart_host.written));
    return follow(run, &settings->smart_host, domain);
}

/* The canonical form, in the arena; false for what is no address with a domain. */
static bool
canonicalise(struct routing_run *run, struct slice address, struct slice *ret_text,
             struct slice *ret_domain)
{
    struct directory_address parsed;
    struct buffer text;

    if (!directory_address_parse(run->facts->arena, address, &parsed) || parsed.domain.len == 0)
        return false;
    buffer_init(&text, KEY_MAX);
    directory_address_format(&text, &parsed);
    *ret_text = arena_copy(run->facts->arena, buffer_slice(&text));
    buffer_finish(&text);
    *ret_domain = arena_copy(run->facts->arena, parsed.domain);
    return ret_text->len > 0 && ret_domain->len > 0;
}

static bool
canonicalise_host(struct routing_run *run, struct slice host, struct slice *ret_domain)
{
    return directory_domain_parse(run->facts->arena, host, ret_domain) && ret_domain->len > 0;
}

static void
begin_hop(struct routing_run *run)
{
    *run->hop = (struct routing_hop){.destination = SLICE(""),
                                     .path = SLICE(""),
                                     .auth = SLICE(""),
                                     .sts_domain = SLICE(""),
                                     .sts_id = SLICE(""),
                                     .text = SLICE(""),
                                     .status = "",
                                     .tls = run->settings->tls,
                                     .valid_s = VALID_MAX_S};
    run->facts->question_count = 0;
    if (run->steps)
        run->steps->count = 0;
}

static enum routing_outcome
end_hop(struct routing_run *run, enum routing_outcome outcome)
{
    if (outcome == ROUTING_MISSING && run->facts->count >= ROUTING_FACTS_MAX)
        return routing_refuse(run, "4.4.4", SLICE("the domain has too many hosts"));
    if (arena_failed(run->facts->arena))
        return routing_refuse(run, "4.3.0", SLICE("the decision takes too much memory"));
    return outcome;
}

enum routing_outcome
routing_next_hop(const struct routing_settings *settings, struct slice sender,
                 struct slice recipient, uint64_t seed, struct routing_facts *facts,
                 struct routing_steps *steps, struct routing_hop *ret_hop)
{
    struct routing_run run = {
        .settings = settings, .facts = facts, .steps = steps, .hop = ret_hop, .seed = seed};
    struct slice to, from, domain, unused;

    begin_hop(&run);
    if (!canonicalise(&run, recipient, &to, &domain))
        return routing_refuse(&run, "5.1.3", SLICE("that is no address"));
    /* Only who may have it followed gets a route this far (role/route/answer.c). */
    if (routing_route_first(recipient).len > 0 &&
        !canonicalise_host(&run, routing_route_first(recipient), &domain))
        return routing_refuse(&run, "5.1.3", SLICE("that is no source route"));
    if (!canonicalise(&run, sender, &from, &unused))
        from = SLICE("");
    ret_hop->destination = domain;
    routing_step(steps, facts->arena, "recipient %.*s, domain %.*s", ROUTING_TEXT(to),
                 ROUTING_TEXT(domain));
    return end_hop(&run, !is_ours(settings, domain) ? choose(&run, from, to, domain)
                         : to.at[0] == '|'          ? give_to_program(&run, to)
                                                    : keep(&run));
}

enum routing_outcome
routing_follow_row(const struct routing_settings *settings, const struct routing_transport *row,
                   struct slice recipient, uint64_t seed, struct routing_facts *facts,
                   struct routing_steps *steps, struct routing_hop *ret_hop)
{
    struct routing_run run = {
        .settings = settings, .facts = facts, .steps = steps, .hop = ret_hop, .seed = seed};
    struct slice to, domain;

    begin_hop(&run);
    if (!canonicalise(&run, recipient, &to, &domain))
        return routing_refuse(&run, "5.1.3", SLICE("that is no address"));
    ret_hop->destination = domain;
    routing_step(steps, facts->arena, "by the configuration: %.*s", ROUTING_TEXT(row->written));
    return end_hop(&run, follow(&run, row, domain));
}

bool
routing_hop_is_loopback(const struct routing_hop *hop)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    for (size_t i = 0; i < hop->host_count; i++) {
        for (size_t k = 0; k < hop->hosts[i].address_count; k++) {
            const struct routing_address *address = &hop->hosts[i].addresses[k];
            if (address->len == 4 ? address->bytes[0] != 127
                                  : memcmp(address->bytes, loopback6, sizeof(loopback6)) != 0)
                return false;
        }
    }
    return true;
}
