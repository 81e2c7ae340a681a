/* SPDX-License-Identifier: ISC */
/* The text of an HTML part, for searching: tags and what nobody sees (style, script, comments) left
 * out, character references turned into characters. Not a parser of HTML: nothing is shown of what
 * comes out. */
#ifndef MIME_HTML_H
#define MIME_HTML_H

#include "base/buffer.h"

enum { MIME_HTML_NAME_MAX = 12 };

/* Where the text was cut; begins as {0}. The result does not depend on where that is. */
struct mime_html {
    uint8_t state;
    uint8_t name_len;
    uint8_t name[MIME_HTML_NAME_MAX]; /* of the tag or reference that is being read, cut */
    uint8_t hidden;                   /* the element whose end is waited for, + 1 */
    uint8_t quote;
};

/* Puts the text of the next piece, which is UTF-8. Tags that part words (all but <b> and its like)
 * become a blank. */
void mime_html_feed(struct mime_html *html, struct slice piece, struct buffer *out);
/* Puts what was left at the end. */
void mime_html_finish(struct mime_html *html, struct buffer *out);

/* The character of a reference (`eacute`, `#233`, `#xE9`), or 0. */
uint32_t mime_html_character(struct slice name);

#endif
