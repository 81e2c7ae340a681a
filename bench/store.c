/* SPDX-License-Identifier: ISC */
/* The store by itself, on a real disk: turns of 1, 8 and 32 messages, a mailbox that grows to a
 * million, a hundred thousand accounts, one message of 150 MiB, reading, check.
 *
 * usage: bench_store FOLDER [SCALE]   FOLDER is made and must be empty; SCALE divides the counts.
 */
#include "host/linux/linux.h"
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

enum { BODY_BYTES = 4096, RECORD_BYTES = 600, BIG_BYTES = 150 << 20 };

struct bench {
    struct host *host;
    struct host_dir *dir;
    struct store *store;
    struct store_options options;
    uint8_t *body;
    double wall, cpu; /* when the measurement began */
    double view_wall; /* of the last view commit */
    size_t octets;
};

static double
seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
begin(struct bench *bench)
{
    bench->wall = seconds(CLOCK_MONOTONIC);
    bench->cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void
report(struct bench *bench, const char *what, uint64_t count)
{
    double wall = seconds(CLOCK_MONOTONIC) - bench->wall;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - bench->cpu;

    printf("| %-44s | %9" PRIu64 " | %10.0f /s | %8.2f us |\n", what, count, (double)count / wall,
           cpu / (double)count * 1e6);
    fflush(stdout);
}

static void
open_store(struct bench *bench)
{
    struct buffer why;

    buffer_init(&why, 1024);
    if (store_open(&bench->options, &why, &bench->store) < 0) {
        struct slice text = buffer_slice(&why);
        fprintf(stderr, "%.*s\n", (int)text.len, (const char *)text.at);
        exit(1);
    }
    buffer_finish(&why);
}

static void
must(bool is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "bench_store: %s failed\n", what);
    exit(1);
}

static void
on_commit(void *context, enum store_result result)
{
    (void)context;
    must(result == STORE_OK, "a turn");
}

static void
commit(struct bench *bench)
{
    double now = seconds(CLOCK_MONOTONIC);

    store_commit(bench->store, on_commit, bench);
    store_prepare(bench->store);
    if (now - bench->view_wall >= 1) {
        store_sync_view(bench->store);
        bench->view_wall = now;
    }
}

static void
deliver(struct bench *bench, account_id account, size_t len)
{
    struct message_new message = {.internal = {1700000000000000000}};
    mailbox_id inbox;
    uint32_t uid;

    must(mailbox_open(bench->store, account, SLICE("INBOX"), &inbox) == STORE_OK, "mailbox_open");
    must(mailbox_body_add(bench->store, slice_of(bench->body, len), slice_of("", 0),
                          slice_of(bench->body, RECORD_BYTES), &message.body) == STORE_OK,
         "mailbox_body_add");
    must(mailbox_message_append(bench->store, account, inbox, &message, &uid) == STORE_OK,
         "mailbox_message_append");
}

static void
measure_turns(struct bench *bench, unsigned per_turn, uint64_t count)
{
    char what[64];

    snprintf(what, sizeof(what), "4 KiB into 1000 accounts, turns of %u", per_turn);
    begin(bench);
    for (uint64_t i = 0; i < count; i += per_turn) {
        for (unsigned j = 0; j < per_turn; j++)
            deliver(bench, 1 + (i + j) * 7919 % 1000, BODY_BYTES);
        commit(bench);
    }
    report(bench, what, count);
}

static void
measure_growth(struct bench *bench, uint64_t count)
{
    char what[64];
    uint64_t done = 0;

    for (uint64_t goal = count / 100; goal <= count; goal *= 10) {
        uint64_t before = done;
        begin(bench);
        for (; done < goal; done += 32) {
            for (int i = 0; i < 32; i++)
                deliver(bench, 5000, 512);
            commit(bench);
        }
        snprintf(what, sizeof(what), "512 octets into one mailbox, up to %" PRIu64, goal);
        report(bench, what, done - before);
    }
}

static bool
count_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    (void)uid, (void)entry;
    ++*(uint64_t *)context;
    return true;
}

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct bench *bench = context;

    must(result == STORE_OK, "reading");
    bench->octets += bytes.len;
}

