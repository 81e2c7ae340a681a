/* SPDX-License-Identifier: ISC */
/* Several IMAP clients on the same mailboxes, in rounds: they do what comes to their minds, while
 * the seed does harm. Between two rounds all is looked at: by the model (boxes.h), and by each
 * client in what it has been told. */
#include "boxes.h"
#include "inspector.h"
#include "member.h"
#include "seeds.h"
#include "sender.h"
#include "visit.h"
#include "town.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    SEEDS_DEFAULT = 45,
    MEMBERS_MAX = 5,
    ROUNDS_MAX = 5,
    COMMANDS_MAX = 16,
    FAULTS_MAX = 6, /* in a round */
    FAULT_GAP_MS_MAX = 500,
    FAULT_OPERATIONS_MAX = 25,
    LOOK_EVERY_MS = 500,
    ON_ITS_WAY_S = 10, /* until nothing is, once nobody asks for anything */
    SERVED_WITHIN_S = 4 * 3600,
    ACCESS_PROCESSES = 2,
};

struct run {
    uint64_t seed;
    bool is_verbose;
    struct sim *sim;
    struct town *town;
    struct boxes *boxes;
    struct inspector *inspector;
    struct member *members[MEMBERS_MAX];
    unsigned member_count;
    unsigned faults_left;
    struct instant next_fault;
    struct instant quiet; /* when nothing is on its way any more */
    uint64_t faults;
    char real_path[SEEDS_PATH_SIZE];
};

/* ---- faults ---------------------------------------------------------------------------------- */

static void
say(const struct run *run, const char *what)
{
    if (run->is_verbose)
        printf("%12.6f --- %s\n", (double)sim_now(run->sim).ns / 1e9, what);
}

static void
do_harm(struct run *run)
{
    struct sim_machine *machine = sim_machine(run->sim);
    uint64_t operation = sim_disk_operations(machine) + sim_random(run->sim, FAULT_OPERATIONS_MAX);

    run->faults++;
    switch (sim_random(run->sim, 9)) {
    case 0:
    case 1:
        sim_crash_at(machine, operation, true);
        say(run, "a power cut is near");
        break;
    case 2:
        sim_crash_at(machine, operation, false);
        say(run, "a crash of a process is near");
        break;
    case 3:
    case 4:
    case 5:
        say(run, "a process is killed");
        town_kill(run->town);
        break;
    case 6:
        sim_disk_fail(machine, sim_random(run->sim, 2) ? SIM_FAULT_WRITE : SIM_FAULT_SYNC,
                      (unsigned)sim_random(run->sim, 3) + 1, -EIO);
        say(run, "the disk will err");
        break;
    case 7:
        sim_disk_set_free(machine, sim_random(run->sim, 100000));
        say(run, "the disk is nearly full");
        break;
    default:
        sim_wall_jump(run->sim, duration_s((int64_t)sim_random(run->sim, 7200) - 3600));
        say(run, "the clock is set");
    }
}

