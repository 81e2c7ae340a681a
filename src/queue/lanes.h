/* SPDX-License-Identifier: ISC */
/* The domains that have something waiting, ordered by the time of their next attempt. A lane holds
 * no entry: those lie in the view, by class and due time; it knows when to look there. */
#ifndef QUEUE_LANES_H
#define QUEUE_LANES_H

#include "base/map.h"
#include "queue/entry.h"

/* A place in the order of one lane and class. */
struct lane_place {
    uint64_t due_s;
    uint64_t number; /* of the message */
    uint32_t index;  /* of the recipient */
};

struct lane {
    size_t heap_at;                         /* from 1; 0: not in the heap */
    uint64_t ready_s;                       /* when it is to be looked at */
    uint32_t batches;                       /* of its entries, on their way */
    uint8_t turn;                           /* of the classes */
    bool is_dirty;                          /* something came while it was not in the heap */
    struct lane_place taken[QUEUE_CLASSES]; /* up to here everything is on its way or done */
    uint64_t hint; /* hash of the destination that its last entry went to */
    uint8_t domain_len;
    uint8_t domain[];
};

enum { LANE_DOMAIN_MAX = 255 };

struct lanes {
    struct map by_domain;
    struct lane **heap;
    size_t count, room;
};

/* In the caller's memory; the seed is random. */
void lanes_init(struct lanes *lanes, uint64_t seed);
void lanes_finish(struct lanes *lanes);

static inline struct slice
lane_domain(const struct lane *lane)
{
    return slice_of(lane->domain, lane->domain_len);
}

/* An entry waits there; domain.len <= LANE_DOMAIN_MAX. */
void lanes_note(struct lanes *lanes, struct slice domain, enum queue_class class,
                const struct lane_place *place);
/* The lane to be looked at first, or NULL. It stays in the heap. */
struct lane *lanes_first(const struct lanes *lanes);
/* Sets when it is to be looked at next (enters it into the heap). */
void lanes_set(struct lanes *lanes, struct lane *lane, uint64_t ready_s);
/* Takes it out of the heap until lanes_set or lanes_note. */
void lanes_pause(struct lanes *lanes, struct lane *lane);
/* Forgets a lane that has neither entries nor batches. */
void lanes_remove(struct lanes *lanes, struct lane *lane);
struct lane *lanes_find(const struct lanes *lanes, struct slice domain);

/* Compares places in their order: negative, 0, positive. */
int lane_place_compare(const struct lane_place *left, const struct lane_place *right);

/* The class to take from next: of eight turns five belong to urgent, two to ordinary and one to
 * bulk, as far as `has` says that there is something. QUEUE_CLASSES when there is nothing. */
enum queue_class lane_class(struct lane *lane, const bool has[QUEUE_CLASSES]);

#endif
