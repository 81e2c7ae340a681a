/* SPDX-License-Identifier: ISC */
/* How many columns text takes on a terminal. Wraps libunistring: its tables are what terminals
 * agree on where they agree at all (East Asian wide characters and emoji: two columns; combining
 * marks: none). */
#ifndef TEXT_WIDTH_H
#define TEXT_WIDTH_H

#include "base/cursor.h"

/* Takes one character with the marks that belong to it, at most WIDTH_CLUSTER_MAX octets of them;
 * *ret_columns is 0, 1 or 2. Control characters and what is no UTF-8 are taken octet by octet, as
 * one column. False at the end. */
enum { WIDTH_CLUSTER_MAX = 32 };
MUST_USE bool width_take(struct cursor *cursor, struct slice *ret_cluster, unsigned *ret_columns);

/* Columns of all of it. */
size_t width_of(struct slice text);

/* The longest beginning that takes at most `columns`. */
struct slice width_first(struct slice text, size_t columns);

#endif
