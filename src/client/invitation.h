/* SPDX-License-Identifier: ISC */
/* Invitations and what else calendars send (iTIP, RFC 5546), in plain words; and the answer to
 * one. */
#ifndef CLIENT_INVITATION_H
#define CLIENT_INVITATION_H

#include "base/buffer.h"
#include "base/time.h"
#include "mime/part.h"

enum { INVITATION_EVENTS_MAX = 20, INVITATION_GUESTS_MAX = 50 };

/* Puts lines about each event of a part that is text/calendar: what, when, where, who. Times are
 * told as the calendar has them, with their zone. */
void invitation_put(const struct mime_tree *tree, uint32_t index, struct buffer *out);

/* Puts the answer (METHOD:REPLY) of `guest` to the first invitation of the message, CRLF lines;
 * `answer` is ACCEPTED, DECLINED or TENTATIVE. *ret_organizer, in the arena, is to whom it goes.
 * False when nobody is invited to anything. */
MUST_USE bool invitation_put_answer(const struct mime_tree *tree, const char *answer,
                                    struct slice guest, struct wall now, struct arena *arena,
                                    struct slice *ret_organizer, struct buffer *out);

#endif
