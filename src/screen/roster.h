/* SPDX-License-Identifier: ISC */
/* The messages of a folder as a list: newest thread first, inside of it in the order of arrival.
 * Of 100,000 messages only ids and flags are there at first. Heads come for those that are looked
 * at, and for the newest ROSTER_BLOCK, of which threads are made; older ones stand one by one until
 * somebody scrolls there. */
#ifndef SCREEN_ROSTER_H
#define SCREEN_ROSTER_H

#include "screen/traffic.h"

enum {
    ROSTER_BLOCK = 1000,      /* newest messages whose heads are fetched unasked */
    ROSTER_BLOCK_MAX = 20000, /* of more no threads are made */
    ROSTER_WANTED_MAX = 200,  /* heads in one question */
    ROSTER_DEPTH_MAX = 24     /* of a thread, as it is drawn */
};

struct entry {
    uint32_t id, flags;
    struct head *head; /* owned; NULL: not there yet */
    bool is_asked;     /* its head was asked for */
    bool is_marked;    /* to be deleted when the folder is left */
    bool is_found;     /* by the search */
};

struct row {
    uint32_t entry;    /* index */
    uint8_t depth;     /* in the thread; 0: its beginning */
    bool is_last;      /* no more answers to the same message behind it */
    uint32_t branches; /* bit d: at depth d a line goes on below */
};

struct roster {
    struct entry *entries; /* ids ascend; owned */
    size_t count, room;
    struct row *rows; /* owned; valid after roster_arrange */
    size_t rows_count;
    size_t cursor, top; /* rows */
    uint32_t chosen;    /* id under the cursor; 0: none */
    size_t block;
    uint64_t seed;
    bool is_flat;     /* no threads */
    bool is_filtered; /* only what was found */
    bool is_dirty;    /* rows are not true any more */
};

/* `seed`: random; Message-IDs are strangers' choice. */
void roster_init(struct roster *roster, uint64_t seed);
void roster_finish(struct roster *roster);

/* All of a folder; ids ascend. */
void roster_fill(struct roster *roster, const struct item *items, size_t count);

/* The same folder listed again: what is still there keeps its head, marks and place; its head is
 * wanted once more, for flags may have changed. */
void roster_merge(struct roster *roster, const struct item *items, size_t count);

/* Changes, one at a time. An id that is not above all others is passed over by add. */
void roster_add(struct roster *roster, struct item item);
void roster_remove(struct roster *roster, uint32_t id);
void roster_set_flags(struct roster *roster, uint32_t id, uint32_t flags);

/* Takes what is in the head; it is empty then. */
void roster_take_head(struct roster *roster, struct head *head);

/* The entry of an id, or NULL. */
struct entry *roster_find(const struct roster *roster, uint32_t id);

/* Makes the rows true; the cursor stays on its message. */
void roster_arrange(struct roster *roster);

/* The entry of a row; NULL where none is. Under the cursor: roster->cursor. */
struct entry *roster_at(const struct roster *roster, size_t row);
struct entry *roster_chosen(const struct roster *roster);

/* Moves the cursor, as far as there are rows. */
void roster_go(struct roster *roster, size_t row);
void roster_step(struct roster *roster, long rows);

/* Scrolls so that the cursor is among `height` rows. */
void roster_show(struct roster *roster, size_t height);

/* Ids, ascending, of messages whose heads are wanted: those among `height` rows and round them,
 * then those of the block. They count as asked for. Owned by the caller; NULL when none is. */
uint32_t *roster_wanted(struct roster *roster, size_t height, size_t *ret_count);

/* What was asked for and has not come is wanted again. */
void roster_ask_again(struct roster *roster);

/* Marks what has the words in From, To or Subject, among the heads that are there; the ids that are
 * given, also. Empty words: nothing is found. */
void roster_search(struct roster *roster, struct slice words);
void roster_found(struct roster *roster, const struct item *items, size_t count);

/* The next row from `row` on, in this direction, round the end, for which `fits` is true; false
 * when there is none but `row`. */
typedef bool (*roster_fn)(const struct entry *entry);
MUST_USE bool roster_next(const struct roster *roster, size_t row, bool is_back, roster_fn fits,
                          size_t *ret_row);

/* How many are unread; how many are marked. */
size_t roster_count_unseen(const struct roster *roster);
size_t roster_count_marked(const struct roster *roster);

#endif
