/* SPDX-License-Identifier: ISC */
#include "message/sort.h"
#include "text/collate.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { LINES_MAX = 500 };

/* Each line is a subject, its length the size. The order is what comparing neighbours says. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sort_values values[LINES_MAX];
    struct sort_term terms[] = {{SORT_SUBJECT, len % 2 == 1}, {SORT_SIZE, true}};
    struct slice left = slice_of(data, len);
    struct arena arena;
    size_t lines = 0, count;

    arena_init(&arena, 1 << 28);
    struct sorter *sorter = sorter_new(&arena, terms, 2, LINES_MAX);
    for (; lines < LINES_MAX && left.len; lines++) {
        size_t end = slice_find_byte(left, '\n');
        values[lines] = (struct sort_values){.subject = slice_first(left, end), .size = end % 7};
        assert(sorter_add(sorter, (uint32_t)lines, &values[lines]));
        left = slice_skip(left, end + 1);
    }
    const uint32_t *order = sorter_finish(sorter, &count);
    assert(order && count == lines);
    for (size_t i = 1; i < count; i++) {
        const struct sort_values *a = &values[order[i - 1]], *b = &values[order[i]];
        if (a->subject.len > SORT_TEXT_MAX || b->subject.len > SORT_TEXT_MAX ||
            memchr(a->subject.at, 0, a->subject.len) || memchr(b->subject.at, 0, b->subject.len))
            continue;
        int way = collate_compare(COLLATION_UNICODE_CASEMAP, a->subject, b->subject);
        assert(terms[0].is_reverse ? way >= 0 : way <= 0);
        assert(way || a->size > b->size || (a->size == b->size && order[i - 1] < order[i]));
    }
    arena_finish(&arena);
    return 0;
}
