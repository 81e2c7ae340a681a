/* SPDX-License-Identifier: ISC */
/* The role's next hops: the store asks, a name system made of rows answers. */
#include "role/tests/world.h"

#include "note/route_resolve.h"
#include "note/store_route.h"
#include "routing/tests/zone.h"

#include <stdio.h>

static const struct zone_row zone[] = {
    {"machin.com", DNS_MX, "10 smtp.machin.com,20 backup.machin.com"},
    {"smtp.machin.com", DNS_A, "192.0.2.1"},
    {"smtp.machin.com", DNS_AAAA, "20010db8000000000000000000000001"},
    {"backup.machin.com", DNS_A, "192.0.2.2"},
    {"null.test", DNS_MX, "0 ."},
    {"silent.test", DNS_MX, "!temporary"},
    {"secure.test", DNS_MX, "*10 mail.secure.test"},
    {"mail.secure.test", DNS_A, "*192.0.2.20"},
    {"mail.secure.test", DNS_AAAA, "*!none"},
    {"_25._tcp.mail.secure.test", DNS_TLSA, "*030101aabbccdd"},
};

enum { MANY_HOSTS = 15, MANY_FIT = 1 /* of them, with 16 KiB of TLSA records */ };

struct setup {
    struct world world;
    struct world_peer store, resolve;
    struct note_ledger store_ledger, resolve_ledger;
    struct arena arena;
    uint64_t id;
    size_t answered; /* questions of the name system */
    size_t changes;  /* of the tables, that the store was told of */
    bool is_silent;  /* resolve answers nothing */
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){.id = 1};
    world_open(&setup->world, &role_route);
    arena_init(&setup->arena, 1 << 22);
    world_write(&setup->world, "accounts", SLICE("domain a.test\naccount a@a.test id=1\n"), false);
    world_write(&setup->world, "transports",
                SLICE("example.com smtp:[192.168.23.56]:20025\n"
                      "vip.test smtp:machin.com auth=vip\n"
                      "nokey.test smtp:machin.com auth=nobody\n"),
                false);
    world_write(&setup->world, "credentials", SLICE("vip fred s e\n"), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    world_attach(&setup->world, &setup->resolve, ROLE_RESOLVE, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->store);
    world_detach(&setup->resolve);
    world_close(&setup->world);
    note_ledger_finish(&setup->store_ledger);
    note_ledger_finish(&setup->resolve_ledger);
    arena_finish(&setup->arena);
}

/* many.test has as many hosts as are tried, with as many and as long TLSA records as are taken. */
static void
fill_many(const struct route_resolve_ask *ask, struct route_resolve_answer_record *records,
          struct route_resolve_answer *answer)
{
    static const uint8_t record[3 + DNS_TLSA_DATA_MAX] = {3, 1, 0};
    static char names[MANY_HOSTS][32];
    size_t count = ask->type == DNS_MX     ? MANY_HOSTS
                   : ask->type == DNS_TLSA ? ROUTING_TLSA_MAX
                                           : ask->type == DNS_A;

    for (size_t i = 0; i < count; i++) {
        records[i] = (struct route_resolve_answer_record){
            .preference = (uint16_t)i, .name = SLICE(""), .data = SLICE("")};
        if (ask->type == DNS_TLSA) {
            records[i].data = slice_of(record, sizeof(record));
        } else if (ask->type == DNS_A) {
            records[i].data = SLICE("\xC0\x00\x02\x01");
        } else {
            snprintf(names[i], sizeof(names[i]), "mx%u.many.test", (unsigned)i);
            records[i].name = slice_of_string(names[i]);
        }
    }
    answer->outcome = count > 0 ? ROUTE_RESOLVE_OUTCOME_FOUND : ROUTE_RESOLVE_OUTCOME_NO_DATA;
    answer->is_secure = true;
    answer->canonical = ask->name;
    answer->records.count = count;
}

