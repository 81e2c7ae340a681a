/* SPDX-License-Identifier: ISC */
#include "search/gather.h"

#include "search/gram.h"
#include "search/segment_private.h"

#include <stdlib.h>

enum { LISTS_MIN = 1 << 12, LIST_OCTETS_MIN = 8 };

/* The places of a gram: the distance of each from the one before. */
struct gather_list {
    uint64_t key;    /* + 1; 0: free */
    uint8_t *octets; /* owned */
    uint32_t len, size, last;
};

void
gather_init(struct gather *gather)
{
    *gather = (struct gather){0};
    buffer_init(&gather->bodies, SIZE_MAX / 4);
}

void
gather_clear(struct gather *gather)
{
    for (size_t i = 0; i < gather->size; i++)
        free(gather->lists[i].octets);
    free(gather->lists);
    buffer_finish(&gather->bodies);
    gather_init(gather);
}

bool
gather_is_empty(const struct gather *gather)
{
    return gather->end == 0;
}

static struct gather_list *
place_of(const struct gather *gather, uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (gather->size - 1);

    while (gather->lists[at].key && gather->lists[at].key != key)
        at = (at + 1) & (gather->size - 1);
    return &gather->lists[at];
}

static void
grow(struct gather *gather)
{
    struct gather old = *gather;

    gather->size = old.size ? old.size * 2 : LISTS_MIN;
    gather->lists = calloc(gather->size, sizeof(*gather->lists));
    if (!gather->lists)
        abort();
    for (size_t i = 0; i < old.size; i++) {
        if (old.lists[i].key)
            *place_of(gather, old.lists[i].key) = old.lists[i];
    }
    free(old.lists);
}

static void
add(struct gather *gather, uint64_t key, uint32_t place)
{
    if (gather->count * 2 >= gather->size)
        grow(gather);
    struct gather_list *list = place_of(gather, key + 1);
    if (!list->key) {
        list->key = key + 1;
        gather->count++;
    }
    if (list->size - list->len < VARINT_MAX) {
        list->size = list->size ? list->size * 2 : LIST_OCTETS_MIN + VARINT_MAX;
        list->octets = realloc(list->octets, list->size);
        if (!list->octets)
            abort();
    }
    list->len += (uint32_t)varint_put(list->octets + list->len, place - list->last);
    list->last = place;
}

struct present {
    struct gather *gather;
    uint32_t start;
};

static void
add_present(void *context, uint64_t key)
{
    const struct present *present = context;

    add(present->gather, key, present->start);
}

static void
add_text(struct gather *gather, struct slice text, uint32_t start)
{
    struct present present = {gather, start};
    struct gram_walk walk;
    struct gram gram;

    gram_walk_init(&walk, text);
    while (gram_next(&walk, &gram))
        add(gather, gram.key, start + gram.at);
    gram_present(text, add_present, &present);
}

void
gather_put(struct gather *gather, uint64_t body, struct slice head, struct slice text)
{
    struct segment_body entry = {.body = body, .start = gather->end};

    entry.body_start = entry.start + (uint32_t)head.len + 1;
    entry.end = entry.body_start + (uint32_t)text.len + 1;
    add_text(gather, head, entry.start);
    add_text(gather, text, entry.body_start);
    buffer_put(&gather->bodies, slice_of(&entry, sizeof(entry)));
    gather->end = entry.end;
}

static int
by_key(const void *left, const void *right)
{
    const struct gather_list *a = left, *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

void
gather_write(struct gather *gather, struct segment_writer *writer)
{
    struct slice bodies = buffer_slice(&gather->bodies);
    struct segment_body body;
    size_t count = 0;

    /* The table is no table any more. */
    for (size_t i = 0; i < gather->size; i++) {
        struct gather_list list = gather->lists[i];
        gather->lists[i] = (struct gather_list){0};
        if (list.key)
            gather->lists[count++] = list;
    }
    if (count > 0)
        qsort(gather->lists, count, sizeof(*gather->lists), by_key);
    for (size_t i = 0; i < count; i++) {
        const struct gather_list *list = &gather->lists[i];
        const uint8_t *at = list->octets, *end = at + list->len;
        uint64_t gap, place = 0;
        while (varint_take(&at, end, &gap))
            segment_put_place(writer, list->key - 1, (uint32_t)(place += gap));
    }
    for (; bodies.len > 0; bodies = slice_skip(bodies, sizeof(body))) {
        memcpy(&body, bodies.at, sizeof(body));
        segment_put_body(writer, &body);
    }
}
