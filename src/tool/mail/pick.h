/* SPDX-License-Identifier: ISC */
/* Which messages of a folder a person means: "7", "3-9", "last", "last-5", "unseen", "all". */
#ifndef TOOL_MAIL_PICK_H
#define TOOL_MAIL_PICK_H

#include "client/folder.h"

struct picked {
    size_t *indexes; /* owned, ascending, each once */
    size_t count;
};

/* Reads the words; says what is wrong with one. pick_finish is due in any case. */
MUST_USE int pick_words(const struct client_folder *folder, char *const *words, size_t count,
                        struct picked *ret_picked);

/* The `count` newest (0: all). */
void pick_last(const struct client_folder *folder, size_t count, struct picked *ret_picked);

void pick_finish(struct picked *picked);

static inline struct client_chosen
pick_chosen(const struct picked *picked)
{
    return (struct client_chosen){.indexes = picked->indexes, .count = picked->count};
}

#endif
