/* SPDX-License-Identifier: ISC */
/* The words of a line: blanks divide, double quotes hold together, # begins a comment. */
#include "directory/line.h"

#include "text/utf8.h"

/* Octets of a problem's place that are shown. */
enum { PLACE_MAX = 80 };

bool
directory_text_is_sound(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x20 || text.at[i] == 0x7F)
            return false;
    }
    return utf8_is_valid(text);
}

static bool
damaged(struct directory_line *line, struct slice place, const char *what)
{
    if (!line->damage) {
        line->damage = what;
        line->place = place;
    }
    return false;
}

/* Takes "…" and undoes \" and \\. */
static bool
take_quoted(struct cursor *cursor, struct arena *arena, struct slice *ret_text)
{
    struct slice rest = cursor_rest(cursor);
    size_t end = 1, len = 0;

    while (end < rest.len && rest.at[end] != '"')
        end += rest.at[end] == '\\' ? 2 : 1;
    if (end >= rest.len)
        return false;
    uint8_t *text = arena_new(arena, end);
    if (!text)
        return false;
    for (size_t i = 1; i < end; i++) {
        if (rest.at[i] == '\\' && rest.at[++i] != '"' && rest.at[i] != '\\')
            return false;
        if (rest.at[i] == '\t') /* blanks divide words; in one they would be shown to people */
            return false;
        text[len++] = rest.at[i];
    }
    *ret_text = slice_of(text, len);
    cursor->at += end + 1;
    return cursor_is_done(cursor) || cursor_peek(cursor) == ' ' || cursor_peek(cursor) == '\t';
}

/* Takes octets up to a blank, or up to and without an equals sign when `is_key`. */
static struct slice
take_bare(struct cursor *cursor, bool is_key)
{
    struct slice rest = cursor_rest(cursor), word = {0};
    size_t len = 0;

    while (len < rest.len && rest.at[len] != ' ' && rest.at[len] != '\t' &&
           !(is_key && rest.at[len] == '='))
        len++;
    (void)!cursor_take_bytes(cursor, len, &word);
    return word;
}

/* A value or a name: quoted or not. */
static bool
take_word(struct directory_line *line, struct cursor *cursor, struct arena *arena,
          struct slice *ret_word)
{
    struct slice place = cursor_rest(cursor);

    if (cursor_peek(cursor) != '"') {
        *ret_word = take_bare(cursor, false);
        return true;
    }
    if (take_quoted(cursor, arena, ret_word))
        return true;
    return damaged(line, place,
                   "expected a closing double quote, then a blank; no tabs; inside, \\\" and \\\\");
}

static bool
at_end(struct cursor *cursor)
{
    cursor_skip_blanks(cursor);
    return cursor_is_done(cursor) || cursor_peek(cursor) == '#';
}

static bool
take_fields(struct directory_line *line, struct cursor *cursor, struct arena *arena)
{
    while (!at_end(cursor)) {
        struct slice place = cursor_rest(cursor);
        struct directory_field field = {.key = take_bare(cursor, true)};
        if (field.key.len == 0)
            return damaged(line, place, "expected a field as key=value");
        if (cursor_take_byte(cursor, '=')) {
            field.has_value = true;
            if (!take_word(line, cursor, arena, &field.value))
                return false;
        }
        if (line->count == DIRECTORY_FIELDS_MAX)
            return damaged(line, place, "expected no more than 32 fields");
        line->fields[line->count++] = field;
    }
    return true;
}

/* `ids` and `installation` have fields at once; all other kinds name something first. */
static bool
kind_takes_name(struct slice kind)
{
    return !slice_equal(kind, SLICE("ids")) && !slice_equal(kind, SLICE("installation"));
}

static void
parse_line(struct directory_line *line, struct arena *arena)
{
    struct slice text = line->raw;

    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.at[text.len - 1] == '\r')
        text.len--;
    struct cursor cursor = cursor_of(text);
    if (at_end(&cursor))
        return;
    line->kind = take_bare(&cursor, false);
    cursor_skip_blanks(&cursor);
    if (kind_takes_name(line->kind) &&
        (at_end(&cursor) || !take_word(line, &cursor, arena, &line->name))) {
        damaged(line, text, "expected a name behind the first word");
        return;
    }
    if (text.len > DIRECTORY_LINE_MAX) {
        damaged(line, text, "expected a shorter line");
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((text.at[i] < 0x20 && text.at[i] != '\t') || text.at[i] == 0x7F) {
            damaged(line, slice_skip(text, i), "expected no control characters");
            return;
        }
    }
    if (!utf8_is_valid(text))
        damaged(line, slice_skip(text, utf8_valid_len(text)), "expected UTF-8");
    else
        take_fields(line, &cursor, arena);
}

