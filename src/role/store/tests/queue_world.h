/* SPDX-License-Identifier: ISC */
/* The store on the simulator, and everybody whom its queue speaks with: smtp, which hands in,
 * deliver, route and transport, which answer as a test wants it, and the tool. */
#ifndef ROLE_STORE_TESTS_QUEUE_WORLD_H
#define ROLE_STORE_TESTS_QUEUE_WORLD_H

#include "role/store/outgoing.h"
#include "role/tests/world.h"

#include "note/smtp_store.h"
#include "note/tool_store.h"

enum { QUEUE_WORLD_RECIPIENTS_MAX = 1000 };

struct queue_world {
    struct world world;
    struct world_peer smtp, deliver, route, transport, tool;
    struct note_ledger smtp_ledger, deliver_ledger, route_ledger, transport_ledger, tool_ledger;
    struct arena arena;
    struct buffer note;
    uint64_t id;
    enum store_transport_outcome outcome; /* of all that is carried */
    enum store_transport_reach reach;     /* the same */
    unsigned carried_max;                 /* answered in 5 ms; 0: all */
    bool is_route_particular;             /* its answers hold for one address */
    bool may_refuse;                      /* the store, what is handed in */
    bool may_not_build;                   /* deliver, any report */
    struct store_route_target *targets;   /* where queued addresses of ours lead to */
    size_t target_count;
    unsigned asked, carried, recipients, filed, refused;
    void (*on_carry)(struct queue_world *world, const struct store_transport_carry *carry);
    void (*on_hop)(struct queue_world *world, struct store_route_hop *hop); /* may change it */
    const struct store_transport_attempt *attempt; /* told of all that is carried; or NULL */
    /* Where reports about TLS go; NULL: nobody can tell. */
    const char *report_address;
    unsigned report_asks;
    unsigned reports[STORE_DELIVER_ACTION_COUNT];
    char status[QUEUE_STATUS_MAX + 1]; /* of the last report */
    char folder[64];                   /* a real one: LMDB opens its files itself */
};

/* For cmocka: *state is a queue_world. */
int queue_world_open(void **state);
int queue_world_close(void **state);

/* Closes the store and opens it again; all channels are new. */
void queue_world_restart(struct queue_world *world, void (*meanwhile)(struct queue_world *world));

/* Changes the octet `at` behind where each `pattern` begins in LMDB's file: there must be some. */
void queue_world_damage_view(const struct queue_world *world, struct slice pattern, size_t at);

/* Lets time pass, and everybody answer. */
void queue_world_run(struct queue_world *world, int64_t ms);

/* Lets smtp, deliver and route answer what has come; transport thinks. */
void queue_world_answer_but_transport(struct queue_world *world);

/* A message "Q1", or as `wishes` name it, from fred@a.test to `count` recipients userN@DOMAIN. */
void queue_world_submit(struct queue_world *world, unsigned count, const char *domain,
                        const struct smtp_store_submit *wishes);

struct queue_world_row {
    char id[QUEUE_ID_MAX + 1], recipient[64], text[QUEUE_TEXT_MAX + 1]; /* of the last attempt */
    enum tool_store_queue_state state;
    uint32_t attempts;
    size_t history;
    int64_t due_ms; /* from now */
};

enum { QUEUE_WORLD_ROWS_MAX = 64 };

struct queue_world_answer {
    struct queue_world_row rows[QUEUE_WORLD_ROWS_MAX]; /* the first ones */
    size_t count;
    struct tool_store_queue_done done;
};

/* Asks as the tool does. */
void queue_world_say(struct queue_world *world, const struct tool_store_queue_ask *ask);
/* The same, and waits for the end of the answer. */
void queue_world_ask(struct queue_world *world, const struct tool_store_queue_ask *ask,
                     struct queue_world_answer *ret_answer);

#endif
