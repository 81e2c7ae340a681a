/* SPDX-License-Identifier: ISC */
/* A message laid out for a width: its fields, what is to be said about it, its text, what is
 * attached. Long lines are broken between words. */
#ifndef SCREEN_SHEET_H
#define SCREEN_SHEET_H

#include "screen/canvas.h"
#include "screen/traffic.h"

/* Of a field; a longer one ends in '…', and the whole header has the rest. */
enum { SHEET_FIELD_LINES_MAX = 8 };

struct sheet_line {
    size_t start, len; /* in the text */
    uint8_t ink;
    uint8_t label; /* octets at its beginning that have INK_LABEL */
};

struct sheet {
    struct buffer text;
    struct sheet_line *lines; /* owned */
    size_t lines_count;
    size_t columns;    /* it is laid out for */
    size_t parts_line; /* where the list of attachments begins; lines_count: none */
};

/* Empty, in the caller's memory. */
void sheet_init(struct sheet *sheet);
void sheet_finish(struct sheet *sheet);

/* Lays it out anew; with `has_head`, the whole header in the place of the usual fields. */
void sheet_lay_out(struct sheet *sheet, const struct sheet_text *text, size_t columns,
                   bool has_head);

/* Draws lines from `first` on into a rectangle. */
struct sheet_place {
    size_t row, column, rows, columns;
};
void sheet_draw(const struct sheet *sheet, size_t first, struct canvas *canvas,
                const struct sheet_place *place);

/* The next line behind `first` that has the words (any case, without accents); false when none. */
MUST_USE bool sheet_find(const struct sheet *sheet, size_t first, struct slice words,
                         size_t *ret_line);

/* "12 B", "3.4 KiB", "120 MiB". */
void sheet_put_size(uint64_t octets, struct buffer *out);

#endif
