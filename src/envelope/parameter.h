/* SPDX-License-Identifier: ISC */
/* The ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.1.11), each known by one row of a table. */
#ifndef ENVELOPE_PARAMETER_H
#define ENVELOPE_PARAMETER_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/time.h"

/* What a session offers: a parameter of an extension that is not offered is unknown (555). */
enum envelope_extension {
    ENVELOPE_SIZE = 1 << 0,         /* RFC 1870 */
    ENVELOPE_8BITMIME = 1 << 1,     /* RFC 6152 */
    ENVELOPE_BINARYMIME = 1 << 2,   /* RFC 3030 */
    ENVELOPE_SMTPUTF8 = 1 << 3,     /* RFC 6531 */
    ENVELOPE_DSN = 1 << 4,          /* RFC 3461 */
    ENVELOPE_AUTH = 1 << 5,         /* RFC 4954 */
    ENVELOPE_REQUIRETLS = 1 << 6,   /* RFC 8689 */
    ENVELOPE_MT_PRIORITY = 1 << 7,  /* RFC 6710 */
    ENVELOPE_DELIVERBY = 1 << 8,    /* RFC 2852 */
    ENVELOPE_FUTURERELEASE = 1 << 9 /* RFC 4865 */
};

enum {
    ENVELOPE_ENVID_MAX = 100,              /* RFC 3461 §4.4, of the encoded form */
    ENVELOPE_ORCPT_MAX = 500,              /* RFC 3461 §4.2, of the encoded form */
    ENVELOPE_ORCPT_TYPE_MAX = 32,          /* of its addr-type; those that are known are short */
    ENVELOPE_AUTH_PARAMETER_MAX = 500,     /* RFC 4954 §5 */
    ENVELOPE_HOLD_SECONDS_MAX = 999999999, /* RFC 4865 §3 */
    ENVELOPE_HOLD_UNTIL_MAX = 32,          /* "2004-10-01T15:18:00Z", with a fraction */
};

enum envelope_body { ENVELOPE_BODY_7BIT, ENVELOPE_BODY_8BITMIME, ENVELOPE_BODY_BINARYMIME };
enum envelope_ret { ENVELOPE_RET_NONE, ENVELOPE_RET_FULL, ENVELOPE_RET_HDRS };

/* The bits of NOTIFY (RFC 3461 §4.1); none set: it was not given. */
enum {
    ENVELOPE_NOTIFY_NEVER = 1,
    ENVELOPE_NOTIFY_SUCCESS = 2,
    ENVELOPE_NOTIFY_FAILURE = 4,
    ENVELOPE_NOTIFY_DELAY = 8
};

struct envelope_mail_parameters {
    uint64_t size; /* octets as declared, 0 when not */
    enum envelope_body body;
    enum envelope_ret ret;
    struct slice envid; /* decoded */
    bool has_auth;
    struct slice auth; /* decoded; empty for AUTH=<> */
    bool is_utf8;
    bool requires_tls;
    bool has_priority;
    int8_t priority; /* -9 … 9; 0 when it was not given */
    bool has_deliver_by;
    int32_t deliver_by_s;
    bool deliver_by_returns; /* mode R; otherwise N */
    bool deliver_by_traces;
    uint32_t hold_for_s;     /* 0: not given */
    struct slice hold_until; /* an RFC 3339 date-time in UTC (RFC 4865 §3); empty: not given */
    struct wall hold_until_wall;
};

struct envelope_rcpt_parameters {
    uint8_t notify;
    struct slice orcpt_type; /* "rfc822", "utf-8": lower case */
    struct slice orcpt;      /* decoded */
};

enum envelope_parameter_fault {
    ENVELOPE_PARAMETER_OK,
    ENVELOPE_PARAMETER_SYNTAX,  /* 501 5.5.4: not keyword[=value] */
    ENVELOPE_PARAMETER_UNKNOWN, /* 555 5.5.4: not known, or not offered */
    ENVELOPE_PARAMETER_VALUE,   /* 501 5.5.4: its value is wrong */
    ENVELOPE_PARAMETER_TWICE,   /* 501 5.5.4 */
    ENVELOPE_PARAMETER_MEMORY   /* 452 4.3.1: the arena's limit */
};

/* Parse everything behind the path: nothing, or parameters each preceded by a space. `offered` is a
 * set of envelope_extension. On a fault *ret_keyword (into the input) is the parameter it is about
 * and *ret_parameters is untouched. */
MUST_USE enum envelope_parameter_fault
envelope_mail_parameters_parse(struct slice text, unsigned offered, struct arena *arena,
                               struct envelope_mail_parameters *ret_parameters,
                               struct slice *ret_keyword);
MUST_USE enum envelope_parameter_fault
envelope_rcpt_parameters_parse(struct slice text, unsigned offered, struct arena *arena,
                               struct envelope_rcpt_parameters *ret_parameters,
                               struct slice *ret_keyword);

#endif
