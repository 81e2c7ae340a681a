/* SPDX-License-Identifier: ISC */
#include "search/index_private.h"
#include "search/key.h"
#include "search/tests/folder.h"
#include "text/tests/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOUND_MAX = 10000 };

struct world {
    const char *folder;
    struct search_index *index;
    uint64_t found[FOUND_MAX];
    size_t found_count;
    size_t found_max;
};

static struct search_index *
open_index(const char *folder, bool expect_new)
{
    struct search_index *index = NULL;
    struct buffer why;
    bool is_new = !expect_new;

    buffer_init(&why, 1000);
    if (search_index_open(folder, &why, &is_new, &index) != 0)
        fail_msg("%.*s", (int)buffer_len(&why), (const char *)buffer_slice(&why).at);
    assert_int_equal(is_new, expect_new);
    buffer_finish(&why);
    return index;
}

static int
set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->folder = folder_make();
    world->index = open_index(world->folder, true);
    world->found_max = FOUND_MAX;
    *state = world;
    return 0;
}

static int
tear_down(void **state)
{
    struct world *world = *state;

    search_index_close(&world->index);
    folder_remove(world->folder);
    free(world);
    return 0;
}

static void
put(struct world *world, uint64_t account, uint64_t body, const char *head, const char *text)
{
    struct buffer head_key, body_key;

    buffer_init(&head_key, SEARCH_HEAD_MAX);
    buffer_init(&body_key, SEARCH_BODY_MAX);
    search_key_put(&head_key, slice_of_string(head));
    search_key_put(&body_key, slice_of_string(text));
    assert_int_equal(search_index_put(world->index, account, body, buffer_slice(&head_key),
                                      buffer_slice(&body_key)),
                     SEARCH_OK);
    buffer_finish(&head_key);
    buffer_finish(&body_key);
}

static bool
on_found(void *context, uint64_t body)
{
    struct world *world = context;

    assert_true(world->found_count < FOUND_MAX);
    world->found[world->found_count++] = body;
    return world->found_count < world->found_max;
}

static int
by_number(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* The numbers of the bodies that are found, "1 2 ". */
static const char *
find(struct world *world, uint64_t account, enum search_scope scope, const char *text)
{
    static char list[1000];
    struct buffer key;
    size_t len = 0;

    buffer_init(&key, SEARCH_SOUGHT_MAX);
    search_key_put(&key, slice_of_string(text));
    world->found_count = 0;
    assert_int_equal(
        search_index_find(world->index, account, scope, buffer_slice(&key), on_found, world),
        SEARCH_OK);
    buffer_finish(&key);
    qsort(world->found, world->found_count, sizeof(uint64_t), by_number);
    list[0] = '\0';
    for (size_t i = 0; i < world->found_count && len < sizeof(list) - 30; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%llu ",
                                (unsigned long long)world->found[i]);
    return list;
}

static void
substrings_are_found_in_bodies_and_texts(void **state)
{
    struct world *world = *state;

    put(world, 1, 10, "Subject: La réunion", "Hello World, the MEETING is at\r\nnoon.");
    put(world, 1, 11, "Subject: 你好", "我明天去中国旅行。 \"quoted\" 100% a*b");
    put(world, 1, 12, "From: world@example.org", "");
    put(world, 1, 13, "", "ab");
    static const struct {
        enum search_scope scope;
        const char *text, *found;
    } cases[] = {
        {SEARCH_IN_BODY, "world", "10 "},      {SEARCH_IN_TEXT, "world", "10 12 "},
        {SEARCH_IN_BODY, "orl", "10 "},        {SEARCH_IN_BODY, "wo", "10 "},
        {SEARCH_IN_BODY, "o", "10 11 "},       {SEARCH_IN_BODY, "at noon", "10 "},
        {SEARCH_IN_BODY, "noon.", "10 "},      {SEARCH_IN_BODY, "noon..", ""},
        {SEARCH_IN_BODY, "中国", "11 "},       {SEARCH_IN_BODY, "中", "11 "},
        {SEARCH_IN_BODY, "去中国旅行", "11 "}, {SEARCH_IN_BODY, "国中", ""},
        {SEARCH_IN_BODY, "réunion", ""},       {SEARCH_IN_TEXT, "RÉUNION", "10 "},
        {SEARCH_IN_TEXT, "reunion", ""},       {SEARCH_IN_BODY, "\"quoted\"", "11 "},
        {SEARCH_IN_BODY, "\"", "11 "},         {SEARCH_IN_BODY, "a*b", "11 "},
        {SEARCH_IN_BODY, "a*", "11 "},         {SEARCH_IN_BODY, "ab", "13 "},
        {SEARCH_IN_BODY, "b", "11 13 "},       {SEARCH_IN_BODY, "", "10 11 12 13 "},
        {SEARCH_IN_BODY, "10 AND 11", ""},     {SEARCH_IN_TEXT, "subject", "10 11 "},
        {SEARCH_IN_TEXT, "nowhere", ""},       {SEARCH_IN_BODY, "d, the m", "10 "},
        {SEARCH_IN_BODY, "meet", "10 "},       {SEARCH_IN_BODY, "eeting", "10 "},
        {SEARCH_IN_TEXT, "exam", "12 "},       {SEARCH_IN_TEXT, "xample", "12 "},
        {SEARCH_IN_BODY, "我明天去", "11 "},   {SEARCH_IN_BODY, "meetings", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(find(world, 1, cases[i].scope, cases[i].text), cases[i].found);
    /* what no key has, and what is too long, reaches nothing */
    static uint8_t long_text[SEARCH_SOUGHT_MAX + 1];
    memset(long_text, 'A', sizeof(long_text));
    world->found_count = 0;
    assert_int_equal(
        search_index_find(world->index, 1, SEARCH_IN_BODY, SLICE("\"\0"), on_found, world),
        SEARCH_OK);
    assert_int_equal(search_index_find(world->index, 1, SEARCH_IN_BODY,
                                       slice_of(long_text, sizeof(long_text)), on_found, world),
                     SEARCH_OK);
    assert_int_equal(world->found_count, 0);
    /* it can be stopped */
    world->found_max = 2;
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, ""), "10 11 ");
}

/* Words that begin with it, words that have it inside, both: each message is found once. */
static void
beginnings_and_insides_of_words_are_found_once(void **state)
{
    struct world *world = *state;

    put(world, 1, 1, "", "marker");
    put(world, 1, 2, "", "bookmarker");
    put(world, 1, 3, "", "bookmarker, Markers");
    put(world, 1, 4, "Subject: marker", "market bookmarker");
    put(world, 1, 5, "", "mark er");
    put(world, 1, 6, "", "internationalisationsmarker internationalisations");
    put(world, 1, 7, "", "ééééééééééééé");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "marker"), "1 2 3 4 6 ");
    assert_string_equal(find(world, 1, SEARCH_IN_TEXT, "marker"), "1 2 3 4 6 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "internationalisationsmarker"), "6 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "internationalisations"), "6 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "ÉÉÉÉÉÉÉÉÉÉÉÉ"), "7 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "ÉÉÉÉÉÉÉÉÉÉÉÉÉ"), "7 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "ÉÉÉÉÉÉÉÉÉÉÉÉÉÉ"), "");
    world->found_max = 1; /* it can be stopped in between */
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "bookmarker"), "2 ");
}

