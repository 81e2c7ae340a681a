/* SPDX-License-Identifier: ISC */
/* One GET of a small text, or POST of a form, by HTTP/1.1 (RFC 9110, RFC 9112), without I/O:
 * nothing but "200 OK" is an answer, no redirection is followed (RFC 8461 §3.3). The server is not
 * trusted.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buffer.h"

enum {
    HTTP_HEAD_MAX = 16 * 1024, /* octets before the text, and of lines between its chunks */
    HTTP_LINE_MAX = 8 * 1024,
    HTTP_BODY_MAX = 64 * 1024,
    HTTP_REQUEST_MAX = 64 * 1024,
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

struct http_request {
    struct slice host; /* for the field Host, with a port that is not the usual one */
    struct slice path;
    struct slice accept;        /* a media type */
    struct slice authorization; /* value of that field; empty: none */
    struct slice form;          /* made by http_form_put; empty: GET, else POST */
    struct slice type; /* a media type that the answer must have; empty: any. Not copied */
};

struct http {
    enum http_state state;
    struct buffer output, line, body;
    size_t head_len; /* of the head, so far */
    uint64_t left;   /* of the text, or of the chunk */
    struct slice type; /* that the answer must have */
    bool has_length, is_chunked, is_interim, has_type;
    unsigned status;     /* of the answer; 0 before it is known */
    const char *problem; /* FAILED: why */
};

/* Makes the request; what stands in it is of the caller's making. One that is longer than
 * HTTP_REQUEST_MAX has failed from its beginning. */
void http_init(struct http *http, const struct http_request *request);
/* What was sent, and what came, is wiped: tokens and passwords may stand in it. */
void http_finish(struct http *http);

/* Takes what comes; all of it is taken, until the state is DONE or FAILED. */
MUST_USE size_t http_feed(struct http *http, struct slice input);

/* The server has closed its side; `is_told`: TLS has said so. Without that word anybody on the way
 * may have cut off a text that has no length (RFC 9112 §9.8). */
void http_end(struct http *http, bool is_told);

/* application/x-www-form-urlencoded (URL Standard §5.2): "name=value" behind what is there. */
void http_form_put(struct buffer *form, const char *name, struct slice value);
/* One name or value of it, as RFC 6749 §2.3.1 wants user and password of Basic, too. */
void http_form_put_text(struct buffer *form, struct slice text);

/* The value of Authorization: Basic (RFC 7617). */
void http_basic_put(struct buffer *authorization, struct slice user, struct slice password);

#endif
