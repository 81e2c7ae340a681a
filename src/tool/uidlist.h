/* SPDX-License-Identifier: ISC */
/* What Dovecot keeps beside the messages of a Maildir: their UIDs (dovecot-uidlist, versions 1 and
 * 3) and what the letters a to z of their names mean (dovecot-keywords). */
#ifndef TOOL_UIDLIST_H
#define TOOL_UIDLIST_H

#include "base/buffer.h"
#include "base/map.h"

enum { UIDLIST_KEYWORDS_MAX = 26 };

struct uidlist {
    uint32_t uid_validity; /* 0: there is no list */
    struct map uids;       /* by the unique part of the file's name */
    struct buffer list, words;
    struct slice keywords[UIDLIST_KEYWORDS_MAX];
};

/* Reads what there is; files that are not there, and lines that are none, say nothing. */
void uidlist_open(struct uidlist *list, const char *maildir);
void uidlist_finish(struct uidlist *list);

/* 0 for a file that is not in the list. */
uint32_t uidlist_find(const struct uidlist *list, struct slice unique);

/* The keywords that a file's name stands for; returns how many. */
size_t uidlist_keywords(const struct uidlist *list, struct slice name,
                        struct slice ret_keywords[UIDLIST_KEYWORDS_MAX]);

#endif
