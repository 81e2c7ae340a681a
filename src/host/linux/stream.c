/* SPDX-License-Identifier: ISC */
/* Streams and the listeners they come from. */
#include "host/linux/loop_private.h"
#include "host/linux/socket_private.h"
#include "host/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,          /* newcomers in one turn, so that the old ones are not starved */
    ACCEPT_RETRY_MS = 100,      /* pause when descriptors or memory have run out */
    NOBODY = 65534,             /* as the kernel names users that a name space does not map */
    SEND_STALL_MS = 10 * 60000, /* a peer that acknowledges nothing for so long is gone */
};

struct host_stream {
    struct watch watch; /* first: watch_close frees the whole */
    host_stream_fn fn;
    void *context;
    struct host_address peer;
};

static_assert(sizeof(struct host_stream) <= 400, "20,000 idle streams must be cheap");

/* ---- addresses ----------------------------------------------------------------------------- */

void
socket_address_read(const struct sockaddr_storage *from, struct host_address *ret_address)
{
    struct host_address address = {.family = HOST_FAMILY_UNIX};

    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        address.family = HOST_FAMILY_IPV4;
        memcpy(address.bytes, &in->sin_addr, 4);
        address.port = ntohs(in->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        address.family = is_mapped ? HOST_FAMILY_IPV4 : HOST_FAMILY_IPV6;
        memcpy(address.bytes, (const uint8_t *)&in6->sin6_addr + (is_mapped ? 12 : 0),
               is_mapped ? 4 : 16);
        address.port = ntohs(in6->sin6_port);
    }
    *ret_address = address;
}

socklen_t
socket_address_write(const struct host_address *address, struct sockaddr_storage *ret_to)
{
    *ret_to = (struct sockaddr_storage){0};
    if (address->family == HOST_FAMILY_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_to;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->bytes, 4);
        return sizeof(*in);
    }
    if (address->family == HOST_FAMILY_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_to;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        memcpy(&in6->sin6_addr, address->bytes, 16);
        return sizeof(*in6);
    }
    return 0;
}

/* ---- streams ------------------------------------------------------------------------------- */

static void
on_stream(void *owner, unsigned events)
{
    struct host_stream *stream = owner;

    stream->fn(stream->context, events);
}

/* Options that a socket does not inherit from its listener are set by whoever calls this. */
static int
open_stream(struct host *host, int fd, const struct host_address *peer,
            struct host_stream **ret_stream)
{
    struct host_stream *stream = host_allocate(sizeof(*stream));

    *stream = (struct host_stream){.peer = *peer};
    int error = watch_open(host, fd, on_stream, &stream->watch);
    if (error < 0) {
        free(stream);
        return error;
    }
    *ret_stream = stream;
    return 0;
}

/* Small answers leave at once; peers that vanished are noticed. Listeners pass these on. */
static void
set_options(int fd)
{
    int one = 1;
    unsigned stall = SEND_STALL_MS;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof(stall));
}

/* The kernel chooses the port when it connects: binding must not use one up for all peers. */
static int
bind_from(int fd, const struct host_address *from)
{
    struct host_address any_port = *from;
    struct sockaddr_storage own;
    int one = 1;

    any_port.port = 0;
    socklen_t len = socket_address_write(&any_port, &own);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&own, len) < 0 ? -errno : 0;
}

int
host_stream_connect(struct host *host, const struct host_address *address,
                    struct host_stream **ret_stream)
{
    return host_stream_connect_from(host, NULL, address, ret_stream);
}

int
host_stream_connect_from(struct host *host, const struct host_address *from,
                         const struct host_address *address, struct host_stream **ret_stream)
{
    struct sockaddr_storage to;
    socklen_t len = socket_address_write(address, &to);

    if (len == 0 || (from && from->family != address->family))
        return -EAFNOSUPPORT;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_options(fd);
    int error = from ? bind_from(fd, from) : 0;
    if (error == 0 && connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
        error = -errno;
    if (error < 0) {
        close(fd);
        return error;
    }
    return open_stream(host, fd, address, ret_stream);
}

int
host_stream_adopt(struct host *host, host_handle handle, struct host_stream **ret_stream)
{
    struct sockaddr_storage to = {0};
    struct host_address peer;
    socklen_t len = sizeof(to);

    if (getpeername(handle, (struct sockaddr *)&to, &len) < 0) {
        int error = -errno;
        close(handle);
        return error;
    }
    socket_address_read(&to, &peer);
    return open_stream(host, handle, &peer, ret_stream);
}

void
host_stream_watch(struct host_stream *stream, unsigned events, host_stream_fn fn, void *context)
{
    assert(fn || events == 0);
    stream->fn = fn;
    stream->context = context;
    watch_set(&stream->watch, events);
}

int64_t
host_stream_read(struct host_stream *stream, void *at, size_t len)
{
    for (;;) {
        ssize_t count = recv(stream->watch.fd, at, len, 0);
        if (count >= 0)
            return count;
        if (errno != EINTR)
            return -errno;
    }
}

static int64_t
write_some(struct host_stream *stream, struct slice bytes, int flags)
{
    for (;;) {
        ssize_t count = send(stream->watch.fd, bytes.at, bytes.len, MSG_NOSIGNAL | flags);
        if (count >= 0)
            return count;
        if (errno != EINTR)
            return -errno;
    }
}

int64_t
host_stream_write(struct host_stream *stream, struct slice bytes)
{
    return write_some(stream, bytes, 0);
}

int64_t
host_stream_write_near_end(struct host_stream *stream, struct slice bytes)
{
    return write_some(stream, bytes, MSG_MORE);
}

void
host_stream_shut(struct host_stream *stream)
{
    (void)shutdown(stream->watch.fd, SHUT_WR);
}

void
host_stream_close(struct host_stream **stream)
{
    if (!*stream)
        return;
    watch_close(&(*stream)->watch);
    *stream = NULL;
}

void
host_stream_peer(const struct host_stream *stream, struct host_address *ret_address)
{
    *ret_address = stream->peer;
}

void
host_stream_set_peer(struct host_stream *stream, const struct host_address *peer)
{
    stream->peer = *peer;
}

void
host_stream_local(const struct host_stream *stream, struct host_address *ret_address)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);

    (void)getsockname(stream->watch.fd, (struct sockaddr *)&local, &len);
    socket_address_read(&local, ret_address);
}

