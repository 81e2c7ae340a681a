/* SPDX-License-Identifier: ISC */
#include "routing/run.h"
#include "routing/tests/zone.h"

static const struct zone_row zone[] = {
    {"machin.com", DNS_MX, "10 smtp.machin.com,20 backup1.machin.com,20 backup2.machin.com"},
    {"smtp.machin.com", DNS_A, "192.0.2.1"},
    {"smtp.machin.com", DNS_AAAA, "20010db8000000000000000000000001"},
    {"backup1.machin.com", DNS_A, "192.0.2.2"},
    {"backup2.machin.com", DNS_A, "192.0.2.3"},
    {"plain.test", DNS_A, "192.0.2.9"},
    {"null.test", DNS_MX, "0 ."},
    {"broken.test", DNS_MX, "!bogus"},
    {"silent.test", DNS_MX, "!temporary"},
    {"empty.test", DNS_TXT, "00"},
    {"lost.test", DNS_MX, "10 nowhere.test"},
    {"half.test", DNS_MX, "10 silent-host.test,20 smtp.machin.com"},
    {"silent-host.test", DNS_A, "!temporary"},
    {"sleepy.test", DNS_MX, "10 silent-host.test"},
    {"loop.test", DNS_MX, "5 self.example,10 smtp.machin.com"},
    {"secondary.test", DNS_MX, "5 smtp.machin.com,10 self.example,20 backup1.machin.com"},
    {"by-address.test", DNS_MX, "5 smtp.machin.com,10 alias.example,20 backup1.machin.com"},
    {"alias.example", DNS_A, "198.51.100.7"},
    {"as-good-as-we.test", DNS_MX, "10 backup1.machin.com,10 alias.example,20 backup2.machin.com"},
    {"four.test", DNS_A, "192.0.2.1,192.0.2.2"},
    {"four.test", DNS_AAAA, "20010db8000000000000000000000001,20010db8000000000000000000000002"},
    {"inside.test", DNS_MX, "10 localhost.test"},
    {"localhost.test", DNS_A, "127.0.0.1"},
    {"secure.test", DNS_MX, "*10 mail.secure.test"},
    {"mail.secure.test", DNS_A, "*192.0.2.20"},
    {"mail.secure.test", DNS_AAAA, "*!none"},
    {"_25._tcp.mail.secure.test", DNS_TLSA, "*030101aabbccdd"},
    {"half-secure.test", DNS_MX, "10 mail.secure.test"},
    {"bad-tlsa.test", DNS_MX, "*10 mail.bad-tlsa.test"},
    {"mail.bad-tlsa.test", DNS_A, "*192.0.2.21"},
    {"mail.bad-tlsa.test", DNS_AAAA, "*!none"},
    {"_25._tcp.mail.bad-tlsa.test", DNS_TLSA, "!bogus"},
    {"short-tlsa.test", DNS_MX, "*10 mail.short-tlsa.test"},
    {"mail.short-tlsa.test", DNS_A, "*192.0.2.22"},
    {"mail.short-tlsa.test", DNS_AAAA, "*!none"},
    {"_25._tcp.mail.short-tlsa.test", DNS_TLSA, "*030101,0301,03010142"},
    {"policy.test", DNS_MX, "10 smtp.machin.com"},
    {"_mta-sts.policy.test", DNS_TXT, "other text,v=STSv1; id=2026;"},
    {"mta-sts.policy.test", DNS_A, "192.0.2.80,127.0.0.1"},
    {"two-policies.test", DNS_MX, "10 smtp.machin.com"},
    {"wide-policy.test", DNS_MX, "10 smtp.machin.com"},
    {"_mta-sts.wide-policy.test", DNS_TXT, "v=STSv1; id=7;"},
    {"mta-sts.wide-policy.test", DNS_A,
     "192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4,192.0.2.5,192.0.2.6,192.0.2.7,192.0.2.8,192.0.2.9,"
     "192.0.2.10,192.0.2.11,192.0.2.12,192.0.2.13,192.0.2.14,192.0.2.15,192.0.2.16,192.0.2.17"},
    {"_mta-sts.two-policies.test", DNS_TXT, "v=STSv1; id=1;,v=STSv1; id=2;"},
    {"silent-policy.test", DNS_MX, "10 smtp.machin.com"},
    {"_mta-sts.silent-policy.test", DNS_TXT, "!temporary"},
};

