/* SPDX-License-Identifier: ISC */
/* News on their way from the workers to the screen. */
#ifndef TOOL_TERMINAL_INBOX_H
#define TOOL_TERMINAL_INBOX_H

#include "screen/traffic.h"

#include <pthread.h>

struct inbox {
    pthread_mutex_t lock;
    struct news *first, *last;
    int bell; /* can be read while there are news */
};

/* In the caller's memory. */
void inbox_open(struct inbox *inbox);
void inbox_close(struct inbox *inbox);

/* Takes the news; from any thread. */
void inbox_put(struct inbox *inbox, struct news *news);

/* The oldest, or NULL. */
struct news *inbox_take(struct inbox *inbox);

/* Bells: descriptors that can be read from bell_ring until bell_quiet. */
int bell_open(void);
void bell_ring(int bell);
void bell_quiet(int bell);

#endif
