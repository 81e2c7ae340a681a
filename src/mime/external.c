/* SPDX-License-Identifier: ISC */
#include "mime/external.h"

#include "mime/file_type.h"

enum { HEADER_MAX = 1 << 20 };

/* ---- reading ------------------------------------------------------------------------------- */

/* RFC 2017 §3: a URL has no blanks, so those in it were made to fold it. */
static struct slice
without_blanks(struct arena *arena, struct slice text)
{
    uint8_t *copy = arena_new(arena, text.len + 1);
    size_t len = 0;

    if (!copy)
        return SLICE("");
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != ' ' && text.at[i] != '\t' && text.at[i] != '\r' && text.at[i] != '\n')
            copy[len++] = text.at[i];
    }
    return slice_of(copy, len);
}

void
mime_external_parse(const struct mime_tree *tree, uint32_t index, struct arena *arena,
                    struct mime_external *ret_external)
{
    struct mime_parameters parameters = tree->parts[index].content_type.parameters;
    struct mime_external external = {
        .access = mime_parameters_find(parameters, SLICE("access-type")),
        .url = without_blanks(arena, mime_parameters_find(parameters, SLICE("url"))),
        .name = mime_parameters_find(parameters, SLICE("name")),
        .site = mime_parameters_find(parameters, SLICE("site")),
        .directory = mime_parameters_find(parameters, SLICE("directory")),
        .server = mime_parameters_find(parameters, SLICE("server")),
        .size = mime_parameters_find(parameters, SLICE("size")),
        .expiration = mime_parameters_find(parameters, SLICE("expiration")),
        .type = SLICE("text"),
        .subtype = SLICE("plain"),
    };
    struct mime_tree phantom;

    /* The "phantom" header of the body that is absent. */
    mime_tree_parse(mime_part_body(tree, &tree->parts[index]), arena, &phantom);
    if (phantom.count > 0) {
        const struct mime_part *root = &phantom.parts[0];
        external.type = root->content_type.type;
        external.subtype = root->content_type.subtype;
        external.file_name = mime_file_name(&root->disposition, &root->content_type);
    }
    *ret_external = external;
}

/* ---- making -------------------------------------------------------------------------------- */

/* RFC 3986 §3.1: scheme ":", and no octet that a URL must encode. */
static bool
is_url(struct slice text)
{
    size_t colon = slice_find_byte(text, ':');

    if (colon == 0 || colon + 1 >= text.len || !byte_is_alpha(text.at[0]))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        bool is_scheme =
            byte_is_alpha(byte) || byte_is_digit(byte) || byte == '+' || byte == '-' || byte == '.';
        if ((i < colon && !is_scheme) || byte <= ' ' || byte > '~' || byte == '"' || byte == '\\')
            return false;
    }
    return true;
}

/* The last segment of the path, its query and fragment cut; empty without a path. */
static struct slice
name_in(struct slice url)
{
    struct slice rest = slice_skip(url, slice_find_byte(url, ':') + 1);

    rest = slice_first(rest, slice_find_byte(rest, '#'));
    rest = slice_first(rest, slice_find_byte(rest, '?'));
    if (slice_starts_with(rest, SLICE("//"))) {
        rest = slice_skip(rest, 2);
        rest = slice_skip(rest, slice_find_byte(rest, '/'));
    }
    size_t slash = slice_find_last_byte(rest, '/');
    return slash < rest.len ? slice_skip(rest, slash + 1) : rest;
}

struct mime_draft *
mime_draft_new_external(struct arena *arena, struct slice url, struct slice id)
{
    struct buffer phantom;
    struct slice name = name_in(url);
    const char *type = mime_file_type(name);

    if (!is_url(url))
        return NULL;
    buffer_init(&phantom, HEADER_MAX);
    buffer_put_text(&phantom, "Content-Type: ");
    buffer_put_text(&phantom, type);
    buffer_put_text(&phantom, "\r\nContent-ID: <");
    buffer_put(&phantom, id);
    buffer_put_text(&phantom, ">\r\n");
    if (name.len > 0) {
        buffer_put_text(&phantom, "Content-Disposition: attachment");
        mime_parameter_put(&phantom, strlen("Content-Disposition: attachment"), SLICE("filename"),
                           name);
        buffer_put_text(&phantom, "\r\n");
    }
    buffer_put_text(&phantom, "\r\n");
    struct mime_draft *draft = mime_draft_new_verbatim(arena, "message/external-body",
                                                       arena_copy(arena, buffer_slice(&phantom)));
    buffer_finish(&phantom);
    if (draft) {
        mime_draft_add_parameter(draft, "access-type", SLICE("URL"));
        mime_draft_add_parameter(draft, "URL", url);
    }
    return draft;
}
