/* SPDX-License-Identifier: ISC */
/* The screens of `facteur mail` as one state machine: keys and news in, a canvas and wishes out. It
 * never waits: what the world has not told yet is not there yet. */
#ifndef SCREEN_SCREEN_H
#define SCREEN_SCREEN_H

#include "screen/canvas.h"
#include "screen/key.h"
#include "screen/traffic.h"

enum { SCREEN_ACCOUNTS_MAX = 1000 };

struct screen_account {
    const char *name, *address;
};

struct screen_options {
    size_t rows, columns;
    const struct screen_account *accounts; /* at least one; copied */
    size_t accounts_count;
    struct wall now;
    int zone_minutes; /* east of UTC */
    uint64_t seed;    /* random */
};

struct screen;

/* Opens the first account's INBOX: its first wishes say so. */
struct screen *screen_new(const struct screen_options *options);
void screen_free(struct screen **screen);

/* What has changed outside: the terminal's size, the time. */
void screen_resize(struct screen *screen, size_t rows, size_t columns);
void screen_set_time(struct screen *screen, struct wall now, int zone_minutes);

/* A key was pressed. */
void screen_press(struct screen *screen, const struct key *key);

/* Takes the news: they are the screen's now. */
void screen_tell(struct screen *screen, struct news *news);

/* The next wish, which is the caller's then; NULL when there is none. The last one is WISH_QUIT. */
struct wish *screen_next_wish(struct screen *screen);

/* Draws all of it; the canvas has the size that the screen was told. */
void screen_draw(struct screen *screen, struct canvas *canvas);

#endif
