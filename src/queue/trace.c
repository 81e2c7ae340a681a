/* SPDX-License-Identifier: ISC */
#include "queue/trace.h"

enum { LEN_LEN = 4 };

static void
put_part(struct buffer *buffer, struct slice part)
{
    buffer_put_le32(buffer, (uint32_t)part.len);
    buffer_put(buffer, part);
}

static bool
take_part(struct cursor *cursor, struct slice *ret_part)
{
    uint32_t len;

    return cursor_take_le32(cursor, &len) && len <= QUEUE_ENTRY_MAX &&
           cursor_take_bytes(cursor, len, ret_part);
}

void
queue_trace_begin(struct buffer *buffer, const struct queue_message *message)
{
    struct buffer part;

    buffer_init(&part, QUEUE_ENTRY_MAX);
    queue_message_put(&part, message);
    put_part(buffer, buffer_slice(&part));
    buffer_finish(&part);
}

bool
queue_trace_add(struct buffer *buffer, const struct queue_recipient *recipient)
{
    struct buffer part;

    buffer_init(&part, QUEUE_ENTRY_MAX);
    queue_recipient_put(&part, recipient);
    bool fits = !buffer_overflowed(&part) &&
                buffer_len(buffer) + LEN_LEN + buffer_len(&part) <= QUEUE_ENTRY_MAX;
    if (fits)
        put_part(buffer, buffer_slice(&part));
    buffer_finish(&part);
    return fits;
}

bool
queue_trace_take(struct slice value, struct queue_message *ret_message, struct cursor *ret_rest)
{
    struct cursor cursor = cursor_of(value);
    struct slice part;

    if (!take_part(&cursor, &part) || !queue_message_take(part, ret_message))
        return false;
    *ret_rest = cursor;
    return true;
}

bool
queue_trace_next(struct cursor *rest, struct queue_recipient *ret_recipient)
{
    struct cursor cursor = *rest;
    struct slice part;

    if (!take_part(&cursor, &part) || !queue_recipient_take(part, ret_recipient))
        return false;
    *rest = cursor;
    return true;
}
