/* SPDX-License-Identifier: ISC */
/* What IMAP answers from the parse record is what the message's own text says: ENVELOPE by its
 * header, BODYSTRUCTURE and the places of sections by its tree, HEADER.FIELDS by its fields,
 * however the header is cut. */
#include "imap/fields.h"
#include "imap/server_private.h"
#include "imap/structure.h"
#include "message/summary.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A part is found by walking to it: all of thousands would be quadratic work of the target's. */
enum { NAMES_MAX = 8, NUMBER_MAX = 100 };

struct answer {
    struct mime_tree tree;
    struct mime_record record;
    struct imap_message message;
    struct slice text;
    struct arena *arena;
    struct buffer out, expected;
};

static void
compare(struct answer *answer)
{
    assert(!buffer_overflowed(&answer->out) && !buffer_overflowed(&answer->expected));
    if (!slice_equal(buffer_slice(&answer->out), buffer_slice(&answer->expected))) {
        fprintf(stderr, "%.*s\n%.*s\n", (int)buffer_len(&answer->out),
                buffer_slice(&answer->out).at, (int)buffer_len(&answer->expected),
                buffer_slice(&answer->expected).at);
        abort();
    }
    buffer_clear(&answer->out);
    buffer_clear(&answer->expected);
}

/* ---- ENVELOPE -------------------------------------------------------------------------------- */

static void
put_text(struct buffer *out, bool is_there, struct slice text)
{
    if (!is_there)
        buffer_put_text(out, "NIL");
    else
        imap_put_string(out, text);
}

static void
put_list(struct buffer *out, const struct address_list *list)
{
    buffer_put_text(out, list->first ? " (" : " NIL");
    for (const struct address *a = list->first; a; a = a->next) {
        bool is_mailbox = a->kind == ADDRESS_MAILBOX, has_host = is_mailbox;
        struct slice label = address_label(a);
        buffer_put_byte(out, '(');
        put_text(out, is_mailbox && label.len > 0, label);
        buffer_put_byte(out, ' ');
        put_text(out, a->route.len > 0, a->route);
        buffer_put_byte(out, ' ');
        put_text(out, a->kind != ADDRESS_GROUP_END, is_mailbox ? a->local : a->name);
        buffer_put_byte(out, ' ');
        put_text(out, has_host, a->domain);
        buffer_put_byte(out, ')');
    }
    if (list->first)
        buffer_put_byte(out, ')');
}

/* RFC 9051 §7.5.2, of a header as it stands in the text. */
static void
put_envelope(struct answer *answer, struct slice text)
{
    struct buffer *out = &answer->expected;
    struct header header;
    struct summary summary;

    header_parse(answer->arena, text, &header);
    summary_gather(answer->arena, &header, &summary);
    buffer_put_byte(out, '(');
    put_text(out, header_find(&header, FIELD_DATE, NULL), summary.date_text);
    buffer_put_byte(out, ' ');
    put_text(out, header_find(&header, FIELD_SUBJECT, NULL), summary.subject);
    put_list(out, &summary.from);
    put_list(out, summary.sender.first ? &summary.sender : &summary.from);
    put_list(out, summary.reply_to.first ? &summary.reply_to : &summary.from);
    put_list(out, &summary.to);
    put_list(out, &summary.cc);
    put_list(out, &summary.bcc);
    buffer_put_byte(out, ' ');
    put_text(out, header_find(&header, FIELD_IN_REPLY_TO, NULL), summary.in_reply_to);
    buffer_put_byte(out, ' ');
    put_text(out, header_find(&header, FIELD_MESSAGE_ID, NULL), summary.message_id);
    buffer_put_byte(out, ')');
}

/* ---- BODYSTRUCTURE --------------------------------------------------------------------------- */

static void
put_lower(struct buffer *out, struct slice text)
{
    struct buffer lower;

    buffer_init(&lower, 128);
    for (size_t i = 0; i < text.len && i < 128; i++)
        buffer_put_byte(&lower, byte_to_lower(text.at[i]));
    imap_put_string(out, buffer_slice(&lower));
    buffer_finish(&lower);
}

static void
put_pairs(struct buffer *out, struct mime_parameters parameters)
{
    buffer_put_text(out, parameters.count ? "(" : "NIL");
    for (size_t i = 0; i < parameters.count; i++) {
        if (i > 0)
            buffer_put_byte(out, ' ');
        imap_put_string(out, parameters.items[i].name);
        buffer_put_byte(out, ' ');
        imap_put_string(out, parameters.items[i].value);
    }
    if (parameters.count)
        buffer_put_byte(out, ')');
}

static void
put_languages(struct buffer *out, struct slice text)
{
    size_t count = 0;

    while (text.len > 0) {
        struct slice tag = slice_first(text, slice_find_byte(text, ','));
        text = slice_skip(text, tag.len + 1);
        tag = slice_trim(tag);
        if (tag.len > 0) {
            buffer_put_text(out, count++ ? " " : " (");
            imap_put_string(out, tag);
        }
    }
    buffer_put_text(out, count ? ")" : " NIL");
}

