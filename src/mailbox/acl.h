/* SPDX-License-Identifier: ISC */
/* Access control lists of mailboxes (RFC 4314): which rights others have in them. The owner of a
 * mailbox has all of them, whatever its list says. A list goes with its mailbox; a mailbox that is
 * made takes over the list of the one above it.
 *
 * Identifiers are names of accounts as users log in with them, or "anyone"; with "-" before it, an
 * identifier is told which rights it has not. */
#ifndef MAILBOX_ACL_H
#define MAILBOX_ACL_H

#include "mailbox/store.h"

enum mailbox_right {
    RIGHT_LOOKUP = 1,
    RIGHT_READ = 2,
    RIGHT_SEEN = 4,
    RIGHT_WRITE = 8,
    RIGHT_INSERT = 16,
    RIGHT_POST = 32,
    RIGHT_CREATE = 64,
    RIGHT_REMOVE = 128,
    RIGHT_DELETE = 256, /* messages */
    RIGHT_EXPUNGE = 512,
    RIGHT_ADMINISTER = 1024,
    RIGHTS_ALL = 2047,
    /* Who has one of these may know his rights (RFC 4314 §4). */
    RIGHTS_VISIBLE =
        RIGHT_LOOKUP | RIGHT_READ | RIGHT_INSERT | RIGHT_CREATE | RIGHT_REMOVE | RIGHT_ADMINISTER,
};

enum { ACL_ENTRIES_MAX = 100 }; /* of a mailbox: one page of an answer holds them */

/* True for 1 to IDENTIFIER_MAX octets without controls and "/", which parts levels of names. */
MUST_USE bool mailbox_identifier_is_valid(struct slice identifier);

/* An identifier's rights; 0: it goes from the list. STORE_LIMIT when it is no identifier, or one
 * too many. */
MUST_USE enum store_result mailbox_acl_set(struct store *store, account_id account,
                                           mailbox_id mailbox, struct slice identifier,
                                           unsigned rights);

/* The rights that the list gives one identifier, as the draft has it; 0 when it is not in it. */
unsigned mailbox_acl_get(struct store *store, account_id account, mailbox_id mailbox,
                         struct slice identifier);

/* Calls fn for each entry by identifier, until it returns false. Durable state. */
typedef bool (*mailbox_acl_fn)(void *context, struct slice identifier, unsigned rights);
MUST_USE enum store_result mailbox_acl_list(struct store *store, account_id account,
                                            mailbox_id mailbox, mailbox_acl_fn fn, void *context);

/* What another user may do there: what he and anyone are given, less what is taken from him or from
 * anyone. As the draft has it; nothing while the view cannot be read. */
unsigned mailbox_rights(struct store *store, account_id account, mailbox_id mailbox,
                        struct slice user);

/* The list of one mailbox for another that has none yet. */
MUST_USE enum store_result mailbox_acl_copy(struct store *store, account_id account,
                                            mailbox_id from, mailbox_id to);

#endif
