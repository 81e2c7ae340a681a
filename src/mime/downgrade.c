/* SPDX-License-Identifier: ISC */
#include "mime/downgrade.h"

#include "mime/part.h"
#include "text/base64.h"
#include "text/quoted_printable.h"
#include "text/utf8.h"

enum { LINE_MAX = 998 }; /* RFC 5322 §2.1.1, without CRLF */

/* Lines as every host takes them. */
static bool
is_plain(struct slice text)
{
    while (text.len > 0) {
        size_t end = slice_find_byte(text, '\n');
        struct slice line = slice_first(text, end);
        bool is_ended = end < text.len;
        if (is_ended && (line.len == 0 || line.at[line.len - 1] != '\r'))
            return false;
        if (is_ended)
            line = slice_first(line, line.len - 1);
        if (line.len > LINE_MAX || slice_find_byte(line, '\r') < line.len ||
            slice_find_byte(line, 0) < line.len || !utf8_is_ascii(line))
            return false;
        text = slice_skip(text, end + 1);
    }
    return true;
}

static bool
is_identity(enum mime_encoding encoding)
{
    return encoding == MIME_ENCODING_7BIT || encoding == MIME_ENCODING_8BIT ||
           encoding == MIME_ENCODING_BINARY;
}

static bool
is_to_be_encoded(const struct mime_tree *tree, const struct mime_part *part)
{
    return part->kind == MIME_PART_LEAF && is_identity(part->encoding) &&
           !is_plain(mime_part_body(tree, part));
}

/* Of composite parts the field says what is inside (RFC 2045 §6.4), and that is 7bit now. */
static bool
is_to_be_named_anew(const struct mime_part *part)
{
    return part->kind != MIME_PART_LEAF &&
           (part->encoding == MIME_ENCODING_8BIT || part->encoding == MIME_ENCODING_BINARY);
}

/* A line that begins with "--" might become a boundary where there was none. */
static bool
has_dashes(struct slice lines)
{
    return slice_starts_with(lines, SLICE("--")) || slice_find(lines, SLICE("\n--")) < lines.len;
}

static enum mime_encoding
put_quoted(struct buffer *encoded, struct slice body)
{
    quoted_printable_encode(body, encoded);
    if (!has_dashes(buffer_slice(encoded)))
        return MIME_ENCODING_QUOTED_PRINTABLE;
    buffer_clear(encoded);
    return MIME_ENCODING_BASE64;
}

static enum mime_encoding
encode(const struct mime_part *part, struct slice body, struct buffer *encoded)
{
    struct base64_encoder encoder;
    bool is_text = mime_content_type_is(&part->content_type, "text", "");

    if (is_text && quoted_printable_escape_count(body) <= body.len / 6 &&
        put_quoted(encoded, body) == MIME_ENCODING_QUOTED_PRINTABLE)
        return MIME_ENCODING_QUOTED_PRINTABLE;
    base64_encoder_init(&encoder);
    base64_encoder_feed(&encoder, body, encoded);
    base64_encoder_finish(&encoder, encoded);
    /* The line end before a boundary belongs to the boundary. */
    if (part->depth > 0 && slice_ends_with(buffer_slice(encoded), SLICE("\r\n")))
        buffer_truncate(encoded, buffer_len(encoded) - 2);
    return MIME_ENCODING_BASE64;
}

/* ---- header fields ------------------------------------------------------------------------- */

static bool
is_encoding_field(const struct field *field)
{
    return field->id == FIELD_CONTENT_TRANSFER_ENCODING;
}

/* A message from before MIME says nothing of itself: RFC 1428 §3. */
static void
put_missing(struct buffer *buffer, const struct mime_tree *tree, const struct header *header)
{
    struct slice body = mime_part_body(tree, &tree->parts[0]);

    if (!header_find(header, FIELD_MIME_VERSION, NULL))
        buffer_put_text(buffer, "MIME-Version: 1.0\r\n");
    if (header_find(header, FIELD_CONTENT_TYPE, NULL))
        return;
    buffer_put_text(buffer, "Content-Type: text/plain; charset=");
    buffer_put_text(buffer, utf8_is_valid(body) ? "utf-8\r\n" : "unknown-8bit\r\n");
}

static void
put_header(struct buffer *buffer, const struct mime_tree *tree, const struct mime_part *part,
           enum mime_encoding encoding)
{
    size_t before = buffer_len(buffer);

