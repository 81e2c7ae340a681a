/* SPDX-License-Identifier: ISC */
/* The reading half of the parse record. mime_record_open is the wall: everything behind it trusts
 * the numbers. */
#include "base/checked.h"
#include "mime/record.h"

#include "mime/record_layout.h"

static uint16_t
get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t
get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t
get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* ---- checking ------------------------------------------------------------------------------ */

struct checker {
    const uint8_t *tables[RECORD_TABLES];
    uint32_t counts[RECORD_TABLES];
    struct slice strings;
    uint32_t body_len;
};

/* 0, or the place of a length and that many octets. The first two octets of the strings are never
 * referred to. */
static bool
string_is_good(const struct checker *checker, uint32_t place)
{
    if (place == 0)
        return true;
    return place >= 2 && checked_range(place, 2, checker->strings.len) &&
           checked_range((uint64_t)place + 2, get16(checker->strings.at + place),
                         checker->strings.len);
}

static bool
strings_are_good(const struct checker *checker, const uint8_t *references, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!string_is_good(checker, get32(references + 4 * i)))
            return false;
    return true;
}

static const uint8_t *
row_of(const struct checker *checker, enum record_table table, uint32_t index)
{
    return checker->tables[table] + (size_t)index * record_row_sizes[table];
}

/* What can be said of a part alone: its numbers are in order and its references lead somewhere. */
static bool
part_is_good(const struct checker *checker, const uint8_t *row)
{
    uint32_t header = get32(row + PART_AT_HEADER_START), body = get32(row + PART_AT_BODY_START),
             end = get32(row + PART_AT_BODY_END), message = get32(row + PART_AT_MESSAGE);
    uint32_t parameters = (uint32_t)get16(row + PART_AT_COUNTS) + get16(row + PART_AT_COUNTS + 2) +
                          get16(row + PART_AT_COUNTS + 4);

    return row[PART_AT_KIND] <= MIME_PART_MESSAGE && row[PART_AT_ENCODING] < MIME_ENCODINGS &&
           get16(row + 2) == 0 && get16(row + PART_AT_ZERO) == 0 && header <= body &&
           body <= end && end <= checker->body_len && get32(row + PART_AT_LINES) <= end - body &&
           (message == MIME_NO_PART || message < checker->counts[RECORD_MESSAGES]) &&
           get32(row + PART_AT_STRINGS + 4 * PART_TYPE) != 0 &&
           get32(row + PART_AT_STRINGS + 4 * PART_SUBTYPE) != 0 &&
           strings_are_good(checker, row + PART_AT_STRINGS, PART_STRINGS) &&
           checked_range(get32(row + PART_AT_PARAMETERS), parameters,
                         checker->counts[RECORD_PARAMETERS]);
}

/* What it must be among the others: inside its parent's body, behind the part before it, and with a
 * subtree that ends where the parent's or the next part's begins. `path` holds the indices of the
 * parts that are open, `depth` of them; `end` is where the part before it in this body ended. */
static bool
part_is_in_place(const struct checker *checker, uint32_t index, const uint32_t *path, size_t depth,
                 uint32_t end)
{
    const uint8_t *row = row_of(checker, RECORD_PARTS, index);
    uint32_t parent = get32(row + PART_AT_PARENT), after = get32(row + PART_AT_AFTER);

    if (after <= index)
        return false;
    if (depth == 0)
        return index == 0 && parent == MIME_NO_PART && after == checker->counts[RECORD_PARTS];
    const uint8_t *above = row_of(checker, RECORD_PARTS, path[depth - 1]);
    uint8_t kind = above[PART_AT_KIND];
    return parent == path[depth - 1] && after <= get32(above + PART_AT_AFTER) &&
           get32(row + PART_AT_HEADER_START) >= end &&
           get32(row + PART_AT_BODY_END) <= get32(above + PART_AT_BODY_END) &&
           (kind == MIME_PART_MULTIPART ||
            (kind == MIME_PART_MESSAGE && index == parent + 1 &&
             after == get32(above + PART_AT_AFTER)));
}

