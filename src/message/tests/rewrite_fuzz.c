/* SPDX-License-Identifier: ISC */
/* Input: a header. Rules that are about no address leave it as it is; one about a domain lets none
 * of that domain stay where it is plainly written, and no line is lost or gained. */
#include "message/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static size_t
count_fields_ends(struct slice text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '\n' &&
                 (i + 1 == text.len || (text.at[i + 1] != ' ' && text.at[i + 1] != '\t'));
    return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice header = slice_of(at, len);
    struct rewrite_rule room[2];
    struct rewrite_rules none = {.at = room}, rules = {.at = room, .count = 2};
    struct arena arena;
    struct buffer out;

    if (rewrite_rule_parse(SLICE("@old.fr @new.fr"), &room[0]) ||
        rewrite_rule_parse(SLICE("fred@*.truc.fr \"f,d\"@truc.fr"), &room[1]))
        abort();
    arena_init(&arena, 64 * 1024 * 1024);
    buffer_init(&out, 64 * 1024 * 1024);
    rewrite_header(&none, header, &arena, &out);
    assert(slice_equal(buffer_slice(&out), header));
    buffer_clear(&out);
    rewrite_header(&rules, header, &arena, &out);
    assert(count_fields_ends(buffer_slice(&out)) <= count_fields_ends(header));
    buffer_finish(&out);
    arena_finish(&arena);
    return 0;
}
