/* SPDX-License-Identifier: ISC */
#include "mailbox/draft.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

/* A power of two, so that the usual turn never grows it. */
enum { PLACES_FIRST = 1024 };

void
draft_init(struct draft *draft, struct view *view, uint64_t seed)
{
    *draft = (struct draft){.view = view, .seed = seed};
    arena_init(&draft->arena, SIZE_MAX);
}

void
draft_finish(struct draft *draft)
{
    free(draft->changes);
    free(draft->places);
    arena_finish(&draft->arena);
    draft_init(draft, draft->view, draft->seed);
}

void
draft_clear(struct draft *draft)
{
    /* After a giant turn the tables go; after an ordinary one they stay for the next. */
    if (draft->size > 64 * PLACES_FIRST) {
        draft_finish(draft);
        return;
    }
    if (draft->count > 0)
        memset(draft->places, 0, draft->size * sizeof(*draft->places));
    draft->count = 0;
    draft->bytes = 0;
    arena_reset(&draft->arena);
}

static uint32_t
hash_of(const struct draft *draft, struct slice key)
{
    return (uint32_t)hash64(key, draft->seed);
}

/* The place of the key in the table, or the free one where it would go. */
static struct draft_place *
find_place(const struct draft *draft, struct slice key, uint32_t hash)
{
    for (size_t at = hash & (draft->size - 1);; at = (at + 1) & (draft->size - 1)) {
        struct draft_place *place = &draft->places[at];
        if (place->change == 0 || (place->hash == hash &&
                                   slice_equal(draft->changes[place->change - 1].key, key)))
            return place;
    }
}

static void
grow(struct draft *draft)
{
    size_t size = draft->size ? draft->size * 2 : PLACES_FIRST;
    struct draft_place *places = calloc(size, sizeof(*places));

    draft->changes = realloc(draft->changes, size / 2 * sizeof(*draft->changes));
    if (!places || !draft->changes)
        abort();
    for (size_t i = 0; i < draft->size; i++) {
        size_t at = draft->places[i].hash & (size - 1);
        if (draft->places[i].change == 0)
            continue;
        while (places[at].change != 0)
            at = (at + 1) & (size - 1);
        places[at] = draft->places[i];
    }
    free(draft->places);
    draft->places = places;
    draft->size = size;
    draft->capacity = size / 2;
}

static const struct turn_change *
find(const struct draft *draft, struct slice key)
{
    if (draft->count == 0)
        return NULL;
    const struct draft_place *place = find_place(draft, key, hash_of(draft, key));
    return place->change == 0 ? NULL : &draft->changes[place->change - 1];
}

int
draft_get(struct draft *draft, struct slice key, struct slice *ret_value)
{
    const struct turn_change *change = find(draft, key);

    if (!change)
        return view_get(draft->view, key, ret_value);
    if (!change->is_put)
        return -ENOENT;
    *ret_value = change->value;
    return 0;
}

bool
draft_has(const struct draft *draft, struct slice key)
{
    return find(draft, key) != NULL;
}

static void
set(struct draft *draft, struct slice key, bool is_put, struct slice value)
{
    if (draft->count == draft->capacity)
        grow(draft);
    uint32_t hash = hash_of(draft, key);
    struct draft_place *place = find_place(draft, key, hash);
    if (place->change == 0) {
        draft->changes[draft->count++] =
            (struct turn_change){.key = arena_copy(&draft->arena, key)};
        *place = (struct draft_place){(uint32_t)draft->count, hash};
        draft->bytes += key.len + sizeof(struct turn_change);
    }
    struct turn_change *change = &draft->changes[place->change - 1];
    change->is_put = is_put;
    if (is_put && change->value.len == value.len && value.len > 0) {
        /* Counters are put again and again within a turn: the place is ours to write over. */
        memmove((void *)(uintptr_t)change->value.at, value.at, value.len);
        return;
    }
    change->value = arena_copy(&draft->arena, value);
    draft->bytes += value.len;
}

void
draft_put(struct draft *draft, struct slice key, struct slice value)
{
    assert(key.len <= TURN_KEY_MAX && value.len <= TURN_VALUE_MAX);
    set(draft, key, true, value);
}

void
draft_del(struct draft *draft, struct slice key)
{
    set(draft, key, false, slice_of("", 0));
}
