/* SPDX-License-Identifier: ISC */
/* Digests that mail protocols name. MD5 only because RFC 1939 §7 (APOP) says so. */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include "base/slice.h"

enum { TLS_MD5_SIZE = 16 };

/* The MD5 (RFC 1321) of the pieces one after another. */
void tls_md5(const struct slice *pieces, size_t count, uint8_t ret_digest[TLS_MD5_SIZE]);

enum { TLS_SHA256_SIZE = 32 };

/* SHA-256 (FIPS 180-4) of what comes in pieces. Never NULL; end frees it. */
struct tls_sha256;
struct tls_sha256 *tls_sha256_begin(void);
void tls_sha256_add(struct tls_sha256 *hash, struct slice piece);
void tls_sha256_end(struct tls_sha256 **hash, uint8_t ret_digest[TLS_SHA256_SIZE]);

#endif
