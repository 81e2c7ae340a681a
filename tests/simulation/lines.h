/* SPDX-License-Identifier: ISC */
/* The client's end of a line protocol on a stream: what senders and readers are made on. */
#ifndef TESTS_SIMULATION_LINES_H
#define TESTS_SIMULATION_LINES_H

#include "base/buffer.h"
#include "host/host.h"

struct lines;

struct lines_handler {
    /* A whole line came, without CRLF. The callee may write and close. */
    void (*on_line)(void *context, struct slice line);
    /* The connection ended, by the peer, an error or silence; it is closed already. */
    void (*on_end)(void *context);
};

/* Connects; on_end comes when that fails. */
struct lines *lines_open(struct host *host, const struct host_address *address,
                         const struct lines_handler *handler, void *context);
/* The buffer of what is to be written; call lines_flush after putting. */
struct buffer *lines_output(struct lines *lines);
void lines_flush(struct lines *lines);
void lines_close(struct lines **lines);

#endif
