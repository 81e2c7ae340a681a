/* SPDX-License-Identifier: ISC */
/* The numbered messages of one session (RFC 1939 §3 and §5): 12 bytes for each. Numbers begin at 1
 * and do not shift when messages are marked as deleted. */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H

#include "base/compiler.h"

struct pop3_maildrop {
    uint32_t *uids;  /* owned */
    uint64_t *marks; /* owned: length, and the mark of deletion in the highest bit */
    uint32_t count;
    uint32_t size;
    uint32_t deleted_count;
    uint64_t bytes;         /* of all messages */
    uint64_t deleted_bytes; /* of those that are marked */
};

/* All zeros is an empty maildrop. */
void pop3_maildrop_finish(struct pop3_maildrop *maildrop);

/* Adds a message as the next number; false when there are POP3_MESSAGES_MAX. A length that does not
 * fit 63 bits is cut to that. */
MUST_USE bool pop3_maildrop_add(struct pop3_maildrop *maildrop, uint32_t uid, uint64_t bytes);

/* True for numbers of messages that exist, marked or not. */
bool pop3_maildrop_has(const struct pop3_maildrop *maildrop, uint32_t number);

/* These want a number that exists. */
uint32_t pop3_maildrop_uid(const struct pop3_maildrop *maildrop, uint32_t number);
uint64_t pop3_maildrop_bytes(const struct pop3_maildrop *maildrop, uint32_t number);
bool pop3_maildrop_is_deleted(const struct pop3_maildrop *maildrop, uint32_t number);
void pop3_maildrop_delete(struct pop3_maildrop *maildrop, uint32_t number);

/* Takes all marks away. */
void pop3_maildrop_reset(struct pop3_maildrop *maildrop);

#endif
