/* SPDX-License-Identifier: ISC */
#include "host/linux/sandbox.h"

#include "host/linux/helper_private.h"
#include "host/linux/landlock_private.h"
#include "host/linux/seccomp_private.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { USER_FIRST = 61200, USER_NAME_MAX = 32, CAPABILITY_LAST = 63 };

struct sandbox_profile {
    const char *name;
    uint32_t number; /* its user, counted from USER_FIRST */
    unsigned calls; /* of enum seccomp_part */
    bool keeps_user;     /* root stays root, with `capabilities` only */
    bool has_empty_root; /* nothing at all to open */
    bool may_read;       /* folders of the request */
    bool may_write;
    bool looks_up_users; /* and becomes them */
    bool locks_memory;   /* nothing of it is written to swap space, where it can be */
    uint64_t capabilities;
};

#define CAPABILITY(name) (1ULL << (name))
/* Whoever moves octets and contents between streams and other roles. */
#define STREAMS (SECCOMP_NOTES | SECCOMP_BLOBS | SECCOMP_DOORS)

/* The parent binds ports, starts processes that drop their user, signals them and gives them their
 * folders; PAM, which runs in a helper of auth, fails as root when it may not write to the audit
 * log. The letter box becomes the users whose boxes it writes; Landlock keeps it in the folders
 * of these. The hand runs programs and connects to sockets that the operator names, and ends the
 * programs. Everybody else holds no capability. */
static const struct sandbox_profile profiles[] = {
    {.name = "parent",
     .number = 0,
     .calls = SECCOMP_START,
     .keeps_user = true,
     .capabilities = CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_SETUID) |
                     CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SYS_CHROOT) |
                     CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_DAC_OVERRIDE) |
                     CAPABILITY(CAP_SYS_RESOURCE) | CAPABILITY(CAP_SETPCAP) |
                     CAPABILITY(CAP_AUDIT_WRITE)},
    {.name = "smtp", .number = 1, .calls = STREAMS, .has_empty_root = true},
    {.name = "access", .number = 2, .calls = STREAMS, .has_empty_root = true},
    {.name = "auth",
     .number = 3,
     .calls = SECCOMP_NOTES | SECCOMP_READ | SECCOMP_WRITE,
     .may_read = true,
     .may_write = true},
    {.name = "route", .number = 4, .calls = SECCOMP_NOTES | SECCOMP_READ, .may_read = true},
    {.name = "deliver",
     .number = 5,
     .calls = SECCOMP_NOTES | SECCOMP_BLOBS,
     .has_empty_root = true},
    {.name = "letterbox",
     .number = 6,
     .calls = SECCOMP_NOTES | SECCOMP_BLOBS | SECCOMP_READ | SECCOMP_WRITE | SECCOMP_USERS,
     .keeps_user = true,
     .may_read = true,
     .may_write = true,
     .looks_up_users = true,
     .capabilities = CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_DAC_OVERRIDE) |
                     CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID)},
    {.name = "hand",
     .number = 13,
     .calls = SECCOMP_START,
     .keeps_user = true,
     .capabilities = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_KILL) |
                     CAPABILITY(CAP_DAC_OVERRIDE)},
    {.name = "store",
     .number = 7,
     .calls = STREAMS | SECCOMP_READ | SECCOMP_WRITE,
     .may_read = true,
     .may_write = true},
    {.name = "resolve", .number = 8, .calls = STREAMS | SECCOMP_NAMES, .has_empty_root = true},
    {.name = "table", .number = 10, .calls = SECCOMP_NOTES | SECCOMP_READ, .may_read = true},
    {.name = "table-remote",
     .number = 11,
     .calls = STREAMS | SECCOMP_READ | SECCOMP_CLIENT,
     .may_read = true},
    {.name = "index",
     .number = 12,
     .calls = SECCOMP_NOTES | SECCOMP_BLOBS | SECCOMP_READ | SECCOMP_WRITE,
     .may_read = true,
     .may_write = true},
    {.name = "keys",
     .number = 15,
     .calls = SECCOMP_NOTES,
     .has_empty_root = true,
     .locks_memory = true},
    {.name = "transport", .number = 9, .calls = STREAMS | SECCOMP_CONNECT, .has_empty_root = true},
    {.name = "issuer", .number = 14, .calls = STREAMS | SECCOMP_CONNECT, .has_empty_root = true},
};

const struct sandbox_profile *
sandbox_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

