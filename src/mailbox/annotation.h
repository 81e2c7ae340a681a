/* SPDX-License-Identifier: ISC */
/* Annotations of mailboxes, and with mailbox 0 of the account (RFC 5464): octets under a name.
 * They go with their mailbox; INBOX keeps a copy when it is renamed. */
#ifndef MAILBOX_ANNOTATION_H
#define MAILBOX_ANNOTATION_H

#include "mailbox/store.h"

enum { ANNOTATION_LEN_MAX = 16384, ANNOTATIONS_MAX = 100 };

struct annotation {
    struct slice name;  /* 1 to ANNOTATION_NAME_MAX octets, compared as they are */
    struct slice value; /* at NULL: it goes */
};

/* All or nothing. STORE_LIMIT when a name or value is too long, or there would be too many. */
MUST_USE enum store_result mailbox_annotations_set(struct store *store, account_id account,
                                                   mailbox_id mailbox,
                                                   const struct annotation *annotations,
                                                   size_t count);

/* Calls fn for each annotation of a mailbox by name, until it returns false. With `is_all`: of the
 * account and of all its mailboxes, by mailbox. Durable state. */
typedef bool (*mailbox_annotation_fn)(void *context, mailbox_id mailbox, struct slice name,
                                      struct slice value);
MUST_USE enum store_result mailbox_annotation_list(struct store *store, account_id account,
                                                   mailbox_id mailbox, bool is_all,
                                                   mailbox_annotation_fn fn, void *context);

/* For INBOX: copies all of one mailbox to another. */
MUST_USE enum store_result store_annotations_copy(struct store *store, account_id account,
                                                  mailbox_id from, mailbox_id to);

#endif
