/* SPDX-License-Identifier: ISC */
/* Private to the room: the slow hashes, each behind the one file that knows its library. */
#ifndef DIRECTORY_PASSWORD_H
#define DIRECTORY_PASSWORD_H

#include "base/buffer.h"
#include "directory/secret.h"

enum { DIRECTORY_HASH_SALT_LEN = 16 };

/* crypt(3) of libxcrypt. `password` has no NUL and is at most 511 octets. */
MUST_USE enum directory_password directory_crypt_verify(struct slice crypt, struct slice password);
MUST_USE bool directory_crypt_make(struct buffer *buffer, struct slice password, struct slice salt);
/* True when crypt(3) knows the method of this hash. */
MUST_USE bool directory_crypt_is_known(struct slice crypt);

/* argon2id of libsodium, in the form $argon2id$v=19$m=…,t=…,p=1$SALT$HASH. */
MUST_USE enum directory_password directory_argon2_verify(struct slice crypt,
                                                         struct slice password);
MUST_USE bool directory_argon2_make(struct buffer *buffer, struct slice password,
                                    struct slice salt);

#endif
