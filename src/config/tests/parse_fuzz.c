/* SPDX-License-Identifier: ISC */
/* Any bytes as a configuration file: read or refused with a reason, and what was read survives the
 * way to another process. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_round_trip(const struct config *config)
{
    struct arena arena;
    struct buffer bytes, bytes_again;
    struct config again;

    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&bytes, CONFIG_ENCODED_MAX);
    config_encode(config, &bytes);
    if (!config_decode(buffer_slice(&bytes), &arena, &again))
        abort();
    buffer_init(&bytes_again, CONFIG_ENCODED_MAX);
    config_encode(&again, &bytes_again);
    if (!slice_equal(buffer_slice(&bytes), buffer_slice(&bytes_again)))
        abort();
    buffer_finish(&bytes_again);
    buffer_finish(&bytes);
    arena_finish(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena arena;
    struct buffer errors;
    struct config config;

    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&errors, 65536);
    if (config_parse(slice_of(data, len), SLICE("fuzz"), &arena, &errors, &config)) {
        check_round_trip(&config);
        (void)!config_check(&config, SLICE("fuzz"), &errors);
    } else if (buffer_len(&errors) == 0) {
        abort();
    }
    config_put_repeated(slice_of(data, len), &errors);
    buffer_finish(&errors);
    arena_finish(&arena);
    return 0;
}