static bool
parts_are_good(const struct checker *checker)
{
    NOT_ZEROED uint32_t path[MIME_DEPTH_MAX + 1];
    /* where the last child of each ended, or its body begins */
    NOT_ZEROED uint32_t ends[MIME_DEPTH_MAX + 1];
    size_t depth = 0;

    for (uint32_t i = 0; i < checker->counts[RECORD_PARTS]; i++) {
        const uint8_t *row = row_of(checker, RECORD_PARTS, i);
        while (depth > 0 &&
               get32(row_of(checker, RECORD_PARTS, path[depth - 1]) + PART_AT_AFTER) <= i)
            depth--;
        if (depth > MIME_DEPTH_MAX || !part_is_good(checker, row) ||
            !part_is_in_place(checker, i, path, depth, depth > 0 ? ends[depth - 1] : 0) ||
            (row[PART_AT_KIND] == MIME_PART_MESSAGE && get32(row + PART_AT_AFTER) == i + 1))
            return false;
        if (depth > 0)
            ends[depth - 1] = get32(row + PART_AT_BODY_END);
        path[depth] = i;
        ends[depth] = get32(row + PART_AT_BODY_START);
        depth++;
    }
    return true;
}

static bool
message_is_good(const struct checker *checker, uint32_t index)
{
    const uint8_t *row = row_of(checker, RECORD_MESSAGES, index);
    uint32_t part = get32(row + MESSAGE_AT_PART), flags = get32(row + MESSAGE_AT_FLAGS);
    int32_t zone = (int32_t)get32(row + MESSAGE_AT_ZONE);

    if (part >= checker->counts[RECORD_PARTS] || (index == 0) != (part == 0) ||
        get32(row_of(checker, RECORD_PARTS, part) + PART_AT_MESSAGE) != index ||
        (flags & ~(uint32_t)(MESSAGE_HAS_WALL | MESSAGE_IS_REPLY)) != 0 || zone <= -86400 ||
        zone >= 86400)
        return false;
    for (unsigned i = 0; i < MIME_RECORD_LISTS; i++)
        if (!checked_range(get32(row + MESSAGE_AT_FIRSTS + 4 * i),
                           get16(row + MESSAGE_AT_COUNTS + 2 * i),
                           checker->counts[RECORD_ADDRESSES]))
            return false;
    return checked_range(get32(row + MESSAGE_AT_FIELDS_FIRST),
                         get32(row + MESSAGE_AT_FIELDS_COUNT), checker->counts[RECORD_FIELDS]) &&
           strings_are_good(checker, row + MESSAGE_AT_STRINGS, MESSAGE_STRINGS);
}

/* Of a release that still wrote an index of header fields. */
static bool
field_is_good(const struct checker *checker, const uint8_t *row)
{
    uint32_t start = get32(row + FIELD_AT_START), len = get32(row + FIELD_AT_LEN),
             body = get32(row + FIELD_AT_BODY);

    return checked_range(start, len, checker->body_len) && body >= start && body - start <= len &&
           get16(row + FIELD_AT_NAME_LEN) <= body - start &&
           get16(row + FIELD_AT_ID) < FIELD_ID_COUNT;
}

static bool
rows_are_good(const struct checker *checker)
{
    for (uint32_t i = 0; i < checker->counts[RECORD_MESSAGES]; i++)
        if (!message_is_good(checker, i))
            return false;
    for (uint32_t i = 0; i < checker->counts[RECORD_FIELDS]; i++)
        if (!field_is_good(checker, row_of(checker, RECORD_FIELDS, i)))
            return false;
    for (uint32_t i = 0; i < checker->counts[RECORD_PARAMETERS]; i++)
        if (!strings_are_good(checker, row_of(checker, RECORD_PARAMETERS, i), PARAMETER_STRINGS))
            return false;
    for (uint32_t i = 0; i < checker->counts[RECORD_ADDRESSES]; i++)
        if (!strings_are_good(checker, row_of(checker, RECORD_ADDRESSES, i), ADDRESS_STRINGS))
            return false;
    for (uint32_t i = 0; i < checker->counts[RECORD_DEFECTS]; i++) {
        const uint8_t *row = row_of(checker, RECORD_DEFECTS, i);
        if (get32(row) == MIME_DEFECT_NONE || get32(row) >= MIME_DEFECT_KINDS)
            return false;
    }
    return true;
}

