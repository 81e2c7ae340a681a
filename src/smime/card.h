/* SPDX-License-Identifier: ISC */
/* What a certificate says of its owner, and certificates and keys as people are given them. */
#ifndef SMIME_CARD_H
#define SMIME_CARD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/time.h"

/* Strings are in the arena, as the certificate has them: whoever shows them makes them printable.
 */
struct smime_card {
    struct slice name;             /* of the owner; may be empty */
    struct slice issuer;           /* who vouches */
    const struct slice *addresses; /* mail addresses */
    size_t addresses_count;
    struct slice certificate; /* PEM */
    struct wall until;        /* valid up to then; 0: it cannot be told */
};

/* Reads the first certificate of PEM, or one of DER. False for what is none. */
MUST_USE bool smime_card_read(struct slice bytes, struct arena *arena, struct smime_card *ret_card);

/* A file says how often its passphrase is to be hashed. Programs write 2,000 to a million; as often
 * as this takes about a second. */
enum { SMIME_ITERATIONS_MAX = 2 * 1000 * 1000 };

/* Puts key, certificate and chain of a PKCS #12 file (RFC 7292) as PEM, the key without a
 * passphrase. False, and a few words in `problem`, with a wrong passphrase (*ret_is_passphrase) or
 * a file that is something else, or wants more than SMIME_ITERATIONS_MAX. */
MUST_USE bool smime_pkcs12_read(struct slice bytes, const char *passphrase, struct buffer *out,
                                bool *ret_is_passphrase, struct buffer *problem);

#endif
