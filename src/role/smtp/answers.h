/* SPDX-License-Identifier: ISC */
/* Answers of route that still hold: mail to one address comes again and again, and asking costs two
 * wakings. Kept are only plain ones (taken, without lists or rewritten senders), each under the
 * whole question. Where route says that another host's whole domain may be written to, one answer
 * stands for all of its plain addresses. Route says `changed` when its tables have changed, and
 * then all are forgotten. Private to this folder. */
#ifndef ROLE_SMTP_ANSWERS_H
#define ROLE_SMTP_ANSWERS_H

#include "base/arena.h"
#include "base/map.h"
#include "note/smtp_route.h"

enum {
    ANSWERS_MAX = 4096,              /* when there are more, all are forgotten and it begins anew */
    ANSWERS_BYTES_MAX = 1024 * 1024, /* the same */
    ANSWERS_QUESTION_MAX = 1024,     /* octets of a question that is worth keeping */
};

struct answers {
    struct map map; /* from question to struct smtp_route_route, in the arena */
    struct arena arena;
    uint64_t seed;
    struct smtp_route_route foreign; /* what was found for a domain, about one address */
    struct smtp_route_target foreign_target;
};

/* In the caller's memory; finish frees what is kept. */
void answers_init(struct answers *answers, uint64_t seed);
void answers_finish(struct answers *answers);

/* What route answered to the same question (but for its id), or NULL. Valid until the next call,
 * and while the question is. */
const struct smtp_route_route *answers_find(struct answers *answers,
                                            const struct smtp_route_recipient *question);

/* Copies an answer, if it is of a kind that is kept. */
void answers_keep(struct answers *answers, const struct smtp_route_recipient *question,
                  const struct smtp_route_route *answer);

/* Forgets all of them. */
void answers_forget(struct answers *answers);

#endif
