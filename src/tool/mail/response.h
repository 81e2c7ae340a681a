/* SPDX-License-Identifier: ISC */
/* What an answer takes from the message that is answered (RFC 5322 §3.6.4), and what a message gets
 * that is sent again (§3.6.6). */
#ifndef TOOL_MAIL_RESPONSE_H
#define TOOL_MAIL_RESPONSE_H

#include "message/summary.h"
#include "tool/mail/compose.h"
#include "tool/mail/view.h"

/* True when the address is the person's own. */
bool response_is_own(const char *own, const struct address *address);

/* Puts lists of addresses as people write them: to whom the answer goes. `own` is the address of
 * who answers: it gets no copy. */
void response_put_recipients(const struct summary *summary, const char *own, bool is_to_all,
                             struct buffer *to, struct buffer *cc);

/* Puts the subject without what earlier answers put before it, behind `prefix`. */
void response_put_subject(struct view *view, const char *prefix, struct buffer *out);

/* Puts what belongs into References; nothing when the message has no Message-ID. */
void response_put_references(const struct summary *summary, struct buffer *out);

/* Puts who wrote when, and the text, quoted. */
void response_put_quoted(const struct view *view, const struct summary *summary,
                         struct buffer *out);

/* `composed` has fields for the new recipients: they go before the message of the view, which is
 * sent as it came. EX_OK, or a code after having said why. */
MUST_USE int response_put_resent(struct view *view, struct composed *composed);

#endif
