/* SPDX-License-Identifier: ISC */
#include "queue/lanes.h"

#include <stdlib.h>

void
lanes_init(struct lanes *lanes, uint64_t seed)
{
    *lanes = (struct lanes){0};
    map_init(&lanes->by_domain, seed);
}

void
lanes_finish(struct lanes *lanes)
{
    const struct map_item *item;

    for (size_t place = 0; (item = map_next(&lanes->by_domain, &place));)
        free(item->value);
    map_finish(&lanes->by_domain);
    free(lanes->heap);
    *lanes = (struct lanes){0};
}

int
lane_place_compare(const struct lane_place *left, const struct lane_place *right)
{
    if (left->due_s != right->due_s)
        return left->due_s < right->due_s ? -1 : 1;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

/* ---- the heap: heap[0] is first ------------------------------------------------------------ */

static void
put_at(struct lanes *lanes, size_t at, struct lane *lane)
{
    lanes->heap[at] = lane;
    lane->heap_at = at + 1;
}

static void
sift(struct lanes *lanes, size_t at, struct lane *lane)
{
    while (at > 0 && lane->ready_s < lanes->heap[(at - 1) / 2]->ready_s) {
        put_at(lanes, at, lanes->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= lanes->count)
            break;
        if (child + 1 < lanes->count &&
            lanes->heap[child + 1]->ready_s < lanes->heap[child]->ready_s)
            child++;
        if (lanes->heap[child]->ready_s >= lane->ready_s)
            break;
        put_at(lanes, at, lanes->heap[child]);
        at = child;
    }
    put_at(lanes, at, lane);
}

void
lanes_set(struct lanes *lanes, struct lane *lane, uint64_t ready_s)
{
    lane->ready_s = ready_s;
    lane->is_dirty = false;
    if (lane->heap_at == 0) {
        if (lanes->count == lanes->room) {
            lanes->room = lanes->room ? lanes->room * 2 : 64;
            lanes->heap = realloc(lanes->heap, lanes->room * sizeof(*lanes->heap));
            if (!lanes->heap)
                abort();
        }
        lane->heap_at = ++lanes->count;
    }
    sift(lanes, lane->heap_at - 1, lane);
}

void
lanes_pause(struct lanes *lanes, struct lane *lane)
{
    if (lane->heap_at == 0)
        return;
    size_t at = lane->heap_at - 1;
    struct lane *last = lanes->heap[--lanes->count];

    lane->heap_at = 0;
    if (last != lane)
        sift(lanes, at, last);
}

struct lane *
lanes_first(const struct lanes *lanes)
{
    return lanes->count > 0 ? lanes->heap[0] : NULL;
}

struct lane *
lanes_find(const struct lanes *lanes, struct slice domain)
{
    return map_find(&lanes->by_domain, domain);
}

void
lanes_note(struct lanes *lanes, struct slice domain, enum queue_class class,
           const struct lane_place *place)
{
    struct lane *lane = lanes_find(lanes, domain);

    if (!lane) {
        assert(domain.len <= LANE_DOMAIN_MAX);
        lane = calloc(1, sizeof(*lane) + domain.len);
        if (!lane)
            abort();
        lane->domain_len = (uint8_t)domain.len;
        memcpy(lane->domain, domain.at, domain.len);
        map_set(&lanes->by_domain, domain, lane);
        lanes_set(lanes, lane, place->due_s);
        return;
    }
    /* Something that comes before what was taken last: look from the beginning again. */
    if (lane_place_compare(place, &lane->taken[class]) <= 0)
        lane->taken[class] = (struct lane_place){0};
    if (lane->heap_at == 0)
        lane->is_dirty = true;
    else if (place->due_s < lane->ready_s)
        lanes_set(lanes, lane, place->due_s);
}

void
lanes_remove(struct lanes *lanes, struct lane *lane)
{
    assert(lane->batches == 0);
    lanes_pause(lanes, lane);
    map_remove(&lanes->by_domain, lane_domain(lane));
    free(lane);
}

enum queue_class
lane_class(struct lane *lane, const bool has[QUEUE_CLASSES])
{
    static const enum queue_class turns[8] = {
        QUEUE_URGENT, QUEUE_ORDINARY, QUEUE_URGENT, QUEUE_BULK,
        QUEUE_URGENT, QUEUE_ORDINARY, QUEUE_URGENT, QUEUE_URGENT,
    };

    for (unsigned i = 0; i < COUNT_OF(turns); i++) {
        enum queue_class class = turns[lane->turn++ % COUNT_OF(turns)];
        if (has[class])
            return class;
    }
    return QUEUE_CLASSES;
}
