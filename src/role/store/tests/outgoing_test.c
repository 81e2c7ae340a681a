/* SPDX-License-Identifier: ISC */
/* The store's queue, by what it asks of route, transport and deliver. */
#include "role/store/outgoing.h"
#include "role/tests/world.h"

#include "note/smtp_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "Return-Path: <fred@a.test>\r\n"

struct setup {
    struct world world;
    struct world_peer smtp, deliver, route, transport;
    struct note_ledger smtp_ledger, deliver_ledger, route_ledger, transport_ledger;
    struct arena arena;
    struct buffer note;
    uint64_t id;
    enum store_transport_outcome outcome; /* of all that is carried */
    bool is_route_particular;             /* its answers hold for one address */
    unsigned asked, carried, recipients, filed;
    unsigned reports[STORE_DELIVER_ACTION_COUNT];
    char status[QUEUE_STATUS_MAX + 1]; /* of the last report */
    char folder[64];                   /* a real one: LMDB opens its files itself */
};

static void
make_folder(struct world *world)
{
    struct host_dir *data = NULL;

    assert_int_equal(host_dir_open(world->host, "/data", &data), 0);
    assert_int_equal(host_dir_make(data, "store"), 0);
    host_dir_close(&data);
}

static void
open_setup(struct setup *setup)
{
    struct sim_options options = {.real_path = setup->folder};

    *setup = (struct setup){.id = 1, .folder = "/tmp/facteur-outgoing-XXXXXX"};
    assert_non_null(mkdtemp(setup->folder));
    world_open_seeded(&setup->world, &role_store, 1, &options);
    setup->world.config.queue_interval_max = duration_s(1);
    setup->world.config.store_map_size = 64 << 20;
    make_folder(&setup->world);
    arena_init(&setup->arena, 1 << 26);
    buffer_init(&setup->note, HOST_NOTE_MAX);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
    world_attach(&setup->world, &setup->deliver, ROLE_DELIVER, 0);
    world_attach(&setup->world, &setup->route, ROLE_ROUTE, 0);
    world_attach(&setup->world, &setup->transport, ROLE_TRANSPORT, 0);
}

