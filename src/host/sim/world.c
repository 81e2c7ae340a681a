/* SPDX-License-Identifier: ISC */
/* The world: seed, time, processes and whose turn it is. */
#include "host/sim/world_private.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

enum {
    THINGS_SIZE_FIRST = 64,
    JOBS_SIZE_FIRST = 16,
    TURN_NS_MAX = 20000, /* what one turn of a process takes, at most */
    MACHINE_FIRST = 0,
    MACHINE_ELSEWHERE = 1, /* of those who were moved away */
};

static const int64_t wall_start_ns = 1750000000000000000; /* 2025-06-15 */

/* ---- chance -------------------------------------------------------------------------------- */

/* splitmix64: every seed, also 0 and 1, gives a good sequence. */
static uint64_t
next_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9E3779B97F4A7C15;

    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return mixed ^ mixed >> 31;
}

uint64_t
sim_random(struct sim *sim, uint64_t bound)
{
    assert(bound > 0);
    return next_random(&sim->random) % bound;
}

bool
sim_chance(struct sim *sim, unsigned per_million)
{
    return per_million > 0 && sim_random(sim, 1000000) < per_million;
}

struct instant
sim_after_at_most(struct sim *sim, struct duration span)
{
    uint64_t bound = span.ns > 0 ? (uint64_t)span.ns + 1 : 1;

    return instant_after(sim->now, (struct duration){(int64_t)sim_random(sim, bound)});
}

/* Where the name of a machine's real folder begins, and its length; the end when none is there. */
static size_t
find_real_path(const struct sim *sim, struct slice bytes, size_t *ret_len)
{
    size_t first = bytes.len;

    *ret_len = 0;
    for (unsigned i = 0; i < sim->machine_count; i++) {
        const char *path = sim->machines[i].real_path;
        size_t at = path ? slice_find(bytes, slice_of_string(path)) : bytes.len;
        if (at >= first)
            continue;
        first = at;
        *ret_len = strlen(path);
    }
    return first;
}

/* Without the names of real folders, which are others in each run. */
void
sim_trail_add(struct sim *sim, struct slice bytes)
{
    do {
        size_t skipped, len = find_real_path(sim, bytes, &skipped);
        sim->trail = hash64(slice_first(bytes, len), sim->trail);
        bytes = slice_skip(bytes, len + skipped);
    } while (bytes.len > 0);
}

void *
sim_allocate(size_t size)
{
    void *at = calloc(1, size);

    if (!at)
        abort();
    return at;
}

/* ---- handles ------------------------------------------------------------------------------- */

host_handle
thing_add(struct sim *sim, struct host *owner, struct thing thing)
{
    thing.owner = owner;
    for (size_t i = 0; i < sim->thing_count; i++)
        if (sim->things[i].kind == THING_NONE) {
            sim->things[i] = thing;
            return (host_handle)i;
        }
    if (sim->thing_count == sim->thing_size) {
        sim->thing_size = sim->thing_size ? sim->thing_size * 2 : THINGS_SIZE_FIRST;
        sim->things = realloc(sim->things, sim->thing_size * sizeof(struct thing));
        if (!sim->things)
            abort();
    }
    sim->things[sim->thing_count] = thing;
    return (host_handle)sim->thing_count++;
}

struct thing *
thing_find(struct host *host, host_handle handle)
{
    struct sim *sim = host->sim;

    if (handle < 0 || (size_t)handle >= sim->thing_count)
        return NULL;
    struct thing *thing = &sim->things[handle];
    return thing->kind != THING_NONE && thing->owner == host ? thing : NULL;
}

void
thing_forget(struct sim *sim, host_handle handle)
{
    sim->things[handle] = (struct thing){.kind = THING_NONE};
}

