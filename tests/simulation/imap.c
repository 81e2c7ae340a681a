/* SPDX-License-Identifier: ISC */
/* Several IMAP clients on the same mailboxes, in rounds: they do what comes to their minds, while
 * the seed does harm; in the world of some seeds mail comes in by SMTP and is fetched by POP3, too.
 * Between two rounds all is looked at: by the model (boxes.h), and by each client in what it has
 * been told. */
#include "boxes.h"
#include "course.h"
#include "inspector.h"
#include "member.h"
#include "postman.h"
#include "seeds.h"
#include "sender.h"
#include "town.h"
#include "visit.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SEEDS_DEFAULT = 45,
    MEMBERS_MAX = 5,
    ROUNDS_MAX = 5,
    COMMANDS_MAX = 16,
    LETTERS_MAX = 8,
    VISITS_MAX = 3,
    MIXED_EVERY = 3, /* seeds */
    PARTS_EVERY = 4, /* the same */
    PART_MAX = 3,    /* messages */
    FAULTS_MAX = 6,  /* in a round */
    FAULT_GAP_MS_MAX = 500,
    LOOK_EVERY_MS = 500,
    ON_ITS_WAY_S = 10, /* until nothing is, once nobody asks for anything */
    SERVED_WITHIN_S = 4 * 3600,
    ACCESS_PROCESSES = 2,
};

struct run {
    struct sim *sim;
    struct town *town;
    struct course course;
    struct boxes *boxes;
    struct inspector *inspector;
    struct member *members[MEMBERS_MAX];
    struct postman *postman, *fetcher; /* or NULL */
    unsigned member_count;
    uint64_t steps;       /* commands of all members */
    struct instant quiet; /* when nothing is on its way any more */
    char real_path[SEEDS_PATH_SIZE];
};

/* ---- faults ---------------------------------------------------------------------------------- */

static void
do_harm(void *context)
{
    static const enum course_fault faults[] = {
        COURSE_POWER, COURSE_POWER, COURSE_CRASH, COURSE_KILL,  COURSE_KILL, COURSE_KILL,
        COURSE_WRITE, COURSE_READ,  COURSE_READ,  COURSE_STALL, COURSE_FULL, COURSE_CLOCK};
    struct run *run = context;
    uint64_t operation = course_draw_operation(&run->course, 0);

    course_harm(&run->course, faults[sim_random(run->sim, COUNT_OF(faults))], 0, operation);
}

static bool
has_failed(const void *context)
{
    const struct run *run = context;

    return boxes_has_failed(run->boxes);
}

/* ---- the course of a run --------------------------------------------------------------------- */

/* Runs until `is_done` holds; what does not come to that is a failure. */
static void
run_until(struct run *run, bool (*is_done)(const void *context), const char *what)
{
    if (!course_run_until(&run->course, is_done))
        boxes_fail(run->boxes, "%s", what);
}

static bool
all_rest(const void *context)
{
    const struct run *run = context;

    for (unsigned i = 0; i < run->member_count; i++)
        if (!member_is_resting(run->members[i]))
            return false;
    if (run->postman && (!postman_is_resting(run->postman) || !postman_is_resting(run->fetcher)))
        return false;
    return course_is_calm(&run->course);
}

static bool
is_quiet(const void *context)
{
    const struct run *run = context;

    return !instant_is_before(sim_now(run->sim), run->quiet);
}

static bool
is_inspected(const void *context)
{
    const struct run *run = context;

    return inspector_is_done(run->inspector);
}

static bool
all_are_synced(const void *context)
{
    const struct run *run = context;

    for (unsigned i = 0; i < run->member_count; i++)
        if (!member_is_synced(run->members[i]))
            return false;
    return true;
}

static bool
has_stopped(const void *context)
{
    const struct run *run = context;

    return town_is_stopped(run->town);
}

/* Everybody stops; what is there is looked at, and must be what everybody knows. */
static void
compare(struct run *run)
{
    run->quiet = instant_after(sim_now(run->sim), duration_s(ON_ITS_WAY_S));
    run_until(run, is_quiet, "time stands still");
    course_say(&run->course, 0, "the inspector looks");
    inspector_look(run->inspector);
    run_until(run, is_inspected, "the mailboxes cannot be read");
    if (boxes_has_failed(run->boxes))
        return;
    boxes_settle(run->boxes, inspector_truth(run->inspector));
    course_say(&run->course, 0, "all compare");
    for (unsigned i = 0; i < run->member_count; i++)
        member_sync(run->members[i]);
    run_until(run, all_are_synced, "not all clients are told what has changed");
}

