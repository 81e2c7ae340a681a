/* SPDX-License-Identifier: ISC */
/* Certificates that others wrote: read, or not. */
#include "tls/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tls_certificate_facts facts;
    struct buffer names;

    buffer_init(&names, SIZE_MAX);
    if (tls_certificate_read(slice_of(data, len), &facts, &names)) {
        struct slice text = buffer_slice(&names);
        for (size_t i = 0; i < text.len; i++)
            assert(text.at[i] == '\n' || text.at[i] >= ' ');
        assert(text.len == 0 || text.at[text.len - 1] == '\n');
    }
    buffer_finish(&names);
    return 0;
}
