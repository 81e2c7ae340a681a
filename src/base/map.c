/* SPDX-License-Identifier: ISC */
#include "base/map.h"

#include "base/hash.h"

#include <stdlib.h>

enum { MAP_SIZE_FIRST = 16 };

void
map_init(struct map *map, uint64_t seed)
{
    *map = (struct map){.seed = seed};
}

void
map_finish(struct map *map)
{
    for (size_t i = 0; i < map->size; i++)
        free((void *)(uintptr_t)map->items[i].key.at);
    free(map->items);
    map_init(map, map->seed);
}

/* The place of key, or the free place where it would go. */
static struct map_item *
find_place(struct map_item *items, size_t size, struct slice key, uint64_t hash)
{
    size_t at = hash & (size - 1);

    while (items[at].key.at && !(items[at].hash == hash && slice_equal(items[at].key, key)))
        at = (at + 1) & (size - 1);
    return &items[at];
}

static void
grow(struct map *map)
{
    size_t size = map->size ? map->size * 2 : MAP_SIZE_FIRST;
    struct map_item *items = calloc(size, sizeof(*items));

    if (!items)
        abort();
    for (size_t i = 0; i < map->size; i++) {
        if (map->items[i].key.at)
            *find_place(items, size, map->items[i].key, map->items[i].hash) = map->items[i];
    }
    free(map->items);
    map->items = items;
    map->size = size;
}

void *
map_find(const struct map *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    return find_place(map->items, map->size, key, hash64(key, map->seed))->value;
}

void *
map_set(struct map *map, struct slice key, void *value)
{
    assert(value);
    if ((map->count + 1) * 4 > map->size * 3)
        grow(map);
    uint64_t hash = hash64(key, map->seed);
    struct map_item *item = find_place(map->items, map->size, key, hash);
    void *before = item->value;
    if (!item->key.at) {
        uint8_t *copy = malloc(key.len + 1);
        if (!copy)
            abort();
        if (key.len)
            memcpy(copy, key.at, key.len);
        item->key = slice_of(copy, key.len);
        item->hash = hash;
        map->count++;
    }
    item->value = value;
    return before;
}

/* Moves later items of the run forward, so that no search stops at the place set free. */
static void
close_gap(struct map *map, size_t gap)
{
    size_t mask = map->size - 1;

    for (size_t at = (gap + 1) & mask; map->items[at].key.at; at = (at + 1) & mask) {
        size_t home = map->items[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->items[gap] = map->items[at];
            gap = at;
        }
    }
    map->items[gap] = (struct map_item){0};
}

void *
map_remove(struct map *map, struct slice key)
{
    if (map->count == 0)
        return NULL;
    struct map_item *item = find_place(map->items, map->size, key, hash64(key, map->seed));
    void *value = item->value;
    if (!item->key.at)
        return NULL;
    free((void *)(uintptr_t)item->key.at);
    map->count--;
    close_gap(map, (size_t)(item - map->items));
    return value;
}

const struct map_item *
map_next(const struct map *map, size_t *place)
{
    while (*place < map->size) {
        const struct map_item *item = &map->items[(*place)++];
        if (item->key.at)
            return item;
    }
    return NULL;
}