static void
answer_question(struct setup *setup, const struct route_resolve_ask *ask)
{
    static const enum route_resolve_outcome outcomes[] = {
        [DNS_FOUND] = ROUTE_RESOLVE_OUTCOME_FOUND,
        [DNS_NO_DATA] = ROUTE_RESOLVE_OUTCOME_NO_DATA,
        [DNS_NO_NAME] = ROUTE_RESOLVE_OUTCOME_NO_NAME,
        [DNS_BOGUS] = ROUTE_RESOLVE_OUTCOME_BOGUS,
        [DNS_TEMPORARY] = ROUTE_RESOLVE_OUTCOME_TEMPORARY,
    };
    struct routing_question question = {.type = (enum dns_type)ask->type, .key = ask->name};
    struct route_resolve_answer_record records[64];
    struct dns_answer found;
    struct buffer note;

    zone_answer(zone, COUNT_OF(zone), &question, &setup->arena, &found);
    for (size_t i = 0; i < found.count; i++)
        records[i] = (struct route_resolve_answer_record){
            found.records[i].preference, found.records[i].name, found.records[i].data};
    struct route_resolve_answer answer = {.id = ask->id,
                                          .outcome = outcomes[found.outcome],
                                          .is_secure = found.is_secure,
                                          .ttl_s = found.ttl_s,
                                          .canonical = found.canonical,
                                          .why = found.why,
                                          .records = {records, found.count}};
    if (slice_ends_with_nocase(ask->name, SLICE("many.test")))
        fill_many(ask, records, &answer);
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(route_resolve_put_answer(&note, &setup->resolve_ledger, &answer));
    host_channel_send(setup->resolve.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    setup->answered++;
}

static void
answer_all(struct setup *setup)
{
    struct route_resolve_note note;

    while (!setup->is_silent && setup->resolve.taken < setup->resolve.count) {
        assert_true(route_resolve_take(world_next(&setup->resolve), -1, 0, &setup->resolve_ledger,
                                       &setup->arena, &note));
        answer_question(setup, &note.as.ask);
    }
}

static void
ask(struct setup *setup, const char *sender, const char *recipient)
{
    struct store_route_next_hop question = {.id = setup->id++,
                                            .sender = slice_of_string(sender),
                                            .recipient = slice_of_string(recipient)};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_route_put_next_hop(&note, &setup->store_ledger, &question));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static struct store_route_hop
answer_of(struct setup *setup)
{
    struct store_route_note note = {.kind = STORE_ROUTE_CHANGED};

    while (note.kind == STORE_ROUTE_CHANGED) {
        for (unsigned i = 0; setup->store.taken == setup->store.count && i < 100; i++) {
            world_run(&setup->world, 10);
            answer_all(setup);
        }
        assert_true(store_route_take(world_next(&setup->store), -1, 1, &setup->store_ledger,
                                     &setup->arena, &note));
        setup->changes += note.kind == STORE_ROUTE_CHANGED;
    }
    return note.as.hop;
}

static struct store_route_hop
decide(struct setup *setup, const char *recipient)
{
    ask(setup, "fred@a.test", recipient);
    return answer_of(setup);
}

static void
hosts_come_in_the_order_of_trial(void **state)
{
    struct setup setup;
    struct store_route_hop hop;

    (void)state;
    open_setup(&setup);
    hop = decide(&setup, "marc@machin.com");
    assert_int_equal(hop.outcome, STORE_ROUTE_OUTCOME_FOUND);
    assert_int_equal(hop.carrier, STORE_ROUTE_CARRIER_SMTP);
    assert_int_equal(hop.port, 25);
    assert_int_equal(hop.hosts.count, 2);
    assert_true(slice_equal(hop.hosts.at[0].name, SLICE("smtp.machin.com")));
    assert_int_equal(hop.hosts.at[1].preference, 20);
    assert_int_equal(hop.addresses.count, 3);
    assert_int_equal(hop.addresses.at[2].host, 1);
    assert_true(hop.valid_s > 0 && hop.steps.count > 2);
    hop = decide(&setup, "x@secure.test");
    assert_true(hop.hosts.at[0].is_secure);
    assert_int_equal(hop.tlsa.count, 1);
    assert_int_equal(hop.tlsa.at[0].usage, 3);
    hop = decide(&setup, "x@[192.0.2.77]");
    assert_int_equal(hop.addresses.count, 1);
    close_setup(&setup);
}

/* RFC 7672 §2.1.1: a host whose records are left behind must not seem to have none. */
static void
very_many_tlsa_records_leave_hosts_untried(void **state)
{
    struct setup setup;
    struct store_route_hop hop;

    (void)state;
    open_setup(&setup);
    hop = decide(&setup, "x@many.test");
    assert_int_equal(hop.outcome, STORE_ROUTE_OUTCOME_FOUND);
    assert_int_equal(hop.hosts.count, MANY_HOSTS);
    assert_int_equal(hop.tlsa.count, MANY_FIT * ROUTING_TLSA_MAX);
    for (size_t i = 0; i < MANY_HOSTS; i++)
        assert_int_equal(hop.hosts.at[i].tlsa_failed, i >= MANY_FIT);
    assert_true(hop.steps.count > 2);
    close_setup(&setup);
}

/* Case B4: and without a look at the name system. */
static void
the_transport_table_goes_before(void **state)
{
    struct setup setup;
    struct store_route_hop hop;

    (void)state;
    open_setup(&setup);
    hop = decide(&setup, "x@example.com");
    assert_int_equal(hop.port, 20025);
    assert_true(slice_equal(hop.addresses.at[0].bytes, SLICE("\xc0\xa8\x17\x38")));
    assert_int_equal(setup.answered, 0);
    assert_true(hop.is_for_domain);
    world_write(&setup.world, "transports",
                SLICE("example.com discard:\nboss@example.com smtp:[192.0.2.7]\n"), false);
    world_run(&setup.world, 2000);
    assert_int_equal(setup.changes, 0);
    hop = decide(&setup, "x@example.com");
    assert_int_equal(hop.carrier, STORE_ROUTE_CARRIER_DISCARD);
    assert_false(hop.is_for_domain);
    assert_int_equal(setup.changes, 1);
    close_setup(&setup);
}

static void
restart(struct setup *setup)
{
    setup->world.role->close(setup->world.state);
    world_detach(&setup->store);
    world_detach(&setup->resolve);
    note_ledger_finish(&setup->store_ledger);
    note_ledger_finish(&setup->resolve_ledger);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    world_attach(&setup->world, &setup->resolve, ROLE_RESOLVE, 0);
}

/* Its rows say where mail must go, or that nobody may read it on the way. */
static void
mail_waits_while_a_table_cannot_be_read(void **state)
{
    static const char *const names[] = {"accounts", "transports", "credentials"};
    struct setup setup;
    char path[64];

    (void)state;
    open_setup(&setup);
    struct sim_machine *machine = sim_machine(setup.world.sim);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "/data/directory/%s", names[i]);
        assert_int_equal(sim_disk_spoil(machine, path, 0, 4), 0);
        restart(&setup);
        assert_int_equal(decide(&setup, "x@example.com").outcome, STORE_ROUTE_OUTCOME_TEMPORARY);
        assert_int_equal(decide(&setup, "x@machin.com").outcome, STORE_ROUTE_OUTCOME_TEMPORARY);
        assert_int_equal(setup.answered, 0);
        assert_int_equal(sim_disk_spoil(machine, path, 0, 0), 0);
        world_run(&setup.world, 2000);
        assert_int_equal(decide(&setup, "x@example.com").port, 20025);
    }
    close_setup(&setup);
}

