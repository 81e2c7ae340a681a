/* SPDX-License-Identifier: ISC */
/* How many messages one command does (RFC 9738): with a limit, the first so many of the highest
 * UIDs downwards, and the answer tells how far it came. Private to the room. */
#ifndef IMAP_PORTION_H
#define IMAP_PORTION_H

#include "imap/search.h"
#include "imap/server_private.h"

/* Whether these places are more than one command does: true, and server->portion_uid is the lowest
 * UID that may be done. `is_deleted_only` counts those with \Deleted. */
bool imap_portion_is_over(struct imap_server *server, const struct imap_set *places,
                          bool is_deleted_only);

/* Whether COPY would make, or APPEND makes, more messages than are made at once. */
bool imap_portion_is_copy_over(struct imap_server *server, const struct imap_set *places);
bool imap_portion_is_append_over(struct imap_server *server, size_t count);

/* Takes from the places what is too much; imap_end will tell of it. */
void imap_portion_clip(struct imap_server *server, struct imap_set *places, bool is_deleted_only);

/* The same for a search: *ret_within are the places that may be looked at, which the keys that are
 * joined by AND narrow down beforehand. False when all may. */
MUST_USE bool imap_portion_clip_search(struct imap_server *server, const struct imap_search *search,
                                       struct imap_set *ret_within);

/* For a search that is all or nothing: is it too much? */
MUST_USE bool imap_portion_is_search_over(struct imap_server *server,
                                          const struct imap_search *search);

/* The end of a command that is all or nothing. */
void imap_portion_refuse(struct imap_server *server);

/* For imap_end: puts the code before the text of an OK, or, when that has one already, a response
 * of its own. */
void imap_portion_tell(struct imap_server *server, const char *text);

#endif
