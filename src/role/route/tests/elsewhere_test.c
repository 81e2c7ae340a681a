/* SPDX-License-Identifier: ISC */
/* The role and tables that other processes keep: aliases for smtp, next hops for the store. */
#include "role/tests/world.h"

#include "note/route_table.h"
#include "note/smtp_route.h"
#include "note/store_route.h"

static const char accounts[] = "domain a.test\n"
                               "account alice@a.test id=1\n";

struct setup {
    struct world world;
    struct world_peer smtp, store, table;
    struct note_ledger smtp_ledger, store_ledger, table_ledger;
    struct arena arena;
    struct slice spec, name;
    uint64_t id;
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){.spec = SLICE("others file /x/y"), .name = SLICE("others"), .id = 1};
    world_open(&setup->world, &role_route);
    arena_init(&setup->arena, 1 << 22);
    setup->world.config.tables = (struct config_strings){&setup->spec, 1};
    setup->world.config.alias_tables = (struct config_strings){&setup->name, 1};
    setup->world.config.next_hop_tables = (struct config_strings){&setup->name, 1};
    world_write(&setup->world, "accounts", slice_of_string(accounts), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    world_attach(&setup->world, &setup->table, ROLE_TABLE, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_detach(&setup->store);
    world_detach(&setup->table);
    world_close(&setup->world);
    note_ledger_finish(&setup->smtp_ledger);
    note_ledger_finish(&setup->store_ledger);
    note_ledger_finish(&setup->table_ledger);
    arena_finish(&setup->arena);
}

static void
ask(struct setup *setup, const char *address)
{
    struct smtp_route_recipient recipient = {.id = setup->id++,
                                             .address = slice_of_string(address),
                                             .sender = SLICE("fred@truc.fr"),
                                             .takes_remote = true};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_route_put_recipient(&note, &setup->smtp_ledger, &recipient));
    host_channel_send(setup->smtp.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static struct smtp_route_route
answer_of(struct setup *setup)
{
    struct smtp_route_note answer;

    do {
        assert_true(smtp_route_take(world_next(&setup->smtp), HOST_HANDLE_NONE, 1,
                                    &setup->smtp_ledger, &setup->arena, &answer));
    } while (answer.kind == SMTP_ROUTE_CHANGED);
    return answer.as.route;
}

/* The table's next question must be about `key`; what it answers. */
static void
play_table(struct setup *setup, const char *key, enum route_table_outcome outcome,
           const char *value)
{
    struct route_table_note question;
    struct buffer note;

    assert_true(route_table_take(world_next(&setup->table), HOST_HANDLE_NONE, 0,
                                 &setup->table_ledger, &setup->arena, &question));
    if (!slice_equal(question.as.ask.key, slice_of_string(key)))
        fail_msg("asked for %.*s instead of %s", (int)question.as.ask.key.len,
                 (const char *)question.as.ask.key.at, key);
    struct route_table_answer answer = {
        .id = question.as.ask.id, .outcome = outcome, .value = slice_of_string(value)};
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(route_table_put_answer(&note, &setup->table_ledger, &answer));
    host_channel_send(setup->table.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static void
names_that_the_directory_lacks_are_asked_for(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    ask(&setup, "alice@a.test");
    assert_false(answer_of(&setup).is_passing);
    ask(&setup, "Sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "alice@a.test, marc@machin.com");
    struct smtp_route_route answer = answer_of(&setup);
    assert_int_equal(answer.verdict, SMTP_ROUTE_VERDICT_LOCAL);
    assert_true(answer.is_passing);
    assert_int_equal(answer.targets.count, 2);
    assert_int_equal(answer.targets.at[0].account, 1);
    assert_int_equal(answer.targets.at[1].box, SMTP_ROUTE_BOX_REMOTE);
    assert_true(slice_equal(answer.targets.at[1].name, SLICE("marc@machin.com")));
    ask(&setup, "nobody@a.test");
    play_table(&setup, "nobody@a.test", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    play_table(&setup, "@a.test", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_UNKNOWN);
    ask(&setup, "later@a.test");
    play_table(&setup, "later@a.test", ROUTE_TABLE_OUTCOME_TEMPORARY, "");
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    close_setup(&setup);
}

/* Nothing is bounced, and nobody waits for ever, because a process has died. */
static void
a_table_that_dies_makes_mail_wait(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    ask(&setup, "sales@a.test");
    ask(&setup, "other@a.test");
    world_run(&setup.world, 100);
    assert_int_equal(setup.table.count, 2);
    host_channel_close(&setup.table.channel);
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    ask(&setup, "third@a.test");
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_TEMPORARY);
    /* It is started anew. */
    world_detach(&setup.table);
    note_ledger_finish(&setup.table_ledger);
    world_attach(&setup.world, &setup.table, ROLE_TABLE, 0);
    ask(&setup, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "alice@a.test");
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_LOCAL);
    close_setup(&setup);
}

static void
an_smtp_that_dies_takes_its_questions_along(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup);
    ask(&setup, "sales@a.test");
    world_run(&setup.world, 100);
    world_detach(&setup.smtp);
    note_ledger_finish(&setup.smtp_ledger);
    world_attach(&setup.world, &setup.smtp, ROLE_SMTP, 0);
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "alice@a.test");
    world_run(&setup.world, 100);
    assert_int_equal(setup.smtp.count, 0);
    ask(&setup, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "alice@a.test");
    assert_int_equal(answer_of(&setup).verdict, SMTP_ROUTE_VERDICT_LOCAL);
    close_setup(&setup);
}

static void
a_table_names_the_next_hop(void **state)
{
    static struct setup setup;
    struct store_route_next_hop question = {
        .id = 1, .sender = SLICE("fred@truc.fr"), .recipient = SLICE("marc@sub.machin.com")};
    struct store_route_note answer;
    struct buffer note;

    (void)state;
    open_setup(&setup);
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_route_put_next_hop(&note, &setup.store_ledger, &question));
    host_channel_send(setup.store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    play_table(&setup, "marc@sub.machin.com", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    play_table(&setup, "sub.machin.com", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    play_table(&setup, "*.machin.com", ROUTE_TABLE_OUTCOME_FOUND, "smtp:[192.0.2.9]:2525 tls=may");
    assert_true(store_route_take(world_next(&setup.store), HOST_HANDLE_NONE, 1, &setup.store_ledger,
                                 &setup.arena, &answer));
    assert_int_equal(answer.as.hop.outcome, STORE_ROUTE_OUTCOME_FOUND);
    assert_int_equal(answer.as.hop.port, 2525);
    assert_int_equal(answer.as.hop.tls, STORE_ROUTE_TLS_MAY);
    assert_int_equal(answer.as.hop.addresses.count, 1);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_the_directory_lacks_are_asked_for),
        cmocka_unit_test(a_table_that_dies_makes_mail_wait),
        cmocka_unit_test(an_smtp_that_dies_takes_its_questions_along),
        cmocka_unit_test(a_table_names_the_next_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
