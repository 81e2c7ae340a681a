/* SPDX-License-Identifier: ISC */
/* Confinement: what a process gives up before it meets its first stranger. One profile for each
 * kind of process; sandbox.c holds the table. In this order: empty root, groups and
 * user, capabilities, no new privileges, Landlock, limits, seccomp.
 *
 * Started as an ordinary user, no user can be changed and no root; the rest remains. */
#ifndef HOST_LINUX_SANDBOX_H
#define HOST_LINUX_SANDBOX_H

#include "host/host.h"

struct sandbox_profile;

/* "parent", "smtp", "access", "auth", "route", "deliver", "letterbox", "store", "resolve", "index",
 * "table", "table-remote", "transport", "hand", "issuer", "keys"; NULL for any other name. */
const struct sandbox_profile *sandbox_find(const char *name);

/* The user a profile runs as when started as root: the user "PREFIX-NAME" if the system has it,
 * else a number above 61200 that is this profile's alone. So the parent can give folders away. */
struct sandbox_user {
    uint32_t user;
    uint32_t group;
};
struct sandbox_user sandbox_user(const struct sandbox_profile *profile, const char *prefix);

/* What to do when chown() to such a user failed with `error` (an errno). Static text. */
const char *sandbox_owner_advice(int error);

struct sandbox_request {
    const char *user_prefix; /* "facteur" */
    /* Folders the process may go on reaching by path, as far as its profile allows it any. */
    const char *const *readable;
    size_t readable_count;
    const char *const *writable;
    size_t writable_count;
    unsigned files_max; /* RLIMIT_NOFILE; 0 leaves it */
    int niceness;       /* above 0: others go first */
};

/* Before the first loop of a process that will confine itself and what it starts: from now on these
 * have no new privileges and no rings (io_uring). libuv from 1.45 makes one for each loop where it
 * can; no filter sees what is asked for through it, and a loop whose ring is refused later ends the
 * process. 0 or a negative errno. */
MUST_USE int sandbox_forbid_rings(void);

/* Confines this process for good: call it when everything that needs a path, a new socket or a
 * helper has been opened. 0, or a negative errno when something the profile requires could
 * not be had: the process must then not go on. Either way puts into `report` one readable line of
 * what was had and, last, the step that failed: "user=61201 root=empty landlock=7 seccomp=on",
 * "user=61207 root=unchanged landlock=failed path=/nonexistent/folder". */
MUST_USE int sandbox_enter(const struct sandbox_profile *profile,
                           const struct sandbox_request *request, struct buffer *report);

#endif
