/* SPDX-License-Identifier: ISC */
#include "client/reading.h"

#include "client/flowed.h"
#include "client/page.h"
#include "mime/decode.h"
#include "mime/encoded_word.h"
#include "text/utf8.h"

enum { FIELD_MAX = 4 << 20 };
#define TEXT_MAX ((size_t)1 << 30)

void
reading_put_line(struct slice body, struct buffer *out)
{
    struct buffer decoded;

    buffer_init(&decoded, FIELD_MAX);
    mime_encoded_words_decode(&decoded, body);
    utf8_put_printable(out, slice_trim(buffer_slice(&decoded)));
    buffer_finish(&decoded);
}

/* ---- text ---------------------------------------------------------------------------------- */

/* Lines stay; what could move a terminal's cursor or hide text does not. */
static void
put_lines(struct slice text, struct buffer *out)
{
    while (text.len > 0) {
        struct slice line = slice_first(text, slice_find_byte(text, '\n'));
        text = slice_skip(text, line.len + 1);
        if (slice_ends_with(line, SLICE("\r")))
            line.len--;
        for (struct slice rest = line;; rest = slice_skip(rest, 1)) { /* tabs may stay */
            struct slice piece = slice_first(rest, slice_find_byte(rest, '\t'));
            utf8_put_printable(out, piece);
            rest = slice_skip(rest, piece.len);
            if (rest.len == 0)
                break;
            buffer_put_byte(out, '\t');
        }
        buffer_put_byte(out, '\n');
    }
}

static void
put_text_part(const struct mime_tree *tree, const struct mime_part *part, struct buffer *out)
{
    struct mime_decoder *decoder =
        mime_decoder_open_text(mime_part_body(tree, part), part->encoding,
                               mime_content_type_charset(&part->content_type), NULL, 0);
    struct mime_parameters parameters = part->content_type.parameters;
    struct buffer text, shown;
    struct slice piece;

    buffer_init(&text, TEXT_MAX);
    buffer_init(&shown, TEXT_MAX);
    while (mime_decoder_next(decoder, &piece))
        buffer_put(&text, piece);
    mime_decoder_close(&decoder);
    if (mime_content_type_is(&part->content_type, "text", "html"))
        page_put(buffer_slice(&text), &shown);
    else if (slice_equal_nocase(mime_parameters_find(parameters, SLICE("format")), SLICE("flowed")))
        flowed_read(
            buffer_slice(&text),
            slice_equal_nocase(mime_parameters_find(parameters, SLICE("delsp")), SLICE("yes")),
            &shown);
    else
        buffer_put(&shown, buffer_slice(&text));
    put_lines(buffer_slice(&shown), out);
    buffer_finish(&text);
    buffer_finish(&shown);
}

/* Other texts of the message that are no files and no other form of one that is shown: the words
 * behind a picture, what a mailing list adds. */
static bool
is_more_text(const struct mime_tree *tree, uint32_t first, uint32_t index)
{
    const struct mime_part *part = &tree->parts[index];

    if (index <= first || part->kind != MIME_PART_LEAF ||
        mime_file_name(&part->disposition, &part->content_type).at != NULL ||
        slice_equal_nocase(part->disposition.type, SLICE("attachment")) ||
        !(mime_content_type_is(&part->content_type, "text", "plain") ||
          mime_content_type_is(&part->content_type, "text", "html")))
        return false;
    for (uint32_t above = part->parent; above != MIME_NO_PART; above = tree->parts[above].parent) {
        const struct mime_content_type *type = &tree->parts[above].content_type;
        if (tree->parts[above].kind == MIME_PART_MESSAGE ||
            mime_content_type_is(type, "multipart", "alternative") ||
            mime_content_type_is(type, "multipart", "related") ||
            mime_content_type_is(type, "multipart", "report") ||
            slice_equal_nocase(tree->parts[above].disposition.type, SLICE("attachment")))
            return false;
    }
    return true;
}

void
reading_put_text(const struct mime_tree *tree, struct buffer *out)
{
    uint32_t first = mime_tree_find_text(tree);

    if (first == MIME_NO_PART)
        return;
    /* What calendars say to calendars is told in other words (notice.h). */
    if (!mime_content_type_is(&tree->parts[first].content_type, "text", "calendar"))
        put_text_part(tree, &tree->parts[first], out);
    for (uint32_t i = first + 1; i < tree->count; i++) {
        if (!is_more_text(tree, first, i))
            continue;
        buffer_put_byte(out, '\n');
        put_text_part(tree, &tree->parts[i], out);
    }
}

/* ---- attachments --------------------------------------------------------------------------- */

bool
reading_is_attachment(const struct mime_tree *tree, uint32_t index)
{
    const struct mime_part *part = &tree->parts[index];
    uint32_t text = mime_tree_find_text(tree);

    /* What is inside of a message that is attached belongs to it. */
    for (uint32_t above = part->parent; above != MIME_NO_PART; above = tree->parts[above].parent) {
        if (tree->parts[above].kind == MIME_PART_MESSAGE)
            return false;
    }
    if (part->kind == MIME_PART_MESSAGE)
        return true;
    if (part->kind == MIME_PART_MULTIPART || index == text || is_more_text(tree, text, index))
        return false;
    if (mime_content_type_is(&part->content_type, "application", "pkcs7-signature") ||
        mime_content_type_is(&part->content_type, "application", "x-pkcs7-signature") ||
        mime_content_type_is(&part->content_type, "application", "pgp-signature"))
        return false;
    /* The other forms of what is shown, but not a file. */
    bool is_text = mime_content_type_is(&part->content_type, "text", "");
    bool has_name = mime_file_name(&part->disposition, &part->content_type).at != NULL;
    bool is_choice =
        part->parent != MIME_NO_PART &&
        mime_content_type_is(&tree->parts[part->parent].content_type, "multipart", "alternative");
    return !(is_text && is_choice && !has_name);
}

void
reading_put_name(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    const struct mime_part *part = &tree->parts[index];
    struct slice name = mime_file_name(&part->disposition, &part->content_type);

    if (name.at == NULL && part->kind == MIME_PART_MESSAGE)
        name = SLICE("message.eml");
    mime_file_name_put(out, name);
}

void
reading_put_part(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    const struct mime_part *part = &tree->parts[index];

    mime_decode(out, mime_part_body(tree, part), part->encoding, NULL, 0);
}
