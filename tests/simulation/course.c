/* SPDX-License-Identifier: ISC */
#include "course.h"

#include <errno.h>
#include <stdio.h>

const char *const course_fault_names[COURSE_FAULTS] = {"power cuts",
                                                       "crashes in a disk operation",
                                                       "processes killed",
                                                       "processes that stood still",
                                                       "failed writes",
                                                       "failed syncs",
                                                       "failed reads",
                                                       "times no room",
                                                       "settings of the clock",
                                                       "connections reset",
                                                       "networks parted",
                                                       "times no names"};

enum { STALL_MS_MAX = 20 * 1000 }; /* longer than a role waits for the keys' */

void
course_init(struct course *course, struct sim *sim, bool is_verbose,
            const struct course_options *options)
{
    course->options = *options;
    course->sim = sim;
    course->is_verbose = is_verbose;
    course->next_fault = INSTANT_NEVER;
    course->next_fault_turn = UINT64_MAX;
}

void
course_say(const struct course *course, unsigned town, const char *what)
{
    bool is_one = course->names && town < course->town_count;

    if (course->is_verbose)
        printf("%12.6f --- %s%s%s\n", (double)sim_now(course->sim).ns / 1e9,
               is_one ? course->names[town] : "", is_one ? ": " : "", what);
}

/* ---- faults ---------------------------------------------------------------------------------- */

uint64_t
course_draw_operation(struct course *course, unsigned town)
{
    return sim_disk_operations(course->machines[town]) +
           sim_random(course->sim, course->options.operations_max);
}

static void
fail_disk(struct course *course, struct sim_machine *machine)
{
    unsigned count = (unsigned)sim_random(course->sim, 3) + 1;
    bool is_write = sim_random(course->sim, 2);

    sim_disk_fail(machine, is_write ? SIM_FAULT_WRITE : SIM_FAULT_SYNC, count, -EIO);
}

void
course_power_on(struct course *course, unsigned town)
{
    course_say(course, town, "has power again");
    town_power_on(course->towns[town]);
}

static void
lose_power(struct course *course, unsigned town)
{
    if (town_is_off(course->towns[town]))
        return;
    course->counts[COURSE_POWER]++;
    course_say(course, town, "without power");
    town_power_off(course->towns[town]);
    if (course->options.on_power_cut)
        course->options.on_power_cut(course->options.context, town);
    else
        course_power_on(course, town);
}

/* Half of the power cuts come at once, whatever the disk does. */
void
course_harm(struct course *course, enum course_fault fault, unsigned town, uint64_t operation)
{
    struct sim_machine *machine = course->machines[town];
    int64_t span = course->options.clock_s_max;

    if (fault == COURSE_POWER && sim_random(course->sim, 2)) {
        lose_power(course, town);
        return;
    }
    switch (fault) {
    case COURSE_POWER:
    case COURSE_CRASH:
        sim_crash_at(machine, operation, fault == COURSE_POWER);
        course_say(course, town,
                   fault == COURSE_POWER ? "a power cut is near" : "a crash of a process is near");
        break;
    case COURSE_KILL:
        course->counts[COURSE_KILL]++;
        course_say(course, town, "a process is killed");
        town_kill(course->towns[town]);
        break;
    case COURSE_STALL:
        course->counts[COURSE_STALL]++;
        course_say(course, town, "a process stands still");
        town_stall(course->towns[town],
                   duration_ms((int64_t)sim_random(course->sim, STALL_MS_MAX) + 1));
        break;
    case COURSE_WRITE:
    case COURSE_SYNC:
        fail_disk(course, machine);
        course_say(course, town, "the disk will err");
        break;
    case COURSE_READ:
        sim_disk_fail(machine, SIM_FAULT_READ, (unsigned)sim_random(course->sim, 3) + 1, -EIO);
        course_say(course, town, "the disk will not be read");
        break;
    case COURSE_FULL:
        sim_disk_set_free(machine, sim_random(course->sim, course->options.room_max));
        course_say(course, town, "the disk is nearly full");
        break;
    case COURSE_CLOCK:
        course->counts[COURSE_CLOCK]++;
        sim_wall_jump(course->sim,
                      duration_s((int64_t)sim_random(course->sim, (uint64_t)span * 2) - span));
        course_say(course, course->town_count, "the clock is set");
        break;
    case COURSE_RESET:
    case COURSE_PARTED:
    case COURSE_NO_NAME:
    case COURSE_FAULTS:
        break; /* nothing of a disk or of one machine */
    }
}

