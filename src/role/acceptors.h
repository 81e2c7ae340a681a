/* SPDX-License-Identifier: ISC */
/* The listening sockets of one process, and what each of them serves. */
#ifndef ROLE_ACCEPTORS_H
#define ROLE_ACCEPTORS_H

#include "role/role.h"

struct acceptor;

struct acceptors {
    struct host *host; /* borrowed */
    struct acceptor *first;
    /* Someone has come; `stream` is taken over. */
    void (*accept)(void *owner, enum role_service service, struct host_stream *stream);
    void *owner;
};

/* Takes `handle`, a listening socket. Nobody is accepted before acceptors_pause(…, false). */
void acceptors_add(struct acceptors *acceptors, enum role_service service, host_handle handle);
void acceptors_pause(struct acceptors *acceptors, bool is_paused);
void acceptors_close(struct acceptors *acceptors);

#endif
