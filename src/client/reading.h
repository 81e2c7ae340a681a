/* SPDX-License-Identifier: ISC */
/* A message as people read it: everything as UTF-8 that a terminal can show. */
#ifndef CLIENT_READING_H
#define CLIENT_READING_H

#include "base/buffer.h"
#include "mime/part.h"

/* Puts the body of a field as one line: encoded words decoded, control characters taken out. */
void reading_put_line(struct slice body, struct buffer *out);

/* Puts the text of the message: its first text part and others that are no files and no other form
 * of it, charset and encoding undone, paragraphs of format=flowed joined, HTML as text. Lines end
 * in LF; control characters but TAB are taken out. */
void reading_put_text(const struct mime_tree *tree, struct buffer *out);

/* True for a part that is an attachment: a leaf that is not the text, or a message; nothing inside
 * of such a message. */
bool reading_is_attachment(const struct mime_tree *tree, uint32_t index);

/* Puts its name, safe for a file; its octets, encoding undone. */
void reading_put_name(const struct mime_tree *tree, uint32_t index, struct buffer *out);
void reading_put_part(const struct mime_tree *tree, uint32_t index, struct buffer *out);

#endif
