/* SPDX-License-Identifier: ISC */
/* Keys as they stand in a file, and texts to prepare. */
#include "sasl/prepare.h"
#include "sasl/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct sasl_scram_keys keys;
    struct buffer out, again;

    buffer_init(&out, 65536);
    buffer_init(&again, 65536);
    for (int hash = SASL_HASH_SHA_1; hash <= SASL_HASH_SHA_256; hash++) {
        buffer_clear(&out);
        if (!sasl_scram_parse((enum sasl_hash)hash, text, &keys))
            continue;
        /* What is read is written again in the same way, but for zeros before the number. */
        sasl_scram_format(&out, &keys);
        assert(slice_ends_with(text, buffer_slice(&out)));
    }
    buffer_clear(&out);
    if (sasl_prepare(&out, text)) {
        /* Preparing what is prepared changes nothing. */
        bool is_prepared = sasl_prepare(&again, buffer_slice(&out));
        assert(!is_prepared || slice_equal(buffer_slice(&out), buffer_slice(&again)));
    }
    buffer_finish(&again);
    buffer_finish(&out);
    return 0;
}
