/* SPDX-License-Identifier: ISC */
/* What SORT SUBJECT and THREAD cost for a mailbox of 20,000 messages, in µs a message. Prints a
 * table; not run in tests. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "message/sort.h"
#include "message/subject.h"
#include "message/thread.h"
#include "text/collate.h"

enum { MESSAGES = 20000, ROUNDS = 20, TEXT_MAX = 200 };

struct letter {
    char subject[TEXT_MAX], id[TEXT_MAX], references[TEXT_MAX * 4], in_reply_to[TEXT_MAX];
};

static struct letter letters[MESSAGES];

static double
cpu_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
report(const char *what, double start)
{
    printf("%-28s %6.3f\n", what, (cpu_s() - start) / ROUNDS / MESSAGES * 1e6);
}

/* Threads of eight, each message an answer to the one before. */
static void
write_letters(void)
{
    static const char *const words[] = {"réunion", "commission",     "budget",  "release",
                                        "patch",   "question about", "meeting", "notes"};

    for (unsigned i = 0; i < MESSAGES; i++) {
        struct letter *letter = &letters[i];
        unsigned thread = i / 8 * 2654435761U >> 8;
        size_t len = 0;
        snprintf(letter->subject, TEXT_MAX, "%s%s of the %s number %u", i % 8 ? "Re: " : "",
                 words[thread % 8], words[thread / 8 % 8], thread % 10000);
        snprintf(letter->id, TEXT_MAX, "<20251121.%u.abcdef0123@mail%u.example.org>", i, i % 7);
        for (unsigned k = i % 8 > 5 ? i - 5 : i - i % 8; k < i; k++)
            len += (size_t)snprintf(letter->references + len, sizeof(letter->references) - len,
                                    "<20251121.%u.abcdef0123@mail%u.example.org> ", k, k % 7);
    }
}

static void
sort_by_subject(void)
{
    static const struct sort_term by_subject = {SORT_SUBJECT, false};
    double start = cpu_s();

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena arena;
        size_t count;
        arena_init(&arena, SIZE_MAX / 4);
        struct sorter *sorter = sorter_new(&arena, &by_subject, 1, MESSAGES);
        for (uint32_t i = 0; i < MESSAGES; i++) {
            struct sort_values values = {.subject = slice_of_string(letters[i].subject)};
            if (i % 8)
                values.subject = slice_skip(values.subject, 4);
            (void)!sorter_add(sorter, i, &values);
        }
        (void)!sorter_finish(sorter, &count);
        arena_finish(&arena);
    }
    report("SORT SUBJECT", start);
}

static void
thread(enum thread_algorithm algorithm, const char *what)
{
    double start = cpu_s();

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct arena arena;
        struct buffer out;
        const struct thread_node *first = NULL;
        arena_init(&arena, SIZE_MAX / 4);
        buffer_init(&out, SIZE_MAX / 4);
        struct threader *threader = threader_new(&arena, algorithm, round, MESSAGES);
        for (uint32_t i = 0; i < MESSAGES; i++) {
            struct thread_message message = {
                .number = i + 1,
                .date = {i},
                .arrival = {i},
                .message_id = slice_of_string(letters[i].id),
                .references = slice_of_string(letters[i].references),
                .base_subject = slice_skip(slice_of_string(letters[i].subject), i % 8 ? 4 : 0),
                .is_reply_or_forward = i % 8,
            };
            (void)!threader_add(threader, &message);
        }
        (void)!threader_finish(threader, &first);
        (void)!thread_list_put(&out, &arena, first);
        buffer_finish(&out);
        arena_finish(&arena);
    }
    report(what, start);
}

static void
look_for(const char *text)
{
    struct collate_pattern pattern;
    unsigned found = 0;
    double start = cpu_s();

    if (!collate_pattern_init(&pattern, COLLATION_UNICODE_CASEMAP, slice_of_string(text)))
        return;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < MESSAGES; i++)
            found += collate_pattern_is_in(&pattern, slice_of_string(letters[i].subject));
    }
    printf("(%u times \"%s\")\n", found / ROUNDS, text);
    report("substring of a subject", start);
    collate_pattern_finish(&pattern);
}

int
main(void)
{
    write_letters();
    sort_by_subject();
    thread(THREAD_REFERENCES, "THREAD=REFERENCES");
    thread(THREAD_REFS, "THREAD=REFS");
    thread(THREAD_ORDEREDSUBJECT, "THREAD=ORDEREDSUBJECT");
    look_for("nowhere");
    look_for("Commission");
    look_for("RÉUNION");
    return 0;
}
