/* SPDX-License-Identifier: ISC */
#include "queue/entry.h"

#include "base/cursor.h"

enum { MESSAGE_FLAGS_ALL = 4095, BULK_FROM = 20, BULK_MESSAGE = 100 };

static void
put_text(struct buffer *buffer, struct slice text, size_t max)
{
    text = slice_first(text, max);
    buffer_put_le16(buffer, (uint16_t)text.len);
    buffer_put(buffer, text);
}

static bool
take_text(struct cursor *cursor, size_t max, struct slice *ret_text)
{
    uint16_t len;

    return cursor_take_le16(cursor, &len) && len <= max && cursor_take_bytes(cursor, len, ret_text);
}

static void
put_wall(struct buffer *buffer, struct wall wall)
{
    buffer_put_le64(buffer, (uint64_t)wall.ns);
}

static bool
take_wall(struct cursor *cursor, struct wall *ret_wall)
{
    uint64_t ns;

    if (!cursor_take_le64(cursor, &ns))
        return false;
    ret_wall->ns = (int64_t)ns;
    return true;
}

static bool
take_version(struct cursor *cursor)
{
    uint8_t version;

    return cursor_take_le8(cursor, &version) && version == QUEUE_ENTRY_VERSION;
}

void
queue_message_put(struct buffer *buffer, const struct queue_message *message)
{
    buffer_put_le8(buffer, QUEUE_ENTRY_VERSION);
    put_text(buffer, message->id, QUEUE_ID_MAX);
    put_text(buffer, message->message_id, QUEUE_MESSAGE_ID_MAX);
    put_text(buffer, message->reverse_path, QUEUE_PATH_MAX);
    put_text(buffer, message->envelope_id, QUEUE_ENVELOPE_ID_MAX);
    buffer_put_le32(buffer, message->flags);
    buffer_put_le8(buffer, (uint8_t)message->priority);
    put_wall(buffer, message->arrival);
    put_wall(buffer, message->deliver_by);
    buffer_put_le16(buffer, message->skip);
    buffer_put_le32(buffer, message->recipients);
    buffer_put_le32(buffer, message->open);
    buffer_put_le8(buffer, message->owed);
    if (message->hold.len > 0) {
        put_text(buffer, message->hold, QUEUE_HOLD_MAX);
        put_wall(buffer, message->released);
    }
}

/* Only messages that were to be held have them. */
static bool
take_hold(struct cursor *cursor, struct queue_message *message)
{
    message->hold = SLICE("");
    message->released = message->arrival;
    return cursor_is_done(cursor) ||
           (take_text(cursor, QUEUE_HOLD_MAX, &message->hold) && message->hold.len > 0 &&
            take_wall(cursor, &message->released) && cursor_is_done(cursor));
}

bool
queue_message_take(struct slice value, struct queue_message *ret_message)
{
    struct cursor cursor = cursor_of(value);
    struct queue_message message;
    uint8_t priority, owed;

    if (!take_version(&cursor) || !take_text(&cursor, QUEUE_ID_MAX, &message.id) ||
        !take_text(&cursor, QUEUE_MESSAGE_ID_MAX, &message.message_id) ||
        !take_text(&cursor, QUEUE_PATH_MAX, &message.reverse_path) ||
        !take_text(&cursor, QUEUE_ENVELOPE_ID_MAX, &message.envelope_id) ||
        !cursor_take_le32(&cursor, &message.flags) || message.flags > MESSAGE_FLAGS_ALL ||
        !cursor_take_le8(&cursor, &priority) || !take_wall(&cursor, &message.arrival) ||
        !take_wall(&cursor, &message.deliver_by) || !cursor_take_le16(&cursor, &message.skip) ||
        !cursor_take_le32(&cursor, &message.recipients) ||
        !cursor_take_le32(&cursor, &message.open) || message.open > message.recipients ||
        !cursor_take_le8(&cursor, &owed) || owed > 1 || !take_hold(&cursor, &message))
        return false;
    message.priority = (int8_t)priority;
    message.owed = owed != 0;
    *ret_message = message;
    return true;
}

static void
put_attempt(struct buffer *buffer, const struct queue_attempt *attempt)
{
    put_wall(buffer, attempt->at);
    put_text(buffer, attempt->host, QUEUE_HOST_MAX);
    put_text(buffer, attempt->address, 16);
    put_text(buffer, attempt->tls, QUEUE_TLS_MAX);
    put_text(buffer, attempt->status, QUEUE_STATUS_MAX);
    put_text(buffer, attempt->text, QUEUE_TEXT_MAX);
    buffer_put_le16(buffer, attempt->code);
    buffer_put_le32(buffer, attempt->duration_ms);
}

