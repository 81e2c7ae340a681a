/* SPDX-License-Identifier: ISC */
/* A report about TLS (RFC 8460) for who receives our mail: the JSON of §4.4 in gzip, in a
 * multipart/report of type tlsrpt (§5.3). */
#ifndef DSN_TLS_REPORT_H
#define DSN_TLS_REPORT_H

#include "base/time.h"
#include "mime/build.h"

enum {
    DSN_TLS_JSON_MAX = 8 << 20,
    DSN_TLS_POLICIES_MAX = 8,       /* of one domain */
    DSN_TLS_MESSAGE_MAX = 10 << 20, /* room that is enough */
};

struct dsn_tls_failure {
    struct slice result;                /* §4.3 */
    struct slice host, address, reason; /* may be empty */
    uint64_t count;
};

struct dsn_tls_policy {
    const char *type;  /* "sts", "tlsa", "no-policy-found" */
    struct slice text; /* its lines, with ';' between; may be empty */
    uint64_t successes, failures;
    const struct dsn_tls_failure *details;
    size_t count;
};

/* All texts are of octets between ' ' and '~'. */
struct dsn_tls_report {
    struct slice domain;    /* whom it is about */
    struct slice submitter; /* who tells it: our host's name */
    struct slice id;        /* letters and digits */
    struct slice recipient; /* an address */
    int64_t start_s, end_s; /* since 1970; the end is no part of it */
    const struct dsn_tls_policy *policies;
    size_t count;
    struct wall date;
    struct mime_draft_entropy entropy;
};

/* The figures alone. */
void dsn_tls_report_put_json(struct buffer *out, const struct dsn_tls_report *report);

/* The message. False, and the buffer is cut back, when something was too small for it. */
MUST_USE bool dsn_tls_report_put(struct buffer *out, struct arena *arena,
                                 const struct dsn_tls_report *report);

#endif
