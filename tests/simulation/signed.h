/* SPDX-License-Identifier: ISC */
/* The key that signs what users hand in (DKIM), and whether a message was signed with it. */
#ifndef TESTS_SIMULATION_SIGNED_H
#define TESTS_SIMULATION_SIGNED_H

#include "base/buffer.h"

/* Of the domain in the From: field of the oracle's letters. */
#define SIGNED_RECORD "sim._domainkey.elsewhere.test"
/* Ed25519, made for this: nothing else was ever signed with it. */
#define SIGNED_KEY                                                                                 \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIPHgvy26vDYue5TwACktIA1iumu+p870wOfzScTxldpe\n"                           \
    "-----END PRIVATE KEY-----\n"

/* How many signatures stand in front of the message in what was received. */
unsigned signed_count(struct slice received);
/* Is the one that stands there that of this message, octet by octet? Ed25519 leaves no choice. */
bool signed_is_good(struct slice received, struct slice message);

#endif
