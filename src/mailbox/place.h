/* SPDX-License-Identifier: ISC */
/* Where something lies in the log of turns. Names of accounts, mailboxes and bodies. */
#ifndef MAILBOX_PLACE_H
#define MAILBOX_PLACE_H

#include "base/compiler.h"

/* A byte of a segment. Segments are numbered from 1; {0, 0} is nowhere. */
struct place {
    uint32_t segment;
    uint64_t offset;
};

static inline bool
place_is_before(struct place left, struct place right)
{
    return left.segment != right.segment ? left.segment < right.segment
                                         : left.offset < right.offset;
}

/* An account's number is given by the directory and never used again; 0 is nobody. */
typedef uint64_t account_id;
/* A mailbox's number within its account, never used again; 0 is none. */
typedef uint32_t mailbox_id;
/* A body's number within the shard, never used again; also RFC 8474's EMAILID. 0 is none. */
typedef uint64_t body_id;

#endif
