/* SPDX-License-Identifier: ISC */
#include "tool/letter.h"

#include "mime/encoded_word.h"
#include "tool/files.h"
#include "tool/say.h"

#include <sysexits.h>

enum { ARENA_MAX = 256 << 20 };

int
letter_open(const char *path, struct letter *ret_letter)
{
    arena_init(&ret_letter->arena, ARENA_MAX);
    int code = files_read_or_stdin(path, LETTER_MAX, &ret_letter->content);
    if (code != EX_OK)
        return code;
    struct slice content = buffer_slice(&ret_letter->content);
    if (slice_is_empty(content))
        return say_error(EX_NOINPUT, "%s is empty; give a file with one message", path);
    ret_letter->has_unix_lines = slice_find(content, SLICE("\r\n")) == content.len;
    mime_tree_parse(content, &ret_letter->arena, &ret_letter->tree);
    return ret_letter->tree.count > 0
               ? EX_OK
               : say_error(EX_DATAERR, "%s has too many header fields to be looked at", path);
}

void
letter_finish(struct letter *letter)
{
    buffer_finish(&letter->content);
    arena_finish(&letter->arena);
}

void
letter_put_field(const struct letter *letter, enum field_id id, struct buffer *out)
{
    const struct header *header = letter->tree.parts[0].fields;
    const struct field *field = header ? header_find(header, id, NULL) : NULL;

    if (field)
        mime_encoded_words_decode(out, field->body);
}
