/* SPDX-License-Identifier: ISC */
/* What tls_results.c (counting) and tls_reports.c (telling) share. Private to this folder. */
#ifndef ROLE_STORE_TLS_RESULTS_H
#define ROLE_STORE_TLS_RESULTS_H

#include "queue/tally.h"
#include "role/store/outgoing.h"
#include "role/store/sheet.h"

struct tls_results {
    struct tally tally;
    struct sheet sheet;
    struct buffer pending; /* lines that the sheet does not have yet */
    struct host_timer *timer;
    uint64_t lost;   /* sessions that there was no room for */
    uint32_t random; /* for when reports go, and their ids */
    /* One domain at a time is reported on. */
    struct host_timer *report_timer;
    uint64_t ask; /* the question to route where to, or 0 */
    struct tally_period period;
    struct buffer domain;
    struct list ready, filing; /* struct posting */
    uint64_t sent;
};

/* Has lines written soon. */
void tls_results_keep(struct store_role *role);
/* All about the domain in this period is told, or nobody wants to know. */
void tls_results_forget(struct store_role *role, struct tally_period period, struct slice domain);

/* tls_reports.c */
void tls_reports_start(struct store_role *role);
void tls_reports_close(struct store_role *role);

#endif
