/* SPDX-License-Identifier: ISC */
/* A client's certificates, and what is trusted: octet 0 chooses the name, and whether the bytes
 * behind it are the chain in DER, the trust in PEM, or a chain whose first is trusted. Of that
 * no signature is looked at, so that what is changed in it is read all the same. */
#include "tls/chain.h"

#include <openssl/pem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { IS_ALSO_TRUST = 0x80, TRUSTS_ITSELF = 0x40 };

static void
put_first_as_pem(struct slice chain, struct buffer *out)
{
    const unsigned char *at = chain.at;
    X509 *first = chain.len > 0 ? d2i_X509(NULL, &at, (long)chain.len) : NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    if (!bio)
        abort();
    if (first && PEM_write_bio_X509(bio, first) == 1) {
        long len = BIO_get_mem_data(bio, &text);
        buffer_put(out, slice_of(text, (size_t)len));
    }
    BIO_free(bio);
    X509_free(first);
}

static void
look_at_names(struct slice names)
{
    size_t count = 0, line_start = 0;

    for (size_t i = 0; i < names.len; i++) {
        assert(names.at[i] == '\n' || (names.at[i] >= ' ' && names.at[i] != 0x7F));
        if (names.at[i] == '\n') {
            assert(i > line_start && i - line_start <= TLS_CHAIN_NAME_MAX);
            line_start = i + 1;
            count++;
        }
    }
    assert(line_start == names.len && count <= TLS_CHAIN_NAMES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    struct slice rest = slice_skip(input, 1);
    uint8_t choice = len > 0 ? data[0] : 0;
    struct buffer names, first;

    buffer_init(&names, TLS_CHAIN_NAMES_MAX * (TLS_CHAIN_NAME_MAX + 1));
    buffer_init(&first, SIZE_MAX);
    if (choice & TRUSTS_ITSELF)
        put_first_as_pem(rest, &first);
    else if (choice & IS_ALSO_TRUST)
        buffer_put(&first, rest);
    struct tls_chain_policy policy = {
        .name = (enum tls_chain_name)((choice & 0x3F) % 3),
        .trust = buffer_slice(&first),
        .now = {1800000000LL * 1000000000},
    };
    enum tls_chain_result result = tls_chain_verify(rest, &policy, &names);
    /* Nothing is good while nobody is trusted. */
    assert(policy.trust.len > 0 || result != TLS_CHAIN_OK);
    assert((result == TLS_CHAIN_OK) == (buffer_len(&names) > 0));
    assert(!buffer_overflowed(&names));
    look_at_names(buffer_slice(&names));
    assert(tls_chain_result_name(result));
    buffer_finish(&names);
    buffer_finish(&first);
    return 0;
}