static void
credentials_go_along_or_nothing_goes(void **state)
{
    struct setup setup;
    struct store_route_hop hop;

    (void)state;
    open_setup(&setup);
    hop = decide(&setup, "x@vip.test");
    assert_true(slice_equal(hop.auth_name, SLICE("fred")));
    assert_true(slice_equal(hop.auth_secret, SLICE("s e")));
    hop = decide(&setup, "x@nokey.test");
    assert_int_equal(hop.outcome, STORE_ROUTE_OUTCOME_TEMPORARY);
    assert_true(slice_equal(hop.status, SLICE("4.3.5")));
    close_setup(&setup);
}

static void
what_the_name_system_says_decides_between_now_later_and_never(void **state)
{
    static const struct {
        const char *recipient;
        enum store_route_outcome outcome;
        const char *status;
    } rows[] = {
        {"x@null.test", STORE_ROUTE_OUTCOME_PERMANENT, "5.1.10"},
        {"x@nowhere.test", STORE_ROUTE_OUTCOME_PERMANENT, "5.1.2"},
        {"x@silent.test", STORE_ROUTE_OUTCOME_TEMPORARY, "4.4.3"},
    };
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct store_route_hop hop = decide(&setup, rows[i].recipient);
        assert_int_equal(hop.outcome, rows[i].outcome);
        if (!slice_equal(hop.status, slice_of_string(rows[i].status)))
            fail_msg("%s: %.*s", rows[i].recipient, (int)hop.status.len,
                     (const char *)hop.status.at);
    }
    close_setup(&setup);
}

static void
without_resolve_mail_waits(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.is_silent = true;
    ask(&setup, "", "x@machin.com");
    ask(&setup, "", "y@machin.com");
    world_run(&setup.world, 100);
    host_channel_close(&setup.resolve.channel); /* it dies with two questions open */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(answer_of(&setup).outcome, STORE_ROUTE_OUTCOME_TEMPORARY);
    assert_int_equal(decide(&setup, "x@machin.com").outcome, STORE_ROUTE_OUTCOME_TEMPORARY);
    /* The table needs no names. */
    assert_int_equal(decide(&setup, "x@example.com").outcome, STORE_ROUTE_OUTCOME_FOUND);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_come_in_the_order_of_trial),
        cmocka_unit_test(very_many_tlsa_records_leave_hosts_untried),
        cmocka_unit_test(the_transport_table_goes_before),
        cmocka_unit_test(mail_waits_while_a_table_cannot_be_read),
        cmocka_unit_test(credentials_go_along_or_nothing_goes),
        cmocka_unit_test(what_the_name_system_says_decides_between_now_later_and_never),
        cmocka_unit_test(without_resolve_mail_waits),
    };

    return cmocka_run_group_tests_name("role/route hop", tests, NULL, NULL);
}
