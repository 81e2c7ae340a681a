/* SPDX-License-Identifier: ISC */
/* For tests: a part tree on one line, like `multipart/mixed(text/plain"one" text/html"two")`. */
#ifndef MIME_TESTS_TREE_TEXT_H
#define MIME_TESTS_TREE_TEXT_H

#include "base/buffer.h"
#include "mime/part.h"

/* Puts type, children, and the octets of leaves between quotes (CRLF as `\n`, LF as `\l`). */
void tree_text_put(struct buffer *buffer, const struct mime_tree *tree);

/* Checks what must hold for every tree, of any octets; aborts the test otherwise. */
void tree_check(const struct mime_tree *tree, size_t message_len);

#endif