static void
measure_reading(struct bench *bench)
{
    struct message_entry entry;
    uint64_t count = 0, reads = 100000;
    mailbox_id inbox;

    must(mailbox_find(bench->store, 5000, SLICE("INBOX"), &inbox) == STORE_OK, "mailbox_find");
    begin(bench);
    must(mailbox_message_list(bench->store, 5000, inbox, 0, count_message, &count) == STORE_OK,
         "mailbox_message_list");
    report(bench, "listing that mailbox", count);
    begin(bench);
    for (uint64_t i = 0; i < reads; i++) {
        uint32_t uid = (uint32_t)(1 + i * 7919 % count);
        must(mailbox_message_get(bench->store, 5000, inbox, uid, &entry) == STORE_OK,
             "mailbox_message_get");
        mailbox_body_read(bench->store, entry.body, 0, entry.len, on_octets, bench);
    }
    report(bench, "reading from it, here and there", reads);
}

static void
measure_accounts(struct bench *bench, uint64_t count)
{
    begin(bench);
    for (uint64_t i = 0; i < count; i += 32) {
        for (uint64_t j = 0; j < 32; j++)
            deliver(bench, 10000 + i + j, BODY_BYTES);
        commit(bench);
    }
    report(bench, "first message of a new account each", count);
    begin(bench);
    for (uint64_t i = 0; i < count; i += 32) {
        for (uint64_t j = 0; j < 32; j++)
            deliver(bench, 10000 + (i + j) * 7919 % count, BODY_BYTES);
        commit(bench);
    }
    report(bench, "second message, accounts in no order", count);
}

static void
measure_big(struct bench *bench)
{
    begin(bench);
    deliver(bench, 6000, BIG_BYTES);
    commit(bench);
    double wall = seconds(CLOCK_MONOTONIC) - bench->wall;
    printf("| %-44s | %9d | %7.0f MB/s | %8.0f ms |\n", "one message of 150 MiB", 1,
           BIG_BYTES / wall / 1e6, wall * 1e3);
}

static void
on_finding(void *context, struct slice text)
{
    (void)context;
    fprintf(stderr, "finding: %.*s\n", (int)text.len, (const char *)text.at);
}

static void
measure_check(struct bench *bench)
{
    struct check_progress progress;

    begin(bench);
    struct check *check = check_open(bench->store, on_finding, NULL);
    must(check != NULL, "check_open");
    while (check_step(check))
        ;
    check_progress_get(check, &progress);
    check_close(&check);
    must(progress.findings == 0, "the check");
    report(bench, "check: messages verified with their bodies", progress.messages);
}

static void
measure_opening(struct bench *bench)
{
    struct store_stats stats;

    store_abandon(&bench->store);
    begin(bench);
    open_store(bench);
    double wall = seconds(CLOCK_MONOTONIC) - bench->wall;
    store_stats_get(bench->store, &stats);
    printf("| %-44s | %9" PRIu64 " | %12s | %8.0f ms |\n", "opening after a kill: turns replayed",
           stats.replayed, "", wall * 1e3);
    printf("\nlog %" PRIu64 " MB in %" PRIu64 " segments, view %" PRIu64 " MB, %" PRIu64 " turns\n",
           stats.log_bytes / 1000000, stats.segments, stats.view_bytes / 1000000, stats.last_turn);
}

int
main(int argc, char **argv)
{
    uint64_t scale = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    struct bench bench = {.body = malloc(BIG_BYTES)};

    if (argc < 2 || mkdir(argv[1], 0700) < 0 || scale == 0 || !bench.body) {
        fprintf(stderr, "usage: bench_store FOLDER [SCALE]; FOLDER must not exist\n");
        return 64;
    }
    for (size_t i = 0; i < BIG_BYTES; i++)
        bench.body[i] = (uint8_t)(i * 2654435761u >> 13);
    must(host_linux_open(&bench.host) == 0 && host_dir_open(bench.host, argv[1], &bench.dir) == 0,
         "opening the folder");
    bench.options = (struct store_options){.host = bench.host, .dir = bench.dir};
    open_store(&bench);
    printf("| %-44s | %9s | %13s | %11s |\n|---|---|---|---|\n", "what", "messages", "rate",
           "CPU each");
    measure_turns(&bench, 1, 20000 / scale);
    measure_turns(&bench, 8, 160000 / scale);
    measure_turns(&bench, 32, 320000 / scale);
    measure_growth(&bench, 1000000 / scale);
    measure_reading(&bench);
    measure_accounts(&bench, 100000 / scale);
    measure_big(&bench);
    measure_check(&bench);
    measure_opening(&bench);
    store_close(&bench.store);
    host_dir_close(&bench.dir);
    host_linux_close(&bench.host);
    free(bench.body);
    return 0;
}
