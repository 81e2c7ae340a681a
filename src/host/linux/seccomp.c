/* SPDX-License-Identifier: ISC */
/* System call filters: the only file that knows libseccomp. */
#include "host/linux/helper_private.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <seccomp.h>

/* What a process needs that computes, allocates and speaks on descriptors it has. */
static const int compute_calls[] = {
    SCMP_SYS(read),         SCMP_SYS(write),        SCMP_SYS(recvfrom),       SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),      SCMP_SYS(sendmsg),      SCMP_SYS(close),          SCMP_SYS(brk),
    SCMP_SYS(mmap),         SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(madvise),
    SCMP_SYS(mprotect),     SCMP_SYS(futex),        SCMP_SYS(rt_sigreturn),   SCMP_SYS(exit),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit_group),   SCMP_SYS(getpid),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),     SCMP_SYS(gettid),
    SCMP_SYS(tgkill),       SCMP_SYS(sched_yield),  SCMP_SYS(restart_syscall),
    SCMP_SYS(sigaltstack),
};

int
helper_confine(void)
{
    struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &none) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int error = 0;
    for (size_t i = 0; i < sizeof(compute_calls) / sizeof(compute_calls[0]) && error == 0; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, compute_calls[i], 0);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    return error;
}
