/* SPDX-License-Identifier: ISC */
/* The input is a little program that makes a draft: what is built parses back to the same, whatever
 * the texts are. Each step is an octet that says what to add, a length, and content. */
#include "base/cursor.h"
#include "mime/build.h"
#include "mime/decode.h"
#include "mime/tests/tree_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { STEPS_MAX = 40 };

/* What must be found again, in order: what was encoded, and what goes as it is. */
struct leaves {
    struct slice at[STEPS_MAX];
    size_t count;
};

struct plan {
    struct arena arena;
    struct mime_draft *open[MIME_DRAFT_DEPTH_MAX];
    size_t depth;
    struct leaves encoded, verbatim;
    bool has_strange; /* octets went in as they were: what is wrong with them is not ours */
};

static void
add_leaf(struct plan *plan, struct mime_draft *draft, struct slice content)
{
    mime_draft_set_disposition(draft, "attachment", content);
    mime_draft_add_text_field(draft, "Content-Description", content);
    mime_draft_append(plan->open[plan->depth - 1], draft);
}

static void
add_verbatim(struct plan *plan, struct slice content, bool is_message)
{
    struct mime_draft *draft =
        is_message ? mime_draft_new_message(&plan->arena, content)
                   : mime_draft_new_verbatim(&plan->arena, "application/v", content);

    plan->has_strange = true;
    if (!is_message)
        plan->verbatim.at[plan->verbatim.count++] = content;
    mime_draft_add_parameter(draft, "x", content);
    mime_draft_append(plan->open[plan->depth - 1], draft);
}

/* The name ends at the first line's end. */
static void
add_file(struct plan *plan, struct slice content)
{
    static const char *const endings[] = {".txt", ".html", ".eml", ".png", ".p7s", ".", ""};
    struct slice name = slice_first(content, slice_find_byte(content, '\n'));
    struct buffer text;

    buffer_init(&text, 1024);
    buffer_put(&text, name);
    buffer_put_text(&text, endings[content.len % COUNT_OF(endings)]);
    plan->has_strange = true;
    mime_draft_append(plan->open[plan->depth - 1],
                      mime_draft_new_file(&plan->arena,
                                          arena_copy(&plan->arena, buffer_slice(&text)),
                                          slice_skip(content, name.len + 1)));
    buffer_finish(&text);
}

static void
add_addresses(struct plan *plan, struct slice content)
{
    struct address_list list;

    address_list_parse(&plan->arena, content, &list);
    mime_draft_add_addresses(plan->open[0], "Cc", &list);
    mime_draft_add_field(plan->open[0], "X-Fuzz", content);
    plan->has_strange = true;
}

static void
take_step(struct plan *plan, struct cursor *cursor)
{
    uint8_t kind = 0, len = 0;

    if (!cursor_take_any(cursor, &kind) || !cursor_take_any(cursor, &len))
        return;
    struct slice content = slice_first(cursor_rest(cursor), len);
    cursor->at += content.len;
    switch (kind % 8) {
    case 0:
        add_leaf(plan, mime_draft_new_text(&plan->arena, "plain", content), content);
        break;
    case 1:
        plan->encoded.at[plan->encoded.count++] = content;
        add_leaf(plan, mime_draft_new_bytes(&plan->arena, "application/x", content), content);
        break;
    case 2:
        if (plan->depth + 1 < MIME_DRAFT_DEPTH_MAX) {
            struct mime_draft *draft = mime_draft_new_multipart(&plan->arena, "mixed");
            mime_draft_append(plan->open[plan->depth - 1], draft);
            plan->open[plan->depth++] = draft;
        }
        break;
    case 3:
        plan->depth -= plan->depth > 1;
        break;
    case 4:
        add_verbatim(plan, content, false);
        break;
    case 5:
        add_verbatim(plan, content, true);
        break;
    case 6:
        add_file(plan, content);
        break;
    default:
        add_addresses(plan, content);
    }
}

/* Not in a message that was put in. */
static bool
is_ours(const struct mime_tree *tree, const struct mime_part *part)
{
    while (part->parent != MIME_NO_PART) {
        part = &tree->parts[part->parent];
        if (part->kind != MIME_PART_MULTIPART)
            return false;
    }
    return true;
}

static void
check(const struct plan *plan, struct mime_tree *tree)
{
    struct buffer content;
    size_t encoded = 0, verbatim = 0;

    buffer_init(&content, 64 * 1024);
    for (enum mime_defect_kind kind = 0; kind < MIME_DEFECT_KINDS; kind++) {
        bool is_ours = plan->has_strange || kind == MIME_DEFECT_PARAMETER_ENCODING ||
                       kind == MIME_DEFECT_HEADER_UNFINISHED;
        assert(is_ours || !(tree->defects.kinds & UINT64_C(1) << kind));
        assert(mime_defect_text(kind)[0] != 0);
    }
    for (size_t i = 0; i < tree->count; i++) {
        const struct mime_part *part = &tree->parts[i];
        if (!is_ours(tree, part))
            continue;
        if (mime_content_type_is(&part->content_type, "application", "v")) {
            assert(verbatim < plan->verbatim.count);
            assert(slice_equal(mime_part_body(tree, part), plan->verbatim.at[verbatim]));
            verbatim++;
        }
        if (!mime_content_type_is(&part->content_type, "application", "x"))
            continue;
        buffer_clear(&content);
        mime_decode(&content, mime_part_body(tree, part), part->encoding, &tree->defects, 0);
        assert(encoded < plan->encoded.count);
        assert(slice_equal(buffer_slice(&content), plan->encoded.at[encoded]));
        encoded++;
    }
    assert(encoded == plan->encoded.count && verbatim == plan->verbatim.count);
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
