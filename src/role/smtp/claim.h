/* SPDX-License-Identifier: ISC */
/* As whom somebody sends who has logged in (option submission_senders; RFC 6409 §6.1): MAIL FROM,
 * and the authors that the message names. What is not his is refused in the same words, whether
 * there is such an address or not. Private to this folder. */
#ifndef ROLE_SMTP_CLAIM_H
#define ROLE_SMTP_CLAIM_H

#include "base/slice.h"
#include "note/smtp_route.h"

struct smtp_session;
struct smtp_verdict;

/* MAIL has begun a transaction, and `verdict` would be its answer, which lives on; it is given now,
 * or when route has said whose the address is. */
void claim_take_mail(struct smtp_session *session, const struct smtp_verdict *verdict);
/* Its body begins; a piece of it as it will be kept. */
void claim_begin(struct smtp_session *session);
void claim_take(struct smtp_session *session, struct slice piece);
/* The message is over: it goes on to be signed if all its authors are his, else it is refused. */
void claim_take_end(struct smtp_session *session);

/* What route says about the address that was asked for. */
void claim_on_claimed(struct smtp_session *session, const struct smtp_route_claimed *note);

#endif
