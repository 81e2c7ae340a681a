/* SPDX-License-Identifier: ISC */
/* The course of a run, the same in all worlds: it goes on until something holds, while faults come
 * as the seed draws them. Each kind of fault is counted when it strikes, not when it is ordered:
 * a power cut that is near may never come. */
#ifndef TESTS_SIMULATION_COURSE_H
#define TESTS_SIMULATION_COURSE_H

#include "town.h"

enum { COURSE_TOWNS_MAX = 3 };

enum course_fault {
    COURSE_POWER,   /* all of a machine dies, inside a disk operation or at any time */
    COURSE_CRASH,   /* one process does */
    COURSE_KILL,    /* one process dies anywhere */
    COURSE_STALL,   /* one process gets no processor for a while */
    COURSE_WRITE,   /* writes fail */
    COURSE_SYNC,    /* syncs fail */
    COURSE_READ,    /* reads fail */
    COURSE_FULL,    /* there is no room on the disk */
    COURSE_CLOCK,   /* the time of day is set */
    COURSE_RESET,   /* a connection is reset (by the simulator's own chance) */
    COURSE_PARTED,  /* two machines do not hear each other */
    COURSE_NO_NAME, /* names are not found */
    COURSE_FAULTS
};

/* What one world differs in. */
struct course_options {
    /* Between two faults: so much time or, if that is 0, so many turns, at most. */
    unsigned gap_ms_max, gap_turns_max;
    unsigned look_ms, look_calm_ms; /* how often `is_done` is asked, and without faults */
    unsigned operations_max;        /* until a crash that is near */
    unsigned room_max;              /* bytes that are left on a disk that is nearly full */
    unsigned clock_s_max;           /* by which the clock is set, forward or back */
    unsigned served_within_s;       /* of simulated time, once there are no faults */

    void *context;
    bool (*has_failed)(const void *context);
    /* Does one thing that goes wrong: mostly by course_harm. */
    void (*do_harm)(void *context);
    /* NULL, or: ends what course_harm knows nothing of. */
    void (*end_harm)(void *context);
    /* NULL, or: a process has ended or died. */
    void (*on_death)(void *context);
    /* NULL: power is back at once; or: the world calls course_power_on. */
    void (*on_power_cut)(void *context, unsigned town);
    /* NULL, or: called all the time. */
    void (*look)(void *context);
};

struct course {
    struct course_options options;
    struct sim *sim;
    bool is_verbose;
    struct town *towns[COURSE_TOWNS_MAX];
    struct sim_machine *machines[COURSE_TOWNS_MAX];
    const char *const *names; /* of the towns; NULL where there is one */
    unsigned town_count;
    unsigned faults_left;
    struct instant next_fault;
    uint64_t next_fault_turn;
    uint64_t counts[COURSE_FAULTS];
};

/* In words, several of them: "power cuts". */
extern const char *const course_fault_names[COURSE_FAULTS];

/* `sim` is there; towns and machines are put in by the world. No faults yet. */
void course_init(struct course *course, struct sim *sim, bool is_verbose,
                 const struct course_options *options);

/* Into the log of a seed that is run by itself; town_count: of all. */
void course_say(const struct course *course, unsigned town, const char *what);

/* From now on so many faults come, then they end. */
void course_begin_faults(struct course *course, unsigned count);
/* They have ended. */
bool course_is_calm(const struct course *course);

/* Where in the near future of a machine's disk something is to happen, drawn. */
uint64_t course_draw_operation(struct course *course, unsigned town);
/* One fault of the first kinds, to COURSE_CLOCK; WRITE and SYNC mean either, as drawn. */
void course_harm(struct course *course, enum course_fault fault, unsigned town, uint64_t operation);
/* Disks work again, and no crash is near. */
void course_mend_disks(struct course *course);
void course_power_on(struct course *course, unsigned town);

/* Goes on until is_done holds; false when it failed, or when time is up. */
bool course_run_until(struct course *course, bool (*is_done)(const void *context));

/* Adds what has struck. At the end. */
void course_count(const struct course *course, uint64_t counts[COURSE_FAULTS]);

#endif
