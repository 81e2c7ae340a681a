/* SPDX-License-Identifier: ISC */
/* As whom an account may send. */
#include "role/tests/world.h"

#include "note/route_table.h"
#include "note/smtp_route.h"

enum { ALICE = 1, BOB = 2, SHOP = 3, CUSTOMER = 4 };

static const char accounts[] = "domain a.test postmaster=bob@a.test\n"
                               "domain old.test same-as=a.test\n"
                               "domain every.test\n"
                               "account alice@a.test id=1 system=alice\n"
                               "account bob@a.test id=2\n"
                               "account shop@a.test id=3\n"
                               "account customer@a.test id=4\n"
                               "account off@a.test id=5 disabled\n"
                               "alias info@a.test to=alice@a.test,bob@a.test\n"
                               "alias deep@a.test to=info@a.test\n"
                               "alias away@a.test to=alice@a.test,fred@elsewhere.test\n"
                               "alias loop@a.test to=loop@a.test\n"
                               "alias @every.test to=alice@a.test\n"
                               "list team@a.test to=alice@a.test,bob@a.test owner=bob@a.test\n"
                               "alias readers@a.test to=team@a.test\n"
                               "moved maiden@a.test to=alice@a.test\n"
                               "moved gone@a.test to=alice@elsewhere.test\n"
                               "relay customer.test\n";

struct setup {
    struct world world;
    struct world_peer smtp, table;
    struct note_ledger smtp_ledger, table_ledger;
    struct arena arena;
    struct slice spec, name;
    uint64_t id;
};

static struct slice send_as[] = {
    {(const uint8_t *)"shop@a.test @shop.test", 22},
    {(const uint8_t *)"shop@a.test Team@a.test", 23},
    {(const uint8_t *)"bob@a.test *", 12},
};
static struct slice atrn[] = {{(const uint8_t *)"customer@a.test customer.test", 29}};

static void
open_setup(struct setup *setup, bool has_table)
{
    *setup = (struct setup){.spec = SLICE("others file /x/y"), .name = SLICE("others"), .id = 1};
    world_open(&setup->world, &role_route);
    arena_init(&setup->arena, 1 << 22);
    setup->world.config.send_as = (struct config_strings){send_as, COUNT_OF(send_as)};
    setup->world.config.atrn = (struct config_strings){atrn, COUNT_OF(atrn)};
    if (has_table) {
        setup->world.config.tables = (struct config_strings){&setup->spec, 1};
        setup->world.config.alias_tables = (struct config_strings){&setup->name, 1};
    }
    world_write(&setup->world, "accounts", slice_of_string(accounts), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->smtp, ROLE_SMTP, 0);
    world_attach(&setup->world, &setup->table, ROLE_TABLE, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->smtp);
    world_detach(&setup->table);
    world_close(&setup->world);
    note_ledger_finish(&setup->smtp_ledger);
    note_ledger_finish(&setup->table_ledger);
    arena_finish(&setup->arena);
}

