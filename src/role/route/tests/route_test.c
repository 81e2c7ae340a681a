/* SPDX-License-Identifier: ISC */
#include "role/tests/world.h"

#include "note/smtp_route.h"

static const char accounts[] =
    "domain a.test\n"
    "account alice@a.test id=1 full-name=\"Alice Smith\" quota=1MiB messages=5\n"
    "account bob@a.test id=2 delivery=mbox:/var/mail/bob system=bob\n"
    "account off@a.test id=3 disabled\n"
    "account sam@a.test id=4 full-name=\"Sam Smith\"\n"
    "alias both@a.test to=alice@a.test,bob@a.test\n"
    "alias away@a.test to=alice@a.test,fred@elsewhere.test\n"
    "list secret@a.test to=alice@a.test private\n"
    "moved gone@a.test to=gone@elsewhere.test\n"
    "moved here@a.test to=alice@a.test\n";

struct setup {
    struct world world;
    struct world_peer smtp;
    struct note_ledger ledger;
    struct arena arena;
    uint64_t id;
    unsigned changes; /* how often it was said that the tables have changed */
};

static void
open_setup(struct setup *setup, const char *text, const char *delivery)
{
    world_open(&setup->world, &role_route);
    setup->ledger = (struct note_ledger){0};
    setup->id = 1;
    setup->changes = 0;
    arena_init(&setup->arena, 1 << 22);
    if (delivery)
        setup->world.config.delivery_default = slice_of_string(delivery);
    if (text)
        world_write(&setup->world, "accounts", slice_of_string(text), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
}

static struct smtp_route_note
exchange(struct setup *setup, struct buffer *note)
{
    struct smtp_route_note answer;

    host_channel_send(setup->smtp.channel, buffer_slice(note), HOST_HANDLE_NONE);
    buffer_finish(note);
    do {
        assert_true(smtp_route_take(world_next(&setup->smtp), -1, 1, &setup->ledger, &setup->arena,
                                    &answer));
        setup->changes += answer.kind == SMTP_ROUTE_CHANGED;
    } while (answer.kind == SMTP_ROUTE_CHANGED);
    return answer;
}

static struct smtp_route_route
ask_as(struct setup *setup, const char *address, bool is_trusted)
{
    struct smtp_route_recipient recipient = {.id = setup->id++,
                                             .address = slice_of_string(address),
                                             .is_trusted_network = is_trusted,
                                             .takes_remote = is_trusted};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_route_put_recipient(&note, &setup->ledger, &recipient));
    return exchange(setup, &note).as.route;
}

static struct smtp_route_route
ask(struct setup *setup, const char *address)
{
    return ask_as(setup, address, false);
}

static struct smtp_route_verified
query(struct setup *setup, const char *text, bool expand)
{
    struct smtp_route_verify verify = {
        .id = setup->id++, .query = slice_of_string(text), .expand = expand};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_route_put_verify(&note, &setup->ledger, &verify));
    return exchange(setup, &note).as.verified;
}

static void
recipients_get_their_verdict(void **state)
{
    static const struct {
        const char *address;
        enum smtp_route_verdict verdict;
        size_t targets;
        const char *text;
    } rows[] = {
        {"alice@a.test", SMTP_ROUTE_VERDICT_LOCAL, 1, ""},
        {"both@a.test", SMTP_ROUTE_VERDICT_LOCAL, 2, ""},
        {"nobody@a.test", SMTP_ROUTE_VERDICT_UNKNOWN, 0, ""},
        {"fred@elsewhere.test", SMTP_ROUTE_VERDICT_RELAY_DENIED, 0, ""},
        {"fred%elsewhere.test@a.test", SMTP_ROUTE_VERDICT_UNKNOWN, 0, ""},
        {"<@a.test:fred@elsewhere.test>", SMTP_ROUTE_VERDICT_RELAY_DENIED, 0, ""},
        {"off@a.test", SMTP_ROUTE_VERDICT_REFUSED, 0, "the mailbox is disabled"},
        {"away@a.test", SMTP_ROUTE_VERDICT_TEMPORARY, 0, "the address is not set up rightly"},
        {"gone@a.test", SMTP_ROUTE_VERDICT_MOVED, 0,
         "the user has moved, please try <gone@elsewhere.test>"},
        {"here@a.test", SMTP_ROUTE_VERDICT_MOVED, 1,
         "the user has moved, forwarding to <alice@a.test>"},
        {"postmaster", SMTP_ROUTE_VERDICT_LOCAL, 1, ""},
    };
    static struct setup setup;

    (void)state;
    open_setup(&setup, accounts, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct smtp_route_route answer = ask(&setup, rows[i].address);
        if (answer.verdict != rows[i].verdict)
            fail_msg("%s: verdict %d", rows[i].address, answer.verdict);
        assert_int_equal(answer.targets.count, rows[i].targets);
        assert_true(slice_equal(answer.text, slice_of_string(rows[i].text)));
    }
    close_setup(&setup);
}

