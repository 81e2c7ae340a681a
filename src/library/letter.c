/* SPDX-License-Identifier: ISC */
#include "client/reading.h"
#include "library/library_private.h"
#include "mime/external.h"

#include <stdlib.h>

enum { LETTER_ARENA_MAX = 1 << 30, FIELD_TEXT_MAX = 4 << 20 };
#define TEXT_MAX ((size_t)1 << 30)

struct facteur_letter {
    struct arena arena; /* of the tree and of all that was handed out */
    struct mime_tree tree;
};

struct facteur_letter *
facteur_letter_open(const char *message, size_t len)
{
    struct facteur_letter *letter = calloc(1, sizeof(*letter));

    if (!letter)
        abort();
    arena_init(&letter->arena, LETTER_ARENA_MAX);
    mime_tree_parse(slice_of(message, len), &letter->arena, &letter->tree);
    if (letter->tree.count == 0)
        facteur_letter_close(&letter);
    return letter;
}

void
facteur_letter_close(struct facteur_letter **letter)
{
    if (!*letter)
        return;
    arena_finish(&(*letter)->arena);
    free(*letter);
    *letter = NULL;
}

/* The letter's own copy of what was put; frees the buffer. */
static const char *
keep(struct facteur_letter *letter, struct buffer *text)
{
    const char *kept = arena_copy_string(&letter->arena, buffer_slice(text));

    buffer_finish(text);
    return kept ? kept : "";
}

const char *
facteur_letter_field(struct facteur_letter *letter, const char *name)
{
    const struct header *header = letter->tree.parts[0].fields;
    const struct field *field = NULL;
    struct slice wanted = slice_of_string(name);
    struct buffer text;

    if (header && field_id_of(wanted) != FIELD_OTHER)
        field = header_find(header, field_id_of(wanted), NULL);
    else if (header)
        field = header_find_name(header, wanted, NULL);
    if (!field)
        return "";
    buffer_init(&text, FIELD_TEXT_MAX);
    reading_put_line(field->body, &text);
    return keep(letter, &text);
}

const char *
facteur_letter_text(struct facteur_letter *letter)
{
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    reading_put_text(&letter->tree, &text);
    return keep(letter, &text);
}

size_t
facteur_letter_attachments(const struct facteur_letter *letter)
{
    size_t count = 0;

    for (uint32_t i = 0; i < letter->tree.count; i++)
        count += reading_is_attachment(&letter->tree, i);
    return count;
}

/* The part that is the attachment of this number. */
static uint32_t
find_attachment(const struct facteur_letter *letter, size_t index)
{
    uint32_t part = 0;

    for (size_t left = index + 1; part < letter->tree.count; part++) {
        if (reading_is_attachment(&letter->tree, part) && --left == 0)
            break;
    }
    return part;
}

/* Where the body is that stands elsewhere; NULL when it is to be had in another way. */
static const char *
url_of(struct facteur_letter *letter, uint32_t part)
{
    struct mime_external external;
    struct buffer text;

    mime_external_parse(&letter->tree, part, &letter->arena, &external);
    if (external.url.len == 0)
        return NULL;
    buffer_init(&text, FIELD_TEXT_MAX);
    reading_put_line(external.url, &text);
    return keep(letter, &text);
}

bool
facteur_letter_attachment(struct facteur_letter *letter, size_t index,
                          struct facteur_attachment *ret_attachment)
{
    uint32_t part = find_attachment(letter, index);
    struct facteur_attachment attachment = {0};
    struct buffer text;

    if (part == letter->tree.count)
        return false;
    const struct mime_content_type *type = &letter->tree.parts[part].content_type;
    buffer_init(&text, FIELD_TEXT_MAX);
    reading_put_name(&letter->tree, part, &text);
    attachment.name = keep(letter, &text);
    buffer_init(&text, FIELD_TEXT_MAX);
    buffer_put(&text, type->type);
    buffer_put_byte(&text, '/');
    buffer_put(&text, type->subtype);
    attachment.type = keep(letter, &text);
    buffer_init(&text, TEXT_MAX);
    reading_put_part(&letter->tree, part, &text);
    attachment.len = buffer_len(&text);
    attachment.data = keep(letter, &text);
    if (mime_content_type_is(type, "message", "external-body"))
        attachment.url = url_of(letter, part);
    *ret_attachment = attachment;
    return true;
}
