/* SPDX-License-Identifier: ISC */
/* Accounts: owners of mailbox trees; unit of quota and of the change number (MODSEQ, JMAP state).
 * An account comes to be with its first mailbox. */
#ifndef MAILBOX_ACCOUNT_H
#define MAILBOX_ACCOUNT_H

#include "mailbox/store.h"

enum { ACCOUNT_MAILBOXES_MAX = 10000 };

/* What is durable. */
MUST_USE enum store_result mailbox_account_get(struct store *store, account_id account,
                                               struct account_entry *ret_entry);

/* Sets the quotas (RFC 9208 STORAGE and MESSAGE; 0 is none); makes the account when it is new. */
MUST_USE enum store_result mailbox_account_set_quota(struct store *store, account_id account,
                                                     uint64_t bytes, uint64_t messages);

/* STORE_QUOTA when a message of `len` octets would take the account, as the draft has it, over its
 * quotas; STORE_OK also for an account that is not there yet. */
MUST_USE enum store_result mailbox_account_has_room(struct store *store, account_id account,
                                                    uint64_t len);
/* The same for many messages at once, some of which go to make room for others. */
struct account_growth {
    uint64_t messages, messages_gone;
    uint64_t bytes, bytes_gone;
};
MUST_USE enum store_result mailbox_account_has_room_for(struct store *store, account_id account,
                                                        const struct account_growth *growth);

/* Drops all mailboxes; their messages go in the background, their space later. The account's record
 * stays, so that mailbox numbers and UIDVALIDITYs are not used again should mail come once more.
 * STORE_BUSY when the draft has touched the account. */
MUST_USE enum store_result mailbox_account_remove(struct store *store, account_id account);

/* Calls fn for each account above `after`, by rising number, until it returns false. */
typedef bool (*mailbox_account_fn)(void *context, account_id account,
                                   const struct account_entry *entry);
MUST_USE enum store_result mailbox_account_list(struct store *store, account_id after,
                                                mailbox_account_fn fn, void *context);

#endif