void
thing_close(struct sim *sim, host_handle handle)
{
    struct thing thing = sim->things[handle];

    thing_forget(sim, handle);
    switch (thing.kind) {
    case THING_WIRE:
        wire_drop(sim, thing.wire, thing.end);
        break;
    case THING_SOCKET:
        socket_drop(sim, thing.socket);
        break;
    case THING_BLOB:
        blob_drop(thing.blob);
        break;
    case THING_STREAM:
        stream_end_drop(sim, thing.connection, thing.end);
        break;
    case THING_NONE:
        break;
    }
}

void
host_handle_close(struct host *host, host_handle handle)
{
    if (handle != HOST_HANDLE_NONE && thing_find(host, handle))
        thing_close(host->sim, handle);
}

host_handle
host_handle_copy(struct host *host, host_handle handle)
{
    struct thing *thing = thing_find(host, handle);

    if (!thing)
        return -EBADF;
    struct thing copy = *thing;
    switch (copy.kind) {
    case THING_WIRE:
        wire_hold(copy.wire, copy.end);
        break;
    case THING_SOCKET:
        socket_hold(copy.socket);
        break;
    case THING_BLOB:
        blob_hold(copy.blob);
        break;
    case THING_STREAM:
        stream_end_hold(copy.connection, copy.end);
        break;
    case THING_NONE:
        break;
    }
    return thing_add(host->sim, host, copy);
}

void
sim_handle_give(struct sim *sim, host_handle handle, struct host *owner)
{
    assert(handle >= 0 && (size_t)handle < sim->thing_count);
    sim->things[handle].owner = owner;
}

/* ---- what a process asks of the world ------------------------------------------------------- */

struct instant
host_now(struct host *host)
{
    return host->sim->now;
}

struct wall
host_wall(struct host *host)
{
    return (struct wall){host->sim->wall_start_ns + host->sim->now.ns};
}

void
host_random(struct host *host, void *ret_bytes, size_t len)
{
    uint8_t *at = ret_bytes;

    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)sim_random(host->sim, 256);
}

void
host_log(struct host *host, enum host_level level, struct slice line)
{
    (void)level;
    sim_trail_add(host->sim, line);
    if (host->sim->options.on_log && !host->is_dead)
        host->sim->options.on_log(host->sim->options.log_context, host->name, line);
}

void
host_log_configure(struct host *host, const struct host_log_settings *settings)
{
    host->log_settings = *settings;
}

const struct host_log_settings *
host_log_settings(const struct host *host)
{
    return &host->log_settings;
}

struct host_timer *
host_timer_open(struct host *host, host_fn fn, void *context)
{
    return timers_open(&host->timers, fn, context);
}

void
host_defer(struct host *host, host_fn fn, void *context)
{
    struct jobs *jobs = &host->jobs;

    if (jobs->count == jobs->size) {
        jobs->size = jobs->size ? jobs->size * 2 : JOBS_SIZE_FIRST;
        jobs->items = realloc(jobs->items, jobs->size * sizeof(struct job));
        if (!jobs->items)
            abort();
    }
    jobs->items[jobs->count++] = (struct job){fn, context};
}

void
host_rest_again(struct host *host)
{
    (void)host; /* all roles are one process here */
}

void
host_stop(struct host *host)
{
    host->is_stopped = true;
}

/* ---- processes ----------------------------------------------------------------------------- */

struct host *
sim_host_open(struct sim *sim, const char *name)
{
    struct host *host = sim_allocate(sizeof(*host));

    host->sim = sim;
    host->machine = &sim->machines[MACHINE_FIRST];
    host->log_settings.level_max = HOST_LEVEL_DEBUG;
    size_t len = strlen(name);
    memcpy(host->name, name, len < sizeof(host->name) ? len : sizeof(host->name) - 1);
    timers_init(&host->timers);
    list_init(&host->streams);
    list_init(&host->channels);
    list_init(&host->listeners);
    list_init(&host->graveyard);
    list_init(&host->helpers);
    list_append(&sim->hosts, &host->in_world);
    return host;
}