static void
end_faults(struct run *run)
{
    struct sim_machine *machine = sim_machine(run->sim);

    sim_crash_at(machine, UINT64_MAX, false);
    sim_disk_fail(machine, SIM_FAULT_NONE, 0, 0);
    sim_disk_set_free(machine, UINT32_MAX);
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

/* ---- the course of a run --------------------------------------------------------------------- */

static struct instant
earlier(struct instant left, struct instant right)
{
    return instant_is_before(left, right) ? left : right;
}

static void
on_end_of(struct run *run, enum sim_end end, struct host *host)
{
    if (end == SIM_CRASHED && town_is_dead(run->town)) {
        say(run, "power cut");
        town_power_off(run->town);
        town_power_on(run->town);
    } else if (end == SIM_CRASHED || end == SIM_STOPPED) {
        say(run, end == SIM_CRASHED ? "a process has crashed" : "a process has ended");
        town_process_ended(run->town, host);
    }
}

/* Runs until `is_done` holds; what does not come to that is a failure. */
static void
run_until(struct run *run, bool (*is_done)(const struct run *run), const char *what)
{
    struct instant limit = instant_after(sim_now(run->sim), duration_s(SERVED_WITHIN_S));

    while (!is_done(run) && !boxes_has_failed(run->boxes)) {
        struct instant look = instant_after(sim_now(run->sim), duration_ms(LOOK_EVERY_MS));
        struct instant until = earlier(earlier(town_next(run->town), run->next_fault), look);
        struct host *host = NULL;
        enum sim_end end = sim_run(run->sim, until, &host);
        on_end_of(run, end, host);
        if (!instant_is_before(sim_now(run->sim), run->next_fault)) {
            do_harm(run);
            draw_next_fault(run);
        }
        town_wake(run->town);
        if (!instant_is_before(sim_now(run->sim), limit))
            boxes_fail(run->boxes, "%s", what);
        if (end == SIM_IDLE) /* nobody will ever do anything again but by our hand */
            sim_advance(run->sim, until);
    }
}

static bool
all_rest(const struct run *run)
{
    for (unsigned i = 0; i < run->member_count; i++)
        if (!member_is_resting(run->members[i]))
            return false;
    return instant_is_never(run->next_fault);
}

static bool
is_quiet(const struct run *run)
{
    return !instant_is_before(sim_now(run->sim), run->quiet);
}

static bool
is_inspected(const struct run *run)
{
    return inspector_is_done(run->inspector);
}

static bool
all_are_synced(const struct run *run)
{
    for (unsigned i = 0; i < run->member_count; i++)
        if (!member_is_synced(run->members[i]))
            return false;
    return true;
}

static bool
has_stopped(const struct run *run)
{
    return town_is_stopped(run->town);
}

/* Everybody stops; what is there is looked at, and must be what everybody knows. */
static void
compare(struct run *run)
{
    run->quiet = instant_after(sim_now(run->sim), duration_s(ON_ITS_WAY_S));
    run_until(run, is_quiet, "time stands still");
    say(run, "the inspector looks");
    inspector_look(run->inspector);
    run_until(run, is_inspected, "the mailboxes cannot be read");
    if (boxes_has_failed(run->boxes))
        return;
    boxes_settle(run->boxes, inspector_truth(run->inspector));
    say(run, "all compare");
    for (unsigned i = 0; i < run->member_count; i++)
        member_sync(run->members[i]);
    run_until(run, all_are_synced, "not all clients are told what has changed");
}

static void
do_round(struct run *run, unsigned faults)
{
    run->faults_left = faults;
    draw_next_fault(run);
    for (unsigned i = 0; i < run->member_count; i++)
        member_work(run->members[i], (unsigned)sim_random(run->sim, COMMANDS_MAX) + 1);
    run_until(run, all_rest, "there are no more faults, but clients are not served");
    compare(run);
}

static void
live(struct run *run)
{
    unsigned rounds = (unsigned)sim_random(run->sim, ROUNDS_MAX) + 1;
    bool is_calm = sim_random(run->sim, 4) == 0;

    compare(run);
    for (unsigned i = 0; i < rounds && !boxes_has_failed(run->boxes); i++)
        do_round(run, is_calm ? 0 : (unsigned)sim_random(run->sim, FAULTS_MAX + 1));
    if (boxes_has_failed(run->boxes))
        return;
    say(run, "stop");
    town_stop(run->town);
    run_until(run, has_stopped, "not all roles stop when they are asked to");
    if (boxes_has_failed(run->boxes))
        return;
    town_boot_again(run->town);
    compare(run);
    if (town_complaint(run->town))
        boxes_fail(run->boxes, "%s", town_complaint(run->town));
}

/* ---- one seed -------------------------------------------------------------------------------- */

static struct town *
build_town(struct sim *sim)
{
    struct buffer accounts, secrets;
    struct town_options options = {
        .machine = sim_machine(sim),
        .ipv4 = {127, 0, 0, 1},
        .access_processes = ACCESS_PROCESSES,
        .config = SLICE("hostname = mail.example.test\npostmaster = user0@example.test\n"
                        "store_view_interval = 200ms\n"),
    };

    buffer_init(&accounts, 64 * 1024);
    buffer_init(&secrets, 64 * 1024);
    buffer_put(&accounts, SLICE("domain example.test\n"));
    for (unsigned i = 0; i < 2; i++) {
        buffer_put(&accounts, SLICE("account "));
        sender_put_address(&accounts, i);
        buffer_put(&accounts, SLICE(" id="));
        buffer_put_decimal(&accounts, i + 1);
        buffer_put(&accounts, SLICE("\n"));
        visit_put_secret(&secrets, i);
    }
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
    const struct host_address server = {
        .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = TOWN_PORT_IMAP};

    seeds_make_folder(run->real_path);
    seeds_open_world(&run->sim, run->seed, run->is_verbose, run->real_path);
    run->boxes = boxes_open();
    run->town = build_town(run->sim);
    run->next_fault = INSTANT_NEVER;
    run->inspector = inspector_open(run->sim, run->boxes, &server);
    run->member_count = (unsigned)sim_random(run->sim, MEMBERS_MAX) + 1;
    for (unsigned i = 0; i < run->member_count; i++) {
        const struct member_options options = {.server = server,
                                               .number = i,
                                               .is_owner = i % 2 == 0,
                                               .is_first = i == 0,
                                               .is_resync = (i + run->seed) % 3 == 0};
        run->members[i] = member_open(run->sim, run->boxes, &options);
    }
}

static void
close_run(struct run *run)
{
    for (unsigned i = 0; i < run->member_count; i++)
        member_close(&run->members[i]);
    inspector_close(&run->inspector);
    town_close(&run->town);
    sim_close(&run->sim);
    boxes_close(&run->boxes);
    seeds_remove_folder(run->real_path);
}

static void
run_seed(uint64_t seed, bool is_verbose, struct seeds_totals *totals)
{
    struct run run = {.seed = seed, .is_verbose = is_verbose};

    open_run(&run);
    live(&run);
    if (boxes_has_failed(run.boxes)) {
        printf("seed %" PRIu64 " failed: %s\n", seed, boxes_reason(run.boxes));
        totals->failed++;
    }
    totals->commands += boxes_done_count(run.boxes);
    totals->late += boxes_late_count(run.boxes);
    totals->faults += run.faults;
    totals->turns += sim_turns(run.sim);
    close_run(&run);
}

static void
print_totals(uint64_t seeds, const struct seeds_totals *totals)
{
    printf("%" PRIu64 " seeds, %u failed; %" PRIu64 " changes answered, %" PRIu64
           " done that were never answered, %" PRIu64 " faults, %" PRIu64 " turns\n",
           seeds, totals->failed, totals->commands, totals->late, totals->faults, totals->turns);
}

int
main(int argc, char **argv)
{
    return seeds_main(argc, argv, SEEDS_DEFAULT, run_seed, print_totals);
}