static void
accounts_are_apart(void **state)
{
    struct world *world = *state;
    bool is_there;

    put(world, 1, 10, "", "shared secret");
    put(world, 2, 11, "", "own secret");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "secret"), "10 ");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "secret"), "11 ");
    assert_string_equal(find(world, 0x12, SEARCH_IN_BODY, "secret"), "");
    /* a body that another account has needs no second text */
    assert_int_equal(search_index_offer(world->index, 2, 10, &is_there), SEARCH_OK);
    assert_true(is_there);
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "secret"), "10 11 ");
    assert_int_equal(search_index_offer(world->index, 2, 12, &is_there), SEARCH_OK);
    assert_false(is_there);
    struct search_stats stats;
    assert_int_equal(search_index_stats(world->index, &stats), SEARCH_OK);
    assert_int_equal(stats.bodies, 3);
    assert_int_equal(stats.texts, 2);
    /* the text stays as long as anybody has it */
    assert_int_equal(search_index_remove(world->index, 1, 10), SEARCH_OK);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "secret"), "");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "shared"), "10 ");
    assert_int_equal(search_index_remove(world->index, 2, 10), SEARCH_OK);
    assert_int_equal(search_index_remove(world->index, 2, 10), SEARCH_OK);
    assert_int_equal(search_index_stats(world->index, &stats), SEARCH_OK);
    assert_int_equal(stats.texts, 1);
}

static void
bodies_that_went_are_taken_out(void **state)
{
    struct world *world = *state;

    for (uint64_t i = 1; i <= 9; i++)
        put(world, 3, i, "", "letter");
    put(world, 4, 5, "", "letter");
    assert_int_equal(search_index_retain(world->index, 3, (const uint64_t[]){2, 3, 7, 100}, 4),
                     SEARCH_OK);
    assert_string_equal(find(world, 3, SEARCH_IN_BODY, "letter"), "2 3 7 ");
    assert_string_equal(find(world, 4, SEARCH_IN_BODY, "letter"), "5 ");
    assert_int_equal(search_index_retain(world->index, 3, NULL, 0), SEARCH_OK);
    assert_string_equal(find(world, 3, SEARCH_IN_BODY, ""), "");
}

static void
add_uid(void *context, const struct search_position *position)
{
    *(uint32_t *)context += position->mailbox * 1000 + position->uid;
}

