/* SPDX-License-Identifier: ISC */
#include "host/sim/world_private.h"

#include <errno.h>
#include <stdlib.h>

/* Mappings are copies of exact length: a sanitizer sees one octet too many, and one too late. */
enum { BLOB_BYTES_MAX = 1 << 30 };

struct blob_bytes {
    unsigned holders;
    struct buffer content;
};

struct host_blob {
    struct host *host;
    struct blob_bytes *bytes;
};

void
blob_hold(struct blob_bytes *blob)
{
    blob->holders++;
}

void
blob_drop(struct blob_bytes *blob)
{
    if (--blob->holders > 0)
        return;
    buffer_finish(&blob->content);
    free(blob);
}

int
host_blob_open(struct host *host, struct host_blob **ret_blob)
{
    if (host->is_dead)
        return -EMFILE;
    struct host_blob *blob = sim_allocate(sizeof(*blob));
    blob->host = host;
    blob->bytes = sim_allocate(sizeof(*blob->bytes));
    blob->bytes->holders = 1;
    buffer_init(&blob->bytes->content, BLOB_BYTES_MAX);
    *ret_blob = blob;
    return 0;
}

int
host_blob_put(struct host_blob *blob, struct slice bytes)
{
    buffer_put(&blob->bytes->content, bytes);
    return buffer_overflowed(&blob->bytes->content) ? -ENOSPC : 0;
}

int
host_blob_seal(struct host_blob **blob_at, host_handle *ret_handle)
{
    struct host_blob *blob = *blob_at;

    if (blob->host->is_dead) {
        host_blob_close(blob_at);
        return -EIO;
    }
    *ret_handle = thing_add(blob->host->sim, blob->host,
                            (struct thing){.kind = THING_BLOB, .blob = blob->bytes});
    free(blob);
    *blob_at = NULL;
    return 0;
}

void
host_blob_close(struct host_blob **blob)
{
    if (!*blob)
        return;
    blob_drop((*blob)->bytes);
    free(*blob);
    *blob = NULL;
}

int
host_blob_map(struct host *host, host_handle handle, struct host_mapping *ret_mapping)
{
    const struct thing *thing = thing_find(host, handle);

    if (!thing || thing->kind != THING_BLOB)
        return -EPERM;
    struct slice content = buffer_slice(&thing->blob->content);
    if (content.len == 0) {
        ret_mapping->bytes = SLICE("");
        return 0;
    }
    uint8_t *copy = sim_allocate(content.len);
    memcpy(copy, content.at, content.len);
    ret_mapping->bytes = slice_of(copy, content.len);
    return 0;
}

void
host_blob_unmap(struct host *host, struct host_mapping *mapping)
{
    (void)host;
    if (mapping->bytes.len > 0)
        free((void *)(uintptr_t)mapping->bytes.at);
    mapping->bytes = SLICE("");
}

void
host_mapping_forget(struct host *host, struct slice part)
{
    (void)host, (void)part;
}

void
host_mapping_want(struct host *host, struct slice part)
{
    (void)host, (void)part;
}
