/* SPDX-License-Identifier: ISC */
/* The secret part of the directory: what proves a password. Only the role auth reads it. */
#ifndef DIRECTORY_SECRET_H
#define DIRECTORY_SECRET_H

#include "base/buffer.h"
#include "directory/directory.h"
#include "sasl/scram.h"

enum {
    DIRECTORY_PASSWORD_MAX = 511, /* octets, prepared: crypt(3) takes no more */
    DIRECTORY_CRYPT_MAX = 384,    /* octets of a hash */
    DIRECTORY_RANDOM_LEN = 64,    /* random octets for one new secret */
    DIRECTORY_KEY_LEN = 32,       /* of the installation */
};

enum directory_scheme { DIRECTORY_YESCRYPT, DIRECTORY_ARGON2ID };

struct directory_secret {
    uint64_t id;        /* of the account */
    struct slice crypt; /* $y$… (any that crypt(3) knows) or $argon2id$…; empty: none */
    struct slice apop;  /* the password itself, for APOP (RFC 1939 §7); empty: none */
    const struct sasl_scram_keys *sha_256; /* NULL: none */
    const struct sasl_scram_keys *sha_1;
};

struct directory_secrets;

/* As directory_parse. The table wipes itself when it is closed. */
struct directory_secrets *directory_secrets_parse(struct slice secrets, uint64_t seed);
void directory_secrets_close(struct directory_secrets **secrets);
size_t directory_secrets_problem_count(const struct directory_secrets *secrets);
const struct directory_problem *directory_secrets_problem(const struct directory_secrets *secrets,
                                                          size_t index);

/* The secret of an account, or NULL: it cannot log in by password. */
const struct directory_secret *directory_secret_find(const struct directory_secrets *secrets,
                                                     uint64_t id);

/* The installation's key, DIRECTORY_KEY_LEN octets, or empty when the file has none yet. */
struct slice directory_secrets_key(const struct directory_secrets *secrets);

struct directory_secret_options {
    struct slice name; /* of the account, for the reader of the file */
    uint64_t id;
    enum directory_scheme scheme;
    bool without_scram; /* only the slow hash: then only PLAIN and LOGIN work */
    bool with_sha_1;    /* keys for SCRAM-SHA-1 too, for old clients */
    bool with_apop;     /* keeps the password readable: only where it is asked for */
};

enum directory_secret_result {
    DIRECTORY_SECRET_MADE,
    DIRECTORY_SECRET_BAD_PASSWORD, /* empty, too long, NUL, or prohibited characters */
    DIRECTORY_SECRET_BAD_NAME,
    DIRECTORY_SECRET_NO_MEMORY, /* for the slow hash, or the buffer is too small (4 KiB do) */
};

/* Puts the line to append to directory/secrets for a new password. Takes some 10 ms: the slow hash
 * is the point. `random`: DIRECTORY_RANDOM_LEN fresh octets. */
MUST_USE enum directory_secret_result
directory_secret_make(struct buffer *buffer, const struct directory_secret_options *options,
                      struct slice password, struct slice random);

/* The line for a hash that another system made (crypt(3) or argon2id form); false for others. */
MUST_USE bool directory_secret_import(struct buffer *buffer,
                                      const struct directory_secret_options *options,
                                      struct slice crypt);

/* The lines that take a secret away, and that name the installation's key. */
MUST_USE bool directory_secret_put_removed(struct buffer *buffer, struct slice name, uint64_t id);
void directory_secret_put_key(struct buffer *buffer, struct slice key);

enum directory_password {
    DIRECTORY_PASSWORD_WRONG,
    DIRECTORY_PASSWORD_RIGHT,
    DIRECTORY_PASSWORD_UNKNOWN, /* it could not be compared: a damaged hash, or no memory for one of
                                 * crypt(3); of argon2id the library does not tell that */
};

/* Is `password` (as sent) what `crypt` was made from? Takes as long as the hash was made to. */
MUST_USE enum directory_password directory_password_verify(struct slice crypt,
                                                           struct slice password);

/* A hash of today's default scheme that no password fits, for the time that it takes. */
struct slice directory_password_fake(void);

#endif
