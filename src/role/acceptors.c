/* SPDX-License-Identifier: ISC */
#include "role/acceptors.h"

#include "host/log.h"
#include "role/haproxy.h"

#include <errno.h>
#include <stdlib.h>

enum {
    HEADER_S = 10,     /* for a proxy to say for whom it speaks */
    HEADERS_MAX = 1000 /* that are waited for at the same time */
};

struct acceptor {
    struct acceptors *acceptors;
    struct host_listener *socket;
    struct acceptor *next;
    enum role_service service;
};

/* A proxy that has not yet said for whom it speaks. */
struct announcement {
    struct list link;
    struct acceptors *acceptors;
    enum role_service service;
    struct host_stream *stream;
    struct host_timer *timer;
    struct haproxy header;
};

/* ---- proxies ------------------------------------------------------------------------------- */

/* The stream, when it is not closed, is the caller's. */
static void
forget(struct announcement *announcement)
{
    host_stream_close(&announcement->stream);
    host_timer_close(&announcement->timer);
    list_remove(&announcement->link);
    announcement->acceptors->announcement_count--;
    free(announcement);
}

static void
refuse(struct announcement *announcement, const char *why)
{
    struct host_address peer;
    struct log_line line;

    host_stream_peer(announcement->stream, &peer);
    log_begin(&line, announcement->acceptors->host, HOST_LEVEL_WARNING, "proxy_refused");
    log_peer(&line, "proxy", &peer);
    log_string(&line, "service", role_service_name(announcement->service));
    log_string(&line, "why", why);
    log_end(&line);
    forget(announcement);
}

static void
on_timer(void *context)
{
    refuse(context, "it has not said for whom it speaks");
}

static void
welcome(struct announcement *announcement)
{
    struct acceptors *acceptors = announcement->acceptors;
    struct host_stream *stream = announcement->stream;
    enum role_service service = announcement->service;

    host_stream_watch(stream, 0, NULL, NULL);
    if (announcement->header.has_client)
        host_stream_set_peer(stream, &announcement->header.client);
    announcement->stream = NULL;
    forget(announcement);
    acceptors->accept(acceptors->owner, service, stream);
}

static void
on_readable(void *context, unsigned events)
{
    struct announcement *announcement = context;
    struct haproxy *header = &announcement->header;
    uint8_t bytes[HAPROXY_LINE_MAX];
    (void)events;

    while (!header->is_done) {
        size_t wanted = haproxy_wanted(header);
        int64_t len = host_stream_read(announcement->stream, bytes,
                                       wanted < sizeof(bytes) ? wanted : sizeof(bytes));
        if (len == -EAGAIN)
            return;
        const char *why = len <= 0 ? "it has closed the connection"
                                   : haproxy_take(header, slice_of(bytes, (size_t)len));
        if (why) {
            refuse(announcement, why);
            return;
        }
    }
    welcome(announcement);
}

static void
await_header(struct acceptors *acceptors, enum role_service service, struct host_stream *stream)
{
    struct announcement *announcement = calloc(1, sizeof(*announcement));

    if (!announcement)
        abort();
    announcement->acceptors = acceptors;
    announcement->service = service;
    announcement->stream = stream;
    announcement->timer = host_timer_open(acceptors->host, on_timer, announcement);
    list_append(&acceptors->announcements, &announcement->link);
    if (++acceptors->announcement_count > HEADERS_MAX) {
        refuse(announcement, "too many have not said for whom they speak");
        return;
    }
    host_timer_set(announcement->timer,
                   instant_after(host_now(acceptors->host), duration_s(HEADER_S)));
    host_stream_watch(stream, HOST_READABLE, on_readable, announcement);
}

/* ---- newcomers ----------------------------------------------------------------------------- */

static void
on_accept(void *context, struct host_stream *stream)
{
    struct acceptor *acceptor = context;
    struct acceptors *acceptors = acceptor->acceptors;
    struct host_address peer;

    host_stream_peer(stream, &peer);
    if (peer.family != HOST_FAMILY_UNIX && config_networks_contain(acceptors->proxies, &peer))
        await_header(acceptors, acceptor->service, stream);
    else
        acceptors->accept(acceptors->owner, acceptor->service, stream);
}

void
acceptors_init(struct acceptors *acceptors, struct host *host,
               const struct config_networks *proxies, acceptors_fn accept, void *owner)
{
    *acceptors =
        (struct acceptors){.host = host, .proxies = proxies, .accept = accept, .owner = owner};
    list_init(&acceptors->announcements);
}

void
acceptors_add(struct acceptors *acceptors, enum role_service service, host_handle handle)
{
    struct acceptor *acceptor = calloc(1, sizeof(*acceptor));

    if (!acceptor)
        abort();
    acceptor->acceptors = acceptors;
    acceptor->service = service;
    acceptor->next = acceptors->first;
    acceptors->first = acceptor;
    acceptor->socket = host_listener_open(acceptors->host, handle, on_accept, acceptor);
    host_listener_pause(acceptor->socket, true);
}

void
acceptors_pause(struct acceptors *acceptors, bool is_paused)
{
    for (struct acceptor *acceptor = acceptors->first; acceptor; acceptor = acceptor->next)
        host_listener_pause(acceptor->socket, is_paused);
    while (is_paused && !list_is_empty(&acceptors->announcements))
        forget(LIST_ITEM(acceptors->announcements.next, struct announcement, link));
}

void
acceptors_close(struct acceptors *acceptors)
{
    acceptors_pause(acceptors, true);
    for (struct acceptor *acceptor = acceptors->first, *next; acceptor; acceptor = next) {
        next = acceptor->next;
        host_listener_close(&acceptor->socket);
        free(acceptor);
    }
    acceptors->first = NULL;
}
