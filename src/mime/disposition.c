/* SPDX-License-Identifier: ISC */
#include "mime/disposition.h"

#include "base/cursor.h"
#include "message/lexer.h"
#include "text/utf8.h"

/* disposition := disposition-type *(";" disposition-parm) (RFC 2183 2). */
struct mime_disposition
mime_disposition_parse(struct slice body, struct arena *arena, const struct mime_place *place)
{
    struct mime_disposition result = {0};
    struct cursor cursor = cursor_of(body);

    lexer_skip_cfws(&cursor);
    const uint8_t *start = cursor.at;
    while (!cursor_is_done(&cursor) && *cursor.at != ';' && *cursor.at != '(' &&
           *cursor.at != '"' && *cursor.at != '=' && !lexer_blanks[*cursor.at])
        cursor.at++;
    result.type = slice_of(start, (size_t)(cursor.at - start));
    lexer_skip_cfws(&cursor);
    bool is_parameter = cursor_peek(&cursor) == '=';
    if (slice_is_empty(result.type) || is_parameter) {
        mime_defects_add(place->defects, MIME_DEFECT_DISPOSITION, (size_t)(start - place->message));
        /* RFC 2183 2.8: what is not known is an attachment. `filename=x` alone occurs. */
        result.type = SLICE("attachment");
        if (is_parameter)
            cursor.at = start;
    }
    result.written = mime_parameters_take(&cursor, arena, place);
    result.parameters = mime_parameters_resolve(result.written, arena, place->defects,
                                                (size_t)(body.at - place->message));
    return result;
}

struct slice
mime_file_name(const struct mime_disposition *disposition,
               const struct mime_content_type *content_type)
{
    struct slice name = mime_parameters_find(disposition->parameters, SLICE("filename"));

    return name.at ? name : mime_parameters_find(content_type->parameters, SLICE("name"));
}

enum { FILE_NAME_MAX = 200 };

/* What separates folders anywhere, and what shells and Windows trip over. */
static byte_set path_marks = {['/'] = true, ['\\'] = true, [':'] = true, ['*'] = true, ['?'] = true,
                              ['"'] = true, ['<'] = true,  ['>'] = true, ['|'] = true};

static bool
is_unsafe(uint32_t character)
{
    return !utf8_is_printable(character) || (character < 0x80 && path_marks[character]);
}

void
mime_file_name_put(struct buffer *buffer, struct slice name)
{
    size_t start = buffer_len(buffer);

    if (!name.at)
        name = SLICE("");
    for (size_t i = name.len; i > 0; i--)
        if (name.at[i - 1] == '/' || name.at[i - 1] == '\\') {
            name = slice_skip(name, i);
            break;
        }
    name = slice_trim(name);
    while (name.len > 0 && (name.at[0] == '.' || name.at[0] == '-' || name.at[0] == ' '))
        name = slice_skip(name, 1);
    while (name.len > 0 && (name.at[name.len - 1] == '.' || name.at[name.len - 1] == ' '))
        name.len--;
    name = utf8_first(slice_first(name, utf8_valid_len(name)), FILE_NAME_MAX);
    struct cursor cursor = cursor_of(name);
    for (uint32_t character; utf8_take(&cursor, &character);)
        utf8_put(buffer, is_unsafe(character) ? '_' : character);
    if (buffer_len(buffer) == start)
        buffer_put_text(buffer, "attachment");
}
