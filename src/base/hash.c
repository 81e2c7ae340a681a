/* SPDX-License-Identifier: ISC */
/* The only file that knows xxHash. */
#include "base/hash.h"

#include <stdlib.h>
#include <xxhash.h>

struct hash_stream {
    XXH3_state_t *state;
};

uint64_t
hash64(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.at, bytes.len, seed);
}

struct hash_stream *
hash_stream_open(void)
{
    struct hash_stream *stream = malloc(sizeof(*stream));

    if (!stream || !(stream->state = XXH3_createState()))
        abort();
    XXH3_64bits_reset(stream->state);
    return stream;
}

void
hash_stream_put(struct hash_stream *stream, struct slice bytes)
{
    XXH3_64bits_update(stream->state, bytes.at, bytes.len);
}

uint64_t
hash_stream_close(struct hash_stream **stream)
{
    uint64_t hash = XXH3_64bits_digest((*stream)->state);

    XXH3_freeState((*stream)->state);
    free(*stream);
    *stream = NULL;
    return hash;
}
