/* SPDX-License-Identifier: ISC */
#include "search/index_private.h"
#include "search/key.h"
#include "search/tests/folder.h"
#include "text/tests/check.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

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
tend(struct world *world)
{
    for (bool is_done = false; !is_done;)
        assert_int_equal(search_index_tend(world->index, &is_done), SEARCH_OK);
}

static struct search_stats
stats_of(struct world *world)
{
    struct search_stats stats;

    assert_int_equal(search_index_stats(world->index, &stats), SEARCH_OK);
    return stats;
}

/* How many files of segments there are. */
static size_t
count_files(struct world *world)
{
    char pattern[300];
    glob_t names;

    snprintf(pattern, sizeof(pattern), "%s/*.segment", world->folder);
    if (glob(pattern, 0, NULL, &names) != 0)
        return 0;
    size_t count = names.gl_pathc;
    globfree(&names);
    return count;
}

static void
accounts_are_apart(void **state)
{
    struct world *world = *state;
    bool is_there;

    put(world, 1, 10, "", "shared secret");
    put(world, 2, 11, "", "own secret");
    put(world, 1, 12, "", "another one");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "secret"), "10 ");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "secret"), "11 ");
    assert_string_equal(find(world, 0x12, SEARCH_IN_BODY, "secret"), "");
    assert_int_equal(search_index_offer(world->index, 1, 10, &is_there), SEARCH_OK);
    assert_true(is_there);
    assert_int_equal(search_index_offer(world->index, 2, 10, &is_there), SEARCH_OK);
    assert_false(is_there);
    put(world, 2, 10, "", "shared secret");
    put(world, 2, 10, "", "it is there already");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "secret"), "10 11 ");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "already"), "");
    assert_int_equal(stats_of(world).bodies, 4);
    assert_int_equal(search_index_retain(world->index, 1, NULL, 0), SEARCH_OK);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "secret"), "");
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "shared"), "10 ");
    assert_int_equal(stats_of(world).bodies, 2);
}

/* In a few segments, then in one; each is found once, in its account, removed ones nowhere. */
static void
many_segments_become_few(void **state)
{
    struct world *world = *state;
    char text[60];

    for (uint64_t i = 1; i <= 200; i++) {
        snprintf(text, sizeof(text), "letter number %u, 中%u", (unsigned)i, (unsigned)i % 7);
        put(world, 1 + i % 2, i, "Subject: none", text);
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    }
    assert_int_equal(stats_of(world).segments, 200);
    tend(world);
    assert_in_range(stats_of(world).segments, 2, 20);
    find(world, 1, SEARCH_IN_BODY, "letter");
    assert_int_equal(world->found_count, 100);
    assert_string_equal(find(world, 2, SEARCH_IN_BODY, "number 77,"), "77 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "number 77,"), "");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "18, 中4"), "18 ");
    assert_int_equal(search_index_retain(world->index, 1, (const uint64_t[]){18, 200}, 2),
                     SEARCH_OK);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "18 200 ");
    tend(world);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "18 200 ");
    /* one that comes back is found again, once */
    put(world, 1, 20, "", "letter that came back");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "18 20 200 ");
    assert_int_equal(search_index_retain(world->index, 1, (const uint64_t[]){20}, 1), SEARCH_OK);
    tend(world);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, ""), "20 ");
    find(world, 2, SEARCH_IN_BODY, "letter");
    assert_int_equal(world->found_count, 100);
}

static void
three_segments_stay_and_four_become_one(void **state)
{
    struct world *world = *state;

    for (uint64_t i = 1; i <= 4; i++) {
        put(world, 1, i, "", "letter");
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
        tend(world);
        assert_int_equal(stats_of(world).segments, i < 4 ? i : 1);
    }
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "letter"), "1 2 3 4 ");
}

/* More than SQLite takes at once. */
static void
files_take_whatever_is_written(void **state)
{
    static uint8_t octets[300001];
    struct world *world = *state;
    struct index_file file;

    assert_int_equal(index_file_create(world->index, 77, &file), SQLITE_OK);
    assert_int_equal(index_file_append(&file, slice_of(octets, sizeof(octets))), SQLITE_OK);
    assert_int_equal(index_file_append(&file, slice_of(octets, 1)), SQLITE_OK);
    assert_int_equal(index_file_sync(&file), SQLITE_OK);
    assert_int_equal(file.octets, sizeof(octets) + 1);
    index_file_finish(&file);
    index_file_finish(&file);
    assert_int_equal(count_files(world), 1);
    index_file_remove(world->index, 77);
    assert_int_equal(count_files(world), 0);
}

/* Text that hardly repeats itself, so that its grams need a file. */
static void
put_much(struct world *world, uint64_t account, uint64_t body, const char *end)
{
    static char text[400000];
    uint64_t random = body * 2 + 1;
    size_t len = strlen(end);

    for (size_t i = 0; i < sizeof(text); i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        text[i] = (char)('a' + (random >> 33) % 26);
    }
    memcpy(text + sizeof(text) - 1 - len, end, len);
    text[sizeof(text) - 1] = '\0';
    put(world, account, body, "", text);
}

static void
large_segments_are_files(void **state)
{
    struct world *world = *state;

    put(world, 1, 1, "", "small");
    assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    assert_int_equal(count_files(world), 0);
    for (uint64_t i = 2; i <= 10; i++) {
        put_much(world, 1, i, i % 2 ? "odd and marked" : "even and marked");
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    }
    assert_int_equal(count_files(world), 9);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "even and mark"), "2 4 6 8 10 ");
    tend(world);
    assert_int_equal(count_files(world), stats_of(world).segments);
    assert_in_range(count_files(world), 1, 2);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "even and mark"), "2 4 6 8 10 ");
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "small"), "1 ");
    assert_int_equal(search_index_retain(world->index, 1, NULL, 0), SEARCH_OK);
    assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    assert_int_equal(count_files(world), 0);
}

