/* SPDX-License-Identifier: ISC */
/* Records of the queue: what is taken is put as the same octets again. */
#include "queue/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
try_trace(struct slice bytes)
{
    struct queue_message message;
    struct queue_recipient recipient;
    struct cursor rest;
    size_t before;

    if (!queue_trace_take(bytes, &message, &rest))
        return;
    for (before = cursor_left(&rest); queue_trace_next(&rest, &recipient);
         before = cursor_left(&rest))
        assert(cursor_left(&rest) < before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice bytes = slice_of(data, len);
    struct queue_message message;
    struct queue_recipient recipient;
    struct buffer buffer;

    buffer_init(&buffer, QUEUE_ENTRY_MAX);
    if (queue_message_take(bytes, &message)) {
        queue_message_put(&buffer, &message);
        assert(slice_equal(buffer_slice(&buffer), bytes));
        buffer_clear(&buffer);
    }
    if (queue_recipient_take(bytes, &recipient)) {
        queue_recipient_put(&buffer, &recipient);
        assert(slice_equal(buffer_slice(&buffer), bytes));
    }
    buffer_finish(&buffer);
    try_trace(bytes);
    return 0;
}
