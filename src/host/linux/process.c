/* SPDX-License-Identifier: ISC */
/* Children, signals, listening sockets: what the parent and the tool need of the kernel. */
#include "host/linux/process.h"

#include "host/linux/loop_private.h"
#include "host/linux/socket_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* newcomers that wait for accept; the kernel's somaxconn cuts it */
    ENVIRONMENT_MAX = 16,
};

/* ---- programs ------------------------------------------------------------------------------ */

int
host_program_open(const char *name, struct buffer *ret_path, host_handle *ret_program)
{
    static const char *const places[] = {FACTEUR_PROGRAMS "/", ""}; /* below our own folder */
    char self[PATH_MAX], path[PATH_MAX];
    int fd = -1;

    if (!name) {
        fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
        *ret_program = fd;
        return fd < 0 ? -errno : 0;
    }
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
    if (len < 0) {
        int error = -errno;
        if (ret_path)
            buffer_put_text(ret_path, "/proc/self/exe");
        return error;
    }
    size_t folder = slice_find_last_byte(slice_of(self, (size_t)len), '/');
    for (size_t i = 0; fd < 0 && i < COUNT_OF(places); i++) {
        int wanted = snprintf(path, sizeof(path), "%.*s/%s%s", (int)folder, self, places[i], name);
        if (wanted < 0 || (size_t)wanted >= sizeof(path))
            return -ENAMETOOLONG;
        fd = open(path, O_PATH | O_CLOEXEC);
        if (ret_path)
            buffer_clear(ret_path);
        if (ret_path)
            buffer_put_text(ret_path, path);
    }
    *ret_program = fd;
    return fd < 0 ? -errno : 0;
}

/* Only calls that are safe between fork and exec. */
static int
become(int program, const char *const *arguments, char *const *environment)
{
    (void)syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    return -errno;
}

int
host_program_become(host_handle program, const char *const *arguments)
{
    return become(program, arguments, environ);
}

/* ---- children ------------------------------------------------------------------------------ */

struct host_process {
    struct watch watch; /* first; on a pidfd */
    pid_t pid;
    host_process_exit_fn on_exit;
    void *context;
};

static void
on_process(void *owner, unsigned events)
{
    struct host_process *process = owner;
    siginfo_t info = {0};

    (void)events;
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    watch_set(&process->watch, 0);
    bool has_exited = info.si_code == CLD_EXITED;
    process->on_exit(process->context, has_exited ? info.si_status : -info.si_status);
}

/* What of the environment a child is given: enough for times and sanitizers, no secrets. */
static void
choose_environment(char **ret_environment)
{
    static const char *const kept[] = {
        "LANG=", "TZ=", "JOURNAL_STREAM=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
    size_t count = 0;

    for (char **entry = environ; *entry; entry++)
        for (size_t i = 0; i < COUNT_OF(kept) && count < ENVIRONMENT_MAX - 1; i++)
            if (strncmp(*entry, kept[i], strlen(kept[i])) == 0)
                ret_environment[count++] = *entry;
    ret_environment[count] = NULL;
}

/* Between fork and exec: only calls that are safe there. */
_Noreturn static void
become_child(int program, const char *const *arguments, char *const *environment, int channel,
             pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    /* A session of its own: Ctrl-C and the like at the parent's terminal are for the parent alone,
     * who ends its children in order. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || setsid() < 0)
        _exit(1);
    /* Out of the way first: the channel may be 0 or 1. A copy made by dup2 survives exec. */
    int high = fcntl(channel, F_DUPFD_CLOEXEC, HOST_PROCESS_CHANNEL + 2);
    int image = fcntl(program, F_DUPFD_CLOEXEC, HOST_PROCESS_CHANNEL + 2);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (high < 0 || image < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(high, HOST_PROCESS_CHANNEL) < 0 ||
        dup3(image, HOST_PROCESS_CHANNEL + 1, O_CLOEXEC) < 0 ||
        close_range(HOST_PROCESS_CHANNEL + 2, ~0U, 0) < 0)
        _exit(1);
    (void)become(HOST_PROCESS_CHANNEL + 1, arguments, environment);
    _exit(HOST_PROCESS_NOT_EXECUTED);
}

static int
open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int
watch_process(struct host *host, pid_t pid, host_process_exit_fn on_exit, void *context,
              struct host_process **ret_process)
{
    int fd = open_pidfd(pid);

    if (fd < 0)
        return -errno;
    struct host_process *process = host_allocate(sizeof(*process));
    *process = (struct host_process){.pid = pid, .on_exit = on_exit, .context = context};
    int error = watch_open(host, fd, on_process, &process->watch);
    if (error < 0) {
        free(process);
        return error;
    }
    watch_set(&process->watch, HOST_READABLE);
    *ret_process = process;
    return 0;
}

int
host_process_spawn(struct host *host, host_handle program, const char *const *arguments,
                   host_handle channel, host_process_exit_fn on_exit, void *context,
                   struct host_process **ret_process)
{
    char *environment[ENVIRONMENT_MAX];
    pid_t parent = getpid();

    choose_environment(environment);
    host_linux_flush_log(host);
    pid_t pid = fork();
    if (pid == 0)
        become_child(program, arguments, environment, channel, parent);
    int error = pid < 0 ? -errno : 0;
    host_handle_close(host, channel);
    if (error < 0)
        return error;
    error = watch_process(host, pid, on_exit, context, ret_process);
    if (error < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return error;
}

pid_t
host_process_id(const struct host_process *process)
{
    return process->pid;
}

void
host_process_signal(struct host_process *process, int signal)
{
    /* By descriptor: the number may belong to another process by now. */
    (void)syscall(SYS_pidfd_send_signal, process->watch.fd, signal, NULL, 0);
}

void
host_process_close(struct host_process **process)
{
    if (!*process)
        return;
    watch_close(&(*process)->watch);
    *process = NULL;
}

int
host_process_parent_channel(host_handle *ret_handle)
{
    int flags = fcntl(HOST_PROCESS_CHANNEL, F_GETFD);
    int kind = 0;
    socklen_t len = sizeof(kind);

    if (flags < 0 || getsockopt(HOST_PROCESS_CHANNEL, SOL_SOCKET, SO_TYPE, &kind, &len) < 0 ||
        kind != SOCK_SEQPACKET)
        return -EBADF;
    if (fcntl(HOST_PROCESS_CHANNEL, F_SETFD, flags | FD_CLOEXEC) < 0)
        return -errno;
    *ret_handle = HOST_PROCESS_CHANNEL;
    return 0;
}

/* ---- signals ------------------------------------------------------------------------------- */

struct host_signal {
    uv_signal_t signal;
    struct host *host;
    host_fn fn;
    void *context;
};

static void
on_signal(uv_signal_t *handle, int number)
{
    struct host_signal *signal = CONTAINER_OF(handle, struct host_signal, signal);

    (void)number;
    host_enter_handler(signal->host);
    signal->fn(signal->context);
}

int
host_signal_open(struct host *host, int signal, host_fn fn, void *context,
                 struct host_signal **ret_signal)
{
    struct host_signal *made = host_allocate(sizeof(*made));

    *made = (struct host_signal){.host = host, .fn = fn, .context = context};
    uv_signal_init(&host->loop, &made->signal);
    int error = uv_signal_start(&made->signal, on_signal, signal);
    if (error < 0) {
        host_signal_close(&made);
        return error;
    }
    *ret_signal = made;
    return 0;
}

static void
on_signal_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct host_signal, signal));
}

