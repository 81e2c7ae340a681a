/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/recipient.h"

static const char accounts[] = "domain a.test\n"
                               "domain b.test same-as=a.test\n"
                               "account alice@a.test id=1\n"
                               "account bob@a.test id=2\n"
                               "account off@a.test id=3 disabled\n";

/* "table key" and what stands there; "!" is a table that cannot be asked. */
static const struct {
    const char *table, *key, *value;
} rows[] = {
    {"one", "sales@a.test", "alice@a.test, Bob@A.TEST,alice@b.test"},
    {"one", "away@a.test", "fred@truc.fr"},
    {"one", "mixed@a.test", "\"a,b\"@truc.fr, sales@a.test"},
    {"one", "alice@a.test", "never@asked.test"},
    {"one", "ping@a.test", "pong@a.test"},
    {"one", "pong@a.test", "ping@a.test"},
    {"one", "self@a.test", "self@a.test, bob@a.test"},
    {"one", "off2@a.test", "off@a.test"},
    {"two", "second@a.test", "bob@a.test"},
    {"one", "down@a.test", "!"},
    {"one", "sales+vip@a.test", "bob@a.test"},
    /* Each leads to the one before. */
    {"one", "c0@a.test", "bob@a.test"},
    {"one", "c1@a.test", "c0@a.test"},
    {"one", "c2@a.test", "c1@a.test"},
    {"one", "c3@a.test", "c2@a.test"},
    {"one", "c4@a.test", "c3@a.test"},
    {"one", "c5@a.test", "c4@a.test"},
    {"one", "c6@a.test", "c5@a.test"},
    {"one", "c7@a.test", "c6@a.test"},
    {"one", "c8@a.test", "c7@a.test"},
};

struct setup {
    char many[16 * 1024]; /* where "many@a.test" leads */
    struct routing_names names;
    struct directory *directory;
    struct arena arena;
    struct routing_steps steps;
    struct directory_answer answer;
    unsigned rounds, asked;
};

static void
answer_question(struct setup *setup, struct routing_facts *facts,
                const struct routing_question *question)
{
    enum routing_table_outcome outcome = ROUTING_TABLE_NOT_FOUND;
    struct slice value = SLICE("");

    setup->asked++;
    assert_int_equal(question->kind, ROUTING_ASK_TABLE);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_equal(question->table, slice_of_string(rows[i].table)) ||
            !slice_equal(question->key, slice_of_string(rows[i].key)))
            continue;
        value = slice_of_string(rows[i].value);
        outcome = slice_equal(value, SLICE("!")) ? ROUTING_TABLE_TEMPORARY : ROUTING_TABLE_FOUND;
    }
    if (slice_equal(question->key, SLICE("many@a.test")) &&
        slice_equal(question->table, SLICE("one"))) {
        value = slice_of_string(setup->many);
        outcome = ROUTING_TABLE_FOUND;
    }
    assert_true(routing_facts_add_table(facts, question->table, question->key, outcome, value));
}

static enum routing_outcome
resolve(struct setup *setup, const char *address)
{
    struct routing_facts facts;
    enum routing_outcome outcome;

    arena_reset(&setup->arena);
    routing_facts_init(&facts, &setup->arena);
    setup->rounds = setup->asked = 0;
    while ((outcome = routing_recipient(&setup->names, slice_of_string(address), &facts,
                                        &setup->steps, &setup->answer)) == ROUTING_MISSING) {
        assert_true(++setup->rounds < 40 && facts.question_count > 0);
        for (size_t i = 0; i < facts.question_count && facts.count < ROUTING_FACTS_MAX; i++) {
            struct routing_question question = facts.questions[i];
            answer_question(setup, &facts, &question);
        }
    }
    return outcome;
}

static void
open_setup(struct setup *setup)
{
    static const struct slice tables[] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}};
    const struct directory_options options = {.separators = SLICE("+")};

    *setup = (struct setup){.directory = directory_parse(slice_of_string(accounts), &options)};
    assert_int_equal(directory_problem_count(setup->directory), 0);
    arena_init(&setup->arena, 1 << 24);
    setup->names = (struct routing_names){.directory = setup->directory,
                                          .alias_tables = tables,
                                          .alias_table_count = 2,
                                          .separators = SLICE("+")};
}

static void
close_setup(struct setup *setup)
{
    directory_close(&setup->directory);
    arena_finish(&setup->arena);
}

