/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "role/smtp/answers.h"

static struct smtp_route_target one_target = {
    .account = 7, .name = {(const uint8_t *)"a@a.test", 8}, .quota_bytes = 100};

static struct smtp_route_recipient
question(const char *address)
{
    return (struct smtp_route_recipient){.address = slice_of_string(address)};
}

static struct smtp_route_route
local_answer(void)
{
    return (struct smtp_route_route){.verdict = SMTP_ROUTE_VERDICT_LOCAL,
                                     .targets = {&one_target, 1}};
}

static void
a_plain_answer_is_found_again_until_forgotten(void **state)
{
    struct answers answers;
    struct smtp_route_recipient asked = question("a@a.test");
    struct smtp_route_route answer = local_answer();

    (void)state;
    answers_init(&answers, 1);
    assert_null(answers_find(&answers, &asked));
    answers_keep(&answers, &asked, &answer);
    asked.id = 99; /* is no part of the question */
    const struct smtp_route_route *found = answers_find(&answers, &asked);
    assert_non_null(found);
    assert_int_equal(found->targets.count, 1);
    assert_int_equal(found->targets.at[0].account, 7);
    assert_int_equal(found->targets.at[0].quota_bytes, 100);
    assert_true(slice_equal(found->targets.at[0].name, SLICE("a@a.test")));
    assert_ptr_not_equal(found->targets.at[0].name.at, one_target.name.at);
    answers_forget(&answers);
    assert_null(answers_find(&answers, &asked));
    answers_finish(&answers);
}

static void
whoever_asks_otherwise_gets_no_answer(void **state)
{
    struct answers answers;
    struct smtp_route_recipient asked = question("a@a.test");
    struct smtp_route_route answer = local_answer();
    struct smtp_route_recipient others[] = {
        asked, asked, asked, asked, asked, question("A@a.test"), question("ba@a.test")};

    (void)state;
    others[0].is_authenticated = true;
    others[1].is_trusted_network = true;
    others[2].takes_remote = true;
    others[3].account = 1;
    others[4].sender = SLICE("b");
    others[4].address = SLICE("a@a.test");
    answers_init(&answers, 1);
    answers_keep(&answers, &asked, &answer);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_null(answers_find(&answers, &others[i]));
    answers_finish(&answers);
}

static void
only_plain_answers_are_kept(void **state)
{
    struct answers answers;
    struct smtp_route_recipient asked = question("a@a.test");
    struct smtp_route_group group = {.has_sender = true};
    struct smtp_route_route rows[] = {local_answer(), local_answer(), local_answer(),
                                      local_answer(), local_answer()};

    (void)state;
    rows[3].is_passing = true;
    rows[0].verdict = SMTP_ROUTE_VERDICT_MOVED;
    rows[1].text = SLICE("text");
    rows[2].targets.count = 0;
    rows[4].groups.at = &group;
    rows[4].groups.count = 1;
    answers_init(&answers, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        answers_keep(&answers, &asked, &rows[i]);
        assert_null(answers_find(&answers, &asked));
    }
    answers_finish(&answers);
}

static void
an_answer_about_another_hosts_domain_is_one_for_its_plain_addresses(void **state)
{
    static const struct {
        const char *address;
        bool is_found;
    } rows[] = {
        {"fred@far.test", true},     {"a.b-c_d+e9@FAR.test", true}, {"fred@near.test", false},
        {"a%b@far.test", false},     {"a!b@far.test", false},       {"\"a@b\"@far.test", false},
        {"fred@far.test.", false},   {"@far.test", false},          {"far.test", false},
        {"fred@[192.0.2.1]", false}, {"a@b@far.test", false},       {"@a.test:b@far.test", false},
        {"<fred@far.test>", false},
    };
    struct smtp_route_target remote = {.box = SMTP_ROUTE_BOX_REMOTE,
                                       .name = {(const uint8_t *)"x@far.test", 10}};
    struct smtp_route_route answer = {
        .verdict = SMTP_ROUTE_VERDICT_LOCAL, .targets = {&remote, 1}, .is_for_domain = true};
    struct smtp_route_recipient asked = question("x@far.test");
    struct answers answers;

    (void)state;
    asked.is_trusted_network = true;
    answers_init(&answers, 1);
    answers_keep(&answers, &asked, &answer);
    asked.sender = SLICE("other");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        asked.address = slice_of_string(rows[i].address);
        const struct smtp_route_route *found = answers_find(&answers, &asked);
        if (!found != !rows[i].is_found)
            fail_msg("%s", rows[i].address);
        if (found)
            assert_true(slice_equal(found->targets.at[0].name, asked.address));
    }
    /* A stranger is another question. */
    asked = question("fred@far.test");
    assert_null(answers_find(&answers, &asked));
    answers_forget(&answers);
    asked.is_trusted_network = true;
    assert_null(answers_find(&answers, &asked));
    /* An odd address says nothing of others. */
    asked.address = SLICE("a%b@far.test");
    answers_keep(&answers, &asked, &answer);
    asked.address = SLICE("b@far.test");
    assert_null(answers_find(&answers, &asked));
    answers_finish(&answers);
}

static void
memory_is_bounded(void **state)
{
    static char address[ANSWERS_QUESTION_MAX + 1];
    struct answers answers;
    struct smtp_route_route answer = local_answer();

    (void)state;
    answers_init(&answers, 1);
    for (unsigned i = 0; i < 3 * ANSWERS_MAX; i++) {
        snprintf(address, sizeof(address), "%u@a.test", i);
        struct smtp_route_recipient asked = question(address);
        answers_keep(&answers, &asked, &answer);
        assert_non_null(answers_find(&answers, &asked));
        assert_true(answers.map.count <= ANSWERS_MAX);
        assert_true(answers.arena.total <= ANSWERS_BYTES_MAX);
    }
    memset(address, 'x', ANSWERS_QUESTION_MAX);
    struct smtp_route_recipient asked = question(address);
    answers_keep(&answers, &asked, &answer);
    assert_null(answers_find(&answers, &asked));
    answers_finish(&answers);
}

static void
an_answer_that_does_not_fit_makes_room(void **state)
{
    static struct smtp_route_target many[1000];
    static uint8_t path[1024];
    struct answers answers;
    struct smtp_route_route answer = local_answer();

    (void)state;
    answers_init(&answers, 1);
    struct smtp_route_recipient small = question("small"), large = question("large");
    answers_keep(&answers, &small, &answer);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (struct smtp_route_target){.path = slice_of(path, sizeof(path))};
    answer.targets.at = many;
    answer.targets.count = COUNT_OF(many);
    answers_keep(&answers, &large, &answer);
    assert_null(answers_find(&answers, &large));
    assert_null(answers_find(&answers, &small));
    answer = local_answer();
    answers_keep(&answers, &small, &answer);
    assert_non_null(answers_find(&answers, &small));
    answers_finish(&answers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_answer_is_found_again_until_forgotten),
        cmocka_unit_test(whoever_asks_otherwise_gets_no_answer),
        cmocka_unit_test(only_plain_answers_are_kept),
        cmocka_unit_test(an_answer_about_another_hosts_domain_is_one_for_its_plain_addresses),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(an_answer_that_does_not_fit_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
