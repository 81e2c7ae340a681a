/* SPDX-License-Identifier: ISC */
#include "mailbox/entry.h"

#include "base/cursor.h"
#include "mailbox/key.h"
#include "mailbox/turn.h"

static bool
take_version(struct cursor *cursor)
{
    uint8_t version;

    return cursor_take_le8(cursor, &version) && version == ENTRY_VERSION;
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
take_place(struct cursor *cursor, struct place *ret_place)
{
    return cursor_take_le32(cursor, &ret_place->segment) &&
           cursor_take_le64(cursor, &ret_place->offset);
}

static void
put_place(struct buffer *buffer, struct place place)
{
    buffer_put_le32(buffer, place.segment);
    buffer_put_le64(buffer, place.offset);
}

void
meta_entry_put(struct buffer *buffer, const struct meta_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le32(buffer, entry->version);
    buffer_put_le32(buffer, entry->shard);
    buffer_put_le64(buffer, entry->epoch);
    buffer_put_le64(buffer, entry->turn);
    put_place(buffer, entry->end);
    buffer_put_le64(buffer, entry->next_body);
}

bool
meta_entry_take(struct slice value, struct meta_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct meta_entry entry = {0};

    if (!take_version(&cursor) || !cursor_take_le32(&cursor, &entry.version))
        return false;
    /* What follows belongs to the version: a newer one is only named. */
    if (entry.version <= VIEW_VERSION &&
        (!cursor_take_le32(&cursor, &entry.shard) || !cursor_take_le64(&cursor, &entry.epoch) ||
         !cursor_take_le64(&cursor, &entry.turn) || !take_place(&cursor, &entry.end) ||
         !cursor_take_le64(&cursor, &entry.next_body) || !cursor_is_done(&cursor)))
        return false;
    *ret_entry = entry;
    return true;
}

void
account_entry_put(struct buffer *buffer, const struct account_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le32(buffer, entry->next_mailbox);
    buffer_put_le32(buffer, entry->uid_validity);
    buffer_put_le64(buffer, entry->modseq);
    buffer_put_le64(buffer, entry->bytes);
    buffer_put_le64(buffer, entry->messages);
    buffer_put_le64(buffer, entry->quota_bytes);
    buffer_put_le64(buffer, entry->quota_messages);
    buffer_put_le64(buffer, (uint64_t)entry->created.ns);
}

bool
account_entry_take(struct slice value, struct account_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct account_entry entry = {0};

    if (!take_version(&cursor) || !cursor_take_le32(&cursor, &entry.next_mailbox) ||
        !cursor_take_le32(&cursor, &entry.uid_validity) ||
        !cursor_take_le64(&cursor, &entry.modseq) || !cursor_take_le64(&cursor, &entry.bytes) ||
        !cursor_take_le64(&cursor, &entry.messages) ||
        !cursor_take_le64(&cursor, &entry.quota_bytes) ||
        !cursor_take_le64(&cursor, &entry.quota_messages) || !take_wall(&cursor, &entry.created) ||
        !cursor_is_done(&cursor))
        return false;
    *ret_entry = entry;
    return true;
}

void
mailbox_entry_put(struct buffer *buffer, const struct mailbox_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le32(buffer, entry->uid_validity);
    buffer_put_le32(buffer, entry->uid_next);
    buffer_put_le32(buffer, entry->messages);
    buffer_put_le32(buffer, entry->unseen);
    buffer_put_le64(buffer, entry->bytes);
    buffer_put_le64(buffer, entry->modseq);
    buffer_put_le64(buffer, entry->expunge_floor);
    buffer_put_le64(buffer, entry->expunge_first);
    buffer_put_le64(buffer, entry->expunge_next);
    buffer_put_le8(buffer, entry->keywords);
    buffer_put_le8(buffer, (uint8_t)(entry->use << 1 | (entry->is_subscribed ? 1 : 0)));
    buffer_put_le64(buffer, (uint64_t)entry->created.ns);
    buffer_put(buffer, entry->name);
}

bool
mailbox_entry_take(struct slice value, struct mailbox_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct mailbox_entry entry = {0};
    uint8_t marks; /* bit 0: subscribed; above it the use */

    if (!take_version(&cursor) || !cursor_take_le32(&cursor, &entry.uid_validity) ||
        !cursor_take_le32(&cursor, &entry.uid_next) ||
        !cursor_take_le32(&cursor, &entry.messages) || !cursor_take_le32(&cursor, &entry.unseen) ||
        !cursor_take_le64(&cursor, &entry.bytes) || !cursor_take_le64(&cursor, &entry.modseq) ||
        !cursor_take_le64(&cursor, &entry.expunge_floor) ||
        !cursor_take_le64(&cursor, &entry.expunge_first) ||
        !cursor_take_le64(&cursor, &entry.expunge_next) ||
        !cursor_take_le8(&cursor, &entry.keywords) || entry.keywords > 64 ||
        !cursor_take_le8(&cursor, &marks) ||
        !take_wall(&cursor, &entry.created))
        return false;
    entry.is_subscribed = marks & 1;
    entry.use = marks >> 1;
    entry.name = cursor_rest(&cursor);
    if (slice_is_empty(entry.name) || entry.name.len > MAILBOX_NAME_MAX ||
        entry.expunge_first > entry.expunge_next)
        return false;
    *ret_entry = entry;
    return true;
}

void
message_entry_put(struct buffer *buffer, const struct message_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le64(buffer, entry->body);
    buffer_put_le32(buffer, entry->len);
    buffer_put_le32(buffer, entry->flags);
    buffer_put_le64(buffer, entry->keywords);
    buffer_put_le64(buffer, entry->modseq);
    buffer_put_le64(buffer, (uint64_t)entry->internal.ns);
    buffer_put_le64(buffer, (uint64_t)entry->saved.ns);
}

bool
message_entry_take(struct slice value, struct message_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct message_entry entry = {0};

    if (!take_version(&cursor) || !cursor_take_le64(&cursor, &entry.body) || entry.body == 0 ||
        !cursor_take_le32(&cursor, &entry.len) || !cursor_take_le32(&cursor, &entry.flags) ||
        !cursor_take_le64(&cursor, &entry.keywords) || !cursor_take_le64(&cursor, &entry.modseq) ||
        !take_wall(&cursor, &entry.internal) || !take_wall(&cursor, &entry.saved) ||
        !cursor_is_done(&cursor))
        return false;
    *ret_entry = entry;
    return true;
}

void
body_entry_put(struct buffer *buffer, const struct body_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    put_place(buffer, entry->place);
    buffer_put_le32(buffer, entry->len);
    buffer_put_le32(buffer, entry->record_len);
    buffer_put_le32(buffer, entry->refs);
    buffer_put_le32(buffer, entry->marks);
    buffer_put_le64(buffer, entry->hash);
    buffer_put_le64(buffer, entry->record_hash);
}

bool
body_entry_take(struct slice value, struct body_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct body_entry entry = {0};

    if (!take_version(&cursor) || !take_place(&cursor, &entry.place) ||
        !cursor_take_le32(&cursor, &entry.len) || entry.len > BODY_LEN_MAX ||
        !cursor_take_le32(&cursor, &entry.record_len) || entry.record_len > BODY_RECORD_MAX ||
        !cursor_take_le32(&cursor, &entry.refs) || !cursor_take_le32(&cursor, &entry.marks) ||
        !cursor_take_le64(&cursor, &entry.hash) || !cursor_take_le64(&cursor, &entry.record_hash) ||
        !cursor_is_done(&cursor))
        return false;
    *ret_entry = entry;
    return true;
}

void
import_entry_put(struct buffer *buffer, const struct import_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le32(buffer, entry->mailbox);
    buffer_put_le32(buffer, entry->uid);
    buffer_put_le64(buffer, (uint64_t)entry->done.ns);
}

bool
import_entry_take(struct slice value, struct import_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct import_entry entry = {0};

    if (!take_version(&cursor) || !cursor_take_le32(&cursor, &entry.mailbox) ||
        !cursor_take_le32(&cursor, &entry.uid) || !take_wall(&cursor, &entry.done) ||
        !cursor_is_done(&cursor))
        return false;
    *ret_entry = entry;
    return true;
}

void
queued_entry_put(struct buffer *buffer, const struct queued_entry *entry)
{
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le64(buffer, entry->body);
    buffer_put_le32(buffer, entry->len);
    buffer_put(buffer, entry->facts);
}

bool
queued_entry_take(struct slice value, struct queued_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct queued_entry entry = {0};

    if (!take_version(&cursor) || !cursor_take_le64(&cursor, &entry.body) ||
        !cursor_take_le32(&cursor, &entry.len))
        return false;
    entry.facts = cursor_rest(&cursor);
    *ret_entry = entry;
    return true;
}

void
expunge_entry_put(struct buffer *buffer, const struct expunge_entry *entry)
{
    assert(entry->count <= EXPUNGE_RANGES_MAX);
    buffer_put_le8(buffer, ENTRY_VERSION);
    buffer_put_le64(buffer, entry->modseq);
    for (size_t i = 0; i < entry->count; i++) {
        buffer_put_le32(buffer, entry->ranges[i].first);
        buffer_put_le32(buffer, entry->ranges[i].last);
    }
}

bool
expunge_entry_take(struct slice value, struct uid_range *ranges, struct expunge_entry *ret_entry)
{
    struct cursor cursor = cursor_of(value);
    struct expunge_entry entry = {.ranges = ranges};

    if (!take_version(&cursor) || !cursor_take_le64(&cursor, &entry.modseq) ||
        cursor_left(&cursor) % 8 != 0 || cursor_left(&cursor) / 8 > EXPUNGE_RANGES_MAX)
        return false;
    while (!cursor_is_done(&cursor)) {
        struct uid_range *range = &ranges[entry.count];
        if (!cursor_take_le32(&cursor, &range->first) || !cursor_take_le32(&cursor, &range->last) ||
            range->first > range->last ||
            (entry.count > 0 && range->first <= ranges[entry.count - 1].last))
            return false;
        entry.count++;
    }
    *ret_entry = entry;
    return true;
}
