/* SPDX-License-Identifier: ISC */
/* The client's end of an IMAP session: logs in by SCRAM-SHA-256, then asks one question after
 * another, and hands over what comes. */
#ifndef TESTS_SIMULATION_VISIT_H
#define TESTS_SIMULATION_VISIT_H

#include "base/buffer.h"
#include "host/sim/sim.h"

struct visit;

enum visit_status { VISIT_OK, VISIT_NO, VISIT_BAD };

/* The callee may ask; it may close it only in on_ready, on_answer and on_end. */
struct visit_handler {
    void (*on_ready)(void *context); /* it is logged in */
    /* A line without "* " and CRLF; its literal, if it has one, where "{n}" stands. */
    void (*on_data)(void *context, struct slice line, struct slice literal);
    void (*on_continue)(void *context); /* the server is ready for the rest of a command */
    void (*on_answer)(void *context, enum visit_status status, struct slice line);
    void (*on_end)(void *context); /* the connection is gone, or the login failed */
};

struct visit_options {
    struct host_address server;
    unsigned account; /* whose mailboxes, as in sender_put_address and reader_put_secret */
};

/* Connects and logs in. */
struct visit *visit_open(struct sim *sim, struct host *host, const struct visit_options *options,
                         const struct visit_handler *handler, void *context);
void visit_close(struct visit **visit);

/* The buffer to put a command into, behind the tag that stands there; then visit_send. */
struct buffer *visit_ask(struct visit *visit);
/* More of the same command, or what is no command: DONE. */
struct buffer *visit_more(struct visit *visit);
void visit_send(struct visit *visit);
/* The number in the tag of the last command: "t12". */
unsigned visit_tag(const struct visit *visit);

/* One line of the directory's secrets. */
void visit_put_secret(struct buffer *secrets, unsigned account);

#endif
