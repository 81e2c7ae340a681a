/* SPDX-License-Identifier: ISC */
/* System call filters: the only file that knows libseccomp.
 *
 * What is not listed fails with EPERM: libraries probe (a locale, a configuration file, a random
 * device) and go on well without. What no library of ours ever tries, and an intruder tries first
 * (exec, a new socket, another process's memory), ends the process at once: its peers lose one
 * connection's work, the parent sees signal SIGSYS and says so. */
#include "host/linux/seccomp_private.h"

#include "host/linux/helper_private.h"

#include <errno.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <seccomp.h>
#include <sys/socket.h>

static const int compute_calls[] = {
    SCMP_SYS(read),          SCMP_SYS(write),          SCMP_SYS(readv),
    SCMP_SYS(writev),        SCMP_SYS(recvfrom),       SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),       SCMP_SYS(sendmsg),        SCMP_SYS(close),
    SCMP_SYS(brk),           SCMP_SYS(mmap),           SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(madvise),        SCMP_SYS(mprotect),
    SCMP_SYS(futex),         SCMP_SYS(rt_sigreturn),   SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),   SCMP_SYS(exit),
    SCMP_SYS(exit_group),    SCMP_SYS(getpid),         SCMP_SYS(gettid),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),   SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),     SCMP_SYS(sched_yield),    SCMP_SYS(restart_syscall),
    SCMP_SYS(getrusage),     SCMP_SYS(fstat),          SCMP_SYS(newfstatat),
    SCMP_SYS(getuid),        SCMP_SYS(geteuid),        SCMP_SYS(getgid),
    SCMP_SYS(getegid),       SCMP_SYS(getppid),        SCMP_SYS(uname),
    SCMP_SYS(lseek),         SCMP_SYS(sched_getaffinity), SCMP_SYS(sysinfo),
};

static const int note_calls[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(recvmmsg),
    SCMP_SYS(sendmmsg),   SCMP_SYS(fcntl),       SCMP_SYS(dup),       SCMP_SYS(dup3),
    SCMP_SYS(poll),       SCMP_SYS(ppoll),
};

static const int blob_calls[] = {SCMP_SYS(memfd_create)};

static const int door_calls[] = {
    SCMP_SYS(accept4),     SCMP_SYS(shutdown),   SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
};

static const int read_calls[] = {
    SCMP_SYS(openat),     SCMP_SYS(openat2),   SCMP_SYS(open),       SCMP_SYS(pread64),
    SCMP_SYS(preadv),     SCMP_SYS(flock),     SCMP_SYS(getdents64), SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(statx),     SCMP_SYS(statfs),     SCMP_SYS(fstatfs),
    SCMP_SYS(access),     SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64),
    SCMP_SYS(readlink),   SCMP_SYS(readlinkat), SCMP_SYS(mincore),
};

static const int write_calls[] = {
    SCMP_SYS(pwrite64),  SCMP_SYS(pwritev),   SCMP_SYS(pwritev2),  SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(msync),     SCMP_SYS(fallocate), SCMP_SYS(rename),
    SCMP_SYS(renameat),  SCMP_SYS(renameat2), SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
    SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),     SCMP_SYS(fchmod),
    SCMP_SYS(fchown),    SCMP_SYS(utimensat), SCMP_SYS(linkat),    SCMP_SYS(sync_file_range),
    SCMP_SYS(umask),     SCMP_SYS(truncate),
};

/* Of files, and of contents that are too large for notes. */
static const int size_calls[] = {SCMP_SYS(ftruncate)};

/* Whoever asks for one of these is not our program any more. */
static const int fatal_calls[] = {
    SCMP_SYS(execve),        SCMP_SYS(execveat),     SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(listen),        SCMP_SYS(fork),
    SCMP_SYS(vfork),         SCMP_SYS(kill),
    SCMP_SYS(tkill),         SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),   SCMP_SYS(pidfd_send_signal), SCMP_SYS(chroot),
    SCMP_SYS(setuid),        SCMP_SYS(setgid),       SCMP_SYS(setns),
};

/* The name service wants to ask a daemon (nscd) before it reads /etc/passwd: that fails with EPERM,
 * so these two are not fatal where users are looked up. */
static const int user_calls[] = {
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups),
};
static const int socket_calls[] = {SCMP_SYS(socket), SCMP_SYS(connect)};
static const int bind_calls[] = {SCMP_SYS(bind)}; /* a source address, or a name service's port */
static const int pair_calls[] = {SCMP_SYS(socketpair)};

/* libunbound: its event loop and its thread. What is in /etc/ is read before. */
static const int name_calls[] = {
    SCMP_SYS(pipe2),         SCMP_SYS(pipe),         SCMP_SYS(select),
    SCMP_SYS(pselect6),      SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),          SCMP_SYS(set_tid_address),
};

/* What not even a parent does. */
static const int never_calls[] = {
    SCMP_SYS(ptrace),        SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(mount),         SCMP_SYS(umount2),      SCMP_SYS(pivot_root),
    SCMP_SYS(setns),         SCMP_SYS(unshare),      SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(init_module),
    SCMP_SYS(finit_module),  SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),     SCMP_SYS(swapon),
    SCMP_SYS(swapoff),       SCMP_SYS(iopl),         SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),    SCMP_SYS(acct),         SCMP_SYS(add_key),
    SCMP_SYS(keyctl),        SCMP_SYS(request_key),  SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(pidfd_getfd),  SCMP_SYS(kcmp),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(quotactl), SCMP_SYS(sethostname),
};

/* No filter sees what is asked for through a ring. */
static const int ring_calls[] = {
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
};
static const int ring_use_calls[] = {SCMP_SYS(io_uring_enter)};

