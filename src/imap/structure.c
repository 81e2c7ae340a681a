/* SPDX-License-Identifier: ISC */
#include "imap/structure.h"
#include "imap/fields.h"

#include "base/hash.h"

#include "imap/server_private.h"

void
imap_message_open(struct imap_message *message, struct slice record, uint32_t len)
{
    *message = (struct imap_message){.len = len};
    message->has_record = record.len > 0 && mime_record_open(record, len, &message->record);
}

/* ---- ENVELOPE -------------------------------------------------------------------------------- */

static void
put_addresses(struct buffer *out, const struct mime_record *record, uint32_t first, uint32_t count)
{
    if (count == 0) {
        buffer_put_text(out, "NIL");
        return;
    }
    buffer_put_byte(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        struct mime_record_address address = mime_record_address(record, first + i);
        buffer_put_byte(out, '(');
        imap_put_nstring(out, address.name);
        buffer_put_byte(out, ' ');
        imap_put_nstring(out, address.route);
        buffer_put_byte(out, ' ');
        imap_put_nstring(out, address.mailbox);
        buffer_put_byte(out, ' ');
        imap_put_nstring(out, address.host);
        buffer_put_byte(out, ')');
    }
    buffer_put_byte(out, ')');
}

/* What was put from `start` on, once more. */
static void
put_again(struct buffer *out, size_t start, size_t len)
{
    uint8_t *space = buffer_reserve(out, len);

    if (!space)
        return;
    memcpy(space, buffer_slice(out).at + start, len);
    buffer_commit(out, len);
}

/* From, Sender, Reply-To, To, Cc, Bcc; Sender and Reply-To default to From (§7.5.2), as the record
 * says: then they are its rows. */
static void
put_lists(struct buffer *out, const struct mime_record *record,
          const struct mime_record_message *message)
{
    static const enum mime_record_list lists[] = {MIME_RECORD_FROM,     MIME_RECORD_SENDER,
                                                  MIME_RECORD_REPLY_TO, MIME_RECORD_TO,
                                                  MIME_RECORD_CC,       MIME_RECORD_BCC};
    size_t start = buffer_len(out), len = 0;

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        enum mime_record_list list = lists[i];
        uint32_t first = message->addresses_first[list], count = message->addresses_count[list];
        bool may_default = list == MIME_RECORD_SENDER || list == MIME_RECORD_REPLY_TO;
        bool is_from = first == message->addresses_first[MIME_RECORD_FROM] &&
                       count == message->addresses_count[MIME_RECORD_FROM];
        if (may_default && (count == 0 || is_from)) {
            put_again(out, start, len);
            continue;
        }
        buffer_put_byte(out, ' ');
        put_addresses(out, record, first, count);
        if (list == MIME_RECORD_FROM)
            len = buffer_len(out) - start;
    }
}

static void
put_summary(struct buffer *out, const struct mime_record *record, uint32_t index)
{
    NOT_ZEROED struct mime_record_message message;

    mime_record_message(record, index, &message);
    buffer_put_byte(out, '(');
    imap_put_nstring(out, message.date);
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, message.subject);
    put_lists(out, record, &message);
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, message.in_reply_to);
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, message.message_id);
    buffer_put_byte(out, ')');
}

static const char empty_envelope[] = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";
static const char empty_text[] = "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0)";

void
imap_put_envelope(struct buffer *out, const struct imap_message *message)
{
    if (message->has_record)
        put_summary(out, &message->record, 0);
    else
        buffer_put_text(out, empty_envelope);
}

/* ---- BODYSTRUCTURE --------------------------------------------------------------------------- */

static void
put_parameters(struct buffer *out, const struct mime_record *record, uint32_t first, uint32_t count)
{
    if (count == 0) {
        buffer_put_text(out, "NIL");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mime_record_parameter parameter = mime_record_parameter(record, first + i);
        buffer_put_byte(out, i == 0 ? '(' : ' ');
        imap_put_string(out, parameter.name);
        buffer_put_byte(out, ' ');
        imap_put_string(out, parameter.value);
    }
    buffer_put_byte(out, ')');
}

