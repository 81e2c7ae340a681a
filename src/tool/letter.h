/* SPDX-License-Identifier: ISC */
/* A message in a file, read and parsed for the commands that show messages. */
#ifndef TOOL_LETTER_H
#define TOOL_LETTER_H

#include "mime/part.h"

/* Larger than any server takes; a mistyped path to a disk image is told, not swallowed. */
#define LETTER_MAX ((size_t)1 << 30)

struct letter {
    struct buffer content; /* as in the file */
    struct arena arena;
    struct mime_tree tree; /* at least the root, after letter_open gave EX_OK */
    bool has_unix_lines;   /* every line ends in LF alone: how Unix keeps text, not a defect */
};

/* Reads PATH, "-" being standard input; says what is wrong. Finish it in any case. */
MUST_USE int letter_open(const char *path, struct letter *ret_letter);
void letter_finish(struct letter *letter);

/* Puts the body of a field of the message, encoded words decoded; nothing when it has none. */
void letter_put_field(const struct letter *letter, enum field_id id, struct buffer *out);

#endif
