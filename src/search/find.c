/* SPDX-License-Identifier: ISC */
#include "search/find.h"

#include <stdlib.h>

struct find {
    struct segment *segment;
    bool in_body_only, is_damaged;
    uint8_t *hits;
    uint32_t known; /* nothing more is to be learnt from places before this one */
};

/* Hits are noted from now on. */
static bool
begin_hits(struct find *find)
{
    if (find->hits)
        return true;
    if (!segment_read_bodies(find->segment)) {
        find->is_damaged = true;
        return false;
    }
    find->hits = calloc(find->segment->body_count + 1, 1);
    if (!find->hits)
        abort();
    return true;
}

static void
note_place(struct find *find, uint32_t place)
{
    size_t number = segment_body_of(find->segment, place);

    find->known = place + 1;
    if (number == find->segment->body_count)
        return;
    const struct segment_body *body = &find->segment->bodies[number];
    if (find->in_body_only && place < body->body_start) {
        find->known = body->body_start;
        return;
    }
    find->hits[number] = 1;
    find->known = body->end;
}

/* ---- one term -------------------------------------------------------------------------------- */

static void
find_stretch(struct find *find, const struct gram_term *term)
{
    struct segment_cursor cursor;
    uint64_t key = UINT64_MAX;

    segment_cursor_open(&cursor, find->segment, term->low, term->high);
    while (segment_cursor_entry(&cursor) && begin_hits(find)) {
        if (cursor.key != key)
            find->known = 0;
        key = cursor.key;
        for (size_t i = 0; i < cursor.count; i++) {
            if (cursor.places[i] >= find->known)
                note_place(find, cursor.places[i]);
        }
    }
    find->is_damaged = find->is_damaged || cursor.is_damaged;
    segment_cursor_close(&cursor);
}

/* ---- terms in step --------------------------------------------------------------------------- */

struct stepper {
    struct segment_cursor cursor;
    uint32_t at;   /* octets behind where the text begins */
    size_t blocks; /* what it may cost */
};

static int
by_cost(const void *left, const void *right)
{
    const struct stepper *a = left, *b = right;

    return (a->blocks > b->blocks) - (a->blocks < b->blocks);
}

enum { STEPS_IN_LINE = 8 };

/* Moves to the first place that is `target` or more. False when there is none. */
static bool
seek(struct segment_cursor *cursor, uint64_t target)
{
    while (cursor->next == cursor->count || cursor->places[cursor->count - 1] < target) {
        if (target > UINT32_MAX || !segment_cursor_entry_from(cursor, (uint32_t)target))
            return false;
    }
    for (unsigned i = 0; i < STEPS_IN_LINE; i++) {
        if (cursor->places[cursor->next] >= target)
            return true;
        cursor->next++;
    }
    size_t low = cursor->next, high = cursor->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (cursor->places[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    cursor->next = low;
    return true;
}

/* From `*place` on: the first place where all stand. */
static bool
next_in_step(struct stepper *steppers, size_t count, uint64_t *place)
{
    uint64_t wanted = *place;

    for (size_t agreed = 0, i = 0; agreed < count; i = i + 1 == count ? 0 : i + 1) {
        struct segment_cursor *cursor = &steppers[i].cursor;
        if (!seek(cursor, wanted + steppers[i].at))
            return false;
        uint64_t found = cursor->places[cursor->next] - (uint64_t)steppers[i].at;
        agreed = found == wanted ? agreed + 1 : 1;
        wanted = found;
    }
    *place = wanted;
    return true;
}

static void
find_in_step(struct find *find, const struct gram_term *terms, size_t count)
{
    struct stepper *steppers = calloc(count, sizeof(*steppers));
    uint64_t place = 0;

    if (!steppers)
        abort();
    for (size_t i = 0; i < count; i++) {
        steppers[i].at = terms[i].at;
        segment_cursor_open(&steppers[i].cursor, find->segment, terms[i].low, terms[i].high);
        steppers[i].blocks = segment_cursor_blocks(&steppers[i].cursor);
        steppers[i].cursor.run_max = count < SEGMENT_RUN_BLOCKS ? SEGMENT_RUN_BLOCKS / count : 1;
    }
    qsort(steppers, count, sizeof(*steppers), by_cost);
    while (next_in_step(steppers, count, &place) && begin_hits(find)) {
        note_place(find, (uint32_t)place);
        place = find->known;
    }
    for (size_t i = 0; i < count; i++) {
        find->is_damaged = find->is_damaged || steppers[i].cursor.is_damaged;
        segment_cursor_close(&steppers[i].cursor);
    }
    free(steppers);
}

bool
find_in_segment(struct segment *segment, const struct gram_term *terms, size_t count,
                bool in_body_only, uint8_t **ret_hits)
{
    struct find find = {.segment = segment, .in_body_only = in_body_only};

    if (count == 1)
        find_stretch(&find, terms);
    else
        find_in_step(&find, terms, count);
    if (find.is_damaged) {
        free(find.hits);
        return false;
    }
    *ret_hits = find.hits;
    return true;
}
