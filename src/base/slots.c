/* SPDX-License-Identifier: ISC */
#include "base/slots.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_FIRST = 64 };

static void
grow(struct slots *slots)
{
    size_t size = slots->size ? slots->size * 2 : SIZE_FIRST;

    slots->items = realloc(slots->items, size * sizeof(void *));
    if (!slots->items)
        abort();
    memset(slots->items + slots->size, 0, (size - slots->size) * sizeof(void *));
    slots->hint = slots->size;
    slots->size = size;
}

uint32_t
slots_take(struct slots *slots, void *item)
{
    if (slots->count == slots->size)
        grow(slots);
    size_t at = slots->hint;
    while (slots->items[at])
        at = (at + 1) % slots->size;
    slots->items[at] = item;
    slots->hint = (at + 1) % slots->size;
    slots->count++;
    return (uint32_t)at;
}

void *
slots_at(const struct slots *slots, uint64_t number)
{
    return number < slots->size ? slots->items[number] : NULL;
}

void
slots_release(struct slots *slots, uint32_t number)
{
    assert(slots_at(slots, number));
    slots->items[number] = NULL;
    slots->hint = number;
    slots->count--;
}

void *
slots_next(const struct slots *slots, size_t *place)
{
    while (*place < slots->size) {
        void *item = slots->items[(*place)++];
        if (item)
            return item;
    }
    return NULL;
}

void
slots_finish(struct slots *slots)
{
    free(slots->items);
    *slots = (struct slots){0};
}
