/* SPDX-License-Identifier: ISC */
/* Programs of this machine, run for a message with another user's rights and within limits. */
#include "host/linux/loop_private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PASSWD_BYTES_MAX = 16384,
    GROUPS_MAX = 256,
    PATH_BYTES_MAX = 1024,
    OWN_VARIABLES = 4,
    VARIABLES_MAX = 32,
    VARIABLE_BYTES_MAX = PATH_BYTES_MAX + 16,
    OUTPUT_READ_MAX = 4096,
    OUTPUT_ROUNDS = 16,   /* reads in one go, so that a chatterbox does not stop the loop */
    REPORT_DESCRIPTOR = 3 /* where a child that cannot become the program says why */
};

struct identity {
    uid_t user;
    gid_t group;
    gid_t groups[GROUPS_MAX];
    int group_count;
    bool is_other; /* than we are */
    char home[PATH_BYTES_MAX];
    char variables[OWN_VARIABLES][VARIABLE_BYTES_MAX]; /* HOME, USER, LOGNAME, SHELL */
};

struct host_errand {
    struct watch watch; /* first; on a pidfd */
    pid_t pid;
    struct host_descriptor *output;
    int output_fd;
    struct buffer said;
    host_errand_fn fn;
    void *context;
    bool has_ended;
};

/* ---- whose rights -------------------------------------------------------------------------- */

static bool
put_variable(char *to, const char *name, const char *value)
{
    int len = snprintf(to, VARIABLE_BYTES_MAX, "%s=%s", name, value);

    return len > 0 && len < VARIABLE_BYTES_MAX;
}

static int
find_identity(const char *name, struct identity *ret_identity)
{
    char text[PASSWD_BYTES_MAX];
    struct passwd entry, *found = NULL;
    int count = GROUPS_MAX;
    int error = *name ? getpwnam_r(name, &entry, text, sizeof(text), &found)
                      : getpwuid_r(geteuid(), &entry, text, sizeof(text), &found);

    if (error || !found)
        return error ? -error : -ENOENT;
    ret_identity->user = found->pw_uid;
    ret_identity->group = found->pw_gid;
    ret_identity->is_other = found->pw_uid != geteuid();
    if (found->pw_uid == 0 || (ret_identity->is_other && geteuid() != 0))
        return -EPERM;
    if (getgrouplist(found->pw_name, found->pw_gid, ret_identity->groups, &count) < 0)
        count = GROUPS_MAX;
    ret_identity->group_count = count;
    int len = snprintf(ret_identity->home, sizeof(ret_identity->home), "%s", found->pw_dir);
    bool is_good = len >= 0 && (size_t)len < sizeof(ret_identity->home) &&
                   put_variable(ret_identity->variables[0], "HOME", found->pw_dir) &&
                   put_variable(ret_identity->variables[1], "USER", found->pw_name) &&
                   put_variable(ret_identity->variables[2], "LOGNAME", found->pw_name) &&
                   put_variable(ret_identity->variables[3], "SHELL", "/bin/sh");
    return is_good ? 0 : -ENAMETOOLONG;
}

/* ---- the child: only calls that are safe between fork and exec ------------------------------ */

_Noreturn static void
give_up(int report)
{
    int error = errno;

    (void)!write(report, &error, sizeof(error));
    _exit(127);
}

static bool
set_limit(__rlimit_resource_t what, rlim_t value)
{
    struct rlimit limit = {value, value};

    return setrlimit(what, &limit) == 0;
}

static bool
set_limits(const struct host_errand_order *order)
{
    return set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_AS, order->memory_bytes_max) &&
           set_limit(RLIMIT_CPU, order->processor_s_max);
}

static bool
change_user(const struct identity *identity)
{
    if (!identity->is_other)
        return true;
    return setgroups((size_t)identity->group_count, identity->groups) == 0 &&
           setresgid(identity->group, identity->group, identity->group) == 0 &&
           setresuid(identity->user, identity->user, identity->user) == 0 && setuid(0) < 0;
}

/* The ends that the program gets lie above what they are moved to. */
static bool
place_descriptors(int input, int output, int report)
{
    return lseek(input, 0, SEEK_SET) == 0 && dup2(input, 0) >= 0 && dup2(output, 1) >= 0 &&
           dup2(output, 2) >= 0 && dup3(report, REPORT_DESCRIPTOR, O_CLOEXEC) >= 0 &&
           close_range(REPORT_DESCRIPTOR + 1, ~0U, 0) == 0;
}

