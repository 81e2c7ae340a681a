/* SPDX-License-Identifier: ISC */
#include "screen/sheet.h"

#include "screen/head.h"

#include <stdlib.h>

enum { TAB_COLUMNS = 8, LABEL_COLUMNS = 10, COLUMNS_MAX = 100 };
#define SHEET_MAX ((size_t)1 << 31)

void
sheet_init(struct sheet *sheet)
{
    *sheet = (struct sheet){0};
    buffer_init(&sheet->text, SHEET_MAX);
}

void
sheet_finish(struct sheet *sheet)
{
    buffer_finish(&sheet->text);
    free(sheet->lines);
    *sheet = (struct sheet){0};
}

/* ---- lines --------------------------------------------------------------------------------- */

static void
add_line(struct sheet *sheet, struct slice text, enum ink ink, uint8_t label)
{
    sheet->lines = traffic_grow(sheet->lines, sheet->lines_count, sizeof(*sheet->lines));
    sheet->lines[sheet->lines_count++] = (struct sheet_line){
        .start = buffer_len(&sheet->text), .len = text.len, .ink = (uint8_t)ink, .label = label};
    buffer_put(&sheet->text, text);
}

/* How much of the text goes on one line: up to the last blank that fits, else what fits. */
static size_t
break_at(struct slice text, size_t columns)
{
    struct slice first = width_first(text, columns);

    if (first.len == text.len)
        return text.len;
    size_t blank = slice_find_last_byte(slice_first(text, first.len + 1), ' ');
    if (blank > 0 && blank <= first.len)
        return blank;
    if (first.len > 0)
        return first.len;
    struct cursor cursor = cursor_of(text); /* wider than the line: shown as it is */
    struct slice cluster = SLICE("");
    unsigned width;
    return width_take(&cursor, &cluster, &width) ? cluster.len : text.len;
}

/* How deep a line is quoted, and how long its marks are. */
static size_t
quote_of(struct slice line, size_t *ret_depth)
{
    size_t at = 0, end = 0, depth = 0;

    while (at < line.len && (line.at[at] == '>' || line.at[at] == ' ')) {
        if (line.at[at++] == '>') {
            depth++;
            end = at;
        } else if (at - end > 1) {
            break;
        }
    }
    *ret_depth = depth;
    return depth > 0 ? end + (end < line.len && line.at[end] == ' ') : 0;
}

/* A line of the text, broken where it must be; what is quoted stays marked on each. */
static void
add_text_line(struct sheet *sheet, struct slice line, size_t columns)
{
    size_t depth, quote = quote_of(line, &depth);
    enum ink ink = depth == 0 ? INK_TEXT : depth % 2 ? INK_QUOTE : INK_QUOTE_2;
    struct buffer whole;

    if (quote + 20 > columns)
        quote = 0;
    buffer_init(&whole, line.len + columns + quote + 1);
    struct slice mark = slice_first(line, quote);
    do {
        struct slice rest = slice_skip(line, quote);
        size_t len = break_at(rest, columns - quote);
        buffer_clear(&whole);
        buffer_put(&whole, mark);
        buffer_put(&whole, slice_first(rest, len));
        add_line(sheet, buffer_slice(&whole), ink, 0);
        while (len < rest.len && rest.at[len] == ' ')
            len++;
        line = slice_skip(line, len);
    } while (line.len > quote);
    buffer_finish(&whole);
}

static void
put_without_tabs(struct slice line, struct buffer *out)
{
    size_t column = 0;

    for (;;) {
        struct slice piece = slice_first(line, slice_find_byte(line, '\t'));
        buffer_put(out, piece);
        column += width_of(piece);
        line = slice_skip(line, piece.len);
        if (line.len == 0)
            return;
        do
            buffer_put_byte(out, ' ');
        while (++column % TAB_COLUMNS != 0);
        line = slice_skip(line, 1);
    }
}

static void
add_text(struct sheet *sheet, struct slice text, size_t columns)
{
    struct buffer line;

    buffer_init(&line, SHEET_MAX);
    while (text.len > 0) {
        struct slice one = slice_first(text, slice_find_byte(text, '\n'));
        text = slice_skip(text, one.len + 1);
        buffer_clear(&line);
        put_without_tabs(one, &line);
        add_text_line(sheet, buffer_slice(&line), columns);
    }
    buffer_finish(&line);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void
add_field(struct sheet *sheet, const struct sheet_field *field, size_t columns)
{
    struct slice value = traffic_text(field->value), label = traffic_text(field->label);
    struct buffer line;
    size_t count = 0;

    buffer_init(&line, SHEET_MAX);
    do {
        bool is_first = count == 0, is_last = ++count == SHEET_FIELD_LINES_MAX;
        size_t len = break_at(value, columns > LABEL_COLUMNS + 10 ? columns - LABEL_COLUMNS : 10);
        buffer_clear(&line);
        if (is_first) {
            buffer_put(&line, label);
            buffer_put_byte(&line, ':');
        }
        while (buffer_len(&line) < LABEL_COLUMNS)
            buffer_put_byte(&line, ' ');
        buffer_put(&line, slice_first(value, len));
        if (is_last && len < value.len)
            buffer_put_text(&line, "…");
        add_line(sheet, buffer_slice(&line), INK_TEXT,
                 is_first ? (uint8_t)(slice_first(label, 100).len + 1) : 0);
        while (len < value.len && value.at[len] == ' ')
            len++;
        value = is_last ? SLICE("") : slice_skip(value, len);
    } while (value.len > 0);
    buffer_finish(&line);
}

void
sheet_put_size(uint64_t octets, struct buffer *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)octets;
    size_t unit = 0;
    char text[32];

    while (size >= 1024 && unit + 1 < COUNT_OF(units)) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(text, sizeof(text), unit > 0 && size < 10 ? "%.1f %s" : "%.0f %s", size,
                   units[unit]);
    buffer_put_text(out, text);
}

