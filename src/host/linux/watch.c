/* SPDX-License-Identifier: ISC */
#include "host/linux/loop_private.h"

#include <stdlib.h>
#include <unistd.h>

static_assert((int)HOST_READABLE == (int)UV_READABLE && (int)HOST_WRITABLE == (int)UV_WRITABLE,
              "events go to and from libuv as they are");

static void
note_change(struct watch *watch)
{
    if (list_is_empty(&watch->changed))
        list_append(&watch->host->watches_changed, &watch->changed);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = CONTAINER_OF(poll, struct watch, poll);
    unsigned wanted;

    if (status < 0) {
        /* libuv has stopped to watch; the next read or write of the owner tells why. */
        watch->armed = 0;
        wanted = watch->wanted;
    } else {
        wanted = watch->wanted & (unsigned)events;
    }
    if (watch->armed != watch->wanted)
        note_change(watch);
    if (wanted == 0)
        return;
    host_enter_handler(watch->host);
    watch->fn(watch, wanted);
}

int
watch_open(struct host *host, int fd, watch_fn fn, struct watch *watch)
{
    watch->host = host;
    watch->fn = fn;
    watch->fd = fd;
    watch->wanted = watch->armed = 0;
    watch->is_closed = false;
    list_init(&watch->changed);
    int error = uv_poll_init(&host->loop, &watch->poll, fd);
    if (error < 0)
        close(fd);
    return error;
}

void
watch_set(struct watch *watch, unsigned events)
{
    watch->wanted = (uint8_t)events;
    if (events & ~(unsigned)watch->armed)
        note_change(watch);
}

void
watches_apply(struct host *host)
{
    while (!list_is_empty(&host->watches_changed)) {
        struct watch *watch = LIST_ITEM(host->watches_changed.next, struct watch, changed);
        list_remove(&watch->changed);
        if (watch->armed == watch->wanted)
            continue;
        if (watch->wanted == 0)
            uv_poll_stop(&watch->poll);
        else
            uv_poll_start(&watch->poll, watch->wanted, on_poll);
        watch->armed = watch->wanted;
    }
}

static void
on_uv_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct watch, poll));
}

void
watch_close(struct watch *watch)
{
    assert(!watch->is_closed);
    watch->is_closed = true;
    watch->wanted = 0;
    list_remove(&watch->changed);
    uv_close((uv_handle_t *)&watch->poll, on_uv_closed);
    close(watch->fd);
}
