/* SPDX-License-Identifier: ISC */
/* Private to the room: what its files do with OpenSSL. */
#ifndef SMIME_OPENSSL_PRIVATE_H
#define SMIME_OPENSSL_PRIVATE_H

#include "base/buffer.h"
#include "smime/card.h"

#include <openssl/cms.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

/* Reads from the bytes, which are borrowed. */
BIO *smime_bio(struct slice bytes);

/* Puts what was written into a memory BIO. */
void smime_put_bio(BIO *bio, struct buffer *out);

/* For reading PEM: nobody is asked for a passphrase. */
int smime_no_passphrase(char *at, int room, int is_writing, void *context);

/* What the certificate says. */
struct smime_card smime_card_of(X509 *certificate, struct arena *arena);

/* Whether the passphrase of a PKCS #12 file is worked on no longer than SMIME_ITERATIONS_MAX: for
 * the seal of the whole, which is looked at first; then for all safes and keys in it together. */
MUST_USE bool smime_pkcs12_is_mac_bounded(const PKCS12 *bag);
MUST_USE bool smime_pkcs12_are_safes_bounded(const PKCS12 *bag, const char *passphrase);

#endif
