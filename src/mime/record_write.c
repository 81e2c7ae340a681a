/* SPDX-License-Identifier: ISC */
/* The writing half of the parse record. Rows and strings draw on one budget, so that the whole can
 * never exceed MIME_RECORD_MAX: the rows of all parts are set aside first, then the message's own
 * summary is served, then the parts' details, then messages inside messages. */
#include "mime/record.h"

#include "message/subject.h"
#include "message/summary.h"
#include "mime/encoded_word.h"
#include "mime/preview.h"
#include "mime/record_layout.h"
#include "text/utf8.h"

/* Short strings that come again and again ("text", "charset", "utf-8") are kept once. */
enum { INTERN_SLOTS = 64, INTERN_LEN_MAX = 24 };

struct writer {
    const struct mime_tree *tree;
    struct arena *arena;
    size_t budget; /* octets that may still be used */
    bool is_cut;
    struct buffer parts, messages, parameters, addresses, strings;
    uint32_t parameters_count, addresses_count, messages_count;
    uint32_t interned[INTERN_SLOTS]; /* references, or 0 */
    uint32_t unknown;                /* the reference for types that did not fit */
};

/* Takes octets off the budget; when there are not enough the record is marked as cut. */
static bool
spend(struct writer *writer, size_t octets)
{
    if (octets > writer->budget) {
        writer->is_cut = true;
        return false;
    }
    writer->budget -= octets;
    return true;
}

/* Little-endian, for rows that are reserved as a whole. */
static inline void
write_le(uint8_t *at, size_t width, uint32_t number)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* ---- strings ------------------------------------------------------------------------------- */

static struct slice
interned_string(const struct writer *writer, uint32_t reference)
{
    struct slice strings = buffer_slice(&writer->strings);
    struct slice at = slice_skip(strings, reference);

    return slice_between(at, 2, 2 + (size_t)(at.at[0] | at.at[1] << 8));
}

/* Any slot will do: who shares it with another string is kept twice. */
static size_t
intern_slot(struct slice string)
{
    if (string.len == 0)
        return 0;
    return (string.len * 7 + string.at[0] * 31U + string.at[string.len / 2] * 5U +
            string.at[string.len - 1]) %
           INTERN_SLOTS;
}

/* Keeps a string and gives its reference; 0 for one that is absent or did not fit. */
static uint32_t
put_string(struct writer *writer, struct slice string)
{
    uint32_t *slot = NULL;

    if (!string.at)
        return 0;
    if (string.len > MIME_RECORD_STRING_MAX) {
        writer->is_cut = true;
        string = utf8_first(string, MIME_RECORD_STRING_MAX);
    }
    if (string.len <= INTERN_LEN_MAX) {
        slot = &writer->interned[intern_slot(string)];
        if (*slot && slice_equal(interned_string(writer, *slot), string))
            return *slot;
    }
    if (!spend(writer, 2 + string.len))
        return 0;
    uint32_t reference = (uint32_t)buffer_len(&writer->strings);
    uint8_t *space = buffer_reserve(&writer->strings, 2 + string.len);
    assert(space); /* the budget is smaller than the buffer's bound */
    write_le(space, 2, (uint32_t)string.len);
    memcpy(space + 2, string.at, string.len);
    buffer_commit(&writer->strings, 2 + string.len);
    if (slot)
        *slot = reference;
    return reference;
}

/* Types are compared by everybody who reads them: in lower case once and for all. */
static uint32_t
put_lower_string(struct writer *writer, struct slice string)
{
    uint8_t lower[128];

    string = slice_first(string, sizeof(lower));
    for (size_t i = 0; i < string.len; i++)
        lower[i] = byte_to_lower(string.at[i]);
    return put_string(writer, string.at ? slice_of(lower, string.len) : string);
}

/* A summary's text, which is empty when the field is absent. */
static uint32_t
put_summary_string(struct writer *writer, const struct summary *summary, enum field_id id,
                   struct slice text)
{
    if (!summary_has(summary, id))
        return 0;
    return put_string(writer, text.at ? text : slice_of("", 0));
}

/* ---- parameters ---------------------------------------------------------------------------- */

static bool
put_parameter(struct writer *writer, struct slice name, struct slice value)
{
    if (writer->parameters_count == MIME_RECORD_PARAMETERS_MAX ||
        !spend(writer, PARAMETER_ROW_SIZE)) {
        writer->is_cut = true;
        return false;
    }
    buffer_put_le32(&writer->parameters, put_string(writer, name));
    buffer_put_le32(&writer->parameters, put_string(writer, value));
    writer->parameters_count++;
    return true;
}