static bool
take_attempt(struct cursor *cursor, struct queue_attempt *attempt)
{
    return take_wall(cursor, &attempt->at) && take_text(cursor, QUEUE_HOST_MAX, &attempt->host) &&
           take_text(cursor, 16, &attempt->address) &&
           (attempt->address.len == 0 || attempt->address.len == 4 || attempt->address.len == 16) &&
           take_text(cursor, QUEUE_TLS_MAX, &attempt->tls) &&
           take_text(cursor, QUEUE_STATUS_MAX, &attempt->status) &&
           take_text(cursor, QUEUE_TEXT_MAX, &attempt->text) &&
           cursor_take_le16(cursor, &attempt->code) &&
           cursor_take_le32(cursor, &attempt->duration_ms);
}

void
queue_recipient_put(struct buffer *buffer, const struct queue_recipient *recipient)
{
    buffer_put_le8(buffer, QUEUE_ENTRY_VERSION);
    put_text(buffer, recipient->address, QUEUE_PATH_MAX);
    put_text(buffer, recipient->original_type, QUEUE_ORIGINAL_TYPE_MAX);
    put_text(buffer, recipient->original, QUEUE_ORIGINAL_MAX);
    buffer_put_le8(buffer, recipient->notify);
    buffer_put_le8(buffer, (uint8_t)recipient->state);
    buffer_put_le8(buffer, (uint8_t)recipient->class);
    buffer_put_le8(buffer, recipient->told);
    put_wall(buffer, recipient->due);
    put_wall(buffer, recipient->ends);
    buffer_put_le32(buffer, recipient->attempts);
    buffer_put_le8(buffer, (uint8_t)recipient->history_count);
    for (size_t i = 0; i < recipient->history_count; i++)
        put_attempt(buffer, &recipient->history[i]);
}

bool
queue_recipient_take(struct slice value, struct queue_recipient *ret_recipient)
{
    struct cursor cursor = cursor_of(value);
    struct queue_recipient recipient = {0};
    uint8_t state, class, count;

    if (!take_version(&cursor) || !take_text(&cursor, QUEUE_PATH_MAX, &recipient.address) ||
        !take_text(&cursor, QUEUE_ORIGINAL_TYPE_MAX, &recipient.original_type) ||
        !take_text(&cursor, QUEUE_ORIGINAL_MAX, &recipient.original) ||
        !cursor_take_le8(&cursor, &recipient.notify) || !cursor_take_le8(&cursor, &state) ||
        state >= QUEUE_STATES || !cursor_take_le8(&cursor, &class) || class >= QUEUE_CLASSES ||
        !cursor_take_le8(&cursor, &recipient.told) || !take_wall(&cursor, &recipient.due) ||
        !take_wall(&cursor, &recipient.ends) || !cursor_take_le32(&cursor, &recipient.attempts) ||
        !cursor_take_le8(&cursor, &count) || count > QUEUE_HISTORY_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_attempt(&cursor, &recipient.history[i]))
            return false;
    }
    if (!cursor_is_done(&cursor))
        return false;
    recipient.state = (enum queue_state)state;
    recipient.class = (enum queue_class) class;
    recipient.history_count = count;
    *ret_recipient = recipient;
    return true;
}

void
queue_recipient_tried(struct queue_recipient *recipient, const struct queue_attempt *attempt)
{
    recipient->attempts++;
    if (recipient->history_count == QUEUE_HISTORY_MAX) {
        /* The first stays: it tells why the message came to wait. */
        memmove(&recipient->history[1], &recipient->history[2],
                (QUEUE_HISTORY_MAX - 2) * sizeof(recipient->history[0]));
        recipient->history_count--;
    }
    recipient->history[recipient->history_count++] = *attempt;
}

void
queue_recipient_passed_over(struct queue_recipient *recipient, const struct queue_attempt *reason)
{
    if (recipient->history_count == 0)
        recipient->history[recipient->history_count++] = *reason;
}

const struct queue_attempt *
queue_recipient_last(const struct queue_recipient *recipient)
{
    return recipient->history_count > 0 ? &recipient->history[recipient->history_count - 1] : NULL;
}

struct slice
queue_domain(struct slice address)
{
    size_t at = slice_find_last_byte(address, '@');

    return at < address.len ? slice_skip(address, at + 1) : slice_of("", 0);
}

enum queue_class
queue_class_of(const struct queue_message *message, size_t index)
{
    if (message->flags & QUEUE_PRIORITY && message->priority > 0)
        return QUEUE_URGENT;
    if ((message->flags & QUEUE_PRIORITY && message->priority < 0) || index >= BULK_FROM ||
        message->recipients > BULK_MESSAGE)
        return QUEUE_BULK;
    return QUEUE_ORDINARY;
}

const char *
queue_state_name(enum queue_state state)
{
    static const char *const names[QUEUE_STATES] = {
        "waiting", "held", "delivered", "relayed", "failed", "deleted",
    };

    return (unsigned)state < QUEUE_STATES ? names[state] : "unknown";
}