/* body-fld-dsp SP body-fld-lang SP body-fld-loc */
static void
put_tail(struct buffer *out, const struct mime_record *record, const struct mime_record_part *part)
{
    if (part->disposition.at) {
        buffer_put_text(out, " (");
        imap_put_string(out, part->disposition);
        buffer_put_byte(out, ' ');
        put_parameters(out, record, part->disposition_first, part->disposition_count);
        buffer_put_byte(out, ')');
    } else {
        buffer_put_text(out, " NIL");
    }
    if (part->languages_count == 0)
        buffer_put_text(out, " NIL");
    for (uint32_t i = 0; i < part->languages_count; i++) {
        buffer_put_text(out, i == 0 ? " (" : " ");
        imap_put_string(out, mime_record_parameter(record, part->languages_first + i).value);
    }
    if (part->languages_count > 0)
        buffer_put_byte(out, ')');
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, part->location);
}

static struct imap_decoded
size_of(const struct mime_record_part *part)
{
    return (struct imap_decoded){part->body_end - part->body_start, part->lines};
}

/* body-fld-enc: the word that was sent; of one that is known and has more beside it (comments,
 * quotes, a parameter) its plain name, or clients would not undo it. */
static void
put_encoding(struct buffer *out, const struct mime_record_part *part)
{
    struct slice name = part->encoding_name.at ? part->encoding_name : SLICE("7BIT");

    for (size_t i = 0; i < name.len; i++) {
        bool is_plain = byte_is_alpha(name.at[i]) || byte_is_digit(name.at[i]) || name.at[i] == '-';
        if (!is_plain && part->encoding != MIME_ENCODING_UNKNOWN) {
            name = slice_of_string(mime_encoding_name(part->encoding));
            break;
        }
    }
    imap_put_string(out, name);
}

/* body-fields: param SP id SP desc SP enc SP octets */
static void
put_fields(struct buffer *out, const struct mime_record *record,
           const struct mime_record_part *part, uint64_t len)
{
    put_parameters(out, record, part->parameters_first, part->parameters_count);
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, part->id);
    buffer_put_byte(out, ' ');
    imap_put_nstring(out, part->description);
    buffer_put_byte(out, ' ');
    put_encoding(out, part);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, len);
}

static void
put_type(struct buffer *out, const struct mime_record_part *part)
{
    buffer_put_byte(out, '(');
    imap_put_string(out, part->type.at ? part->type : SLICE("text"));
    buffer_put_byte(out, ' ');
    imap_put_string(out, part->subtype.at ? part->subtype : SLICE("plain"));
    buffer_put_byte(out, ' ');
}

/* body-type-msg wants envelope, body and lines, also of a message into which nobody looks: encoded,
 * though RFC 2045 §6.4 forbids it, too deep, or empty. Clients would take what comes next for them.
 */
static bool
is_closed_message(const struct mime_record_part *part)
{
    return slice_equal(part->type, SLICE("message")) &&
           (slice_equal(part->subtype, SLICE("rfc822")) ||
            slice_equal(part->subtype, SLICE("global")));
}

static void
put_leaf(struct buffer *out, const struct mime_record *record, const struct mime_record_part *part,
         const struct imap_decoded *size, bool is_extensible)
{
    put_type(out, part);
    put_fields(out, record, part, size->len);
    bool is_message = is_closed_message(part);
    if (is_message) {
        buffer_put_byte(out, ' ');
        buffer_put_text(out, empty_envelope);
        buffer_put_byte(out, ' ');
        buffer_put_text(out, empty_text);
    }
    if (is_message || !part->type.at || slice_equal(part->type, SLICE("text"))) {
        buffer_put_byte(out, ' ');
        buffer_put_decimal(out, size->lines);
    }
    if (is_extensible) {
        buffer_put_byte(out, ' ');
        imap_put_nstring(out, part->md5);
        put_tail(out, record, part);
    }
    buffer_put_byte(out, ')');
}

