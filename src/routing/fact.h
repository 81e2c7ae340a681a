/* SPDX-License-Identifier: ISC */
/* Facts: what a decision needs to know of the world. The decision asks by naming what it lacks; the
 * caller adds the fact and decides again. */
#ifndef ROUTING_FACT_H
#define ROUTING_FACT_H

#include "dns/dns.h"

enum {
    ROUTING_FACTS_MAX = 256,    /* of one decision; more: the decision is a temporary failure */
    ROUTING_QUESTIONS_MAX = 32, /* at once */
    ROUTING_KEY_MAX = 1024
};

enum routing_question_kind { ROUTING_ASK_DNS, ROUTING_ASK_TABLE };

struct routing_question {
    enum routing_question_kind kind;
    enum dns_type type; /* DNS */
    struct slice table; /* TABLE: its name */
    struct slice key;   /* the name, or what to look up in the table */
};

enum routing_table_outcome {
    ROUTING_TABLE_FOUND,
    ROUTING_TABLE_NOT_FOUND,
    ROUTING_TABLE_TEMPORARY
};

struct routing_fact {
    struct routing_question question;
    struct dns_answer dns;
    enum routing_table_outcome table;
    struct slice value; /* TABLE_FOUND */
};

/* All in the arena that routing_facts_init is given. */
struct routing_facts {
    struct arena *arena;
    struct routing_fact *at;
    size_t count, size;
    struct routing_question questions[ROUTING_QUESTIONS_MAX]; /* that were missing */
    size_t question_count;
};

/* Knows nothing yet. The arena is the caller's. */
void routing_facts_init(struct routing_facts *facts, struct arena *arena);

/* Adds a fact; everything is copied. False when there are too many. */
MUST_USE bool routing_facts_add_dns(struct routing_facts *facts, struct slice name,
                                    enum dns_type type, const struct dns_answer *answer);
MUST_USE bool routing_facts_add_table(struct routing_facts *facts, struct slice table,
                                      struct slice key, enum routing_table_outcome outcome,
                                      struct slice value);

/* The fact, or NULL: then the question is noted among those that are missing (as far as there is
 * room: the rest is asked for next time). Names compare without case and final dot. */
const struct routing_fact *routing_facts_dns(struct routing_facts *facts, struct slice name,
                                             enum dns_type type);
const struct routing_fact *routing_facts_table(struct routing_facts *facts, struct slice table,
                                               struct slice key);

#endif