static const char table[] = "example.com smtp:[192.168.23.56]:20025\n"
                            "*.example.com smtp:machin.com tls=encrypt\n"
                            "boss@example.com lmtp:unix:/run/other/lmtp\n"
                            "from:@vip.test smtp:[relay.example]:587 auth=vip tls=verify\n"
                            "from:<> smtp:machin.com\n"
                            "spam.test error:5.7.13 not here\n"
                            "void.test discard:\n"
                            "fax.test pipe:fax\n"
                            "direct.test smtp:plain.test source=192.0.2.7\n"
                            "here.test local:\n"
                            "[192.168.42.9] smtp::10025\n";

struct setup {
    struct routing_settings settings;
    struct routing_transports *transports;
    struct arena arena;
    struct routing_steps steps;
    struct routing_hop hop;
};

static void
open_setup(struct setup *setup)
{
    static const struct slice names[] = {{(const uint8_t *)"self.example", 12}};
    static const struct routing_address address = {4, {198, 51, 100, 7}};

    *setup = (struct setup){.transports = routing_transports_parse(slice_of_string(table), 1)};
    assert_int_equal(routing_transports_problem_count(setup->transports), 0);
    arena_init(&setup->arena, 1 << 24);
    setup->settings = (struct routing_settings){
        .transports = setup->transports,
        .self = {names, 1, &address, 1},
        .tls = ROUTING_TLS_DANE,
    };
}

static void
close_setup(struct setup *setup)
{
    routing_transports_close(&setup->transports);
    arena_finish(&setup->arena);
}

static enum routing_outcome
decide(struct setup *setup, const char *sender, const char *recipient, uint64_t seed)
{
    return zone_decide(zone, COUNT_OF(zone), &setup->settings, sender, recipient, seed,
                       &setup->arena, &setup->steps, &setup->hop);
}

/* Names of the hosts in their order, with spaces between. */
static const char *
hosts_of(const struct routing_hop *hop)
{
    static char text[1024];
    size_t len = 0;

    text[0] = 0;
    for (size_t i = 0; i < hop->host_count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i ? " " : "",
                                ROUTING_TEXT(hop->hosts[i].name));
    return text;
}

static void
hosts_are_tried_by_preference_and_equal_ones_in_drawn_order(void **state)
{
    struct setup setup;
    unsigned first = 0, second = 0;

    (void)state;
    open_setup(&setup);
    for (uint64_t seed = 0; seed < 200; seed++) {
        assert_int_equal(decide(&setup, "fred@truc.fr", "marc@machin.com", seed), ROUTING_FOUND);
        const char *hosts = hosts_of(&setup.hop);
        first += strcmp(hosts, "smtp.machin.com backup1.machin.com backup2.machin.com") == 0;
        second += strcmp(hosts, "smtp.machin.com backup2.machin.com backup1.machin.com") == 0;
        arena_reset(&setup.arena);
    }
    assert_int_equal(first + second, 200);
    assert_true(first > 60 && second > 60);
    assert_int_equal(setup.hop.port, 25);
    close_setup(&setup);
}

