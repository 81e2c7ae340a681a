/* SPDX-License-Identifier: ISC */
/* Receipts, which senders ask for and readers may give: message disposition notifications (RFC
 * 8098), a multipart/report (RFC 6522) of words, what programs read, and the header of what was
 * shown. */
#ifndef DSN_RECEIPT_H
#define DSN_RECEIPT_H

#include "base/time.h"
#include "message/header.h"
#include "mime/build.h"

enum { DSN_RECEIPT_TO_MAX = 10 /* who asks for more of them asks for a mail bomb */ };

/* What a message asks for. */
enum dsn_request {
    DSN_REQUEST_NONE,
    DSN_REQUEST_FORBIDDEN, /* for one, but none may be sent; a reason is given */
    DSN_REQUEST_DOUBTFUL,  /* for one, but only a person may say yes (§2.1); a reason is given */
    DSN_REQUEST_PLAIN
};

struct dsn_request_facts {
    enum dsn_request request;
    const char *reason;     /* "it came through a mailing list"; of FORBIDDEN and DOUBTFUL */
    struct address_list to; /* mailboxes, addresses alone, each once; in the arena */
};

/* Looks at a header. Never fails. */
void dsn_request_read(const struct header *header, struct arena *arena,
                      struct dsn_request_facts *ret_facts);

struct dsn_receipt {
    struct slice message;           /* that was shown, whole */
    const struct address_list *to;  /* as dsn_request_read said */
    struct slice from;              /* whose receipt it is, as a field says it; UTF-8 */
    struct slice recipient, domain; /* the same as an address; the domain of the Message-ID */
    struct slice agent;             /* the program, for Reporting-UA: "facteur 1.0" */
    bool is_automatic;              /* nobody was asked */
    struct slice id;                /* of the Message-ID: atom characters */
    struct wall date;
    struct mime_draft_entropy entropy;
};

/* Puts it: it says that the message was displayed. False, and the buffer is cut back, when buffer
 * or arena are too small (DSN_REPORT_EXTRA is room enough). The null sender must send it (§3). */
MUST_USE bool dsn_receipt_put(struct buffer *buffer, struct arena *arena,
                              const struct dsn_receipt *receipt);

#endif
