/* SPDX-License-Identifier: ISC */
#include "role/snapshot.h"

#include <errno.h>

enum { PATH_BYTES_MAX = 4096 };

static int
read_all(struct host_file *file, size_t size_max, struct buffer *bytes)
{
    uint64_t size;
    int error = host_file_size(file, &size);

    if (error < 0)
        return error;
    if (size > size_max)
        return -EFBIG;
    buffer_init(bytes, (size_t)size + 1);
    uint8_t *at = buffer_reserve(bytes, (size_t)size + 1);
    int64_t got = host_file_read(file, at, (size_t)size, 0);
    if (got < 0) {
        buffer_finish(bytes);
        return (int)got;
    }
    buffer_commit(bytes, (size_t)got);
    return 0;
}

int
snapshot_read(struct host_dir *dir, const char *name, size_t size_max,
              struct snapshot *ret_snapshot)
{
    struct host_file *file = NULL;
    struct buffer bytes;
    uint64_t stamp;
    int error = host_dir_stamp(dir, name, &stamp);

    if (error == 0)
        error = host_file_open(dir, name, HOST_FILE_READ, &file);
    if (error < 0)
        return error;
    error = read_all(file, size_max, &bytes);
    host_file_close(&file);
    if (error < 0)
        return error;
    *ret_snapshot = (struct snapshot){bytes, stamp};
    return 0;
}

int
snapshot_read_path(struct host *host, struct slice path, size_t size_max,
                   struct snapshot *ret_snapshot)
{
    struct host_dir *dir = NULL;
    char text[PATH_BYTES_MAX];

    if (path.len == 0 || path.len >= sizeof(text))
        return -ENAMETOOLONG;
    memcpy(text, path.at, path.len);
    text[path.len] = '\0';
    size_t slash = slice_find_last_byte(path, '/');
    text[slash] = '\0';
    int error = host_dir_open(host, slash > 0 ? text : "/", &dir);
    if (error == 0)
        error = snapshot_read(dir, text + slash + 1, size_max, ret_snapshot);
    host_dir_close(&dir);
    return error;
}

void
snapshot_finish(struct snapshot *snapshot)
{
    buffer_wipe(&snapshot->bytes);
}

bool
snapshot_has_changed(struct host_dir *dir, const char *name, uint64_t stamp)
{
    uint64_t now;

    return host_dir_stamp(dir, name, &now) == 0 && now != stamp;
}
