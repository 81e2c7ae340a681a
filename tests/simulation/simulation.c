/* SPDX-License-Identifier: ISC */
/* Runs the town under seeds: `simulation` (the fixed set), `--seed N` (one, with its log),
 * `--seeds A..B` (many). A seed that fails is printed with the reason; it fails again the same. */
#include "oracle.h"
#include "reader.h"
#include "seeds.h"
#include "sender.h"

#include <errno.h>
#include <stdio.h>

enum {
    SEEDS_DEFAULT = 100,
    RETRY_MS_MAX = 1500,
    PAUSE_MS_MAX = 4000,
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
    struct sender_target target;
    struct sender *senders[SENDERS_MAX];
    size_t sender_count;
    struct reader *readers[ORACLE_ACCOUNTS];
    unsigned faults_left;
    struct instant next_fault;
    bool has_little_room;
    char real_path[SEEDS_PATH_SIZE];
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
            town_power_off(run->town);
            town_power_on(run->town);
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

static const struct host_address server = {.family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}};

static struct host_address
server_at(uint16_t port)
{
    struct host_address address = server;

    address.port = port;
    return address;
}

static struct town *
build_town(struct sim *sim)
{
    struct buffer accounts, secrets;
    struct town_options options = {
        .machine = sim_machine(sim),
        .ipv4 = {127, 0, 0, 1},
        .config = SLICE("hostname = mail.example.test\npostmaster = user0@example.test\n"
                        "store_view_interval = 200ms\n"),
    };

    buffer_init(&accounts, 64 * 1024);
    buffer_init(&secrets, 64 * 1024);
    buffer_put(&accounts, SLICE("domain example.test\n"));
    seeds_put_people(&accounts, &secrets, 0, ORACLE_ACCOUNTS);
    options.accounts = buffer_slice(&accounts);
    options.secrets = buffer_slice(&secrets);
    struct town *town = town_open(sim, &options);
    buffer_finish(&accounts);
    buffer_finish(&secrets);
    return town;
}

static void
open_run(struct run *run)
{
    struct host_address pop3 = server_at(TOWN_PORT_POP3);

    run->target = (struct sender_target){.smtp = server_at(TOWN_PORT_SMTP),
                                         .lmtp = server_at(TOWN_PORT_LMTP)};
    seeds_make_folder(run->real_path);
    seeds_open_world(&run->sim, run->seed, run->is_verbose, run->real_path);
    run->oracle = oracle_open();
    run->town = build_town(run->sim);
    run->faults_left = (unsigned)sim_random(run->sim, FAULTS_MAX);
    draw_next_fault(run);
    run->sender_count = (size_t)sim_random(run->sim, SENDERS_MAX) + 1;
    for (size_t i = 0; i < run->sender_count; i++) {
        struct sender_options options = {.targets = &run->target,
                                         .target_count = 1,
                                         .letters = (unsigned)sim_random(run->sim, LETTERS_MAX) + 1,
                                         .retry_ms_max = RETRY_MS_MAX};
        run->senders[i] = sender_open(run->sim, run->oracle, (unsigned)i, &options);
    }
    for (unsigned i = 0; i < ORACLE_ACCOUNTS; i++)
        run->readers[i] = reader_open(run->sim, run->oracle, i, &pop3, PAUSE_MS_MAX);
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
    seeds_remove_folder(run->real_path);
}

static void
run_seed(uint64_t seed, bool is_verbose, struct seeds_totals *totals)
{
    struct run run = {.seed = seed, .is_verbose = is_verbose};

    open_run(&run);
    live(&run);
    seeds_add(totals, seed, run.oracle, run.sim);
    close_run(&run);
}

int
main(int argc, char **argv)
{
    return seeds_main(argc, argv, SEEDS_DEFAULT, run_seed, seeds_print_mail);
}
