/* SPDX-License-Identifier: ISC */
/* The header of a message that users or listed networks hand in, held back until it is whole, when
 * addresses in it are to be replaced (option rewrite). Private to this folder. */
#ifndef ROLE_SMTP_HEAD_H
#define ROLE_SMTP_HEAD_H

#include "role/smtp/smtp.h"

/* Reads the rules of the configuration, at the start and at a reload; damaged ones are logged and
 * left out. */
void head_set_rules(struct smtp_role *role);
void head_forget_rules(struct smtp_role *role);

/* Whether addresses are replaced in what this session hands in. */
bool head_is_rewritten(const struct smtp_session *session);

/* The address that comes in the place of this one, in the transaction's arena; or the same. */
struct slice head_address(const struct smtp_session *session, struct slice address);

/* Takes the next piece of the header; has_ended: the last one. What is ready goes to `keep`: the
 * whole header, or (too long for us, or none: is_given_up) what was held, as it came. */
typedef void (*head_keep_fn)(struct smtp_session *session, struct slice piece);
void head_take(struct smtp_session *session, struct slice piece, bool has_ended, head_keep_fn keep);
void head_give_up(struct smtp_session *session, head_keep_fn keep);

#endif
