/* SPDX-License-Identifier: ISC */
#include "base/arena.h"

#include "base/checked.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, len) __asan_poison_memory_region((at), (len))
#define UNPOISON(at, len) __asan_unpoison_memory_region((at), (len))
enum { ARENA_RED_ZONE = 16 };
#else
#define POISON(at, len) ((void)0)
#define UNPOISON(at, len) ((void)0)
enum { ARENA_RED_ZONE = 0 };
#endif

enum { ARENA_ALIGN = 16, ARENA_CHUNK_MIN = 1024, ARENA_CHUNK_MAX = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* bytes of data */
    _Alignas(ARENA_ALIGN) uint8_t data[];
};

void
arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

static void
free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        UNPOISON(chunk->data, chunk->size);
        free(chunk);
        chunk = older;
    }
}

void
arena_finish(struct arena *arena)
{
    free_chunks(arena->chunks);
    arena_init(arena, arena->limit);
}

void
arena_wipe(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->older) {
        UNPOISON(chunk->data, chunk->size);
        explicit_bzero(chunk->data, chunk->size);
    }
    arena_finish(arena);
}

void
arena_reset(struct arena *arena)
{
    if (arena->chunks) {
        free_chunks(arena->chunks->older);
        arena->chunks->older = NULL;
        POISON(arena->chunks->data, arena->chunks->size);
    }
    arena->used = arena->total = 0;
    arena->failed = false;
}

/* Chunks double, so that many small requests cost few calls and a small arena stays small. */
static void
add_chunk(struct arena *arena, size_t need)
{
    size_t size = arena->chunks ? arena->chunks->size * 2 : ARENA_CHUNK_MIN;

    if (size > ARENA_CHUNK_MAX)
        size = ARENA_CHUNK_MAX;
    if (size < need)
        size = need;
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        abort();
    chunk->data[0] = 0; /* the others, too, are zeroed by those who want it */
    chunk->older = arena->chunks;
    chunk->size = size;
    POISON(chunk->data, size);
    arena->chunks = chunk;
    arena->used = 0;
}

void *
arena_room(struct arena *arena, size_t size)
{
    size_t need;

    if (!checked_add(size, ARENA_ALIGN - 1 + ARENA_RED_ZONE, &need) ||
        (need &= ~(size_t)(ARENA_ALIGN - 1)) > arena->limit - arena->total) {
        arena->failed = true;
        return NULL;
    }
    if (!arena->chunks || arena->chunks->size - arena->used < need)
        add_chunk(arena, need);
    uint8_t *at = arena->chunks->data + arena->used;
    UNPOISON(at, size);
    arena->used += need;
    arena->total += need;
    return at;
}

void *
arena_new(struct arena *arena, size_t size)
{
    void *at = arena_room(arena, size);

    return at ? memset(at, 0, size) : NULL;
}

void *
arena_new_array(struct arena *arena, size_t count, size_t size)
{
    size_t whole;

    if (!checked_multiply(count, size, &whole)) {
        arena->failed = true;
        return NULL;
    }
    return arena_new(arena, whole);
}

struct slice
arena_copy(struct arena *arena, struct slice bytes)
{
    uint8_t *at = arena_room(arena, bytes.len);

    if (!at)
        return slice_of("", 0);
    if (bytes.len)
        memcpy(at, bytes.at, bytes.len);
    return slice_of(at, bytes.len);
}

char *
arena_copy_string(struct arena *arena, struct slice bytes)
{
    char *at = arena_new(arena, bytes.len + 1);

    if (at && bytes.len)
        memcpy(at, bytes.at, bytes.len);
    return at;
}
