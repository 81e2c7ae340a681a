/* SPDX-License-Identifier: ISC */
/* Private to the room: what its files do with OpenSSL. */
#ifndef SMIME_OPENSSL_PRIVATE_H
#define SMIME_OPENSSL_PRIVATE_H

#include "base/buffer.h"
#include "smime/card.h"

#include <openssl/cms.h>
#include <openssl/x509v3.h>

/* Reads from the bytes, which are borrowed. */
BIO *smime_bio(struct slice bytes);

/* Puts what was written into a memory BIO. */
void smime_put_bio(BIO *bio, struct buffer *out);

/* For reading PEM: nobody is asked for a passphrase. */
int smime_no_passphrase(char *at, int room, int is_writing, void *context);

/* What the certificate says. */
struct smime_card smime_card_of(X509 *certificate, struct arena *arena);

#endif
