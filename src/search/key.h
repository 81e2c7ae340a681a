/* SPDX-License-Identifier: ISC */
/* Texts as the index has them and looks for them: under i;unicode-casemap (text/collate.h), each
 * run of blanks, line ends and control characters as one blank. So words are found across line
 * ends, which RFC 9051 §6.4.4 leaves to servers. */
#ifndef SEARCH_KEY_H
#define SEARCH_KEY_H

#include "base/buffer.h"

enum {
    SEARCH_SOUGHT_MAX = 1000,    /* octets of the key of a text that is looked for */
    SEARCH_HEAD_MAX = 256 << 10, /* of a message's header fields; what is behind is not found */
    SEARCH_BODY_MAX = 4 << 20,   /* and of its body */
};

/* Puts the key of `text`, which is UTF-8; what is not is repaired first. When the buffer already
 * ends in a blank, no second is put: so that texts can come in pieces that cut no character. */
void search_key_put(struct buffer *buffer, struct slice text);

#endif
