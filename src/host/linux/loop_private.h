/* SPDX-License-Identifier: ISC */
/* The inside of the Linux host, for the files of this folder only. Private to the room. */
#ifndef HOST_LINUX_LOOP_PRIVATE_H
#define HOST_LINUX_LOOP_PRIVATE_H

#include "base/list.h"
#include "host/linux/linux.h"
#include "host/timers.h"

#include <uv.h>

struct job {
    host_fn fn;
    void *context;
};

struct jobs {
    struct job *items;
    size_t count;
    size_t size;
};

struct channel_inbox;

enum { RANDOM_AHEAD = 256 }; /* octets; getrandom gives up to this in one piece */

struct host {
    uv_loop_t loop;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t no_wait; /* active while jobs wait: the poll only looks */
    uv_timer_t alarm;  /* rings when the next of `timers` is due */
    struct instant alarm_at;
    struct timers timers;
    struct jobs jobs;
    struct jobs jobs_running;
    struct list watches_changed; /* of struct watch */
    struct list channels_to_flush;
    struct channel_inbox *inbox; /* made with the first channel, shared by all */
    struct instant now;
    bool now_is_known;
    bool is_stopping;
    struct host_timer *rest; /* looks whether there is nothing to do */
    unsigned turns;          /* of the loop since then */
    bool is_at_rest, has_rested;
    struct buffer log;
    struct instant log_due;       /* when what gathers in `log` must be out */
    uint8_t random[RANDOM_AHEAD]; /* drawn from the kernel, not yet given out: its last octets */
    size_t random_left;
    struct host_log_settings log_settings;
    bool log_goes_to_journal;
};

/* A new handler is about to be called: what it sees of the clock must be read anew. */
static inline void
host_enter_handler(struct host *host)
{
    host->now_is_known = false;
}

/* One descriptor in the loop. libuv pays two system calls for each change of what is watched, so
 * changes are made once, before the loop waits, and a wish that became smaller is carried out only
 * when an event that nobody wants comes. */
typedef void (*watch_fn)(void *owner, unsigned events);

struct watch {
    uv_poll_t poll;
    struct host *host;
    struct list changed;
    watch_fn fn;
    int fd;
    uint8_t wanted; /* HOST_READABLE | HOST_WRITABLE */
    uint8_t armed;
    bool is_closed;
};

/* Takes `fd` over; on failure closes it. `watch` is the first member of a malloced owner, which
 * watch_close frees as soon as libuv has let go. */
MUST_USE int watch_open(struct host *host, int fd, watch_fn fn, struct watch *watch);
void watch_set(struct watch *watch, unsigned events);
void watch_close(struct watch *watch);
void watches_apply(struct host *host);

/* Wipes random octets that are in stock. */
void host_linux_forget_random(struct host *host);

/* Sends the notes that were queued in this turn. */
void channels_flush(struct host *host);
/* Gives the pages of the inbox back; they come again when they are used. */
void channel_inbox_rest(struct channel_inbox *inbox);
void channel_inbox_free(struct channel_inbox **inbox);

/* malloc that cannot fail: without memory the process ends, and its peers recover. */
void *host_allocate(size_t size);

#endif