static void
ask(struct setup *setup, uint64_t account, const char *address)
{
    struct smtp_route_claim claim = {
        .id = setup->id++, .account = account, .address = slice_of_string(address)};
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_route_put_claim(&note, &setup->smtp_ledger, &claim));
    host_channel_send(setup->smtp.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static enum smtp_route_claim_result
result_of(struct setup *setup)
{
    struct smtp_route_note answer;

    do {
        assert_true(smtp_route_take(world_next(&setup->smtp), HOST_HANDLE_NONE, 1,
                                    &setup->smtp_ledger, &setup->arena, &answer));
    } while (answer.kind == SMTP_ROUTE_CHANGED);
    assert_int_equal(answer.kind, SMTP_ROUTE_CLAIMED);
    return answer.as.claimed.result;
}

struct row {
    uint64_t account;
    const char *address;
    enum smtp_route_claim_result result;
};

static void
expect_all(const struct row *rows, size_t count)
{
    static struct setup setup;

    open_setup(&setup, false);
    for (size_t i = 0; i < count; i++) {
        ask(&setup, rows[i].account, rows[i].address);
        enum smtp_route_claim_result result = result_of(&setup);
        if (result != rows[i].result)
            fail_msg("%d as %s: %d", (int)rows[i].account, rows[i].address, (int)result);
    }
    close_setup(&setup);
}

static void
play_table(struct setup *setup, const char *key, enum route_table_outcome outcome,
           const char *value)
{
    struct route_table_note question;
    struct buffer note;

    assert_true(route_table_take(world_next(&setup->table), HOST_HANDLE_NONE, 0,
                                 &setup->table_ledger, &setup->arena, &question));
    assert_true(slice_equal(question.as.ask.key, slice_of_string(key)));
    struct route_table_answer answer = {
        .id = question.as.ask.id, .outcome = outcome, .value = slice_of_string(value)};
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(route_table_put_answer(&note, &setup->table_ledger, &answer));
    host_channel_send(setup->table.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

static void
an_account_sends_as_who_reaches_it(void **state)
{
    static const struct row rows[] = {
        {ALICE, "alice@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "Alice+Shop@A.TEST", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "alice@old.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "info@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "deep@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "maiden@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {ALICE, "whoever@every.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {SHOP, "info@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {SHOP, "whoever@every.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "bob@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "nobody@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "off@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "alice@elsewhere.test", SMTP_ROUTE_CLAIM_RESULT_FOREIGN},
        {ALICE, "anybody@customer.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "gone@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "postmaster@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "no address", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        /* Whoever reads a list does not speak for it, by whichever way it is reached. */
        {ALICE, "team@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "readers@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "loop@a.test", SMTP_ROUTE_CLAIM_RESULT_TEMPORARY},
        {0, "alice@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {99, "alice@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
    };

    (void)state;
    expect_all(rows, COUNT_OF(rows));
}

static void
an_account_sends_as_whom_the_operator_permits(void **state)
{
    static const struct row rows[] = {
        {SHOP, "orders@shop.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {SHOP, "Orders@SHOP.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {SHOP, "orders@x.shop.test", SMTP_ROUTE_CLAIM_RESULT_FOREIGN},
        {SHOP, "team@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {SHOP, "team2@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {ALICE, "orders@shop.test", SMTP_ROUTE_CLAIM_RESULT_FOREIGN},
        {BOB, "anybody@elsewhere.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {BOB, "alice@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {BOB, "no address", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        /* whose mail it fetches by ATRN */
        {CUSTOMER, "anybody@customer.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {CUSTOMER, "customer@a.test", SMTP_ROUTE_CLAIM_RESULT_OWN},
        {CUSTOMER, "shop@a.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
        {SHOP, "anybody@customer.test", SMTP_ROUTE_CLAIM_RESULT_OTHER},
    };

    (void)state;
    expect_all(rows, COUNT_OF(rows));
}

static void
tables_say_who_is_reached_too(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, true);
    ask(&setup, ALICE, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "bob@a.test, alice@a.test");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_OWN);
    ask(&setup, ALICE, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_FOUND, "bob@a.test");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_OTHER);
    ask(&setup, ALICE, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_TEMPORARY, "");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_TEMPORARY);
    ask(&setup, ALICE, "sales@a.test");
    play_table(&setup, "sales@a.test", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    play_table(&setup, "@a.test", ROUTE_TABLE_OUTCOME_NOT_FOUND, "");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_OTHER);
    close_setup(&setup);
}

/* Where somebody has his mail sent on to is his affair, and nobody's right. */
static void
forward_files_are_not_asked(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, false);
    setup.world.config.forward_files = CONFIG_FORWARD_ALL;
    ask(&setup, ALICE, "alice@a.test");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_OWN);
    ask(&setup, BOB + 1, "alice@a.test");
    assert_int_equal(result_of(&setup), SMTP_ROUTE_CLAIM_RESULT_OTHER);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_sends_as_who_reaches_it),
        cmocka_unit_test(an_account_sends_as_whom_the_operator_permits),
        cmocka_unit_test(forward_files_are_not_asked),
        cmocka_unit_test(tables_say_who_is_reached_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
