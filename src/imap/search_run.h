/* SPDX-License-Identifier: ISC */
/* Doing a search: columns first, then the store for what they leave open. For SEARCH, SORT, THREAD.
 * Private to the room. */
#ifndef IMAP_SEARCH_RUN_H
#define IMAP_SEARCH_RUN_H

#include "imap/search.h"
#include "imap/server_private.h"

struct imap_search_run {
    struct imap_search search;
    struct imap_set_builder sure;  /* places, by columns alone */
    struct imap_set_builder open;  /* places that columns do not decide */
    struct imap_set_builder found; /* places, of the open ones */
    struct imap_set_builder all;   /* places that were found, in the end */
    struct imap_set places;
    struct imap_walk walk;
    bool is_asked;
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
