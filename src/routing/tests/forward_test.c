/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "routing/forward.h"

static const char accounts[] = "domain a.test\n"
                               "account alice@a.test id=1\n"
                               "account carol@a.test id=2 system=carol\n"
                               "account dave@a.test id=3 system=dd\n"
                               "account erin@a.test id=4 system=erin\n"
                               "account frank@a.test id=5 system=frank\n"
                               "account gone@a.test id=6 system=gone disabled\n"
                               "alias all@a.test to=alice@a.test,carol@a.test\n";

/* What stands in the .forward of LOGIN@DOMAIN; "!" cannot be read now. */
static const struct {
    const char *key, *value;
} files[] = {
    {"carol@a.test", "alice@a.test,=,fred@truc.test"},
    {"dd@a.test", "/srv/dave,|0123456789abcdef"},
    {"erin@a.test", "frank@a.test,nobody@a.test"},
    {"frank@a.test", "erin@a.test"},
    {"gone@a.test", "alice@a.test"},
};

struct setup {
    struct directory *directory;
    struct routing_names names;
    struct arena arena;
    struct routing_facts facts;
    struct routing_steps steps;
    struct directory_answer answer;
    bool is_down;
};

/* False when the arena has no room for the answers. */
static bool
answer_questions(struct setup *setup)
{
    bool is_kept = true;

    for (size_t i = 0; i < setup->facts.question_count; i++) {
        struct routing_question question = setup->facts.questions[i];
        struct slice value = SLICE("");
        assert_true(slice_equal(question.table, SLICE(ROUTING_FORWARD_TABLE)));
        for (size_t k = 0; k < COUNT_OF(files); k++) {
            if (slice_equal(question.key, slice_of_string(files[k].key)))
                value = slice_of_string(files[k].value);
        }
        is_kept &= routing_facts_add_table(&setup->facts, question.table, question.key,
                                           setup->is_down  ? ROUTING_TABLE_TEMPORARY
                                           : value.len > 0 ? ROUTING_TABLE_FOUND
                                                           : ROUTING_TABLE_NOT_FOUND,
                                           value);
    }
    return is_kept;
}

static enum routing_outcome
resolve(struct setup *setup, const char *address)
{
    enum routing_outcome outcome;

    arena_reset(&setup->arena);
    routing_facts_init(&setup->facts, &setup->arena);
    while ((outcome = routing_recipient(&setup->names, slice_of_string(address), &setup->facts,
                                        &setup->steps, &setup->answer)) == ROUTING_MISSING) {
        assert_true(setup->facts.question_count > 0);
        if (!answer_questions(setup))
            return ROUTING_TEMPORARY;
    }
    return outcome;
}

static void
open_setup(struct setup *setup)
{
    const struct directory_options options = {.separators = SLICE("+")};

    *setup = (struct setup){.directory = directory_parse(slice_of_string(accounts), &options)};
    assert_int_equal(directory_problem_count(setup->directory), 0);
    arena_init(&setup->arena, 1 << 24);
    setup->names = (struct routing_names){
        .directory = setup->directory, .has_forwards = true, .separators = SLICE("+")};
}

static void
close_setup(struct setup *setup)
{
    directory_close(&setup->directory);
    arena_finish(&setup->arena);
}

static void
expect(struct setup *setup, const char *address, const char *targets)
{
    struct buffer list;

    assert_int_equal(resolve(setup, address), ROUTING_FOUND);
    assert_int_equal(setup->answer.verdict, DIRECTORY_FOUND);
    buffer_init(&list, 4096);
    for (size_t i = 0; i < setup->answer.count; i++) {
        buffer_put_text(&list, i > 0 ? " " : "");
        buffer_put(&list, setup->answer.targets[i].name);
    }
    buffer_put_byte(&list, 0);
    assert_string_equal((const char *)buffer_slice(&list).at, targets);
    buffer_finish(&list);
}

