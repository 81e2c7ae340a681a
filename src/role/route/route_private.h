/* SPDX-License-Identifier: ISC */
/* The parts of the role: private to this folder. */
#ifndef ROLE_ROUTE_ROUTE_PRIVATE_H
#define ROLE_ROUTE_ROUTE_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "directory/names.h"
#include "note/route_resolve.h"
#include "note/route_table.h"
#include "note/smtp_route.h"
#include "note/store_route.h"
#include "role/role.h"
#include "role/snapshot.h"
#include "routing/next_hop.h"

enum {
    ROUTE_SMTP_MAX = 64,   /* as the option `processes` */
    ROUTE_TABLES_MAX = 16, /* as the option `tables` */
    ROUTE_FEEDS_MAX = 64,  /* as the option `relay_feeds` */
    ROUTE_LISTS_MAX = 8    /* names of domains of ours that are kept ready to be told */
};

struct route;

/* One smtp process; its index is its place in route->smtps. */
struct route_smtp {
    struct route *route;
    bool is_store; /* no process of smtp: the store's questions, answered over its channel */
    struct host_channel *channel;
    struct note_ledger ledger;
};

/* The process of one table of the option `tables`. */
struct route_table {
    struct route *route;
    struct slice name;
    struct host_channel *channel;
    struct note_ledger ledger;
};

/* A file of DATA/directory as it was last read. */
struct route_file {
    const char *name;
    uint64_t stamp;
    bool is_there;
    bool is_unread; /* there is one now, and it could not be read yet */
};

/* The names of a domain of ours, as a text (directory/names.h). */
struct route_list {
    struct buffer domain, text;
    uint64_t serial;
};

/* Names of domains. What was told of a domain that is in no option any more stays until there is no
 * room. */
struct route_names {
    struct directory_names *told[ROUTE_FEEDS_MAX * 2]; /* by the store */
    size_t told_count;
    struct directory_names *used[ROUTE_FEEDS_MAX]; /* of them, those of the option */
    size_t used_count;
    struct instant quiet_until; /* the store is not told of names that are missed */
    struct route_list lists[ROUTE_LISTS_MAX];
    size_t list_count;
    uint64_t lists_of; /* route->tables_read when they were made */
};

/* The files, and what the configuration says of routing. */
struct route_tables {
    struct directory *directory; /* NULL: could never be read */
    struct buffer aliases;       /* what newaliases has made of /etc/aliases */
    struct routing_transports *transports;
    struct buffer credentials;
    struct buffer srs_key; /* empty: no SRS */
    struct routing_settings settings;
    struct arena arena; /* of the settings */
    struct route_names names;
    struct route_file files[5];
    struct instant looked; /* when their stamps were last looked at */
};

struct route {
    struct role_start start;
    struct host_dir *dir;
    struct route_tables tables;
    struct route_smtp smtps[ROUTE_SMTP_MAX];
    struct route_smtp locator; /* is_store */
    struct host_channel *store, *resolve;
    struct note_ledger store_ledger, resolve_ledger;
    struct route_table others[ROUTE_TABLES_MAX + 1]; /* the last is the role hand: .forward */
    struct arena others_arena;                       /* of their names */
    struct list decisions;                           /* that wait for answers */
    size_t decision_count;
    struct map asks; /* by id of the question: struct ask */
    uint64_t ask_id;
    struct arena arena; /* of the note in hand */
    struct buffer note;
    uint64_t tables_read; /* how often */
    uint64_t asked, unknown, refused, hops, hops_failed;
};

/* ---- route.c ---- */

/* Sends the answer about a recipient, and counts it. */
void route_send_answer(struct route_smtp *smtp, struct smtp_route_route *answer);
void route_send_claimed(struct route_smtp *smtp, const struct smtp_route_claimed *answer);
/* The tables were read: whoever keeps answers is told. */
void route_tell_change(struct route *route);

/* ---- tables.c ---- */

void tables_init(struct route_tables *tables);
void tables_finish(struct route_tables *tables);
/* Reads all files and the configuration. */
void tables_load(struct route *route);
/* Reads what has changed, looking once a second at most. True when anything was. */
bool tables_look_again(struct route *route);
/* False while there is a file that could not be read yet: nothing can be said for good. */
bool tables_are_read(const struct route *route);

/* ---- names.c ---- */

/* Which lists count, as the configuration says; the directory looks into them. */
void names_choose(struct route *route);
/* The store has told a list. False when the note is not to be believed. */
bool names_take(struct route *route, const struct store_route_relay_names *note,
                host_handle handle);
/* An address is not known; when its domain is one of others, its list may be old. */
void names_missed(struct route *route, struct slice address);
/* Whether the domain's own server has told them. */
bool names_are_known(const struct route *route, struct slice domain);
/* What is told of ours; `page` is scratch that the answer borrows. */
void names_answer(struct route *route, const struct smtp_route_names *ask, struct buffer *page,
                  struct smtp_route_named *ret_answer);
void names_forget_lists(struct route_names *names);
void names_finish(struct route_names *names);

/* ---- answer.c ---- */

/* The answers to one note; texts and targets live in route->arena and that of `facts`. False:
 * tables must be asked first, facts->questions says which. */
MUST_USE bool route_answer_recipient(struct route *route,
                                     const struct smtp_route_recipient *recipient,
                                     struct routing_facts *facts,
                                     struct smtp_route_route *ret_answer);
void route_answer_verify(struct route *route, const struct smtp_route_verify *verify,
                         struct smtp_route_verified *ret_answer);

/* What the directory, and tables where it does not know, say of the address; and .forward files.
 * False: as route_answer_recipient. */
MUST_USE bool route_resolve(const struct route *route, struct slice address, bool has_forwards,
                            struct routing_facts *facts, struct directory_answer *ret_found);

/* ---- claim.c ---- */

/* Whether an account may send as an address. False: as route_answer_recipient. */
MUST_USE bool route_answer_claim(const struct route *route, const struct smtp_route_claim *claim,
                                 struct routing_facts *facts,
                                 struct smtp_route_claimed *ret_answer);

/* ---- decision.c ---- */

/* Begins to decide; the hop is sent when it is found. */
void decision_begin(struct route *route, const struct store_route_next_hop *note);
/* Looks where a domain wants reports about TLS. */
void decision_begin_report(struct route *route, const struct store_route_report_address *note);
/* The same for a recipient about which tables must be asked. */
void decision_begin_recipient(struct route_smtp *smtp,
                              const struct smtp_route_recipient *recipient);
/* The same for an address that somebody wants to send as. */
void decision_begin_claim(struct route_smtp *smtp, const struct smtp_route_claim *claim);
/* An answer of a table has come. */
void decision_on_row(struct route *route, const struct route_table_answer *answer);
/* A table's process is gone: what was asked is temporary. */
void decisions_lose_table(struct route_table *table);
/* This smtp is gone: nobody waits for its recipients. */
void decisions_drop_recipients(struct route_smtp *smtp);
/* An answer of resolve has come. */
void decision_on_answer(struct route *route, const struct route_resolve_answer *answer);
/* resolve is gone: what was asked has no answer. */
void decisions_fail(struct route *route);
/* The store is gone: nobody waits any more. */
void decisions_drop(struct route *route);

#endif
