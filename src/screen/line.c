/* SPDX-License-Identifier: ISC */
#include "screen/line.h"

#include "text/utf8.h"

void
line_init(struct line *line)
{
    *line = (struct line){0};
    buffer_init(&line->text, LINE_MAX_OCTETS);
}

void
line_finish(struct line *line)
{
    buffer_finish(&line->text);
}

void
line_set(struct line *line, struct slice text)
{
    buffer_clear(&line->text);
    utf8_put_printable(&line->text, utf8_first(text, LINE_MAX_OCTETS / 3));
    line->cursor = buffer_len(&line->text);
}

void
line_replace(struct line *line, size_t start, struct slice text)
{
    struct slice old = buffer_slice(&line->text);
    struct buffer whole;

    if (old.len - (line->cursor - start) + text.len > LINE_MAX_OCTETS)
        return;
    buffer_init(&whole, LINE_MAX_OCTETS);
    buffer_put(&whole, slice_first(old, start));
    buffer_put(&whole, text);
    buffer_put(&whole, slice_skip(old, line->cursor));
    buffer_finish(&line->text);
    line->text = whole;
    line->cursor = start + text.len;
}

/* Where the character before, or behind, the cursor begins, or ends. */
static size_t
before(const struct line *line)
{
    struct slice text = slice_first(line_text(line), line->cursor);
    struct cursor cursor = cursor_of(text);
    struct slice cluster = slice_of(text.at, 0);
    unsigned columns;

    while (width_take(&cursor, &cluster, &columns)) {
    }
    return line->cursor - cluster.len;
}

static size_t
behind(const struct line *line)
{
    struct cursor cursor = cursor_of(slice_skip(line_text(line), line->cursor));
    struct slice cluster;
    unsigned columns;

    return line->cursor + (width_take(&cursor, &cluster, &columns) ? cluster.len : 0);
}

static size_t
word_before(const struct line *line)
{
    struct slice text = line_text(line);
    size_t at = line->cursor;

    while (at > 0 && text.at[at - 1] == ' ')
        at--;
    while (at > 0 && text.at[at - 1] != ' ')
        at--;
    return at;
}

static void
erase(struct line *line, size_t start, size_t end)
{
    line->cursor = end;
    line_replace(line, start, SLICE(""));
}

static bool
press_character(struct line *line, uint32_t character)
{
    struct buffer text;

    switch (character) {
    case KEY_CONTROL('A'):
        line->cursor = 0;
        return true;
    case KEY_CONTROL('E'):
        line->cursor = buffer_len(&line->text);
        return true;
    case KEY_CONTROL('K'):
        erase(line, line->cursor, buffer_len(&line->text));
        return true;
    case KEY_CONTROL('U'):
        erase(line, 0, line->cursor);
        return true;
    case KEY_CONTROL('W'):
        erase(line, word_before(line), line->cursor);
        return true;
    default:
        break;
    }
    if (character < 0x20 || character == 0x7F)
        return false;
    buffer_init(&text, 8);
    utf8_put(&text, character);
    line_replace(line, line->cursor, buffer_slice(&text));
    buffer_finish(&text);
    return true;
}

bool
line_press(struct line *line, const struct key *key)
{
    switch ((int)key->kind) {
    case PRESS_CHARACTER:
        return press_character(line, key->character);
    case PRESS_BACKSPACE:
        erase(line, before(line), line->cursor);
        return true;
    case PRESS_DELETE:
        erase(line, line->cursor, behind(line));
        return true;
    case PRESS_LEFT:
        line->cursor = before(line);
        return true;
    case PRESS_RIGHT:
        line->cursor = behind(line);
        return true;
    case PRESS_HOME:
        line->cursor = 0;
        return true;
    case PRESS_END:
        line->cursor = buffer_len(&line->text);
        return true;
    default:
        return false;
    }
}

void
line_draw(const struct line *line, struct canvas *canvas, size_t row, size_t column, size_t columns)
{
    struct slice text = line_text(line), cluster;
    struct cursor cursor = cursor_of(text);
    size_t left = width_of(slice_first(text, line->cursor));
    unsigned width;

    while (left + 1 > columns && width_take(&cursor, &cluster, &width))
        left -= width;
    canvas_put_field(canvas, row, column, columns, INK_TEXT, cursor_rest(&cursor));
    canvas->has_cursor = true;
    canvas->cursor_row = row;
    canvas->cursor_column = column + left;
}
