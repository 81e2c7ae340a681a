/* SPDX-License-Identifier: ISC */
/* Wrong guesses, counted for each pair of name and customer (an IPv4 address or an IPv6 /64), and
 * for each customer whatever the name. What follows from them is a growing delay of the answer,
 * then a lock of at most LOCKOUT_LOCK_MAX_S: long enough to make guessing hopeless, short enough
 * that a stranger behind the same address cannot shut anybody out for good. Attempts during a lock
 * are not counted. Pairs that have succeeded before get four times the patience and are not
 * locked for what others at the same address do. */
#ifndef ROLE_AUTH_LOCKOUT_H
#define ROLE_AUTH_LOCKOUT_H

#include "base/slice.h"
#include "base/time.h"

enum {
    LOCKOUT_ENTRIES_MAX = 65536, /* the one longest unused goes */
    LOCKOUT_PATIENCE = 10,       /* failures of a pair before the first lock */
    LOCKOUT_PATIENCE_KNOWN = 40,
    LOCKOUT_PATIENCE_CUSTOMER = 100, /* of one customer, with any names */
    LOCKOUT_DELAY_MAX_MS = 8000,
    LOCKOUT_LOCK_MIN_S = 15, /* doubles with each failure behind the patience */
    LOCKOUT_LOCK_MAX_S = 300,
    LOCKOUT_FORGET_S = 3600, /* without a failure, all is forgiven */
};

/* `seed`: random, so that nobody can choose names that collide. */
struct lockouts;
struct lockouts *lockouts_open(uint64_t seed);
void lockouts_close(struct lockouts **lockouts);
size_t lockouts_count(const struct lockouts *lockouts);

/* Who tries: `name` in one spelling, `customer` as host_address_customer gives it; empty for local
 * sockets. `is_trusted`: not locked for what it does with many names. */
struct lockout_who {
    struct slice name;
    struct slice customer;
    bool is_trusted;
};

/* True while the pair must not even try. */
bool lockout_is_locked(struct lockouts *lockouts, const struct lockout_who *who,
                       struct instant now);

/* True when the pair has succeeded before and is still remembered. */
bool lockout_is_known(struct lockouts *lockouts, const struct lockout_who *who);

/* Counts a failure; returns how long to wait before the answer. */
struct duration lockout_fail(struct lockouts *lockouts, const struct lockout_who *who,
                             struct instant now);

/* Forgives the pair what it did, and remembers it as known. */
void lockout_succeed(struct lockouts *lockouts, const struct lockout_who *who, struct instant now);

#endif