/* Finds the tables; false when the record is not exactly as long as its counts say. */
static bool
find_tables(struct slice bytes, struct checker *checker)
{
    static const uint32_t count_limits[RECORD_TABLES] = {
        [RECORD_PARTS] = MIME_PARTS_MAX,
        [RECORD_MESSAGES] = MIME_RECORD_MESSAGES_MAX,
        [RECORD_FIELDS] = MIME_RECORD_FIELDS_MAX,
        [RECORD_PARAMETERS] = MIME_RECORD_PARAMETERS_MAX,
        [RECORD_ADDRESSES] = MIME_RECORD_ADDRESSES_MAX,
        [RECORD_DEFECTS] = MIME_DEFECTS_MAX,
    };
    size_t at = RECORD_HEADER_SIZE;

    for (unsigned i = 0; i < RECORD_TABLES; i++) {
        checker->counts[i] = get32(bytes.at + RECORD_AT_COUNTS + 4 * i);
        if (checker->counts[i] > count_limits[i])
            return false;
        size_t size = (size_t)checker->counts[i] * record_row_sizes[i];
        if (!checked_range(at, size, bytes.len))
            return false;
        checker->tables[i] = bytes.at + at;
        at += size;
    }
    checker->strings = slice_skip(bytes, at);
    return get32(bytes.at + RECORD_AT_STRINGS_LEN) == checker->strings.len &&
           checker->counts[RECORD_PARTS] > 0 && checker->counts[RECORD_MESSAGES] > 0;
}

static bool
header_is_good(struct slice bytes, uint64_t body_len)
{
    return bytes.len >= RECORD_HEADER_SIZE && bytes.len <= MIME_RECORD_MAX &&
           get32(bytes.at + RECORD_AT_MAGIC) == RECORD_MAGIC &&
           get16(bytes.at + RECORD_AT_VERSION) == MIME_RECORD_VERSION &&
           get16(bytes.at + RECORD_AT_FLAGS) <= RECORD_IS_CUT &&
           get32(bytes.at + RECORD_AT_LEN) == bytes.len &&
           get32(bytes.at + RECORD_AT_ZERO) == 0 &&
           get64(bytes.at + RECORD_AT_DEFECT_KINDS) >> MIME_DEFECT_KINDS == 0 &&
           get32(bytes.at + RECORD_AT_BODY_LEN) ==
               (body_len < MIME_MESSAGE_MAX ? body_len : MIME_MESSAGE_MAX);
}

bool
mime_record_open(struct slice bytes, uint64_t body_len, struct mime_record *ret_record)
{
    NOT_ZEROED struct checker checker;

    if (!header_is_good(bytes, body_len) || !find_tables(bytes, &checker))
        return false;
    checker.body_len = get32(bytes.at + RECORD_AT_BODY_LEN);
    if (!parts_are_good(&checker) || !rows_are_good(&checker))
        return false;
    *ret_record = (struct mime_record){
        .bytes = bytes,
        .body_len = checker.body_len,
        .parts_count = checker.counts[RECORD_PARTS],
        .messages_count = checker.counts[RECORD_MESSAGES],
        .parameters_count = checker.counts[RECORD_PARAMETERS],
        .addresses_count = checker.counts[RECORD_ADDRESSES],
        .defects_count = checker.counts[RECORD_DEFECTS],
        .parts = (uint32_t)(checker.tables[RECORD_PARTS] - bytes.at),
        .messages = (uint32_t)(checker.tables[RECORD_MESSAGES] - bytes.at),
        .parameters = (uint32_t)(checker.tables[RECORD_PARAMETERS] - bytes.at),
        .addresses = (uint32_t)(checker.tables[RECORD_ADDRESSES] - bytes.at),
        .defects = (uint32_t)(checker.tables[RECORD_DEFECTS] - bytes.at),
        .strings = (uint32_t)(checker.strings.at - bytes.at),
        .defect_kinds = get64(bytes.at + RECORD_AT_DEFECT_KINDS),
        .is_cut = get16(bytes.at + RECORD_AT_FLAGS) == RECORD_IS_CUT,
    };
    return true;
}

/* ---- reading ------------------------------------------------------------------------------- */

static struct slice
string_at(const struct mime_record *record, const uint8_t *reference)
{
    uint32_t place = get32(reference);

    if (place == 0)
        return slice_of(NULL, 0);
    const uint8_t *at = record->bytes.at + record->strings + place;
    return slice_of(at + 2, get16(at));
}

void
mime_record_part(const struct mime_record *record, uint32_t index,
                 struct mime_record_part *ret_part)
{
    assert(index < record->parts_count);
    const uint8_t *row = record->bytes.at + record->parts + (size_t)index * PART_ROW_SIZE;
    const uint8_t *strings = row + PART_AT_STRINGS;
    uint32_t parameters = get32(row + PART_AT_PARAMETERS);
    uint32_t type_count = get16(row + PART_AT_COUNTS),
             disposition_count = get16(row + PART_AT_COUNTS + 2);

