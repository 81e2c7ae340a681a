/* SPDX-License-Identifier: ISC */
/* Messages on their way out of this machine: sent at once, or kept until the server can be
 * reached. Those that wait lie in $XDG_STATE_HOME/facteur/outgoing, one file each. */
#ifndef TOOL_MAIL_DEPARTURE_H
#define TOOL_MAIL_DEPARTURE_H

#include "tool/mail/compose.h"
#include "tool/mail/desk.h"

/* Sends it through the account that is logged in and saves a copy among what was sent; recipients
 * that can only be reached later are queued, and that is told. Returns EX_OK also then. */
MUST_USE int departure_send(struct desk *desk, const struct composed *composed);

/* Tries all that waits. *ret_left is how many messages wait still. */
MUST_USE int departure_retry(struct desk *desk, size_t *ret_left);

/* How many wait. */
size_t departure_count(void);

#endif
