/* SPDX-License-Identifier: ISC */
/* The machine's part of a report: message/delivery-status (RFC 3464 §2), or, for senders with
 * SMTPUTF8, message/global-delivery-status (RFC 6533 §6). */
#ifndef DSN_STATUS_H
#define DSN_STATUS_H

#include "base/buffer.h"
#include "base/time.h"
#include "envelope/status.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

enum { DSN_DIAGNOSTIC_MAX = 2000 /* octets of another host's words that are repeated */ };

/* What became of one recipient. Empty slices and zero times are left out. */
struct dsn_recipient {
    struct slice address;       /* canonical: Final-Recipient */
    struct slice original;      /* ORCPT's address, decoded; empty: none was given */
    struct slice original_type; /* "rfc822", "utf-8" */
    enum dsn_action action;
    struct envelope_status status; /* none given: 5.0.0, 4.0.0 or 2.0.0 by the action */
    struct slice host;             /* Remote-MTA: whose words these are; empty: ours */
    uint16_t code;                 /* its reply code; 0: it said nothing */
    struct slice text;             /* its words, or our own reason */
    struct wall last_attempt;
    struct wall retry_until; /* delayed: when we give up */
};

struct dsn_facts {
    struct slice hostname;    /* Reporting-MTA */
    struct slice envelope_id; /* ENVID, decoded; empty: none */
    struct slice queue_id;
    struct wall arrival;
    struct wall deliver_by; /* Deliver-By-Date (RFC 2852 §5); 0: none */
    struct slice hold;      /* Future-Release-Request (RFC 4865 §5.1.2); empty: none */
    bool is_utf8; /* the sender takes SMTPUTF8 */
};

/* Puts the per-message fields and one group for each recipient (at least one). */
void dsn_status_put(struct buffer *buffer, const struct dsn_facts *facts,
                    const struct dsn_recipient *recipients, size_t count);

/* "failed", … */
const char *dsn_action_name(enum dsn_action action);

/* The status that stands for the recipient, also when none was given. */
struct envelope_status dsn_status_of(const struct dsn_recipient *recipient);

#endif
