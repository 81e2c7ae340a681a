/* SPDX-License-Identifier: ISC */
/* A question that is waited for, past the loop. */
#include "host/linux/loop_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static int64_t
now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Waits for the event until the deadline, and looks at least once: 0 or -ETIMEDOUT. */
static int
wait_for(int fd, short event, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd item = {.fd = fd, .events = event};
        int64_t left_ns = deadline_ns - now_ns();
        int count = poll(&item, 1, left_ns <= 0 ? 0 : (int)(left_ns / 1000000) + 1);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0)
            return 0;
        if (left_ns <= 0)
            return -ETIMEDOUT;
    }
}

static int
send_whole(int fd, struct slice question, int64_t deadline_ns)
{
    for (;;) {
        if (send(fd, question.at, question.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int error = wait_for(fd, POLLOUT, deadline_ns);
        if (error < 0)
            return error == -ETIMEDOUT ? -EAGAIN : error;
    }
}

int
host_ask(struct host *host, host_handle handle, struct slice question, struct duration patience,
         struct buffer *ret_answer)
{
    int64_t deadline_ns = now_ns() + patience.ns;
    int error = question.len > 0 ? send_whole(handle, question, deadline_ns) : 0;

    (void)host;
    buffer_clear(ret_answer);
    uint8_t *space = buffer_reserve(ret_answer, ret_answer->max);
    while (error == 0 && space) {
        error = wait_for(handle, POLLIN, deadline_ns);
        if (error < 0)
            break;
        ssize_t len = recv(handle, space, ret_answer->max, MSG_DONTWAIT);
        if (len > 0) {
            buffer_commit(ret_answer, (size_t)len);
            return 0;
        }
        if (len == 0)
            error = -EPIPE;
        else if (errno != EAGAIN && errno != EINTR)
            error = -errno;
    }
    return error;
}
