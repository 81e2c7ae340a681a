/* SPDX-License-Identifier: ISC */
/* Where a domain wants reports about TLS (RFC 8460 §3): the record at _smtp._tls.DOMAIN. Only what
 * goes by mail counts; https: is passed over. */
#ifndef ROUTING_TLS_REPORT_H
#define ROUTING_TLS_REPORT_H

#include "routing/fact.h"

enum { ROUTING_TLS_REPORT_ADDRESSES_MAX = 4 };

struct routing_tls_report {
    struct slice addresses[ROUTING_TLS_REPORT_ADDRESSES_MAX]; /* canonical, in the arena */
    size_t count;
};

/* The text of one TXT record. False when it is no such record: others may stand beside it. */
MUST_USE bool routing_tls_report_parse(struct slice text, struct arena *arena,
                                       struct routing_tls_report *ret_report);

enum routing_tls_report_outcome {
    ROUTING_TLS_REPORT_MISSING, /* facts->questions says what */
    ROUTING_TLS_REPORT_FOUND,
    ROUTING_TLS_REPORT_NONE,
    ROUTING_TLS_REPORT_TEMPORARY,
};
enum routing_tls_report_outcome routing_find_tls_report(struct routing_facts *facts,
                                                        struct slice domain,
                                                        struct routing_tls_report *ret_report);

#endif
