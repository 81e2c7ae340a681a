/* SPDX-License-Identifier: ISC */
/* An HTML part as text for a terminal: what it says, its links shown for what they are. Nothing is
 * ever loaded, run or styled. */
#ifndef CLIENT_PAGE_H
#define CLIENT_PAGE_H

#include "base/buffer.h"

/* Puts the text of `html` (UTF-8): paragraphs separated by empty lines, items behind "* ", links
 * as `text <address>`, pictures as [their description]. */
void page_put(struct slice html, struct buffer *out);

#endif