/* ---- listeners ----------------------------------------------------------------------------- */

struct host_listener {
    struct watch watch;       /* first */
    host_accept_fn on_stream; /* one of the two */
    host_channel_accept_fn on_channel;
    void *context;
    struct host_timer *retry;
    bool is_paused;
    bool is_out; /* of descriptors or memory: waits for `retry` */
};

static void
watch_listener(struct host_listener *listener)
{
    watch_set(&listener->watch, listener->is_paused || listener->is_out ? 0 : HOST_READABLE);
}

static void
on_retry(void *context)
{
    struct host_listener *listener = context;

    listener->is_out = false;
    watch_listener(listener);
}

static void
back_off(struct host_listener *listener, int error)
{
    struct host *host = listener->watch.host;
    struct log_line line;

    log_begin(&line, host, HOST_LEVEL_WARNING, "accept_delayed");
    log_error(&line, "error", -error);
    log_number(&line, "retry_ms", ACCEPT_RETRY_MS);
    log_end(&line);
    listener->is_out = true;
    watch_listener(listener);
    host_timer_set(listener->retry, instant_after(host_now(host), duration_ms(ACCEPT_RETRY_MS)));
}

/* Errors of a connection that ended before it was accepted (accept(2)): the next may be well. */
static bool
is_about_one_newcomer(int error)
{
    static const int errors[] = {EINTR,       ECONNABORTED, EPROTO, ENETDOWN,
                                 ENOPROTOOPT, EHOSTDOWN,    ENONET, EHOSTUNREACH,
                                 EOPNOTSUPP,  ENETUNREACH,  EPERM,  ETIMEDOUT};

    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (error == errors[i])
            return true;
    return false;
}

/* Who connected; nobody when the kernel does not tell. */
static uint32_t
user_behind(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.uid : NOBODY;
}

static void
hand_over(struct host_listener *listener, int fd, const struct sockaddr_storage *from)
{
    struct host_address peer;
    struct host_stream *stream;

    if (listener->on_channel) {
        listener->on_channel(listener->context, fd);
        return;
    }
    socket_address_read(from, &peer);
    if (peer.family == HOST_FAMILY_UNIX)
        peer.user = user_behind(fd);
    int error = open_stream(listener->watch.host, fd, &peer, &stream);
    if (error < 0)
        back_off(listener, -error);
    else
        listener->on_stream(listener->context, stream);
}

static void
on_listener(void *owner, unsigned events)
{
    struct host_listener *listener = owner;

    (void)events;
    /* A handler may close the listener, which stays in memory until the loop comes round. */
    for (int i = 0; i < ACCEPT_BATCH && !listener->watch.is_closed && !listener->is_paused &&
                    !listener->is_out;
         i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(listener->watch.fd, (struct sockaddr *)&from, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_about_one_newcomer(errno))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                back_off(listener, errno);
            break;
        }
        host_enter_handler(listener->watch.host);
        hand_over(listener, fd, &from);
    }
}

static struct host_listener *
open_listener(struct host *host, host_handle handle, const struct host_listener *template)
{
    struct host_listener *listener = host_allocate(sizeof(*listener));

    *listener = *template;
    if (watch_open(host, handle, on_listener, &listener->watch) < 0) {
        free(listener);
        return NULL;
    }
    set_options(handle);
    listener->retry = host_timer_open(host, on_retry, listener);
    watch_listener(listener);
    return listener;
}

struct host_listener *
host_listener_open(struct host *host, host_handle handle, host_accept_fn fn, void *context)
{
    return open_listener(host, handle,
                         &(struct host_listener){.on_stream = fn, .context = context});
}

struct host_listener *
host_channel_listener_open(struct host *host, host_handle handle, host_channel_accept_fn fn,
                           void *context)
{
    return open_listener(host, handle,
                         &(struct host_listener){.on_channel = fn, .context = context});
}

void
host_listener_pause(struct host_listener *listener, bool is_paused)
{
    listener->is_paused = is_paused;
    watch_listener(listener);
}

void
host_listener_close(struct host_listener **listener)
{
    if (!*listener)
        return;
    host_timer_close(&(*listener)->retry);
    watch_close(&(*listener)->watch);
    *listener = NULL;
}