static void
tables_say_where_unknown_names_lead(void **state)
{
    static const struct {
        const char *address, *first;
        size_t count;
    } wanted[] = {
        {"sales@a.test", "alice@a.test", 2}, {"SALES+x@a.test", "alice@a.test", 2},
        {"away@a.test", "fred@truc.fr", 1},  {"mixed@a.test", "\"a,b\"@truc.fr", 3},
        {"second@a.test", "bob@a.test", 1},  {"self@a.test", "bob@a.test", 1},
    };
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_int_equal(resolve(&setup, wanted[i].address), ROUTING_FOUND);
        assert_int_equal(setup.answer.verdict, DIRECTORY_FOUND);
        assert_int_equal(setup.answer.count, wanted[i].count);
        assert_true(slice_equal(setup.answer.targets[0].name, slice_of_string(wanted[i].first)));
        assert_true(setup.answer.targets[0].is_forwarded);
    }
    close_setup(&setup);
}

static void
the_directory_comes_first_and_foreign_names_are_not_asked_about(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(resolve(&setup, "alice@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.asked, 0);
    assert_int_equal(setup.answer.targets[0].account->id, 1);
    assert_int_equal(resolve(&setup, "x@rest.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.verdict, DIRECTORY_FOREIGN);
    assert_int_equal(setup.asked, 0);
    assert_int_equal(resolve(&setup, "nobody+x@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.verdict, DIRECTORY_UNKNOWN);
    assert_int_equal(setup.asked, 6);
    setup.names.alias_table_count = 0;
    assert_int_equal(resolve(&setup, "sales@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.verdict, DIRECTORY_UNKNOWN);
    close_setup(&setup);
}

static void
what_leads_nowhere_waits_for_the_operator(void **state)
{
    static const char *const addresses[] = {"down@a.test", "ping@a.test", "off2@a.test"};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        assert_int_equal(resolve(&setup, addresses[i]), ROUTING_TEMPORARY);
        assert_int_equal(setup.answer.verdict, DIRECTORY_BROKEN);
        assert_true(setup.answer.why[0] != 0);
    }
    close_setup(&setup);
}

static void
what_stands_behind_a_separator_may_have_a_row_of_its_own(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.names.alias_table_count = 1;
    assert_int_equal(resolve(&setup, "sales+vip@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, 1);
    assert_int_equal(resolve(&setup, "sales+x@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, 2);
    close_setup(&setup);
}

static void
tables_lead_only_so_deep(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_int_equal(ROUTING_ALIAS_DEPTH_MAX, 8);
    assert_int_equal(resolve(&setup, "c7@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, 1);
    assert_int_equal(resolve(&setup, "c8@a.test"), ROUTING_TEMPORARY);
    assert_string_equal(setup.answer.why, "aliases in tables lead too deep or to too many");
    close_setup(&setup);
}

/* N addresses, "x0@HOST" and so on, and one more. */
static void
lead_to(struct setup *setup, unsigned count, const char *host, const char *last)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(setup->many + len, sizeof(setup->many) - len, "x%u@%s,", i, host);
    len += (size_t)snprintf(setup->many + len, sizeof(setup->many) - len, "%s", last);
    assert_true(len < sizeof(setup->many) - 1);
}

static void
tables_lead_only_to_so_many(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    /* The address itself is one of them. */
    lead_to(&setup, ROUTING_ALIAS_ADDRESSES_MAX - 1, "truc.fr", "");
    assert_int_equal(resolve(&setup, "many@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, ROUTING_ALIAS_ADDRESSES_MAX - 1);
    lead_to(&setup, ROUTING_ALIAS_ADDRESSES_MAX, "truc.fr", "");
    assert_int_equal(resolve(&setup, "many@a.test"), ROUTING_TEMPORARY);
    assert_string_equal(setup.answer.why, "a row of a table has too many addresses");
    close_setup(&setup);
}

/* The row itself; of each name in it, itself; and what stands for all names of the domain. */
static void
tables_are_asked_only_so_often(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.names.alias_table_count = 1;
    lead_to(&setup, ROUTING_FACTS_MAX - 2 - 1, "a.test", "bob@a.test");
    assert_int_equal(resolve(&setup, "many@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.asked, ROUTING_FACTS_MAX - 1);
    lead_to(&setup, ROUTING_FACTS_MAX - 2, "a.test", "");
    assert_int_equal(resolve(&setup, "many@a.test"), ROUTING_TEMPORARY);
    assert_int_equal(setup.asked, ROUTING_FACTS_MAX);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_where_unknown_names_lead),
        cmocka_unit_test(the_directory_comes_first_and_foreign_names_are_not_asked_about),
        cmocka_unit_test(what_leads_nowhere_waits_for_the_operator),
        cmocka_unit_test(what_stands_behind_a_separator_may_have_a_row_of_its_own),
        cmocka_unit_test(tables_lead_only_so_deep),
        cmocka_unit_test(tables_lead_only_to_so_many),
        cmocka_unit_test(tables_are_asked_only_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
