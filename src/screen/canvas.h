/* SPDX-License-Identifier: ISC */
/* A grid of characters with their inks, as large as the terminal. What an ink looks like is the
 * terminal's affair. */
#ifndef SCREEN_CANVAS_H
#define SCREEN_CANVAS_H

#include "base/buffer.h"
#include "text/width.h"

enum ink {
    INK_TEXT,
    INK_DIM,    /* what matters less */
    INK_STRONG, /* unread */
    INK_BAR,    /* title and bottom bars */
    INK_KEY,    /* names of keys in the bottom bar */
    INK_CURSOR, /* the line that is chosen */
    INK_CHOSEN, /* the same, while the keys go elsewhere */
    INK_FLAG,
    INK_GONE,    /* marked for deletion */
    INK_LABEL,   /* names of fields */
    INK_QUOTE,   /* quoted once, three times, … */
    INK_QUOTE_2, /* quoted twice, four times, … */
    INK_LINK,
    INK_TREE, /* lines of threads */
    INK_ALERT,
    INK_COUNT
};

struct cell {
    char text[WIDTH_CLUSTER_MAX + 8]; /* one character and its marks; "" right of a wide one */
    uint8_t ink;
};

struct canvas {
    size_t rows, columns;
    struct cell *cells; /* owned */
    bool has_cursor;
    size_t cursor_row, cursor_column;
};

/* At least 1 x 1. */
void canvas_init(struct canvas *canvas, size_t rows, size_t columns);
void canvas_finish(struct canvas *canvas);

/* Blanks everywhere, no cursor. */
void canvas_clear(struct canvas *canvas);

static inline struct cell *
canvas_cell(const struct canvas *canvas, size_t row, size_t column)
{
    return &canvas->cells[row * canvas->columns + column];
}

/* Puts text from a place on, at most `columns` of them, cut between characters; octets that are no
 * printable character become '?'. Returns how many columns it took. What lies outside of the canvas
 * is left out. */
size_t canvas_put(struct canvas *canvas, size_t row, size_t column, size_t columns, enum ink ink,
                  struct slice text);

/* The same, and blanks behind it up to `columns`; text that does not fit ends with '…'. */
void canvas_put_field(struct canvas *canvas, size_t row, size_t column, size_t columns,
                      enum ink ink, struct slice text);

/* Gives what is there another ink. */
void canvas_tint(struct canvas *canvas, size_t row, size_t column, size_t columns, enum ink ink);

/* The text of all rows, without blanks at their ends, each with LF. */
void canvas_put_text(const struct canvas *canvas, struct buffer *out);

#endif
