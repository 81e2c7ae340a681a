/* SPDX-License-Identifier: ISC */
/* A client's certificates, and what is trusted: octet 0 chooses the name and whether the bytes
 * behind it are the chain in DER or the trust in PEM. */
#include "tls/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    struct slice rest = slice_skip(input, 1);
    uint8_t choice = len > 0 ? data[0] : 0;
    struct tls_chain_policy policy = {
        .name = (enum tls_chain_name)(choice % 3),
        .trust = choice & 0x80 ? rest : SLICE(""),
        .now = {1800000000LL * 1000000000},
    };
    struct buffer names;

    buffer_init(&names, TLS_CHAIN_NAMES_MAX * (TLS_CHAIN_NAME_MAX + 1));
    enum tls_chain_result result = tls_chain_verify(rest, &policy, &names);
    /* Nothing is good while nobody is trusted. */
    assert(policy.trust.len > 0 || result != TLS_CHAIN_OK);
    assert((result == TLS_CHAIN_OK) == (buffer_len(&names) > 0));
    assert(tls_chain_result_name(result));
    buffer_finish(&names);
    return 0;
}
