/* SPDX-License-Identifier: ISC */
#include "message/thread.h"
#include "text/tests/check.h"

#include <stdio.h>
#include <time.h>

static void
algorithms_are_found_by_name(void **state)
{
    enum thread_algorithm algorithm = THREAD_REFS;

    (void)state;
    assert_true(thread_algorithm_find(SLICE("References"), &algorithm));
    assert_int_equal(algorithm, THREAD_REFERENCES);
    assert_true(thread_algorithm_find(SLICE("ORDEREDSUBJECT"), &algorithm));
    assert_int_equal(algorithm, THREAD_ORDEREDSUBJECT);
    assert_false(thread_algorithm_find(SLICE("THREAD"), &algorithm));
}

struct letter {
    const char *id, *references, *subject;
    int date;
    bool is_reply;
    const char *in_reply_to;
    int arrival;
};

enum { LETTERS_MAX = 12 };

struct example {
    const char *expected;
    struct letter letters[LETTERS_MAX];
};

static void
expect_threads(enum thread_algorithm algorithm, const struct example *example)
{
    struct arena arena;
    struct buffer out;
    const struct thread_node *first;

    arena_init(&arena, 1 << 20);
    buffer_init(&out, 1000);
    struct threader *threader = threader_new(&arena, algorithm, 1, LETTERS_MAX);
    for (uint32_t i = 0; i < LETTERS_MAX && example->letters[i].subject; i++) {
        const struct letter *letter = &example->letters[i];
        struct thread_message message = {
            .number = i + 1,
            .date = {letter->date},
            .arrival = {letter->arrival},
            .message_id = slice_of_string(letter->id ? letter->id : ""),
            .references = slice_of_string(letter->references ? letter->references : ""),
            .in_reply_to = slice_of_string(letter->in_reply_to ? letter->in_reply_to : ""),
            .base_subject = slice_of_string(letter->subject),
            .is_reply_or_forward = letter->is_reply,
        };
        assert_true(threader_add(threader, &message));
    }
    assert_true(threader_finish(threader, &first));
    assert_true(thread_list_put(&out, &arena, first));
    assert_slice(buffer_slice(&out), slice_of_string(example->expected));
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
references_make_trees(void **state)
{
    static const struct example examples[] = {
        {"", {{0}}},
        {"(1)", {{"<a@x>", "", "s", 1}}},
        /* the tree of RFC 5256 §4: 3 to 6, from there two branches */
        {"(1)(2 3 (4 5)(6 7 8))",
         {{"<2@x>", "", "other", 1},
          {"<3@x>", "", "s", 2},
          {"<6@x>", "<3@x>", "s", 3, true},
          {"<4@x>", "<3@x> <6@x>", "s", 4, true},
          {"<23@x>", "<3@x> <6@x> <4@x>", "s", 5, true},
          {"<44@x>", "<3@x> <6@x>", "s", 6, true},
          {"<7@x>", "<3@x> <6@x> <44@x>", "s", 7, true},
          {"<96@x>", "<3@x> <6@x> <44@x> <7@x>", "s", 8, true}}},
        /* the parent of both is not there: a dummy, no single child of it */
        {"((1)(2))", {{"<a@x>", "<p@x>", "s", 1}, {"<b@x>", "<p@x>", "t", 2}}},
        {"(1)", {{"<a@x>", "<p@x>", "s", 1}}},
        /* dummies inside are spliced out */
        {"((1)(2)(3))",
         {{"<a@x>", "<r@x> <p@x>", "s", 1},
          {"<b@x>", "<r@x> <p@x>", "t", 2},
          {"<c@x>", "<r@x>", "u", 3}}},
        {"(1 (2)(3))",
         {{"<r@x>", "", "s", 1},
          {"<a@x>", "<r@x> <p@x>", "t", 2},
          {"<b@x>", "<r@x> <p@x>", "u", 3}}},
        /* children by date, equal dates by number */
        {"(1 (3)(2)(4))",
         {{"<r@x>", "", "s", 5},
          {"<a@x>", "<r@x>", "s", 7, true},
          {"<b@x>", "<r@x>", "s", 6, true},
          {"<c@x>", "<r@x>", "s", 7, true}}},
        /* threads by date, a dummy's by its first child's */
        {"(3)((2)(1))(4)",
         {{"<a@x>", "<p@x>", "s", 9},
          {"<b@x>", "<p@x>", "t", 2},
          {"<c@x>", "", "u", 1},
          {"<d@x>", "", "v", 3}}},
        /* a repeated id is nobody's; nor is a message without one */
        {"(1 (3)(4))(2)(5)",
         {{"<a@x>", "", "s", 1},
          {"<a@x>", "", "t", 2},
          {"<b@x>", "<a@x>", "u", 3},
          {"<c@x>", "<a@x>", "v", 4},
          {"", "", "w", 5}}},
        /* In-Reply-To's first id, when References has none */
        {"(1 3)(2)",
         {{"<a@x>", "", "s", 1},
          {"<b@x>", "", "t", 2},
          {"<c@x>", "junk", "u", 3, false, "letter of <a@x> and <b@x>"}}},
        /* §3: the same id in two ways of quoting */
        {"(1 2)", {{"<\"01KF\"@x>", "", "s", 1}, {"<b@x>", "<01KF@x>", "t", 2}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        expect_threads(THREAD_REFERENCES, &examples[i]);
}

static void
cycles_lose_no_message(void **state)
{
    static const struct example examples[] = {
        {"(2 1)", {{"<a@x>", "<b@x>", "s", 1}, {"<b@x>", "<a@x>", "t", 2}}},
        {"(1)", {{"<a@x>", "<a@x>", "s", 1}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        expect_threads(THREAD_REFERENCES, &examples[i]);
}

/* Step 5, rule by rule. */
static void
threads_of_one_subject_are_joined(void **state)
{
    static const struct example examples[] = {
        /* a reply goes below what it replies to, whatever the order */
        {"(1 2)", {{"<a@x>", "", "Plan", 1}, {"<b@x>", "", "PLAN", 2, true}}},
        {"(2 1)", {{"<a@x>", "", "Plan", 1, true}, {"<b@x>", "", "Plan", 2}}},
        /* neither replies, or both do: below a dummy */
        {"((1)(2))", {{"<a@x>", "", "Plan", 1}, {"<b@x>", "", "plan", 2}}},
        {"((1)(2)(3))",
         {{"<a@x>", "", "Plan", 1, true},
          {"<b@x>", "", "plan", 2, true},
          {"<c@x>", "", "plan", 3, true}}},
        /* two dummies become one */
        {"((1)(2)(3)(4))",
         {{"<a@x>", "<p@x>", "plan", 1},
          {"<b@x>", "<q@x>", "plan", 2},
          {"<c@x>", "<p@x>", "t", 3},
          {"<d@x>", "<q@x>", "u", 4}}},
        /* a message joins the children of a dummy */
        {"((1)(2)(3))",
         {{"<a@x>", "", "plan", 1}, {"<b@x>", "<p@x>", "plan", 2}, {"<c@x>", "<p@x>", "t", 3}}},
        /* empty subjects are no subject */
        {"(1)(2)", {{"<a@x>", "", "", 1}, {"<b@x>", "", "", 2}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        expect_threads(THREAD_REFERENCES, &examples[i]);
}

static void
refs_ignores_subjects_and_follows_arrival(void **state)
{
    static const struct example examples[] = {
        {"(1)(2)",
         {{"<a@x>", "", "plan", 1, .arrival = 1}, {"<b@x>", "", "plan", 2, .arrival = 2}}},
        /* the thread with the latest message is last */
        {"(2)(1 3)",
         {{"<a@x>", "", "s", 1, .arrival = 1},
          {"<b@x>", "", "t", 2, .arrival = 2},
          {"<c@x>", "<a@x>", "s", 3, .arrival = 3}}},
        {"((3)(2))(1)",
         {{"<a@x>", "", "s", 1, .arrival = 9},
          {"<b@x>", "<p@x>", "t", 2, .arrival = 8},
          {"<c@x>", "<p@x>", "s", 3, .arrival = 7}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        expect_threads(THREAD_REFS, &examples[i]);
}

static void
ordered_subjects_are_flat(void **state)
{
    static const struct example examples[] = {
        {"", {{0}}},
        {"(2)(1 (4)(3))(5)",
         {{"<a@x>", "", "plan", 2},
          {"<a@x>", "", "Other", 1},
          {"<c@x>", "<a@x>", "PLAN", 5},
          {"<d@x>", "<c@x>", "Plan", 4},
          {"<e@x>", "", "third", 6}}},
        {"(1 2)", {{"<a@x>", "", "", 1}, {"<b@x>", "", "", 2}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(examples); i++)
        expect_threads(THREAD_ORDEREDSUBJECT, &examples[i]);
}

enum { MANY = 100000 };

static double
cpu_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

typedef void (*tell_fn)(uint32_t number, struct buffer *id, struct buffer *references);

/* Threads 100,000 messages and counts those that come out; a generous bound on time that only a
 * cost of n times depth would pass. */
static size_t
thread_many(tell_fn tell)
{
    struct arena arena;
    struct buffer id, references, out;
    const struct thread_node *first;
    size_t numbers = 0;
    double start = cpu_s();

    arena_init(&arena, SIZE_MAX / 4);
    buffer_init(&id, 100);
    buffer_init(&references, 100000);
    buffer_init(&out, 10 << 20);
    struct threader *threader = threader_new(&arena, THREAD_REFERENCES, 1, MANY);
    for (uint32_t i = 1; i <= MANY; i++) {
        buffer_clear(&id);
        buffer_clear(&references);
        tell(i, &id, &references);
        struct thread_message message = {.number = i,
                                         .date = {i},
                                         .message_id = buffer_slice(&id),
                                         .references = buffer_slice(&references),
                                         .base_subject = SLICE("s")};
        assert_true(threader_add(threader, &message));
    }
    assert_true(threader_finish(threader, &first));
    assert_true(thread_list_put(&out, &arena, first));
    struct slice list = buffer_slice(&out);
    for (size_t i = 0; i < list.len; i++)
        numbers +=
            byte_is_digit(list.at[i]) && (i + 1 == list.len || !byte_is_digit(list.at[i + 1]));
    buffer_finish(&id);
    buffer_finish(&references);
    buffer_finish(&out);
    arena_finish(&arena);
    assert_true(cpu_s() - start < 20);
    return numbers;
}

static void
put_id(struct buffer *buffer, uint32_t number)
{
    buffer_put_text(buffer, "<");
    buffer_put_decimal(buffer, number);
    buffer_put_text(buffer, "@x>");
}

static void
tell_chain(uint32_t number, struct buffer *id, struct buffer *references)
{
    put_id(id, number);
    put_id(references, number - 1);
}

/* Each contradicts the others: the end of the chain is the parent of its start. */
static void
tell_cycle(uint32_t number, struct buffer *id, struct buffer *references)
{
    put_id(id, number);
    put_id(references, number == 1 ? MANY : number - 1);
}

static void
tell_backwards(uint32_t number, struct buffer *id, struct buffer *references)
{
    put_id(id, number);
    put_id(references, number + 1);
}

/* Hundreds of ids that nobody has, in ever other orders. */
static void
tell_tangle(uint32_t number, struct buffer *id, struct buffer *references)
{
    put_id(id, number);
    for (uint32_t i = 0; number % 100 == 0 && i < 1000; i++)
        put_id(references, (number * 7919 + i * i) % 5000);
    put_id(references, number * 31 % MANY);
}

static void
tell_nothing(uint32_t number, struct buffer *id, struct buffer *references)
{
    (void)number;
    buffer_put_text(id, "no id");
    (void)references;
}

static void
hostile_messages_cost_no_more(void **state)
{
    static const tell_fn tells[] = {tell_chain, tell_cycle, tell_backwards, tell_tangle,
                                    tell_nothing};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tells); i++)
        assert_int_equal(thread_many(tells[i]), MANY);
}

static void
limits_are_kept(void **state)
{
    struct arena arena;
    struct thread_message message = {.number = 1, .message_id = SLICE("<a@x>")};

    (void)state;
    arena_init(&arena, 1 << 18);
    struct threader *threader = threader_new(&arena, THREAD_REFERENCES, 1, 1);
    assert_true(threader_add(threader, &message));
    assert_false(threader_add(threader, &message));
    assert_null(threader_new(&arena, THREAD_REFERENCES, 1, 1 << 20));
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_are_found_by_name),
        cmocka_unit_test(references_make_trees),
        cmocka_unit_test(cycles_lose_no_message),
        cmocka_unit_test(threads_of_one_subject_are_joined),
        cmocka_unit_test(refs_ignores_subjects_and_follows_arrival),
        cmocka_unit_test(ordered_subjects_are_flat),
        cmocka_unit_test(hostile_messages_cost_no_more),
        cmocka_unit_test(limits_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
