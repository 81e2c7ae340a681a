/* SPDX-License-Identifier: ISC */
#include "message/header.h"

enum { FIELDS_FIRST = 32 };

/* Room for one more field; false at the limit of the arena. */
static bool
grow(struct arena *arena, struct header *header, size_t *size)
{
    if (header->count < *size)
        return true;
    size_t more = *size ? *size * 2 : FIELDS_FIRST;
    struct field *fields = arena_room(arena, more * sizeof(*fields)); /* field_next fills them */
    if (!fields)
        return false;
    if (header->count)
        memcpy(fields, header->fields, header->count * sizeof(*fields));
    header->fields = fields;
    *size = more;
    return true;
}

void
header_parse(struct arena *arena, struct slice message, struct header *ret_header)
{
    struct header header = {0};
    struct field_reader reader;
    struct field field, *at;
    bool has[FIELD_ID_COUNT] = {[FIELD_OTHER] = true};
    bool has_room = true;
    size_t size = 0;

    field_reader_init(&reader, message);
    for (;;) {
        bool is_full = !has_room || header.count >= HEADER_FIELDS_MAX;
        has_room = has_room && grow(arena, &header, &size);
        at = is_full || !has_room ? &field : &header.fields[header.count];
        if (!field_next(&reader, at))
            break;
        bool is_wanted = at != &field || (has_room && !has[at->id]);
        if (is_wanted && at == &field)
            header.fields[header.count] = field;
        header.is_cut = header.is_cut || at == &field;
        header.count += is_wanted;
        has[at->id] = true;
    }
    header.header_len = reader.header_len;
    header.body_offset = reader.body_offset;
    header.defects = reader.defects;
    *ret_header = header;
}

/* The index behind `after`, which is NULL or in the header. */
static size_t
index_behind(const struct header *header, const struct field *after)
{
    return after ? (size_t)(after - header->fields) + 1 : 0;
}

const struct field *
header_find(const struct header *header, enum field_id id, const struct field *after)
{
    for (size_t i = index_behind(header, after); i < header->count; i++) {
        if (header->fields[i].id == id && header->fields[i].kind == FIELD_KIND_FIELD)
            return &header->fields[i];
    }
    return NULL;
}

const struct field *
header_find_name(const struct header *header, struct slice name, const struct field *after)
{
    for (size_t i = index_behind(header, after); i < header->count; i++) {
        const struct field *field = &header->fields[i];
        if (field->kind == FIELD_KIND_FIELD && slice_equal_nocase(field->name, name))
            return field;
    }
    return NULL;
}

void
header_put_without(struct buffer *buffer, struct slice message, header_drop_fn is_dropped)
{
    struct field_reader reader;
    struct field field;
    size_t start = 0;

    field_reader_init(&reader, message);
    while (field_next(&reader, &field)) {
        if (!is_dropped(&field))
            continue;
        buffer_put(buffer, slice_between(message, start, field.offset));
        start = field.offset + field.raw.len;
    }
    buffer_put(buffer, slice_between(message, start, reader.header_len));
}

bool
header_is_blind(const struct field *field)
{
    return field->id == FIELD_BCC || field->id == FIELD_RESENT_BCC;
}

/* Where a block keeps the field of this id, or NULL when the id is not Resent-*. */
static const struct field **
resent_place(struct header_resent *resent, enum field_id id, const struct field **reply_to)
{
    static const struct {
        enum field_id id;
        size_t offset;
    } places[] = {
        {FIELD_RESENT_DATE, offsetof(struct header_resent, date)},
        {FIELD_RESENT_FROM, offsetof(struct header_resent, from)},
        {FIELD_RESENT_SENDER, offsetof(struct header_resent, sender)},
        {FIELD_RESENT_TO, offsetof(struct header_resent, to)},
        {FIELD_RESENT_CC, offsetof(struct header_resent, cc)},
        {FIELD_RESENT_BCC, offsetof(struct header_resent, bcc)},
        {FIELD_RESENT_MESSAGE_ID, offsetof(struct header_resent, message_id)},
    };

    if (id == FIELD_RESENT_REPLY_TO)
        return reply_to;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (places[i].id == id)
            return (const struct field **)(void *)((char *)resent + places[i].offset);
    }
    return NULL;
}

bool
header_next_resent(const struct header *header, const struct header_resent *after,
                   struct header_resent *ret_resent)
{
    struct header_resent resent = {0};
    const struct field *reply_to = NULL; /* obsolete: part of a block, but nobody asks for it */

    for (size_t i = index_behind(header, after ? after->last : NULL); i < header->count; i++) {
        const struct field *field = &header->fields[i];
        const struct field **place = resent_place(&resent, field->id, &reply_to);
        if (resent.first && (!place || *place))
            break;
        if (!place)
            continue;
        *place = field;
        resent.last = field;
        if (!resent.first)
            resent.first = field;
    }
    if (!resent.first)
        return false;
    resent.is_complete = resent.date && resent.from;
    *ret_resent = resent;
    return true;
}