static void
each_end_of_a_decision_is_the_right_one(void **state)
{
    static const struct {
        const char *recipient;
        enum routing_outcome outcome;
        const char *status, *hosts;
    } rows[] = {
        {"a@plain.test", ROUTING_FOUND, "", "plain.test"},
        {"a@PLAIN.test", ROUTING_FOUND, "", "plain.test"},
        {"a@null.test", ROUTING_PERMANENT, "5.1.10", ""},
        {"a@nobody.test", ROUTING_PERMANENT, "5.1.2", ""},
        {"a@broken.test", ROUTING_TEMPORARY, "4.4.3", ""},
        {"a@silent.test", ROUTING_TEMPORARY, "4.4.3", ""},
        {"a@empty.test", ROUTING_PERMANENT, "5.4.4", ""},
        {"a@lost.test", ROUTING_PERMANENT, "5.4.4", ""},
        {"a@half.test", ROUTING_FOUND, "", "smtp.machin.com"},
        {"a@sleepy.test", ROUTING_TEMPORARY, "4.4.3", ""},
        {"a@loop.test", ROUTING_PERMANENT, "5.4.6", ""},
        {"a@secondary.test", ROUTING_FOUND, "", "smtp.machin.com"},
        {"a@by-address.test", ROUTING_FOUND, "", "smtp.machin.com"},
        {"a@inside.test", ROUTING_PERMANENT, "5.4.4", ""},
        {"a@[192.168.42.1]", ROUTING_FOUND, "", "[192.168.42.1]"},
        {"a@[IPv6:2001:db8::1]", ROUTING_FOUND, "", "[ipv6:2001:db8::1]"},
        {"a@[198.51.100.7]", ROUTING_PERMANENT, "5.4.6", ""},
        {"a@[x:y]", ROUTING_PERMANENT, "5.1.3", ""},
        {"a b@plain.test", ROUTING_PERMANENT, "5.1.3", ""},
        {"postmaster", ROUTING_PERMANENT, "5.1.3", ""},
        {"<@relay.test:a@plain.test>", ROUTING_FOUND, "", "plain.test"},
    };
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum routing_outcome outcome = decide(&setup, "x@y.test", rows[i].recipient, 7);
        if (outcome != rows[i].outcome || strcmp(setup.hop.status, rows[i].status) != 0 ||
            strcmp(hosts_of(&setup.hop), rows[i].hosts) != 0)
            fail_msg("%s: %d %s %s", rows[i].recipient, outcome, setup.hop.status,
                     hosts_of(&setup.hop));
        assert_true(setup.steps.count >= 1);
        arena_reset(&setup.arena);
    }
    close_setup(&setup);
}