bool
directory_line_take(struct cursor *file, size_t *number, struct arena *arena,
                    struct directory_line *ret_line)
{
    struct slice rest = cursor_rest(file), raw;

    if (rest.len == 0)
        return false;
    size_t len = slice_find_byte(rest, '\n');
    if (!cursor_take_bytes(file, len < rest.len ? len + 1 : len, &raw))
        return false;
    ret_line->number = ++*number;
    ret_line->raw = raw;
    ret_line->kind = ret_line->name = ret_line->place = SLICE("");
    ret_line->count = 0;
    ret_line->damage = NULL;
    parse_line(ret_line, arena);
    return true;
}

const struct directory_field *
directory_line_find(const struct directory_line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++) {
        if (line->fields[i].has_value && slice_equal(line->fields[i].key, slice_of_string(key)))
            return &line->fields[i];
    }
    return NULL;
}

bool
directory_line_has(const struct directory_line *line, const char *word)
{
    for (size_t i = 0; i < line->count; i++) {
        if (!line->fields[i].has_value && slice_equal(line->fields[i].key, slice_of_string(word)))
            return true;
    }
    return false;
}

/* Length of the part up to the next comma that is not inside double quotes. */
static size_t
part_len(struct slice value)
{
    bool is_quoted = false;
    size_t len = 0;

    while (len < value.len && (is_quoted || value.at[len] != ',')) {
        if (value.at[len] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && value.at[len] == '\\' && len + 1 < value.len)
            len++;
        len++;
    }
    return len;
}

bool
directory_value_split(struct arena *arena, struct slice value, size_t max,
                      const struct slice **ret_parts, size_t *ret_count)
{
    size_t count = 1;

    for (struct slice rest = value; part_len(rest) < rest.len;
         rest = slice_skip(rest, part_len(rest) + 1))
        count++;
    if (count > max)
        return false;
    struct slice *parts = ARENA_ARRAY(arena, struct slice, count);
    if (!parts)
        return false;
    for (size_t i = 0; i < count; i++) {
        parts[i] = slice_trim(slice_first(value, part_len(value)));
        value = slice_skip(value, part_len(value) + 1);
        if (parts[i].len == 0)
            return false;
    }
    *ret_parts = parts;
    *ret_count = count;
    return true;
}

void
directory_put_word(struct buffer *buffer, struct slice word)
{
    bool is_bare = word.len > 0 && word.at[0] != '#' && slice_find_byte(word, '"') == word.len;

    for (size_t i = 0; is_bare && i < word.len; i++)
        is_bare = word.at[i] != ' ' && word.at[i] != '\t' && word.at[i] != '\\';
    if (is_bare) {
        buffer_put(buffer, word);
        return;
    }
    buffer_put_byte(buffer, '"');
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '"' || word.at[i] == '\\')
            buffer_put_byte(buffer, '\\');
        buffer_put_byte(buffer, word.at[i]);
    }
    buffer_put_byte(buffer, '"');
}

void
directory_put_field(struct buffer *buffer, const char *key, struct slice value)
{
    buffer_put_byte(buffer, ' ');
    buffer_put_text(buffer, key);
    buffer_put_byte(buffer, '=');
    directory_put_word(buffer, value);
}

void
directory_problem_add(struct directory_problems *problems, struct arena *arena, size_t line,
                      struct slice place, const char *what)
{
    if (problems->count < DIRECTORY_PROBLEMS_MAX) {
        size_t len = place.len < PLACE_MAX ? place.len : PLACE_MAX;
        uint8_t *copy = arena_new(arena, len + 1);
        for (size_t i = 0; copy && i < len; i++)
            copy[i] = place.at[i] < 0x20 || place.at[i] >= 0x7F ? '?' : place.at[i];
        problems->at[problems->count] =
            (struct directory_problem){line, slice_of(copy, copy ? len : 0), what};
    }
    problems->count++;
}