    *ret_part = (struct mime_record_part){
        .kind = (enum mime_part_kind)row[PART_AT_KIND],
        .encoding = (enum mime_encoding)row[PART_AT_ENCODING],
        .parent = get32(row + PART_AT_PARENT),
        .after = get32(row + PART_AT_AFTER),
        .header_start = get32(row + PART_AT_HEADER_START),
        .body_start = get32(row + PART_AT_BODY_START),
        .body_end = get32(row + PART_AT_BODY_END),
        .lines = get32(row + PART_AT_LINES),
        .message = get32(row + PART_AT_MESSAGE),
        .type = string_at(record, strings + 4 * PART_TYPE),
        .subtype = string_at(record, strings + 4 * PART_SUBTYPE),
        .encoding_name = string_at(record, strings + 4 * PART_ENCODING_NAME),
        .id = string_at(record, strings + 4 * PART_ID),
        .description = string_at(record, strings + 4 * PART_DESCRIPTION),
        .md5 = string_at(record, strings + 4 * PART_MD5),
        .location = string_at(record, strings + 4 * PART_LOCATION),
        .disposition = string_at(record, strings + 4 * PART_DISPOSITION),
        .file_name = string_at(record, strings + 4 * PART_FILE_NAME),
        .parameters_first = parameters,
        .parameters_count = type_count,
        .disposition_first = parameters + type_count,
        .disposition_count = disposition_count,
        .languages_first = parameters + type_count + disposition_count,
        .languages_count = get16(row + PART_AT_COUNTS + 4),
    };
}

struct mime_record_parameter
mime_record_parameter(const struct mime_record *record, uint32_t index)
{
    assert(index < record->parameters_count);
    const uint8_t *row =
        record->bytes.at + record->parameters + (size_t)index * PARAMETER_ROW_SIZE;

    return (struct mime_record_parameter){string_at(record, row), string_at(record, row + 4)};
}

void
mime_record_message(const struct mime_record *record, uint32_t index,
                    struct mime_record_message *ret_message)
{
    assert(index < record->messages_count);
    const uint8_t *row = record->bytes.at + record->messages + (size_t)index * MESSAGE_ROW_SIZE;
    const uint8_t *strings = row + MESSAGE_AT_STRINGS;
    uint32_t flags = get32(row + MESSAGE_AT_FLAGS);

    *ret_message = (struct mime_record_message){
        .part = get32(row + MESSAGE_AT_PART),
        .date = string_at(record, strings + 4 * MESSAGE_DATE),
        .subject = string_at(record, strings + 4 * MESSAGE_SUBJECT),
        .message_id = string_at(record, strings + 4 * MESSAGE_ID),
        .in_reply_to = string_at(record, strings + 4 * MESSAGE_IN_REPLY_TO),
        .references = string_at(record, strings + 4 * MESSAGE_REFERENCES),
        .has_wall = (flags & MESSAGE_HAS_WALL) != 0,
        .wall = {(int64_t)get64(row + MESSAGE_AT_WALL)},
        .zone_s = (int32_t)get32(row + MESSAGE_AT_ZONE),
        .subject_text = string_at(record, strings + 4 * MESSAGE_SUBJECT_TEXT),
        .base_subject = string_at(record, strings + 4 * MESSAGE_BASE_SUBJECT),
        .is_reply_or_forward = (flags & MESSAGE_IS_REPLY) != 0,
        .preview = string_at(record, strings + 4 * MESSAGE_PREVIEW),
    };
    for (unsigned i = 0; i < MIME_RECORD_LISTS; i++) {
        ret_message->addresses_first[i] = get32(row + MESSAGE_AT_FIRSTS + 4 * i);
        ret_message->addresses_count[i] = get16(row + MESSAGE_AT_COUNTS + 2 * i);
    }
}

struct mime_record_address
mime_record_address(const struct mime_record *record, uint32_t index)
{
    assert(index < record->addresses_count);
    const uint8_t *row = record->bytes.at + record->addresses + (size_t)index * ADDRESS_ROW_SIZE;

    return (struct mime_record_address){string_at(record, row), string_at(record, row + 4),
                                        string_at(record, row + 8), string_at(record, row + 12)};
}

struct mime_defect
mime_record_defect(const struct mime_record *record, uint32_t index)
{
    assert(index < record->defects_count);
    const uint8_t *row = record->bytes.at + record->defects + (size_t)index * DEFECT_ROW_SIZE;

    return (struct mime_defect){(enum mime_defect_kind)get32(row), get32(row + 4)};
}