static void
do_round(struct run *run, unsigned faults)
{
    course_begin_faults(&run->course, faults);
    for (unsigned i = 0; i < run->member_count; i++) {
        unsigned commands = (unsigned)sim_random(run->sim, COMMANDS_MAX) + 1;
        member_work(run->members[i], commands);
        run->steps += commands;
    }
    if (run->postman) {
        postman_work(run->postman, (unsigned)sim_random(run->sim, LETTERS_MAX));
        postman_work(run->fetcher, (unsigned)sim_random(run->sim, VISITS_MAX));
    }
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
    course_say(&run->course, 0, "stop");
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

/* In every fourth seed long commands are those of more than a few messages. */
static unsigned
part_of(uint64_t seed)
{
    return seed % PARTS_EVERY == 0 ? 1 + (unsigned)(seed / PARTS_EVERY % PART_MAX) : 0;
}

static struct town *
build_town(struct sim *sim, unsigned part)
{
    struct buffer accounts, secrets, config;
    struct town_options options = {
        .machine = sim_machine(sim),
        .ipv4 = {127, 0, 0, 1},
        .access_processes = ACCESS_PROCESSES,
    };

    buffer_init(&accounts, 64 * 1024);
    buffer_init(&secrets, 64 * 1024);
    buffer_init(&config, 1024);
    buffer_put_text(&config, "hostname = mail.example.test\npostmaster = user0@example.test\n"
                             "store_view_interval = 200ms\n");
    if (part > 0) {
        buffer_put_text(&config, "store_part_messages = ");
        buffer_put_decimal(&config, part);
        buffer_put_text(&config, "\n");
    }
    buffer_put(&accounts, SLICE("domain example.test\n"));
    for (unsigned i = 0; i < 2; i++) {
        buffer_put(&accounts, SLICE("account "));
        sender_put_address(&accounts, i);
        buffer_put(&accounts, SLICE(" id="));
        buffer_put_decimal(&accounts, i + 1);
        buffer_put(&accounts, SLICE("\n"));
        visit_put_secret(&secrets, i);
    }
    options.config = buffer_slice(&config);
    options.accounts = buffer_slice(&accounts);
    options.secrets = buffer_slice(&secrets);
    struct town *town = town_open(sim, &options);
    buffer_finish(&accounts);
    buffer_finish(&secrets);
    buffer_finish(&config);
    return town;
}

static void
open_course(struct run *run, bool is_verbose)
{
    const struct course_options options = {
        .gap_ms_max = FAULT_GAP_MS_MAX,
        .look_ms = LOOK_EVERY_MS,
        .look_calm_ms = LOOK_EVERY_MS,
        .operations_max = 6,
        .room_max = 100000,
        .clock_s_max = 3600,
        .served_within_s = SERVED_WITHIN_S,
        .context = run,
        .has_failed = has_failed,
        .do_harm = do_harm,
    };

    course_init(&run->course, run->sim, is_verbose, &options);
    run->course.towns[0] = run->town;
    run->course.machines[0] = sim_machine(run->sim);
    run->course.town_count = 1;
}

static void
open_run(struct run *run, uint64_t seed, bool is_verbose)
{
    const struct host_address server = {
        .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = TOWN_PORT_IMAP};
    struct host_address smtp = server, pop3 = server;

    smtp.port = TOWN_PORT_SMTP;
    pop3.port = TOWN_PORT_POP3;
    seeds_make_folder(run->real_path);
    seeds_open_world(&run->sim, seed, is_verbose, run->real_path);
    run->boxes = boxes_open();
    if (part_of(seed) > 0)
        boxes_allow_parts(run->boxes);
    run->town = build_town(run->sim, part_of(seed));
    open_course(run, is_verbose);
    run->inspector = inspector_open(run->sim, run->boxes, &server);
    run->member_count = (unsigned)sim_random(run->sim, MEMBERS_MAX) + 1;
    for (unsigned i = 0; i < run->member_count; i++) {
        const struct member_options options = {.server = server,
                                               .number = i,
                                               .is_owner = i % 2 == 0,
                                               .is_first = i == 0,
                                               .is_resync = (i + seed) % 3 == 0,
                                               .is_notify = (i + seed / 3) % 2 == 0};
        run->members[i] = member_open(run->sim, run->boxes, &options);
    }
    if (seed % MIXED_EVERY == 0) {
        run->postman = postman_open(run->sim, run->boxes, &smtp, false);
        run->fetcher = postman_open(run->sim, run->boxes, &pop3, true);
    }
}

static void
close_run(struct run *run)
{
    for (unsigned i = 0; i < run->member_count; i++)
        member_close(&run->members[i]);
    postman_close(&run->postman);
    postman_close(&run->fetcher);
    inspector_close(&run->inspector);
    town_close(&run->town);
    sim_close(&run->sim);
    boxes_close(&run->boxes);
    seeds_remove_folder(run->real_path);
}

static void
run_seed(uint64_t seed, bool is_verbose, struct seeds_totals *totals)
{
    struct run run = {0};

    open_run(&run, seed, is_verbose);
    live(&run);
    totals->steps += run.steps;
    totals->commands += boxes_done_count(run.boxes);
    totals->late += boxes_late_count(run.boxes);
    seeds_add_course(totals, seed, boxes_has_failed(run.boxes) ? boxes_reason(run.boxes) : NULL,
                     &run.course);
    close_run(&run);
}

static void
print_totals(uint64_t seeds, const struct seeds_totals *totals)
{
    printf("%" PRIu64 " seeds, %u failed; %" PRIu64 " commands, %" PRIu64
           " changes answered, %" PRIu64 " done that were never answered, %" PRIu64 " turns\n",
           seeds, totals->failed, totals->steps, totals->commands, totals->late, totals->turns);
}

int
main(int argc, char **argv)
{
    return seeds_main(argc, argv, SEEDS_DEFAULT, run_seed, print_totals);
}
