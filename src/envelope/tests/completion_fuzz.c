/* SPDX-License-Identifier: ISC */
/* Any octets as a message: the place is the same however they are cut, and a message that was
 * completed lacks nothing. */
#include "envelope/completion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOWHERE = -1 };

/* Where the missing fields belong; what the header has is in *ret_completion. */
static ptrdiff_t
find(struct slice message, size_t step, struct envelope_completion *ret_completion)
{
    size_t offset;

    envelope_completion_begin(ret_completion);
    for (size_t at = 0; at < message.len; at += step) {
        if (envelope_completion_scan(ret_completion, slice_first(slice_skip(message, at), step),
                                     &offset))
            return (ptrdiff_t)(at + offset);
    }
    return envelope_completion_end(ret_completion) ? (ptrdiff_t)message.len : NOWHERE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice message = slice_of(data, len);
    struct envelope_completion completion, again;
    ptrdiff_t place = find(message, len + 1, &completion);
    struct buffer text;

    assert(find(message, 1, &again) == place && find(message, 7, &again) == place);
    if (place == NOWHERE)
        return 0;
    buffer_init(&text, len + 1000);
    buffer_put(&text, slice_first(message, (size_t)place));
    envelope_completion_put(&completion, &text, (struct wall){0}, 0, SLICE("Q1"), SLICE("h.test"));
    buffer_put(&text, slice_skip(message, (size_t)place));
    assert(find(buffer_slice(&text), 5, &again) >= place);
    assert(again.has_date && again.has_message_id);
    buffer_finish(&text);
    return 0;
}