static void
limit_files(rlim_t octets)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = octets;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What was put is not in the index then, and no piece of a file stays. */
static void
a_disk_that_refuses_is_told(void **state)
{
    struct world *world = *state;
    bool is_there, is_done;

    for (uint64_t i = 1; i <= 4; i++) {
        put_much(world, 1, i, "marked");
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    }
    put_much(world, 1, 5, "marked");
    (void)signal(SIGXFSZ, SIG_IGN);
    limit_files(300000);
    assert_int_equal(search_index_commit(world->index), SEARCH_FAILED);
    assert_int_equal(count_files(world), 4);
    assert_int_equal(search_index_offer(world->index, 1, 5, &is_there), SEARCH_OK);
    assert_false(is_there);
    /* four that shall be one: not now */
    assert_int_equal(search_index_tend(world->index, &is_done), SEARCH_FAILED);
    assert_true(is_done);
    assert_int_equal(count_files(world), 4);
    limit_files(RLIM_INFINITY);
    put_much(world, 1, 5, "marked");
    assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    tend(world);
    assert_in_range(count_files(world), 1, 2);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "marked"), "1 2 3 4 5 ");
}

/* The process is killed (nothing is closed) while segments become one, and before a commit. */
static void
what_was_not_committed_is_forgotten_and_its_files_go(void **state)
{
    struct world *world = *state;
    struct search_index *killed = world->index;
    bool is_done;

    for (uint64_t i = 1; i <= 9; i++) {
        put_much(world, 1, i, "marked");
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
    }
    assert_int_equal(search_index_tend(world->index, &is_done), SEARCH_OK);
    assert_false(is_done);
    put_much(world, 1, 10, "marked");
    find(world, 1, SEARCH_IN_BODY, "marked"); /* makes a segment of it */
    assert_int_equal(count_files(world), 11);
    /* SQLite lets nobody else in while it lives: another folder has what would be left. */
    const char *folder = world->folder;
    char *copy = folder_copy(folder);
    world->folder = copy;
    world->index = open_index(copy, false);
    assert_int_equal(count_files(world), 9);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "marked"), "1 2 3 4 5 6 7 8 9 ");
    tend(world);
    assert_string_equal(find(world, 1, SEARCH_IN_BODY, "marked"), "1 2 3 4 5 6 7 8 9 ");
    search_index_close(&world->index);
    folder_remove(copy);
    free(copy);
    world->folder = folder;
    world->index = killed;
}

static void
more_than_memory_is_for_becomes_a_segment(void **state)
{
    struct world *world = *state;
    struct buffer key;

    buffer_init(&key, SEARCH_BODY_MAX);
    while (buffer_len(&key) < SEARCH_BODY_MAX)
        buffer_put_text(&key, "ABCD");
    size_t most = GATHER_OCTETS_MAX / (SEARCH_BODY_MAX + 2);
    for (uint64_t i = 1; i <= most; i++)
        assert_int_equal(search_index_put(world->index, 1, i, SLICE(""), buffer_slice(&key)),
                         SEARCH_OK);
    assert_int_equal(stats_of(world).segments, 0);
    assert_int_equal(search_index_put(world->index, 1, 100, SLICE(""), buffer_slice(&key)),
                     SEARCH_OK);
    assert_int_equal(stats_of(world).segments, 1);
    buffer_finish(&key);
    find(world, 1, SEARCH_IN_BODY, "dabcdab");
    assert_int_equal(world->found_count, most + 1);
    assert_int_equal(stats_of(world).segments, 2);
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
    /* all pages but the first: met when something is asked or when it is opened */
    folder_damage(world->folder, "index.db", 8192, 60 * 8192);
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

/* Something is wrong with a file of a segment: met when it is looked into. */
static void
a_damaged_segment_is_met(void **state)
{
    struct world *world = *state;

    for (int way = 0; way < 3; way++) {
        put_much(world, 1, 1, "marked");
        assert_int_equal(search_index_commit(world->index), SEARCH_OK);
        char name[300];
        glob_t names;
        snprintf(name, sizeof(name), "%s/*.segment", world->folder);
        assert_int_equal(glob(name, 0, NULL, &names), 0);
        assert_int_equal(names.gl_pathc, 1);
        if (way == 0)
            folder_damage(world->folder, strrchr(names.gl_pathv[0], '/') + 1, 0, 1 << 18);
        else if (way == 1)
            assert_int_equal(remove(names.gl_pathv[0]), 0);
        else
            fclose(fopen(names.gl_pathv[0], "w")); /* it is empty */
        globfree(&names);
        assert_int_equal(
            search_index_find(world->index, 1, SEARCH_IN_BODY, SLICE("AAAB"), on_found, world),
            SEARCH_LOST);
        assert_int_equal(count_files(world), 0);
        assert_string_equal(find(world, 1, SEARCH_IN_BODY, ""), "");
    }
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
        TEST(many_segments_become_few),
        TEST(three_segments_stay_and_four_become_one),
        TEST(files_take_whatever_is_written),
        TEST(large_segments_are_files),
        TEST(a_disk_that_refuses_is_told),
        TEST(what_was_not_committed_is_forgotten_and_its_files_go),
        TEST(more_than_memory_is_for_becomes_a_segment),
        TEST(bodies_that_went_are_taken_out),
        TEST(positions_and_texts_outlive_the_process),
        TEST(long_texts_are_cut_at_their_limit),
        TEST(a_damaged_index_begins_anew),
        TEST(a_damaged_segment_is_met),
        TEST(another_version_is_made_anew),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
