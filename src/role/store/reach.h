/* SPDX-License-Identifier: ISC */
/* What a session can reach: its own account, and mailboxes of others in which it has rights (RFC
 * 4314). Names of those stand behind the prefix of a namespace (RFC 2342). Private to this folder.
 *
 * STORE_NOT_FOUND: it is not there, or may not be known of; STORE_FORBIDDEN: it may be known of. */
#ifndef ROLE_STORE_REACH_H
#define ROLE_STORE_REACH_H

#include "mailbox/acl.h"
#include "role/store/store_role.h"

/* Who asks: the account that a session speaks for, and what it is called. */
struct reach {
    struct store *store;
    const struct config *config;
    account_id account;
    struct slice user;
};

static inline struct reach
reach_of(const struct store_role *role, account_id account, struct slice user)
{
    return (struct reach){role->store, role->config, account, user};
}

/* Whose mailbox the name means, and what it is called there: *ret_name is part of `name`. The
 * mailbox need not exist. */
MUST_USE enum store_result reach_resolve(const struct reach *reach, struct slice name,
                                         account_id *ret_account, struct slice *ret_name);

struct reached {
    account_id account;
    mailbox_id mailbox;
    unsigned rights;
};
/* A mailbox by its name, in which the session has one of the rights `needed`. */
MUST_USE enum store_result reach_find(const struct reach *reach, struct slice name, unsigned needed,
                                      struct reached *ret_reached);
/* By its number; owner 0 is the session's account. Of the session's own mailboxes it is not checked
 * that they are there. */
MUST_USE enum store_result reach_get(const struct reach *reach, account_id owner,
                                     mailbox_id mailbox, unsigned needed,
                                     struct reached *ret_reached);

/* May the session make a mailbox of that name there? The mailbox above it decides. */
MUST_USE enum store_result reach_check_new(const struct reach *reach, account_id account,
                                           struct slice name);
/* The nearest mailbox above a name; false when there is none. */
MUST_USE bool reach_parent(struct store *store, account_id account, struct slice name,
                           mailbox_id *ret_parent);

/* An identifier as lists have it: in small letters, and in the owner's domain when it names none.
 * False for what is none, for the owner, who has all rights anyway, and for anyone where that is
 * not wanted. */
MUST_USE bool reach_put_identifier(const struct reach *reach, struct slice sent, struct slice owner,
                                   struct buffer *buffer);

/* The system flags (enum message_flag) that these rights let change. */
uint32_t reach_flags(unsigned rights);

/* What the session calls a mailbox of somebody else; false when it cannot be called so. */
MUST_USE bool reach_put_name(const struct reach *reach, account_id owner, struct slice name,
                             struct buffer *buffer);

/* The mailboxes of others that the session may look up, as struct reached, each once. With any
 * other result than STORE_OK there may be more; `ret_shares` is to be finished all the same. */
MUST_USE enum store_result reach_list(const struct reach *reach, struct buffer *ret_shares);

/* True when anybody but the owner has rights there. */
bool reach_is_shared(struct store *store, account_id account, mailbox_id mailbox);

#endif
