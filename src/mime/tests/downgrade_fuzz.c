/* SPDX-License-Identifier: ISC */
/* Whatever the message: what comes out has 7 bits and as many parts as before, each leaf that could
 * be decoded before decodes to the same octets, and a second time nothing changes. */
#include "mime/decode.h"
#include "mime/downgrade.h"
#include "mime/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROOM = 1 << 24 };

static void
check_again(struct slice once, struct arena *arena)
{
    struct mime_downgrade downgrade;
    struct buffer twice;

    buffer_init(&twice, ROOM);
    bool is_put = mime_downgrade_put(once, arena, &twice, &downgrade);
    assert(is_put && downgrade.parts == 0);
    buffer_finish(&twice);
}

static void
check_leaf(const struct mime_tree *was, const struct mime_tree *is, size_t place)
{
    const struct mime_part *old = &was->parts[place], *new = &is->parts[place];
    struct buffer before, after;

    assert(old->kind == new->kind);
    if (old->kind != MIME_PART_LEAF)
        return;
    buffer_init(&before, ROOM);
    buffer_init(&after, ROOM);
    mime_decode(&before, mime_part_body(was, old), old->encoding, NULL, 0);
    mime_decode(&after, mime_part_body(is, new), new->encoding, NULL, 0);
    assert(slice_equal(buffer_slice(&before), buffer_slice(&after)));
    buffer_finish(&before);
    buffer_finish(&after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mime_downgrade downgrade;
    struct mime_tree was, is;
    struct buffer result;
    struct arena arena;

    arena_init(&arena, (size_t)16 * ROOM);
    buffer_init(&result, ROOM);
    if (mime_downgrade_put(slice_of(data, len), &arena, &result, &downgrade)) {
        struct slice once = buffer_slice(&result);
        for (size_t i = 0; i < once.len; i++)
            assert(once.at[i] > 0 && once.at[i] < 0x80);
        mime_tree_parse(slice_of(data, len), &arena, &was);
        mime_tree_parse(once, &arena, &is);
        assert(was.count == is.count);
        for (size_t i = 0; i < was.count; i++)
            check_leaf(&was, &is, i);
        check_again(once, &arena);
    }
    arena_finish(&arena);
    buffer_finish(&result);
    return 0;
}
