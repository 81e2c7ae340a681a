/* SPDX-License-Identifier: ISC */
/* Signs what our users send from our domains (DKIM, RFC 6376): the message is looked at while it
 * comes, the role `keys` makes the field when it is there. Private to this folder. */
#ifndef ROLE_SMTP_SIGN_H
#define ROLE_SMTP_SIGN_H

#include "base/buffer.h"

struct smtp_session;

/* The body of the open transaction begins. */
void sign_begin(struct smtp_session *session);
/* A piece of the message as it will be kept. */
void sign_take(struct smtp_session *session, struct slice piece);
/* The message is over: puts a field for each key of its author's domain, as far as there is room.
 * Without keys, or without an author of ours, nothing; what could not be had is in the log. */
void sign_put(struct smtp_session *session, struct buffer *prefix);

#endif
