/* SPDX-License-Identifier: ISC */
#include "message/summary.h"

#include "message/unstructured.h"

static_assert(FIELD_SUBJECT - FIELD_DATE < 32, "summary.seen has a bit for each of these fields");

static uint32_t
bit_of(enum field_id id)
{
    return UINT32_C(1) << (id - FIELD_DATE);
}

bool
summary_has(const struct summary *summary, enum field_id id)
{
    return (summary->seen & bit_of(id)) != 0;
}

static void
add_addresses(struct arena *arena, struct address_list *list, const struct field *field)
{
    struct address_list more;

    address_list_parse(arena, field->body, &more);
    address_list_append(list, &more);
}

/* The list that a field's addresses belong to, or NULL. */
static struct address_list *
list_of(struct summary *summary, enum field_id id)
{
    struct address_list *lists[] = {
        [FIELD_FROM - FIELD_FROM] = &summary->from,
        [FIELD_SENDER - FIELD_FROM] = &summary->sender,
        [FIELD_REPLY_TO - FIELD_FROM] = &summary->reply_to,
        [FIELD_TO - FIELD_FROM] = &summary->to,
        [FIELD_CC - FIELD_FROM] = &summary->cc,
        [FIELD_BCC - FIELD_FROM] = &summary->bcc,
    };
    return id >= FIELD_FROM && id <= FIELD_BCC ? lists[id - FIELD_FROM] : NULL;
}

/* The text that a field's body becomes, or NULL. */
static struct slice *
text_of(struct summary *summary, enum field_id id)
{
    struct slice *texts[] = {
        [FIELD_MESSAGE_ID - FIELD_MESSAGE_ID] = &summary->message_id,
        [FIELD_IN_REPLY_TO - FIELD_MESSAGE_ID] = &summary->in_reply_to,
        [FIELD_REFERENCES - FIELD_MESSAGE_ID] = &summary->references,
        [FIELD_SUBJECT - FIELD_MESSAGE_ID] = &summary->subject,
    };
    if (id == FIELD_DATE)
        return &summary->date_text;
    return id >= FIELD_MESSAGE_ID && id <= FIELD_SUBJECT ? texts[id - FIELD_MESSAGE_ID] : NULL;
}

static void
add_field(struct arena *arena, struct summary *summary, const struct field *field)
{
    struct address_list *list = list_of(summary, field->id);
    struct slice *text = text_of(summary, field->id);
    bool is_repeated = summary_has(summary, field->id);

    summary->seen |= bit_of(field->id);
    if (is_repeated)
        summary->repeated |= bit_of(field->id);
    if (list && (!is_repeated || field->id != FIELD_SENDER))
        add_addresses(arena, list, field);
    if (text && !is_repeated)
        *text = unstructured_unfold(arena, field->body);
}

void
summary_gather(struct arena *arena, const struct header *header, struct summary *ret_summary)
{
    const struct slice none = SLICE("");
    struct summary summary = {
        .date_text = none,
        .subject = none,
        .in_reply_to = none,
        .message_id = none,
        .references = none,
    };

    for (size_t i = 0; i < header->count; i++) {
        enum field_id id = header->fields[i].id;
        if (id >= FIELD_DATE && id <= FIELD_SUBJECT)
            add_field(arena, &summary, &header->fields[i]);
    }
    summary.has_date = date_parse(summary.date_text, &summary.date);
    *ret_summary = summary;
}

const struct address_list *
summary_sender(const struct summary *summary)
{
    return summary->sender.count ? &summary->sender : &summary->from;
}

const struct address_list *
summary_reply_to(const struct summary *summary)
{
    return summary->reply_to.count ? &summary->reply_to : &summary->from;
}