static void
a_forward_stands_in_the_place_of_its_user(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    expect(&setup, "alice@a.test", "alice@a.test");
    expect(&setup, "carol+x@a.test", "fred@truc.test carol@a.test alice@a.test");
    expect(&setup, "all@a.test", "alice@a.test fred@truc.test carol@a.test");
    setup.names.has_forwards = false;
    expect(&setup, "carol@a.test", "carol@a.test");
    close_setup(&setup);
}

static void
files_and_programs_are_the_users(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    expect(&setup, "dave@a.test", "/srv/dave |0123456789abcdef.dd@a.test");
    assert_true(setup.answer.targets[0].is_file);
    assert_true(slice_equal(setup.answer.targets[0].user, SLICE("dd")));
    assert_true(setup.answer.targets[1].is_program);
    assert_null(setup.answer.targets[1].account);
    close_setup(&setup);
}

static void
circles_and_dead_ends_come_home(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    expect(&setup, "erin@a.test", "erin@a.test");
    expect(&setup, "frank@a.test", "erin@a.test frank@a.test");
    assert_int_equal(resolve(&setup, "gone@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.verdict, DIRECTORY_DISABLED);
    close_setup(&setup);
}

static void
what_cannot_be_read_now_waits(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    setup.is_down = true;
    assert_int_equal(resolve(&setup, "carol@a.test"), ROUTING_TEMPORARY);
    assert_int_equal(setup.answer.verdict, DIRECTORY_BROKEN);
    close_setup(&setup);
}

/* u1's .forward leads to a stranger and u2, and so on to u10; that of wide to a thousand strangers,
 * one more with what the alias adds. */
static enum routing_outcome
resolve_in_chain(struct setup *setup, const char *address)
{
    enum routing_outcome outcome;

    arena_reset(&setup->arena);
    routing_facts_init(&setup->facts, &setup->arena);
    while ((outcome = routing_recipient(&setup->names, slice_of_string(address), &setup->facts,
                                        &setup->steps, &setup->answer)) == ROUTING_MISSING) {
        for (size_t i = 0; i < setup->facts.question_count; i++) {
            struct routing_question question = setup->facts.questions[i];
            struct buffer value;
            unsigned user;
            char key[64];
            snprintf(key, sizeof(key), "%.*s", (int)question.key.len,
                     (const char *)question.key.at);
            buffer_init(&value, 1 << 20);
            if (sscanf(key, "u%u@", &user) == 1) {
                buffer_put_text(&value, user < 10 ? "stranger@b.test,u" : "stranger@b.test");
                if (user < 10) {
                    buffer_put_decimal(&value, user + 1);
                    buffer_put_text(&value, "@a.test");
                }
            }
            for (unsigned n = 0; key[0] == 'w' && n < DIRECTORY_TARGETS_MAX; n++) {
                buffer_put_text(&value, n > 0 ? ",s" : "s");
                buffer_put_decimal(&value, n);
                buffer_put_text(&value, "@b.test");
            }
            assert_true(routing_facts_add_table(&setup->facts, question.table, question.key,
                                                ROUTING_TABLE_FOUND,
                                                arena_copy(&setup->arena, buffer_slice(&value))));
            buffer_finish(&value);
        }
    }
    return outcome;
}

static void
forwards_lead_so_deep_and_to_so_many_and_no_further(void **state)
{
    static const char text[] = "domain a.test\n"
                               "account u1@a.test id=1 system=u1\n"
                               "account u2@a.test id=2 system=u2\n"
                               "account u3@a.test id=3 system=u3\n"
                               "account u4@a.test id=4 system=u4\n"
                               "account u5@a.test id=5 system=u5\n"
                               "account u6@a.test id=6 system=u6\n"
                               "account u7@a.test id=7 system=u7\n"
                               "account u8@a.test id=8 system=u8\n"
                               "account u9@a.test id=9 system=u9\n"
                               "account u10@a.test id=10 system=u10\n"
                               "account wide@a.test id=11 system=wide\n"
                               "alias one-more@a.test to=wide@a.test,other@b.test\n";
    const struct directory_options options = {.separators = SLICE("+")};
    struct setup setup;

    (void)state;
    open_setup(&setup);
    directory_close(&setup.directory);
    setup.directory = directory_parse(slice_of_string(text), &options);
    assert_int_equal(directory_problem_count(setup.directory), 0);
    setup.names.directory = setup.directory;
    static_assert(ROUTING_FORWARD_DEPTH_MAX == 8, "from u2 to u10");
    assert_int_equal(resolve_in_chain(&setup, "u2@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, 1);
    assert_true(slice_equal(setup.answer.targets[0].name, SLICE("stranger@b.test")));
    assert_int_equal(resolve_in_chain(&setup, "u1@a.test"), ROUTING_TEMPORARY);
    assert_int_equal(resolve_in_chain(&setup, "wide@a.test"), ROUTING_FOUND);
    assert_int_equal(setup.answer.count, DIRECTORY_TARGETS_MAX);
    assert_int_equal(resolve_in_chain(&setup, "one-more@a.test"), ROUTING_TEMPORARY);
    close_setup(&setup);
}

/* All that is known of one decision has a limit: nobody is left out because of it. */
static void
more_forwards_than_one_decision_asks_for_wait(void **state)
{
    const struct directory_options options = {.separators = SLICE("+")};
    struct setup setup;
    struct buffer text;

    (void)state;
    for (unsigned users = ROUTING_FACTS_MAX; users <= ROUTING_FACTS_MAX + 1; users++) {
        open_setup(&setup);
        directory_close(&setup.directory);
        buffer_init(&text, 1 << 20);
        buffer_put_text(&text, "domain a.test\n");
        for (unsigned i = 1; i <= users; i++) {
            char line[64];
            snprintf(line, sizeof(line), "account c%u@a.test id=%u system=c%u\n", i, i, i);
            buffer_put_text(&text, line);
        }
        for (unsigned i = 1; i <= users; i++) {
            buffer_put_text(&text, i == 1 ? "alias crowd@a.test to=c" : ",c");
            buffer_put_decimal(&text, i);
            buffer_put_text(&text, "@a.test");
        }
        buffer_put_text(&text, "\n");
        setup.directory = directory_parse(buffer_slice(&text), &options);
        setup.names.directory = setup.directory;
        assert_int_equal(directory_problem_count(setup.directory), 0);
        bool is_over = users > ROUTING_FACTS_MAX;
        assert_int_equal(resolve(&setup, "crowd@a.test"),
                         is_over ? ROUTING_TEMPORARY : ROUTING_FOUND);
        assert_true(is_over || setup.answer.count == users);
        buffer_finish(&text);
        close_setup(&setup);
    }
}

/* However little of it there is: an answer, or another try, and nobody is left out. */
static void
without_memory_mail_waits(void **state)
{
    size_t max = 0;
    enum routing_outcome outcome;
    struct setup setup;

    (void)state;
    open_setup(&setup);
    do {
        arena_finish(&setup.arena);
        arena_init(&setup.arena, max += 500);
        outcome = resolve(&setup, "all@a.test");
        assert_true(outcome == ROUTING_TEMPORARY || outcome == ROUTING_FOUND);
        assert_true(max < 1 << 21);
    } while (outcome != ROUTING_FOUND || setup.answer.count < 3);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_stands_in_the_place_of_its_user),
        cmocka_unit_test(files_and_programs_are_the_users),
        cmocka_unit_test(circles_and_dead_ends_come_home),
        cmocka_unit_test(what_cannot_be_read_now_waits),
        cmocka_unit_test(more_forwards_than_one_decision_asks_for_wait),
        cmocka_unit_test(without_memory_mail_waits),
        cmocka_unit_test(forwards_lead_so_deep_and_to_so_many_and_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
