/* SPDX-License-Identifier: ISC */
/* Private to the room: one run, the folders it works on, and the steps of one folder. */
#ifndef SYNC_RUN_H
#define SYNC_RUN_H

#include "client/imap.h"
#include "sync/scan.h"
#include "sync/state.h"
#include "sync/sync.h"

enum { RUN_SET_MAX = 32 * 1024 }; /* octets of a set of UIDs in one command */

struct run_item { /* a folder, on both sides */
    const char *name, *place;
    const char *path; /* of the Maildir, also when it is not there yet */
    bool is_here, is_there;
    bool is_trash; /* or junk: that it is emptied surprises nobody */
    bool is_chosen;
    bool is_made; /* would be made on the server, if this were no dry run */
    struct state state;
    struct scan scan;
    bool is_open; /* state and scan are */
    bool has_doubles;
};

struct run {
    const struct sync_options *options;
    struct sync_tally *tally;
    struct client_imap *imap;
    struct arena arena;
    struct run_item *items; /* owned */
    size_t count, room;
    uint8_t delimiter;
    bool has_delimiter;
    int lock;
    uint64_t done, whole; /* of the folder at work */
    struct client_problem *problem;
};

/* What has happened, or would: counts and tells. */
void run_tell(struct run *run, const struct run_item *item, enum sync_deed deed, uint32_t uid,
              const char *file, const char *why);

/* A folder, or something in it, is left out; true when the run may go on with the next: the session
 * is open, and the disk is not to blame. */
bool run_pass_over(struct run *run, const struct run_item *item, const struct client_problem *why);

/* ---- sets of UIDs ---- */

struct run_uids {
    uint32_t *at; /* owned */
    size_t count, room;
};
void run_uids_add(struct run_uids *uids, uint32_t uid);
void run_uids_finish(struct run_uids *uids);

/* The same question for all of them (which become sorted), in sets that a command can hold. */
MUST_USE bool run_ask_of_each(struct run *run, struct run_uids *uids,
                              struct imap_client_question question, client_imap_fn fn,
                              void *context, struct client_problem *problem);

/* ---- flags ---- */

/* The flags of a message as the server says them; their names, for the server. */
uint32_t run_flags(const struct imap_client_message *message);
void run_put_flags(struct buffer *out, uint32_t flags);

/* ---- one folder at work: work.c ---- */

struct work_new { /* on the server, and not in the state */
    uint32_t uid, flags;
    uint64_t size; /* 0: not asked for */
    bool is_taken; /* has become a pair */
};

struct work {
    struct run *run;
    struct run_item *item;
    struct state *state;
    struct scan *scan;
    struct work_new *news; /* owned; ascending */
    size_t news_count, news_room;
    uint64_t gone;  /* messages that left while the server listed */
    uint32_t mask;  /* the flags that both sides have */
    bool can_write; /* the mailbox is not read-only */
    bool spares;    /* nothing is deleted on the server */
    struct state_end end;
    struct client_problem problem; /* of this folder */
};

/* Both sides alike; false when the run cannot go on. */
MUST_USE bool work_on(struct run *run, struct run_item *item);

/* Counts a deed of this folder as done. */
void work_tell(struct work *work, enum sync_deed deed, uint32_t uid, const char *file,
               const char *why);

/* Whether a message that the other side has deleted is kept for what has changed on this one. */
bool work_is_rescued(uint32_t now, uint32_t before);

/* A message of the server that is not in the state. */
void work_add_new(struct work *work, uint32_t uid, uint32_t flags); /* list.c */

/* In order, and each once. */
void work_tidy_news(struct work *work); /* list.c */
/* NULL when there is none. */
struct work_new *work_find_new(const struct work *work, uint32_t uid);

/* The steps; false, and the problem of the work is set, when the folder cannot go on. */
bool work_list(struct work *work); /* list.c: what the server has */
bool work_list_newest(struct work *work, uint32_t from);
bool work_ask_sizes(struct work *work); /* fetch.c: of what is new there */
bool work_pair(struct work *work);      /* send.c: new on both sides, and the same */
bool work_send(struct work *work);      /* send.c: what is new here */
bool work_fetch(struct work *work);     /* fetch.c: what is new there */
bool work_flag(struct work *work);      /* flag.c: flags of what both have */
bool work_delete(struct work *work);    /* flag.c: what one side has no more */

/* Where a message that has come lies: owned by the caller. */
char *work_path(const struct run_item *item, const char *file, uint32_t flags); /* fetch.c */

/* Opens the folder on the server. */
bool work_select(struct work *work);

/* What the last run was sending, and the server has: they become pairs (send.c). */
bool work_pair_sent(struct work *work);

/* The same for all folders; false when the run cannot go on. */
MUST_USE bool resolve_all(struct run *run); /* work.c */

/* A run that was cut off in the middle of a move leaves pairs with the same file in two folders;
 * those that the server has no more are forgotten. False when the run cannot go on. */
MUST_USE bool settle_doubles(struct run *run); /* work.c */

/* What a run that was cut off was sending may still be on its way into the server: waits until
 * that is some seconds ago. */
void work_wait_for_the_last(const struct state *state);

/* Messages that were moved between folders here are moved there, before anything else is done. */
MUST_USE bool move_all(struct run *run); /* move.c */

#endif
