/* SPDX-License-Identifier: ISC */
/* XXH3 (xxHash): checksums of what lies on disk, and hashing for maps. Not for secrets. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* The hash of all bytes at once. */
uint64_t hash64(struct slice bytes, uint64_t seed);

/* The same over pieces that come one after another. */
struct hash_stream;
struct hash_stream *hash_stream_open(void);
void hash_stream_put(struct hash_stream *stream, struct slice bytes);
uint64_t hash_stream_close(struct hash_stream **stream);

#endif
