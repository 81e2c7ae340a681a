/* SPDX-License-Identifier: ISC */
/* Addresses to which mail was sent: what a person begins to type may go on as one of them. They lie
 * in $XDG_STATE_HOME/facteur/addresses, `Name <local@domain>` a line, the newest last. */
#ifndef TOOL_TERMINAL_BOOK_H
#define TOOL_TERMINAL_BOOK_H

#include "base/buffer.h"

struct book;

enum { BOOK_ADDRESSES_MAX = 5000 };

/* Reads the file; one that is not there is an empty book. */
struct book *book_open(void);
void book_close(struct book **book);

/* True when nothing was ever put. */
bool book_is_empty(const struct book *book);

/* Puts all addresses of a list (the body of a field); each stands once, as it was put last. */
void book_put(struct book *book, struct slice list);

/* Writes the file when something was put since it was read. */
void book_keep(struct book *book);

/* Calls fn for the addresses that have a word that begins as `typed` does, newest first, at most
 * `max`. */
typedef void (*book_fn)(void *context, struct slice address);
void book_find(const struct book *book, struct slice typed, size_t max, book_fn fn, void *context);

#endif
