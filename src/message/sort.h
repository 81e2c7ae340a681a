/* SPDX-License-Identifier: ISC */
/* The order of messages: SORT (RFC 5256 §3) with DISPLAYFROM and DISPLAYTO (RFC 5957), under
 * i;unicode-casemap. Add each message with the values that its terms ask for, then take the order.
 * All terms of a message become one string that compares as octets, so the cost of a comparison
 * does not depend on the number of terms. Everything lives in the arena. */
#ifndef MESSAGE_SORT_H
#define MESSAGE_SORT_H

#include "base/arena.h"
#include "base/time.h"

enum sort_key {
    SORT_ARRIVAL,     /* arrival */
    SORT_CC,          /* cc: local part of the first address */
    SORT_DATE,        /* date: of the Date field, or else the arrival */
    SORT_FROM,        /* from */
    SORT_SIZE,        /* size */
    SORT_SUBJECT,     /* subject: base subject */
    SORT_TO,          /* to */
    SORT_DISPLAYFROM, /* display_from: decoded name, or else local@domain, or else local part */
    SORT_DISPLAYTO,   /* display_to */
    SORT_KEYS
};

/* The key of that name as RFC 5256 writes it; case does not matter. */
MUST_USE bool sort_key_find(struct slice name, enum sort_key *ret_key);

struct sort_term {
    enum sort_key key;
    bool is_reverse;
};

enum { SORT_TERMS_MAX = 16, SORT_TEXT_MAX = 1000 }; /* octets of a text that count */

/* What is known of one message; what no term asks for may be left empty. UTF-8, decoded; borrowed
 * during the call only. */
struct sort_values {
    struct wall arrival;
    struct wall date;
    uint64_t size;
    struct slice cc, from, to, subject, display_from, display_to;
};

struct sorter;

/* NULL when terms_count is 0 or above SORT_TERMS_MAX, or at the arena's limit. */
struct sorter *sorter_new(struct arena *arena, const struct sort_term *terms, size_t terms_count,
                          size_t messages_max);

/* True when some term asks for this key: so that the caller need not gather the others' values. */
MUST_USE bool sorter_wants(const struct sorter *sorter, enum sort_key key);

/* Adds a message; `number` is the caller's for it. Messages with equal values come in the order in
 * which they were added (their sequence numbers'). False above messages_max or at the arena's
 * limit. */
MUST_USE bool sorter_add(struct sorter *sorter, uint32_t number, const struct sort_values *values);

/* The numbers in order, as many as were added; NULL at the arena's limit. No more can be added. */
const uint32_t *sorter_finish(struct sorter *sorter, size_t *ret_count);

#endif
