/* SPDX-License-Identifier: ISC */
/* Runs the road under seeds, as simulation.c runs one town: letters go from strangers and users
 * through origin and secondary to the primary, while machines lose their power for hours, networks
 * part, names are not found, disks err and fill up, processes die. */
#include "reader.h"
#include "road.h"
#include "seeds.h"

#include <errno.h>
#include <stdio.h>

enum {
    SEEDS_DEFAULT = 40,
    SENDERS_MAX = 3,
    LETTERS_MAX = 8,
    RETRY_MS_MAX = 60 * 1000,
    PAUSE_MS_MAX = 120 * 1000,
    FAULTS_MAX = 24,
    FAULT_GAP_TURNS_MAX = 1500,
    SPELL_S_MAX = 3600, /* how long a machine stays without power, or parted */
    LOOK_EVERY_MS = 20, /* while there are faults: they come where something happens */
    LOOK_LATER_MS = 1000,
    SERVED_WITHIN_S = 2 * 24 * 3600, /* of simulated time, once there are no faults */
    AFTERWARDS_S = 3600,             /* longer than two attempts lie apart */
};

struct run {
    uint64_t seed;
    bool is_verbose;
    struct sim *sim;
    struct road road;
    struct oracle *oracle;
    struct sender_target targets[ROAD_PLACES];
    struct sender *senders[SENDERS_MAX];
    size_t sender_count;
    struct reader *readers[ORACLE_MAILBOXES];
    unsigned faults_left;
    uint64_t next_fault;                  /* in turns: UINT64_MAX: none */
    struct instant power_at[ROAD_PLACES]; /* when it comes back */
    struct instant join_at, names_at;     /* when the network, the names are in order again */
    uint64_t cuts;                        /* that the oracle knows of */
    struct instant quiet_until;
    char real_paths[ROAD_PLACES][SEEDS_PATH_SIZE];
};

/* ---- faults --------------------------------------------------------------------------------- */

static void
say(const struct run *run, enum road_place place, const char *what)
{
    static const char *const names[ROAD_PLACES + 1] = {"origin", "primary", "secondary", "all"};

    if (run->is_verbose)
        printf("%12.6f --- %s: %s\n", (double)sim_now(run->sim).ns / 1e9, names[place], what);
}

static struct instant
draw_end(struct run *run)
{
    bool is_long = sim_random(run->sim, 3) == 0;
    uint64_t ms = sim_random(run->sim, is_long ? SPELL_S_MAX * 1000 : 20 * 1000);

    return instant_after(sim_now(run->sim), duration_ms((int64_t)ms));
}

static void
part(struct run *run, enum road_place place)
{
    struct sim_machine *one = run->road.machines[place];
    struct sim_machine *other = run->road.machines[(place + 1) % ROAD_PLACES];

    say(run, place, "parted from the next");
    sim_machines_part(one, other, true);
    run->join_at = draw_end(run);
}

static void
join(struct run *run)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        sim_machines_part(run->road.machines[i], run->road.machines[(i + 1) % ROAD_PLACES], false);
    run->join_at = INSTANT_NEVER;
    oracle_hazard(run->oracle);
    say(run, ROAD_PLACES, "joined");
}

static void
fail_names(struct run *run, bool is_failing)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_fail_names(run->road.towns[i], is_failing);
    run->names_at = is_failing ? draw_end(run) : INSTANT_NEVER;
    say(run, ROAD_PLACES, is_failing ? "names are not found" : "names are found");
}

static void
end_disk_faults(struct run *run)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        sim_disk_fail(run->road.machines[i], SIM_FAULT_NONE, 0, 0);
        sim_disk_set_free(run->road.machines[i], UINT32_MAX);
        sim_crash_at(run->road.machines[i], UINT64_MAX, false);
    }
}

