/* SPDX-License-Identifier: ISC */
/* What every simulation has: seeds from the command line, totals, folders for the libraries that
 * open files themselves, people who live there. */
#ifndef TESTS_SIMULATION_SEEDS_H
#define TESTS_SIMULATION_SEEDS_H

#include "course.h"
#include "oracle.h"
#include "host/sim/sim.h"

struct seeds_totals {
    uint64_t acknowledged;
    uint64_t read;
    uint64_t copies;
    uint64_t steps, commands, late; /* of the world with IMAP */
    uint64_t fetched, refused;      /* of that with several servers */
    uint64_t faults[COURSE_FAULTS];
    uint64_t turns;
    uint64_t trail; /* of all worlds, one after another */
    unsigned failed;
};

/* Runs one seed and adds to the totals; prints its reason when it fails. */
typedef void (*seeds_fn)(uint64_t seed, bool is_verbose, struct seeds_totals *totals);

/* One line about all; what has gone wrong is said behind it. */
typedef void (*seeds_print_fn)(uint64_t seeds, const struct seeds_totals *totals);
void seeds_print_mail(uint64_t seeds, const struct seeds_totals *totals);

/* "", "--seed N" (one, with its log), "--seeds A..B", or "--twice A..B" (each a second time, in a
 * heap that looks otherwise: the same must happen); returns what main does. */
int seeds_main(int argc, char **argv, unsigned count_default, seeds_fn fn, seeds_print_fn print);

/* Adds what a run has found out. */
void seeds_add(struct seeds_totals *totals, uint64_t seed, const struct oracle *oracle,
               const struct course *course);
/* The same of what every world has. `reason`: why it failed, or NULL. */
void seeds_add_course(struct seeds_totals *totals, uint64_t seed, const char *reason,
                      const struct course *course);

/* A world that the seed draws. Its log goes to standard output if is_verbose; `ret_sim` must stay
 * where it is. */
void seeds_open_world(struct sim **ret_sim, uint64_t seed, bool is_verbose, const char *real_path);

/* An empty folder below /tmp, and its end. */
enum { SEEDS_PATH_SIZE = 64 };
void seeds_make_folder(char ret_path[SEEDS_PATH_SIZE]);
void seeds_remove_folder(const char *path);

/* Lines of the directory's two files for the mailboxes from `first` to before `end`. */
void seeds_put_people(struct buffer *accounts, struct buffer *secrets, unsigned first,
                      unsigned end);

/* One line of the directory's secrets, for logins by SCRAM and APOP; `crypt`: also by PLAIN, or
 * nothing. */
struct seeds_person {
    struct slice address, password;
    unsigned id;
    struct slice crypt;
};
void seeds_put_secret(struct buffer *secrets, const struct seeds_person *person);

#endif