void
sim_host_kill(struct host *host)
{
    struct sim *sim = host->sim;

    if (host->is_dead)
        return;
    host->is_dead = true;
    streams_of_dead(host);
    listeners_of_dead(host);
    channels_of_dead(host);
    files_of_dead(host);
    for (size_t i = 0; i < sim->thing_count; i++)
        if (sim->things[i].kind != THING_NONE && sim->things[i].owner == host)
            thing_close(sim, (host_handle)i);
}

void
sim_power_cut(struct sim_machine *machine)
{
    machine->is_off = true;
    LIST_EACH (link, &machine->sim->hosts) {
        struct host *host = LIST_ITEM(link, struct host, in_world);
        if (host->machine != machine)
            continue;
        streams_of_dark(host);
        sim_host_kill(host);
    }
}

void
sim_host_move(struct host *host, struct sim_machine *machine)
{
    host->machine = machine;
}

void
sim_host_move_away(struct host *host)
{
    sim_host_move(host, &host->sim->machines[MACHINE_ELSEWHERE]);
}

void
sim_host_stall(struct host *host, struct duration span)
{
    host->stalled_until = instant_after(host->sim->now, span);
}

bool
sim_host_is_dead(const struct host *host)
{
    return host->is_dead;
}

bool
sim_host_is_stopped(const struct host *host)
{
    return host->is_stopped;
}

void
mortal_bury(struct host *host, struct mortal *mortal)
{
    mortal->is_closed = true;
    list_remove(&mortal->link);
    if (host->is_in_turn)
        list_append(&host->graveyard, &mortal->link);
    else
        free(mortal);
}

static void
empty_graveyard(struct host *host)
{
    LIST_EACH (link, &host->graveyard) {
        list_remove(link);
        free(LIST_ITEM(link, struct mortal, link));
    }
}

void
sim_host_close(struct host **host_at)
{
    struct host *host = *host_at;

    if (!host)
        return;
    *host_at = NULL;
    while (!list_is_empty(&host->streams)) {
        struct host_stream *stream = (void *)LIST_ITEM(host->streams.next, struct mortal, link);
        host_stream_close(&stream);
    }
    while (!list_is_empty(&host->channels)) {
        struct host_channel *channel = (void *)LIST_ITEM(host->channels.next, struct mortal, link);
        host_channel_close(&channel);
    }
    while (!list_is_empty(&host->listeners)) {
        struct host_listener *listener =
            (void *)LIST_ITEM(host->listeners.next, struct mortal, link);
        host_listener_close(&listener);
    }
    sim_host_kill(host);
    helpers_free(host);
    empty_graveyard(host);
    if (host->sim->crashed_host == host)
        host->sim->crashed_host = NULL;
    list_remove(&host->in_world);
    timers_finish(&host->timers);
    free(host->jobs.items);
    free(host->jobs_running.items);
    free(host);
}

/* ---- turns --------------------------------------------------------------------------------- */

enum { MORTALS_MAX = 4096 }; /* that can be ready in one turn; the rest waits for the next */

static size_t
gather_ready(struct list *list, struct mortal **ready, size_t count)
{
    LIST_EACH (link, list) {
        struct mortal *mortal = LIST_ITEM(link, struct mortal, link);
        if (count < MORTALS_MAX && mortal->is_ready(mortal))
            ready[count++] = mortal;
    }
    return count;
}

static bool
has_ready(const struct list *list)
{
    LIST_EACH (link, list) {
        struct mortal *mortal = LIST_ITEM(link, struct mortal, link);
        if (mortal->is_ready(mortal))
            return true;
    }
    return false;
}

static bool
can_run(struct host *host)
{
    if (host->is_dead || host->is_stopped || host->is_in_turn ||
        instant_is_before(host->sim->now, host->stalled_until))
        return false;
    return host->jobs.count > 0 || timers_next(&host->timers).ns <= host->sim->now.ns ||
           has_ready(&host->channels) || has_ready(&host->streams) || has_ready(&host->listeners);
}

