/* SPDX-License-Identifier: ISC */
/* A table that gives each item a small number for as long as it stays, so that a note can name the
 * session that asked. Items are borrowed. */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include "base/compiler.h"

struct slots {
    void **items; /* NULL where free */
    size_t size;  /* numbers are below it; it only grows */
    size_t count; /* items in the table */
    size_t hint;  /* where to look first for a free place */
};

/* The item's number: one that is free. */
uint32_t slots_take(struct slots *slots, void *item);

/* The item with that number; NULL where there is none, whatever the number. */
void *slots_at(const struct slots *slots, uint64_t number);

/* Takes the item with that number out. */
void slots_release(struct slots *slots, uint32_t number);

/* Walks through all items, from *place = 0; NULL at the end. The item in hand may be released, and
 * others may be taken, which then come or do not come. */
void *slots_next(const struct slots *slots, size_t *place);

/* Frees the table, not the items. */
void slots_finish(struct slots *slots);

#endif
