/* SPDX-License-Identifier: ISC */
/* When a recipient is tried again, when its sender is told that it takes long, and when it is given
 * up (RFC 5321 §4.5.4.1). */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "queue/entry.h"

struct queue_policy {
    struct duration lifetime;        /* of a message */
    struct duration report_lifetime; /* of our own notifications */
    struct duration notice;          /* of delay, after this; 0: never */
    struct duration notice_again;    /* and once more after this; 0: never */
    struct duration interval_max;    /* between two attempts */
};

/* The time to the next attempt after `attempts` of them (from 1): 2, 5, 10, 20, 40 min, 1, 2, 4 h
 * and so on, up to interval_max, moved by up to a tenth either way as `random` says. */
struct duration queue_interval(const struct queue_policy *policy, uint32_t attempts,
                               uint32_t random);

/* When patience ends: by the message's kind, and by DELIVERBY in mode R (RFC 2852 §4.1). */
struct wall queue_end(const struct queue_policy *policy, const struct queue_message *message);

enum queue_step {
    QUEUE_STEP_WAIT, /* recipient->due is set */
    QUEUE_STEP_TELL, /* the same, and the sender is to be told of the delay; `told` is set */
    QUEUE_STEP_EXPIRE,
};

/* What follows from a temporary failure at `now`. The sender is told once for each notice. */
enum queue_step queue_defer(const struct queue_policy *policy, const struct queue_message *message,
                            struct queue_recipient *recipient, struct wall now, uint32_t random);

/* What follows when it was not tried at `now`: its turn comes again at `until`, with the same looks
 * at patience and notices. */
enum queue_step queue_postpone(const struct queue_policy *policy,
                               const struct queue_message *message,
                               struct queue_recipient *recipient, struct wall now,
                               struct wall until);

/* When the turn of one comes that cannot be tried now and need not be the first at its destination:
 * as late again as it is old, about as if it had been tried all the time. */
struct wall queue_turn(const struct queue_policy *policy, const struct queue_message *message,
                       struct wall now, uint32_t random);

#endif
