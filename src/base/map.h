/* SPDX-License-Identifier: ISC */
/* A hash map from bytes (copied) to a pointer (borrowed). The seed keeps strangers from choosing
 * colliding keys: give random bytes where keys come from outside. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_item {
    struct slice key; /* owned by the map */
    void *value;
    uint64_t hash;
};

struct map {
    struct map_item *items; /* open addressing; key.at == NULL marks a free place */
    size_t size;            /* places, a power of two, or 0 */
    size_t count;
    uint64_t seed;
};

/* In the caller's memory; finish frees keys and places, not values. */
void map_init(struct map *map, uint64_t seed);
void map_finish(struct map *map);

/* The value under key, or NULL. */
void *map_find(const struct map *map, struct slice key);

/* Sets the value (not NULL) under key and returns the one that was there before, or NULL. */
void *map_set(struct map *map, struct slice key, void *value);

/* Takes the key out and returns its value, or NULL when it was not there. */
void *map_remove(struct map *map, struct slice key);

/* Walks over the items in no particular order: start with *place = 0; NULL at the end.
 * The map must not change meanwhile. */
const struct map_item *map_next(const struct map *map, size_t *place);

/* A key made of a number. Valid while `number` is. */
static inline struct slice
map_key_u64(const uint64_t *number)
{
    return slice_of(number, sizeof(*number));
}

#endif
