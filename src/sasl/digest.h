/* SPDX-License-Identifier: ISC */
/* The digests that authentication needs. They cannot fail for the sizes allowed here; a library
 * that refuses all the same ends the process. */
#ifndef SASL_DIGEST_H
#define SASL_DIGEST_H

#include "base/slice.h"

enum sasl_hash { SASL_HASH_MD5, SASL_HASH_SHA_1, SASL_HASH_SHA_256 };

enum { SASL_DIGEST_MAX = 32, SASL_ITERATIONS_MAX = 1000000 };

/* Octets of one digest: 16, 20 or 32. */
size_t sasl_hash_len(enum sasl_hash hash);

/* The digest of `bytes`, and the keyed one (RFC 2104), into ret_digest[sasl_hash_len(hash)].
 * MD5 is there for APOP (RFC 1939 §7) only. */
void sasl_digest(enum sasl_hash hash, struct slice bytes, uint8_t *ret_digest);
void sasl_hmac(enum sasl_hash hash, struct slice key, struct slice bytes, uint8_t *ret_digest);

/* The same as sasl_hmac with SHA-256, without OpenSSL: for processes that hold no TLS. */
void sasl_hmac_sha_256(struct slice key, struct slice bytes, uint8_t *ret_digest);

/* Hi() of RFC 5802 §2.2: PBKDF2 (RFC 8018 §5.2) of one block. 1 <= iterations <= the maximum. */
void sasl_pbkdf2(enum sasl_hash hash, struct slice password, struct slice salt, unsigned iterations,
                 uint8_t *ret_digest);

/* In a time that tells nothing but the lengths. */
MUST_USE bool sasl_equal(struct slice left, struct slice right);

/* Overwrites a secret in a way that no compiler removes. */
void sasl_wipe(void *at, size_t len);

#endif
