/* SPDX-License-Identifier: ISC */
/* Runs the town under seeds: `simulation` (the fixed set), `--seed N` (one, with its log),
 * `--seeds A..B` (many). A seed that fails is printed with the reason; it fails again the same. */
#include "oracle.h"
#include "reader.h"
#include "sender.h"
#include "town.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SEEDS_DEFAULT = 100,
    SENDERS_MAX = 5,
    LETTERS_MAX = 25,
    FAULTS_MAX = 20,
    FAULT_GAP_MS_MAX = 2000,
    LOOK_EVERY_MS = 500,
    SERVED_WITHIN_S = 4 * 3600, /* of simulated time, once there are no faults */
};

struct run {
    uint64_t seed;
    bool is_verbose;
    struct sim *sim;
    struct town *town;
    struct oracle *oracle;
    struct sender *senders[SENDERS_MAX];
    size_t sender_count;
    struct reader *readers[ORACLE_ACCOUNTS];
    unsigned faults_left;
    struct instant next_fault;
    bool has_little_room;
    char real_path[64];
};

/* ---- faults --------------------------------------------------------------------------------- */

static void
say(const struct run *run, const char *what)
{
    if (run->is_verbose)
        printf("%12.6f --- %s\n", (double)sim_now(run->sim).ns / 1e9, what);
}

/* One of the things that go wrong with machines. */
static void
do_harm(struct run *run)
{
    struct sim *sim = run->sim;
    uint64_t operation = sim_disk_operations(sim_machine(sim)) + sim_random(sim, 25);

    if (run->has_little_room) {
        sim_disk_set_free(sim_machine(sim), UINT32_MAX);
        run->has_little_room = false;
        say(run, "there is room on the disk again");
        return;
    }
    switch (sim_random(sim, 8)) {
    case 0:
    case 1:
        sim_crash_at(sim_machine(sim), operation, true);
        say(run, "a power cut is near");
        break;
    case 2:
        sim_crash_at(sim_machine(sim), operation, false);
        say(run, "a crash of a process is near");
        break;
    case 3:
    case 4:
        say(run, "a process is killed");
        town_kill(run->town);
        break;
    case 5:
        sim_disk_fail(sim_machine(sim), sim_random(sim, 2) ? SIM_FAULT_WRITE : SIM_FAULT_SYNC,
                      (unsigned)sim_random(sim, 3) + 1, -EIO);
        say(run, "the disk will err");
        break;
    case 6:
        sim_disk_set_free(sim_machine(sim), sim_random(sim, 100000));
        run->has_little_room = true;
        say(run, "the disk is nearly full");
        break;
    default:
        sim_wall_jump(sim, duration_s((int64_t)sim_random(sim, 7200) - 3600));
        say(run, "the clock is set");
    }
}

static void
end_faults(struct run *run)
{
    sim_network_heal(run->sim);
    sim_crash_at(sim_machine(run->sim), UINT64_MAX, false);
    sim_disk_fail(sim_machine(run->sim), SIM_FAULT_NONE, 0, 0);
    sim_disk_set_free(sim_machine(run->sim), UINT32_MAX);
    run->next_fault = INSTANT_NEVER;
    say(run, "no more faults");
}

static void
draw_next_fault(struct run *run)
{
    if (run->faults_left == 0) {
        end_faults(run);
        return;
    }
    run->faults_left--;
    run->next_fault = instant_after(
        sim_now(run->sim), duration_ms((int64_t)sim_random(run->sim, FAULT_GAP_MS_MAX) + 1));
}

/* ---- the course of a run -------------------------------------------------------------------- */

static struct instant
earlier(struct instant left, struct instant right)
{
    return instant_is_before(left, right) ? left : right;
}

/* Runs until `is_done` holds or time is up; false then. */
static bool
run_until(struct run *run, bool (*is_done)(const struct run *run), int64_t limit_s)
{
    struct instant limit = instant_after(sim_now(run->sim), duration_s(limit_s));

    while (!is_done(run) && !oracle_has_failed(run->oracle)) {
        struct instant look = instant_after(sim_now(run->sim), duration_ms(LOOK_EVERY_MS));
        struct instant until = earlier(earlier(town_next(run->town), run->next_fault), look);
        struct host *host = NULL;
        enum sim_end end = sim_run(run->sim, until, &host);
        if (end == SIM_CRASHED && !host)
            return false;
        if (end == SIM_CRASHED && town_is_dead(run->town)) {
            say(run, "power cut");
            town_power_cycle(run->town);
        } else if (end == SIM_CRASHED || end == SIM_STOPPED) {
            say(run, end == SIM_CRASHED ? "a process has crashed" : "a process has ended");
            town_process_ended(run->town, host);
        }
        if (!instant_is_before(sim_now(run->sim), run->next_fault)) {
            do_harm(run);
            draw_next_fault(run);
        }
        town_wake(run->town);
        if (instant_is_never(run->next_fault) && !instant_is_before(sim_now(run->sim), limit))
            break;
        if (end == SIM_IDLE) /* nobody will ever do anything again but by our hand */
            sim_advance(run->sim, until);
    }
    return is_done(run);
}

static bool
all_is_sent(const struct run *run)
{
    for (size_t i = 0; i < run->sender_count; i++)
        if (!sender_is_done(run->senders[i]))
            return false;
    return instant_is_never(run->next_fault);
}

static bool
all_is_read(const struct run *run)
{
    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        if (!reader_is_done(run->readers[i]))
            return false;
    return true;
}

static bool
all_has_stopped(const struct run *run)
{
    return town_is_stopped(run->town);
}

