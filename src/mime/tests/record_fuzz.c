/* SPDX-License-Identifier: ISC */
/* A record that somebody has changed is refused, or can be read to the end without leaving it. The
 * input is a message; its record is made, then overwritten at places that the last octets of the
 * input choose: so the corpus never gets old. The input itself is tried as a record too. */
#include "base/cursor.h"
#include "mime/tests/record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATCHES = 8, PATCH_SIZE = 5 };

static void
patch(uint8_t *octets, size_t len, struct cursor patches)
{
    uint32_t place = 0;
    uint8_t value = 0;

    while (cursor_take_le32(&patches, &place) && cursor_take_any(&patches, &value)) {
        /* Half of them go where the counts are. */
        size_t range = place & 1 && len > 200 ? 200 : len;
        octets[(place >> 1) % range] ^= value;
    }
}

static void
try(struct slice octets, uint64_t body_len)
{
    struct mime_record record;

    if (mime_record_open(octets, body_len, &record))
        record_read_all(&record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    size_t patches_len = len < PATCHES * PATCH_SIZE ? len : PATCHES * PATCH_SIZE;
    struct arena arena;
    struct buffer record;
    struct mime_tree tree;

    arena_init(&arena, 64 * 1024 * 1024);
    buffer_init(&record, MIME_RECORD_MAX);
    mime_tree_parse(input, &arena, &tree);
    mime_record_put(&record, &tree, &arena);
    struct cursor patches = cursor_of(slice_skip(input, len - patches_len));
    do {
        patch(record.at + record.start, buffer_len(&record), patches);
        try(buffer_slice(&record), len);
        /* Then with fewer, so that some get through. */
        patches.at += cursor_left(&patches) < PATCH_SIZE ? cursor_left(&patches) : PATCH_SIZE;
        buffer_clear(&record);
        mime_record_put(&record, &tree, &arena);
    } while (!cursor_is_done(&patches));
    try(input, len);
    buffer_finish(&record);
    arena_finish(&arena);
    return 0;
}
