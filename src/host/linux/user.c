/* SPDX-License-Identifier: ISC */
/* Acting for another system user while files are opened. */
#include "host/host.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum { PASSWD_BYTES_MAX = 16384 };

int
host_user_assume(struct host *host, const char *user)
{
    char text[PASSWD_BYTES_MAX];
    struct passwd entry, *found;

    (void)host;
    if (*user == 0)
        return 0;
    int error = getpwnam_r(user, &entry, text, sizeof(text), &found);
    if (error || !found)
        return error ? -error : -ENOENT;
    if (found->pw_uid == geteuid())
        return 0;
    if (initgroups(user, found->pw_gid) < 0 || setegid(found->pw_gid) < 0 ||
        seteuid(found->pw_uid) < 0) {
        error = -errno;
        host_user_leave(host);
        return error;
    }
    return 0;
}

int
host_user_find(struct host *host, const char *user, struct host_user *ret_user)
{
    char text[PASSWD_BYTES_MAX];
    struct passwd entry, *found;

    (void)host;
    int error = *user ? getpwnam_r(user, &entry, text, sizeof(text), &found)
                      : getpwuid_r(geteuid(), &entry, text, sizeof(text), &found);
    if (error || !found)
        return error ? -error : -ENOENT;
    size_t len = strlen(found->pw_dir);
    if (len >= sizeof(ret_user->home))
        return -ENAMETOOLONG;
    ret_user->number = found->pw_uid;
    memcpy(ret_user->home, found->pw_dir, len + 1);
    return 0;
}

void
host_user_leave(struct host *host)
{
    (void)host;
    /* The real ids never changed. Groups of the user stay until the next one's come: they give
     * nothing to a process that is confined to the same folders. */
    if (geteuid() != getuid())
        (void)!seteuid(getuid());
    if (getegid() != getgid())
        (void)!setegid(getgid());
}
