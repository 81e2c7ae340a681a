/* SPDX-License-Identifier: ISC */
/* With which messages of an account something was done before, by their unique ids, and when: a
 * file of "DAY ID" lines. Kinds: "seen", those that were fetched; "receipts", those whose receipt
 * was sent or refused. */
#ifndef TOOL_MAIL_SEEN_H
#define TOOL_MAIL_SEEN_H

#include "base/map.h"
#include "tool/mail/desk.h"

struct seen;

/* Reads $XDG_STATE_HOME/facteur/KIND/ACCOUNT under a lock that is held until close: two fetches of
 * one account do not run at once. seen_close is due in any case. */
MUST_USE int seen_open(const char *kind, const char *account, struct seen **ret_seen);

/* The day on which it was done (since 1970), or 0. */
uint32_t seen_day(const struct seen *seen, const char *unique);

/* It is done now; *seen is written at once, durably. */
MUST_USE int seen_add(struct seen *seen, const char *unique, uint32_t day);

/* Forgets the ids that `is_there` does not know. */
typedef bool (*seen_there_fn)(void *context, const char *unique);
MUST_USE int seen_tidy(struct seen *seen, seen_there_fn is_there, void *context);

void seen_close(struct seen **seen);

#endif