void
course_mend_disks(struct course *course)
{
    for (unsigned i = 0; i < course->town_count; i++) {
        sim_disk_fail(course->machines[i], SIM_FAULT_NONE, 0, 0);
        sim_disk_set_free(course->machines[i], UINT32_MAX);
        sim_crash_at(course->machines[i], UINT64_MAX, false);
    }
}

static void
end_faults(struct course *course)
{
    course_say(course, course->town_count, "no more faults");
    if (course->options.end_harm)
        course->options.end_harm(course->options.context);
    course_mend_disks(course);
    course->next_fault = INSTANT_NEVER;
    course->next_fault_turn = UINT64_MAX;
}

static void
draw_next_fault(struct course *course)
{
    const struct course_options *options = &course->options;

    if (course->faults_left == 0) {
        end_faults(course);
        return;
    }
    course->faults_left--;
    if (options->gap_ms_max > 0)
        course->next_fault =
            instant_after(sim_now(course->sim),
                          duration_ms((int64_t)sim_random(course->sim, options->gap_ms_max) + 1));
    else
        course->next_fault_turn =
            sim_turns(course->sim) + sim_random(course->sim, options->gap_turns_max) + 1;
}

void
course_begin_faults(struct course *course, unsigned count)
{
    course->faults_left = count;
    draw_next_fault(course);
}

bool
course_is_calm(const struct course *course)
{
    return instant_is_never(course->next_fault) && course->next_fault_turn == UINT64_MAX;
}

void
course_count(const struct course *course, uint64_t counts[COURSE_FAULTS])
{
    for (unsigned i = 0; i < COURSE_FAULTS; i++)
        counts[i] += course->counts[i];
    for (unsigned i = 0; i < course->town_count; i++) {
        const struct sim_disk_hits *hits = sim_disk_hits(course->machines[i]);
        counts[COURSE_WRITE] += hits->writes;
        counts[COURSE_SYNC] += hits->syncs;
        counts[COURSE_READ] += hits->reads;
        counts[COURSE_FULL] += hits->room;
    }
    counts[COURSE_RESET] += sim_network_cuts(course->sim);
}

/* ---- going on -------------------------------------------------------------------------------- */

static void
on_death(struct course *course, enum sim_end end, struct host *host)
{
    bool is_power_cut = false;

    if (course->options.on_death)
        course->options.on_death(course->options.context);
    for (unsigned i = 0; i < course->town_count; i++) {
        if (town_is_dead(course->towns[i])) {
            is_power_cut = true;
            lose_power(course, i);
        } else {
            town_process_ended(course->towns[i], host);
        }
    }
    if (is_power_cut)
        return;
    course->counts[COURSE_CRASH] += end == SIM_CRASHED;
    course_say(course, course->town_count,
               end == SIM_CRASHED ? "a process has crashed" : "a process has ended");
}

static struct instant
earlier(struct instant left, struct instant right)
{
    return instant_is_before(left, right) ? left : right;
}

static struct instant
next_look(const struct course *course)
{
    const struct course_options *options = &course->options;
    unsigned look_ms = course_is_calm(course) ? options->look_calm_ms : options->look_ms;
    struct instant until = instant_after(sim_now(course->sim), duration_ms(look_ms));

    for (unsigned i = 0; i < course->town_count; i++)
        until = earlier(until, town_next(course->towns[i]));
    return earlier(until, course->next_fault);
}

static void
look_around(struct course *course)
{
    if (course->options.look)
        course->options.look(course->options.context);
    if (!instant_is_before(sim_now(course->sim), course->next_fault) ||
        sim_turns(course->sim) >= course->next_fault_turn) {
        course->options.do_harm(course->options.context);
        draw_next_fault(course);
    }
    for (unsigned i = 0; i < course->town_count; i++)
        town_wake(course->towns[i]);
}

bool
course_run_until(struct course *course, bool (*is_done)(const void *context))
{
    const struct course_options *options = &course->options;
    struct instant limit =
        instant_after(sim_now(course->sim), duration_s(options->served_within_s));

    while (!is_done(options->context) && !options->has_failed(options->context)) {
        struct instant until = next_look(course);
        struct host *host = NULL;
        enum sim_end end = sim_run(course->sim, until, &host);
        if (end == SIM_CRASHED || end == SIM_STOPPED)
            on_death(course, end, host);
        look_around(course);
        if (course_is_calm(course) && !instant_is_before(sim_now(course->sim), limit))
            break;
        if (end == SIM_IDLE) /* nobody will ever do anything again but by our hand */
            sim_advance(course->sim, until);
    }
    return is_done(options->context);
}
