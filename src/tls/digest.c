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
