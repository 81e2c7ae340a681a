/* SPDX-License-Identifier: ISC */
#include "mime/partial.h"

enum { WORK_MAX = 64 << 20 };

/* RFC 2046 §5.2.2.1: fields that belong to the content, or to one message alone. */
static bool
is_of_content(const struct field *field)
{
    return slice_starts_with_nocase(field->name, SLICE("Content-")) || field->id == FIELD_SUBJECT ||
           field->id == FIELD_MESSAGE_ID || field->id == FIELD_MIME_VERSION ||
           slice_equal_nocase(field->name, SLICE("Encrypted"));
}

static bool
is_of_journey(const struct field *field)
{
    return !is_of_content(field);
}

/* ---- cutting ------------------------------------------------------------------------------- */

/* The content of the next piece: whole lines, as many as fit; empty when not even one does. */
static struct slice
cut(struct slice rest, size_t piece_max)
{
    if (rest.len <= piece_max)
        return rest;
    struct slice piece = slice_first(rest, piece_max);
    size_t last = slice_find_last_byte(piece, '\n');
    return slice_first(rest, last == piece.len ? 0 : last + 1);
}

/* What is cut: the content's fields and the content. */
static void
put_inner(struct slice message, struct buffer *out)
{
    struct header header;
    struct arena arena;

    buffer_init(out, message.len + 2);
    arena_init(&arena, WORK_MAX);
    header_parse(&arena, message, &header);
    header_put_without(out, message, is_of_journey);
    buffer_put_text(out, "\r\n");
    buffer_put(out, slice_skip(message, header.body_offset));
    arena_finish(&arena);
}

size_t
mime_partial_count(const struct mime_partial *partial)
{
    struct buffer inner;
    size_t count = 0;

    put_inner(partial->message, &inner);
    struct slice rest = buffer_slice(&inner);
    while (rest.len > 0 && count <= MIME_PARTIAL_PIECES_MAX) {
        struct slice piece = cut(rest, partial->piece_max);
        if (piece.len == 0)
            break;
        rest = slice_skip(rest, piece.len);
        count++;
    }
    bool is_cut = rest.len == 0 && count <= MIME_PARTIAL_PIECES_MAX;
    buffer_finish(&inner);
    return is_cut ? count : 0;
}

static void
put_subject(struct slice message, size_t number, size_t total, struct buffer *out)
{
    struct header header;
    struct arena arena;

    arena_init(&arena, WORK_MAX);
    header_parse(&arena, message, &header);
    const struct field *subject = header_find(&header, FIELD_SUBJECT, NULL);
    buffer_put_text(out, "Subject: ");
    if (subject) {
        buffer_put(out, subject->body);
        buffer_put_byte(out, ' ');
    }
    buffer_put_byte(out, '(');
    buffer_put_decimal(out, number);
    buffer_put_byte(out, '/');
    buffer_put_decimal(out, total);
    buffer_put_text(out, ")\r\n");
    arena_finish(&arena);
}

void
mime_partial_put(const struct mime_partial *partial, size_t number, struct buffer *out)
{
    size_t total = mime_partial_count(partial);
    struct buffer inner;

    put_inner(partial->message, &inner);
    struct slice rest = buffer_slice(&inner), piece = cut(rest, partial->piece_max);
    for (size_t i = 1; i < number; i++) {
        rest = slice_skip(rest, piece.len);
        piece = cut(rest, partial->piece_max);
    }
    header_put_without(out, partial->message, is_of_content);
    put_subject(partial->message, number, total, out);
    buffer_put_text(out, "Message-ID: <");
    buffer_put_decimal(out, number);
    buffer_put_byte(out, '.');
    buffer_put(out, partial->id);
    buffer_put_text(out, ">\r\nMIME-Version: 1.0\r\nContent-Type: message/partial; number=");
    buffer_put_decimal(out, number);
    buffer_put_text(out, "; total=");
    buffer_put_decimal(out, total);
    buffer_put_text(out, ";\r\n id=\"");
    buffer_put(out, partial->id);
    buffer_put_text(out, "\"\r\n\r\n");
    buffer_put(out, piece);
    buffer_finish(&inner);
}

/* ---- joining ------------------------------------------------------------------------------- */

static uint32_t
number_of(struct slice text)
{
    uint32_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_digit(text.at[i]) || number > MIME_PARTIAL_PIECES_MAX)
            return 0;
        number = number * 10 + (uint32_t)(text.at[i] - '0');
    }
    return number <= MIME_PARTIAL_PIECES_MAX ? number : 0;
}

bool
mime_partial_is_piece(const struct mime_tree *tree, struct slice *ret_id, uint32_t *ret_number,
                      uint32_t *ret_total)
{
    const struct mime_content_type *type = &tree->parts[0].content_type;
    struct slice id = mime_parameters_find(type->parameters, SLICE("id"));
    uint32_t number = number_of(mime_parameters_find(type->parameters, SLICE("number")));

    if (!mime_content_type_is(type, "message", "partial") || id.len == 0 || number == 0)
        return false;
    *ret_id = id;
    *ret_number = number;
    *ret_total = number_of(mime_parameters_find(type->parameters, SLICE("total")));
    return true;
}

void
mime_partial_join(const struct mime_tree *const *pieces, size_t count, struct buffer *out)
{
    struct slice first = mime_part_body(pieces[0], &pieces[0]->parts[0]);
    struct header header;
    struct arena arena;

    arena_init(&arena, WORK_MAX);
    header_parse(&arena, first, &header);
    header_put_without(out, pieces[0]->message, is_of_content);
    header_put_without(out, first, is_of_journey);
    buffer_put_text(out, "\r\n");
    buffer_put(out, slice_skip(first, header.body_offset));
    for (size_t i = 1; i < count; i++)
        buffer_put(out, mime_part_body(pieces[i], &pieces[i]->parts[0]));
    arena_finish(&arena);
}
