/* SPDX-License-Identifier: ISC */
#include "search/merge.h"

#include <stdlib.h>

static void
advance(struct merge *merge, struct merge_input *input)
{
    input->has_entry = segment_cursor_entry(&input->cursor);
    merge->is_damaged = merge->is_damaged || input->cursor.is_damaged;
}

void
merge_open(struct merge *merge, struct merge_input *inputs, size_t count)
{
    *merge = (struct merge){.inputs = inputs, .count = count, .at = count};
    segment_writer_init(&merge->writer);
    for (size_t i = 0; i < count; i++) {
        segment_cursor_open(&inputs[i].cursor, &inputs[i].segment, 0, UINT64_MAX);
        inputs[i].cursor.run_max = count < SEGMENT_RUN_BLOCKS ? SEGMENT_RUN_BLOCKS / count : 1;
        advance(merge, &inputs[i]);
    }
}

void
merge_close(struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        segment_cursor_close(&merge->inputs[i].cursor);
        segment_close(&merge->inputs[i].segment);
        free(merge->inputs[i].removed);
    }
    segment_writer_finish(&merge->writer);
}

/* The least key of all that is left. */
static bool
next_key(struct merge *merge)
{
    bool has_any = false;

    for (size_t i = 0; i < merge->count; i++) {
        const struct merge_input *input = &merge->inputs[i];
        if (input->has_entry && (!has_any || input->cursor.key < merge->key)) {
            merge->key = input->cursor.key;
            has_any = true;
        }
    }
    merge->at = 0;
    return has_any;
}

static void
put_entry(struct merge *merge, const struct merge_input *input)
{
    const struct segment_cursor *cursor = &input->cursor;

    for (size_t i = 0; i < cursor->count; i++) {
        uint32_t place = cursor->places[i];
        if (!input->removed || !input->removed[segment_body_of(&input->segment, place)])
            segment_put_place(&merge->writer, merge->key, place + input->shift);
    }
}

static void
put_bodies(struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        const struct merge_input *input = &merge->inputs[i];
        for (size_t k = 0; k < input->segment.body_count; k++) {
            struct segment_body body = input->segment.bodies[k];
            body.start += input->shift;
            body.body_start += input->shift;
            body.end += input->shift;
            if (!input->removed || !input->removed[k])
                segment_put_body(&merge->writer, &body);
        }
    }
    segment_end(&merge->writer);
}

bool
merge_step(struct merge *merge, size_t octets)
{
    while (!merge->is_damaged && !merge->is_done && buffer_len(&merge->writer.out) < octets) {
        if (merge->at == merge->count && !next_key(merge)) {
            put_bodies(merge);
            merge->is_done = true;
            break;
        }
        struct merge_input *input = &merge->inputs[merge->at];
        if (input->has_entry && input->cursor.key == merge->key) {
            put_entry(merge, input);
            advance(merge, input);
        } else {
            merge->at++;
        }
    }
    return !merge->is_damaged;
}