    header_put_without(buffer, mime_part_header(tree, part), is_encoding_field);
    if (buffer_len(buffer) > before && !slice_ends_with(buffer_slice(buffer), SLICE("\n")))
        buffer_put_text(buffer, "\r\n");
    if (part == &tree->parts[0] && part->fields)
        put_missing(buffer, tree, part->fields);
    if (encoding != MIME_ENCODING_7BIT) {
        buffer_put_text(buffer, "Content-Transfer-Encoding: ");
        buffer_put_text(buffer, mime_encoding_name(encoding));
        buffer_put_text(buffer, "\r\n");
    }
    buffer_put_text(buffer, "\r\n");
}

/* ---- the message --------------------------------------------------------------------------- */

static bool
is_in_signed(const struct mime_tree *tree, const struct mime_part *part)
{
    while (part->parent != MIME_NO_PART) {
        part = &tree->parts[part->parent];
        if (mime_content_type_is(&part->content_type, "multipart", "signed"))
            return true;
    }
    return false;
}

static void
put_leaf(struct buffer *buffer, const struct mime_tree *tree, const struct mime_part *part,
         struct mime_downgrade *downgrade)
{
    struct slice body = mime_part_body(tree, part);
    struct buffer encoded;

    buffer_init(&encoded, body.len * 4 + 16);
    enum mime_encoding encoding = encode(part, body, &encoded);
    put_header(buffer, tree, part, encoding);
    buffer_put(buffer, buffer_slice(&encoded));
    buffer_finish(&encoded);
    downgrade->parts++;
    downgrade->breaks_signature |= is_in_signed(tree, part);
}

/* What was encoded says so, what was not has as many octets as before: a header in which lines are
 * that are no fields may end elsewhere without the field that was taken from it. */
static bool
is_same_part(const struct mime_tree *tree, const struct mime_part *was, const struct mime_part *is)
{
    if (is->kind != was->kind || is->parent != was->parent)
        return false;
    if (is_to_be_encoded(tree, was))
        return is->encoding == MIME_ENCODING_QUOTED_PRINTABLE ||
               is->encoding == MIME_ENCODING_BASE64;
    return was->kind != MIME_PART_LEAF ||
           (is->encoding == was->encoding &&
            is->body_end - is->body_start == was->body_end - was->body_start);
}

/* Headers without their end can make one part's new field another's: such a message is left. */
static bool
is_same_tree(const struct mime_tree *tree, struct slice result, struct arena *arena)
{
    struct mime_tree now;

    mime_tree_parse(result, arena, &now);
    if (arena_failed(arena) || now.count != tree->count)
        return false;
    for (size_t i = 0; i < tree->count; i++) {
        if (!is_same_part(tree, &tree->parts[i], &now.parts[i]))
            return false;
    }
    return true;
}

bool
mime_downgrade_put(struct slice message, struct arena *arena, struct buffer *buffer,
                   struct mime_downgrade *ret_downgrade)
{
    struct mime_downgrade downgrade = {0};
    struct mime_tree tree;
    size_t before = buffer_len(buffer), at = 0;

    if (message.len >= MIME_MESSAGE_MAX)
        return false;
    mime_tree_parse(message, arena, &tree);
    for (size_t i = 0; i < tree.count && !arena_failed(arena); i++) {
        const struct mime_part *part = &tree.parts[i];
        bool is_encoded = is_to_be_encoded(&tree, part);
        if (!is_encoded && !is_to_be_named_anew(part))
            continue;
        buffer_put(buffer, slice_between(message, at, part->header_start));
        if (is_encoded)
            put_leaf(buffer, &tree, part, &downgrade);
        else
            put_header(buffer, &tree, part, MIME_ENCODING_7BIT);
        at = is_encoded ? part->body_end : part->body_start;
    }
    buffer_put(buffer, slice_skip(message, at));
    const struct header *fields = tree.count > 0 ? tree.parts[0].fields : NULL;
    downgrade.breaks_signature |=
        downgrade.parts > 0 && fields && header_find_name(fields, SLICE("DKIM-Signature"), NULL);
    if (arena_failed(arena) || buffer_overflowed(buffer) ||
        !is_plain(slice_skip(buffer_slice(buffer), before)) ||
        !is_same_tree(&tree, slice_skip(buffer_slice(buffer), before), arena)) {
        buffer_truncate(buffer, before);
        return false;
    }
    *ret_downgrade = downgrade;
    return true;
}