static void
add_part(struct sheet *sheet, const struct sheet_part *part, size_t number)
{
    struct buffer line;

    buffer_init(&line, 4096);
    buffer_put_text(&line, "[");
    buffer_put_decimal(&line, number);
    buffer_put_text(&line, "] ");
    buffer_put(&line, slice_first(traffic_text(part->name), 1000));
    buffer_put_text(&line, "  ");
    buffer_put(&line, slice_first(traffic_text(part->type), 200));
    buffer_put_text(&line, "  ");
    sheet_put_size(part->octets, &line);
    add_line(sheet, buffer_slice(&line), INK_LABEL, 0);
    buffer_finish(&line);
}

void
sheet_lay_out(struct sheet *sheet, const struct sheet_text *text, size_t columns, bool has_head)
{
    free(sheet->lines);
    sheet->lines = NULL;
    sheet->lines_count = 0;
    buffer_clear(&sheet->text);
    sheet->columns = columns;
    if (columns > COLUMNS_MAX)
        columns = COLUMNS_MAX;
    if (columns < 20)
        columns = 20;
    if (has_head)
        add_text(sheet, traffic_text(text->head), columns);
    for (size_t i = 0; !has_head && i < text->fields_count; i++)
        add_field(sheet, &text->fields[i], columns);
    for (struct slice rest = traffic_text(text->notes); rest.len > 0;) {
        struct slice note = slice_first(rest, slice_find_byte(rest, '\n'));
        add_line(sheet, note, INK_FLAG, 0);
        rest = slice_skip(rest, note.len + 1);
    }
    add_line(sheet, SLICE(""), INK_TEXT, 0);
    add_text(sheet, traffic_text(text->text), columns);
    if (text->parts_count > 0)
        add_line(sheet, SLICE(""), INK_TEXT, 0);
    sheet->parts_line = sheet->lines_count;
    for (size_t i = 0; i < text->parts_count; i++)
        add_part(sheet, &text->parts[i], i + 1);
}

/* ---- showing ------------------------------------------------------------------------------- */

/* What a terminal, or a person, can follow is shown as such. */
static void
tint_links(struct canvas *canvas, struct slice line, size_t row, size_t column)
{
    static const struct slice marks[] = {{(const uint8_t *)"http://", 7},
                                         {(const uint8_t *)"https://", 8},
                                         {(const uint8_t *)"mailto:", 7}};

    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        size_t from = 0, found;
        while ((found = slice_find(slice_skip(line, from), marks[i])) < line.len - from) {
            size_t start = from + found, end = start;
            while (end < line.len && !strchr(" >)\"", line.at[end]))
                end++;
            canvas_tint(canvas, row, column + width_of(slice_first(line, start)),
                        width_of(slice_between(line, start, end)), INK_LINK);
            from = end;
        }
    }
}

void
sheet_draw(const struct sheet *sheet, size_t first, struct canvas *canvas,
           const struct sheet_place *place)
{
    for (size_t i = 0; i < place->rows && first + i < sheet->lines_count; i++) {
        const struct sheet_line *line = &sheet->lines[first + i];
        struct slice text =
            slice_between(buffer_slice(&sheet->text), line->start, line->start + line->len);
        (void)canvas_put(canvas, place->row + i, place->column, place->columns, (enum ink)line->ink,
                         text);
        tint_links(canvas, text, place->row + i, place->column);
        if (line->label > 0)
            canvas_tint(canvas, place->row + i, place->column, line->label, INK_LABEL);
    }
}

bool
sheet_find(const struct sheet *sheet, size_t first, struct slice words, size_t *ret_line)
{
    struct buffer wanted, key;
    bool is_found = false;

    buffer_init(&wanted, 64 * 1024);
    buffer_init(&key, SHEET_MAX);
    head_put_key(words, &wanted);
    for (size_t i = first; i < sheet->lines_count && !is_found && words.len > 0; i++) {
        const struct sheet_line *line = &sheet->lines[i];
        buffer_clear(&key);
        head_put_key(
            slice_between(buffer_slice(&sheet->text), line->start, line->start + line->len), &key);
        is_found = slice_find(buffer_slice(&key), buffer_slice(&wanted)) < buffer_len(&key);
        if (is_found)
            *ret_line = i;
    }
    buffer_finish(&wanted);
    buffer_finish(&key);
    return is_found;
}
