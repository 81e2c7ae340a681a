/* SPDX-License-Identifier: ISC */
/* The listening sockets of one process, and what each of them serves. Who comes from the address of
 * a proxy must say for whom it speaks (haproxy.h), and counts as that client from there on. */
#ifndef ROLE_ACCEPTORS_H
#define ROLE_ACCEPTORS_H

#include "base/list.h"
#include "role/role.h"

struct acceptor;

/* Someone has come; `stream` is taken over. */
typedef void (*acceptors_fn)(void *owner, enum role_service service, struct host_stream *stream);

struct acceptors {
    struct host *host;
    const struct config_networks *proxies;
    struct acceptor *first;
    struct list announcements; /* of proxies, that are waited for */
    size_t announcement_count;
    acceptors_fn accept;
    void *owner;
};

/* host and proxies are borrowed; what the latter points to may change at any time. */
void acceptors_init(struct acceptors *acceptors, struct host *host,
                    const struct config_networks *proxies, acceptors_fn accept, void *owner);
/* Takes `handle`, a listening socket. Nobody is accepted before acceptors_pause(…, false). */
void acceptors_add(struct acceptors *acceptors, enum role_service service, host_handle handle);
/* A pause sends away those who have not said for whom they speak. */
void acceptors_pause(struct acceptors *acceptors, bool is_paused);
void acceptors_close(struct acceptors *acceptors);

#endif
