/* SPDX-License-Identifier: ISC */
/* Runs the road under seeds, as simulation.c runs one town: letters go from strangers and users
 * through origin, where they are signed, and secondary to the primary, or to a customer who fetches
 * them (ATRN), while machines lose their power for hours, networks part, names are not found, disks
 * err and fill up, processes die or stand still. A stranger asks whom the secondary would take. */
#include "asker.h"
#include "course.h"
#include "customer.h"
#include "reader.h"
#include "road.h"
#include "seeds.h"

#include <inttypes.h>
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
    struct sim *sim;
    struct course course;
    struct road road;
    struct oracle *oracle;
    struct sender_target targets[ROAD_PLACES];
    struct sender *senders[SENDERS_MAX];
    size_t sender_count;
    struct reader *readers[ORACLE_READ];
    struct customer *customer;
    struct asker *asker;
    struct instant power_at[ROAD_PLACES]; /* when it comes back */
    struct instant join_at, names_at;     /* when the network, the names are in order again */
    uint64_t cuts;                        /* that the oracle knows of */
    struct instant quiet_until;
    char real_paths[ROAD_PLACES][SEEDS_PATH_SIZE];
};

/* ---- faults --------------------------------------------------------------------------------- */

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

    course_say(&run->course, place, "parted from the next");
    run->course.counts[COURSE_PARTED]++;
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
    course_say(&run->course, ROAD_PLACES, "joined");
}

static void
fail_names(struct run *run, bool is_failing)
{
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_fail_names(run->road.towns[i], is_failing);
    run->course.counts[COURSE_NO_NAME] += is_failing;
    run->names_at = is_failing ? draw_end(run) : INSTANT_NEVER;
    course_say(&run->course, ROAD_PLACES, is_failing ? "names are not found" : "names are found");
}

/* For so long that some letters come meanwhile; a process that is started anew has it no more. */
static void
stall_keys(struct run *run)
{
    struct instant now = sim_now(run->sim);

    course_say(&run->course, ROAD_ORIGIN, "the keys stand still");
    run->course.counts[COURSE_STALL]++;
    town_stall_keys(run->road.towns[ROAD_ORIGIN], instant_since(draw_end(run), now));
}

static void
mark_hazard(void *context)
{
    struct run *run = context;

    oracle_hazard(run->oracle);
}

/* One of the things that go wrong with machines and networks. */
static void
do_harm(void *context)
{
    static const enum course_fault faults[] = {
        COURSE_POWER, COURSE_POWER,  COURSE_CRASH,   COURSE_KILL,  COURSE_KILL,
        COURSE_KILL,  COURSE_STALL,  COURSE_STALL,   COURSE_WRITE, COURSE_READ,
        COURSE_FULL,  COURSE_PARTED, COURSE_NO_NAME, COURSE_CLOCK};
    struct run *run = context;
    enum road_place place = (enum road_place)sim_random(run->sim, ROAD_PLACES);
    uint64_t operation = course_draw_operation(&run->course, place);
    enum course_fault fault = faults[sim_random(run->sim, COUNT_OF(faults))];

    mark_hazard(run);
    course_mend_disks(&run->course);
    if (fault == COURSE_READ)
        oracle_unreadable(run->oracle);
    if (fault == COURSE_PARTED)
        part(run, place);
    else if (fault == COURSE_NO_NAME)
        fail_names(run, true);
    else if (fault == COURSE_STALL && place == ROAD_ORIGIN)
        stall_keys(run);
    else
        course_harm(&run->course, fault, place, operation);
}

static void
end_harm(void *context)
{
    struct run *run = context;

    join(run);
    fail_names(run, false);
    sim_network_heal(run->sim);
    customer_calm(run->customer);
}

static void
on_power_cut(void *context, unsigned town)
{
    struct run *run = context;

    run->power_at[town] = draw_end(run);
}

/* ---- the course of a run -------------------------------------------------------------------- */

/* What has lasted long enough ends. */
static void
look_around(void *context)
{
    struct run *run = context;
    struct instant now = sim_now(run->sim);

    for (; run->cuts < sim_network_cuts(run->sim); run->cuts++)
        oracle_hazard(run->oracle);
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        if (town_is_off(run->road.towns[i]) && !instant_is_before(now, run->power_at[i]))
            course_power_on(&run->course, i);
    if (!instant_is_before(now, run->join_at))
        join(run);
    if (!instant_is_before(now, run->names_at))
        fail_names(run, false);
}

static bool
has_failed(const void *context)
{
    const struct run *run = context;

    return oracle_has_failed(run->oracle);
}

static bool
all_is_sent(const void *context)
{
    const struct run *run = context;

    for (size_t i = 0; i < run->sender_count; i++)
        if (!sender_is_done(run->senders[i]))
            return false;
    return course_is_calm(&run->course);
}

static bool
all_has_arrived(const void *context)
{
    const struct run *run = context;

    return oracle_is_complete(run->oracle);
}

static bool
all_is_read(const void *context)
{
    const struct run *run = context;

    for (size_t i = 0; i < ORACLE_READ; i++)
        if (!reader_is_done(run->readers[i]))
            return false;
    return true;
}

static bool
names_are_known(const void *context)
{
    const struct run *run = context;

    return asker_is_done(run->asker);
}

static bool
all_has_stopped(const void *context)
{
    const struct run *run = context;

    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        if (!town_is_stopped(run->road.towns[i]))
            return false;
    return true;
}

static bool
is_later(const void *context)
{
    const struct run *run = context;

    return !instant_is_before(sim_now(run->sim), run->quiet_until);
}

