/* SPDX-License-Identifier: ISC */
/* Removes the messages of mailboxes that were dropped, a bounded number in each turn. */
#ifndef MAILBOX_PURGE_H
#define MAILBOX_PURGE_H

#include "mailbox/store.h"

enum { PURGE_STEP = 1000 };

/* Takes up to PURGE_STEP messages into the draft, which must be empty. Returns how many keys it
 * dropped: 0 means that nothing is left to do. */
MUST_USE enum store_result store_purge(struct store *store, size_t *ret_count);

#endif
