/* SPDX-License-Identifier: ISC */
/* What a DKIM signature is over: RFC 6376 §3.4. A line ends with CRLF here; a bare CR or LF is an
 * octet like any other. */
#ifndef DKIM_CANON_H
#define DKIM_CANON_H

#include "base/buffer.h"
#include "base/cursor.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* Takes the next field, with its CRLF and its folds, from the front of a header; false at its end,
 * or where no field can begin. */
MUST_USE bool dkim_take_field(struct cursor *header, struct slice *ret_field);

/* The field's name, without blanks before its colon; empty when it has no colon. */
struct slice dkim_field_name(struct slice field);
/* What stands behind the colon, the CRLF at the end included. */
struct slice dkim_field_value(struct slice field);

/* Puts a field (with or without its last CRLF) in canonical form, CRLF included (§3.4.1, §3.4.2).
 */
void dkim_canon_field(enum dkim_canon canon, struct slice field, struct buffer *out);

/* What becomes of a body, in order. */
typedef void (*dkim_sink_fn)(void *context, struct slice octets);
struct dkim_body {
    enum dkim_canon canon;
    dkim_sink_fn sink;
    void *context;
    uint64_t empty_lines; /* line ends that may be those at the end of the body */
    bool has_blank;       /* blanks that may be those at the end of a line */
    bool has_cr;
    bool has_content;
};

/* A body that streams through (§3.4.3, §3.4.4), in pieces of any size; end gives the rest. */
void dkim_body_begin(struct dkim_body *body, enum dkim_canon canon, dkim_sink_fn sink,
                     void *context);
void dkim_body_take(struct dkim_body *body, struct slice piece);
void dkim_body_end(struct dkim_body *body);

#endif
