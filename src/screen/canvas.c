/* SPDX-License-Identifier: ISC */
#include "screen/canvas.h"

#include <stdlib.h>

void
canvas_init(struct canvas *canvas, size_t rows, size_t columns)
{
    *canvas = (struct canvas){.rows = rows ? rows : 1, .columns = columns ? columns : 1};
    canvas->cells = calloc(canvas->rows * canvas->columns, sizeof(*canvas->cells));
    if (!canvas->cells)
        abort();
    canvas_clear(canvas);
}

void
canvas_finish(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

static void
set(struct canvas *canvas, size_t row, size_t column, enum ink ink, struct slice text)
{
    struct cell *cell = canvas_cell(canvas, row, column);

    assert(text.len < sizeof(cell->text));
    memcpy(cell->text, text.at, text.len);
    cell->text[text.len] = '\0';
    cell->ink = (uint8_t)ink;
}

void
canvas_clear(struct canvas *canvas)
{
    canvas->has_cursor = false;
    for (size_t row = 0; row < canvas->rows; row++) {
        for (size_t column = 0; column < canvas->columns; column++)
            set(canvas, row, column, INK_TEXT, SLICE(" "));
    }
}

static bool
is_printable(struct slice cluster)
{
    return cluster.at[0] >= 0x20 && cluster.at[0] != 0x7F &&
           (cluster.len > 1 || cluster.at[0] < 0x80);
}

size_t
canvas_put(struct canvas *canvas, size_t row, size_t column, size_t columns, enum ink ink,
           struct slice text)
{
    struct cursor cursor = cursor_of(text);
    struct slice cluster;
    unsigned width;
    size_t used = 0;

    if (row >= canvas->rows || column >= canvas->columns)
        return 0;
    if (columns > canvas->columns - column)
        columns = canvas->columns - column;
    while (width_take(&cursor, &cluster, &width)) {
        if (width == 0)
            continue; /* a mark that belongs to nothing */
        if (used + width > columns)
            break;
        set(canvas, row, column + used, ink, is_printable(cluster) ? cluster : SLICE("?"));
        if (width == 2)
            set(canvas, row, column + used + 1, ink, SLICE(""));
        used += width;
    }
    return used;
}

void
canvas_put_field(struct canvas *canvas, size_t row, size_t column, size_t columns, enum ink ink,
                 struct slice text)
{
    bool is_cut = columns > 0 && width_of(text) > columns;
    size_t used = canvas_put(canvas, row, column, is_cut ? columns - 1 : columns, ink, text);

    if (is_cut)
        used += canvas_put(canvas, row, column + used, 1, ink, SLICE("…"));
    for (; used < columns; used++)
        (void)canvas_put(canvas, row, column + used, 1, ink, SLICE(" "));
}

void
canvas_tint(struct canvas *canvas, size_t row, size_t column, size_t columns, enum ink ink)
{
    for (size_t i = column; row < canvas->rows && i < column + columns && i < canvas->columns; i++)
        canvas_cell(canvas, row, i)->ink = (uint8_t)ink;
}

void
canvas_put_text(const struct canvas *canvas, struct buffer *out)
{
    for (size_t row = 0; row < canvas->rows; row++) {
        size_t end = canvas->columns;
        while (end > 0 && strcmp(canvas_cell(canvas, row, end - 1)->text, " ") == 0)
            end--;
        for (size_t column = 0; column < end; column++)
            buffer_put_text(out, canvas_cell(canvas, row, column)->text);
        buffer_put_byte(out, '\n');
    }
}