/* What smtp may keep for all of a domain: nothing that a row about one address could change. */
static void
only_foreign_domains_are_answered_as_a_whole(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup,
               "domain a.test\naccount alice@a.test id=1\nalias out@a.test to=fred@b.test\n"
               "relay primary.test\n",
               NULL);
    struct smtp_route_route answer = ask_as(&setup, "fred@elsewhere.test", true);
    assert_int_equal(answer.verdict, SMTP_ROUTE_VERDICT_LOCAL);
    assert_int_equal(answer.targets.at[0].box, SMTP_ROUTE_BOX_REMOTE);
    assert_true(answer.is_for_domain);
    answer = ask_as(&setup, "fred@elsewhere.test", false);
    assert_int_equal(answer.verdict, SMTP_ROUTE_VERDICT_RELAY_DENIED);
    assert_false(answer.is_for_domain);
    assert_false(ask_as(&setup, "alice@a.test", true).is_for_domain);
    answer = ask_as(&setup, "out@a.test", true);
    assert_int_equal(answer.targets.at[0].box, SMTP_ROUTE_BOX_REMOTE);
    assert_false(answer.is_for_domain);
    answer = ask_as(&setup, "fred@primary.test", true);
    assert_int_equal(answer.targets.at[0].box, SMTP_ROUTE_BOX_REMOTE);
    assert_false(answer.is_for_domain);
    close_setup(&setup);
}

static void
targets_say_where_the_mail_lies(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, accounts, "maildir:/home/%u/%d/Maildir");
    struct smtp_route_route answer = ask(&setup, "alice+Shop@a.test");
    const struct smtp_route_target *target = &answer.targets.at[0];
    assert_int_equal(target->account, 1);
    assert_true(slice_equal(target->detail, SLICE("Shop")));
    assert_true(slice_equal(target->name, SLICE("alice@a.test")));
    assert_int_equal(target->quota_bytes, 1 << 20);
    assert_int_equal(target->quota_messages, 5);
    assert_int_equal(target->box, SMTP_ROUTE_BOX_MAILDIR);
    assert_true(slice_equal(target->path, SLICE("/home/alice/a.test/Maildir")));
    answer = ask(&setup, "bob@a.test");
    target = &answer.targets.at[0];
    assert_int_equal(target->box, SMTP_ROUTE_BOX_MBOX);
    assert_true(slice_equal(target->path, SLICE("/var/mail/bob")));
    assert_true(slice_equal(target->user, SLICE("bob")));
    close_setup(&setup);
}