static void
run_timers(struct host *host)
{
    uint64_t last = host->timers.sequence;
    struct host_timer *timer;

    while (!host->is_dead && (timer = timers_take_due(&host->timers, host->sim->now))) {
        if (timer->sequence > last) {
            host_timer_set(timer, host->sim->now); /* set in this walk: due in the next */
            return;
        }
        timer->fn(timer->context);
    }
}

static void
run_ready(struct host *host)
{
    struct mortal *ready[MORTALS_MAX];
    size_t count = gather_ready(&host->channels, ready, 0);

    count = gather_ready(&host->streams, ready, count);
    count = gather_ready(&host->listeners, ready, count);
    for (size_t left = count; left > 0 && !host->is_dead; left--) {
        size_t chosen = sim_random(host->sim, left);
        struct mortal *mortal = ready[chosen];
        ready[chosen] = ready[left - 1];
        if (!mortal->is_closed)
            mortal->turn(mortal);
    }
}

static void
run_jobs(struct host *host)
{
    struct jobs jobs = host->jobs;

    host->jobs = host->jobs_running;
    host->jobs_running = jobs;
    for (size_t i = 0; i < jobs.count && !host->is_dead; i++)
        jobs.items[i].fn(jobs.items[i].context);
    host->jobs_running.count = 0;
}

static void
add_turn(struct sim *sim, const struct host *host)
{
    const uint64_t state[] = {sim->random, (uint64_t)sim->now.ns, (uint64_t)sim->wall_start_ns};

    sim->turns++;
    sim_trail_add(sim, slice_of(state, sizeof(state)));
    sim_trail_add(sim, slice_of_string(host->name));
}

/* One turn of one process, in the order that host.h promises. */
static void
run_turn(struct host *host)
{
    struct sim *sim = host->sim;

    add_turn(sim, host);
    host->is_in_turn = true;
    run_timers(host);
    run_ready(host);
    if (!host->is_dead)
        run_jobs(host);
    if (!host->is_dead)
        channels_flush(host);
    host->is_in_turn = false;
    empty_graveyard(host);
    sim->now.ns += (int64_t)sim_random(sim, TURN_NS_MAX) + 1;
}

/* One of those that can run, each as likely as the other; NULL when there is none. */
static struct host *
choose_host(struct sim *sim)
{
    struct host *chosen = NULL;
    uint64_t count = 0;

    LIST_EACH (link, &sim->hosts) {
        struct host *host = LIST_ITEM(link, struct host, in_world);
        if (can_run(host) && sim_random(sim, ++count) == 0)
            chosen = host;
    }
    return chosen;
}

static struct host *
find_stopped(struct sim *sim)
{
    LIST_EACH (link, &sim->hosts) {
        struct host *host = LIST_ITEM(link, struct host, in_world);
        if (host->is_stopped && !host->is_stop_told && !host->is_dead) {
            host->is_stop_told = true;
            return host;
        }
    }
    return NULL;
}

static struct instant
earlier(struct instant left, struct instant right)
{
    return instant_is_before(left, right) ? left : right;
}

static struct instant
next_event(struct sim *sim)
{
    struct instant next = earlier(wires_next(sim), connections_next(sim));

    next = earlier(next, sockets_next(sim));
    LIST_EACH (link, &sim->hosts) {
        struct host *host = LIST_ITEM(link, struct host, in_world);
        if (host->is_dead || host->is_stopped || host->is_in_turn)
            continue;
        bool is_stalled = instant_is_before(sim->now, host->stalled_until);
        next = earlier(next, is_stalled ? host->stalled_until : timers_next(&host->timers));
    }
    return next;
}

/* One step: a turn of one process, or time moves, at most until then. False: nobody has anything
 * to do, ever. */
static bool
go_on(struct sim *sim, struct instant until)
{
    struct host *host = choose_host(sim);

    if (host) {
        run_turn(host);
        return true;
    }
    struct instant next = next_event(sim);
    if (instant_is_never(next))
        return false;
    if (sim->now.ns < next.ns)
        sim->now = earlier(next, until);
    return true;
}

