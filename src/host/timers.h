/* SPDX-License-Identifier: ISC */
/* The timers of one host: a binary heap ordered by time, then by the order of setting. Both hosts
 * use it. Moving a timer to a later time, which sessions do with every command, costs nothing: it
 * keeps its place and is put right when that comes up. */
#ifndef HOST_TIMERS_H
#define HOST_TIMERS_H

#include "host/host.h"

struct timers {
    struct host_timer **heap;
    size_t count;
    size_t size;
    uint64_t sequence; /* of settings: the order among equal times */
};

struct host_timer {
    struct timers *timers;
    host_fn fn;
    void *context;
    struct instant when;  /* INSTANT_NEVER: not set */
    struct instant place; /* by which the heap orders; never after `when` while in the heap */
    uint64_t sequence;
    size_t index; /* in the heap, or SIZE_MAX */
};

/* In the caller's memory. */
void timers_init(struct timers *timers);
/* No timer may be open any more. */
void timers_finish(struct timers *timers);

/* Not set yet; host_timer_close frees it. */
struct host_timer *timers_open(struct timers *timers, host_fn fn, void *context);

/* When the next timer is due, or INSTANT_NEVER. */
struct instant timers_next(struct timers *timers);

/* Takes out one timer that is due at `now`, disarmed, or returns NULL. The caller calls its fn. */
struct host_timer *timers_take_due(struct timers *timers, struct instant now);

#endif
