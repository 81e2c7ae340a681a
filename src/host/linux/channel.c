/* SPDX-License-Identifier: ISC */
/* Channels of notes: one SEQPACKET datagram is one note. Notes leave and come many in one system
 * call; the kernel keeps them whole and in order, and descriptors with the note they came with. */
#include "host/linux/loop_private.h"
#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_BATCH = 16,  /* notes in one recvmmsg; their memory is HOST_NOTE_MAX each */
    RECEIVE_ROUNDS = 8,  /* recvmmsg calls in one turn, so that other channels have theirs */
    SEND_BATCH = 64,     /* notes in one sendmmsg */
    SEND_AT_ONCE = 8 * 1024, /* a note this long costs more to queue than a system call does */
    HANDLES_SEEN = 4,    /* room for descriptors with a note; all but the first are closed */
    SPARE_MAX = 256 * 1024,  /* of a queue that is kept until there is rest */
    SOCKET_BUFFER = 2 * 1024 * 1024,
};

struct channel_inbox {
    struct mmsghdr messages[RECEIVE_BATCH];
    struct iovec vectors[RECEIVE_BATCH];
    union {
        struct cmsghdr header; /* for alignment */
        uint8_t bytes[CMSG_SPACE(HANDLES_SEEN * sizeof(int))];
    } controls[RECEIVE_BATCH];
    uint8_t *notes; /* pages that nobody touches cost nothing */
    /* Memory of a queue that was sent, for the next, whose channel that may be: one that grew anew
     * at each turn would copy what it holds, and wipe it, several times. */
    struct buffer spare;
};

/* In front of each note in the queue. */
struct queued {
    uint32_t len;
    host_handle handle;
};

struct host_channel {
    struct watch watch; /* first */
    struct host_channel_handler handler;
    void *context;
    struct buffer queue; /* of struct queued, each followed by its note */
    struct list to_flush;
    bool is_paused;
    bool is_over;      /* on_closed has been called */
    bool is_deaf;      /* the peer receives nothing more: what it had said is still read */
    bool is_broken;    /* by us: bound exceeded or the peer broke the rules */
    bool waits_for_room; /* of the kernel */
    bool was_full;     /* since on_room was last called */
};

/* ---- receiving ----------------------------------------------------------------------------- */

static void
inbox_open(struct host *host)
{
    size_t len = (size_t)RECEIVE_BATCH * HOST_NOTE_MAX;
    struct channel_inbox *inbox = host_allocate(sizeof(*inbox));
    void *notes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (notes == MAP_FAILED)
        abort();
    inbox->notes = notes;
    buffer_init(&inbox->spare, HOST_CHANNEL_HARD);
    host->inbox = inbox;
}

void
channel_inbox_rest(struct channel_inbox *inbox)
{
    if (!inbox)
        return;
    (void)madvise(inbox->notes, (size_t)RECEIVE_BATCH * HOST_NOTE_MAX, MADV_DONTNEED);
    buffer_finish(&inbox->spare);
}

void
channel_inbox_free(struct channel_inbox **inbox)
{
    if (!*inbox)
        return;
    munmap((*inbox)->notes, (size_t)RECEIVE_BATCH * HOST_NOTE_MAX);
    buffer_finish(&(*inbox)->spare);
    free(*inbox);
    *inbox = NULL;
}

static void
inbox_prepare(struct channel_inbox *inbox)
{
    for (size_t i = 0; i < RECEIVE_BATCH; i++) {
        inbox->vectors[i] = (struct iovec){inbox->notes + i * HOST_NOTE_MAX, HOST_NOTE_MAX};
        inbox->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &inbox->vectors[i],
                                                          .msg_iovlen = 1,
                                                          .msg_control = &inbox->controls[i],
                                                          .msg_controllen = sizeof(
                                                              inbox->controls[i])}};
    }
}

/* The first descriptor that came with a note; the surplus is closed. */
static host_handle
take_handle(struct msghdr *message)
{
    host_handle handle = HOST_HANDLE_NONE;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(fd));
            if (handle == HOST_HANDLE_NONE)
                handle = fd;
            else
                close(fd);
        }
    }
    return handle;
}

static void
finish(struct host_channel *channel)
{
    if (channel->is_over)
        return;
    channel->is_over = true;
    watch_set(&channel->watch, 0);
    host_enter_handler(channel->watch.host);
    channel->handler.on_closed(channel->context);
}

/* Hands over what came; false when the channel has ended or a handler closed it, which leaves it in
 * memory until the loop comes round. */