static void
no_name_leaves_the_folder_of_letter_boxes(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, "domain a.test\naccount ../x@a.test id=1\naccount .hidden@a.test id=2\n",
               "mbox:/var/mail/%u");
    assert_int_equal(ask(&setup, "../x@a.test").verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    assert_int_equal(ask(&setup, ".hidden@a.test").verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    close_setup(&setup);
}

static void
queries_get_lines(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, accounts, NULL);
    struct smtp_route_verified answer = query(&setup, "alice", false);
    assert_int_equal(answer.verdict, SMTP_ROUTE_VERDICT_LOCAL);
    assert_int_equal(answer.lines.count, 1);
    assert_true(slice_equal(answer.lines.at[0].text, SLICE("Alice Smith <alice@a.test>")));
    answer = query(&setup, "smith", false);
    assert_int_equal(answer.verdict, SMTP_ROUTE_VERDICT_AMBIGUOUS);
    assert_int_equal(answer.lines.count, 2);
    assert_int_equal(query(&setup, "nobody", false).verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    assert_int_equal(query(&setup, "off@a.test", false).verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    assert_int_equal(query(&setup, "x@elsewhere.test", false).verdict,
                     SMTP_ROUTE_VERDICT_UNVERIFIED);
    assert_int_equal(query(&setup, "both", true).lines.count, 2);
    assert_int_equal(query(&setup, "secret", true).verdict, SMTP_ROUTE_VERDICT_REFUSED);
    assert_int_equal(query(&setup, "alice@a.test", true).verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    close_setup(&setup);
}

static void
a_changed_file_is_seen_without_reload(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, accounts, NULL);
    assert_int_equal(ask(&setup, "new@a.test").verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    world_write(&setup.world, "accounts", SLICE("account new@a.test id=9\n"), true);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "new@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    assert_int_equal(setup.changes, 1);
    /* What is there already is not looked at again until reload. */
    world_write(&setup.world, "accounts", SLICE("account new@a.test id=9 removed\n"), true);
    assert_int_equal(ask(&setup, "new@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    unsigned changes = setup.changes;
    role_route.reload(setup.world.state, &setup.world.config);
    assert_int_equal(ask(&setup, "new@a.test").verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    assert_int_equal(setup.changes, changes + 1);
    close_setup(&setup);
}

static void
without_a_table_mail_waits(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, NULL, NULL);
    assert_int_equal(ask(&setup, "alice@a.test").verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    assert_int_equal(query(&setup, "alice", false).verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    world_write(&setup.world, "accounts", slice_of_string(accounts), false);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "alice@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    close_setup(&setup);
}

/* A user unknown is told to the sender for good. */
static void
mail_for_aliases_waits_while_they_cannot_be_read(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, accounts, NULL);
    world_write(&setup.world, "aliases", SLICE("alias help@a.test to=alice@a.test\n"), false);
    struct sim_machine *machine = sim_machine(setup.world.sim);
    assert_int_equal(sim_disk_spoil(machine, "/data/directory/aliases", 0, 4), 0);
    setup.world.role->close(setup.world.state);
    world_detach(&setup.smtp);
    note_ledger_finish(&setup.ledger);
    world_start(&setup.world);
    world_attach(&setup.world, &setup.smtp, ROLE_SMTP, 0);
    assert_int_equal(ask(&setup, "help@a.test").verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    assert_int_equal(ask(&setup, "alice@a.test").verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    assert_int_equal(sim_disk_spoil(machine, "/data/directory/aliases", 0, 0), 0);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "help@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    assert_int_equal(ask(&setup, "alice@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    /* What was read once stays in force. */
    world_write(&setup.world, "aliases", SLICE("alias more@a.test to=alice@a.test\n"), false);
    assert_int_equal(sim_disk_spoil(machine, "/data/directory/aliases", 0, 4), 0);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "help@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    close_setup(&setup);
}

static void
a_bad_note_closes_the_channel_and_no_more(void **state)
{
    static struct setup setup;
    static struct world_peer other;

    (void)state;
    open_setup(&setup, accounts, NULL);
    world_attach(&setup.world, &other, ROLE_SMTP, 1);
    host_channel_send(other.channel, SLICE("\xFFnonsense"), HOST_HANDLE_NONE);
    world_run(&setup.world, 100);
    assert_true(other.is_closed);
    assert_int_equal(ask(&setup, "alice@a.test").verdict, SMTP_ROUTE_VERDICT_LOCAL);
    world_detach(&other);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_get_their_verdict),
        cmocka_unit_test(only_foreign_domains_are_answered_as_a_whole),
        cmocka_unit_test(targets_say_where_the_mail_lies),
        cmocka_unit_test(no_name_leaves_the_folder_of_letter_boxes),
        cmocka_unit_test(queries_get_lines),
        cmocka_unit_test(a_changed_file_is_seen_without_reload),
        cmocka_unit_test(without_a_table_mail_waits),
        cmocka_unit_test(mail_for_aliases_waits_while_they_cannot_be_read),
        cmocka_unit_test(a_bad_note_closes_the_channel_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
