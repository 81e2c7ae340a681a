/* SPDX-License-Identifier: ISC */
/* The keys of SCRAM (RFC 5802 §3, RFC 7677): what a server keeps instead of a password. Who steals
 * them can try passwords, at the price of `iterations` for each, but cannot log in elsewhere. */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "base/buffer.h"
#include "sasl/digest.h"

enum {
    SASL_SALT_MAX = 64,
    SASL_SALT_LEN = 16,              /* of salts that we make */
    SASL_ITERATIONS_MIN = 4096,      /* RFC 7677 §4 */
    SASL_ITERATIONS_DEFAULT = 16384, /* 10 ms for an honest client of today, once per login */
};

struct sasl_scram_keys {
    enum sasl_hash hash; /* SHA-1 or SHA-256 */
    unsigned iterations;
    size_t salt_len;
    uint8_t salt[SASL_SALT_MAX];
    uint8_t stored[SASL_DIGEST_MAX]; /* StoredKey, sasl_hash_len(hash) octets; ServerKey too */
    uint8_t server[SASL_DIGEST_MAX];
};

/* A nonce (RFC 5802 §5.1) is text: printable ASCII without a comma, never used before. */
enum { SASL_NONCE_RANDOM_LEN = 18, SASL_NONCE_LEN = 24, SASL_NONCE_MAX = 64 };

/* One of SASL_NONCE_LEN characters made from SASL_NONCE_RANDOM_LEN random octets; borrows from
 * `room`. */
struct slice sasl_nonce_format(const uint8_t *random, uint8_t room[SASL_NONCE_LEN]);

/* Computes the keys of a password that sasl_prepare has prepared. salt.len <= SASL_SALT_MAX. */
void sasl_scram_derive(enum sasl_hash hash, struct slice prepared, struct slice salt,
                       unsigned iterations, struct sasl_scram_keys *ret_keys);

/* "16384,SALT,STORED,SERVER", the last three in base64: one value in the directory's file. */
void sasl_scram_format(struct buffer *buffer, const struct sasl_scram_keys *keys);
MUST_USE bool sasl_scram_parse(enum sasl_hash hash, struct slice text,
                               struct sasl_scram_keys *ret_keys);

/* Keys for a user that does not exist: the salt depends on nothing but `seed` (this installation's
 * secret) and `name`, so that asking twice tells no more than asking once; nothing fits the rest.
 */
void sasl_scram_fake(enum sasl_hash hash, struct slice seed, struct slice name,
                     struct sasl_scram_keys *ret_keys);

#endif