static void
read_all_again(struct run *run, const char *when)
{
    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        reader_finish(run->readers[i]);
    if (!run_until(run, all_is_read, SERVED_WITHIN_S))
        oracle_fail(run->oracle, "%s, the mailboxes cannot be read", when);
    oracle_conclude(run->oracle);
}

static void
live(struct run *run)
{
    if (!run_until(run, all_is_sent, SERVED_WITHIN_S))
        oracle_fail(run->oracle, "there are no more faults, but letters are not taken");
    if (!oracle_has_failed(run->oracle))
        read_all_again(run, "after the faults");
    if (oracle_has_failed(run->oracle))
        return;
    say(run, "stop");
    town_stop(run->town);
    if (!run_until(run, all_has_stopped, SERVED_WITHIN_S)) {
        oracle_fail(run->oracle, "not all roles stop when they are asked to");
        return;
    }
    town_boot_again(run->town);
    read_all_again(run, "after a stop and a start");
    if (town_complaint(run->town))
        oracle_fail(run->oracle, "%s", town_complaint(run->town));
}

/* ---- one seed ------------------------------------------------------------------------------- */

static void
print_log(void *context, const char *process, struct slice line)
{
    const struct run *run = context;

    printf("%12.6f %s %.*s\n", (double)sim_now(run->sim).ns / 1e9, process, (int)line.len,
           (const char *)line.at);
}

static int
remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void
open_run(struct run *run)
{
    struct sim_options options = {.real_path = run->real_path};

    memcpy(run->real_path, "/tmp/simulation_XXXXXX", sizeof("/tmp/simulation_XXXXXX"));
    if (!mkdtemp(run->real_path)) {
        perror("simulation: /tmp");
        exit(2);
    }
    /* What kind of world it is comes from the seed, too. */
    uint64_t kind = run->seed * 0x9E3779B97F4A7C15;
    options.note_delay_max = (struct duration){(int64_t)(kind >> 8 & 0x3FFFFF)};    /* 4 ms */
    options.stream_delay_max = (struct duration){(int64_t)(kind >> 16 & 0x1FFFFFF)}; /* 33 ms */
    options.stream_chunk_max = kind & 1 ? 0 : (unsigned)(kind >> 24 & 0xFFF) + 20;
    options.cut_per_million = kind & 6 ? 0 : 3000;
    if (run->is_verbose) {
        options.on_log = print_log;
        options.log_context = run;
    }
    run->sim = sim_open(run->seed, &options);
    run->oracle = oracle_open();
    run->town = town_open(run->sim);
    run->faults_left = (unsigned)sim_random(run->sim, FAULTS_MAX);
    draw_next_fault(run);
    run->sender_count = (size_t)sim_random(run->sim, SENDERS_MAX) + 1;
    for (size_t i = 0; i < run->sender_count; i++)
        run->senders[i] = sender_open(run->sim, run->oracle, (unsigned)i,
                                      (unsigned)sim_random(run->sim, LETTERS_MAX) + 1);
    for (unsigned i = 0; i < ORACLE_ACCOUNTS; i++)
        run->readers[i] = reader_open(run->sim, run->oracle, i);
}

static void
close_run(struct run *run)
{
    for (size_t i = 0; i < run->sender_count; i++)
        sender_close(&run->senders[i]);
    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        reader_close(&run->readers[i]);
    town_close(&run->town);
    sim_close(&run->sim);
    oracle_close(&run->oracle);
    nftw(run->real_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

struct totals {
    uint64_t acknowledged;
    uint64_t read;
    uint64_t turns;
    unsigned failed;
};

static void
run_seed(uint64_t seed, bool is_verbose, struct totals *totals)
{
    struct run run = {.seed = seed, .is_verbose = is_verbose};

    open_run(&run);
    live(&run);
    if (oracle_has_failed(run.oracle)) {
        printf("seed %" PRIu64 " failed: %s\n", seed, oracle_reason(run.oracle));
        totals->failed++;
    }
    totals->acknowledged += oracle_acknowledgements(run.oracle);
    totals->read += oracle_messages_read(run.oracle);
    totals->turns += sim_turns(run.sim);
    close_run(&run);
}

static bool
read_arguments(int argc, char **argv, uint64_t *ret_first, uint64_t *ret_last)
{
    char *rest = NULL;

    *ret_first = 1;
    *ret_last = SEEDS_DEFAULT;
    if (argc == 1)
        return true;
    if (argc != 3)
        return false;
    *ret_first = *ret_last = strtoull(argv[2], &rest, 10);
    if (strcmp(argv[1], "--seed") == 0)
        return *rest == 0;
    if (strcmp(argv[1], "--seeds") != 0 || strncmp(rest, "..", 2) != 0)
        return false;
    *ret_last = strtoull(rest + 2, &rest, 10);
    return *rest == 0 && *ret_last >= *ret_first;
}

int
main(int argc, char **argv)
{
    struct totals totals = {0};
    uint64_t first, last;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &first, &last)) {
        fprintf(stderr, "usage: simulation [--seed N | --seeds A..B]\n");
        return 64;
    }
    for (uint64_t seed = first; seed <= last; seed++)
        run_seed(seed, first == last, &totals);
    printf("%" PRIu64 " seeds, %u failed; %" PRIu64 " deliveries acknowledged, %" PRIu64
           " messages read, %" PRIu64 " turns\n",
           last - first + 1, totals.failed, totals.acknowledged, totals.read, totals.turns);
    return totals.failed ? 1 : 0;
}