static uint16_t
put_parameters(struct writer *writer, struct mime_parameters parameters)
{
    uint16_t count = 0;

    for (size_t i = 0; i < parameters.count; i++)
        count = (uint16_t)(count + put_parameter(writer, parameters.items[i].name,
                                                 parameters.items[i].value));
    return count;
}

/* Content-Language: a list of tags with commas (RFC 3282 2). */
static uint16_t
put_languages(struct writer *writer, struct slice languages)
{
    enum { LANGUAGES_MAX = 64 };
    uint16_t count = 0;

    while (languages.len > 0) {
        size_t len = slice_find_byte(languages, ',');
        struct slice tag = slice_trim(slice_first(languages, len));
        languages = slice_skip(languages, len + 1);
        if (count == LANGUAGES_MAX) {
            writer->is_cut = true;
            break;
        }
        if (tag.len > 0)
            count = (uint16_t)(count + put_parameter(writer, slice_of(NULL, 0), tag));
    }
    return count;
}

/* ---- messages ------------------------------------------------------------------------------ */

static bool
put_address(struct writer *writer, const struct address *address)
{
    struct slice none = slice_of(NULL, 0), empty = slice_of("", 0);
    struct slice label = address_label(address);

    if (writer->addresses_count == MIME_RECORD_ADDRESSES_MAX || !spend(writer, ADDRESS_ROW_SIZE)) {
        writer->is_cut = true;
        return false;
    }
    bool is_mailbox = address->kind == ADDRESS_MAILBOX;
    struct slice mailbox = is_mailbox ? address->local : address->name;
    buffer_put_le32(&writer->addresses,
                    put_string(writer, is_mailbox && label.len > 0 ? label : none));
    buffer_put_le32(&writer->addresses,
                    put_string(writer, address->route.len > 0 ? address->route : none));
    buffer_put_le32(&writer->addresses, address->kind == ADDRESS_GROUP_END
                                            ? 0
                                            : put_string(writer, mailbox.at ? mailbox : empty));
    buffer_put_le32(&writer->addresses,
                    !is_mailbox ? 0
                                : put_string(writer, address->domain.at ? address->domain : empty));
    writer->addresses_count++;
    return true;
}

struct range {
    uint32_t first;
    uint16_t count;
};

static struct range
put_addresses(struct writer *writer, const struct address_list *list)
{
    struct range range = {writer->addresses_count, 0};

    writer->is_cut = writer->is_cut || list->is_cut;
    for (const struct address *address = list->first; address; address = address->next) {
        if (!put_address(writer, address))
            break;
        range.count++;
    }
    return range;
}

/* The six lists; Sender and Reply-To are From's where they are missing. */
static void
put_address_lists(struct writer *writer, const struct summary *summary)
{
    const struct address_list *lists[MIME_RECORD_LISTS] = {
        [MIME_RECORD_FROM] = &summary->from,
        [MIME_RECORD_SENDER] = summary_sender(summary),
        [MIME_RECORD_REPLY_TO] = summary_reply_to(summary),
        [MIME_RECORD_TO] = &summary->to,
        [MIME_RECORD_CC] = &summary->cc,
        [MIME_RECORD_BCC] = &summary->bcc,
    };
    struct range ranges[MIME_RECORD_LISTS];

    for (unsigned i = 0; i < MIME_RECORD_LISTS; i++)
        ranges[i] = i > 0 && lists[i] == lists[MIME_RECORD_FROM] ? ranges[MIME_RECORD_FROM]
                                                                 : put_addresses(writer, lists[i]);
    for (unsigned i = 0; i < MIME_RECORD_LISTS; i++)
        buffer_put_le32(&writer->messages, ranges[i].first);
    for (unsigned i = 0; i < MIME_RECORD_LISTS; i++)
        buffer_put_le16(&writer->messages, ranges[i].count);
}

/* The strings that only the whole message has. */
static void
put_own_strings(struct writer *writer, const struct summary *summary, bool *ret_is_reply)
{
    struct buffer text;
    struct slice subject = slice_first(summary->subject, MIME_RECORD_STRING_MAX);

    buffer_init(&text, MIME_RECORD_STRING_MAX * 4);
    if (mime_encoded_words_present(subject)) {
        mime_encoded_words_decode(&text, subject);
        subject = arena_copy(writer->arena, buffer_slice(&text));
    }
    struct subject_base base = subject_base(writer->arena, subject);
    *ret_is_reply = base.is_reply_or_forward;
    buffer_put_le32(&writer->messages, put_summary_string(writer, summary, FIELD_SUBJECT, subject));
    buffer_put_le32(&writer->messages, put_string(writer, base.text));
    buffer_clear(&text);
    mime_preview_put(&text, writer->tree);
    struct slice preview = utf8_first(buffer_slice(&text), MIME_RECORD_PREVIEW_MAX);
    buffer_put_le32(&writer->messages, preview.len > 0 ? put_string(writer, preview) : 0);
    buffer_finish(&text);
}