void
host_signal_close(struct host_signal **signal)
{
    if (!*signal)
        return;
    uv_close((uv_handle_t *)&(*signal)->signal, on_signal_closed);
    *signal = NULL;
}

/* ---- listening sockets --------------------------------------------------------------------- */

/* Closes `fd` and returns the error that errno holds now. */
static int
give_up(int fd)
{
    int error = -errno;

    close(fd);
    return error;
}

int
host_listen_tcp(const struct host_address *address, host_handle *ret_handle, uint16_t *ret_port)
{
    struct sockaddr_storage at;
    socklen_t len = socket_address_write(address, &at);
    int one = 1;

    if (len == 0)
        return -EAFNOSUPPORT;
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        return give_up(fd);
    if (at.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        return give_up(fd);
    if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, BACKLOG) < 0)
        return give_up(fd);
    if (ret_port) {
        struct host_address bound;
        if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
            return give_up(fd);
        socket_address_read(&at, &bound);
        *ret_port = bound.port;
    }
    *ret_handle = fd;
    return 0;
}

static int
unix_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t len = strlen(path);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    memcpy(ret_address->sun_path, path, len);
    return 0;
}

static int
connect_unix(const char *path, int kind, host_handle *ret_handle)
{
    struct sockaddr_un address;
    int error = unix_address(path, &address);

    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return give_up(fd);
    *ret_handle = fd;
    return 0;
}

int
host_channel_connect(const char *path, host_handle *ret_handle)
{
    return connect_unix(path, SOCK_SEQPACKET, ret_handle);
}

int
host_unix_connect(struct host *host, const char *path, host_handle *ret_handle)
{
    (void)host;
    return connect_unix(path, SOCK_STREAM, ret_handle);
}

/* A socket that a dead process left is removed; one that lives is not, nor is another kind of
 * file. */
static int
clear_path(const char *path, int kind)
{
    struct stat info;
    host_handle probe = HOST_HANDLE_NONE;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(info.st_mode))
        return -EEXIST;
    int error = connect_unix(path, kind, &probe);
    if (error == 0)
        close(probe);
    if (error != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path) < 0 ? -errno : 0;
}

static int
listen_unix(const char *path, int kind, mode_t mode, host_handle *ret_handle)
{
    struct sockaddr_un address;
    int error = unix_address(path, &address);

    if (error == 0)
        error = clear_path(path, kind);
    if (error < 0)
        return error;
    int fd = socket(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The mode of the socket before bind is, under Linux, that of the name: never wider. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0)
        return give_up(fd);
    *ret_handle = fd;
    return 0;
}

int
host_listen_channel(const char *path, mode_t mode, host_handle *ret_handle)
{
    return listen_unix(path, SOCK_SEQPACKET, mode, ret_handle);
}

int
host_listen_unix(const char *path, mode_t mode, host_handle *ret_handle)
{
    return listen_unix(path, SOCK_STREAM, mode, ret_handle);
}

/* ---- supervisor ---------------------------------------------------------------------------- */

int
host_supervisor_tell(struct slice state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;

    if (!path || !*path)
        return 0;
    int error = unix_address(path, &address);
    if (error < 0)
        return error;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (address.sun_path[0] == '@')
        address.sun_path[0] = 0; /* systemd's way to write an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t sent = sendto(fd, state.at, state.len, MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    error = sent < 0 ? -errno : 0;
    close(fd);
    return error;
}
