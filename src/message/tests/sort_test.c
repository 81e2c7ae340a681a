/* SPDX-License-Identifier: ISC */
#include "message/sort.h"
#include "text/tests/check.h"

#include <stdlib.h>

static void
keys_are_found_by_name(void **state)
{
    enum sort_key key = SORT_KEYS;

    (void)state;
    assert_true(sort_key_find(SLICE("Subject"), &key));
    assert_int_equal(key, SORT_SUBJECT);
    assert_true(sort_key_find(SLICE("DISPLAYTO"), &key));
    assert_int_equal(key, SORT_DISPLAYTO);
    assert_false(sort_key_find(SLICE("REVERSE"), &key));
}

static const struct sort_values messages[] = {
    {.arrival = {5},
     .date = {40},
     .size = 300,
     .subject = {(const uint8_t *)"beta", 4},
     .from = {(const uint8_t *)"zoe", 3},
     .display_from = {(const uint8_t *)"Anne", 4}},
    {.arrival = {4},
     .date = {30},
     .size = 200,
     .subject = {(const uint8_t *)"ALPHA", 5},
     .from = {(const uint8_t *)"Adam", 4},
     .display_from = {(const uint8_t *)"adam@b", 6}},
    {.arrival = {3},
     .date = {-1},
     .size = 100,
     .subject = {(const uint8_t *)"Beta", 4},
     .from = {(const uint8_t *)"bob", 3},
     .display_from = {(const uint8_t *)"Émile", 6}},
    {.arrival = {2},
     .date = {30},
     .size = 100,
     .subject = {(const uint8_t *)"", 0},
     .from = {(const uint8_t *)"", 0},
     .display_from = {(const uint8_t *)"emma", 4}},
    {.arrival = {1},
     .date = {10},
     .size = 100,
     .subject = {(const uint8_t *)"alphabet soup", 13},
     .from = {(const uint8_t *)"b", 1},
     .display_from = {(const uint8_t *)"Bob", 3}},
};

static void
expect_order(const struct sort_term *terms, size_t count, const char *expected)
{
    struct arena arena;
    char order[COUNT_OF(messages) + 1] = "";
    size_t sorted;

    arena_init(&arena, 1 << 20);
    struct sorter *sorter = sorter_new(&arena, terms, count, COUNT_OF(messages));
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        assert_true(sorter_add(sorter, (uint32_t)i + 1, &messages[i]));
    assert_false(sorter_add(sorter, 9, &messages[0]));
    const uint32_t *numbers = sorter_finish(sorter, &sorted);
    assert_int_equal(sorted, COUNT_OF(messages));
    for (size_t i = 0; i < sorted; i++)
        order[i] = (char)('0' + numbers[i]);
    assert_string_equal(order, expected);
    assert_false(sorter_add(sorter, 9, &messages[0]));
    arena_finish(&arena);
}

/* RFC 5256 §3: equal ones stay in the order of their numbers, under REVERSE too. */
static void
messages_are_sorted_by_each_key(void **state)
{
    static const struct {
        struct sort_term terms[3];
        size_t count;
        const char *expected;
    } cases[] = {
        {{{SORT_ARRIVAL, false}}, 1, "54321"},
        {{{SORT_ARRIVAL, true}}, 1, "12345"},
        {{{SORT_DATE, false}}, 1, "35241"},
        {{{SORT_DATE, true}}, 1, "12453"},
        {{{SORT_SIZE, false}}, 1, "34521"},
        {{{SORT_SIZE, true}}, 1, "12345"},
        {{{SORT_SUBJECT, false}}, 1, "42513"},
        {{{SORT_SUBJECT, true}}, 1, "13524"},
        {{{SORT_SUBJECT, false}, {SORT_DATE, false}}, 2, "42531"},
        {{{SORT_SUBJECT, true}, {SORT_DATE, true}}, 2, "13524"},
        {{{SORT_FROM, false}}, 1, "42531"},
        {{{SORT_DISPLAYFROM, false}}, 1, "21543"},
        {{{SORT_CC, false}}, 1, "12345"},
        {{{SORT_TO, true}}, 1, "12345"},
        {{{SORT_DISPLAYTO, true}, {SORT_SIZE, false}, {SORT_ARRIVAL, false}}, 3, "54321"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_order(cases[i].terms, cases[i].count, cases[i].expected);
}

static void
limits_are_kept(void **state)
{
    static const struct sort_term terms[SORT_TERMS_MAX + 1];
    struct arena arena;

    (void)state;
    arena_init(&arena, 4096);
    assert_null(sorter_new(&arena, terms, 0, 1));
    assert_null(sorter_new(&arena, terms, SORT_TERMS_MAX + 1, 1));
    assert_null(sorter_new(&arena, terms, 1, 1 << 20));
    struct sorter *sorter = sorter_new(&arena, terms, SORT_TERMS_MAX, 10);
    assert_non_null(sorter);
    assert_true(sorter_wants(sorter, SORT_ARRIVAL));
    assert_false(sorter_wants(sorter, SORT_TO));
    size_t added = 0;
    while (sorter_add(sorter, 1, &messages[0]))
        added++;
    assert_int_equal(added, 10);
    arena_finish(&arena);
}

/* Texts longer than SORT_TEXT_MAX are cut, NULs inside do not end them. */
static void
odd_texts_are_sorted(void **state)
{
    static const struct sort_term by_subject = {SORT_SUBJECT, false};
    static uint8_t a_lot[5000];
    struct sort_values values[3] = {{.size = 0}};
    struct arena arena;
    size_t count;

    (void)state;
    memset(a_lot, 'x', sizeof(a_lot));
    values[0].subject = slice_of(a_lot, sizeof(a_lot));
    values[1].subject = SLICE("a\0b");
    values[2].subject = SLICE("a");
    arena_init(&arena, 1 << 16);
    struct sorter *sorter = sorter_new(&arena, &by_subject, 1, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(sorter_add(sorter, i, &values[i]));
    const uint32_t *numbers = sorter_finish(sorter, &count);
    assert_int_equal(count, 3);
    assert_int_equal(numbers[0], 2);
    assert_int_equal(numbers[1], 1);
    assert_int_equal(numbers[2], 0);
    arena_finish(&arena);
}

/* 100,000 messages in pseudo-random order, against what the library's qsort makes of them. */
static int
by_size(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void
many_messages_are_sorted(void **state)
{
    enum { MANY = 100000 };
    static const struct sort_term by_size_term = {SORT_SIZE, false};
    static uint64_t sizes[MANY], sorted[MANY];
    struct arena arena;
    size_t count;
    uint64_t random = 1;

    (void)state;
    arena_init(&arena, 1 << 26);
    struct sorter *sorter = sorter_new(&arena, &by_size_term, 1, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        sizes[i] = sorted[i] = random >> 40;
        assert_true(sorter_add(sorter, i, &(struct sort_values){.size = sizes[i]}));
    }
    qsort(sorted, MANY, sizeof(*sorted), by_size);
    const uint32_t *numbers = sorter_finish(sorter, &count);
    assert_int_equal(count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(sizes[numbers[i]], sorted[i]);
        assert_true(i == 0 || sorted[i] != sorted[i - 1] || numbers[i] > numbers[i - 1]);
    }
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_name),
        cmocka_unit_test(messages_are_sorted_by_each_key),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(odd_texts_are_sorted),
        cmocka_unit_test(many_messages_are_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