/* The summary of a message; its number, or MIME_NO_PART when the limit is reached. */
static uint32_t
put_message(struct writer *writer, uint32_t index)
{
    static const struct header no_fields;
    const struct mime_part *part = &writer->tree->parts[index];
    const struct header *header = part->fields ? part->fields : &no_fields;
    struct summary summary;
    bool is_reply = false;

    if (writer->messages_count == MIME_RECORD_MESSAGES_MAX || !spend(writer, MESSAGE_ROW_SIZE)) {
        writer->is_cut = true;
        return MIME_NO_PART;
    }
    summary_gather(writer->arena, header, &summary);
    size_t row = buffer_len(&writer->messages);
    struct buffer *out = &writer->messages;
    buffer_put_le32(out, index);
    buffer_put_le64(out, 0); /* of its header fields */
    size_t flags_at = buffer_len(out);
    buffer_put_le32(out, 0);
    buffer_put_le64(out, summary.has_date ? (uint64_t)summary.date.wall.ns : 0);
    buffer_put_le32(out, summary.has_date ? (uint32_t)(summary.date.zone_minutes * 60) : 0);
    buffer_put_le32(out, put_summary_string(writer, &summary, FIELD_DATE, summary.date_text));
    buffer_put_le32(out, put_summary_string(writer, &summary, FIELD_SUBJECT, summary.subject));
    buffer_put_le32(out,
                    put_summary_string(writer, &summary, FIELD_MESSAGE_ID, summary.message_id));
    buffer_put_le32(out,
                    put_summary_string(writer, &summary, FIELD_IN_REPLY_TO, summary.in_reply_to));
    buffer_put_le32(out,
                    put_summary_string(writer, &summary, FIELD_REFERENCES, summary.references));
    if (index == 0) {
        put_own_strings(writer, &summary, &is_reply);
    } else {
        buffer_put_le64(out, 0);
        buffer_put_le32(out, 0);
    }
    put_address_lists(writer, &summary);
    assert(buffer_len(out) - row == MESSAGE_ROW_SIZE);
    out->at[out->start + flags_at] =
        (uint8_t)((summary.has_date ? MESSAGE_HAS_WALL : 0) | (is_reply ? MESSAGE_IS_REPLY : 0));
    return writer->messages_count++;
}

/* ---- parts --------------------------------------------------------------------------------- */

static void
put_part_strings(struct writer *writer, const struct mime_part *part)
{
    struct buffer *out = &writer->parts;
    uint32_t type = put_lower_string(writer, part->content_type.type);
    uint32_t subtype = put_lower_string(writer, part->content_type.subtype);
    struct slice file_name = mime_file_name(&part->disposition, &part->content_type);

    /* A part always has a type. */
    buffer_put_le32(out, type ? type : writer->unknown);
    buffer_put_le32(out, subtype ? subtype : writer->unknown);
    buffer_put_le32(out, put_string(writer, part->encoding_name));
    buffer_put_le32(out, put_string(writer, part->id));
    buffer_put_le32(out, put_string(writer, part->description));
    buffer_put_le32(out, put_string(writer, part->md5));
    buffer_put_le32(out, put_string(writer, part->location));
    buffer_put_le32(out, put_lower_string(writer, part->disposition.type));
    buffer_put_le32(out, put_string(writer, file_name));
}

