/* SPDX-License-Identifier: ISC */
/* Messages in the order of their conversations (RFC 5256, REFERENCES), and the lines that are drawn
 * before them. */
#ifndef TOOL_MAIL_BRANCHES_H
#define TOOL_MAIL_BRANCHES_H

#include "client/folder.h"
#include "message/summary.h"

struct branches;

struct branch {
    size_t place;  /* as it was added */
    size_t parent; /* place of the message that it answers; SIZE_MAX: none that is here */
    unsigned depth;
    const char *line; /* "│ └─> ": in front of the subject */
};

/* At most `count` messages. */
struct branches *branches_new(size_t count);

/* Adds a message; places grow. */
void branches_add(struct branches *branches, size_t place, const struct summary *summary,
                  struct wall arrival);

/* All that were added, conversations in the order of their beginnings. Valid until finish. */
const struct branch *branches_draw(struct branches *branches, size_t *ret_count);

/* Accepts a pointer to NULL. */
void branches_finish(struct branches **branches);

#endif