/* What stands before the parts of a part that has some. */
static void
begin_parts(struct buffer *out, const struct mime_record *record,
            const struct mime_record_part *part, uint32_t index)
{
    if (part->kind == MIME_PART_MULTIPART) {
        buffer_put_byte(out, '(');
        if (part->after == index + 1) /* one part at least must be shown */
            buffer_put_text(out, empty_text);
        return;
    }
    struct mime_record_part inner;
    put_type(out, part);
    put_fields(out, record, part, size_of(part).len);
    buffer_put_byte(out, ' ');
    mime_record_part(record, index + 1, &inner);
    if (inner.message != MIME_NO_PART)
        put_summary(out, record, inner.message);
    else
        buffer_put_text(out, empty_envelope);
    buffer_put_byte(out, ' ');
}

static void
end_parts(struct buffer *out, const struct mime_record *record, const struct mime_record_part *part,
          bool is_extensible)
{
    if (part->kind == MIME_PART_MULTIPART) {
        buffer_put_byte(out, ' ');
        imap_put_string(out, part->subtype.at ? part->subtype : SLICE("mixed"));
        if (is_extensible) {
            buffer_put_byte(out, ' ');
            put_parameters(out, record, part->parameters_first, part->parameters_count);
            put_tail(out, record, part);
        }
    } else {
        imap_put_number(out, " ", part->lines, "");
        if (is_extensible) {
            buffer_put_byte(out, ' ');
            imap_put_nstring(out, part->md5);
            put_tail(out, record, part);
        }
    }
    buffer_put_byte(out, ')');
}

/* A part and all that is in it, in the order of the parts; those that are open are in a stack. */
static void
put_tree(struct buffer *out, const struct mime_record *record, uint32_t first, uint32_t after,
         bool is_extensible)
{
    NOT_ZEROED struct mime_record_part open[IMAP_PART_DEPTH_MAX], part;
    unsigned depth = 0;

    for (uint32_t i = first; i < after; i++) {
        for (; depth > 0 && open[depth - 1].after <= i; depth--)
            end_parts(out, record, &open[depth - 1], is_extensible);
        mime_record_part(record, i, &part);
        struct imap_decoded size = size_of(&part);
        bool has_parts = part.kind == MIME_PART_MULTIPART ||
                         (part.kind == MIME_PART_MESSAGE && part.after > i + 1);
        if (has_parts && depth < IMAP_PART_DEPTH_MAX) {
            begin_parts(out, record, &part, i);
            open[depth++] = part;
        } else {
            put_leaf(out, record, &part, &size, is_extensible);
        }
    }
    while (depth > 0)
        end_parts(out, record, &open[--depth], is_extensible);
}

void
imap_put_structure(struct buffer *out, const struct imap_message *message, bool is_extensible)
{
    if (message->has_record) {
        put_tree(out, &message->record, 0, message->record.parts_count, is_extensible);
        return;
    }
    imap_put_number(out, "(\"text\" \"plain\" NIL NIL NIL \"8BIT\" ", message->len, " 0");
    buffer_put_text(out, is_extensible ? " NIL NIL NIL NIL)" : ")");
}

static uint32_t
child_of(const struct mime_record *record, uint32_t index, uint32_t number)
{
    struct mime_record_part whole, part;

    mime_record_part(record, index, &whole);
    for (uint32_t i = index + 1; i < whole.after; i = part.after) {
        if (--number == 0)
            return i;
        mime_record_part(record, i, &part);
    }
    return MIME_NO_PART;
}

/* §6.4.5.1: parts of a multipart are numbered; what is no multipart has one part, itself. */
static uint32_t
find_part(const struct mime_record *record, const struct imap_part_path *path)
{
    struct mime_record_part part;
    uint32_t index = 0;
    bool is_root = true; /* of the message or of one inside */

    for (unsigned i = 0; i < path->depth; i++) {
        mime_record_part(record, index, &part);
        if (!is_root && part.kind == MIME_PART_MESSAGE && part.after > index + 1) {
            mime_record_part(record, ++index, &part);
            is_root = true;
        }
        if (part.kind == MIME_PART_MULTIPART) {
            index = child_of(record, index, path->numbers[i]);
            if (index == MIME_NO_PART)
                return index;
        } else if (!is_root || path->numbers[i] != 1) {
            return MIME_NO_PART;
        }
        is_root = false;
    }
    return index;
}

