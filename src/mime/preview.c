/* SPDX-License-Identifier: ISC */
#include "mime/preview.h"

#include "mime/decode.h"
#include "text/utf8.h"

/* How much of a part is looked at: HTML can begin with much that is not text. */
enum { LOOK_MAX = 4 * 1024, LOOK_HTML_MAX = 64 * 1024 };

/* And in what pieces: the first is enough for most. */
enum { PIECE = 256, PIECE_HTML = 2 * 1024 };

struct preview {
    struct buffer *out;
    size_t characters;
    bool needs_blank;
    bool is_html;
    /* Plain text. */
    bool is_line_start;
    bool is_quoted_line;
    /* HTML. */
    bool is_in_tag;
    bool is_tag_name_over;
    uint8_t tag_len;
    uint8_t tag[8];      /* its name in lower case, cut */
    struct slice hidden; /* inside <style>, <script>, <head>, <title>: until this one's end tag */
    bool is_in_entity;
    uint8_t entity_len;
    uint8_t entity[8];
};

/* Takes one character; most are US-ASCII. */
static bool
take_character(struct cursor *cursor, uint32_t *ret_character)
{
    if (cursor_is_done(cursor) || *cursor->at > 127)
        return utf8_take(cursor, ret_character);
    *ret_character = *cursor->at++;
    return true;
}

static bool
is_full(const struct preview *preview)
{
    return preview->characters >= MIME_PREVIEW_CHARACTERS;
}

/* Blanks, controls, and what is put between letters to be unseen (soft hyphens, joiners). */
static bool
is_blank(uint32_t character)
{
    if (character > ' ' && character < 127)
        return false;
    return character <= 127 || character == 0xA0 || character == 0xAD || character == 0x034F ||
           (character >= 0x200B && character <= 0x200F) || character == 0xFEFF;
}

static void
put_character(struct preview *preview, uint32_t character)
{
    if (is_blank(character)) {
        preview->needs_blank = preview->needs_blank || preview->characters > 0;
        return;
    }
    if (preview->needs_blank) {
        buffer_put_byte(preview->out, ' ');
        preview->characters++;
        preview->needs_blank = false;
    }
    if (is_full(preview))
        return;
    if (character < 128)
        buffer_put_byte(preview->out, (uint8_t)character);
    else
        utf8_put(preview->out, character);
    preview->characters++;
}

static void
plain_character(struct preview *preview, uint32_t character)
{
    if (preview->is_line_start)
        preview->is_quoted_line = character == '>';
    preview->is_line_start = character == '\n';
    if (!preview->is_quoted_line)
        put_character(preview, character);
    else if (character == '\n')
        put_character(preview, ' ');
}

static bool
is_letter(uint32_t character)
{
    return character > ' ' && character < 127;
}

/* Behind a letter that was put: copies those that follow it, which need no second look. */
static void
put_rest_of_word(struct preview *preview, struct cursor *cursor)
{
    struct slice rest = cursor_rest(cursor);
    size_t room = MIME_PREVIEW_CHARACTERS - preview->characters, len = 0;

    while (len < rest.len && len < room && is_letter(rest.at[len]))
        len++;
    buffer_put(preview->out, slice_first(rest, len));
    preview->characters += len;
    cursor->at += len;
}

/* The elements whose content nobody sees. */
static const struct slice hidden_elements[] = {SLICE("style"), SLICE("script"), SLICE("head"),
                                               SLICE("title")};

static void
end_tag_seen(struct preview *preview)
{
    struct slice name = slice_of(preview->tag, preview->tag_len);

    preview->is_in_tag = false;
    preview->needs_blank = preview->needs_blank || preview->characters > 0;
    if (preview->hidden.len > 0) {
        if (name.len > 1 && name.at[0] == '/' && slice_equal(slice_skip(name, 1), preview->hidden))
            preview->hidden.len = 0;
        return;
    }
    for (size_t i = 0; i < COUNT_OF(hidden_elements); i++)
        if (slice_equal(name, hidden_elements[i]))
            preview->hidden = hidden_elements[i];
}

