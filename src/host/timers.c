/* SPDX-License-Identifier: ISC */
#include "host/timers.h"

#include <stdlib.h>

enum { TIMERS_SIZE_FIRST = 64 };

void
timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void
timers_finish(struct timers *timers)
{
    free(timers->heap);
    timers_init(timers);
}

static bool
is_before(const struct host_timer *left, const struct host_timer *right)
{
    if (left->place.ns != right->place.ns)
        return left->place.ns < right->place.ns;
    return left->sequence < right->sequence;
}

static void
put_at(struct timers *timers, struct host_timer *timer, size_t index)
{
    timers->heap[index] = timer;
    timer->index = index;
}

static void
move_up(struct timers *timers, struct host_timer *timer)
{
    size_t index = timer->index;

    while (index > 0 && is_before(timer, timers->heap[(index - 1) / 2])) {
        put_at(timers, timers->heap[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    put_at(timers, timer, index);
}

static void
move_down(struct timers *timers, struct host_timer *timer)
{
    size_t index = timer->index;

    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && is_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!is_before(timers->heap[child], timer))
            break;
        put_at(timers, timers->heap[child], index);
        index = child;
    }
    put_at(timers, timer, index);
}

static void
insert(struct timers *timers, struct host_timer *timer)
{
    if (timers->count == timers->size) {
        size_t size = timers->size ? timers->size * 2 : TIMERS_SIZE_FIRST;
        struct host_timer **heap = realloc(timers->heap, size * sizeof(struct host_timer *));
        if (!heap)
            abort();
        timers->heap = heap;
        timers->size = size;
    }
    put_at(timers, timer, timers->count++);
    move_up(timers, timer);
}

static void
take_out(struct timers *timers, struct host_timer *timer)
{
    struct host_timer *last = timers->heap[--timers->count];

    if (last != timer) {
        put_at(timers, last, timer->index);
        move_up(timers, last);
        move_down(timers, last);
    }
    timer->index = SIZE_MAX;
}

struct host_timer *
timers_open(struct timers *timers, host_fn fn, void *context)
{
    struct host_timer *timer = malloc(sizeof(*timer));

    if (!timer)
        abort();
    *timer = (struct host_timer){.timers = timers,
                                 .fn = fn,
                                 .context = context,
                                 .when = INSTANT_NEVER,
                                 .index = SIZE_MAX};
    return timer;
}

void
host_timer_set(struct host_timer *timer, struct instant when)
{
    timer->when = when;
    timer->sequence = ++timer->timers->sequence;
    if (timer->index == SIZE_MAX) {
        timer->place = when;
        if (!instant_is_never(when))
            insert(timer->timers, timer);
    } else if (when.ns < timer->place.ns) {
        timer->place = when;
        move_up(timer->timers, timer);
    } else {
        /* Its place is now too early, by time or by sequence; timers_next puts it right. */
        move_down(timer->timers, timer);
    }
}

void
host_timer_close(struct host_timer **timer)
{
    if (!*timer)
        return;
    if ((*timer)->index != SIZE_MAX)
        take_out((*timer)->timers, *timer);
    free(*timer);
    *timer = NULL;
}

struct instant
timers_next(struct timers *timers)
{
    while (timers->count > 0) {
        struct host_timer *first = timers->heap[0];
        if (first->place.ns == first->when.ns)
            return first->when;
        if (instant_is_never(first->when)) {
            take_out(timers, first);
            continue;
        }
        first->place = first->when;
        move_down(timers, first);
    }
    return INSTANT_NEVER;
}

struct host_timer *
timers_take_due(struct timers *timers, struct instant now)
{
    struct instant next = timers_next(timers);

    if (instant_is_never(next) || instant_is_before(now, next))
        return NULL;
    struct host_timer *timer = timers->heap[0];
    take_out(timers, timer);
    timer->when = INSTANT_NEVER;
    return timer;
}
