/* SPDX-License-Identifier: ISC */
/* The simulated machine has no programs, no unix sockets and no users. */
#include "host/host.h"

#include <errno.h>

int
host_errand_open(struct host *host, const struct host_errand_order *order, host_errand_fn fn,
                 void *context, struct host_errand **ret_errand)
{
    (void)host, (void)order, (void)fn, (void)context, (void)ret_errand;
    return -ENOSYS;
}

void
host_errand_stop(struct host_errand *errand, bool is_last_word)
{
    (void)errand, (void)is_last_word;
}

void
host_errand_close(struct host_errand **errand)
{
    *errand = NULL;
}

int
host_user_find(struct host *host, const char *user, struct host_user *ret_user)
{
    (void)host, (void)user, (void)ret_user;
    return -ENOENT;
}

int
host_unix_connect(struct host *host, const char *path, host_handle *ret_handle)
{
    (void)host, (void)path, (void)ret_handle;
    return -ENOSYS;
}
