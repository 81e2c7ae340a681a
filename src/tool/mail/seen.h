/* SPDX-License-Identifier: ISC */
/* Which messages of a server were fetched before, by their unique ids: a file of an account,
 * "DAY ID" a line, written anew in one step. */
#ifndef TOOL_MAIL_SEEN_H
#define TOOL_MAIL_SEEN_H

#include "base/map.h"
#include "tool/mail/desk.h"

struct seen;

/* Reads $XDG_STATE_HOME/facteur/seen/ACCOUNT under a lock that is held until close: two fetches of
 * one account do not run at once. */
MUST_USE int seen_open(const char *account, struct seen **ret_seen);

/* The day on which it was fetched (since 1970), or 0. */
uint32_t seen_day(const struct seen *seen, const char *unique);

/* It is on this machine now; *seen is written at once, durably. */
MUST_USE int seen_add(struct seen *seen, const char *unique, uint32_t day);

/* Forgets the ids that `is_there` does not know. */
typedef bool (*seen_there_fn)(void *context, const char *unique);
MUST_USE int seen_tidy(struct seen *seen, seen_there_fn is_there, void *context);

void seen_close(struct seen **seen);

#endif
