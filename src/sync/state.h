/* SPDX-License-Identifier: ISC */
/* Private to the room: what both sides of a folder had in common when it was last looked at, in one
 * file below ROOT/.facteur. Lines are added while a run goes on; now and then the file is written
 * anew and takes the place of the old one. A line that is not whole ends it: what stood behind is
 * found out again.
 *
 *     facteur-sync 1 Lists/c      the place of the folder
 *     v 1763740000                UIDVALIDITY
 *     + 17 8 1763740001.x.host    UID, flags, unique name of the file
 *     - 17                        no longer
 *     d 17                        is about to be deleted on the server
 *     s 8 4711 99 1763740001.y.h  is about to be sent: flags, size and header (scan.h), name
 *     r                           what was sent before has been looked for
 *     e 5120 18 1                 all of it was done: HIGHESTMODSEQ, UIDNEXT, messages */
#ifndef SYNC_STATE_H
#define SYNC_STATE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "client/folder.h"

/* Flags are those of enum client_flag, and this one: $Forwarded, P of a Maildir. */
enum { STATE_PASSED = 32, STATE_FLAGS = 63 };

struct state_entry {
    uint32_t uid; /* 0: forgotten */
    uint32_t flags;
    const char *file; /* unique name; in the arena */
    /* What a run finds out, before it decides. */
    bool is_here, is_there;
    bool is_moved;  /* to another folder, here */
    bool is_double; /* another folder has a pair with the same file */
    bool is_dying;  /* the last run was cut off while it was deleted on the server */
    uint32_t there; /* flags on the server */
};

/* What the server said of the folder when all of a run was done; zeros before. */
struct state_end {
    uint64_t modseq;
    uint32_t uid_next, messages;
};

/* A message on its way to the server when the last run was cut off: it may be there or not. */
struct state_sent {
    uint32_t flags;
    uint64_t size, header;
    const char *file; /* unique name; in the arena */
};

struct state {
    char *path;
    const char *place;
    struct arena arena;
    struct state_entry **entries; /* in the order of their coming; owned, what they point to too */
    size_t count, room, forgotten;
    struct map by_uid, by_file;
    uint32_t validity; /* 0: not known yet */
    struct state_end end;
    struct state_sent *sent; /* owned */
    size_t sent_count, sent_room;
    bool is_sending; /* what was sent is of this run */
    bool has_dying;  /* some entry is */
    bool is_known;   /* there was a file, and its first line is right */
    bool must_be_written, is_dry;
    struct buffer lines; /* to be added */
};

/* Reads what there is. Never fails but for what the disk says. finish is due in any case. */
MUST_USE bool state_open(struct state *ret_state, const char *root, const char *place, bool is_dry,
                         struct client_problem *problem);
void state_finish(struct state *state);

/* NULL when there is none. */
struct state_entry *state_of_uid(const struct state *state, uint32_t uid);
struct state_entry *state_of_file(const struct state *state, const char *file);

/* Adds a pair, or changes the flags of one. One that has this UID or file with another partner is
 * forgotten. */
struct state_entry *state_pair(struct state *state, uint32_t uid, uint32_t flags, const char *file);
void state_forget(struct state *state, struct state_entry *entry);

/* Forgets all, and begins anew with another UIDVALIDITY. */
void state_begin(struct state *state, uint32_t validity);

/* A message is about to be sent: writes that down, which a crash of the machine may lose. */
MUST_USE bool state_sending(struct state *state, const struct state_sent *sent,
                            struct client_problem *problem);

/* It is about to be deleted on the server. */
void state_deleting(struct state *state, struct state_entry *entry);

/* What the last run was sending has been looked for: those that were found are pairs. */
void state_resolved(struct state *state);

/* Writes down what was said since the last time. */
MUST_USE bool state_commit(struct state *state, struct client_problem *problem);

/* All is done: writes that down, and the file anew when much of it is of no use any more. */
MUST_USE bool state_done(struct state *state, struct state_end end, struct client_problem *problem);

/* The folder is no more on either side. */
void state_remove(struct state *state);

/* The places of all folders that have a state. */
struct state_places {
    const char **places; /* in the arena */
    size_t count;
};
MUST_USE bool state_list(struct arena *arena, const char *root, struct state_places *ret_places,
                         struct client_problem *problem);

#endif