static void
read_all_again(struct run *run, const char *when)
{
    for (size_t i = 0; i < ORACLE_READ; i++)
        reader_finish(run->readers[i]);
    if (!course_run_until(&run->course, all_is_read))
        oracle_fail(run->oracle, "%s, the mailboxes cannot be read", when);
    oracle_conclude(run->oracle);
}

static void
stop_and_start(struct run *run)
{
    course_say(&run->course, ROAD_PLACES, "stop");
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_stop(run->road.towns[i]);
    if (!course_run_until(&run->course, all_has_stopped)) {
        oracle_fail(run->oracle, "not all roles stop when they are asked to");
        return;
    }
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        town_boot_again(run->road.towns[i]);
}

static void
live(struct run *run)
{
    if (!course_run_until(&run->course, all_is_sent))
        oracle_fail(run->oracle, "there are no more faults, but letters are not taken");
    if (!oracle_has_failed(run->oracle) && !course_run_until(&run->course, all_has_arrived)) {
        oracle_conclude(run->oracle);
        oracle_fail(run->oracle, "there are no more faults, but letters do not arrive");
    }
    if (oracle_has_failed(run->oracle))
        return;
    asker_finish(run->asker);
    if (!course_run_until(&run->course, names_are_known))
        oracle_fail(run->oracle, "there are no more faults, but the secondary does not know names");
    read_all_again(run, "after the faults");
    run->quiet_until = instant_after(sim_now(run->sim), duration_s(AFTERWARDS_S));
    (void)course_run_until(&run->course, is_later);
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
    for (unsigned i = 0; i < ORACLE_READ; i++) {
        struct host_address pop3 =
            road_address(i == ORACLE_RETURNED ? ROAD_ORIGIN : ROAD_PRIMARY, TOWN_PORT_POP3);
        run->readers[i] = reader_open(run->sim, run->oracle, i, &pop3, PAUSE_MS_MAX);
    }
    const struct host_address submission = road_address(ROAD_SECONDARY, TOWN_PORT_SUBMISSION);
    run->customer = customer_open(run->sim, run->oracle, &submission);
    run->asker = asker_open(run->sim, run->oracle, &run->targets[ROAD_SECONDARY].smtp);
}

static void
open_course(struct run *run, bool is_verbose)
{
    static const char *const names[ROAD_PLACES] = {"origin", "primary", "secondary"};
    const struct course_options options = {
        .gap_turns_max = FAULT_GAP_TURNS_MAX,
        .look_ms = LOOK_EVERY_MS,
        .look_calm_ms = LOOK_LATER_MS,
        .operations_max = 4,
        .room_max = 30000,
        .clock_s_max = 600,
        .served_within_s = SERVED_WITHIN_S,
        .context = run,
        .has_failed = has_failed,
        .do_harm = do_harm,
        .end_harm = end_harm,
        .on_death = mark_hazard,
        .on_power_cut = on_power_cut,
        .look = look_around,
    };

    course_init(&run->course, run->sim, is_verbose, &options);
    run->course.names = names;
    run->course.town_count = ROAD_PLACES;
    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        run->course.towns[i] = run->road.towns[i];
        run->course.machines[i] = run->road.machines[i];
    }
    bool is_calm = sim_random(run->sim, 4) == 0;
    course_begin_faults(&run->course, is_calm ? 0 : (unsigned)sim_random(run->sim, FAULTS_MAX) + 1);
}

static void
open_run(struct run *run, uint64_t seed, bool is_verbose)
{
    const char *paths[ROAD_PLACES];

    for (enum road_place i = 0; i < ROAD_PLACES; i++) {
        seeds_make_folder(run->real_paths[i]);
        paths[i] = run->real_paths[i];
        run->targets[i] = (struct sender_target){.smtp = road_address(i, TOWN_PORT_SMTP),
                                                 .is_relay = i == ROAD_ORIGIN,
                                                 .has_customer = i != ROAD_PRIMARY,
                                                 .is_signing = i == ROAD_ORIGIN};
        run->power_at[i] = INSTANT_NEVER;
    }
    run->targets[ROAD_PRIMARY].lmtp = road_address(ROAD_PRIMARY, TOWN_PORT_LMTP);
    run->join_at = run->names_at = INSTANT_NEVER;
    seeds_open_world(&run->sim, seed, is_verbose, NULL);
    run->oracle = oracle_open();
    road_open(&run->road, run->sim, (enum road_names)(seed % ROAD_NAMES), paths);
    open_people(run);
    open_course(run, is_verbose);
}

static void
close_run(struct run *run)
{
    for (size_t i = 0; i < run->sender_count; i++)
        sender_close(&run->senders[i]);
    for (size_t i = 0; i < ORACLE_READ; i++)
        reader_close(&run->readers[i]);
    customer_close(&run->customer);
    asker_close(&run->asker);
    road_close(&run->road);
    sim_close(&run->sim);
    oracle_close(&run->oracle);
    for (enum road_place i = 0; i < ROAD_PLACES; i++)
        seeds_remove_folder(run->real_paths[i]);
}

static void
run_seed(uint64_t seed, bool is_verbose, struct seeds_totals *totals)
{
    struct run run = {0};

    open_run(&run, seed, is_verbose);
    live(&run);
    totals->fetched += customer_taken(run.customer);
    totals->refused += asker_refusals(run.asker);
    seeds_add(totals, seed, run.oracle, &run.course);
    close_run(&run);
}

static void
print_totals(uint64_t seeds, const struct seeds_totals *totals)
{
    seeds_print_mail(seeds, totals);
    printf("%" PRIu64 " letters fetched by ATRN; %" PRIu64 " times a stranger was told "
           "that there is nobody of that name\n",
           totals->fetched, totals->refused);
}

int
main(int argc, char **argv)
{
    return seeds_main(argc, argv, SEEDS_DEFAULT, run_seed, print_totals);
}
