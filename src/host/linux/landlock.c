/* SPDX-License-Identifier: ISC */
/* Landlock by its three system calls: this libc has no functions for them, and its header is older
 * than the kernels we run on, so the numbers of newer versions stand here. */
#include "host/linux/landlock_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

enum {
    FILE_SYSTEM_RIGHTS_1 = 13,  /* rights that version 1 knows: bits 0 to 12 */
    NET_BIND_AND_CONNECT = 3,   /* version 4: bits 0 and 1, TCP */
    SCOPE_SOCKETS_AND_SIGNALS = 3, /* version 6: abstract unix sockets, signals to others */
};

/* struct landlock_ruleset_attr as of version 6. */
struct ruleset {
    uint64_t file_system;
    uint64_t net;
    uint64_t scoped;
};

static const uint64_t rights_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t rights_write =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE;
/* The part of these that a rule about a single file may name. */
static const uint64_t rights_of_file = LANDLOCK_ACCESS_FS_READ_FILE |
                                       LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;

/* Everything that a kernel of this version can deny. */
static struct ruleset
ruleset_of(int version)
{
    struct ruleset rules = {.file_system = (1ULL << FILE_SYSTEM_RIGHTS_1) - 1};

    if (version >= 2)
        rules.file_system |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rules.file_system |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= 4)
        rules.net = NET_BIND_AND_CONNECT;
    if (version >= 5)
        rules.file_system |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    if (version >= 6)
        rules.scoped = SCOPE_SOCKETS_AND_SIGNALS;
    return rules;
}

static size_t
ruleset_size(int version)
{
    return version >= 6 ? sizeof(struct ruleset)
                        : offsetof(struct ruleset, scoped) - (version >= 4 ? 0 : sizeof(uint64_t));
}

static int
allow_path(int ruleset, const char *path, uint64_t rights)
{
    struct stat info;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int error = fstat(fd, &info) < 0 ? -errno : 0;
    if (error == 0 && !S_ISDIR(info.st_mode))
        rights &= rights_of_file;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
    if (error == 0 &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        error = -errno;
    close(fd);
    return error;
}

static int
allow_paths(int ruleset, const char *const *paths, size_t count, uint64_t rights,
            const char **ret_path)
{
    for (size_t i = 0; i < count; i++) {
        int error = allow_path(ruleset, paths[i], rights);
        if (error < 0) {
            *ret_path = paths[i];
            return error;
        }
    }
    return 0;
}

int
landlock_enter(const struct landlock_paths *paths, const char **ret_path)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (version < 1)
        return 0;
    struct ruleset rules = ruleset_of((int)version);
    if (paths->may_connect)
        rules.net = 0;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, ruleset_size((int)version), 0);
    if (fd < 0)
        return -errno;
    int error = allow_paths(fd, paths->readable, paths->readable_count,
                            rights_read & rules.file_system, ret_path);
    if (error == 0)
        error = allow_paths(fd, paths->writable, paths->writable_count,
                            rights_write & rules.file_system, ret_path);
    if (error == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        error = -errno;
    close(fd);
    return error < 0 ? error : (int)version;
}