/* MD5 (unless it has parts), disposition, languages, location. */
static void
put_extension(struct buffer *out, const struct mime_part *part, bool has_md5)
{
    if (has_md5) {
        buffer_put_byte(out, ' ');
        put_text(out, part->md5.at, part->md5);
    }
    if (part->disposition.type.at) {
        buffer_put_text(out, " (");
        put_lower(out, part->disposition.type);
        buffer_put_byte(out, ' ');
        put_pairs(out, part->disposition.written);
        buffer_put_byte(out, ')');
    } else {
        buffer_put_text(out, " NIL");
    }
    put_languages(out, part->language);
    buffer_put_byte(out, ' ');
    put_text(out, part->location.at, part->location);
}

static bool
is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_alpha(text.at[i]) && !byte_is_digit(text.at[i]) && text.at[i] != '-')
            return false;
    }
    return true;
}

/* Type, parameters, id, description, encoding, octets. */
static void
put_basic(struct buffer *out, const struct mime_part *part)
{
    bool is_known = part->encoding != MIME_ENCODING_UNKNOWN;
    struct slice encoding = part->encoding_name;

    put_lower(out, part->content_type.type);
    buffer_put_byte(out, ' ');
    put_lower(out, part->content_type.subtype);
    buffer_put_byte(out, ' ');
    put_pairs(out, part->content_type.written);
    buffer_put_byte(out, ' ');
    put_text(out, part->id.at, part->id);
    buffer_put_byte(out, ' ');
    put_text(out, part->description.at, part->description);
    buffer_put_byte(out, ' ');
    if (!encoding.at)
        encoding = SLICE("7BIT");
    else if (is_known && !is_token(encoding))
        encoding = slice_of_string(mime_encoding_name(part->encoding));
    imap_put_string(out, encoding);
    imap_put_number(out, " ", part->body_end - part->body_start, "");
}

static void put_part(struct answer *answer, uint32_t index, bool is_extensible);

static void
put_parts(struct answer *answer, const struct mime_part *part, uint32_t index, bool is_extensible)
{
    struct buffer *out = &answer->expected;

    if (part->after == index + 1)
        buffer_put_text(out, "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0)");
    for (uint32_t i = index + 1; i < part->after; i = answer->tree.parts[i].after)
        put_part(answer, i, is_extensible);
    buffer_put_byte(out, ' ');
    put_lower(out, part->content_type.subtype);
    if (is_extensible) {
        buffer_put_byte(out, ' ');
        put_pairs(out, part->content_type.written);
        put_extension(out, part, false);
    }
}

static void
put_inner(struct answer *answer, uint32_t inner, bool is_extensible)
{
    const struct mime_part *part = &answer->tree.parts[inner];

    buffer_put_byte(&answer->expected, ' ');
    put_envelope(answer, slice_between(answer->text, part->header_start, part->body_start));
    buffer_put_byte(&answer->expected, ' ');
    put_part(answer, inner, is_extensible);
}

/* §7.5.2. Recursion is bounded by MIME_DEPTH_MAX. */
static void
put_part(struct answer *answer, uint32_t index, bool is_extensible)
{
    const struct mime_part *part = &answer->tree.parts[index];
    const struct mime_content_type *type = &part->content_type;
    struct buffer *out = &answer->expected;
    bool is_message = mime_content_type_is(type, "message", "rfc822") ||
                      mime_content_type_is(type, "message", "global");

    buffer_put_byte(out, '(');
    if (part->kind == MIME_PART_MULTIPART) {
        put_parts(answer, part, index, is_extensible);
        buffer_put_byte(out, ')');
        return;
    }
    put_basic(out, part);
    if (part->kind == MIME_PART_MESSAGE && part->after > index + 1)
        put_inner(answer, index + 1, is_extensible);
    else if (is_message)
        buffer_put_text(out, " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
                             " (\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0)");
    if (is_message || part->kind == MIME_PART_MESSAGE || mime_content_type_is(type, "text", ""))
        imap_put_number(out, " ", part->lines, "");
    if (is_extensible)
        put_extension(out, part, true);
    buffer_put_byte(out, ')');
}

/* ---- sections -------------------------------------------------------------------------------- */

static void
expect_section(const struct answer *answer, const struct imap_part_path *path,
               enum imap_section_kind kind, uint32_t start, uint32_t end)
{
    enum mime_encoding encoding;
    uint32_t offset = 0, len = 0;

    bool is_there = imap_section_find(&answer->message, path, kind, &offset, &len, &encoding);
    assert(is_there && offset == start && len == end - start);
}

