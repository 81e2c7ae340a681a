/* SPDX-License-Identifier: ISC */
#include "seeds.h"

#include "reader.h"
#include "sasl/scram.h"
#include "sender.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRAIL_FACTOR UINT64_C(0x9E3779B97F4A7C15) /* odd: no trail is lost behind others */

/* ---- folders -------------------------------------------------------------------------------- */

static int
remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void
seeds_make_folder(char ret_path[SEEDS_PATH_SIZE])
{
    memcpy(ret_path, "/tmp/simulation_XXXXXX", sizeof("/tmp/simulation_XXXXXX"));
    if (!mkdtemp(ret_path)) {
        perror("simulation: /tmp");
        exit(2);
    }
}

void
seeds_remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the world ------------------------------------------------------------------------------ */

static void
print_log(void *context, const char *process, struct slice line)
{
    struct sim *const *sim = context;

    printf("%12.6f %s %.*s\n", (double)sim_now(*sim).ns / 1e9, process, (int)line.len,
           (const char *)line.at);
}

/* What kind of world it is comes from the seed, too. */
void
seeds_open_world(struct sim **ret_sim, uint64_t seed, bool is_verbose, const char *real_path)
{
    uint64_t kind = seed * 0x9E3779B97F4A7C15;
    struct sim_options options = {
        .real_path = real_path,
        .note_delay_max = {(int64_t)(kind >> 8 & 0x3FFFFF)},     /* 4 ms */
        .stream_delay_max = {(int64_t)(kind >> 16 & 0x1FFFFFF)}, /* 33 ms */
        .stream_chunk_max = kind & 1 ? 0 : (unsigned)(kind >> 24 & 0xFFF) + 20,
        .cut_per_million = kind & 6 ? 0 : 3000,
    };

    if (is_verbose) {
        options.on_log = print_log;
        options.log_context = ret_sim;
    }
    *ret_sim = sim_open(seed, &options);
}

void
seeds_put_people(struct buffer *accounts, struct buffer *secrets, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++) {
        buffer_put(accounts, SLICE("account "));
        sender_put_address(accounts, i);
        buffer_put(accounts, SLICE(" id="));
        buffer_put_decimal(accounts, i + 1);
        buffer_put(accounts, SLICE("\n"));
        buffer_put(secrets, SLICE("secret "));
        sender_put_address(secrets, i);
        buffer_put(secrets, SLICE(" id="));
        buffer_put_decimal(secrets, i + 1);
        buffer_put(secrets, SLICE(" apop="));
        reader_put_secret(secrets, i);
        buffer_put(secrets, SLICE("\n"));
    }
}

void
seeds_put_secret(struct buffer *secrets, const struct seeds_person *person)
{
    struct sasl_scram_keys keys;

    sasl_scram_derive(SASL_HASH_SHA_256, person->password, SLICE("salt of the test"),
                      SASL_ITERATIONS_MIN, &keys);
    buffer_put(secrets, SLICE("secret "));
    buffer_put(secrets, person->address);
    buffer_put(secrets, SLICE(" id="));
    buffer_put_decimal(secrets, person->id);
    buffer_put(secrets, SLICE(" scram-sha-256="));
    sasl_scram_format(secrets, &keys);
    buffer_put(secrets, person->crypt.len > 0 ? SLICE(" crypt=") : SLICE(""));
    buffer_put(secrets, person->crypt);
    buffer_put(secrets, SLICE(" apop="));
    buffer_put(secrets, person->password);
    buffer_put(secrets, SLICE("\n"));
}

/* ---- seeds ---------------------------------------------------------------------------------- */

void
seeds_add_course(struct seeds_totals *totals, uint64_t seed, const char *reason,
                 const struct course *course)
{
    if (reason) {
        printf("seed %" PRIu64 " failed: %s\n", seed, reason);
        totals->failed++;
    }
    course_count(course, totals->faults);
    totals->turns += sim_turns(course->sim);
    totals->trail = totals->trail * TRAIL_FACTOR ^ sim_trail(course->sim);
}

void
seeds_add(struct seeds_totals *totals, uint64_t seed, const struct oracle *oracle,
          const struct course *course)
{
    totals->acknowledged += oracle_acknowledgements(oracle);
    totals->read += oracle_messages_read(oracle);
    totals->copies += oracle_copies(oracle);
    seeds_add_course(totals, seed, oracle_has_failed(oracle) ? oracle_reason(oracle) : NULL,
                     course);
}

static void
print_faults(const struct seeds_totals *totals)
{
    const char *before = "faults: ";

    for (unsigned i = 0; i < COURSE_FAULTS; i++) {
        if (totals->faults[i] == 0)
            continue;
        printf("%s%" PRIu64 " %s", before, totals->faults[i], course_fault_names[i]);
        before = ", ";
    }
    printf("%s\n", before[0] == ',' ? "" : "faults: none");
    printf("trail: %016" PRIx64 "\n", totals->trail);
}

struct range {
    uint64_t first, last;
    bool is_twice;
};

static bool
read_arguments(int argc, char **argv, struct range *ret_range)
{
    char *rest = NULL;

    if (argc == 1)
        return true;
    if (argc != 3)
        return false;
    ret_range->first = ret_range->last = strtoull(argv[2], &rest, 10);
    if (strcmp(argv[1], "--seed") == 0)
        return *rest == 0;
    ret_range->is_twice = strcmp(argv[1], "--twice") == 0;
    if ((!ret_range->is_twice && strcmp(argv[1], "--seeds") != 0) || strncmp(rest, "..", 2) != 0)
        return false;
    ret_range->last = strtoull(rest + 2, &rest, 10);
    return *rest == 0 && ret_range->last >= ret_range->first;
}

/* What is drawn depends on nothing but the seed: not on addresses, nor on what memory held before.
 */
static void
run_again(uint64_t seed, seeds_fn fn, struct seeds_totals *totals)
{
    struct seeds_totals once = {0}, again = {0};

    fn(seed, false, &once);
    fn(seed, false, &again);
    if (once.trail == again.trail && once.turns == again.turns)
        return;
    printf("seed %" PRIu64 " is not the same a second time: %" PRIu64 " and %" PRIu64 " turns\n",
           seed, once.turns, again.turns);
    totals->failed++;
}

void
seeds_print_mail(uint64_t seeds, const struct seeds_totals *totals)
{
    printf("%" PRIu64 " seeds, %u failed; %" PRIu64 " deliveries acknowledged, %" PRIu64
           " messages read, %" PRIu64 " copies too many but allowed, %" PRIu64 " turns\n",
           seeds, totals->failed, totals->acknowledged, totals->read, totals->copies,
           totals->turns);
}

int
seeds_main(int argc, char **argv, unsigned count_default, seeds_fn fn, seeds_print_fn print)
{
    struct seeds_totals totals = {0};
    struct range range = {1, count_default, false};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_arguments(argc, argv, &range)) {
        fprintf(stderr, "usage: %s [--seed N | --seeds A..B | --twice A..B]\n", argv[0]);
        return 64;
    }
    for (uint64_t seed = range.first; seed <= range.last; seed++) {
        if (range.is_twice)
            run_again(seed, fn, &totals);
        else
            fn(seed, range.first == range.last, &totals);
    }
    if (!range.is_twice) {
        print(range.last - range.first + 1, &totals);
        print_faults(&totals);
    }
    return totals.failed ? 1 : 0;
}