static void
the_table_overrules_the_name_system(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(decide(&setup, "", "user@example.com", 1), ROUTING_FOUND); /* case B4 */
    assert_string_equal(hosts_of(&setup.hop), "192.168.23.56");
    assert_int_equal(setup.hop.port, 20025);
    assert_int_equal(setup.hop.hosts[0].address_count, 1);
    assert_memory_equal(setup.hop.hosts[0].addresses[0].bytes, "\300\250\27\70", 4);
    assert_int_equal(decide(&setup, "a@b.test", "user@sub.example.com", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.tls, ROUTING_TLS_ENCRYPT);
    assert_int_equal(setup.hop.host_count, 3);
    assert_int_equal(decide(&setup, "a@b.test", "Boss@Example.com", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_LMTP);
    assert_true(slice_equal(setup.hop.path, SLICE("/run/other/lmtp")));
    /* What waits for it waits by itself. */
    assert_true(slice_equal(setup.hop.destination, SLICE("lmtp:unix:/run/other/lmtp")));
    assert_int_equal(decide(&setup, "a@b.test", "x@spam.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_ERROR);
    assert_string_equal(setup.hop.status, "5.7.13");
    assert_true(slice_equal(setup.hop.text, SLICE("not here")));
    assert_int_equal(decide(&setup, "a@b.test", "x@void.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_DISCARD);
    assert_int_equal(decide(&setup, "a@b.test", "x@fax.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_PIPE);
    assert_int_equal(decide(&setup, "a@b.test", "x@here.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_LOCAL);
    assert_int_equal(decide(&setup, "a@b.test", "x@direct.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.source_ipv4.len, 4);
    /* Another port, and still that host. */
    assert_int_equal(decide(&setup, "a@b.test", "x@[192.168.42.9]", 1), ROUTING_FOUND);
    assert_string_equal(hosts_of(&setup.hop), "[192.168.42.9]");
    assert_int_equal(setup.hop.port, 10025);
    assert_true(slice_equal(setup.hop.destination, SLICE("[192.168.42.9]")));
    close_setup(&setup);
}

static void
domains_of_ours_have_no_next_hop(void **state)
{
    static const char accounts[] = "domain example.com\n";
    const struct directory_options options = {.separators = SLICE("+"), .postmaster = SLICE("")};
    struct directory *directory = directory_parse(slice_of_string(accounts), &options);
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(directory_problem_count(directory), 0);
    setup.settings.directory = directory;
    setup.settings.srs_domain = SLICE("back.example");
    assert_int_equal(decide(&setup, "", "anne@EXAMPLE.com", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_LOCAL);
    assert_int_equal(decide(&setup, "", "SRS0=x@Back.Example", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_LOCAL);
    assert_int_equal(decide(&setup, "", "marc@machin.com", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_SMTP);
    directory_close(&directory);
    close_setup(&setup);
}

static void
senders_have_rows_of_their_own(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(decide(&setup, "ann@vip.test", "a@plain.test", 1), ROUTING_PERMANENT);
    assert_string_equal(setup.hop.status, "5.4.4"); /* relay.example has no address */
    assert_true(slice_equal(setup.hop.auth, SLICE("vip")));
    assert_int_equal(setup.hop.port, 587);
    assert_int_equal(decide(&setup, "", "a@plain.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.host_count, 3);
    assert_int_equal(decide(&setup, "", "a@void.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_DISCARD);
    close_setup(&setup);
}

static void
a_smart_host_takes_what_no_row_is_about(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_null(routing_transport_parse(SLICE("smtp:[192.0.2.50]:587 auth=home tls=verify"),
                                        &setup.arena, &setup.settings.smart_host));
    setup.settings.has_smart_host = true;
    assert_int_equal(decide(&setup, "a@b.test", "a@anything.test", 1), ROUTING_FOUND);
    assert_string_equal(hosts_of(&setup.hop), "192.0.2.50");
    assert_true(slice_equal(setup.hop.auth, SLICE("home")));
    assert_true(slice_equal(setup.hop.destination, SLICE("smtp:[192.0.2.50]:587")));
    assert_int_equal(decide(&setup, "a@b.test", "a@example.com", 1), ROUTING_FOUND);
    assert_string_equal(hosts_of(&setup.hop), "192.168.23.56");
    close_setup(&setup);
}

static void
tables_elsewhere_are_asked_first(void **state)
{
    static const struct slice names[] = {{(const uint8_t *)"routes", 6}};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.settings.tables = names;
    setup.settings.table_count = 1;
    assert_int_equal(decide(&setup, "a@b.test", "a@deep.table.test", 1), ROUTING_FOUND);
    assert_string_equal(hosts_of(&setup.hop), "192.0.2.99");
    assert_int_equal(decide(&setup, "a@b.test", "a@down.test", 1), ROUTING_TEMPORARY);
    assert_string_equal(setup.hop.status, "4.3.5");
    assert_int_equal(decide(&setup, "a@b.test", "a@plain.test", 1), ROUTING_FOUND);
    close_setup(&setup);
}

static void
families_come_in_the_order_that_is_wished(void **state)
{
    static const struct {
        enum routing_family family;
        size_t count;
        uint8_t first, last;
    } rows[] = {{ROUTING_ANY_FAMILY, 2, 16, 4},
                {ROUTING_IPV6_FIRST, 2, 16, 4},
                {ROUTING_IPV4_FIRST, 2, 4, 16},
                {ROUTING_ONLY_IPV4, 1, 4, 4},
                {ROUTING_ONLY_IPV6, 1, 16, 16}};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        setup.settings.family = rows[i].family;
        assert_int_equal(decide(&setup, "a@b.test", "marc@machin.com", 1), ROUTING_FOUND);
        const struct routing_host *host = &setup.hop.hosts[0];
        assert_int_equal(host->address_count, rows[i].count);
        assert_int_equal(host->addresses[0].len, rows[i].first);
        assert_int_equal(host->addresses[host->address_count - 1].len, rows[i].last);
    }
    close_setup(&setup);
}

static void
certificates_are_pinned_only_where_dnssec_proves_them(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(decide(&setup, "a@b.test", "a@secure.test", 1), ROUTING_FOUND);
    assert_true(setup.hop.hosts[0].is_secure);
    assert_int_equal(setup.hop.hosts[0].tlsa_count, 1);
    assert_int_equal(setup.hop.hosts[0].tlsa[0].usage, 3);
    assert_true(slice_equal(setup.hop.hosts[0].tlsa[0].data, SLICE("\xAA\xBB\xCC\xDD")));
    assert_int_equal(decide(&setup, "a@b.test", "a@half-secure.test", 1), ROUTING_FOUND);
    assert_false(setup.hop.hosts[0].is_secure);
    assert_int_equal(setup.hop.hosts[0].tlsa_count, 0);
    /* Records that are there but cannot be trusted: the host is not tried in the clear. */
    assert_int_equal(decide(&setup, "a@b.test", "a@bad-tlsa.test", 1), ROUTING_TEMPORARY);
    setup.settings.tls = ROUTING_TLS_MAY;
    assert_int_equal(decide(&setup, "a@b.test", "a@bad-tlsa.test", 1), ROUTING_FOUND);
    close_setup(&setup);
}

static void
loopback_is_reached_only_where_it_is_allowed(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.settings.is_local_allowed = true;
    assert_int_equal(decide(&setup, "a@b.test", "a@inside.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.hosts[0].addresses[0].bytes[0], 127);
    close_setup(&setup);
}

static void
a_host_is_loopback_when_all_its_addresses_are(void **state)
{
    struct routing_host hosts[2] = {0};
    struct routing_hop hop = {.hosts = hosts, .host_count = 1};

    (void)state;
    hosts[0].address_count = 1;
    hosts[0].addresses[0] = (struct routing_address){4, {127, 0, 0, 1}};
    hosts[1].address_count = 1; /* is none of them */
    hosts[1].addresses[0] = (struct routing_address){4, {192, 0, 2, 1}};
    assert_true(routing_hop_is_loopback(&hop));
    hop.host_count = 2;
    assert_false(routing_hop_is_loopback(&hop));
    hosts[1].addresses[0] = (struct routing_address){16, {[15] = 1}};
    assert_true(routing_hop_is_loopback(&hop));
    hosts[1].addresses[0] = (struct routing_address){16, {[15] = 2}};
    assert_false(routing_hop_is_loopback(&hop));
    hosts[1].addresses[0] = (struct routing_address){16, {[14] = 1, [15] = 1}};
    assert_false(routing_hop_is_loopback(&hop));
}

static void
the_steps_tell_how_it_was_decided(void **state)
{
    struct setup setup;
    size_t found = 0;

    (void)state;
    open_setup(&setup);
    assert_int_equal(decide(&setup, "a@b.test", "a@secondary.test", 1), ROUTING_FOUND);
    for (size_t i = 0; i < setup.steps.count; i++) {
        struct slice step = setup.steps.at[i];
        found += slice_find(step, SLICE("self.example is this server")) < step.len;
        found += slice_equal(step, SLICE("MX 5 smtp.machin.com"));
        found += slice_equal(step, SLICE("transport table: no row"));
    }
    assert_int_equal(found, 3);
    close_setup(&setup);
}

static void
a_decision_asks_for_all_addresses_at_once(void **state)
{
    struct setup setup;
    struct routing_facts facts;
    struct dns_answer answer;

    (void)state;
    open_setup(&setup);
    routing_facts_init(&facts, &setup.arena);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(routing_next_hop(&setup.settings, SLICE("x@y.test"), SLICE("a@machin.com"),
                                          1, &facts, NULL, &setup.hop),
                         ROUTING_MISSING);
        assert_int_equal(facts.question_count, round == 0 ? 1 : 6);
        struct routing_question question = facts.questions[0];
        zone_answer(zone, COUNT_OF(zone), &question, &setup.arena, &answer);
        assert_true(routing_facts_add_dns(&facts, question.key, question.type, &answer));
    }
    close_setup(&setup);
}

static void
steps_are_bounded_and_printable(void **state)
{
    static char longer[2 * ROUTING_STEP_MAX];
    struct routing_steps steps = {.count = 0};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    memset(longer, 'a', sizeof(longer) - 1);
    routing_step(&steps, &arena, "%s", "a\nb\033c");
    assert_true(slice_equal(steps.at[0], SLICE("a?b?c")));
    routing_step(&steps, &arena, "%s", longer);
    assert_true(slice_equal(steps.at[1], slice_of(longer, ROUTING_STEP_MAX)));
    for (size_t i = 0; i < ROUTING_STEPS_MAX; i++)
        routing_step(&steps, &arena, "%zu", i);
    assert_int_equal(steps.count, ROUTING_STEPS_MAX);
    assert_string_equal(routing_carrier_name(ROUTING_LMTP), "lmtp");
    arena_finish(&arena);
}

/* RFC 8461 §3.1: of the recipient's domain, where the operator has not said otherwise. */
static void
a_policy_is_looked_for_where_it_counts(void **state)
{
    static const struct {
        const char *recipient, *domain, *id;
        size_t addresses;
    } rows[] = {
        {"a@policy.test", "policy.test", "2026", 1}, /* one of the two is loopback's */
        {"a@wide-policy.test", "wide-policy.test", "7", ROUTING_ADDRESSES_MAX}, /* of one more */
        {"a@two-policies.test", "two-policies.test", "", 0},
        {"a@silent-policy.test", "silent-policy.test", "", 0},
        {"a@plain.test", "plain.test", "", 0},
        {"a@example.com", "", "", 0},
        {"a@direct.test", "", "", 0},
        {"a@[192.0.2.1]", "", "", 0},
    };
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.settings.has_sts = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(decide(&setup, "fred@truc.fr", rows[i].recipient, 1), ROUTING_FOUND);
        assert_true(slice_equal(setup.hop.sts_domain, slice_of_string(rows[i].domain)));
        assert_true(slice_equal(setup.hop.sts_id, slice_of_string(rows[i].id)));
        assert_int_equal(setup.hop.sts_address_count, rows[i].addresses);
    }
    for (unsigned i = 0; i < 2; i++) {
        setup.settings.has_sts = i == 0;
        setup.settings.tls = i == 0 ? ROUTING_TLS_VERIFY : ROUTING_TLS_DANE;
        assert_int_equal(decide(&setup, "fred@truc.fr", "a@policy.test", 1), ROUTING_FOUND);
        assert_int_equal(setup.hop.sts_domain.len, 0);
    }
    close_setup(&setup);
}

static enum routing_outcome
follow(struct setup *setup, const char *way, struct routing_facts *facts)
{
    struct routing_transport row;

    routing_facts_init(facts, &setup->arena);
    assert_null(routing_transport_parse(slice_of_string(way), &setup->arena, &row));
    return routing_follow_row(&setup->settings, &row, SLICE("postmaster@void.test"), 1, facts,
                              &setup->steps, &setup->hop);
}

static void
a_way_that_is_given_is_followed_whatever_tables_say(void **state)
{
    struct routing_facts facts;
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(follow(&setup, "smtp:[127.0.0.9]:587 auth=x", &facts), ROUTING_FOUND);
    assert_int_equal(setup.hop.carrier, ROUTING_SMTP);
    assert_int_equal(setup.hop.port, 587);
    assert_string_equal(hosts_of(&setup.hop), "127.0.0.9");
    assert_true(routing_hop_is_loopback(&setup.hop));
    assert_int_equal(follow(&setup, "smtp:[192.0.2.9]:587", &facts), ROUTING_FOUND);
    assert_false(routing_hop_is_loopback(&setup.hop));
    assert_int_equal(follow(&setup, "smtp:[IPv6:::1]:587", &facts), ROUTING_FOUND);
    assert_true(routing_hop_is_loopback(&setup.hop));
    assert_int_equal(follow(&setup, "smtp:[smtp.machin.com]:587", &facts), ROUTING_MISSING);
    assert_true(facts.question_count > 0);
    close_setup(&setup);
}

static void
records_about_certificates_have_all_their_fields(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(decide(&setup, "fred@truc.fr", "a@short-tlsa.test", 1), ROUTING_FOUND);
    assert_int_equal(setup.hop.hosts[0].tlsa_count, 1);
    assert_true(slice_equal(setup.hop.hosts[0].tlsa[0].data, SLICE("B")));
    close_setup(&setup);
}

/* RFC 5321 §5.1: we would be as far from the mailbox as before. */
static void
hosts_that_are_as_good_as_we_are_not_tried(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_int_equal(decide(&setup, "fred@truc.fr", "a@as-good-as-we.test", seed),
                         ROUTING_PERMANENT);
        assert_string_equal(setup.hop.status, "5.4.6");
        assert_int_equal(setup.hop.host_count, 0);
    }
    close_setup(&setup);
}

static void
families_alternate_where_none_is_wished(void **state)
{
    static const struct {
        enum routing_family family;
        uint8_t lengths[4];
    } rows[] = {{ROUTING_ANY_FAMILY, {16, 4, 16, 4}},
                {ROUTING_IPV6_FIRST, {16, 16, 4, 4}},
                {ROUTING_IPV4_FIRST, {4, 4, 16, 16}}};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        setup.settings.family = rows[i].family;
        assert_int_equal(decide(&setup, "fred@truc.fr", "a@four.test", 1), ROUTING_FOUND);
        assert_int_equal(setup.hop.hosts[0].address_count, 4);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(setup.hop.hosts[0].addresses[k].len, rows[i].lengths[k]);
    }
    close_setup(&setup);
}

static void
addresses_that_no_other_host_can_have_are_known(void **state)
{
    static const struct {
        struct routing_address address;
        bool is_reachable;
    } rows[] = {
        {{4, {0, 0, 0, 1}}, false},
        {{4, {1, 0, 0, 1}}, true},
        {{4, {126, 0, 0, 1}}, true},
        {{4, {127, 255, 255, 255}}, false},
        {{4, {128, 0, 0, 1}}, true},
        {{4, {223, 255, 255, 255}}, true},
        {{4, {224, 0, 0, 1}}, false},
        {{4, {255, 255, 255, 255}}, false},
        {{16, {[10] = 0xFF, [11] = 0xFF, [12] = 127, [15] = 1}}, false},
        {{16, {[10] = 0xFF, [11] = 0xFF, [12] = 192, [14] = 2}}, true},
        {{16, {0}}, false},
        {{16, {[15] = 1}}, false},
        {{16, {[15] = 2}}, false},
        {{16, {[14] = 1}}, true},
        {{16, {0xFF, 2, [15] = 1}}, false},
        {{16, {0xFE, 0x80, [15] = 1}}, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(routing_is_reachable(&rows[i].address), rows[i].is_reachable);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_tried_by_preference_and_equal_ones_in_drawn_order),
        cmocka_unit_test(each_end_of_a_decision_is_the_right_one),
        cmocka_unit_test(the_table_overrules_the_name_system),
        cmocka_unit_test(domains_of_ours_have_no_next_hop),
        cmocka_unit_test(senders_have_rows_of_their_own),
        cmocka_unit_test(a_smart_host_takes_what_no_row_is_about),
        cmocka_unit_test(tables_elsewhere_are_asked_first),
        cmocka_unit_test(families_come_in_the_order_that_is_wished),
        cmocka_unit_test(certificates_are_pinned_only_where_dnssec_proves_them),
        cmocka_unit_test(loopback_is_reached_only_where_it_is_allowed),
        cmocka_unit_test(a_host_is_loopback_when_all_its_addresses_are),
        cmocka_unit_test(the_steps_tell_how_it_was_decided),
        cmocka_unit_test(steps_are_bounded_and_printable),
        cmocka_unit_test(a_policy_is_looked_for_where_it_counts),
        cmocka_unit_test(a_way_that_is_given_is_followed_whatever_tables_say),
        cmocka_unit_test(records_about_certificates_have_all_their_fields),
        cmocka_unit_test(hosts_that_are_as_good_as_we_are_not_tried),
        cmocka_unit_test(families_alternate_where_none_is_wished),
        cmocka_unit_test(addresses_that_no_other_host_can_have_are_known),
        cmocka_unit_test(a_decision_asks_for_all_addresses_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
