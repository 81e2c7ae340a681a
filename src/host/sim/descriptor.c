/* SPDX-License-Identifier: ISC */
/* No library of the simulated world opens a socket. */
#include "host/host.h"

#include <errno.h>

int
host_descriptor_open(struct host *host, int descriptor, host_fn fn, void *context,
                     struct host_descriptor **ret_descriptor)
{
    (void)host;
    (void)descriptor;
    (void)fn;
    (void)context;
    (void)ret_descriptor;
    return -ENOSYS;
}

void
host_descriptor_close(struct host_descriptor **descriptor)
{
    *descriptor = NULL;
}
