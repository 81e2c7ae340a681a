/* SPDX-License-Identifier: ISC */
#include "tool/files.h"

#include "tool/say.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int
say_failed(const char *verb, const char *path)
{
    int error = errno;
    const char *remedy = error == EACCES || error == EPERM
                             ? "run this as root or as the owner of the file"
                         : error == ENOENT || error == ENOTDIR ? "look whether the path is right"
                         : error == ENOSPC || error == EDQUOT  ? "make space"
                                                               : "look at the disk";

    return say_error(say_code_of_errno(error), "cannot %s %s: %s; %s", verb, path, strerror(error),
                     remedy);
}

static int
read_descriptor(int file, const char *path, struct buffer *ret_bytes)
{
    enum { PIECE = 256 * 1024 };

    for (;;) {
        size_t room = buffer_room(ret_bytes) < PIECE ? buffer_room(ret_bytes) : PIECE;
        uint8_t *at = room ? buffer_reserve(ret_bytes, room) : NULL;
        uint8_t surplus;
        ssize_t count = at ? read(file, at, room) : read(file, &surplus, 1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return say_failed("read", path);
        if (count == 0)
            return EX_OK;
        if (!at)
            return say_error(EX_DATAERR, "%s is larger than %zu bytes; give a smaller file", path,
                             ret_bytes->max);
        buffer_commit(ret_bytes, (size_t)count);
    }
}

static int
read_file(const char *path, size_t max, bool may_miss, struct buffer *ret_bytes)
{
    buffer_init(ret_bytes, max);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT && may_miss)
        return EX_OK;
    if (file < 0)
        return say_failed("open", path);
    int code = read_descriptor(file, path, ret_bytes);
    close(file);
    return code;
}

int
files_read(const char *path, size_t max, struct buffer *ret_bytes)
{
    return read_file(path, max, false, ret_bytes);
}

int
files_read_or_stdin(const char *path, size_t max, struct buffer *ret_bytes)
{
    if (strcmp(path, "-") != 0)
        return files_read(path, max, ret_bytes);
    buffer_init(ret_bytes, max);
    return read_descriptor(STDIN_FILENO, "standard input", ret_bytes);
}

int
files_read_if_any(const char *path, size_t max, struct buffer *ret_bytes)
{
    return read_file(path, max, true, ret_bytes);
}

int
files_open_plain(int folder, const char *name, const char *path, int *ret_descriptor)
{
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;

    if (file < 0 && errno == ELOOP)
        return say_error(EX_NOPERM, "%s is a link, which could lead anywhere; name its goal",
                         path);
    if (file < 0)
        return say_failed("open", path);
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
        *ret_descriptor = file;
        return EX_OK;
    }
    close(file);
    return say_error(EX_DATAERR, "%s is no ordinary file; name one", path);
}

int
files_read_plain(int folder, const char *name, const char *path, size_t max,
                 struct buffer *ret_bytes)
{
    int file;

    buffer_init(ret_bytes, max);
    int code = files_open_plain(folder, name, path, &file);
    if (code != EX_OK)
        return code;
    code = read_descriptor(file, path, ret_bytes);
    close(file);
    return code;
}

bool
files_write(int file, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(file, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    return true;
}

static bool
give_to(int file, const struct files_owner *owner)
{
    return owner->user == FILES_NOBODY || geteuid() != 0 ||
           fchown(file, owner->user, owner->group) == 0;
}

/* Makes names in the file's folder durable. */
static bool
sync_folder_of(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;

    if (!folder)
        abort();
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = descriptor >= 0 && fsync(descriptor) == 0;
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return is_good;
}

int
files_append(const char *path, struct slice bytes, const struct files_owner *owner)
{
    bool is_new = !files_exists(path);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, owner->mode);

    if (file < 0)
        return say_failed("open", path);
    bool is_good = (!is_new || give_to(file, owner)) && files_write(file, bytes) &&
                   fdatasync(file) == 0 && (!is_new || sync_folder_of(path));
    int code = is_good ? EX_OK : say_failed("write", path);
    close(file);
    return code;
}

int
files_replace(const char *path, struct slice bytes, const struct files_owner *owner)
{
    enum { SUFFIX_LEN = sizeof(".new") };
    size_t len = strlen(path);
    char *fresh = malloc(len + SUFFIX_LEN);

    if (!fresh)
        abort();
    memcpy(fresh, path, len);
    memcpy(fresh + len, ".new", SUFFIX_LEN);
    unlink(fresh); /* what a crash may have left */
    int file = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, owner->mode);
    bool is_good = file >= 0 && give_to(file, owner) && files_write(file, bytes) &&
                   fdatasync(file) == 0 && rename(fresh, path) == 0 && sync_folder_of(path);
    int code = is_good ? EX_OK : say_failed("write", path);
    if (file >= 0)
        close(file);
    if (!is_good)
        unlink(fresh);
    free(fresh);
    return code;
}

int
files_make_folder(const char *path, mode_t mode)
{
    char *part = strdup(path);

    if (!part)
        abort();
    for (char *slash = strchr(part + (*part != 0), '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)!mkdir(part, 0755); /* what is wrong shows at the last */
        *slash = '/';
    }
    int code = EX_OK;
    if (mkdir(part, mode) != 0 && errno != EEXIST)
        code = say_failed("make the folder", path);
    else if (!files_is_folder(path))
        code = say_error(EX_CANTCREAT, "%s is no folder; give another place", path);
    free(part);
    return code;
}

int
files_lock(const char *path, int *ret_descriptor)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (file < 0)
        return say_failed("open", path);
    while (flock(file, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        int code = say_failed("lock", path);
        close(file);
        return code;
    }
    *ret_descriptor = file;
    return EX_OK;
}

bool
files_exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

bool
files_is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *
files_path(const char *folder, const char *name)
{
    size_t folder_len = strlen(folder), name_len = strlen(name);
    char *path = malloc(folder_len + name_len + 2);

    if (!path)
        abort();
    memcpy(path, folder, folder_len);
    path[folder_len] = '/';
    memcpy(path + folder_len + 1, name, name_len + 1);
    return path;
}

void
files_random(void *ret_bytes, size_t len)
{
    uint8_t *at = ret_bytes;

    while (len > 0) {
        ssize_t count = getrandom(at, len, 0);
        if (count < 0 && errno != EINTR)
            abort();
        at += count > 0 ? count : 0;
        len -= count > 0 ? (size_t)count : 0;
    }
}
