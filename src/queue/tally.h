/* SPDX-License-Identifier: ISC */
/* What became of TLS with other hosts, counted per period (a day of UTC), domain and policy, in the
 * terms of RFC 8460: what reports about it are made of. Kept as lines of text that can be added up:
 * the counts of two lines about the same thing count together. */
#ifndef QUEUE_TALLY_H
#define QUEUE_TALLY_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"

enum {
    TALLY_ROWS_MAX = 20000,     /* domains and their policies */
    TALLY_ROW_DETAILS_MAX = 32, /* kinds of failure of one; what is beyond has only its number */
    TALLY_DETAILS_MAX = 50000,  /* of all of them */
    TALLY_NAME_MAX = 255,
    TALLY_REASON_MAX = 120,
    TALLY_TEXT_MAX = 4096,
    TALLY_LINE_MAX = 8 * 1024,
};

enum tally_policy { TALLY_NO_POLICY, TALLY_STS, TALLY_TLSA, TALLY_POLICIES };

/* In seconds since 1970; `end_s` is no part of it. */
struct tally_period {
    int64_t start_s, end_s;
};

/* One session, or what kept one from being. */
struct tally_event {
    struct tally_period period;
    struct slice domain;
    enum tally_policy policy;
    struct slice text;    /* of the policy, its lines with ';' between; may be empty */
    struct slice result;  /* RFC 8460 §4.3; empty: it succeeded */
    struct slice host;    /* the rest may be empty */
    struct slice address; /* as text */
    struct slice reason;
};

struct tally_detail {
    struct list link;
    struct slice result, host, address, reason;
    uint64_t count;
    uint8_t bytes[];
};

struct tally_row {
    struct list link;
    struct tally_period period;
    struct slice domain;
    enum tally_policy policy;
    struct buffer text;
    uint64_t successes, failures;
    struct list details; /* struct tally_detail */
    size_t detail_count;
    int64_t retry_s; /* the owner's: not to be reported before */
    uint8_t bytes[];
};

struct tally {
    struct map map;
    struct list rows; /* struct tally_row, oldest first */
    size_t row_count, detail_count;
};

/* In the caller's memory. */
void tally_init(struct tally *tally, uint64_t seed);
void tally_finish(struct tally *tally);

/* Counts it so many times. False when there is no room for another row, or a text is too long: it
 * is not counted. Octets that would harm a line or a report become '?'. */
MUST_USE bool tally_add(struct tally *tally, const struct tally_event *event, uint64_t count);

/* Whether the event's text is known: then it need not be put again. */
bool tally_knows_text(const struct tally *tally, const struct tally_event *event);

/* Forgets all about the domain in this period. */
void tally_forget(struct tally *tally, struct tally_period period, struct slice domain);

/* The line that says the same to tally_take: of the event, of the forgetting; and all lines. */
void tally_put(struct buffer *out, const struct tally_event *event, uint64_t count);
void tally_put_forgotten(struct buffer *out, struct tally_period period, struct slice domain);
void tally_put_all(struct buffer *out, const struct tally *tally);

/* False when it is no such line, or there is no room: then nothing has changed. */
MUST_USE bool tally_take(struct tally *tally, struct slice line);

/* "sts" and so on (RFC 8460 §4.4). */
const char *tally_policy_name(enum tally_policy policy);

#endif
