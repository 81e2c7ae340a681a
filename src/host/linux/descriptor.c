/* SPDX-License-Identifier: ISC */
/* Descriptors that libraries own, in the loop. */
#include "host/linux/loop_private.h"

#include <errno.h>
#include <fcntl.h>

struct host_descriptor {
    struct watch watch; /* first: watch_close frees the whole */
    host_fn fn;
    void *context;
};

static void
on_readable(void *owner, unsigned events)
{
    struct host_descriptor *descriptor = owner;

    if (events & HOST_READABLE)
        descriptor->fn(descriptor->context);
}

int
host_descriptor_open(struct host *host, int descriptor, host_fn fn, void *context,
                     struct host_descriptor **ret_descriptor)
{
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return -errno;
    struct host_descriptor *opened = host_allocate(sizeof(*opened));
    *opened = (struct host_descriptor){.fn = fn, .context = context};
    int error = watch_open(host, copy, on_readable, &opened->watch);
    if (error < 0) {
        free(opened);
        return error;
    }
    watch_set(&opened->watch, HOST_READABLE);
    *ret_descriptor = opened;
    return 0;
}

void
host_descriptor_close(struct host_descriptor **descriptor)
{
    if (!*descriptor)
        return;
    watch_close(&(*descriptor)->watch);
    *descriptor = NULL;
}