_Noreturn static void
become_program(const struct host_errand_order *order, const struct identity *identity,
               const char *const *environment, const int *ends, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    if (setsid() < 0 || !place_descriptors(ends[0], ends[1], ends[2]))
        give_up(ends[2]);
    umask(077);
    if (!set_limits(order) || !change_user(identity) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up(REPORT_DESCRIPTOR);
    /* The change of user has switched this off. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    if (chdir(identity->home) < 0 && chdir("/") < 0)
        give_up(REPORT_DESCRIPTOR);
    (void)syscall(SYS_execve, order->arguments[0], order->arguments, environment);
    give_up(REPORT_DESCRIPTOR);
}

/* ---- what it says -------------------------------------------------------------------------- */

/* A program that says more than is kept is listened to all the same: it must not stand still. */
static void
hear(void *context)
{
    struct host_errand *errand = context;
    char text[OUTPUT_READ_MAX];

    for (int i = 0; i < OUTPUT_ROUNDS; i++) {
        ssize_t len = read(errand->output_fd, text, sizeof(text));
        if (len < 0 && errno == EINTR)
            continue;
        if (len == 0)
            host_descriptor_close(&errand->output);
        if (len <= 0)
            return;
        size_t room = buffer_room(&errand->said);
        buffer_put(&errand->said, slice_first(slice_of(text, (size_t)len), room));
    }
}

static void
on_end(void *owner, unsigned events)
{
    struct host_errand *errand = owner;
    siginfo_t info = {0};

    (void)events;
    /* Before it is reaped, so that its number is nobody else's. */
    (void)kill(-errand->pid, SIGKILL);
    if (waitid(P_PID, (id_t)errand->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    errand->has_ended = true;
    watch_set(&errand->watch, 0);
    hear(errand);
    errand->fn(errand->context, info.si_code == CLD_EXITED ? info.si_status : -info.si_status,
               buffer_slice(&errand->said));
}

/* ---- life ---------------------------------------------------------------------------------- */

static void
close_both(int *ends)
{
    for (size_t i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
        ends[i] = -1;
    }
}

/* The error of a child that could not become the program; 0: it has. */
static int
read_report(int fd)
{
    int error = 0;
    ssize_t len;

    do
        len = read(fd, &error, sizeof(error));
    while (len < 0 && errno == EINTR);
    return len == (ssize_t)sizeof(error) ? -error : 0;
}

static pid_t
start(const struct host_errand_order *order, const struct identity *identity, int output,
      const int *report)
{
    const char *environment[VARIABLES_MAX + OWN_VARIABLES + 2] = {
        "PATH=/usr/local/bin:/usr/bin:/bin"};
    size_t count = 1;
    pid_t parent = getpid();

    for (size_t i = 0; i < OWN_VARIABLES; i++)
        environment[count++] = identity->variables[i];
    for (size_t i = 0; i < VARIABLES_MAX && order->variables[i]; i++)
        environment[count++] = order->variables[i];
    environment[count] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        /* Out of the way of 0 to 3. */
        int ends[3] = {fcntl(order->input, F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1),
                       fcntl(output, F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1),
                       fcntl(report[1], F_DUPFD_CLOEXEC, REPORT_DESCRIPTOR + 1)};
        if (ends[0] < 0 || ends[1] < 0 || ends[2] < 0)
            give_up(report[1]);
        become_program(order, identity, environment, ends, parent);
    }
    return pid;
}

/* Watches what was started; on failure it is gone. */
static int
watch_errand(struct host *host, pid_t pid, int output, size_t output_max,
             struct host_errand **ret_errand)
{
    struct host_errand *errand = host_allocate(sizeof(*errand));
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int error = fd < 0 ? -errno : 0;

    *errand = (struct host_errand){.pid = pid, .output_fd = output};
    if (error == 0)
        error = watch_open(host, fd, on_end, &errand->watch);
    if (error < 0) {
        free(errand);
        return error;
    }
    buffer_init(&errand->said, output_max);
    error = host_descriptor_open(host, output, hear, errand, &errand->output);
    if (error < 0) {
        buffer_finish(&errand->said);
        watch_close(&errand->watch);
        return error;
    }
    watch_set(&errand->watch, HOST_READABLE);
    *ret_errand = errand;
    return 0;
}

static void
kill_and_reap(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

int
host_errand_open(struct host *host, const struct host_errand_order *order, host_errand_fn fn,
                 void *context, struct host_errand **ret_errand)
{
    int output[2] = {-1, -1}, report[2] = {-1, -1};
    struct identity *identity = host_allocate(sizeof(*identity));
    int error = find_identity(order->user, identity);
    pid_t pid = -1;

    if (error == 0 && (pipe2(output, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0 ||
                       fcntl(output[0], F_SETFL, O_NONBLOCK) < 0))
        error = -errno;
    if (error == 0) {
        host_linux_flush_log(host);
        pid = start(order, identity, output[1], report);
        error = pid < 0 ? -errno : 0;
    }
    if (error == 0) {
        close(report[1]);
        report[1] = -1;
        error = read_report(report[0]);
        if (error == 0)
            error = watch_errand(host, pid, output[0], order->output_bytes_max, ret_errand);
        if (error < 0)
            kill_and_reap(pid);
    }
    free(identity);
    close_both(report);
    if (error < 0) {
        close_both(output);
        return error;
    }
    close(output[1]);
    (*ret_errand)->fn = fn;
    (*ret_errand)->context = context;
    return 0;
}

void
host_errand_stop(struct host_errand *errand, bool is_last_word)
{
    if (!errand->has_ended)
        (void)kill(-errand->pid, is_last_word ? SIGKILL : SIGTERM);
}

void
host_errand_close(struct host_errand **errand)
{
    struct host_errand *old = *errand;

    if (!old)
        return;
    if (!old->has_ended)
        kill_and_reap(old->pid);
    host_descriptor_close(&old->output);
    close(old->output_fd);
    buffer_finish(&old->said);
    watch_close(&old->watch);
    *errand = NULL;
}
