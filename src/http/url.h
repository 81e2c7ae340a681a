/* SPDX-License-Identifier: ISC */
/* A URL of https (RFC 3986, RFC 9110 §4.2.2), as the operator gives it. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/slice.h"

enum { HTTP_URL_MAX = 1024, HTTP_PORT = 443 };

/* All of it lies in the text that was parsed. */
struct http_url {
    struct slice host;      /* a name, or an address without its brackets */
    struct slice authority; /* host and port, as the field Host has it */
    struct slice path;      /* with the query; "/" for none */
    uint16_t port;
};

/* "https://" HOST [":" PORT] ["/" ...]. No user, no fragment, nothing but visible ASCII. */
MUST_USE bool http_url_parse(struct slice text, struct http_url *ret_url);

#endif