static bool
hand_over(struct host_channel *channel, struct channel_inbox *inbox, size_t count)
{
    bool is_end = false;

    for (size_t i = 0; i < count; i++) {
        struct mmsghdr *message = &inbox->messages[i];
        host_handle handle = take_handle(&message->msg_hdr);
        struct slice note = slice_of(inbox->vectors[i].iov_base, message->msg_len);
        is_end = is_end || note.len == 0 || (message->msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (channel->watch.is_closed || is_end) {
            host_handle_close(NULL, handle);
            continue;
        }
        host_enter_handler(channel->watch.host);
        channel->handler.on_note(channel->context, note, handle);
    }
    if (channel->watch.is_closed)
        return false;
    if (is_end)
        finish(channel);
    return !is_end;
}

static void
receive(struct host_channel *channel)
{
    struct channel_inbox *inbox = channel->watch.host->inbox;

    for (int round = 0; round < RECEIVE_ROUNDS; round++) {
        inbox_prepare(inbox);
        int count = recvmmsg(channel->watch.fd, inbox->messages, RECEIVE_BATCH,
                             MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
        if (count < 0 && (errno == EINTR || errno == ECONNRESET))
            continue; /* reset: the peer died with notes unread; its own are still to be read */
        if (count < 0) {
            if (errno != EAGAIN)
                finish(channel);
            return;
        }
        if (!hand_over(channel, inbox, (size_t)count) || channel->is_paused ||
            count < RECEIVE_BATCH)
            return;
    }
}

/* ---- sending ------------------------------------------------------------------------------- */

static void
drop_queue(struct host_channel *channel)
{
    while (buffer_len(&channel->queue) > 0) {
        struct queued queued;
        memcpy(&queued, buffer_slice(&channel->queue).at, sizeof(queued));
        host_handle_close(NULL, queued.handle);
        buffer_consume(&channel->queue, sizeof(queued) + queued.len);
    }
    buffer_finish(&channel->queue);
}

static void
swap_with_spare(struct host_channel *channel)
{
    struct channel_inbox *inbox = channel->watch.host->inbox;
    struct buffer queue = channel->queue;

    channel->queue = inbox->spare;
    inbox->spare = queue;
}

/* An empty queue holds no memory; the larger one is kept for whoever is next. */
static void
release_queue(struct host_channel *channel)
{
    const struct buffer *queue = &channel->queue;

    if (buffer_len(queue) > 0)
        return;
    if (queue->size > channel->watch.host->inbox->spare.size && queue->size <= SPARE_MAX)
        swap_with_spare(channel);
    buffer_finish(&channel->queue);
}

union outgoing_control {
    struct cmsghdr header; /* for alignment */
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

struct outbox {
    struct mmsghdr messages[SEND_BATCH];
    struct iovec vectors[SEND_BATCH];
    union outgoing_control controls[SEND_BATCH];
};

static void
attach_handle(struct msghdr *message, union outgoing_control *ret_control, host_handle handle)
{
    message->msg_control = ret_control;
    message->msg_controllen = sizeof(*ret_control);
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &handle, sizeof(handle));
}

/* Lays out the first notes of the queue for sendmmsg; returns how many. */
static unsigned
fill_outbox(const struct host_channel *channel, struct outbox *outbox)
{
    struct slice rest = buffer_slice(&channel->queue);
    unsigned count = 0;

    for (; rest.len > 0 && count < SEND_BATCH; count++) {
        struct queued queued;
        memcpy(&queued, rest.at, sizeof(queued));
        const uint8_t *note = rest.at + sizeof(queued);
        outbox->vectors[count] = (struct iovec){(void *)(uintptr_t)note, queued.len};
        outbox->messages[count] = (struct mmsghdr){
            .msg_hdr = {.msg_iov = &outbox->vectors[count], .msg_iovlen = 1}};
        if (queued.handle != HOST_HANDLE_NONE)
            attach_handle(&outbox->messages[count].msg_hdr, &outbox->controls[count],
                          queued.handle);
        rest = slice_skip(rest, sizeof(queued) + queued.len);
    }
    return count;
}

static void
take_sent(struct host_channel *channel, int count)
{
    for (; count > 0; count--) {
        struct queued queued;
        memcpy(&queued, buffer_slice(&channel->queue).at, sizeof(queued));
        host_handle_close(NULL, queued.handle);
        buffer_consume(&channel->queue, sizeof(queued) + queued.len);
    }
}

static void
set_watch(struct host_channel *channel)
{
    unsigned events = channel->waits_for_room ? HOST_WRITABLE : 0;

    if (!channel->is_paused)
        events |= HOST_READABLE;
    watch_set(&channel->watch, channel->is_over ? 0 : events);
}

static void
flush(struct host_channel *channel)
{
    NOT_ZEROED struct outbox outbox;
    bool waits = false;

    while (buffer_len(&channel->queue) > 0 && !channel->is_deaf && !waits) {
        unsigned count = fill_outbox(channel, &outbox);
        int sent = sendmmsg(channel->watch.fd, outbox.messages, count,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            take_sent(channel, sent);
        else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
            waits = true;
        else if (errno != EINTR)
            channel->is_deaf = true; /* its end comes when all it said has been read */
    }
    if (channel->is_deaf)
        drop_queue(channel);
    if (waits != channel->waits_for_room) {
        channel->waits_for_room = waits;
        set_watch(channel);
    }
    release_queue(channel);
}

/* True when nothing waits before this note and the kernel has taken it from where it stands. A long
 * note in the queue would be copied once more, and again whenever the queue grows. */
static bool
send_at_once(struct host_channel *channel, struct slice note, host_handle handle)
{
    struct iovec vector = {(void *)(uintptr_t)note.at, note.len};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union outgoing_control control;

    if (channel->waits_for_room)
        return false;
    flush(channel); /* what was said before leaves before */
    if (channel->waits_for_room || channel->is_deaf)
        return false;
    if (handle != HOST_HANDLE_NONE)
        attach_handle(&message, &control, handle);
    return sendmsg(channel->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void
channels_flush(struct host *host)
{
    while (!list_is_empty(&host->channels_to_flush)) {
        struct host_channel *channel =
            LIST_ITEM(host->channels_to_flush.next, struct host_channel, to_flush);
        list_remove(&channel->to_flush);
        if (channel->is_broken) {
            finish(channel);
            continue;
        }
        flush(channel);
        if (channel->was_full && buffer_len(&channel->queue) <= HOST_CHANNEL_SOFT / 2) {
            channel->was_full = false;
            host_enter_handler(host);
            if (channel->handler.on_room && !channel->is_over)
                channel->handler.on_room(channel->context);
        }
    }
}

static void
flush_later(struct host_channel *channel)
{
    if (list_is_empty(&channel->to_flush))
        list_append(&channel->watch.host->channels_to_flush, &channel->to_flush);
}

static void
on_channel(void *owner, unsigned events)
{
    struct host_channel *channel = owner;

    if (events & HOST_WRITABLE)
        flush_later(channel);
    if (events & HOST_READABLE)
        receive(channel);
}

/* ---- the interface ------------------------------------------------------------------------- */

struct host_channel *
host_channel_open(struct host *host, host_handle handle,
                  const struct host_channel_handler *handler, void *context)
{
    struct host_channel *channel = host_allocate(sizeof(*channel));

    *channel = (struct host_channel){.handler = *handler, .context = context};
    if (watch_open(host, handle, on_channel, &channel->watch) < 0) {
        free(channel);
        return NULL;
    }
    if (!host->inbox)
        inbox_open(host);
    buffer_init(&channel->queue, HOST_CHANNEL_HARD);
    list_init(&channel->to_flush);
    set_watch(channel);
    return channel;
}

/* Our side breaks the channel: its end is told from the loop, like every other. */
static void
break_off(struct host_channel *channel, const char *why, size_t note_len)
{
    struct log_line line;

    log_begin(&line, channel->watch.host, HOST_LEVEL_ERROR, "channel_broken");
    log_string(&line, "why", why);
    log_number(&line, "note_bytes", note_len);
    log_end(&line);
    channel->is_broken = true;
    drop_queue(channel);
    flush_later(channel);
}

void
host_channel_send(struct host_channel *channel, struct slice note, host_handle handle)
{
    struct queued queued = {(uint32_t)note.len, handle};
    bool is_over = channel->is_over || channel->is_deaf || channel->is_broken;

    if (!is_over && (note.len == 0 || note.len > HOST_NOTE_MAX))
        break_off(channel, "note has no length that can be sent", note.len);
    else if (!is_over && buffer_room(&channel->queue) < sizeof(queued) + note.len)
        break_off(channel, "peer takes no notes", note.len);
    else if (!is_over && (note.len < SEND_AT_ONCE || !send_at_once(channel, note, handle))) {
        if (!channel->queue.at)
            swap_with_spare(channel);
        buffer_put(&channel->queue, slice_of(&queued, sizeof(queued)));
        buffer_put(&channel->queue, note);
        channel->was_full = channel->was_full || host_channel_is_full(channel);
        if (!channel->waits_for_room)
            flush_later(channel);
        return;
    }
    host_handle_close(channel->watch.host, handle);
}

bool
host_channel_is_full(const struct host_channel *channel)
{
    return buffer_len(&channel->queue) > HOST_CHANNEL_SOFT;
}

void
host_channel_pause(struct host_channel *channel, bool is_paused)
{
    channel->is_paused = is_paused;
    set_watch(channel);
}

void
host_channel_close(struct host_channel **channel_at)
{
    struct host_channel *channel = *channel_at;

    if (!channel)
        return;
    *channel_at = NULL;
    if (!channel->is_broken)
        flush(channel); /* what was said in this turn still goes, as far as there is room */
    drop_queue(channel);
    list_remove(&channel->to_flush);
    watch_close(&channel->watch);
}

int
host_channel_pair(struct host *host, host_handle *ret_left, host_handle *ret_right)
{
    int ends[2];
    int size = SOCKET_BUFFER;

    (void)host;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    for (size_t i = 0; i < 2; i++)
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
            (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    *ret_left = ends[0];
    *ret_right = ends[1];
    return 0;
}

int
host_stream_pair(struct host *host, host_handle *ret_left, host_handle *ret_right)
{
    int ends[2];

    (void)host;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    *ret_left = ends[0];
    *ret_right = ends[1];
    return 0;
}

void
host_handle_close(struct host *host, host_handle handle)
{
    (void)host;
    if (handle != HOST_HANDLE_NONE)
        close(handle);
}

host_handle
host_handle_copy(struct host *host, host_handle handle)
{
    (void)host;
    int copy = fcntl(handle, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}
