/* SPDX-License-Identifier: ISC */
#include "mime/tests/record_check.h"

static uint64_t
sum_of(struct slice string)
{
    uint64_t sum = string.len;

    for (size_t i = 0; i < string.len; i++)
        sum += string.at[i];
    return sum;
}

static uint64_t
read_parts(const struct mime_record *record)
{
    struct mime_record_part part;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < record->parts_count; i++) {
        mime_record_part(record, i, &part);
        sum += sum_of(part.type) + sum_of(part.subtype) + sum_of(part.encoding_name) +
               sum_of(part.id) + sum_of(part.description) + sum_of(part.md5) +
               sum_of(part.location) + sum_of(part.disposition) + sum_of(part.file_name);
        assert(part.header_start <= part.body_start && part.body_start <= part.body_end);
        assert(part.body_end <= record->body_len && part.after > i &&
               part.after <= record->parts_count);
        assert(part.languages_first + part.languages_count <= record->parameters_count);
        assert(part.message == MIME_NO_PART || part.message < record->messages_count);
    }
    for (uint32_t i = 0; i < record->parameters_count; i++) {
        struct mime_record_parameter parameter = mime_record_parameter(record, i);
        sum += sum_of(parameter.name) + sum_of(parameter.value);
    }
    return sum;
}

static uint64_t
read_messages(const struct mime_record *record)
{
    struct mime_record_message message;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < record->messages_count; i++) {
        mime_record_message(record, i, &message);
        sum += sum_of(message.date) + sum_of(message.subject) + sum_of(message.message_id) +
               sum_of(message.in_reply_to) + sum_of(message.references) +
               sum_of(message.subject_text) + sum_of(message.base_subject) +
               sum_of(message.preview);
        assert(message.part < record->parts_count);
        for (unsigned list = 0; list < MIME_RECORD_LISTS; list++)
            assert(message.addresses_first[list] + message.addresses_count[list] <=
                   record->addresses_count);
    }
    for (uint32_t i = 0; i < record->addresses_count; i++) {
        struct mime_record_address address = mime_record_address(record, i);
        sum += sum_of(address.name) + sum_of(address.route) + sum_of(address.mailbox) +
               sum_of(address.host);
    }
    return sum;
}

uint64_t
record_read_all(const struct mime_record *record)
{
    uint64_t sum = read_parts(record) + read_messages(record);

    for (uint32_t i = 0; i < record->defects_count; i++)
        sum += (uint64_t)mime_record_defect(record, i).kind;
    return sum;
}

void
record_check(const struct mime_record *record, const struct mime_tree *tree)
{
    record_read_all(record);
    assert(record->parts_count == tree->count && record->body_len == tree->message.len);
    assert(record->defect_kinds == tree->defects.kinds);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct mime_part *part = &tree->parts[i];
        struct mime_record_part row;
        mime_record_part(record, i, &row);
        assert(row.kind == part->kind && row.encoding == part->encoding);
        assert(row.parent == part->parent && row.after == part->after);
        assert(row.header_start == part->header_start && row.body_start == part->body_start);
        assert(row.body_end == part->body_end && row.lines == part->lines);
        assert(record->is_cut || slice_equal_nocase(row.type, part->content_type.type) ||
               part->content_type.type.len > 128);
    }
}
