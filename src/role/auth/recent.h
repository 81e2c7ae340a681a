/* SPDX-License-Identifier: ISC */
/* Passwords that were proven a short while ago, as keyed hashes that only this process can make:
 * programs that log in every minute do not cost a slow hash each time. A changed verifier, the
 * end of the time or of the process ends it. */
#ifndef ROLE_AUTH_RECENT_H
#define ROLE_AUTH_RECENT_H

#include "base/slice.h"
#include "base/time.h"

enum { RECENT_ENTRIES_MAX = 16384, RECENT_SECONDS = 600, RECENT_KEY_LEN = 32 };

struct recents;
/* `key`: RECENT_KEY_LEN random octets. */
struct recents *recents_open(struct slice key);
void recents_close(struct recents **recents);

/* Remembers, or looks up, that `password` fits `crypt` of the account. */
void recent_add(struct recents *recents, uint64_t account, struct slice crypt,
                struct slice password, struct instant now);
bool recent_has(struct recents *recents, uint64_t account, struct slice crypt,
                struct slice password, struct instant now);

#endif
