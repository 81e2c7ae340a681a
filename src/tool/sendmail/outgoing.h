/* SPDX-License-Identifier: ISC */
/* A message that a program of this machine hands to `sendmail`, made ready to be submitted: CRLF
 * line ends, From: where it is missing, Bcc: taken out, addresses without a domain completed (RFC
 * 5322 §3.6.3, RFC 6409 §8). */
#ifndef TOOL_SENDMAIL_OUTGOING_H
#define TOOL_SENDMAIL_OUTGOING_H

#include "base/arena.h"
#include "base/buffer.h"

enum { OUTGOING_RECIPIENTS_MAX = 100000 };

/* Who sends; `origin` completes addresses. */
struct outgoing_facts {
    struct slice sender;    /* for From:, complete */
    struct slice full_name; /* the same; may be empty */
    struct slice origin;
};

struct outgoing {
    struct arena arena;
    struct buffer content;
    struct slice *recipients; /* in the arena: canonical, each once */
    size_t count, room;
};

/* Empty; `content_max` bounds the content. outgoing_finish frees it. */
void outgoing_init(struct outgoing *outgoing, size_t content_max);
void outgoing_finish(struct outgoing *outgoing);

/* Adds an address as a person writes it: a list of them ("a@b.test, Carl <c@d.test>") is taken
 * too. False, and *ret_bad is the piece, when one of them is none. */
MUST_USE bool outgoing_add(struct outgoing *outgoing, struct slice text, struct slice origin,
                           struct slice *ret_bad);

/* Adds what To, Cc and Bcc of the message say, or Resent-To, -Cc and -Bcc where it has them (the
 * topmost block). What is no address there is passed over. False when they are more than can be
 * read: who comes behind would get nothing. */
MUST_USE bool outgoing_add_from_header(struct outgoing *outgoing, struct slice message,
                                       struct slice origin);

/* Makes `content` of the message, whose lines may end in LF, CRLF or both kinds. False when it does
 * not fit, or its header has too many fields: then it is not whole. */
MUST_USE bool outgoing_complete(struct outgoing *outgoing, struct slice message,
                                const struct outgoing_facts *facts);

#endif
