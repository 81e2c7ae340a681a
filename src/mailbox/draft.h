/* SPDX-License-Identifier: ISC */
/* The changes of the turn that is being built, over the view: who asks gets what will be there when
 * the turn is done. The last change of a key counts; changes keep the order of their first. */
#ifndef MAILBOX_DRAFT_H
#define MAILBOX_DRAFT_H

#include "base/arena.h"
#include "mailbox/turn.h"
#include "mailbox/view.h"

/* Of the table: two keys are hardly ever compared that are not the same. */
struct draft_place {
    uint32_t change; /* its index + 1; 0: free */
    uint32_t hash;   /* the low half of the key's */
};

struct draft {
    struct view *view; /* borrowed */
    uint64_t seed;     /* of the table: some keys are chosen by users */
    struct turn_change *changes;
    size_t count;
    size_t capacity;
    struct draft_place *places; /* open addressing */
    size_t size;
    size_t bytes; /* of all changes, roughly */
    struct arena arena;
};

void draft_init(struct draft *draft, struct view *view, uint64_t seed);
void draft_finish(struct draft *draft);
/* Forgets all changes. */
void draft_clear(struct draft *draft);

/* 0, -ENOENT, or the view's error. The value is valid until the next change. */
MUST_USE int draft_get(struct draft *draft, struct slice key, struct slice *ret_value);
/* True when this key was put or deleted in this draft. */
bool draft_has(const struct draft *draft, struct slice key);
void draft_put(struct draft *draft, struct slice key, struct slice value);
void draft_del(struct draft *draft, struct slice key);

#endif
