/* SPDX-License-Identifier: ISC */
/* Verifies the store while it serves: first every turn and body of the log against its hashes, then
 * the view against itself and the log: accounts, mailboxes, messages, counts, references. The view
 * part runs on a snapshot, so changes meanwhile do not disturb it. What is damaged is named, its
 * octets are set aside in damaged/, and damaged bodies are marked so that readers are told. */
#ifndef MAILBOX_CHECK_H
#define MAILBOX_CHECK_H

#include "mailbox/store.h"

/* Bodies whose references are counted in one pass over the view: 16 MiB of memory. */
enum { CHECK_WINDOW = 1 << 22 };

struct check_progress {
    uint64_t done, parts; /* in octets of the log and of the view, roughly */
    uint64_t turns, bodies, messages, findings;
    bool is_finished;
};

typedef void (*check_finding_fn)(void *context, struct slice text);

struct check;
/* Commits the view and begins. NULL when that fails. */
struct check *check_open(struct store *store, check_finding_fn fn, void *context);
void check_close(struct check **check);

/* Does a bounded piece of work (a few milliseconds). It may put marks into the draft, which the
 * next turn carries. False when it is finished. No turn may be on its way. */
MUST_USE bool check_step(struct check *check);
void check_progress_get(const struct check *check, struct check_progress *ret_progress);

#endif
