/* SPDX-License-Identifier: ISC */
/* A shard's store: engine, view, and the turn that is being built. Use it so:
 *
 *     mailbox_body_add, mailbox_message_append, …   any number of operations: they see each other
 *     store_commit                                  one turn; the answer comes when it is durable
 *
 * Operations change only the draft; a turn that fails takes all of them back, and nothing they
 * returned is true then. While a turn is on its way (store_is_busy) nothing may be changed. Readers
 * (…_get, …_list, store_read_body) see what is durable and applied, never the draft. */
#ifndef MAILBOX_STORE_H
#define MAILBOX_STORE_H

#include "host/host.h"
#include "mailbox/draft.h"
#include "mailbox/engine.h"
#include "mailbox/entry.h"
#include "mailbox/key.h"

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND,
    STORE_EXISTS,
    STORE_QUOTA,
    STORE_LIMIT, /* a bound of this page: too many mailboxes, keywords, a text too long … */
    STORE_INVALID, /* what never can be: such a name, no INBOX, a mailbox below itself */
    STORE_FORBIDDEN, /* by the rights of who asks (mailbox/acl.h) */
    STORE_BUSY,      /* the turn being built touches the same things: commit it, then ask again */
    STORE_NO_SPACE,
    STORE_FENCED,
    STORE_DAMAGED,   /* what was asked for is there, but its hash is wrong */
    STORE_TEMPORARY, /* the disk said no; see the report */
};

/* What an operator should know; `text` is one sentence. */
typedef void (*store_report_fn)(void *context, const char *event, struct slice text);

struct store_options {
    struct host *host;
    struct host_dir *dir;  /* the folder that holds log/, view/, damaged/ and lock; borrowed */
    const char *view_path; /* NULL: `view` below dir's path */
    bool is_view_suspect;  /* puts the view aside and makes a new one: who had it open has fallen */
    uint32_t shard;
    uint64_t segment_bytes; /* 0: LOG_SEGMENT_BYTES */
    uint64_t map_bytes;     /* of LMDB to begin with; 0: 16 GiB; grows by itself */
    struct duration retain; /* how long dropped bodies stay in the log */
    store_report_fn report; /* may be NULL */
    void *report_context;
};

struct store;

/* Opens or makes the store, replays what the view lacks, rebuilds a view that is lost. 0, or a
 * negative errno and one sentence in `why`: -EWOULDBLOCK (in use), -EPROTONOSUPPORT (written by a
 * newer release; nothing was changed), … */
MUST_USE int store_open(const struct store_options *options, struct buffer *why,
                        struct store **ret_store);
/* Commits the view and closes; no turn may be on its way. */
void store_close(struct store **store);
/* Closes as a kill would: the view's uncommitted changes are dropped. For tests of recovery. */
void store_abandon(struct store **store);

/* How much the draft holds: for the decision that a turn is big enough. */
size_t store_pending_bytes(const struct store *store);
bool store_has_pending(const struct store *store);
bool store_is_busy(const struct store *store);

/* Makes the draft durable, applies it, then calls fn: at once or later from the loop. STORE_OK,
 * STORE_NO_SPACE, STORE_FENCED, STORE_TEMPORARY. An empty draft is STORE_OK. */
typedef void (*store_commit_fn)(void *context, enum store_result result);
void store_commit(struct store *store, store_commit_fn fn, void *context);

/* Told after a turn was applied and before store_commit's answer: what it changed in the view,
 * valid during the call. Not told of turns that only move what is there. NULL: nobody. */
typedef void (*store_watch_fn)(void *context, const struct turn_change *changes, size_t count);
void store_set_watcher(struct store *store, store_watch_fn fn, void *context);

/* Drops the draft. */
void store_drop(struct store *store);

/* Call after a turn, when its answers are out: makes ready for the next. */
void store_prepare(struct store *store);
/* Whether that has anything to do. */
MUST_USE bool store_is_unprepared(const struct store *store);

/* Call about once a second: makes the view durable when it has changed, and anew when it is damaged
 * or lacks turns. */
void store_sync_view(struct store *store);
/* False until that is done: what is not found then may be there. */
MUST_USE bool store_is_readable(const struct store *store);

/* Call when there has been nothing to do for a second: gives back memory that only load needed. */
void store_rest(struct store *store);

/* Changes what store_options said of it. */
void store_set_retain(struct store *store, struct duration retain);

struct store_stats {
    uint64_t turns; /* since it was opened */
    uint64_t turn_failures;
    uint64_t bodies;
    uint64_t body_bytes;
    uint64_t replayed; /* turns, at opening */
    uint64_t damaged;  /* places found damaged, at opening */
    uint64_t last_turn;
    uint64_t epoch;
    uint64_t segments;
    uint64_t log_bytes;
    uint64_t live_bytes; /* octets of bodies that somebody still names */
    uint64_t view_bytes;
    uint64_t disk_free;
    uint64_t disk_total;
};
void store_stats_get(struct store *store, struct store_stats *ret_stats);

/* The shard's random secret of this run, for seeding maps. */
uint64_t store_seed(const struct store *store);

#endif
