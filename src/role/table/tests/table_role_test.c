/* SPDX-License-Identifier: ISC */
#include "role/tests/world.h"

#include "note/route_table.h"

struct setup {
    struct world world;
    struct world_peer route;
    struct note_ledger ledger;
    struct arena arena;
    uint64_t id;
    struct slice spec;
};

static void
open_setup(struct setup *setup, const char *spec, const char *rows)
{
    world_open(&setup->world, &role_table);
    setup->ledger = (struct note_ledger){0};
    setup->id = 1;
    setup->spec = slice_of_string(spec);
    arena_init(&setup->arena, 1 << 20);
    setup->world.config.tables = (struct config_strings){&setup->spec, 1};
    if (rows)
        world_write(&setup->world, "hops", slice_of_string(rows), false);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->route, ROLE_ROUTE, 0);
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->route);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
}

static struct route_table_answer
ask(struct setup *setup, const char *key)
{
    struct route_table_ask question = {.id = setup->id++, .key = slice_of_string(key)};
    struct route_table_note answer;
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(route_table_put_ask(&note, &setup->ledger, &question));
    host_channel_send(setup->route.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    assert_true(route_table_take(world_next(&setup->route), HOST_HANDLE_NONE, 1, &setup->ledger,
                                 &setup->arena, &answer));
    assert_int_equal(answer.as.answer.id, question.id);
    return answer.as.answer;
}

static void
rows_of_a_file_are_answered_and_seen_anew(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, "t file /data/directory/hops", "a.test smtp:[one]\n");
    struct route_table_answer answer = ask(&setup, "A.test");
    assert_int_equal(answer.outcome, ROUTE_TABLE_OUTCOME_FOUND);
    assert_true(slice_equal(answer.value, SLICE("smtp:[one]")));
    assert_int_equal(ask(&setup, "b.test").outcome, ROUTE_TABLE_OUTCOME_NOT_FOUND);
    world_write(&setup.world, "hops", SLICE("b.test smtp:[two]\n"), true);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "b.test").outcome, ROUTE_TABLE_OUTCOME_FOUND);
    close_setup(&setup);
}

static void
a_file_that_is_not_there_makes_mail_wait(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, "t regex /data/directory/hops", NULL);
    struct route_table_answer answer = ask(&setup, "a.test");
    assert_int_equal(answer.outcome, ROUTE_TABLE_OUTCOME_TEMPORARY);
    assert_true(slice_equal(answer.why, SLICE("the table could not be opened")));
    world_write(&setup.world, "hops", SLICE("/^a/ smtp:[one]\n"), false);
    world_run(&setup.world, 2000);
    assert_int_equal(ask(&setup, "a.test").outcome, ROUTE_TABLE_OUTCOME_FOUND);
    assert_int_equal(ask(&setup, "b.test").outcome, ROUTE_TABLE_OUTCOME_NOT_FOUND);
    close_setup(&setup);
}

static void
a_bad_spec_stops_the_start(void **state)
{
    static const char *const specs[] = {"t file hops", "t folder /data", "t file /nowhere/hops"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct world world;
        struct slice spec = slice_of_string(specs[i]);
        world_open(&world, &role_table);
        world.config.tables = (struct config_strings){&spec, 1};
        struct role_start start = {.host = world.host,
                                   .config = &world.config,
                                   .processes = 1,
                                   .fail = world_fail,
                                   .fail_context = &world};
        assert_null(role_table.open(&start));
        assert_non_null(world.failed);
        world_close(&world);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_file_are_answered_and_seen_anew),
        cmocka_unit_test(a_file_that_is_not_there_makes_mail_wait),
        cmocka_unit_test(a_bad_spec_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