static int
remove_one(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts, (void)kind, (void)place;
    return remove(path);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_detach(&setup->deliver);
    world_detach(&setup->route);
    world_detach(&setup->transport);
    world_close(&setup->world);
    note_ledger_finish(&setup->smtp_ledger);
    note_ledger_finish(&setup->deliver_ledger);
    note_ledger_finish(&setup->route_ledger);
    note_ledger_finish(&setup->transport_ledger);
    buffer_finish(&setup->note);
    arena_finish(&setup->arena);
    assert_int_equal(nftw(setup->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
send(struct setup *setup, struct world_peer *peer, bool is_put)
{
    assert_true(is_put);
    host_channel_send(peer->channel, buffer_slice(&setup->note), HOST_HANDLE_NONE);
    buffer_clear(&setup->note);
}

/* ---- the others, as they answer -------------------------------------------------------------- */

static void
play_deliver(struct setup *setup, struct slice bytes)
{
    struct store_deliver_note note;

    assert_true(store_deliver_take(bytes, -1, 0, &setup->deliver_ledger, &setup->arena, &note));
    if (note.kind == STORE_DELIVER_PARSE) {
        struct store_deliver_parsed parsed = {.id = note.as.parse.id};
        send(setup, &setup->deliver,
             store_deliver_put_parsed(&setup->note, &setup->deliver_ledger, &parsed));
    } else if (note.kind == STORE_DELIVER_REPORT) {
        const struct store_deliver_report *report = &note.as.report;
        struct store_deliver_report_built built = {
            .id = report->id, .message = SLICE("From: <postmaster@a.test>\r\n\r\nText\r\n")};
        for (size_t i = 0; i < report->recipients.count; i++)
            setup->reports[report->recipients.at[i].action]++;
        snprintf(setup->status, sizeof(setup->status), "%.*s",
                 (int)report->recipients.at[0].status.len, report->recipients.at[0].status.at);
        send(setup, &setup->deliver,
             store_deliver_put_report_built(&setup->note, &setup->deliver_ledger, &built));
    }
}

static void
play_route(struct setup *setup, struct slice bytes)
{
    struct store_route_note note;

    assert_true(store_route_take(bytes, -1, 0, &setup->route_ledger, &setup->arena, &note));
    assert_int_equal(note.kind, STORE_ROUTE_NEXT_HOP);
    bool is_ours = slice_ends_with(note.as.next_hop.recipient, SLICE("@a.test"));
    struct store_route_hop hop = {
        .id = note.as.next_hop.id,
        .outcome = is_ours ? STORE_ROUTE_OUTCOME_TEMPORARY : STORE_ROUTE_OUTCOME_FOUND,
        .status = SLICE("4.0.0"),
        .destination = SLICE("b.test"),
        .valid_s = 300,
        .is_for_domain = !setup->is_route_particular,
    };
    setup->asked += !is_ours;
    send(setup, &setup->route, store_route_put_hop(&setup->note, &setup->route_ledger, &hop));
}

static void
play_transport(struct setup *setup, struct slice bytes)
{
    struct store_transport_result results[STORE_TRANSPORT_CARRY_RECIPIENTS_MAX];
    bool is_good = setup->outcome == STORE_TRANSPORT_OUTCOME_DELIVERED;
    struct store_transport_note note;

    assert_true(store_transport_take(bytes, -1, 0, &setup->transport_ledger, &setup->arena, &note));
    size_t count = note.as.carry.recipients.count;
    for (size_t i = 0; i < count; i++)
        results[i] =
            (struct store_transport_result){.outcome = setup->outcome,
                                            .code = is_good ? 250 : 450,
                                            .status = is_good ? SLICE("2.0.0") : SLICE("4.2.0"),
                                            .text = SLICE("so it is")};
    struct store_transport_carried carried = {.id = note.as.carry.id,
                                              .reach = STORE_TRANSPORT_REACH_REACHED,
                                              .results = {results, count}};
    setup->carried++;
    setup->recipients += (unsigned)count;
    send(setup, &setup->transport,
         store_transport_put_carried(&setup->note, &setup->transport_ledger, &carried));
}

static void
play_smtp(struct setup *setup, struct slice bytes)
{
    struct smtp_store_note note;

    assert_true(smtp_store_take(bytes, -1, 1, &setup->smtp_ledger, &setup->arena, &note));
    assert_int_equal(note.kind, SMTP_STORE_FILED);
    assert_int_equal(note.as.filed.outcomes.at[0].kind, SMTP_STORE_OUTCOME_KIND_DELIVERED);
    setup->filed++;
}

/* Lets time pass, and everybody answer. */
static void
run(struct setup *setup, int64_t ms)
{
    static const struct {
        size_t peer;
        void (*play)(struct setup *, struct slice);
    } rows[] = {{offsetof(struct setup, smtp), play_smtp},
                {offsetof(struct setup, deliver), play_deliver},
                {offsetof(struct setup, route), play_route},
                {offsetof(struct setup, transport), play_transport}};

    for (; ms > 0; ms -= 5) {
        world_run(&setup->world, 5);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct world_peer *peer = (void *)((uint8_t *)setup + rows[i].peer);
            while (peer->taken < peer->count)
                rows[i].play(setup, world_next(peer));
        }
    }
}

/* A message to `count` recipients at b.test. */
static void
submit(struct setup *setup, unsigned count, const struct smtp_store_submit *wishes)
{
    struct smtp_store_recipient recipients[200];
    struct smtp_store_submit note = *wishes;
    char addresses[200][32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(addresses[i], sizeof(addresses[i]), "user%u@b.test", i);
        recipients[i] = (struct smtp_store_recipient){.box = SMTP_STORE_BOX_REMOTE,
                                                      .address = slice_of_string(addresses[i])};
    }
    note.id = setup->id++;
    note.queue_id = SLICE("Q1");
    note.reverse_path = SLICE("fred@a.test");
    note.prefix = SLICE(PREFIX);
    note.prefix_return_path_len = sizeof(PREFIX) - 1;
    note.body = SLICE("Subject: hi\r\n\r\nText\r\n");
    note.recipients.at = recipients;
    note.recipients.count = count;
    send(setup, &setup->smtp, smtp_store_put_submit(&setup->note, &setup->smtp_ledger, &note));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const struct smtp_store_submit plain;

static void
route_is_asked_once_for_a_domain(void **state)
{
    struct setup *setup = *state;

    submit(setup, 150, &plain);
    run(setup, 100);
    submit(setup, 1, &plain);
    run(setup, 100);
    assert_int_equal(setup->filed, 2);
    assert_int_equal(setup->recipients, 151);
    assert_in_range(setup->carried, 3, 4); /* at most 100 in a transaction, of one class */
    assert_int_equal(setup->asked, 1);
    run(setup, (HOPS_VALID_MAX_S + 1) * 1000);
    submit(setup, 1, &plain);
    run(setup, 100);
    assert_int_equal(setup->asked, 2);
}

static void
route_is_asked_about_each_where_addresses_have_ways_of_their_own(void **state)
{
    struct setup *setup = *state;

    setup->is_route_particular = true;
    submit(setup, 3, &plain);
    run(setup, 100);
    assert_int_equal(setup->asked, 3);
    assert_int_equal(setup->carried, 1); /* the ways were the same */
    assert_int_equal(setup->recipients, 3);
}

static void
what_fails_is_tried_again_and_then_is_over(void **state)
{
    struct setup *setup = *state;

    setup->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    submit(setup, 1, &plain);
    run(setup, 5000);
    assert_in_range(setup->carried, 2, 5);
    setup->outcome = STORE_TRANSPORT_OUTCOME_DELIVERED;
    run(setup, 3000);
    unsigned carried = setup->carried;
    run(setup, 5000);
    assert_int_equal(setup->carried, carried);
    for (size_t i = 0; i < COUNT_OF(setup->reports); i++)
        assert_int_equal(setup->reports[i], 0);
}

/* The notice is due in the second of an attempt, again and again. */
static void
a_notice_of_delay_comes_while_the_message_is_being_tried(void **state)
{
    struct setup *setup = *state;
    struct smtp_store_submit wishes = {.has_deliver_by = true, .deliver_by_s = 2};

    setup->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    submit(setup, 1, &wishes);
    run(setup, 15000);
    assert_int_equal(setup->reports[STORE_DELIVER_ACTION_DELAYED], 1);
    assert_string_equal(setup->status, "4.4.7");
}

static void
what_must_arrive_in_time_is_not_tried_after_it(void **state)
{
    struct setup *setup = *state;
    struct smtp_store_submit wishes = {
        .has_deliver_by = true, .deliver_by_s = 2, .deliver_by_returns = true};

    setup->outcome = STORE_TRANSPORT_OUTCOME_TEMPORARY;
    submit(setup, 1, &wishes);
    run(setup, 2500);
    unsigned carried = setup->carried;
    assert_in_range(carried, 1, 3);
    run(setup, 10000);
    assert_in_range(setup->carried, carried, carried + 1);
    assert_int_equal(setup->reports[STORE_DELIVER_ACTION_FAILED], 1);
    assert_string_equal(setup->status, "5.4.7");
}

static void
held_mail_waits(void **state)
{
    struct setup *setup = *state;
    struct smtp_store_submit wishes = {.hold = SLICE("for;60")};

    wishes.hold_until_s = wall_seconds(host_wall(setup->world.host)) + 60;
    submit(setup, 1, &wishes);
    run(setup, 58000);
    assert_int_equal(setup->filed, 1);
    assert_int_equal(setup->carried, 0);
    run(setup, 4000);
    assert_int_equal(setup->carried, 1);
}

static int
set_up(void **state)
{
    static struct setup setup;

    open_setup(&setup);
    *state = &setup;
    return 0;
}

static int
tear_down(void **state)
{
    close_setup(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(route_is_asked_once_for_a_domain),
        TEST(route_is_asked_about_each_where_addresses_have_ways_of_their_own),
        TEST(what_fails_is_tried_again_and_then_is_over),
        TEST(a_notice_of_delay_comes_while_the_message_is_being_tried),
        TEST(what_must_arrive_in_time_is_not_tried_after_it),
        TEST(held_mail_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
