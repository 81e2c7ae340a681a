/* SPDX-License-Identifier: ISC */
/* The folders of the data: made with narrow rights, and, when started as root, given to the roles
 * that own them. */
#include "role/parent/parent_private.h"

#include "host/linux/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, SRS_KEY_OCTETS = 32 };

/* As `mkdir -p` does; the last part gets `mode`, parts on the way 0755. */
static int
make_path(char *path, mode_t mode)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int status = mkdir(path, 0755);
        *slash = '/';
        if (status < 0 && errno != EEXIST)
            return -errno;
    }
    return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static bool
make(struct parent *parent, struct slice root, const char *name, mode_t mode, const char *owner,
     const char *group)
{
    char path[PATH_BYTES_MAX], prefix[32];
    const char *advice = "make the folder, or change data_dir or runtime_dir";
    struct stat info;

    snprintf(path, sizeof(path), "%.*s%s%s", (int)root.len, (const char *)root.at, *name ? "/" : "",
             name);
    int status = make_path(path, mode);
    if (status == 0 && (stat(path, &info) < 0 || !S_ISDIR(info.st_mode)))
        status = -ENOTDIR;
    if (status == 0 && owner && geteuid() == 0) {
        snprintf(prefix, sizeof(prefix), "%.*s", (int)parent->config.run_as.len,
                 (const char *)parent->config.run_as.at);
        uint32_t user = sandbox_user(sandbox_find(owner), prefix).user;
        uint32_t group_id = sandbox_user(sandbox_find(group), prefix).group;
        if (chown(path, user, group_id) < 0 || chmod(path, mode) < 0) {
            status = -errno;
            advice = sandbox_owner_advice(errno);
        }
    }
    if (status < 0)
        parent_complain(parent, "%s: %s; %s", path, strerror(-status), advice);
    return status == 0;
}

/* Files that the tool has written as root go to the role that reads them. */
static void
give_file(struct parent *parent, const char *name, mode_t mode, const char *owner,
          const char *group)
{
    char path[PATH_BYTES_MAX], prefix[32];
    struct slice root = parent->config.data_dir;

    if (geteuid() != 0)
        return;
    snprintf(path, sizeof(path), "%.*s/%s", (int)root.len, (const char *)root.at, name);
    snprintf(prefix, sizeof(prefix), "%.*s", (int)parent->config.run_as.len,
             (const char *)parent->config.run_as.at);
    if (lchown(path, sandbox_user(sandbox_find(owner), prefix).user,
               sandbox_user(sandbox_find(group), prefix).group) == 0)
        chmod(path, mode);
}

/* What proves that we made an address (option srs_domain): made once, and the same for ever, or
 * bounces of what is on its way would not find back. */
static bool
make_srs_key(struct parent *parent)
{
    char path[PATH_BYTES_MAX], text[2 * SRS_KEY_OCTETS + 2];
    uint8_t key[SRS_KEY_OCTETS];
    struct slice root = parent->config.data_dir;

    snprintf(path, sizeof(path), "%.*s/directory/srs-key", (int)root.len, (const char *)root.at);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0 && errno == EEXIST)
        return true;
    host_random(parent->host, key, sizeof(key));
    for (size_t i = 0; i < sizeof(key); i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[2 * SRS_KEY_OCTETS] = '\n';
    bool is_good = fd >= 0 && write(fd, text, 2 * SRS_KEY_OCTETS + 1) == 2 * SRS_KEY_OCTETS + 1 &&
                   fsync(fd) == 0;
    if (!is_good)
        parent_complain(parent, "%s: %s; %s", path, strerror(errno),
                        errno == EACCES ? "start as root or as the owner of the folder"
                                        : "make room for it");
    if (!is_good && fd >= 0)
        unlink(path);
    if (fd >= 0)
        close(fd);
    return is_good;
}

void
folders_give_directory(struct parent *parent)
{
    give_file(parent, "directory/srs-key", 0640, "auth", "route");
    give_file(parent, "directory/accounts", 0640, "auth", "route");
    give_file(parent, "directory/secrets", 0600, "auth", "auth");
}

/* True when the users of the roles may walk down to the folder: all may pass each one above. */
static bool
is_reachable(struct slice folder)
{
    char path[PATH_BYTES_MAX];
    struct stat info;

    snprintf(path, sizeof(path), "%.*s", (int)folder.len, (const char *)folder.at);
    for (char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        char kept = slash[1];
        slash[1] = 0;
        bool is_open = stat(path, &info) == 0 && (info.st_mode & S_IXOTH);
        slash[1] = kept;
        if (!is_open)
            return false;
    }
    return true;
}

/* Below a folder that is only root's, like /root, the roles could not open theirs by name once they
 * have given root up. They inherit it as their current folder instead, and are told to reach it by
 * that: it is opened while we are still root, and what lies above does not matter. */
static bool
enter_data_dir(struct parent *parent)
{
    struct slice data = parent->config.data_dir;
    char path[PATH_BYTES_MAX];

    if (geteuid() != 0 || is_reachable(data))
        return true;
    snprintf(path, sizeof(path), "%.*s", (int)data.len, (const char *)data.at);
    parent->is_data_dir_current = chdir(path) == 0;
    if (!parent->is_data_dir_current)
        parent_complain(parent, "%s: %s; choose another data_dir", path, strerror(errno));
    return parent->is_data_dir_current;
}

bool
folders_make(struct parent *parent)
{
    struct slice data = parent->config.data_dir, runtime = parent->config.runtime_dir;

    if (!make(parent, data, "", 0755, NULL, NULL) ||
        !make(parent, data, "directory", 0750, "auth", "route") ||
        !make(parent, data, "store", 0700, "store", "store") ||
        !make(parent, data, "index", 0700, "index", "index") ||
        !make(parent, runtime, "", 0755, NULL, NULL) || !make_srs_key(parent))
        return false;
    folders_give_directory(parent);
    return enter_data_dir(parent);
}
