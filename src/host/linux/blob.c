/* SPDX-License-Identifier: ISC */
/* Bodies in memory: a memfd, sealed before it is passed on, so that what the receiver has checked
 * cannot change or shrink under its mapping. */
#include "host/linux/loop_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; this libc does not know it yet */
#endif

enum {
    SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
    WANT_LOOK_PAGES = 256,
};

struct host_blob {
    int fd;
};

int
host_blob_open(struct host *host, struct host_blob **ret_blob)
{
    (void)host;
    int fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("body", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    struct host_blob *blob = host_allocate(sizeof(*blob));
    blob->fd = fd;
    *ret_blob = blob;
    return 0;
}

int
host_blob_put(struct host_blob *blob, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(blob->fd, bytes.at, bytes.len);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0)
            bytes = slice_skip(bytes, (size_t)written);
    }
    return 0;
}

int
host_blob_seal(struct host_blob **blob, host_handle *ret_handle)
{
    int fd = (*blob)->fd;

    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        int error = -errno;
        host_blob_close(blob);
        return error;
    }
    free(*blob);
    *blob = NULL;
    *ret_handle = fd;
    return 0;
}

void
host_blob_close(struct host_blob **blob)
{
    if (!*blob)
        return;
    close((*blob)->fd);
    free(*blob);
    *blob = NULL;
}

int
host_blob_map(struct host *host, host_handle handle, struct host_mapping *ret_mapping)
{
    struct stat info;
    const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

    (void)host;
    /* Only memfds have seals: every other kind of descriptor fails here. */
    int seals = fcntl(handle, F_GET_SEALS);
    if (seals < 0 || (seals & needed) != needed)
        return -EPERM;
    if (fstat(handle, &info) < 0)
        return -errno;
    if (info.st_size == 0) {
        ret_mapping->bytes = SLICE("");
        return 0;
    }
    size_t len = (size_t)info.st_size;
    void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, handle, 0);
    if (at == MAP_FAILED)
        return -errno;
    ret_mapping->bytes = slice_of(at, len);
    return 0;
}

void
host_blob_unmap(struct host *host, struct host_mapping *mapping)
{
    (void)host;
    if (mapping->bytes.len > 0)
        munmap((void *)(uintptr_t)mapping->bytes.at, mapping->bytes.len);
    mapping->bytes = SLICE("");
}

/* All pages that a part touches. */
static struct slice
pages_of(struct slice part)
{
    const uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    uintptr_t start = (uintptr_t)part.at & ~mask;
    uintptr_t end = ((uintptr_t)part.at + part.len + mask) & ~mask;

    return slice_of((const void *)start, end - start);
}

void
host_mapping_forget(struct host *host, struct slice part)
{
    struct slice pages = pages_of(part);

    (void)host;
    (void)madvise((void *)(uintptr_t)pages.at, pages.len, MADV_DONTNEED);
}

/* To look whether all is in memory, as it mostly is, costs a quarter of asking for it. */
static bool
is_there(struct slice pages)
{
    NOT_ZEROED unsigned char there[WANT_LOOK_PAGES];
    size_t count = pages.len / (size_t)sysconf(_SC_PAGESIZE);

    if (count > WANT_LOOK_PAGES || mincore((void *)(uintptr_t)pages.at, pages.len, there) < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!(there[i] & 1))
            return false;
    }
    return true;
}

void
host_mapping_want(struct host *host, struct slice part)
{
    struct slice pages = pages_of(part);

    (void)host;
    if (!is_there(pages))
        (void)madvise((void *)(uintptr_t)pages.at, pages.len, MADV_WILLNEED);
}