bool
sim_others_go_on(struct sim *sim, struct instant until)
{
    if (!instant_is_before(sim->now, until))
        return false;
    if (!go_on(sim, until))
        sim->now = until;
    return true;
}

enum sim_end
sim_run(struct sim *sim, struct instant until, struct host **ret_host)
{
    for (;;) {
        if (sim->has_crashed) {
            sim->has_crashed = false;
            *ret_host = sim->crashed_host;
            return SIM_CRASHED;
        }
        struct host *stopped = find_stopped(sim);
        if (stopped) {
            *ret_host = stopped;
            return SIM_STOPPED;
        }
        if (!instant_is_before(sim->now, until))
            return SIM_TIME;
        if (!go_on(sim, until))
            return SIM_IDLE;
    }
}

void
sim_advance(struct sim *sim, struct instant until)
{
    if (instant_is_before(sim->now, until))
        sim->now = until;
}

struct instant
sim_now(const struct sim *sim)
{
    return sim->now;
}

void
sim_wall_jump(struct sim *sim, struct duration by)
{
    sim->wall_start_ns += by.ns;
}

uint64_t
sim_turns(const struct sim *sim)
{
    return sim->turns;
}

uint64_t
sim_trail(const struct sim *sim)
{
    return sim->trail;
}

void
sim_network_heal(struct sim *sim)
{
    sim->options.cut_per_million = 0;
    memset(sim->is_parted, 0, sizeof(sim->is_parted));
}

uint64_t
sim_network_cuts(const struct sim *sim)
{
    return sim->cuts;
}

void
sim_machines_part(struct sim_machine *left, struct sim_machine *right, bool is_parted)
{
    struct sim *sim = left->sim;

    sim->is_parted[left->number][right->number] = is_parted;
    sim->is_parted[right->number][left->number] = is_parted;
}

/* ---- life ---------------------------------------------------------------------------------- */

struct sim_machine *
sim_machine(struct sim *sim)
{
    return &sim->machines[MACHINE_FIRST];
}

struct sim_machine *
sim_machine_open(struct sim *sim, const struct sim_machine_options *options)
{
    assert(sim->machine_count < SIM_MACHINES_MAX);
    struct sim_machine *machine = &sim->machines[sim->machine_count];

    *machine = (struct sim_machine){
        .sim = sim, .number = sim->machine_count++, .real_path = options->real_path};
    memcpy(machine->ipv4, options->ipv4, sizeof(machine->ipv4));
    machine->disk = disk_open(machine, options->disk_bytes);
    return machine;
}

struct sim *
sim_open(uint64_t seed, const struct sim_options *options)
{
    struct sim *sim = sim_allocate(sizeof(*sim));

    sim->random = seed;
    sim->options = *options;
    sim->now = (struct instant){1000000000};
    sim->wall_start_ns = wall_start_ns;
    list_init(&sim->hosts);
    list_init(&sim->wires);
    list_init(&sim->connections);
    list_init(&sim->sockets);
    const struct sim_machine_options first = {
        .ipv4 = {127, 0, 0, 1}, .disk_bytes = options->disk_bytes, .real_path = options->real_path};
    const struct sim_machine_options elsewhere = {.ipv4 = {127, 0, 0, 1}};
    (void)sim_machine_open(sim, &first);
    (void)sim_machine_open(sim, &elsewhere);
    return sim;
}

void
sim_close(struct sim **sim_at)
{
    struct sim *sim = *sim_at;

    if (!sim)
        return;
    *sim_at = NULL;
    assert(list_is_empty(&sim->hosts));
    for (size_t i = 0; i < sim->thing_count; i++)
        if (sim->things[i].kind != THING_NONE)
            thing_close(sim, (host_handle)i);
    assert(list_is_empty(&sim->wires) && list_is_empty(&sim->connections) &&
           list_is_empty(&sim->sockets));
    for (unsigned i = 0; i < sim->machine_count; i++)
        disk_close(&sim->machines[i].disk);
    free(sim->things);
    free(sim);
}
