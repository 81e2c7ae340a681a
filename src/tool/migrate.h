/* SPDX-License-Identifier: ISC */
/* All mailboxes of an account on a live IMAP server become mailboxes of an account here. Each
 * message goes with a key made of its mailbox, UIDVALIDITY and UID there, which the store
 * remembers: what is there already is not even fetched, so a migration that was cut off, or is done
 * again on the day of the change, takes up where it was. */
#ifndef TOOL_MIGRATE_H
#define TOOL_MIGRATE_H

#include "client/session.h"
#include "tool/appender.h"

enum {
    MIGRATE_BOXES_MAX = 20000,
    MIGRATE_NAME_MAX = 400,        /* octets of a mailbox name here */
    MIGRATE_MESSAGES_MAX = 8 << 20 /* of one mailbox */
};

/* The name that a mailbox gets here: '/' parts its levels, INBOX is in capitals, `prefix` (of the
 * server's personal namespace) is taken off. False, and nothing put, when no name is left of it,
 * or it is too long. `out` is empty. */
MUST_USE bool migrate_put_name(struct slice name, uint8_t delimiter, struct slice prefix,
                               struct buffer *out);

struct migrate_options {
    const struct client_login *login;
    struct client *store;
    uint64_t account;
    const char *only; /* the mailbox to bring, by its name here; NULL: all */
};

struct migrate_result {
    uint64_t mailboxes, migrated, there, refused;
};

/* Says what goes wrong; *ret_result is set in any case. */
MUST_USE int migrate_run(const struct migrate_options *options, struct migrate_result *ret_result);

#endif
