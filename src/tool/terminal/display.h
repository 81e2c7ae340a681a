/* SPDX-License-Identifier: ISC */
/* The terminal: keys from it, a canvas on it. The only file that knows ncurses. */
#ifndef TOOL_TERMINAL_DISPLAY_H
#define TOOL_TERMINAL_DISPLAY_H

#include "screen/canvas.h"
#include "screen/key.h"

enum display_theme { DISPLAY_AUTO, DISPLAY_DARK, DISPLAY_LIGHT, DISPLAY_MONO };

struct display;

/* Takes the terminal of standard input and output; says why it cannot. One at a time: the terminal
 * is one. */
MUST_USE int display_open(enum display_theme theme, struct display **ret_display);
void display_close(struct display **display);

/* Gives the terminal to another program, and takes it again. */
void display_leave(struct display *display);
void display_return(struct display *display);

/* Of the terminal, in characters. */
void display_size(const struct display *display, size_t *ret_rows, size_t *ret_columns);

/* The next key, without waiting; false when none was pressed. *ret_is_resized: the size is another
 * (no key then). */
MUST_USE bool display_take(struct display *display, struct key *ret_key, bool *ret_is_resized);

/* Puts the canvas on it. */
void display_show(struct display *display, const struct canvas *canvas);

#endif
