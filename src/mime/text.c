/* SPDX-License-Identifier: ISC */
#include "mime/text.h"

#include "mime/decode.h"
#include "mime/encoded_word.h"
#include "mime/html.h"
#include "text/utf8.h"

struct teller {
    const struct mime_tree *tree;
    mime_text_fn fn;
    void *context;
    struct buffer text; /* scratch */
    bool is_over;
};

static void
tell(struct teller *teller, struct slice text)
{
    if (!teller->is_over && text.len)
        teller->is_over = !teller->fn(teller->context, text);
}

/* Signatures are random letters: no text that anybody looks for. */
static bool
is_signature(const struct field *field)
{
    return field->id == FIELD_ARC_MESSAGE_SIGNATURE || field->id == FIELD_ARC_SEAL ||
           slice_ends_with_nocase(field->name, SLICE("DKIM-Signature"));
}

/* Tells what may have encoded words or octets of any kind in it. */
static void
tell_words(struct teller *teller, struct slice text)
{
    buffer_clear(&teller->text);
    if (mime_encoded_words_present(text))
        mime_encoded_words_decode(&teller->text, text);
    else
        buffer_put(&teller->text, text);
    buffer_put_byte(&teller->text, '\n');
    tell(teller, buffer_slice(&teller->text));
}

static void
tell_fields(struct teller *teller, const struct header *header)
{
    for (size_t i = 0; i < header->count && !teller->is_over; i++) {
        const struct field *field = &header->fields[i];
        if (is_signature(field))
            continue;
        if (field->kind != FIELD_KIND_FIELD) { /* shown with the header, and to be found there */
            tell_words(teller, slice_trim(field->raw));
            continue;
        }
        if (utf8_is_valid(field->name))
            tell(teller, field->name);
        tell(teller, SLICE(": "));
        tell_words(teller, field->body);
    }
}

static void
tell_content(struct teller *teller, const struct mime_part *part)
{
    bool is_html = mime_content_type_is(&part->content_type, "text", "html");
    struct mime_html html = {0};
    struct mime_decoder *decoder =
        mime_decoder_open_text(mime_part_body(teller->tree, part), part->encoding,
                               mime_content_type_charset(&part->content_type), NULL, 0);
    struct slice piece;

    while (!teller->is_over && mime_decoder_next(decoder, &piece)) {
        if (!is_html) {
            tell(teller, piece);
            continue;
        }
        buffer_clear(&teller->text);
        mime_html_feed(&html, piece, &teller->text);
        tell(teller, buffer_slice(&teller->text));
    }
    mime_decoder_close(&decoder);
    buffer_clear(&teller->text);
    mime_html_finish(&html, &teller->text);
    buffer_put_byte(&teller->text, '\n');
    tell(teller, buffer_slice(&teller->text));
}

/* Of a leaf that is no text, "message/delivery-status" and the like can be read. */
static bool
is_readable(const struct mime_part *part)
{
    return part->kind == MIME_PART_LEAF &&
           (mime_content_type_is(&part->content_type, "text", "") ||
            mime_content_type_is(&part->content_type, "message", ""));
}

static struct teller
teller_of(const struct mime_tree *tree, mime_text_fn fn, void *context)
{
    struct teller teller = {.tree = tree, .fn = fn, .context = context};

    buffer_init(&teller.text, SIZE_MAX / 4);
    return teller;
}

void
mime_text_head(const struct mime_tree *tree, mime_text_fn fn, void *context)
{
    struct teller teller = teller_of(tree, fn, context);

    if (tree->count && tree->parts[0].fields)
        tell_fields(&teller, tree->parts[0].fields);
    buffer_finish(&teller.text);
}

void
mime_text_body(const struct mime_tree *tree, mime_text_fn fn, void *context)
{
    struct teller teller = teller_of(tree, fn, context);

    for (size_t i = 0; i < tree->count && !teller.is_over; i++) {
        const struct mime_part *part = &tree->parts[i];
        struct slice file_name = mime_file_name(&part->disposition, &part->content_type);
        if (i > 0 && part->fields)
            tell_fields(&teller, part->fields);
        if (file_name.at)
            tell_words(&teller, file_name);
        if (part->description.at)
            tell_words(&teller, part->description);
        if (is_readable(part))
            tell_content(&teller, part);
    }
    buffer_finish(&teller.text);
}