void
imap_put_part_structure(struct buffer *out, const struct imap_message *message,
                        const struct imap_part_path *path, const struct imap_decoded *decoded)
{
    const struct mime_record *record = &message->record;
    struct mime_record_part part;
    uint32_t index = message->has_record ? find_part(record, path) : MIME_NO_PART;

    if (index == MIME_NO_PART || path->depth == 0) {
        imap_put_structure(out, message, true);
        return;
    }
    mime_record_part(record, index, &part);
    if (!decoded || part.kind != MIME_PART_LEAF) {
        put_tree(out, record, index, part.after, true);
        return;
    }
    part.encoding_name = SLICE("BINARY");
    put_leaf(out, record, &part, decoded, true);
}

static void
set_range(uint32_t *ret_offset, uint32_t *ret_len, uint32_t start, uint32_t end)
{
    *ret_offset = start;
    *ret_len = end > start ? end - start : 0;
}

static bool
find_without_record(const struct imap_message *message, const struct imap_part_path *path,
                    enum imap_section_kind kind, uint32_t *ret_offset, uint32_t *ret_len)
{
    bool is_whole = kind == IMAP_SECTION_WHOLE || kind == IMAP_SECTION_TEXT;

    set_range(ret_offset, ret_len, 0, is_whole ? message->len : 0);
    return path->depth == 0 || (path->depth == 1 && path->numbers[0] == 1);
}

bool
imap_section_find(const struct imap_message *message, const struct imap_part_path *path,
                  enum imap_section_kind kind, uint32_t *ret_offset, uint32_t *ret_len,
                  enum mime_encoding *ret_encoding)
{
    struct mime_record_part part;

    *ret_encoding = MIME_ENCODING_BINARY;
    if (!message->has_record)
        return find_without_record(message, path, kind, ret_offset, ret_len);
    uint32_t index = find_part(&message->record, path);
    if (index == MIME_NO_PART)
        return false;
    mime_record_part(&message->record, index, &part);
    if (kind == IMAP_SECTION_MIME) {
        set_range(ret_offset, ret_len, part.header_start, part.body_start);
        return path->depth > 0;
    }
    if (path->depth == 0 && kind == IMAP_SECTION_WHOLE) {
        set_range(ret_offset, ret_len, 0, message->len);
        return true;
    }
    if (kind == IMAP_SECTION_WHOLE) {
        if (part.kind == MIME_PART_LEAF)
            *ret_encoding = part.encoding;
        set_range(ret_offset, ret_len, part.body_start, part.body_end);
        return true;
    }
    if (path->depth > 0) { /* HEADER and TEXT are of the message inside */
        if (part.kind != MIME_PART_MESSAGE || part.after == index + 1)
            return false;
        mime_record_part(&message->record, index + 1, &part);
    }
    if (kind == IMAP_SECTION_TEXT)
        set_range(ret_offset, ret_len, part.body_start,
                  path->depth == 0 ? message->len : part.body_end);
    else
        set_range(ret_offset, ret_len, part.header_start, part.body_start);
    return true;
}

/* ---- header fields --------------------------------------------------------------------------- */

void
imap_put_fields(struct buffer *out, struct slice header, const struct slice *names, size_t count,
                bool is_not)
{
    struct imap_fields fields;

    imap_fields_begin(&fields, names, count, is_not);
    imap_fields_feed(&fields, header, out);
    imap_fields_finish(&fields, out);
}

/* ---- conversations --------------------------------------------------------------------------- */

/* The first "<…>" of a field. */
static struct slice
first_id(struct slice field)
{
    if (!field.at)
        return slice_of("", 0);
    struct slice rest = slice_skip(field, slice_find_byte(field, '<'));
    size_t end = slice_find_byte(rest, '>');
    return end < rest.len ? slice_first(rest, end + 1) : slice_of("", 0);
}

uint64_t
imap_thread_id(const struct imap_message *message, uint64_t body)
{
    struct mime_record_message summary;

    if (!message->has_record)
        return body;
    mime_record_message(&message->record, 0, &summary);
    struct slice root = first_id(summary.references);
    if (root.len == 0)
        root = first_id(summary.in_reply_to);
    if (root.len == 0)
        root = first_id(summary.message_id);
    return root.len > 0 ? hash64(root, 0) : body;
}
