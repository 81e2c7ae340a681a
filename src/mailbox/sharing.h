/* SPDX-License-Identifier: ISC */
/* Who shares mailboxes, what is shared with whom, and which mailboxes of others somebody has
 * subscribed to. What may be done there is in mailbox/acl.h. */
#ifndef MAILBOX_SHARING_H
#define MAILBOX_SHARING_H

#include "mailbox/store.h"

enum { FOLLOWED_MAX = 1000 }; /* subscriptions of one account to mailboxes of others */

/* What others call an account: an identifier without a slash (mailbox/acl.h). STORE_LIMIT for what
 * is none. Who had the name before has none then. */
MUST_USE enum store_result mailbox_owner_set(struct store *store, account_id account,
                                             struct slice name);
/* As the draft has it. */
MUST_USE enum store_result mailbox_owner_find(struct store *store, struct slice name,
                                              account_id *ret_account);
/* Valid until the next change. */
MUST_USE enum store_result mailbox_owner_name(struct store *store, account_id account,
                                              struct slice *ret_name);

/* Calls fn for each mailbox whose list names the identifier, until it returns false; those that are
 * about to be purged are among them. Durable state. */
typedef bool (*mailbox_share_fn)(void *context, account_id owner, mailbox_id mailbox);
MUST_USE enum store_result mailbox_share_list(struct store *store, struct slice identifier,
                                              mailbox_share_fn fn, void *context);

/* A subscription to a mailbox of somebody else. STORE_LIMIT over FOLLOWED_MAX. */
MUST_USE enum store_result mailbox_follow(struct store *store, account_id account, account_id owner,
                                          mailbox_id mailbox, bool is_followed);
bool mailbox_is_followed(struct store *store, account_id account, account_id owner,
                         mailbox_id mailbox);

#endif
