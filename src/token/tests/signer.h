/* SPDX-License-Identifier: ISC */
/* For tests: keys of all kinds, their JWK set, and tokens that they sign. */
#ifndef TOKEN_TESTS_SIGNER_H
#define TOKEN_TESTS_SIGNER_H

#include "base/buffer.h"

enum signer_kind { SIGNER_RSA, SIGNER_P256, SIGNER_ED25519, SIGNER_KINDS };

struct signer;
/* RSA takes a while: without it unless `has_rsa`. */
struct signer *signer_open(bool has_rsa);
void signer_close(struct signer **signer);

/* Puts the JWK set of the public keys; their ids are "rsa", "p256" and "ed". */
void signer_put_keys(const struct signer *signer, struct buffer *out);
/* Puts a token with this header and payload (JSON), signed. */
void signer_put_token(const struct signer *signer, enum signer_kind kind, struct slice header,
                      struct slice payload, struct buffer *out);
/* base64url */
void signer_put_base64(struct buffer *out, struct slice octets);

#endif
