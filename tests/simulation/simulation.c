/* SPDX-License-Identifier: ISC */
/* Runs the town under seeds: `simulation` (the fixed set), `--seed N` (one, with its log),
 * `--seeds A..B` (many). A seed that fails is printed with the reason; it fails again the same. */
#include "course.h"
#include "oracle.h"
#include "reader.h"
#include "seeds.h"
#include "sender.h"

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
    struct sim *sim;
    struct town *town;
    struct course course;
    struct oracle *oracle;
    struct sender_target target;
    struct sender *senders[SENDERS_MAX];
    size_t sender_count;
    struct reader *readers[ORACLE_ACCOUNTS];
    bool has_little_room;
    char real_path[SEEDS_PATH_SIZE];
};

/* ---- faults --------------------------------------------------------------------------------- */

/* One of the things that go wrong with machines. */
static void
do_harm(void *context)
{
    static const enum course_fault faults[] = {
        COURSE_POWER, COURSE_POWER, COURSE_CRASH, COURSE_KILL, COURSE_KILL,
        COURSE_WRITE, COURSE_READ,  COURSE_STALL, COURSE_FULL, COURSE_CLOCK};
    struct run *run = context;
    uint64_t operation = course_draw_operation(&run->course, 0);

    if (run->has_little_room) {
        sim_disk_set_free(sim_machine(run->sim), UINT32_MAX);
        run->has_little_room = false;
        course_say(&run->course, 0, "there is room on the disk again");
        return;
    }
    enum course_fault fault = faults[sim_random(run->sim, COUNT_OF(faults))];
    run->has_little_room = fault == COURSE_FULL;
    course_harm(&run->course, fault, 0, operation);
}

static void
end_harm(void *context)
{
    struct run *run = context;

    sim_network_heal(run->sim);
}

static bool
has_failed(const void *context)
{
    const struct run *run = context;

    return oracle_has_failed(run->oracle);
}

/* ---- the course of a run -------------------------------------------------------------------- */

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
all_is_read(const void *context)
{
    const struct run *run = context;

    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        if (!reader_is_done(run->readers[i]))
            return false;
    return true;
}

static bool
all_has_stopped(const void *context)
{
    const struct run *run = context;

    return town_is_stopped(run->town);
}

static void
read_all_again(struct run *run, const char *when)
{
    for (size_t i = 0; i < ORACLE_ACCOUNTS; i++)
        reader_finish(run->readers[i]);
    if (!course_run_until(&run->course, all_is_read))
        oracle_fail(run->oracle, "%s, the mailboxes cannot be read", when);
    oracle_conclude(run->oracle);
}

static void
live(struct run *run)
{
    if (!course_run_until(&run->course, all_is_sent))
        oracle_fail(run->oracle, "there are no more faults, but letters are not taken");
    if (!oracle_has_failed(run->oracle))
        read_all_again(run, "after the faults");
    if (oracle_has_failed(run->oracle))
        return;
    course_say(&run->course, 0, "stop");
    town_stop(run->town);
    if (!course_run_until(&run->course, all_has_stopped)) {
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
open_course(struct run *run, bool is_verbose)
{
    const struct course_options options = {
        .gap_ms_max = FAULT_GAP_MS_MAX,
        .look_ms = LOOK_EVERY_MS,
        .look_calm_ms = LOOK_EVERY_MS,
        .operations_max = 25,
        .room_max = 100000,
        .clock_s_max = 3600,
        .served_within_s = SERVED_WITHIN_S,
        .context = run,
        .has_failed = has_failed,
        .do_harm = do_harm,
        .end_harm = end_harm,
    };

    course_init(&run->course, run->sim, is_verbose, &options);
    run->course.towns[0] = run->town;
    run->course.machines[0] = sim_machine(run->sim);
    run->course.town_count = 1;
    course_begin_faults(&run->course, (unsigned)sim_random(run->sim, FAULTS_MAX));
}

static void
open_run(struct run *run, uint64_t seed, bool is_verbose)
{
    struct host_address pop3 = server_at(TOWN_PORT_POP3);

    run->target = (struct sender_target){.smtp = server_at(TOWN_PORT_SMTP),
                                         .lmtp = server_at(TOWN_PORT_LMTP)};
    seeds_make_folder(run->real_path);
    seeds_open_world(&run->sim, seed, is_verbose, run->real_path);
    run->oracle = oracle_open();
    run->town = build_town(run->sim);
    open_course(run, is_verbose);
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
    struct run run = {0};

    open_run(&run, seed, is_verbose);
    live(&run);
    seeds_add(totals, seed, run.oracle, &run.course);
    close_run(&run);
}

int
main(int argc, char **argv)
{
    return seeds_main(argc, argv, SEEDS_DEFAULT, run_seed, seeds_print_mail);
}