struct sandbox_user
sandbox_user(const struct sandbox_profile *profile, const char *prefix)
{
    char name[USER_NAME_MAX];

    if (profile->keeps_user)
        return (struct sandbox_user){0, 0};
    int len = snprintf(name, sizeof(name), "%s-%s", prefix, profile->name);
    uint32_t number = USER_FIRST + profile->number;
    struct sandbox_user user = {number, number};
    /* Users of a system service stand in this file. To ask the name service would load, in each
     * process, the libraries of all that it is configured to ask. */
    FILE *file = len > 0 && len < (int)sizeof(name) ? fopen("/etc/passwd", "re") : NULL;
    const struct passwd *entry = NULL;
    while (file && (entry = fgetpwent(file)) && strcmp(entry->pw_name, name) != 0) {
    }
    if (entry && entry->pw_uid != 0)
        user = (struct sandbox_user){entry->pw_uid, entry->pw_gid};
    if (file)
        fclose(file);
    return user;
}

const char *
sandbox_owner_advice(int error)
{
    if (error == EPERM)
        return "root needs the capability CAP_CHOWN for it; or start as an ordinary user";
    if (error == EINVAL)
        return "map users from 61200 on into this namespace; or start as an ordinary user";
    return "look at its file system";
}

/* ---- the steps ----------------------------------------------------------------------------- */

static void
put_fact(struct buffer *report, const char *key, const char *value)
{
    if (buffer_len(report))
        buffer_put_byte(report, ' ');
    buffer_put_text(report, key);
    buffer_put_byte(report, '=');
    buffer_put_text(report, value);
}

static void
put_number(struct buffer *report, const char *key, uint64_t value)
{
    put_fact(report, key, "");
    buffer_put_decimal(report, value);
}

/* Pages that are never touched are not fetched for it. An ordinary user may lock little: what could
 * not be had is said. With a limit that can be reached, memory would run out. */
static void
lock_memory(struct buffer *report)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

    bool is_locked = setrlimit(RLIMIT_MEMLOCK, &all) == 0 &&
                     mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    put_fact(report, "memory", is_locked ? "locked" : "not_locked");
}

/* The step that fails is named, and the last in the report. */
static int
tell_failure(struct buffer *report, const char *step, int error)
{
    if (error < 0)
        put_fact(report, step, "failed");
    return error;
}

static int
set_limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit limit = {value, value};

    return setrlimit(what, &limit) < 0 ? -errno : 0;
}

/* Before the user is dropped: root may raise the number of files. */
static int
set_files_max(unsigned files_max)
{
    struct rlimit limit;

    if (files_max == 0)
        return 0;
    if (set_limit(RLIMIT_NOFILE, files_max) == 0)
        return 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max; /* as many as an ordinary user can have */
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* A folder that has no name any more: nothing is in it, and nothing can be made in it. */
static int
enter_empty_root(void)
{
    static const char *const places[] = {"/run/facteur-root-XXXXXX", "/tmp/facteur-root-XXXXXX"};
    char path[64];

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        memcpy(path, places[i], strlen(places[i]) + 1);
        if (!mkdtemp(path))
            continue;
        bool is_entered = chdir(path) == 0;
        int error = rmdir(path) < 0 ? -errno : 0;
        if (error < 0 || !is_entered)
            return error < 0 ? error : -ENOENT;
        return chroot(".") < 0 ? -errno : 0;
    }
    return -errno;
}

static int
drop_user(struct sandbox_user user)
{
    if (setgroups(0, NULL) < 0 || setresgid(user.group, user.group, user.group) < 0 ||
        setresuid(user.user, user.user, user.user) < 0)
        return -errno;
    /* It must not come back. */
    return setuid(0) == 0 || setgid(0) == 0 ? -EPERM : 0;
}

/* Keeps of `kept` what is there: a supervisor may have left us less, an ordinary user has none. */
int
keep_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    for (unsigned i = 0; i <= CAPABILITY_LAST; i++)
        if (!(kept >> i & 1) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (size_t i = 0; i < COUNT_OF(data); i++) {
        uint32_t left = data[i].permitted & (uint32_t)(kept >> 32 * i);
        data[i] = (struct __user_cap_data_struct){.effective = left, .permitted = left};
    }
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Root, groups and user, in the order in which each step still has the right to the next. */
static int
drop_identity(const struct sandbox_profile *profile, const char *prefix, struct buffer *report)
{
    if (geteuid() != 0) {
        put_number(report, "user", geteuid());
        put_fact(report, "root", "unchanged");
        return tell_failure(report, "capabilities", keep_capabilities(0));
    }
    struct sandbox_user user = sandbox_user(profile, prefix);
    int error = profile->has_empty_root ? enter_empty_root() : 0;
    if (error < 0) {
        put_fact(report, "root", "failed");
        return error;
    }
    put_number(report, "user", user.user);
    put_fact(report, "root", profile->has_empty_root ? "empty" : "unchanged");
    if (profile->keeps_user)
        return tell_failure(report, "capabilities", keep_capabilities(profile->capabilities));
    (void)keep_capabilities(CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID));
    error = tell_failure(report, "change_of_user", drop_user(user));
    return error < 0 ? error : tell_failure(report, "capabilities", keep_capabilities(0));
}