struct calls {
    const int *at;
    size_t count;
};

#define CALLS(array) ((struct calls){(array), COUNT_OF(array)})

static int
add_all(scmp_filter_ctx filter, uint32_t action, struct calls calls)
{
    int error = 0;

    for (size_t i = 0; i < calls.count && error == 0; i++)
        error = seccomp_rule_add(filter, action, calls.at[i], 0);
    return error;
}

/* Calls of which only some arguments are harmless. */
static int
add_narrowed(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp to_self = {.arg = 0, .op = SCMP_CMP_EQ,
                                         .datum_a = (scmp_datum_t)getpid()};
    const struct scmp_arg_cmp non_blocking = {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = FIONBIO};
    const struct scmp_arg_cmp only_asking = {.arg = 2, .op = SCMP_CMP_EQ, .datum_a = 0};

    /* abort() signals itself; libuv sets what it watches non-blocking; threads are never made, but
     * libc tries clone3 first and must be told to forget it. */
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &to_self);
    if (error == 0)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &non_blocking);
    if (error == 0)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                       &only_asking);
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error;
}

/* Another thread is no other process; that is never allowed. */
static int
add_threads(scmp_filter_ctx filter, bool is_allowed)
{
    const struct scmp_arg_cmp is_thread = {.arg = 0, .op = SCMP_CMP_MASKED_EQ,
                                           .datum_a = CLONE_THREAD, .datum_b = CLONE_THREAD};
    const struct scmp_arg_cmp is_process = {.arg = 0, .op = SCMP_CMP_MASKED_EQ,
                                            .datum_a = CLONE_THREAD, .datum_b = 0};

    if (!is_allowed)
        return seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 0);
    int error =
        seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_thread);
    return error ? error
                 : seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                                          &is_process);
}

/* Two ends for libraries; and a stream within this machine, of which another process gets one. */
static int
add_pairs(scmp_filter_ctx filter, unsigned parts, uint32_t action)
{
    struct scmp_arg_cmp is_unix = SCMP_A0(SCMP_CMP_EQ, AF_UNIX);

    if (!(parts & SECCOMP_CONNECT))
        return add_all(filter, action, CALLS(pair_calls));
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, &is_unix);
}

static int
add_network(scmp_filter_ctx filter, unsigned parts)
{
    bool may_connect = parts & (SECCOMP_NAMES | SECCOMP_CLIENT | SECCOMP_CONNECT);
    uint32_t action = may_connect ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS;
    int error = add_all(filter, action, CALLS(bind_calls));

    if (error == 0 && !(parts & SECCOMP_USERS))
        error = add_all(filter, action, CALLS(socket_calls));
    return error ? error : add_pairs(filter, parts, action);
}

static int
add_parts(scmp_filter_ctx filter, unsigned parts)
{
    const struct {
        unsigned parts; /* any of these */
        struct calls calls;
    } rows[] = {
        {SECCOMP_NOTES, CALLS(note_calls)},
        {SECCOMP_BLOBS, CALLS(blob_calls)},
        {SECCOMP_DOORS, CALLS(door_calls)},
        {SECCOMP_READ, CALLS(read_calls)},
        {SECCOMP_WRITE, CALLS(write_calls)},
        {SECCOMP_BLOBS | SECCOMP_WRITE, CALLS(size_calls)},
        {SECCOMP_USERS, CALLS(user_calls)},
        {SECCOMP_NAMES, CALLS(name_calls)},
        {SECCOMP_RING, CALLS(ring_use_calls)},
    };
    int error = 0;

    for (size_t i = 0; i < COUNT_OF(rows) && error == 0; i++)
        if (parts & rows[i].parts)
            error = add_all(filter, SCMP_ACT_ALLOW, rows[i].calls);
    return error;
}

static int
add_rules(scmp_filter_ctx filter, unsigned parts)
{
    if (parts & SECCOMP_START)
        return add_all(filter, SCMP_ACT_KILL_PROCESS, CALLS(never_calls));
    int error = add_all(filter, SCMP_ACT_ALLOW, CALLS(compute_calls));
    if (error == 0)
        error = add_narrowed(filter);
    if (error == 0)
        error = add_all(filter, SCMP_ACT_KILL_PROCESS, CALLS(fatal_calls));
    if (error == 0)
        error = add_parts(filter, parts);
    if (error == 0)
        error = add_threads(filter, parts & SECCOMP_NAMES);
    return error ? error : add_network(filter, parts);
}

int
seccomp_enter(unsigned parts)
{
    scmp_filter_ctx filter =
        seccomp_init(parts & SECCOMP_START ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));

    if (!filter)
        return -ENOMEM;
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* no_new_privs is the caller's business: a helper of root may have to do without. */
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (error == 0)
        error = add_rules(filter, parts);
    /* What is refused is named in the kernel's log, with the role, where the kernel can. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, !(parts & SECCOMP_START));
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

int
seccomp_forbid_rings(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter)
        return -ENOMEM;
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (error == 0)
        error = add_all(filter, SCMP_ACT_ERRNO(ENOSYS), CALLS(ring_calls));
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}

int
helper_confine(enum host_helper_kind kind)
{
    struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return -errno;
    if (kind == HOST_HELPER_PRIVILEGED) {
        /* PAM may have to run a set-user-id program: so no no_new_privs, and then an ordinary
         * user may not set a filter. The helper goes on without one. */
        (void)seccomp_enter(SECCOMP_START);
        return 0;
    }
    if (setrlimit(RLIMIT_NPROC, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    int error = keep_capabilities(0);
    if (error < 0)
        return error;
    return seccomp_enter(SECCOMP_COMPUTE);
}
