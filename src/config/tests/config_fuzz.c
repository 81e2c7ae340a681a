/* SPDX-License-Identifier: ISC */
/* The decoder of values takes bytes from another process: what it takes must be what the encoder
 * would have written, whatever else it is given. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena arena;
    struct buffer again;
    struct config config;

    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&again, CONFIG_ENCODED_MAX);
    if (config_decode(slice_of(data, len), &arena, &config)) {
        config_encode(&config, &again);
        if (!slice_equal(buffer_slice(&again), slice_of(data, len)))
            abort();
    }
    buffer_finish(&again);
    arena_finish(&arena);
    return 0;
}
