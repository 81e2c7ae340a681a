/* SPDX-License-Identifier: ISC */
/* Private to the room: what both of its files do with OpenSSL. */
#ifndef SMIME_OPENSSL_PRIVATE_H
#define SMIME_OPENSSL_PRIVATE_H

#include "base/buffer.h"

#include <openssl/cms.h>
#include <openssl/x509v3.h>

/* Reads from the bytes, which are borrowed. */
BIO *smime_bio(struct slice bytes);

/* Puts what was written into a memory BIO. */
void smime_put_bio(BIO *bio, struct buffer *out);

#endif
