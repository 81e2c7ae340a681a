/* SPDX-License-Identifier: ISC */
/* Any octets have a tree, a record that opens and is true to it, and parts that decode. */
#include "mime/decode.h"
#include "mime/part_number.h"
#include "mime/tests/record_check.h"
#include "mime/tests/tree_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
decode_parts(const struct mime_tree *tree, struct mime_defects *defects)
{
    struct slice piece;

    for (size_t i = 0; i < tree->count && i < 50; i++) {
        const struct mime_part *part = &tree->parts[i];
        struct mime_decoder *decoder = mime_decoder_open_text(
            mime_part_body(tree, part), part->encoding,
            mime_content_type_charset(&part->content_type), defects, part->body_start);
        while (mime_decoder_next(decoder, &piece))
            assert(piece.len > 0);
        mime_decoder_close(&decoder);
    }
}

/* The number of a part finds it, or the one around it that has the same. */
static void
check_numbers(const struct mime_tree *tree)
{
    struct buffer number, again;

    buffer_init(&number, 4096);
    buffer_init(&again, 4096);
    for (uint32_t i = 0; i < tree->count && i < 50; i++) {
        buffer_clear(&number);
        buffer_clear(&again);
        mime_part_number_put(&number, tree, i);
        uint32_t found = mime_part_number_find(tree, buffer_slice(&number));
        assert(found <= i && tree->parts[found].after > i);
        mime_part_number_put(&again, tree, found);
        assert(slice_equal(buffer_slice(&number), buffer_slice(&again)));
    }
    buffer_finish(&number);
    buffer_finish(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena arena;
    struct buffer octets;
    struct mime_tree tree;
    struct mime_record record;

    arena_init(&arena, 64 * 1024 * 1024);
    buffer_init(&octets, MIME_RECORD_MAX);
    mime_tree_parse(slice_of(data, len), &arena, &tree);
    tree_check(&tree, len);
    mime_record_put(&octets, &tree, &arena);
    assert(!buffer_overflowed(&octets));
    bool is_good = mime_record_open(buffer_slice(&octets), len, &record);
    assert(is_good);
    record_check(&record, &tree);
    decode_parts(&tree, &tree.defects);
    check_numbers(&tree);
    buffer_finish(&octets);
    arena_finish(&arena);
    return 0;
}
