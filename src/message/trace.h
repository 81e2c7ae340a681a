/* SPDX-License-Identifier: ISC */
/* Trace fields: Received and Return-Path (RFC 5322 §3.6.7, RFC 5321 §4.4). Each Received is one
 * station of the message's way; read from the last to the first they are its itinerary. */
#ifndef MESSAGE_TRACE_H
#define MESSAGE_TRACE_H

#include "base/arena.h"
#include "text/date.h"

enum trace_defect {
    TRACE_NO_DATE = 1 << 0,    /* no ';' or nothing that is a date behind it */
    TRACE_NO_BY = 1 << 1,
    TRACE_REPEATED = 1 << 2,   /* a clause came twice: the first counts */
    TRACE_UNKNOWN = 1 << 3,    /* words that belong to no clause */
    TRACE_UNCLOSED = 1 << 4
};

/* What a station wrote. Clauses that are missing are empty. Slices borrow or live in the arena. */
struct trace_received {
    struct slice from;         /* what the client called itself */
    struct slice from_comment; /* what the station saw: "(mail.example.org [192.0.2.1])" */
    struct slice by;
    struct slice by_comment;
    struct slice via;
    struct slice with;         /* "ESMTPS" */
    struct slice with_comment;
    struct slice id;
    struct slice recipient;    /* the `for` clause, without angle brackets */
    struct date date;          /* meaningful unless TRACE_NO_DATE */
    uint16_t defects;
};

/* Reads the body of one Received field, folded or not. Never fails: the defects say what is
 * missing. */
void trace_received_parse(struct arena *arena, struct slice body,
                          struct trace_received *ret_received);

#endif
