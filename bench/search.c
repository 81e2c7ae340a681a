/* SPDX-License-Identifier: ISC */
/* The text index: what putting costs, how large it becomes, how fast searches are. The texts are
 * made of words that follow Zipf's law, as those of languages do.
 *
 * usage: bench_search FOLDER MESSAGES OCTETS     (of text in each) */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "search/index.h"
#include "search/key.h"

enum { WORDS = 50000, COMMIT_BYTES = 8 << 20, ACCOUNT = 7 };

static char words[WORDS][16];
static double limits[WORDS];
static uint64_t random_state = 1;

static uint64_t
next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545F4914F6CDD1D);
}

static double
seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Consonants and vowels by turns, as often as letters are in French. */
static void
make_words(void)
{
    static const char consonants[] = "ssssttttnnnnrrrrllllddmmccppvqfbghjxz";
    static const char vowels[] = "eeeeeeaaaaiiiuuoo";
    double sum = 0;

    for (unsigned i = 0; i < WORDS; i++) {
        unsigned len = 2 + (unsigned)(log2(i + 2) / 2) + (unsigned)(next_random() % 4);
        for (unsigned k = 0; k < len && k < 15; k++)
            words[i][k] = (k + i) % 2 ? consonants[next_random() % (sizeof(consonants) - 1)]
                                      : vowels[next_random() % (sizeof(vowels) - 1)];
        sum += 1.0 / (i + 1);
        limits[i] = sum;
    }
    for (unsigned i = 0; i < WORDS; i++)
        limits[i] /= sum;
}

static const char *
next_word(void)
{
    double sought = (double)(next_random() >> 11) / (double)(UINT64_C(1) << 53);
    unsigned low = 0, high = WORDS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (limits[middle] < sought)
            low = middle + 1;
        else
            high = middle;
    }
    return words[low];
}

static void
make_text(struct buffer *text, size_t octets)
{
    buffer_clear(text);
    while (buffer_len(text) < octets) {
        buffer_put_text(text, next_word());
        buffer_put_byte(text, ' ');
    }
}

static void
make_head(struct buffer *head, unsigned number)
{
    buffer_clear(head);
    buffer_put_text(head, "FROM: ");
    buffer_put_text(head, next_word());
    buffer_put_text(head, " <");
    buffer_put_text(head, next_word());
    buffer_put_text(head, "@EXAMPLE.ORG> TO: ALICE@EXAMPLE.TEST SUBJECT: ");
    for (unsigned i = 0; i < 6; i++) {
        buffer_put_text(head, next_word());
        buffer_put_byte(head, ' ');
    }
    buffer_put_text(head, "DATE: FRI, 21 NOV 2025 09:55:06 +0100 MESSAGE-ID: <");
    buffer_put_decimal(head, next_random());
    buffer_put_byte(head, '.');
    buffer_put_decimal(head, number);
    buffer_put_text(head, "@EXAMPLE.ORG> ");
}

static bool
count(void *context, uint64_t body)
{
    (void)body;
    (*(size_t *)context)++;
    return true;
}

static void
look_for(struct search_index *index, enum search_scope scope, const char *text)
{
    size_t found = 0;
    double start = seconds(CLOCK_MONOTONIC);
    struct buffer key;

    buffer_init(&key, SEARCH_SOUGHT_MAX);
    search_key_put(&key, slice_of_string(text));
    if (search_index_find(index, ACCOUNT, scope, buffer_slice(&key), count, &found) != SEARCH_OK)
        exit(1);
    printf("%s %-24s %8zu found in %9.3f ms\n", scope == SEARCH_IN_BODY ? "BODY" : "TEXT", text,
           found, (seconds(CLOCK_MONOTONIC) - start) * 1e3);
    buffer_finish(&key);
}

static void
tend(struct search_index *index)
{
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);

    for (bool is_done = false; !is_done;) {
        if (search_index_tend(index, &is_done) != SEARCH_OK)
            exit(1);
    }
    printf("tended in %.1f s of CPU\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
}

static void
look_for_all(struct search_index *index)
{
    static const char *const others[] = {"nowhere at all", "re", "e", "eretsio", "le ta"};

    for (size_t i = 0; i < COUNT_OF(others); i++)
        look_for(index, SEARCH_IN_BODY, others[i]);
    for (unsigned word = 30; word < WORDS; word *= 10)
        look_for(index, SEARCH_IN_BODY, words[word]);
    look_for(index, SEARCH_IN_BODY, words[300] + 1); /* the middle of words */
    look_for(index, SEARCH_IN_TEXT, words[3000]);
    look_for(index, SEARCH_IN_TEXT, "alice@example");
}

int
main(int argc, char **argv)
{
    struct buffer why, text, head, key;
    struct search_index *index;
    struct search_stats stats;
    bool is_new;
    double start, key_s = 0;

    if (argc != 4)
        return 64;
    unsigned messages = (unsigned)strtoul(argv[2], NULL, 10);
    size_t octets = strtoul(argv[3], NULL, 10);
    make_words();
    buffer_init(&why, 1000);
    buffer_init(&text, SEARCH_BODY_MAX);
    buffer_init(&head, SEARCH_HEAD_MAX);
    buffer_init(&key, SEARCH_BODY_MAX);
    if (search_index_open(argv[1], &why, &is_new, &index) < 0) {
        printf("%.*s\n", (int)buffer_len(&why), (const char *)buffer_slice(&why).at);
        return 1;
    }
    start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double made = 0;
    for (unsigned i = 1; is_new && i <= messages; i++) {
        double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
        make_text(&text, octets);
        make_head(&head, i);
        double between = seconds(CLOCK_PROCESS_CPUTIME_ID);
        buffer_clear(&key);
        search_key_put(&key, buffer_slice(&text));
        made += between - before;
        key_s += seconds(CLOCK_PROCESS_CPUTIME_ID) - between;
        if (search_index_put(index, ACCOUNT, i, buffer_slice(&head), buffer_slice(&key)) !=
                SEARCH_OK ||
            (search_index_pending(index) > COMMIT_BYTES && search_index_commit(index) != SEARCH_OK))
            return 1;
    }
    if (search_index_commit(index) != SEARCH_OK || search_index_stats(index, &stats) != SEARCH_OK)
        return 1;
    tend(index);
    if (search_index_stats(index, &stats) != SEARCH_OK)
        return 1;
    double put_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - start - made;
    printf("%" PRIu64 " messages of %zu octets: %.1f us each (%.1f of it for keys), "
           "file %.2f times the text, %" PRIu64 " segments\n",
           stats.bodies, octets, put_s / messages * 1e6, key_s / messages * 1e6,
           (double)stats.file_octets / ((double)messages * (double)octets), stats.segments);
    for (int round = 0; round < 2; round++)
        look_for_all(index);
    search_index_close(&index);
    buffer_finish(&text);
    buffer_finish(&head);
    buffer_finish(&key);
    buffer_finish(&why);
    return 0;
}
