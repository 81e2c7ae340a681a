/* SPDX-License-Identifier: ISC */
#include "role/acceptors.h"

#include <stdlib.h>

struct acceptor {
    struct acceptors *acceptors;
    struct host_listener *socket;
    struct acceptor *next;
    enum role_service service;
};

static void
on_accept(void *context, struct host_stream *stream)
{
    struct acceptor *acceptor = context;
    struct acceptors *acceptors = acceptor->acceptors;

    acceptors->accept(acceptors->owner, acceptor->service, stream);
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
}

void
acceptors_close(struct acceptors *acceptors)
{
    for (struct acceptor *acceptor = acceptors->first, *next; acceptor; acceptor = next) {
        next = acceptor->next;
        host_listener_close(&acceptor->socket);
        free(acceptor);
    }
    acceptors->first = NULL;
}
