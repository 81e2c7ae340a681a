/* SPDX-License-Identifier: ISC */
/* The index on disk: SQLite in a folder of its own (index.c is the only file that knows it).
 *
 * Changes gather in a transaction until search_index_commit; searches see them at once. Numbers of
 * accounts, mailboxes and bodies are the store's. Calls block. A result other than SEARCH_OK leaves
 * the index usable: after SEARCH_LOST it is empty, because what was there was damaged. */
#ifndef SEARCH_INDEX_H
#define SEARCH_INDEX_H

#include "base/buffer.h"

enum search_result {
    SEARCH_OK,
    SEARCH_LOST,   /* was damaged and begins anew: all positions are gone */
    SEARCH_FAILED, /* the disk is full or refuses; what the call was to do is not done */
};
const char *search_result_name(enum search_result result);

struct search_index;

/* Opens or makes the index in the folder `path`, which exists and is nobody else's. 0, or a
 * negative errno and one sentence in `why`. *ret_is_new: it was made, or made anew. */
MUST_USE int search_index_open(const char *path, struct buffer *why, bool *ret_is_new,
                               struct search_index **ret_index);
/* Commits and closes. */
void search_index_close(struct search_index **index);

/* Makes changes durable. When the power goes, at most what was put in the last while is missing,
 * and the positions with it. */
MUST_USE enum search_result search_index_commit(struct search_index *index);
/* How many octets of text were put since the last commit. */
size_t search_index_pending(const struct search_index *index);

/* ---- how far it has come --------------------------------------------------------------------- */

/* The messages of a mailbox with UIDs below its position are indexed. */
struct search_position {
    uint32_t mailbox;
    uint32_t uid;
};
/* Calls fn for each mailbox of the account that has a position, by number. */
typedef void (*search_position_fn)(void *context, const struct search_position *position);
MUST_USE enum search_result search_index_positions(struct search_index *index, uint64_t account,
                                                   search_position_fn fn, void *context);
/* 0 where nothing is known. */
MUST_USE enum search_result search_index_position(struct search_index *index, uint64_t account,
                                                  uint32_t mailbox, uint32_t *ret_uid);
MUST_USE enum search_result search_index_set_position(struct search_index *index, uint64_t account,
                                                      struct search_position position);

/* The change number of the account up to which all was offered; 0: unknown. A note of who feeds. */
MUST_USE enum search_result search_index_modseq(struct search_index *index, uint64_t account,
                                                uint64_t *ret_modseq, uint64_t *ret_bodies);
MUST_USE enum search_result search_index_set_modseq(struct search_index *index, uint64_t account,
                                                    uint64_t modseq);

/* ---- what is in it --------------------------------------------------------------------------- */

/* *ret_is_there: the account has this body already. Otherwise it is to be put. */
MUST_USE enum search_result search_index_offer(struct search_index *index, uint64_t account,
                                               uint64_t body, bool *ret_is_there);

/* Puts a body: keys (search/key.h) of its header fields and of what its parts say, at most
 * SEARCH_HEAD_MAX and SEARCH_BODY_MAX octets. One that is there already stays. */
MUST_USE enum search_result search_index_put(struct search_index *index, uint64_t account,
                                             uint64_t body, struct slice head_key,
                                             struct slice body_key);

/* Takes out all bodies of the account that are not among these, which rise. */
MUST_USE enum search_result search_index_retain(struct search_index *index, uint64_t account,
                                                const uint64_t *bodies, size_t count);

/* Goes on, for some 50 ms, with what keeps the index small and searches quick: to be called while
 * there is nothing better to do, until *ret_is_done. */
MUST_USE enum search_result search_index_tend(struct search_index *index, bool *ret_is_done);

/* ---- searching ------------------------------------------------------------------------------- */

enum search_scope {
    SEARCH_IN_BODY, /* RFC 9051 §6.4.4 BODY */
    SEARCH_IN_TEXT, /* TEXT: header fields as well */
};

/* Calls fn for each body of the account in whose text the key stands, in no order, until it returns
 * false. The empty key stands in all; one over SEARCH_SOUGHT_MAX in none. */
typedef bool (*search_found_fn)(void *context, uint64_t body);
MUST_USE enum search_result search_index_find(struct search_index *index, uint64_t account,
                                              enum search_scope scope, struct slice key,
                                              search_found_fn fn, void *context);

struct search_stats {
    uint64_t bodies; /* entries of all accounts */
    uint64_t segments;
    uint64_t file_octets; /* on disk */
};
MUST_USE enum search_result search_index_stats(struct search_index *index,
                                               struct search_stats *ret_stats);

#endif
