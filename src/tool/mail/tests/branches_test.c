/* SPDX-License-Identifier: ISC */
#include "tool/mail/branches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct letter {
    const char *id, *references, *subject;
};

static void
assert_drawn(const struct letter *letters, size_t count, const char *expected)
{
    struct branches *branches = branches_new(count);
    struct buffer text;
    size_t drawn_count;
    char place[16];

    for (size_t i = 0; i < count; i++) {
        struct summary summary = {.message_id = slice_of_string(letters[i].id),
                                  .references = slice_of_string(letters[i].references),
                                  .subject = slice_of_string(letters[i].subject)};
        branches_add(branches, i, &summary, (struct wall){(int64_t)(i + 1) * 1000000000});
    }
    const struct branch *drawn = branches_draw(branches, &drawn_count);
    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < drawn_count; i++) {
        (void)snprintf(place, sizeof(place), "%zu\n", drawn[i].place);
        buffer_put_text(&text, drawn[i].line);
        buffer_put_text(&text, place);
    }
    buffer_put_byte(&text, '\0');
    assert_string_equal((const char *)buffer_slice(&text).at, expected);
    buffer_finish(&text);
    branches_finish(&branches);
    assert_null(branches);
}

static void
answers_stand_below_what_they_answer(void **state)
{
    static const struct letter letters[] = {{"<0@x>", "", "Dinner"},
                                            {"<1@x>", "<0@x>", "Re: Dinner"},
                                            {"<2@x>", "", "Other"},
                                            {"<3@x>", "<0@x> <1@x>", "Re: Dinner"},
                                            {"<4@x>", "<0@x>", "Re: Dinner"}};

    (void)state;
    assert_drawn(letters, COUNT_OF(letters), "0\n├─> 1\n│ └─> 3\n└─> 4\n2\n");
}

static void
answers_to_one_that_is_not_here_stand_together(void **state)
{
    static const struct letter letters[] = {{"<1@x>", "<0@x>", "Re: Dinner"},
                                            {"<2@x>", "<0@x>", "Re: Dinner"},
                                            {"<3@x>", "<0@x> <1@x>", "Re: Dinner"},
                                            {"<4@x>", "<0@x>", "Re: Dinner"}};

    (void)state;
    assert_drawn(letters, COUNT_OF(letters), "┌─> 0\n│ └─> 2\n├─> 1\n└─> 3\n");
}

static void
a_parent_is_named_and_depth_is_told(void **state)
{
    struct summary first = {.message_id = SLICE("<0@x>")};
    struct summary second = {.message_id = SLICE("<1@x>"), .in_reply_to = SLICE("<0@x>")};
    struct branches *branches = branches_new(2);
    size_t count;

    (void)state;
    branches_add(branches, 7, &first, (struct wall){1});
    branches_add(branches, 9, &second, (struct wall){2});
    const struct branch *drawn = branches_draw(branches, &count);
    assert_int_equal(count, 2);
    assert_true(drawn[0].place == 7 && drawn[0].parent == SIZE_MAX && drawn[0].depth == 0);
    assert_true(drawn[1].place == 9 && drawn[1].parent == 7 && drawn[1].depth == 1);
    branches_finish(&branches);
}

/* A long quarrel is drawn in bounded width and time. */
static void
a_chain_of_thousands_does_not_run_away(void **state)
{
    enum { LONG = 20000 };
    struct branches *branches = branches_new(LONG);
    char id[32], before[32] = "";
    size_t count;

    (void)state;
    for (size_t i = 0; i < LONG; i++) {
        (void)snprintf(id, sizeof(id), "<%zu@x>", i);
        struct summary summary = {.message_id = slice_of_string(id),
                                  .in_reply_to = slice_of_string(before)};
        branches_add(branches, i, &summary, (struct wall){(int64_t)i + 1});
        memcpy(before, id, sizeof(id));
    }
    const struct branch *drawn = branches_draw(branches, &count);
    assert_int_equal(count, LONG);
    assert_int_equal(drawn[LONG - 1].depth, LONG - 1);
    assert_true(strlen(drawn[LONG - 1].line) < 100);
    branches_finish(&branches);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_stand_below_what_they_answer),
        cmocka_unit_test(answers_to_one_that_is_not_here_stand_together),
        cmocka_unit_test(a_parent_is_named_and_depth_is_told),
        cmocka_unit_test(a_chain_of_thousands_does_not_run_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
