/* SPDX-License-Identifier: ISC */
/* Files below open folders. All calls block. */
#include "base/hash.h"
#include "host/file_name.h"
#include "host/links.h"
#include "host/linux/loop_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PIECES_MAX = 256,                /* pieces in one pwritev */
    WRITE_AND_SYNC_MAX = 256 * 1024, /* octets; more are written first, all of them, then synced */
};

struct host_dir {
    int fd;
    char *path;
};

struct host_file {
    int fd;
};

static int
error_of(int result)
{
    return result < 0 ? -errno : 0;
}

/* ---- folders ------------------------------------------------------------------------------- */

/* Takes `path` over. */
static int
open_dir(int below, const char *name, char *path, int flags, struct host_dir **ret_dir)
{
    int fd = openat(below, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);

    if (fd < 0) {
        int error = -errno;
        free(path);
        return error;
    }
    struct host_dir *dir = host_allocate(sizeof(*dir));
    *dir = (struct host_dir){fd, path};
    *ret_dir = dir;
    return 0;
}

int
host_dir_open(struct host *host, const char *path, struct host_dir **ret_dir)
{
    char *copy = strdup(path);

    (void)host;
    if (!copy)
        abort();
    return open_dir(AT_FDCWD, path, copy, 0, ret_dir);
}

int
host_dir_open_below(struct host_dir *dir, const char *name, struct host_dir **ret_dir)
{
    char *path;

    if (!file_name_is_legal(name))
        return -EINVAL;
    if (asprintf(&path, "%s/%s", dir->path, name) < 0)
        abort();
    return open_dir(dir->fd, name, path, O_NOFOLLOW, ret_dir);
}

void
host_dir_close(struct host_dir **dir)
{
    if (!*dir)
        return;
    close((*dir)->fd);
    free((*dir)->path);
    free(*dir);
    *dir = NULL;
}

const char *
host_dir_path(const struct host_dir *dir)
{
    return dir->path;
}

int
host_dir_make(struct host_dir *dir, const char *name)
{
    return file_name_is_legal(name) ? error_of(mkdirat(dir->fd, name, 0700)) : -EINVAL;
}

int
host_dir_rename(struct host_dir *dir, const char *from, const char *to)
{
    return host_dir_move(dir, from, dir, to);
}

int
host_dir_move(struct host_dir *from_dir, const char *from, struct host_dir *to_dir, const char *to)
{
    if (!file_name_is_legal(from) || !file_name_is_legal(to))
        return -EINVAL;
    return error_of(renameat(from_dir->fd, from, to_dir->fd, to));
}

int
host_dir_remove(struct host_dir *dir, const char *name)
{
    if (!file_name_is_legal(name))
        return -EINVAL;
    int error = error_of(unlinkat(dir->fd, name, 0));
    return error == -EISDIR ? error_of(unlinkat(dir->fd, name, AT_REMOVEDIR)) : error;
}

int
host_dir_sync(struct host_dir *dir)
{
    return error_of(fsync(dir->fd));
}

int
host_dir_list(struct host_dir *dir, host_dir_fn fn, void *context)
{
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        int error = -errno;
        close(fd);
        return error;
    }
    bool goes_on = true;
    errno = 0;
    for (struct dirent *entry; goes_on && (entry = readdir(folder)); errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            goes_on = fn(context, entry->d_name);
    }
    int error = goes_on ? -errno : 0;
    closedir(folder);
    return error;
}

int
host_dir_space(struct host_dir *dir, uint64_t *ret_free, uint64_t *ret_total)
{
    struct statvfs info;

    if (fstatvfs(dir->fd, &info) < 0)
        return -errno;
    *ret_free = (uint64_t)info.f_bavail * info.f_frsize;
    *ret_total = (uint64_t)info.f_blocks * info.f_frsize;
    return 0;
}

static void
read_info(const struct stat *from, struct host_file_info *ret_info)
{
    *ret_info = (struct host_file_info){
        .size = (uint64_t)from->st_size,
        .inode = from->st_ino,
        .modified = {(int64_t)from->st_mtim.tv_sec * 1000000000 + from->st_mtim.tv_nsec},
        .owner = from->st_uid,
        .mode = from->st_mode & 07777,
        .is_folder = S_ISDIR(from->st_mode),
    };
}

