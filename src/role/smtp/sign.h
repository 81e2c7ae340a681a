/* SPDX-License-Identifier: ISC */
/* Signs what our users send from their addresses (DKIM, RFC 6376): the message is looked at while
 * it comes, the role `keys` makes the field when it is there. Private to this folder. */
#ifndef ROLE_SMTP_SIGN_H
#define ROLE_SMTP_SIGN_H

#include "base/buffer.h"
#include "note/smtp_route.h"

struct smtp_session;

/* The body of the open transaction begins. */
void sign_begin(struct smtp_session *session);
/* A piece of the message as it will be kept. */
void sign_take(struct smtp_session *session, struct slice piece);
/* The message is over and may go. Its author must be who has handed it in; where that is not known
 * yet, route is asked first. Then the store has it. */
void sign_or_hand_over(struct smtp_session *session);
/* Route has said it. */
void sign_take_claim(struct smtp_session *session, enum smtp_route_claim_result result);
/* Encodes what needs 8 bits, if it is not large, and puts a field for each key of its author's
 * domain, as far as there is room. Without keys, or without an author of ours, nothing; what a key
 * cannot sign is in the log. False: who has the keys does not answer now; so that nothing of ours
 * goes unsigned, the message has to come again. */
MUST_USE bool sign_put(struct smtp_session *session, struct buffer *prefix);

#endif