/* Keeps the name of the tag: what comes before the first blank. */
static void
tag_character(struct preview *preview, uint32_t character)
{
    bool is_first = preview->tag_len == 0 && !preview->is_tag_name_over;

    if (preview->hidden.len > 0 && is_first && character != '/') {
        preview->is_in_tag = false; /* in a script: "if (a < b)" */
    } else if (character == '>') {
        end_tag_seen(preview);
    } else if (character <= ' ' || preview->tag_len == sizeof(preview->tag)) {
        preview->is_tag_name_over = true;
    } else if (!preview->is_tag_name_over) {
        preview->tag[preview->tag_len++] = byte_to_lower((uint8_t)(character & 0x7F));
    }
}

/* The few entities that open mails; others are dropped. */
static void
entity_character(struct preview *preview, uint32_t character)
{
    static const struct {
        struct slice name;
        uint32_t character;
    } entities[] = {
        {SLICE("nbsp"), ' '}, {SLICE("amp"), '&'},  {SLICE("lt"), '<'},
        {SLICE("gt"), '>'},   {SLICE("quot"), '"'}, {SLICE("apos"), '\''},
    };
    struct slice name = slice_of(preview->entity, preview->entity_len);

    if (character != ';' && character > ' ' && character < 127 &&
        preview->entity_len < sizeof(preview->entity)) {
        preview->entity[preview->entity_len++] = (uint8_t)character;
        return;
    }
    preview->is_in_entity = false;
    struct cursor digits = cursor_of(name);
    uint32_t number = 0;
    if (cursor_take_byte(&digits, '#') && cursor_take_u32(&digits, 1, 0x10FFFF, &number) &&
        cursor_is_done(&digits)) {
        put_character(preview, number);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(entities); i++)
        if (slice_equal(name, entities[i].name))
            put_character(preview, entities[i].character);
}

static void
html_character(struct preview *preview, uint32_t character)
{
    if (preview->is_in_tag) {
        tag_character(preview, character);
    } else if (character == '<') {
        preview->is_in_tag = true;
        preview->tag_len = 0;
        preview->is_tag_name_over = false;
    } else if (preview->hidden.len > 0) {
        return;
    } else if (preview->is_in_entity) {
        entity_character(preview, character);
    } else if (character == '&') {
        preview->is_in_entity = true;
        preview->entity_len = 0;
    } else {
        put_character(preview, character);
    }
}

void
mime_preview_put(struct buffer *buffer, const struct mime_tree *tree)
{
    uint32_t index = mime_tree_find_text(tree);

    if (index == MIME_NO_PART)
        return;
    const struct mime_part *part = &tree->parts[index];
    struct preview preview = {
        .out = buffer,
        .is_line_start = true,
        .is_html = mime_content_type_is(&part->content_type, "text", "html"),
    };
    struct mime_decoder *decoder = mime_decoder_open_text(
        slice_first(mime_part_body(tree, part), preview.is_html ? LOOK_HTML_MAX : LOOK_MAX),
        part->encoding, mime_content_type_charset(&part->content_type), NULL, 0);
    struct slice piece;
    mime_decoder_set_piece(decoder, preview.is_html ? PIECE_HTML : PIECE);
    while (!is_full(&preview) && mime_decoder_next(decoder, &piece)) {
        struct cursor cursor = cursor_of(piece);
        uint32_t character;
        while (!is_full(&preview) && take_character(&cursor, &character)) {
            if (preview.is_html) {
                html_character(&preview, character);
                continue;
            }
            plain_character(&preview, character);
            if (is_letter(character) && !preview.is_quoted_line)
                put_rest_of_word(&preview, &cursor);
        }
    }
    mime_decoder_close(&decoder);
}
