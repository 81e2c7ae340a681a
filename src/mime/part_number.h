/* SPDX-License-Identifier: ISC */
/* How people and IMAP name the parts of a message: "1", "2.1" (RFC 9051 §6.4.5.1). A multipart at
 * the top has no number; one that is all of a message inside the message shares that message's. */
#ifndef MIME_PART_NUMBER_H
#define MIME_PART_NUMBER_H

#include "mime/part.h"

/* Puts the number of parts[index]; nothing for a multipart at the top. */
void mime_part_number_put(struct buffer *buffer, const struct mime_tree *tree, uint32_t index);

/* The part with this number, the outermost of two that share it; MIME_NO_PART when there is none.
 * "" is the root. */
uint32_t mime_part_number_find(const struct mime_tree *tree, struct slice number);

#endif
