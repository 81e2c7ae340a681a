/* SPDX-License-Identifier: ISC */
/* What is remembered of messages that were delivered here at once, for `facteur trace`: one record
 * in the turn that delivers. */
#include "role/store/outgoing.h"

#include "mime/record.h"
#include "queue/trace.h"

#include <stdio.h>

enum { PARTS_FIRST = 17, PARTS_MAX = 15, TEXT_MAX = 300 };

/* Groups of a message have the numbers below. */
static_assert(PARTS_FIRST + PARTS_MAX == 1 << OUTGOING_GROUP_BITS, "they share these bits");

struct slice
outgoing_message_id(const struct parcel *parcel)
{
    struct mime_record record;
    struct mime_record_message message;

    if (parcel->record.len == 0 || !mime_record_open(parcel->record, parcel_len(parcel), &record))
        return SLICE("");
    mime_record_message(&record, 0, &message);
    return slice_first(message.message_id, QUEUE_MESSAGE_ID_MAX);
}

static struct slice
text_of(const struct parcel_recipient *recipient, char text[TEXT_MAX])
{
    if (recipient->kind != SMTP_STORE_OUTCOME_KIND_DELIVERED)
        snprintf(text, TEXT_MAX, "%s", recipient->text);
    else if (recipient->box == SMTP_STORE_BOX_STORE)
        snprintf(text, TEXT_MAX, "in the mailbox INBOX of account %llu with the UID %u",
                 (unsigned long long)recipient->account, recipient->uid);
    else
        snprintf(text, TEXT_MAX, "in the letter box %.*s",
                 (int)slice_first(recipient->path, TEXT_MAX / 2).len,
                 (const char *)recipient->path.at);
    return slice_of_string(text);
}

static struct queue_recipient
recipient_of(const struct parcel_recipient *recipient, struct wall now, char text[TEXT_MAX])
{
    bool is_delivered = recipient->kind == SMTP_STORE_OUTCOME_KIND_DELIVERED;
    struct queue_recipient entry = {
        .address = recipient->address,
        .original_type = SLICE(""),
        .original = recipient->original,
        .state = is_delivered ? QUEUE_DELIVERED : QUEUE_FAILED,
    };
    struct queue_attempt attempt = {
        .at = now,
        .host = SLICE(""),
        .address = SLICE(""),
        .tls = SLICE(""),
        .status = is_delivered                                       ? SLICE("2.0.0")
                  : recipient->kind == SMTP_STORE_OUTCOME_KIND_QUOTA ? SLICE("5.2.2")
                                                                     : SLICE("5.3.0"),
        .text = text_of(recipient, text),
    };

    queue_recipient_tried(&entry, &attempt);
    return entry;
}

static void
put_part(struct parcel *parcel, const struct queue_message *facts, unsigned part)
{
    struct store_role *role = parcel->role;

    outgoing_keep(role, parcel->body << OUTGOING_GROUP_BITS | (PARTS_FIRST + part), facts,
                  buffer_slice(&role->outgoing->record));
}

void
outgoing_trace(struct parcel *parcel)
{
    struct store_role *role = parcel->role;
    struct buffer *record = &role->outgoing->record;
    struct wall now = host_wall(role->host);
    struct queue_message facts = {
        .id = parcel->queue_id,
        .message_id = outgoing_message_id(parcel),
        .reverse_path = parcel->reverse_path,
        .envelope_id = parcel->envelope_id,
        .arrival = now,
    };
    unsigned part = 0;
    size_t added = 0;

    if (role->config->trace_keep.ns < duration_s(1).ns || parcel->body == 0)
        return;
    buffer_clear(record);
    queue_trace_begin(record, &facts);
    for (size_t i = 0; i < parcel->recipient_count && part < PARTS_MAX; i++) {
        const struct parcel_recipient *recipient = &parcel->recipients[i];
        char text[TEXT_MAX];
        if (recipient->box == SMTP_STORE_BOX_REMOTE || !recipient->has_outcome)
            continue;
        struct queue_recipient entry = recipient_of(recipient, now, text);
        if (!queue_trace_add(record, &entry)) {
            put_part(parcel, &facts, part++);
            buffer_clear(record);
            queue_trace_begin(record, &facts);
            added = 0;
            i--; /* once more, into the next part */
            continue;
        }
        added++;
    }
    if (added > 0 && part < PARTS_MAX)
        put_part(parcel, &facts, part);
}
