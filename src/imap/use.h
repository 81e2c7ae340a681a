/* SPDX-License-Identifier: ISC */
/* Special uses of mailboxes (RFC 6154 §2) and their numbers, as the store keeps them. */
#ifndef IMAP_USE_H
#define IMAP_USE_H

#include "base/slice.h"

enum imap_use {
    IMAP_USE_NONE,
    IMAP_USE_ARCHIVE,
    IMAP_USE_DRAFTS,
    IMAP_USE_JUNK,
    IMAP_USE_SENT,
    IMAP_USE_TRASH,
    IMAP_USES_END
};

/* "\Drafts"; empty for none. */
struct slice imap_use_name(unsigned use);

/* IMAP_USE_NONE for what is not offered. */
enum imap_use imap_use_find(struct slice name);

#endif
