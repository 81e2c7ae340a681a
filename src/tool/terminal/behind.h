/* SPDX-License-Identifier: ISC */
/* A run of sync behind a person's back: a thread of its own takes to the server what was changed
 * off-line, while the copy on this machine serves. */
#ifndef TOOL_TERMINAL_BEHIND_H
#define TOOL_TERMINAL_BEHIND_H

#include "client/session.h"

struct behind;

/* Starts it. `login` and `root` are borrowed until behind_end; `bell` rings when there is something
 * to look at. */
struct behind *behind_start(const struct client_login *login, const char *root, int bell);

/* How far it is, for a person ("INBOX 12 of 40"), and what it has passed over since it was last
 * asked: sentences, each with LF. Both are put. */
void behind_put(struct behind *behind, struct buffer *progress, struct buffer *passed);

/* Whether it has ended: behind_end does not wait then. */
bool behind_is_done(struct behind *behind);

/* Waits for its end. False, and the problem is set, when the run could not be finished. */
MUST_USE bool behind_end(struct behind **behind, struct client_problem *problem);

#endif