/* Files in which the name service finds users. A file that is replaced is another one: users made
 * later are found after the next start. */
static const char *const user_files[] = {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"};

static size_t
find_user_files(const char **ret_found)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(user_files); i++)
        if (access(user_files[i], R_OK) == 0)
            ret_found[count++] = user_files[i];
    return count;
}

static int
confine_paths(const struct sandbox_profile *profile, const struct sandbox_request *request,
              struct buffer *report)
{
    const char *path = NULL;
    const char *found[COUNT_OF(user_files)];
    struct landlock_paths paths = {
        .readable = request->readable,
        .readable_count = profile->may_read ? request->readable_count : 0,
        .writable = request->writable,
        .writable_count = profile->may_write ? request->writable_count : 0,
        .may_connect = profile->calls & (SECCOMP_NAMES | SECCOMP_CLIENT | SECCOMP_CONNECT),
    };

    if (profile->calls & SECCOMP_START)
        return 0;
    if (profile->looks_up_users) {
        (void)getpwnam("root"); /* loads what the name service is configured to need */
        paths.readable = found;
        paths.readable_count = find_user_files(found);
    }
    int version = landlock_enter(&paths, &path);
    if (version > 0) {
        put_number(report, "landlock", (uint64_t)version);
    } else {
        put_fact(report, "landlock", version == 0 ? "none" : "failed");
        if (path)
            put_fact(report, "path", path);
    }
    return version < 0 ? version : 0;
}

/* No core with other people's mail in it, no more processes, no debugger of the same user; and an
 * end when the parent ends, which the change of user has switched off. */
static int
set_process_limits(const struct sandbox_profile *profile)
{
    int error = set_limit(RLIMIT_CORE, 0);

    /* Threads count as processes. */
    if (error == 0 && !(profile->calls & (SECCOMP_START | SECCOMP_NAMES)))
        error = set_limit(RLIMIT_NPROC, 0);
    if (error == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        error = -errno;
    if (error == 0 && !(profile->calls & SECCOMP_START) &&
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        error = -errno;
    return error;
}

#if HAS_ADDRESS_SANITIZER
/* The leak checker traces a copy of the process: under a filter, its own or one inherited from the
 * parent, it cannot run. Where even the question is refused, there is one. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}
#endif

int
sandbox_forbid_rings(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return seccomp_forbid_rings();
}

/* Children of a parent that may not confine itself (helpers of theirs run set-user-id programs) can
 * have loops with rings, which must go on; no further ring can be made. */
static unsigned
ring_part(void)
{
    bool is_possible =
        syscall(SYS_io_uring_setup, 0, NULL) < 0 && errno != ENOSYS && errno != EPERM;

    return is_possible ? SECCOMP_RING : 0;
}

int
sandbox_enter(const struct sandbox_profile *profile, const struct sandbox_request *request,
              struct buffer *report)
{
    /* It does no harm when this fails. */
    if (request->niceness > 0)
        (void)setpriority(PRIO_PROCESS, 0, request->niceness);
    tzset(); /* reads a file that is out of reach afterwards */
    (void)prctl(PR_SET_NAME, profile->name, 0, 0, 0); /* what the kernel's log calls it */
    int error = tell_failure(report, "files", set_files_max(request->files_max));
    if (profile->locks_memory)
        lock_memory(report);
    if (error == 0)
        error = drop_identity(profile, request->user_prefix, report);
    if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        error = tell_failure(report, "no_new_privileges", -errno);
    if (error == 0)
        error = confine_paths(profile, request, report);
    if (error == 0)
        error = tell_failure(report, "limits", set_process_limits(profile));
    if (error == 0)
        error = tell_failure(report, "seccomp", seccomp_enter(profile->calls | ring_part()));
    if (error == 0)
        put_fact(report, "seccomp", "on");
    return error;
}
