/* SPDX-License-Identifier: ISC */
/* Any bytes as an address: what is one has a canonical form that stays what it is. */
#include "directory/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct directory_address address, again;
    struct buffer text, twice;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    buffer_init(&text, 4096);
    buffer_init(&twice, 4096);
    if (directory_address_parse(&arena, slice_of(data, len), &address)) {
        directory_address_format(&text, &address);
        bool is_address = directory_address_parse(&arena, buffer_slice(&text), &again);
        assert(is_address);
        directory_address_format(&twice, &again);
        assert(slice_equal(buffer_slice(&text), buffer_slice(&twice)));
    }
    buffer_finish(&twice);
    buffer_finish(&text);
    arena_finish(&arena);
    return 0;
}
