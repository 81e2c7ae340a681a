/* SPDX-License-Identifier: ISC */
/* Helpers: forked children that answer questions one after another and know nothing of the loop. */
#include "host/linux/helper_private.h"
#include "host/linux/loop_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors of a helper: its channel, and 2 for what a library may say. */
enum { HELPER_CHANNEL = 3 };

/* In the child: keeps the channel and descriptor 2, nothing else. */
static void
keep_only(int channel)
{
    if (channel != HELPER_CHANNEL && dup3(channel, HELPER_CHANNEL, O_CLOEXEC) < 0)
        _exit(1);
    close(0);
    close(1);
    if (close_range(HELPER_CHANNEL + 1, ~0U, 0) < 0)
        _exit(1);
}

static void
answer_questions(host_helper_fn fn, void *context)
{
    static uint8_t question[HOST_NOTE_MAX];
    struct buffer answer;

    buffer_init(&answer, HOST_NOTE_MAX);
    for (;;) {
        ssize_t len = recv(HELPER_CHANNEL, question, sizeof(question), 0);
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            _exit(0);
        buffer_clear(&answer);
        fn(context, slice_of(question, (size_t)len), &answer);
        explicit_bzero(question, (size_t)len); /* it may have been a password */
        struct slice bytes = buffer_slice(&answer);
        if (send(HELPER_CHANNEL, bytes.at, bytes.len, MSG_NOSIGNAL) < 0)
            _exit(1);
    }
}

_Noreturn static void
run_helper(enum host_helper_kind kind, host_helper_fn fn, void *context, int channel, pid_t parent)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

    /* Signals of the terminal and of the supervisor are for the parent; we end with our channel. */
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        signal(signals[i], i + 1 < COUNT_OF(signals) ? SIG_IGN : SIG_DFL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    keep_only(channel);
    if (helper_confine(kind) < 0)
        _exit(1);
    answer_questions(fn, context);
    _exit(0);
}

int
host_helper_open(struct host *host, enum host_helper_kind kind, host_helper_fn fn, void *context,
                 host_handle *ret_handle)
{
    host_handle ours;
    host_handle theirs;
    int error = host_channel_pair(host, &ours, &theirs);

    if (error < 0)
        return error;
    /* The helper reads with plain recv: it has nothing else to do. */
    int flags = fcntl(theirs, F_GETFL);
    if (flags < 0 || fcntl(theirs, F_SETFL, flags & ~O_NONBLOCK) < 0)
        error = -errno;
    host_linux_forget_random(host); /* two processes must not draw from one stock */
    pid_t parent = getpid();
    pid_t pid = error < 0 ? -1 : fork();
    if (pid == 0)
        run_helper(kind, fn, context, theirs, parent);
    if (pid < 0 && error == 0)
        error = -errno;
    host_handle_close(host, theirs);
    if (error < 0) {
        host_handle_close(host, ours);
        return error;
    }
    *ret_handle = ours;
    return 0;
}