int
host_dir_find(struct host_dir *dir, const char *name, struct host_file_info *ret_info)
{
    struct stat info;

    if (!file_name_is_legal(name))
        return -EINVAL;
    if (fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    read_info(&info, ret_info);
    return 0;
}

int
host_dir_stamp(struct host_dir *dir, const char *name, uint64_t *ret_stamp)
{
    struct stat info;

    if (!file_name_is_legal(name))
        return -EINVAL;
    if (fstatat(dir->fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    const uint64_t parts[] = {info.st_dev,
                              info.st_ino,
                              (uint64_t)info.st_size,
                              (uint64_t)info.st_mtim.tv_sec,
                              (uint64_t)info.st_mtim.tv_nsec,
                              (uint64_t)info.st_ctim.tv_sec,
                              (uint64_t)info.st_ctim.tv_nsec};
    *ret_stamp = hash64(slice_of(parts, sizeof(parts)), 0);
    return 0;
}

/* ---- files --------------------------------------------------------------------------------- */

int
host_file_open(struct host_dir *dir, const char *name, unsigned flags, struct host_file **ret_file)
{
    int how = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK; /* a FIFO must not hold us */
    struct stat info;

    if (!file_name_is_legal(name))
        return -EINVAL;
    how |= flags & HOST_FILE_WRITE ? O_RDWR : O_RDONLY;
    how |= flags & HOST_FILE_CREATE ? O_CREAT : 0;
    how |= flags & HOST_FILE_EXCLUSIVE ? O_EXCL : 0;
    int fd = openat(dir->fd, name, how, flags & HOST_FILE_SHARED ? 0644 : 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    struct host_file *file = host_allocate(sizeof(*file));
    file->fd = fd;
    *ret_file = file;
    return 0;
}

void
host_file_close(struct host_file **file)
{
    if (!*file)
        return;
    close((*file)->fd);
    free(*file);
    *file = NULL;
}

int64_t
host_file_read(struct host_file *file, void *at, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t count = pread(file->fd, (uint8_t *)at + done, len - done, (off_t)(offset + done));
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count == 0)
            break;
        if (count > 0)
            done += (size_t)count;
    }
    return (int64_t)done;
}

/* Lays out pieces from `*first` on, without the `skipped` bytes at its front. */
static int
fill_vectors(const struct slice *pieces, size_t count, size_t skipped, struct iovec *vectors)
{
    int filled = 0;

    for (size_t i = 0; i < count && filled < PIECES_MAX; i++) {
        struct slice rest = slice_skip(pieces[i], i == 0 ? skipped : 0);
        vectors[filled++] = (struct iovec){(void *)(uintptr_t)rest.at, rest.len};
    }
    return filled;
}

int
host_file_write(struct host_file *file, const struct slice *pieces, size_t count, uint64_t offset)
{
    NOT_ZEROED struct iovec vectors[PIECES_MAX];
    size_t skipped = 0; /* of the first piece */

    for (;;) {
        while (count > 0 && skipped >= pieces->len) {
            skipped -= pieces->len;
            pieces++;
            count--;
        }
        if (count == 0)
            return 0;
        int filled = fill_vectors(pieces, count, skipped, vectors);
        ssize_t written = pwritev(file->fd, vectors, filled, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        offset += (uint64_t)written;
        skipped += (size_t)written;
    }
}

int
host_file_write_durably(struct host_file *file, const struct slice *pieces, size_t count,
                        uint64_t offset, bool *ret_is_unknown)
{
    NOT_ZEROED struct iovec vectors[PIECES_MAX];
    size_t len = 0;

    *ret_is_unknown = false;
    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (count <= PIECES_MAX && len <= WRITE_AND_SYNC_MAX) {
        int filled = fill_vectors(pieces, count, 0, vectors);
        ssize_t written = pwritev2(file->fd, vectors, filled, (off_t)offset, RWF_DSYNC);
        if (written >= 0 && (size_t)written == len)
            return 0;
        if (written < 0 && errno != EINTR && errno != EOPNOTSUPP) {
            *ret_is_unknown = true; /* it does not tell which of the two failed */
            return -errno;
        }
    }
    int error = host_file_write(file, pieces, count, offset);
    if (error == 0) {
        error = host_file_sync(file);
        *ret_is_unknown = error < 0;
    }
    return error;
}

int
host_file_info(struct host_file *file, struct host_file_info *ret_info)
{
    struct stat info;

    if (fstat(file->fd, &info) < 0)
        return -errno;
    read_info(&info, ret_info);
    return 0;
}

int
host_file_links(struct host_file *file, uint64_t *ret_links)
{
    struct stat info;

    if (fstat(file->fd, &info) < 0)
        return -errno;
    *ret_links = info.st_nlink;
    return 0;
}

int
host_file_size(struct host_file *file, uint64_t *ret_size)
{
    struct host_file_info info;
    int error = host_file_info(file, &info);

    if (error < 0)
        return error;
    *ret_size = info.size;
    return 0;
}

int
host_file_reserve(struct host_file *file, uint64_t size)
{
    return error_of(fallocate(file->fd, 0, 0, (off_t)size));
}

int
host_file_truncate(struct host_file *file, uint64_t size)
{
    return error_of(ftruncate(file->fd, (off_t)size));
}

int
host_file_sync(struct host_file *file)
{
    return error_of(fdatasync(file->fd));
}

int
host_file_push(struct host_file *file, uint64_t offset, uint64_t len)
{
    return error_of(sync_file_range(file->fd, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE));
}

int
host_file_lock(struct host_file *file)
{
    return error_of(flock(file->fd, LOCK_EX | LOCK_NB));
}

int
host_file_lock_record(struct host_file *file)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int error = error_of(fcntl(file->fd, F_SETLK, &lock));

    return error == -EACCES || error == -EAGAIN ? -EWOULDBLOCK : error;
}
