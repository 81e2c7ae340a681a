/* SPDX-License-Identifier: ISC */
/* The table of character sets. Private to the room. */
#ifndef TEXT_CHARSET_LIST_H
#define TEXT_CHARSET_LIST_H

#include "text/charset_private.h"

/* The sets that messages are written in come first: they are found fastest. */
enum { CHARSET_LIST_ASCII, CHARSET_LIST_UTF8, CHARSET_LIST_LATIN1, CHARSET_LIST_WINDOWS,
       CHARSET_LIST_LATIN9 };

extern const struct charset charset_list[];
extern const size_t charset_list_count;

#endif
