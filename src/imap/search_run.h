/* SPDX-License-Identifier: ISC */
/* Doing a search: columns first, then the store for what they leave open. For SEARCH, SORT, THREAD.
 * Private to the room. */
#ifndef IMAP_SEARCH_RUN_H
#define IMAP_SEARCH_RUN_H

#include "imap/search.h"
#include "imap/server_private.h"

/* What RETURN asks for (RFC 4731, RFC 5182, RFC 5267 §3, RFC 9394). */
enum imap_give {
    IMAP_GIVE_MIN = 1,
    IMAP_GIVE_MAX = 2,
    IMAP_GIVE_ALL = 4,
    IMAP_GIVE_COUNT = 8,
    IMAP_GIVE_SAVE = 16,
    IMAP_GIVE_PARTIAL = 32,
};
struct imap_returns {
    unsigned give;
    bool is_extended;   /* RETURN was there */
    bool wants_update;  /* UPDATE (RFC 5267 §4.3) */
    bool is_last_first; /* PARTIAL -1:-100 */
    struct imap_range partial;
};

/* ["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP] */
MUST_USE bool imap_take_returns(struct cursor *cursor, struct imap_returns *ret_returns);
/* SP ("1:100" / "-1:-100"), behind the word PARTIAL */
MUST_USE bool imap_take_partial(struct cursor *cursor, struct imap_returns *returns);
/* The stretch [*ret_first, *ret_end) of `count` results that PARTIAL means. */
void imap_partial_window(const struct imap_returns *returns, uint32_t count, uint32_t *ret_first,
                         uint32_t *ret_end);
/* Puts "* ESEARCH (TAG "a1") UID". */
void imap_put_esearch(struct imap_server *server);
/* Puts " PARTIAL (1:100 ", and gives the stretch of `count` results that it means: [*ret_first,
 * *ret_end). */
void imap_put_partial(struct buffer *out, const struct imap_returns *returns, uint32_t count,
                      uint32_t *ret_first, uint32_t *ret_end);
/* Puts what is behind "UID" in an ESEARCH response, and ends it. modseq 0: none is told. */
void imap_put_results(struct imap_server *server, const struct imap_returns *returns,
                      const struct imap_set *all, uint32_t count, uint64_t modseq);
/* For SAVE: "$" is these UIDs from now on. */
void imap_save_result(struct imap_server *server, unsigned give, struct imap_set uids);
/* With SAVE "$" is empty until the search has ended well: what a client sends behind one that fails
 * must not reach what was found before (RFC 5182 §2.1). */
void imap_save_nothing(struct imap_server *server, unsigned give);
/* The end of a command whose keys cannot be: NO, or BAD. */
void imap_end_search_problem(struct imap_server *server, const char *problem);

struct imap_search_run {
    struct imap_search search;
    struct imap_set_builder sure;  /* places, by columns alone */
    struct imap_set_builder open;  /* places that columns do not decide */
    struct imap_set_builder found; /* places, of the open ones */
    struct imap_set_builder all;   /* places that were found, in the end */
    struct imap_set places;
    struct imap_walk walk;
    bool is_asked;
    struct imap_set within; /* with has_within: places that are tried; else all */
    bool has_within;
    size_t term_at;  /* the next that the index may know */
    bool is_indexed; /* it was asked about all */
    /* Why octets of some message could not be had: whether it matches nobody knows. */
    enum access_store_result unread;
    /* The next step when all are known: imap_search_run_places. */
    bool (*end)(struct imap_server *server);
};

/* In the caller's memory; server->search_run is it until finish. */
void imap_search_run_init(struct imap_server *server, struct imap_search_run *run);
void imap_search_run_finish(struct imap_search_run *run);

/* ["CHARSET" SP] charset SP; the word only when `has_word`. *ret_is_known: it is one of ours. */
MUST_USE bool imap_take_charset(struct imap_server *server, struct cursor *cursor, bool has_word,
                                bool *ret_is_known);

/* After imap_take_search(&run->search): finds, then goes on with `end`. */
void imap_search_run_begin(struct imap_server *server, bool (*end)(struct imap_server *server));

/* The places that were found. */
struct imap_set imap_search_run_places(struct imap_server *server);

#endif
