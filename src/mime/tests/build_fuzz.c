/* SPDX-License-Identifier: ISC */
/* The input is a little program that makes a draft: what is built parses back to the same, whatever
 * the texts are. Each step is an octet that says what to add, a length, and content. */
#include "base/cursor.h"
#include "mime/build.h"
#include "mime/decode.h"
#include "mime/tests/tree_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { STEPS_MAX = 40 };

struct plan {
    struct arena arena;
    struct mime_draft *open[MIME_DRAFT_DEPTH_MAX];
    size_t depth;
    struct slice leaves[STEPS_MAX]; /* of byte parts, in order */
    size_t leaf_count;
};

static void
add_leaf(struct plan *plan, struct mime_draft *draft, struct slice content)
{
    mime_draft_set_disposition(draft, "attachment", content);
    mime_draft_add_text_field(draft, "Content-Description", content);
    mime_draft_append(plan->open[plan->depth - 1], draft);
}

static void
take_step(struct plan *plan, struct cursor *cursor)
{
    uint8_t kind = 0, len = 0;

    if (!cursor_take_any(cursor, &kind) || !cursor_take_any(cursor, &len))
        return;
    struct slice content = slice_first(cursor_rest(cursor), len);
    cursor->at += content.len;
    switch (kind % 4) {
    case 0:
        add_leaf(plan, mime_draft_new_text(&plan->arena, "plain", content), content);
        break;
    case 1:
        plan->leaves[plan->leaf_count++] = content;
        add_leaf(plan, mime_draft_new_bytes(&plan->arena, "application/x", content), content);
        break;
    case 2:
        if (plan->depth + 1 < MIME_DRAFT_DEPTH_MAX) {
            struct mime_draft *draft = mime_draft_new_multipart(&plan->arena, "mixed");
            mime_draft_append(plan->open[plan->depth - 1], draft);
            plan->open[plan->depth++] = draft;
        }
        break;
    default:
        plan->depth -= plan->depth > 1;
    }
}

static void
check(const struct plan *plan, struct mime_tree *tree)
{
    struct buffer content;
    size_t found = 0;

    buffer_init(&content, 64 * 1024);
    assert((tree->defects.kinds & ~(UINT64_C(1) << MIME_DEFECT_PARAMETER_ENCODING |
                                    UINT64_C(1) << MIME_DEFECT_HEADER_UNFINISHED)) == 0);
    for (size_t i = 0; i < tree->count; i++) {
        const struct mime_part *part = &tree->parts[i];
        if (!mime_content_type_is(&part->content_type, "application", "x"))
            continue;
        buffer_clear(&content);
        mime_decode(&content, mime_part_body(tree, part), part->encoding, &tree->defects, 0);
        assert(found < plan->leaf_count);
        assert(slice_equal(buffer_slice(&content), plan->leaves[found]));
        found++;
    }
    assert(found == plan->leaf_count);
    buffer_finish(&content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct mime_draft_entropy entropy;
    struct plan plan = {0};
    struct cursor cursor = cursor_of(slice_of(data, len));
    struct buffer out;
    struct mime_tree tree;

    arena_init(&plan.arena, 16 * 1024 * 1024);
    buffer_init(&out, 1024 * 1024);
    plan.open[plan.depth++] = mime_draft_new_multipart(&plan.arena, "mixed");
    mime_draft_add_text_field(plan.open[0], "Subject", slice_first(slice_of(data, len), 500));
    for (size_t i = 0; i < STEPS_MAX; i++)
        take_step(&plan, &cursor);
    bool is_put = mime_draft_put(plan.open[0], &entropy, &out);
    assert(is_put);
    mime_tree_parse(buffer_slice(&out), &plan.arena, &tree);
    tree_check(&tree, buffer_len(&out));
    check(&plan, &tree);
    buffer_finish(&out);
    arena_finish(&plan.arena);
    return 0;
}
