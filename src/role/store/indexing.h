/* SPDX-License-Identifier: ISC */
/* Feeding the text index (role index) and asking it. Private to this folder.
 *
 * An account is indexed from the first time on that somebody searches it: mail that nobody searches
 * costs nothing. Such accounts that got messages are fed one after another, a message at a time:
 * the index says how far it has come, is offered what lies behind, and gets the texts that it
 * lacks; a deliver process that has nothing better to do makes them. What comes meanwhile comes
 * later: nobody waits for the index but who asks it. When it is lost or was away, all accounts are
 * gone through. */
#ifndef ROLE_STORE_INDEXING_H
#define ROLE_STORE_INDEXING_H

#include "note/store_index.h"
#include "role/store/store_role.h"

enum {
    INDEXING_BATCH_MAX = 500,    /* messages offered at once */
    INDEXING_DIRTY_MAX = 100000, /* accounts; beyond, all are gone through */
    INDEXING_DELAY_MS = 1000,    /* what comes together is fed together */
    INDEXING_BUSY_MS = 20,       /* until a deliver process has time */
    INDEXING_FINDS_MAX = 1000,   /* questions at once */
    INDEXING_STEP = 20000,       /* messages of a mailbox in one turn of the loop */
    INDEXING_DEATHS_MAX = 2,
};

enum indexing_phase {
    INDEXING_IDLE,
    INDEXING_ASKED,   /* how far the index has come */
    INDEXING_OFFERED, /* which texts it wants */
    INDEXING_READING, /* a body */
    INDEXING_BUSY,    /* no deliver process has time */
    INDEXING_EXTRACT, /* deliver makes the text */
    INDEXING_PUT,     /* the index takes it */
};

struct indexing_message {
    uint32_t uid;
    uint32_t len;
    body_id body;
    bool is_wanted;
};

struct indexing {
    struct store_role *role;
    struct host_channel *channel; /* NULL: there is no index */
    struct note_ledger ledger;
    struct host_timer *timer;
    uint64_t ids;
    struct map searched; /* accounts that are indexed, as far as is known */
    struct map dirty;    /* of those: that got messages */
    size_t dirty_count;
    bool is_walking; /* through all accounts above walk_after */
    account_id walk_after;

    /* ---- the account that is fed ---- */
    enum indexing_phase phase;
    account_id account;
    uint64_t modseq;        /* its own, when it was begun */
    uint64_t indexed_count; /* bodies that the index has of it */
    uint64_t message_count;
    struct buffer positions; /* of struct store_index_position */
    struct buffer mailboxes; /* of mailbox_id */
    size_t mailbox_at;
    uint32_t next_uid; /* of the mailbox */
    struct indexing_message batch[INDEXING_BATCH_MAX];
    size_t batch_count, batch_at;
    struct host_blob *blob; /* a body that is long */
    uint64_t body_at;
    bool is_reading;    /* the store owes octets, even when they are not wanted any more */
    struct buffer head; /* or one that is short */
    host_handle body_handle;
    uint64_t extract_id;
    struct store_deliver *deliver; /* that makes the text */
    unsigned deaths;

    struct list finds;
    size_t find_count;
    uint64_t texts, searches;
};

/* ---- indexing.c ---- */

/* With the role's life; attach whenever an index process has begun. */
void indexing_open(struct store_role *role);
void indexing_close(struct store_role *role);
void indexing_attach(struct store_role *role, host_handle handle);

/* The account has got messages; it is fed if it is indexed. */
void indexing_touch(struct store_role *role, account_id account);

/* deliver has made a text; or has died. */
void indexing_on_extracted(struct store_role *role, const struct store_deliver_extracted *note,
                           host_handle handle);
void indexing_lose_deliver(struct store_role *role, const struct store_deliver *deliver);

/* The account is indexed from now on. */
void indexing_add(struct indexing *indexing, account_id account);
/* The next step of feeding, when there is one. */
void indexing_step_in(struct indexing *indexing, int64_t ms);
void indexing_send(struct indexing *indexing, bool is_put, host_handle handle);

/* ---- indexing_find.c ---- */

/* A session asks. */
void indexing_find(struct store_access *access, account_id account,
                   const struct access_store_text_search *note);
void indexing_on_found(struct indexing *indexing, const struct store_index_found *note);
void indexing_on_find_done(struct indexing *indexing, const struct store_index_find_done *note);
/* Answers that there is no index, to all who ask. */
void indexing_fail_finds(struct indexing *indexing);
/* Forgets all questions. */
void indexing_drop_finds(struct indexing *indexing);
/* Who asked has gone. */
void indexing_lose_access(struct store_role *role, const struct store_access *access);

/* ---- indexing_text.c ---- */

/* Has the next wanted message of the batch read, its text made and put; `indexing_batch_done` is
 * called when none is left. */
void indexing_next_text(struct indexing *indexing);
void indexing_batch_done(struct indexing *indexing);
/* Forgets the body at hand. */
void indexing_drop_text(struct indexing *indexing);

#endif