/* One of the things that go wrong with machines and networks. */
static void
do_harm(struct run *run)
{
    struct sim *sim = run->sim;
    enum road_place place = (enum road_place)sim_random(sim, ROAD_PLACES);
    struct sim_machine *machine = run->road.machines[place];
    uint64_t operation = sim_disk_operations(machine) + sim_random(sim, 12);

    oracle_hazard(run->oracle);
    end_disk_faults(run);
    switch (sim_random(sim, 10)) {
    case 0:
    case 1:
    case 2:
        sim_crash_at(machine, operation, sim_random(sim, 3) > 0);
        say(run, place, "a crash is near");
        break;
    case 3:
    case 4:
        say(run, place, "a process is killed");
        town_kill(run->road.towns[place]);
        break;
    case 5:
        sim_disk_fail(machine, sim_random(sim, 2) ? SIM_FAULT_WRITE : SIM_FAULT_SYNC,
                      (unsigned)sim_random(sim, 3) + 1, -EIO);
        say(run, place, "the disk will err");
        break;
    case 6:
        sim_disk_set_free(machine, sim_random(sim, 30000));
        say(run, place, "the disk is nearly full");
        break;
    case 7:
        part(run, place);
        break;
    case 8:
        fail_names(run, true);
        break;
    default:
        sim_wall_jump(sim, duration_s((int64_t)sim_random(sim, 1200) - 600));
        say(run, ROAD_PLACES, "the clock is set");
    }
}

static void
end_faults(struct run *run)
{
    say(run, ROAD_PLACES, "no more faults");
    join(run);
    fail_names(run, false);
    sim_network_heal(run->sim);
    end_disk_faults(run);
    run->next_fault = UINT64_MAX;
}

static void
draw_next_fault(struct run *run)
{
    if (run->faults_left == 0) {
        end_faults(run);
        return;
    }
    run->faults_left--;
    run->next_fault = sim_turns(run->sim) + sim_random(run->sim, FAULT_GAP_TURNS_MAX) + 1;
}

/* ---- the course of a run -------------------------------------------------------------------- */

static struct instant
earlier(struct instant left, struct instant right)
{
    return instant_is_before(left, right) ? left : right;
}

static void
on_crash(struct run *run, struct host *host)
{
    oracle_hazard(run->oracle);
    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        struct town *town = run->road.towns[i];
        if (!town_is_dead(town)) {
            town_process_ended(town, host);
            continue;
        }
        say(run, i, "without power");
        town_power_off(town);
        run->power_at[i] = draw_end(run);
    }
}

/* What has lasted long enough ends. */
static void
look_around(struct run *run)
{
    struct instant now = sim_now(run->sim);

    for (; run->cuts < sim_network_cuts(run->sim); run->cuts++)
        oracle_hazard(run->oracle);
    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        if (town_is_off(run->road.towns[i]) && !instant_is_before(now, run->power_at[i])) {
            say(run, i, "has power again");
            town_power_on(run->road.towns[i]);
        }
        town_wake(run->road.towns[i]);
    }
    if (!instant_is_before(now, run->join_at))
        join(run);
    if (!instant_is_before(now, run->names_at))
        fail_names(run, false);
    if (sim_turns(run->sim) >= run->next_fault) {
        do_harm(run);
        draw_next_fault(run);
    }
}

/* Runs until `is_done` holds or time is up; false then. */
static bool
run_until(struct run *run, bool (*is_done)(const struct run *run), int64_t limit_s)
{
    struct instant limit = instant_after(sim_now(run->sim), duration_s(limit_s));

    while (!is_done(run) && !oracle_has_failed(run->oracle)) {
        bool is_calm = run->next_fault == UINT64_MAX;
        struct instant until =
            instant_after(sim_now(run->sim), duration_ms(is_calm ? LOOK_LATER_MS : LOOK_EVERY_MS));
        struct host *host = NULL;
        for (enum road_place i = 0; i < ROAD_PLACES; i++)
            until = earlier(until, town_next(run->road.towns[i]));
        enum sim_end end = sim_run(run->sim, until, &host);
        if (end == SIM_CRASHED || end == SIM_STOPPED)
            on_crash(run, host);
        look_around(run);
        if (is_calm && !instant_is_before(sim_now(run->sim), limit))
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
    return run->next_fault == UINT64_MAX;
}

static bool
all_has_arrived(const struct run *run)
{
    return oracle_is_complete(run->oracle);
}

static bool
all_is_read(const struct run *run)
{
    for (size_t i = 0; i < ORACLE_MAILBOXES; i++)
        if (!reader_is_done(run->readers[i]))
            return false;
    return true;
}

static bool
all_has_stopped(const struct run *run)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        if (!town_is_stopped(run->road.towns[i]))
            return false;
    return true;
}

static bool
is_later(const struct run *run)
{
    return !instant_is_before(sim_now(run->sim), run->quiet_until);
}

