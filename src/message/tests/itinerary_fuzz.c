/* SPDX-License-Identifier: ISC */
/* Input: a header. Whatever stations write, the way has bounds, and times add up. */
#include "message/itinerary.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static bool
is_within(struct slice part, size_t len)
{
    return part.len <= len + 64; /* "unquoted" never gets longer; constants are short */
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct itinerary way;
    struct header header;
    struct arena arena;

    arena_init(&arena, 16 * 1024 * 1024);
    header_parse(&arena, slice_of(at, len), &header);
    itinerary_read(&arena, &header, &way);
    assert(way.count <= ITINERARY_HOPS_MAX);
    for (size_t i = 0; i < way.count; i++) {
        const struct itinerary_hop *hop = &way.hops[i];
        assert(is_within(hop->written.from, len) && is_within(hop->written.by, len) &&
               is_within(hop->written.with, len) && is_within(hop->address, len) &&
               is_within(hop->tls_version, len));
        assert(!hop->has_delay || !(hop->written.defects & TRACE_NO_DATE));
        assert(hop->tls_version.len == 0 || hop->tls == ITINERARY_TLS_YES);
    }
    arena_finish(&arena);
    return 0;
}
