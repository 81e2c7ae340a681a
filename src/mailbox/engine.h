/* SPDX-License-Identifier: ISC */
/* Where turns become durable. The rest of the room is written on these calls only, so that another
 * engine (a cluster's, which appends the same turns under compare-and-swap) can take the place of
 * the embedded one. An engine checks one thing: am I still the owner, and is this the next turn.
 *
 * A completion is called once, either before the call returns (the embedded engine) or later from
 * the loop. One commit at a time; reads as many as wanted. */
#ifndef MAILBOX_ENGINE_H
#define MAILBOX_ENGINE_H

#include "host/host.h"
#include "mailbox/log.h"
#include "mailbox/turn.h"

enum engine_result {
    ENGINE_DURABLE,
    ENGINE_FENCED,   /* somebody else owns the shard now: stop */
    ENGINE_NO_SPACE, /* nothing was kept; try again when there is room */
    ENGINE_FAILED,   /* nothing was kept */
};

/* `place` is where the turn begins. */
typedef void (*engine_commit_fn)(void *context, enum engine_result result, struct place place);
/* 0 and the octets (valid during the call), or a negative errno. */
typedef void (*engine_read_fn)(void *context, int result, struct slice bytes);
/* One turn for replay; false stops it. */
typedef bool (*engine_turn_fn)(void *context, const struct log_found *found);

struct engine;

struct engine_ops {
    /* Owns the shard from here on, under a fresh epoch, which is above every earlier one. `epoch`
     * and `turn` are the last that the view knows. 0 or -errno. */
    int (*acquire)(struct engine *engine, uint64_t epoch, uint64_t turn, uint64_t *ret_epoch);
    /* Calls fn for each turn from `from` on ({0, 0}: from the first that is kept), damage included.
     * `turn` is the number of the turn before `from`. `is_first`: makes the end of the last good
     * turn the end of the log; once, before the first commit. 0 or -errno (-ECANCELED when fn
     * stopped it). */
    int (*replay)(struct engine *engine, struct place from, uint64_t turn, bool is_first,
                  engine_turn_fn fn, void *context);
    void (*commit)(struct engine *engine, const struct turn *turn, uint64_t number,
                   engine_commit_fn fn, void *context);
    void (*body_read)(struct engine *engine, struct place place, size_t len, engine_read_fn fn,
                      void *context);
    /* The view is durable up to this place: replay will never begin before it. */
    void (*checkpoint)(struct engine *engine, struct place place);
    /* Nothing of this segment is wanted any more. 0 or -errno. */
    int (*trim)(struct engine *engine, uint32_t segment);
    /* The log behind it, for walks (check, reclaim). */
    struct turn_log *(*log)(struct engine *engine);
    /* Gives back memory that only work needed; what it last read is no longer there. */
    void (*rest)(struct engine *engine);
    void (*close)(struct engine **engine);
};

struct engine {
    const struct engine_ops *ops;
};

/* The embedded engine on `dir`/log, locked by `dir`/lock. Errors as turn_log_open; -EWOULDBLOCK
 * when another process has the lock. Everything given is borrowed and must outlive it. */
MUST_USE int engine_file_open(struct host *host, struct host_dir *dir, uint32_t shard,
                              uint64_t segment_bytes, struct buffer *why,
                              struct engine **ret_engine);

#endif