static void
read_all_again(struct run *run, const char *when)
{
    for (size_t i = 0; i < ORACLE_MAILBOXES; i++)
        reader_finish(run->readers[i]);
    if (!run_until(run, all_is_read, SERVED_WITHIN_S))
        oracle_fail(run->oracle, "%s, the mailboxes cannot be read", when);
    oracle_conclude(run->oracle);
}

static void
stop_and_start(struct run *run)
{
    say(run, ROAD_PLACES, "stop");
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_stop(run->road.towns[i]);
    if (!run_until(run, all_has_stopped, SERVED_WITHIN_S)) {
        oracle_fail(run->oracle, "not all roles stop when they are asked to");
        return;
    }
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_boot_again(run->road.towns[i]);
}

static void
live(struct run *run)
{
    if (!run_until(run, all_is_sent, SERVED_WITHIN_S))
        oracle_fail(run->oracle, "there are no more faults, but letters are not taken");
    if (!oracle_has_failed(run->oracle) && !run_until(run, all_has_arrived, SERVED_WITHIN_S)) {
        oracle_conclude(run->oracle);
        oracle_fail(run->oracle, "there are no more faults, but letters do not arrive");
    }
    if (oracle_has_failed(run->oracle))
        return;
    read_all_again(run, "after the faults");
    run->quiet_until = instant_after(sim_now(run->sim), duration_s(AFTERWARDS_S));
    (void)run_until(run, is_later, SERVED_WITHIN_S);
    read_all_again(run, "some hours later");
    if (oracle_has_failed(run->oracle))
        return;
    stop_and_start(run);
    if (!oracle_has_failed(run->oracle))
        read_all_again(run, "after a stop and a start");
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        if (town_complaint(run->road.towns[i]))
            oracle_fail(run->oracle, "%s", town_complaint(run->road.towns[i]));
}

/* ---- one seed ------------------------------------------------------------------------------- */

static void
open_people(struct run *run)
{
    run->sender_count = (size_t)sim_random(run->sim, SENDERS_MAX) + 1;
    for (size_t i = 0; i < run->sender_count; i++) {
        struct sender_options options = {.targets = run->targets,
                                         .target_count = ROAD_PLACES,
                                         .letters = (unsigned)sim_random(run->sim, LETTERS_MAX) + 1,
                                         .retry_ms_max = RETRY_MS_MAX};
        run->senders[i] = sender_open(run->sim, run->oracle, (unsigned)i, &options);
    }
    for (unsigned i = 0; i < ORACLE_MAILBOXES; i++) {
        struct host_address pop3 =
            road_address(i == ORACLE_RETURNED ? ROAD_ORIGIN : ROAD_PRIMARY, TOWN_PORT_POP3);
        run->readers[i] = reader_open(run->sim, run->oracle, i, &pop3, PAUSE_MS_MAX);
    }
}

static void
open_run(struct run *run)
{
    const char *paths[ROAD_PLACES];

    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        seeds_make_folder(run->real_paths[i]);
        paths[i] = run->real_paths[i];
        run->targets[i] = (struct sender_target){.smtp = road_address(i, TOWN_PORT_SMTP),
                                                 .is_relay = i == ROAD_ORIGIN};
        run->power_at[i] = INSTANT_NEVER;
    }
    run->targets[ROAD_PRIMARY].lmtp = road_address(ROAD_PRIMARY, TOWN_PORT_LMTP);
    run->join_at = run->names_at = INSTANT_NEVER;
    seeds_open_world(&run->sim, run->seed, run->is_verbose, NULL);
    run->oracle = oracle_open();
    road_open(&run->road, run->sim, paths);
    run->faults_left =
        sim_random(run->sim, 4) == 0 ? 0 : (unsigned)sim_random(run->sim, FAULTS_MAX) + 1;
    draw_next_fault(run);
    open_people(run);
}

static void
close_run(struct run *run)
{
    for (size_t i = 0; i < run->sender_count; i++)
        sender_close(&run->senders[i]);
    for (size_t i = 0; i < ORACLE_MAILBOXES; i++)
        reader_close(&run->readers[i]);
    road_close(&run->road);
    sim_close(&run->sim);
    oracle_close(&run->oracle);
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        seeds_remove_folder(run->real_paths[i]);
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
