/* SPDX-License-Identifier: ISC */
#include "tool/lab/log.h"

#include "base/buffer.h"

static struct slice
unquote(struct slice text, struct arena *arena)
{
    struct buffer plain;

    if (slice_find_byte(text, '\\') == text.len)
        return text;
    buffer_init(&plain, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\\' && i + 1 < text.len)
            i++;
        buffer_put_byte(&plain, text.at[i]);
    }
    struct slice copy = arena_copy(arena, buffer_slice(&plain));
    buffer_finish(&plain);
    return copy;
}

/* Behind the first quote: up to the one that ends it. */
static size_t
quoted_len(struct slice text)
{
    size_t i = 0;

    while (i < text.len && text.at[i] != '"')
        i += text.at[i] == '\\' ? 2 : 1;
    return i < text.len ? i : text.len;
}

bool
lab_log_take(struct slice *text, struct arena *arena, struct lab_log_line *ret_line)
{
    size_t end = slice_find_byte(*text, '\n');
    struct slice rest = slice_first(*text, end);
    size_t time = slice_find_byte(rest, ' ');

    if (text->len == 0)
        return false;
    *text = slice_skip(*text, end + 1);
    *ret_line = (struct lab_log_line){.time = slice_first(rest, time)};
    rest = slice_skip(rest, time + 1);
    while (rest.len > 0 && ret_line->count < LAB_LOG_FIELDS_MAX) {
        struct lab_log_field *field = &ret_line->fields[ret_line->count++];
        size_t equals = slice_find_byte(rest, '=');
        field->key = slice_first(rest, equals);
        rest = slice_skip(rest, equals + 1);
        if (rest.len > 0 && rest.at[0] == '"') {
            size_t len = quoted_len(slice_skip(rest, 1));
            field->value = unquote(slice_between(rest, 1, 1 + len), arena);
            rest = slice_skip(rest, len + 3); /* both quotes and the blank behind */
        } else {
            size_t len = slice_find_byte(rest, ' ');
            field->value = slice_first(rest, len);
            rest = slice_skip(rest, len + 1);
        }
    }
    return true;
}

struct slice
lab_log_value(const struct lab_log_line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++) {
        if (slice_equal(line->fields[i].key, slice_of_string(key)))
            return line->fields[i].value;
    }
    return SLICE("");
}

bool
lab_log_is(const struct lab_log_line *line, const char *key, struct slice value)
{
    return slice_equal(lab_log_value(line, key), value);
}
