/* SPDX-License-Identifier: ISC */
/* One role on the simulator's host, its data folder, and peers that speak notes with it: for tests
 * of roles by what they answer. */
#ifndef ROLE_TESTS_WORLD_H
#define ROLE_TESTS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/sim/sim.h"
#include "role/role.h"

enum { WORLD_NOTES_MAX = 4096 };

/* The other end of one channel; the notes that came are kept. */
struct world_peer {
    struct world *world;
    struct host *host;
    struct host_channel *channel;
    bool is_closed;
    struct buffer notes[WORLD_NOTES_MAX];
    size_t count;
    size_t taken; /* by world_next */
    bool keeps_handle;
    host_handle handle; /* the last that came, when it is to be kept */
};

struct world {
    struct sim *sim;
    struct host *host;  /* the role's */
    struct host *clock; /* has nothing to do but let time pass */
    struct host_timer *alarm;
    struct config config;
    struct arena config_arena;
    struct host_dir *directory; /* DATA/directory */
    const struct role *role;
    void *state;
    const char *failed; /* why, when the role has called fail */
};

static inline void
world_fail(void *context, const char *why)
{
    struct world *world = context;

    world->failed = why;
}

static inline void
world_on_alarm(void *context)
{
    (void)context;
}

static inline void
world_open_seeded(struct world *world, const struct role *role, uint64_t seed,
                  const struct sim_options *options)
{
    struct host_dir *root = NULL, *data = NULL;

    *world = (struct world){.role = role};
    world->sim = sim_open(seed, options);
    world->host = sim_host_open(world->sim, role_kind_name(role->kind));
    world->clock = sim_host_open(world->sim, "clock");
    world->alarm = host_timer_open(world->clock, world_on_alarm, world);
    arena_init(&world->config_arena, CONFIG_ARENA_MAX);
    config_default(&world->config_arena, &world->config);
    world->config.data_dir = SLICE("/data");
    assert_int_equal(host_dir_open(world->host, "/", &root), 0);
    assert_int_equal(host_dir_make(root, "data"), 0);
    assert_int_equal(host_dir_open_below(root, "data", &data), 0);
    assert_int_equal(host_dir_make(data, "directory"), 0);
    assert_int_equal(host_dir_open_below(data, "directory", &world->directory), 0);
    host_dir_close(&data);
    host_dir_close(&root);
}

/* A world in which nothing is late or breaks. */
static inline void
world_open(struct world *world, const struct role *role)
{
    static const struct sim_options options;

    world_open_seeded(world, role, 1, &options);
}

/* Writes the whole file anew, or appends to it. */
static inline void
world_write(struct world *world, const char *name, struct slice text, bool is_append)
{
    struct host_file *file = NULL;
    uint64_t size = 0;

    assert_int_equal(
        host_file_open(world->directory, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    if (is_append)
        assert_int_equal(host_file_size(file, &size), 0);
    else
        assert_int_equal(host_file_truncate(file, 0), 0);
    assert_int_equal(host_file_write(file, &text, 1, size), 0);
    host_file_close(&file);
}

static inline void
world_start(struct world *world)
{
    struct role_start start = {.host = world->host,
                               .config = &world->config,
                               .processes = 1,
                               .fail = world_fail,
                               .fail_context = world};

    world->state = world->role->open(&start);
    assert_non_null(world->state);
    assert_true(!world->role->start || world->role->start(world->state));
}

/* Lets `ms` of simulated time pass. */
static inline void
world_run(struct world *world, int64_t ms)
{
    struct instant until = instant_after(sim_now(world->sim), duration_ms(ms));
    struct host *stopped;

    /* Without an alarm, a world in which nobody has anything to do does not get older. */
    host_timer_set(world->alarm, until);
    (void)sim_run(world->sim, until, &stopped);
}

static inline void
world_on_note(void *context, struct slice note, host_handle handle)
{
    struct world_peer *peer = context;

    if (peer->keeps_handle && handle != HOST_HANDLE_NONE)
        peer->handle = handle;
    else
        host_handle_close(peer->host, handle);
    assert_true(peer->count < WORLD_NOTES_MAX);
    buffer_init(&peer->notes[peer->count], HOST_NOTE_MAX);
    buffer_put(&peer->notes[peer->count++], note);
}

static inline void
world_on_closed(void *context)
{
    struct world_peer *peer = context;

    peer->is_closed = true;
    host_channel_close(&peer->channel);
}

static inline void
world_attach(struct world *world, struct world_peer *peer, enum role_kind kind, unsigned index)
{
    static const struct host_channel_handler handler = {.on_note = world_on_note,
                                                        .on_closed = world_on_closed};
    host_handle ours, theirs;

    *peer = (struct world_peer){.world = world};
    peer->host = sim_host_open(world->sim, "peer");
    assert_int_equal(host_channel_pair(peer->host, &ours, &theirs), 0);
    sim_handle_give(world->sim, theirs, world->host);
    peer->channel = host_channel_open(peer->host, ours, &handler, peer);
    world->role->attach(world->state, kind, index, theirs);
}

/* The next note that came, after letting time pass when there is none; fails the test otherwise. */
static inline struct slice
world_next(struct world_peer *peer)
{
    for (unsigned i = 0; peer->taken == peer->count && i < 100; i++)
        world_run(peer->world, 10);
    assert_true(peer->taken < peer->count);
    return buffer_slice(&peer->notes[peer->taken++]);
}

static inline void
world_detach(struct world_peer *peer)
{
    for (size_t i = 0; i < peer->count; i++)
        buffer_finish(&peer->notes[i]);
    host_channel_close(&peer->channel);
    sim_host_close(&peer->host);
}

static inline void
world_close(struct world *world)
{
    if (world->state)
        world->role->close(world->state);
    host_dir_close(&world->directory);
    host_timer_close(&world->alarm);
    sim_host_close(&world->clock);
    sim_host_close(&world->host);
    sim_close(&world->sim);
    arena_finish(&world->config_arena);
}

#endif
