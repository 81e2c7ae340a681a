/* SPDX-License-Identifier: ISC */
/* What the files of the store share among themselves. Private to the room. */
#ifndef MAILBOX_STORE_PRIVATE_H
#define MAILBOX_STORE_PRIVATE_H

#include "base/map.h"
#include "mailbox/store.h"

#include <errno.h>

/* How much of a segment still lives: derived while turns are applied, written with the view. */
struct segment_live {
    uint32_t segment;
    uint64_t bytes;
    uint64_t end; /* of its last turn */
    bool is_changed;
};

enum {
    STORE_VERIFIED_MAX = 1024,
    STORE_RECORD_SHORT = 2000, /* octets: longer ones would take whole pages of LMDB's */
};

struct store {
    struct store_options options;
    struct engine *engine;
    struct view *view;
    char *view_path; /* owned */
    struct draft draft;
    struct turn_body *bodies;
    size_t body_count, body_size;
    size_t body_bytes;
    body_id next_body;
    uint64_t epoch;
    uint64_t last_turn;
    struct place end;         /* behind the last turn that was applied */
    struct place durable_end; /* the same as the view has it on disk */
    struct segment_live *live;
    size_t live_count, live_size;
    struct buffer scratch; /* one entry being put */
    uint64_t seed;
    enum turn_kind kind;
    bool is_busy;
    bool is_changed; /* the view has something to commit */
    bool is_broken;  /* the view lacks durable turns: nothing is answered until it has them */
    size_t replayed_bytes;
    store_commit_fn commit_fn;
    void *commit_context;
    store_watch_fn watch_fn; /* may be NULL */
    void *watch_context;
    struct store_stats stats;
    struct map held; /* struct held_body by its id, owned */
    body_id verified[STORE_VERIFIED_MAX]; /* whole bodies that were good: id at id % MAX, or 0 */
};

/* The draft's word on a key. */
static inline int
store_draft_get(struct store *store, struct key key, struct slice *ret_value)
{
    return store->is_broken ? -EIO : draft_get(&store->draft, key_slice(&key), ret_value);
}

/* What is durable. */
static inline int
store_view_get(struct store *store, struct key key, struct slice *ret_value)
{
    return store->is_broken ? -EIO : view_get(store->view, key_slice(&key), ret_value);
}

/* After a scan of the view: one that met damage has ended before its end. */
static inline enum store_result
store_scanned(const struct store *store)
{
    return view_is_damaged(store->view) ? STORE_DAMAGED : STORE_OK;
}

/* -ENOENT is STORE_NOT_FOUND, and so on. */
enum store_result store_result_of(int negative_errno);

/* Tells the operator; `number` is put behind the text unless it is 0. */
void store_report(struct store *store, const char *event, const char *text, uint64_t number);

/* The segment is no more. */
void store_forget_live(struct store *store, uint32_t segment);

/* Enters a body into the turn under a number of the caller's. */
MUST_USE enum store_result store_add_body(struct store *store, body_id id, struct slice first,
                                          struct slice second, struct slice record, uint32_t refs);

/* Copies what lies damaged in the log into damaged/ and reports it. */
void store_set_aside(struct store *store, struct place place, uint64_t len, const char *what);

/* Applying (apply.c): turns as they were committed, or as replay meets them. */
MUST_USE int store_apply(struct store *store, const struct turn *turn, uint64_t number,
                         struct place place);
MUST_USE int store_apply_found(struct store *store, const struct log_found *found);
struct segment_live *store_live(struct store *store, uint32_t segment);
MUST_USE int store_load_live(struct store *store);
/* Cuts off what failed turns have left behind the ends of segments. */
void store_trim_ends(struct store *store);
MUST_USE int store_save(struct store *store);
/* Reads how far the view is, then replays what it lacks. */
MUST_USE int store_recover(struct store *store, bool is_first, struct buffer *why);

/* The change record of an account or mailbox in the draft (entries.c). */
MUST_USE enum store_result store_account_load(struct store *store, account_id account,
                                              struct account_entry *ret_entry);
void store_account_save(struct store *store, account_id account, const struct account_entry *entry);
MUST_USE enum store_result store_mailbox_load(struct store *store, account_id account,
                                              mailbox_id mailbox, struct mailbox_entry *ret_entry);
void store_mailbox_save(struct store *store, account_id account, mailbox_id mailbox,
                        const struct mailbox_entry *entry);
void store_message_save(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                        const struct message_entry *entry);
MUST_USE enum store_result store_message_load(struct store *store, account_id account,
                                              mailbox_id mailbox, uint32_t uid,
                                              struct message_entry *ret_entry);
/* Puts what stands in store->scratch. */
void store_put_entry(struct store *store, struct key key);
/* Adds to or takes from the references of a durable body; at 0 it is dropped. A body that is not
 * there (a damaged view) is passed over. */
void store_body_refer(struct store *store, body_id body, int difference);
/* Bodies that are read in pieces (message_read.c): the turn drops one; whether one of those that
 * were dropped lies in the segment; none is held any more. */
void store_held_dropped(struct store *store, body_id body);
bool store_holds(struct store *store, uint32_t segment);
void store_held_finish(struct store *store);
/* Takes a mailbox out of its account: names and record at once, messages by purge. */
void store_mailbox_drop(struct store *store, account_id account, mailbox_id mailbox,
                        const struct mailbox_entry *entry, struct account_entry *owner);
/* The account's name for others. */
void store_owner_forget(struct store *store, account_id account);
/* The body among those of this turn, or NULL. */
struct turn_body *store_pending_body(struct store *store, body_id body);
void store_del(struct store *store, struct key key);

#endif
