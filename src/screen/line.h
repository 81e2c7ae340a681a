/* SPDX-License-Identifier: ISC */
/* A line that is typed and corrected: as readline's users expect it. */
#ifndef SCREEN_LINE_H
#define SCREEN_LINE_H

#include "screen/canvas.h"
#include "screen/key.h"

enum { LINE_MAX_OCTETS = 192 * 1024 };

struct line {
    struct buffer text; /* UTF-8 */
    size_t cursor;      /* octets before it */
};

/* Empty, in the caller's memory. */
void line_init(struct line *line);
void line_finish(struct line *line);

/* Another text, the cursor at its end. */
void line_set(struct line *line, struct slice text);

/* Octets [start, cursor) give way to `text`, the cursor stands behind it: for completion. */
void line_replace(struct line *line, size_t start, struct slice text);

static inline struct slice
line_text(const struct line *line)
{
    return buffer_slice(&line->text);
}

/* True when the key did something to the line. */
bool line_press(struct line *line, const struct key *key);

/* Draws it so that the cursor is seen, and puts the canvas's cursor there. */
void line_draw(const struct line *line, struct canvas *canvas, size_t row, size_t column,
               size_t columns);

#endif
