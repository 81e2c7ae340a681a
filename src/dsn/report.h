/* SPDX-License-Identifier: ISC */
/* A whole report to the sender: multipart/report (RFC 6522) of words, delivery-status, and the
 * message or its header as RET asks (RFC 3461 §4.3, §6.2). */
#ifndef DSN_REPORT_H
#define DSN_REPORT_H

#include "dsn/status.h"
#include "mime/build.h"

enum dsn_language { DSN_ENGLISH, DSN_FRENCH, DSN_BOTH };

enum {
    DSN_RECIPIENTS_MAX = 1000,           /* in one report */
    DSN_RETURNED_MAX = 10 * 1024 * 1024, /* a longer message comes back as its header */
    DSN_REPORT_EXTRA = 4 * 1024 * 1024   /* what a report is longer than what it returns */
};

struct dsn_report {
    struct dsn_facts facts;
    const struct dsn_recipient *recipients;
    size_t count;
    struct slice sender; /* canonical, never empty: whom it is for */
    struct slice domain; /* of the Message-ID and of MAILER-DAEMON */
    struct slice id;     /* of the Message-ID: atom characters */
    struct wall date;
    enum dsn_language language;
    struct slice message; /* what was sent, whole */
    bool returns_message; /* RET=FULL; false: only its header */
    struct mime_draft_entropy entropy;
};

/* Puts it. False, and the buffer is cut back, when buffer or arena are too small (room for the
 * message and DSN_REPORT_EXTRA is enough). */
MUST_USE bool dsn_report_put(struct buffer *buffer, struct arena *arena,
                             const struct dsn_report *report);

#endif
