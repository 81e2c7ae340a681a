/* SPDX-License-Identifier: ISC */
/* One GET of a small text by HTTP/1.1 (RFC 9110, RFC 9112), without I/O: nothing but "200 OK" is an
 * answer, no redirection is followed (RFC 8461 §3.3). The server is not trusted. */
#ifndef ROLE_TRANSPORT_HTTP_H
#define ROLE_TRANSPORT_HTTP_H

#include "base/buffer.h"

enum {
    HTTP_HEAD_MAX = 16 * 1024, /* octets before the text, and of lines between its chunks */
    HTTP_LINE_MAX = 8 * 1024,
    HTTP_BODY_MAX = 64 * 1024
};

enum http_state {
    HTTP_STATUS, /* the status line comes next */
    HTTP_FIELDS,
    HTTP_COUNTED,    /* the text, of a length that was told */
    HTTP_UNTIL_END,  /* the text, up to the end of the connection */
    HTTP_CHUNK_SIZE, /* the text, in chunks (RFC 9112 §7.1) */
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
    HTTP_DONE,
    HTTP_FAILED
};

struct http {
    enum http_state state;
    struct buffer output, line, body;
    size_t head_len; /* of the head, so far */
    uint64_t left;   /* of the text, or of the chunk */
    bool has_length, is_chunked, is_interim;
    const char *problem; /* FAILED: why */
};

/* Makes the request; host and path are of the caller's making. */
void http_init(struct http *http, struct slice host, struct slice path);
void http_finish(struct http *http);

/* Takes what comes; all of it is taken, until the state is DONE or FAILED. */
MUST_USE size_t http_feed(struct http *http, struct slice input);

/* The server has closed its side. */
void http_end(struct http *http);

#endif