static void
put_part(struct writer *writer, uint32_t index)
{
    const struct mime_part *part = &writer->tree->parts[index];
    struct buffer *out = &writer->parts;
    bool is_message = index == 0 || part->fields != NULL;
    uint32_t message = is_message ? put_message(writer, index) : MIME_NO_PART;

    buffer_put_le8(out, (uint8_t)part->kind);
    buffer_put_le8(out, (uint8_t)part->encoding);
    buffer_put_le16(out, 0);
    buffer_put_le32(out, part->parent);
    buffer_put_le32(out, part->after);
    buffer_put_le32(out, part->header_start);
    buffer_put_le32(out, part->body_start);
    buffer_put_le32(out, part->body_end);
    buffer_put_le32(out, part->lines);
    buffer_put_le32(out, message);
    put_part_strings(writer, part);
    buffer_put_le32(out, writer->parameters_count);
    buffer_put_le16(out, put_parameters(writer, part->content_type.written));
    buffer_put_le16(out, put_parameters(writer, part->disposition.written));
    buffer_put_le16(out, put_languages(writer, part->language));
    buffer_put_le16(out, 0);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static void
put_header(struct buffer *out, const struct writer *writer, size_t len, size_t defects_count)
{
    buffer_put_le32(out, RECORD_MAGIC);
    buffer_put_le16(out, MIME_RECORD_VERSION);
    buffer_put_le16(out, writer->is_cut ? RECORD_IS_CUT : 0);
    buffer_put_le32(out, (uint32_t)len);
    buffer_put_le32(out, (uint32_t)writer->tree->message.len);
    buffer_put_le32(out, (uint32_t)writer->tree->count);
    buffer_put_le32(out, writer->messages_count);
    buffer_put_le32(out, 0); /* header fields */
    buffer_put_le32(out, writer->parameters_count);
    buffer_put_le32(out, writer->addresses_count);
    buffer_put_le32(out, (uint32_t)defects_count);
    buffer_put_le32(out, (uint32_t)buffer_len(&writer->strings));
    buffer_put_le32(out, 0);
    buffer_put_le64(out, writer->tree->defects.kinds);
}

static void
put_whole(struct buffer *out, const struct writer *writer)
{
    const struct buffer *tables[] = {&writer->parts, &writer->messages, &writer->parameters,
                                     &writer->addresses};
    const struct mime_defects *defects = &writer->tree->defects;
    size_t len =
        RECORD_HEADER_SIZE + defects->count * DEFECT_ROW_SIZE + buffer_len(&writer->strings);

    for (size_t i = 0; i < COUNT_OF(tables); i++)
        len += buffer_len(tables[i]);
    assert(len <= MIME_RECORD_MAX);
    put_header(out, writer, len, defects->count);
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        buffer_put(out, buffer_slice(tables[i]));
    for (size_t i = 0; i < defects->count; i++) {
        buffer_put_le32(out, (uint32_t)defects->items[i].kind);
        buffer_put_le32(out, defects->items[i].offset);
    }
    buffer_put(out, buffer_slice(&writer->strings));
}

/* A message whose tree did not fit the arena is one part without a header. */
static struct mime_tree
tree_without_parts(const struct mime_tree *tree, struct mime_part *part)
{
    struct mime_tree fallback = *tree;

    *part = (struct mime_part){
        .parent = MIME_NO_PART,
        .after = 1,
        .body_end = (uint32_t)tree->message.len,
        .content_type = mime_content_type_default(),
    };
    fallback.parts = part;
    fallback.count = 1;
    return fallback;
}

void
mime_record_put(struct buffer *buffer, const struct mime_tree *tree, struct arena *arena)
{
    struct writer writer = {.tree = tree, .arena = arena};
    struct buffer *buffers[] = {&writer.parts, &writer.messages, &writer.parameters,
                                &writer.addresses, &writer.strings};
    struct mime_tree fallback;
    struct mime_part only_part;

    if (tree->count == 0) {
        fallback = tree_without_parts(tree, &only_part);
        writer.tree = &fallback;
    }
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_init(buffers[i], MIME_RECORD_MAX);
    /* One allocation each for most messages. */
    const size_t usual[] = {writer.tree->count * PART_ROW_SIZE, MESSAGE_ROW_SIZE,
                            8 * PARAMETER_ROW_SIZE, 8 * ADDRESS_ROW_SIZE, 1000};
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        (void)!buffer_reserve(buffers[i], usual[i]);
    writer.budget = MIME_RECORD_MAX - RECORD_HEADER_SIZE - MIME_DEFECTS_MAX * DEFECT_ROW_SIZE -
                    writer.tree->count * PART_ROW_SIZE - sizeof(uint16_t);
    buffer_put_le16(&writer.strings, 0); /* reference 0 is "absent" */
    writer.unknown = put_string(&writer, SLICE("unknown"));
    for (uint32_t i = 0; i < writer.tree->count; i++)
        put_part(&writer, i);
    put_whole(buffer, &writer);
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_finish(buffers[i]);
}

void
mime_record_make(struct slice message, struct arena *arena, struct buffer *buffer,
                 struct mime_record *ret_record)
{
    struct mime_tree tree;

    mime_tree_parse(message, arena, &tree);
    mime_record_put(buffer, &tree, arena);
    bool is_good = mime_record_open(buffer_slice(buffer), message.len, ret_record);
    assert(is_good);
}
