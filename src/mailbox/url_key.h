/* SPDX-License-Identifier: ISC */
/* Secrets behind URLs that carry a permission (RFC 4467 §2.2): each user has one for each mailbox
 * for which he has made such URLs. They end with the account; a mailbox's number is not used
 * again. */
#ifndef MAILBOX_URL_KEY_H
#define MAILBOX_URL_KEY_H

#include "mailbox/store.h"

enum { URL_KEY_LEN = 32 };

/* As the draft has it. */
MUST_USE enum store_result mailbox_url_key_get(struct store *store, account_id account,
                                               account_id owner, mailbox_id mailbox,
                                               uint8_t ret_key[URL_KEY_LEN]);
/* A new one, in place of the one that was. */
void mailbox_url_key_make(struct store *store, account_id account, account_id owner,
                          mailbox_id mailbox, uint8_t ret_key[URL_KEY_LEN]);
/* All that are durable go. */
MUST_USE enum store_result mailbox_url_key_drop(struct store *store, account_id account);

#endif
