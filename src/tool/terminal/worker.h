/* SPDX-License-Identifier: ISC */
/* One thread for each account: it talks to the server while the screen stays awake. Wishes go to
 * it, news come from it. While it has nothing to do it waits for changes (IDLE). When the server
 * cannot be reached, the local copy serves, where there is one. */
#ifndef TOOL_TERMINAL_WORKER_H
#define TOOL_TERMINAL_WORKER_H

#include "screen/traffic.h"
#include "tool/mail/desk.h"
#include "tool/terminal/inbox.h"

struct worker;

struct worker_options {
    uint32_t account;    /* its number on the screen */
    const char *name;    /* of the account; NULL: `path` is a letter box of this machine */
    const char *path;    /* borrowed */
    struct desk *desk;   /* logged in; the worker's until worker_close */
    struct inbox *inbox; /* where the news go */
};

/* Starts the thread. */
struct worker *worker_open(const struct worker_options *options);

/* Takes the wish. */
void worker_wish(struct worker *worker, struct wish *wish);

/* Ends it when it has done what was wished, but waits no longer than `wait_ms`: a server that says
 * nothing must not keep a person. False when it was left behind: then nothing of it may be
 * freed. */
MUST_USE bool worker_close(struct worker **worker, int wait_ms);

#endif
