/* SPDX-License-Identifier: ISC */
/* The first words of a message, for lists of messages. */
#ifndef MIME_PREVIEW_H
#define MIME_PREVIEW_H

#include "base/buffer.h"
#include "mime/part.h"

enum { MIME_PREVIEW_CHARACTERS = 200 };

/* Puts the beginning of the message's first text part as one line of UTF-8: at most
 * MIME_PREVIEW_CHARACTERS characters, runs of blanks made single, quoted lines (">") and the tags
 * of HTML left out. Puts nothing when there is no text. */
void mime_preview_put(struct buffer *buffer, const struct mime_tree *tree);

#endif
