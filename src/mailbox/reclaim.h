/* SPDX-License-Identifier: ISC */
/* Gives the space of dropped bodies back. A sealed segment older than `retain` of which less than
 * half still lives is written again: bodies that are named, and changes that are still the last of
 * their key, go into new turns at the tail; then the file is deleted. Deletions are kept while an
 * older segment might hold what they deleted. So the remaining segments always rebuild the view.
 * Of a turn that is damaged the bodies are moved that the view says lie there, and are whole; what
 * it holds is set aside. */
#ifndef MAILBOX_RECLAIM_H
#define MAILBOX_RECLAIM_H

#include "mailbox/store.h"

enum {
    RECLAIM_STEP_BYTES = 1 << 20, /* of bodies moved in one turn, or one body that is larger */
    RECLAIM_STEP_CHANGES = 4096,
    RECLAIM_STEP_BODIES = 1000,  /* of the view, looked through for those of a damaged turn */
};

struct reclaim;
/* The store is borrowed; no step may be on its way at the close. */
struct reclaim *reclaim_open(struct store *store);
void reclaim_close(struct reclaim **reclaim);

/* Does one bounded piece of work and calls fn when its turn is durable: *is_idle when there is
 * nothing to reclaim now. The draft must be empty; it commits by itself. */
typedef void (*reclaim_fn)(void *context, enum store_result result, bool is_idle);
void reclaim_step(struct reclaim *reclaim, reclaim_fn fn, void *context);

#endif
