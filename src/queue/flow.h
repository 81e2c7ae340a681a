/* SPDX-License-Identifier: ISC */
/* How much one destination is given at once. It begins with FLOW_WINDOW_FIRST transactions. Until
 * it has refused something, each that goes well widens the window by one; from then on a whole
 * window of them does. A refusal narrows it. A destination that does not answer is left alone for a
 * while and then asked with one transaction only. */
#ifndef QUEUE_FLOW_H
#define QUEUE_FLOW_H

#include "base/time.h"

enum {
    FLOW_WINDOW_FIRST = 5,
    FLOW_WINDOW_MAX = 20,
    FLOW_PAUSE_FIRST_S = 30,
    FLOW_PAUSE_MAX_S = 600,
    FLOW_SHUT_AFTER = 2, /* failures in a row to connect, and it is left alone */
};

enum flow_end {
    FLOW_REACHED,
    FLOW_REFUSED,     /* a host answered, but wants no mail now */
    FLOW_UNREACHABLE, /* none answered */
    FLOW_UNKNOWN,     /* nothing was learnt of it */
};

struct flow {
    uint32_t window_64ths; /* at least 64 */
    uint32_t in_flight;
    uint32_t failures; /* to connect, in a row */
    bool is_willing;   /* it has not refused anything yet */
    struct duration pause_max;
    struct instant shut_until;
    struct duration gap;        /* between two starts, of a rate limit; 0: none */
    struct instant start_after; /* by the gap */
};

/* rate_a_minute 0: no limit. No pause is longer than interval_max, the longest time between two
 * attempts, nor than FLOW_PAUSE_MAX_S. */
void flow_init(struct flow *flow, uint32_t window, uint32_t rate_a_minute,
               struct duration interval_max);

/* The longest time between two attempts has changed; a pause that has begun stays. */
void flow_bound(struct flow *flow, struct duration interval_max);

/* Whether one more transaction may begin now. */
bool flow_may_start(const struct flow *flow, struct instant now);
/* It does not answer, and nothing is to be sent there now. */
bool flow_is_shut(const struct flow *flow, struct instant now);
/* When a start that is forbidden now may be allowed without an end before; INSTANT_NEVER: only by
 * one. */
struct instant flow_next(const struct flow *flow, struct instant now);

/* One begins, one has ended. */
void flow_started(struct flow *flow, struct instant now);
void flow_ended(struct flow *flow, struct instant now, enum flow_end end);

/* The pause of one that did not answer ends: it is asked once more now. */
void flow_open(struct flow *flow);

/* Nothing is worth being remembered. */
bool flow_is_idle(const struct flow *flow, struct instant now);

#endif