/* A part whose path is known: RFC 9051 §6.4.5.1. */
static void
check_section(const struct answer *answer, uint32_t index, const struct imap_part_path *path)
{
    const struct mime_part *part = &answer->tree.parts[index], *inner = part + 1;

    expect_section(answer, path, IMAP_SECTION_WHOLE, part->body_start, part->body_end);
    expect_section(answer, path, IMAP_SECTION_MIME, part->header_start, part->body_start);
    if (part->kind != MIME_PART_MESSAGE || part->after == index + 1)
        return;
    expect_section(answer, path, IMAP_SECTION_HEADER, inner->header_start, inner->body_start);
    expect_section(answer, path, IMAP_SECTION_TEXT, inner->body_start, inner->body_end);
}

/* The parts of a message or multipart; a message that is no multipart is its own part 1. */
static void
check_sections(const struct answer *answer, uint32_t index, struct imap_part_path path)
{
    const struct mime_part *parts = answer->tree.parts, *part = &parts[index];
    uint32_t *number = &path.numbers[path.depth++], child = index + 1;

    *number = 1;
    if (part->kind != MIME_PART_MULTIPART) {
        check_section(answer, index, &path);
        if (part->kind == MIME_PART_MESSAGE && part->after > child)
            check_sections(answer, child, path);
        return;
    }
    for (; child < part->after && *number <= NUMBER_MAX; child = parts[child].after, ++*number) {
        check_section(answer, child, &path);
        if (parts[child].kind == MIME_PART_MULTIPART)
            check_sections(answer, child, path);
        else if (parts[child].kind == MIME_PART_MESSAGE && parts[child].after > child + 1)
            check_sections(answer, child + 1, path);
    }
}

/* ---- HEADER.FIELDS --------------------------------------------------------------------------- */

static bool
is_one_of(const struct slice *names, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(names[i], name))
            return true;
    }
    return false;
}

/* Of others readers may differ: a name with a CR before it is one for IMAP, and none for us. */
static bool
is_plain(const struct field *field)
{
    return field->kind == FIELD_KIND_FIELD &&
           !(field->defects & (FIELD_DEFECT_LONG_LINE | FIELD_DEFECT_NAME));
}

/* Every third field's name, as it is written there; of a header of fields alone. */
static void
check_fields(struct answer *answer, bool is_not, size_t piece)
{
    struct slice header = slice_first(answer->text, answer->tree.parts[0].body_start);
    struct slice names[NAMES_MAX];
    struct imap_fields fields;
    struct field_reader reader;
    struct field field;
    size_t count = 0, number = 0;

    field_reader_init(&reader, header);
    while (count < NAMES_MAX && field_next(&reader, &field)) {
        if (number++ % 3 == 0)
            names[count++] = field.name;
        if (!is_plain(&field))
            return;
    }
    field_reader_init(&reader, header);
    while (field_next(&reader, &field)) {
        if (!is_plain(&field))
            return;
        if (is_one_of(names, count, field.name) != is_not)
            buffer_put(&answer->expected, field.raw);
    }
    buffer_put_text(&answer->expected, "\r\n");
    imap_fields_begin(&fields, names, count, is_not);
    for (; header.len > 0; header = slice_skip(header, piece))
        imap_fields_feed(&fields, slice_first(header, piece), &answer->out);
    imap_fields_finish(&fields, &answer->out);
    compare(answer);
}

static void
check(struct answer *answer, size_t len)
{
    imap_put_envelope(&answer->out, &answer->message);
    put_envelope(answer, answer->text);
    compare(answer);
    for (int is_extensible = 0; is_extensible < 2; is_extensible++) {
        imap_put_structure(&answer->out, &answer->message, is_extensible);
        put_part(answer, 0, is_extensible);
        compare(answer);
    }
    check_sections(answer, 0, (struct imap_part_path){.depth = 0});
    check_fields(answer, len % 2, SIZE_MAX);
    buffer_clear(&answer->expected);
    check_fields(answer, len % 2, 1 + len % 7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct answer answer = {.text = slice_of(data, len)};
    struct arena arena;
    struct buffer record;

    arena_init(&arena, 64 << 20);
    answer.arena = &arena;
    buffer_init(&record, MIME_RECORD_MAX);
    buffer_init(&answer.out, SIZE_MAX / 4);
    buffer_init(&answer.expected, SIZE_MAX / 4);
    mime_tree_parse(answer.text, &arena, &answer.tree);
    mime_record_put(&record, &answer.tree, &arena);
    imap_message_open(&answer.message, buffer_slice(&record), (uint32_t)len);
    assert(answer.message.has_record);
    /* What did not fit a limit is told by the text alone. */
    if (!answer.message.record.is_cut && !arena_failed(&arena))
        check(&answer, len);
    buffer_finish(&answer.out);
    buffer_finish(&answer.expected);
    buffer_finish(&record);
    arena_finish(&arena);
    return 0;
}
