/* SPDX-License-Identifier: ISC */
#include "mime/tests/tree_text.h"

static void
put_octets(struct buffer *buffer, struct slice octets)
{
    buffer_put_byte(buffer, '"');
    for (size_t i = 0; i < octets.len; i++) {
        if (octets.at[i] == '\r' && i + 1 < octets.len && octets.at[i + 1] == '\n') {
            buffer_put_text(buffer, "\\n");
            i++;
        } else if (octets.at[i] == '\n') {
            buffer_put_text(buffer, "\\l");
        } else {
            buffer_put_byte(buffer, octets.at[i]);
        }
    }
    buffer_put_byte(buffer, '"');
}

void
tree_text_put(struct buffer *buffer, const struct mime_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct mime_part *part = &tree->parts[i];
        buffer_put(buffer, part->content_type.type);
        buffer_put_byte(buffer, '/');
        buffer_put(buffer, part->content_type.subtype);
        if (part->kind == MIME_PART_LEAF)
            put_octets(buffer, mime_part_body(tree, part));
        else
            buffer_put_byte(buffer, '(');
        if (part->kind != MIME_PART_LEAF && part->after > i + 1)
            continue;
        /* Close whatever ends here. */
        if (part->kind != MIME_PART_LEAF)
            buffer_put_byte(buffer, ')');
        for (uint32_t up = part->parent; up != MIME_NO_PART && tree->parts[up].after == i + 1;
             up = tree->parts[up].parent)
            buffer_put_byte(buffer, ')');
        if (i + 1 < tree->count)
            buffer_put_byte(buffer, ' ');
    }
}

static size_t
count_lines(struct slice octets)
{
    size_t lines = 0;

    for (size_t i = 0; i < octets.len; i++)
        lines += octets.at[i] == '\n';
    return lines;
}

static void
check_part(const struct mime_tree *tree, uint32_t i)
{
    const struct mime_part *part = &tree->parts[i];

    assert(part->header_start <= part->body_start && part->body_start <= part->body_end);
    assert(part->body_end <= tree->message.len);
    assert(part->after > i && part->after <= tree->count);
    assert(part->content_type.type.len > 0 && part->content_type.subtype.len > 0);
    assert(part->lines == count_lines(mime_part_body(tree, part)));
    assert(part->kind != MIME_PART_LEAF || part->after == i + 1);
    assert(part->kind != MIME_PART_MESSAGE || part->after > i + 1);
    if (i == 0) {
        assert(part->parent == MIME_NO_PART && part->depth == 0 && part->after == tree->count);
        assert(part->header_start == 0 && part->body_end == tree->message.len);
        return;
    }
    assert(part->parent < i);
    const struct mime_part *parent = &tree->parts[part->parent];
    assert(part->depth == parent->depth + 1 && part->depth <= MIME_DEPTH_MAX);
    assert(part->after <= parent->after && parent->kind != MIME_PART_LEAF);
    assert(part->header_start >= parent->body_start && part->body_end <= parent->body_end);
    const struct mime_part *before = &tree->parts[i - 1];
    assert(part->header_start >= (i - 1 == part->parent ? before->body_start : before->body_end));
}

void
tree_check(const struct mime_tree *tree, size_t message_len)
{
    assert(tree->message.len == message_len);
    assert(tree->count >= 1 && tree->count <= MIME_PARTS_MAX);
    for (uint32_t i = 0; i < tree->count; i++)
        check_part(tree, i);
    for (size_t i = 0; i < tree->defects.count; i++) {
        assert(tree->defects.items[i].offset <= message_len);
        assert(mime_defects_have(&tree->defects, tree->defects.items[i].kind));
    }
}
