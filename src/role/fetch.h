/* SPDX-License-Identifier: ISC */
/* One question by HTTPS (http/client.h) on a stream that stands: TLS with a server that is
 * verified, the request, the answer's text, or why there is none. */
#ifndef ROLE_FETCH_H
#define ROLE_FETCH_H

#include "http/client.h"
#include "role/connection.h"

struct fetch;

struct fetch_result {
    const char *problem; /* NULL: `text` is the answer */
    struct slice text;
    unsigned status;          /* of HTTP; 0 when none came */
    bool is_secured;          /* the server was who it should be */
    struct slice tls_problem; /* why it was not, if TLS failed; else empty */
};

struct fetch_options {
    struct connection_shared *shared;
    struct host_stream *stream; /* taken over */
    struct tls_context *tls;    /* one that verifies */
    struct slice server_name;   /* lives as long as the fetch */
    const struct http_request *request;
    struct instant end; /* for all of it */
    /* Called once, from the loop; should call fetch_close. */
    void (*done)(void *context, const struct fetch_result *result);
    void *context;
};

struct fetch *fetch_open(const struct fetch_options *options);
/* At any time; `done` is not called any more. */
void fetch_close(struct fetch **fetch);

#endif