static void
positions_and_texts_outlive_the_process(void **state)
{
    struct world *world = *state;
    uint32_t uid = 1, sum = 0;
    uint64_t modseq, bodies;

    assert_int_equal(search_index_position(world->index, 1, 5, &uid), SEARCH_OK);
    assert_int_equal(uid, 0);
    put(world, 1, 10, "", "hello");
    assert_true(search_index_pending(world->index) > 0);
    assert_int_equal(search_index_set_position(world->index, 1, (struct search_position){5, 77}),
                     SEARCH_OK);
    assert_int_equal(search_index_set_position(world->index, 1, (struct search_position){6, 8}),
                     SEARCH_OK);
    assert_int_equal(search_index_set_modseq(world->index, 1, 1234), SEARCH_OK);
    assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    assert_int_equal(search_index_pending(world->index), 0);
    search_index_close(&world->index);
    world->index = open_index(world->folder, false);
    assert_int_equal(search_index_position(world->index, 1, 5, &uid), SEARCH_OK);
    assert_int_equal(uid, 77);
    assert_int_equal(search_index_positions(world->index, 1, add_uid, &sum), SEARCH_OK);
    assert_int_equal(sum, 11085);
    assert_int_equal(search_index_modseq(world->index, 1, &modseq, &bodies), SEARCH_OK);
    assert_int_equal(modseq, 1234);
    assert_int_equal(bodies, 1);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "hell"), "10 ");
}

static void
long_texts_are_cut_at_their_limit(void **state)
{
    struct world *world = *state;
    struct buffer key;

    buffer_init(&key, SEARCH_BODY_MAX + 100);
    while (buffer_len(&key) < SEARCH_BODY_MAX - 4)
        buffer_put_text(&key, "ABCD");
    buffer_put_text(&key, "LASTBEYOND");
    assert_int_equal(search_index_put(world->index, 1, 10, SLICE(""), buffer_slice(&key)),
                     SEARCH_OK);
    buffer_finish(&key);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "dlast"), "10 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "lastb"), "");
}

static void
texts_come_back_as_they_were_put(void **state)
{
    static uint8_t long_text[100000];
    struct world *world = *state;
    struct index_text text;

    for (size_t i = 0; i < sizeof(long_text); i++)
        long_text[i] = (uint8_t)(i * i % 251);
    for (size_t len = 0; len <= sizeof(long_text); len = len * 3 + 1) {
        struct slice all = slice_of(long_text, len);
        assert_int_equal(index_text_put(world->index, len + 1, slice_first(all, len / 3),
                                        slice_skip(all, len / 3)),
                         SQLITE_OK);
        assert_int_equal(index_text_find(world->index, len + 1, &text), SQLITE_OK);
        assert_slice(text.head, slice_first(all, len / 3));
        assert_slice(text.body, slice_skip(all, len / 3));
    }
    assert_int_equal(index_text_find(world->index, 999, &text), SQLITE_DONE);
}

static void
a_damaged_index_begins_anew(void **state)
{
    struct world *world = *state;
    char text[40];

    for (uint64_t i = 1; i <= 3000; i++) {
        snprintf(text, sizeof(text), "letter number %u", (unsigned)(i * 7919));
        put(world, 1, i, "Subject: none", text);
    }
    search_index_close(&world->index);
    /* no header: met when it is opened */
    folder_damage(world->folder, "index.db", 0, 100);
    world->index = open_index(world->folder, true);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "");
    for (uint64_t i = 1; i <= 3000; i++)
        put(world, 1, i, "Subject: none", "letter");
    search_index_close(&world->index);
    /* all pages but the first two: met when something is asked or when it is opened */
    folder_damage(world->folder, "index.db", 2 * 8192, 60 * 8192);
    struct buffer why;
    bool is_new = false;
    buffer_init(&why, 1000);
    assert_int_equal(search_index_open(world->folder, &why, &is_new, &world->index), 0);
    buffer_finish(&why);
    enum search_result result = SEARCH_LOST;
    if (!is_new)
        result =
            search_index_find(world->index, 1, SEARCH_IN_BODY, SLICE("LETTER"), on_found, world);
    assert_int_equal(result, SEARCH_LOST);
    world->found_count = 0;
    put(world, 1, 1, "", "again");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "again"), "1 ");
}

static void
another_version_is_made_anew(void **state)
{
    struct world *world = *state;

    put(world, 1, 1, "", "letter");
    search_index_close(&world->index);
    /* SQLite's user_version stands there, big-endian. */
    folder_damage(world->folder, "index.db", 60, 4);
    world->index = open_index(world->folder, true);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "");
}

static void
a_folder_that_is_not_there_is_an_error(void **state)
{
    struct search_index *index = NULL;
    struct buffer why;
    bool is_new;

    (void)state;
    buffer_init(&why, 1000);
    assert_true(search_index_open("/nowhere/at/all", &why, &is_new, &index) < 0);
    assert_true(buffer_len(&why) > 0);
    assert_null(index);
    buffer_finish(&why);
    assert_string_equal(search_result_name(SEARCH_LOST), "lost");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(substrings_are_found_in_bodies_and_texts),
        TEST(beginnings_and_insides_of_words_are_found_once),
        TEST(accounts_are_apart),
        TEST(bodies_that_went_are_taken_out),
        TEST(positions_and_texts_outlive_the_process),
        TEST(long_texts_are_cut_at_their_limit),
        TEST(texts_come_back_as_they_were_put),
        TEST(a_damaged_index_begins_anew),
        TEST(another_version_is_made_anew),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
