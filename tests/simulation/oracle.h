/* SPDX-License-Identifier: ISC */
/* The oracle knows what every sender was told and what every reader was shown, and says at once
 * when the two cannot both be right. Nothing of it comes from the system under test. */
#ifndef TESTS_SIMULATION_ORACLE_H
#define TESTS_SIMULATION_ORACLE_H

#include "base/buffer.h"

enum {
    ORACLE_ACCOUNTS = 4,
    ORACLE_RETURNED = ORACLE_ACCOUNTS, /* the senders' own mailbox: "addressed" to it are the
                                          attempts that must come back as undeliverable */
    ORACLE_READ,                       /* so many are read by POP3 */
    ORACLE_CUSTOMER = ORACLE_READ,     /* who fetches mail by ATRN and numbers it himself */
    ORACLE_MAILBOXES,
    ORACLE_MESSAGE_MAX = 512 * 1024
};

struct oracle;

/* Knows nothing yet. */
struct oracle *oracle_open(void);
void oracle_close(struct oracle **oracle);

/* True when something impossible was seen; the first such thing in words. */
bool oracle_has_failed(const struct oracle *oracle);
const char *oracle_reason(const struct oracle *oracle);
void oracle_fail(struct oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- senders -------------------------------------------------------------------------------- */

/* Another try to deliver: its number stands in the message. `len`: about so long. */
uint32_t oracle_attempt(struct oracle *oracle, uint32_t len);

/* The message of an attempt, with CRLF, dots not doubled: always the same bytes. */
void oracle_put_message(const struct oracle *oracle, uint32_t attempt, struct buffer *buffer);

/* From now on the attempt may reach this account. */
void oracle_addressed(struct oracle *oracle, uint32_t attempt, unsigned account);
/* It is handed in where it is signed: no copy of it may come without a signature. */
void oracle_signed(struct oracle *oracle, uint32_t attempt);
/* 250 came: from now on it must. */
void oracle_acknowledged(struct oracle *oracle, uint32_t attempt, unsigned account);

/* Something has gone wrong after which a relay may not know what became of a message: of what was
 * tried before, one copy more may come (RFC 5321 §4.5.3.2.6, RFC 1047). */
void oracle_hazard(struct oracle *oracle);
uint64_t oracle_copies(const struct oracle *oracle);
/* Disks may fail to read from now on: a notification may then bring nothing of the letter back, but
 * says by ENVID which it is about. */
void oracle_unreadable(struct oracle *oracle);

/* How many there were. */
uint64_t oracle_acknowledgements(const struct oracle *oracle);

/* ---- readers -------------------------------------------------------------------------------- */

/* A reader was shown a whole list of unique ids ("VALIDITY.UID", in order). */
struct oracle_listing {
    uint32_t uids[20000];
    size_t count;
    uint64_t validity;
};
void oracle_listed(struct oracle *oracle, unsigned account, const struct oracle_listing *listing);

/* A reader got the whole message with this uid. */
void oracle_retrieved(struct oracle *oracle, unsigned account, uint32_t uid, struct slice message);

/* Has somebody read it? Only such letters may be deleted: the others' contents would be unknown. */
bool oracle_is_read(const struct oracle *oracle, unsigned account, uint32_t uid);

/* A reader asked that it be deleted; the answer to that may be lost. */
void oracle_deleting(struct oracle *oracle, unsigned account, uint32_t uid);
/* The deletion was confirmed: it must never be seen again. */
void oracle_deleted(struct oracle *oracle, unsigned account, uint32_t uid);

/* ---- the end -------------------------------------------------------------------------------- */

/* Has everything that was acknowledged been read by somebody? */
bool oracle_is_complete(const struct oracle *oracle);
/* After a last reading of all mailboxes: is everything that was acknowledged there? */
void oracle_conclude(struct oracle *oracle);
uint64_t oracle_messages_read(const struct oracle *oracle);

#endif
