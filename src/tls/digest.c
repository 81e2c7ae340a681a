/* SPDX-License-Identifier: ISC */
#include "tls/digest.h"

#include <openssl/evp.h>

void
tls_md5(const struct slice *pieces, size_t count, uint8_t ret_digest[TLS_MD5_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context || EVP_DigestInit_ex(context, EVP_md5(), NULL) != 1)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(context, pieces[i].at, pieces[i].len) != 1)
            abort();
    }
    if (EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
        abort();
    EVP_MD_CTX_free(context);
}

/* OpenSSL's own type under our name. */
static EVP_MD_CTX *
context_of(struct tls_sha256 *hash)
{
    return (EVP_MD_CTX *)hash;
}

struct tls_sha256 *
tls_sha256_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        abort();
    return (struct tls_sha256 *)context;
}

void
tls_sha256_add(struct tls_sha256 *hash, struct slice piece)
{
    if (EVP_DigestUpdate(context_of(hash), piece.at, piece.len) != 1)
        abort();
}

void
tls_sha256_end(struct tls_sha256 **hash, uint8_t ret_digest[TLS_SHA256_SIZE])
{
    if (EVP_DigestFinal_ex(context_of(*hash), ret_digest, NULL) != 1)
        abort();
    EVP_MD_CTX_free(context_of(*hash));
    *hash = NULL;
}
