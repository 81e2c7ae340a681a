/* SPDX-License-Identifier: ISC */
#include "message/message_id.h"
#include "message/subject.h"
#include "message/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Ids have no blanks; the first of the list is what the single form finds. The same text as a
 * subject gives a base that is its own base; as a Return-Path, a path that reads back the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct arena arena;
    struct message_id_list list;

    arena_init(&arena, SIZE_MAX / 4);
    message_id_list_parse(&arena, text, &list);
    assert(list.count == MESSAGE_IDS_MAX || (list.count < MESSAGE_IDS_MAX && !list.is_cut));
    for (size_t i = 0; i < list.count; i++) {
        for (size_t j = 0; j < list.ids[i].len; j++)
            assert(!strchr(" \t\r\n", list.ids[i].at[j]));
    }
    struct slice first = message_id_parse(&arena, text);
    assert(list.count ? slice_equal(first, list.ids[0]) : first.len == 0);

    struct subject_base base = subject_base(&arena, text);
    struct subject_base twice = subject_base(&arena, base.text);
    assert(base.text.len <= len && twice.text.len <= base.text.len);
    assert(slice_find(base.text, SLICE("  ")) == base.text.len);
    arena_finish(&arena);
    return 0;
}
