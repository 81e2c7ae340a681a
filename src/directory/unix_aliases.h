/* SPDX-License-Identifier: ISC */
/* /etc/aliases, as sendmail began it and every Unix machine has it, as lines of directory/accounts:
 *
 *     postmaster: root                        # names without a domain are of the machine's domain
 *     root:       alice, "bob smith"@example.test
 *     team:       :include:/etc/mail/team     # one or more members a line
 *     archive:    /var/mail/archive           # a file, below the folders that are permitted
 *
 * A line that begins with a blank goes on with the one before. A leading backslash is passed over:
 * here an alias that names itself means the account of that name. Programs (`|command`) are not
 * run. */
#ifndef DIRECTORY_UNIX_ALIASES_H
#define DIRECTORY_UNIX_ALIASES_H

#include "directory/directory.h"

struct directory_unix {
    struct slice domain;         /* of names without one */
    const struct slice *folders; /* absolute: where files may lie, and their subfolders */
    size_t folder_count;
    /* The text of an :include: file, which lives as long as the call; false: it cannot be read. */
    bool (*include)(void *context, struct slice path, struct slice *ret_text);
    /* A line that cannot be used, from 1, and what was expected there. */
    void (*problem)(void *context, size_t line, struct slice place, const char *what);
    void *context;
};

/* Puts a line for each alias. What is damaged is told to `problem`, and its name gets a line that
 * makes mail wait instead of bouncing, until somebody has mended it. Returns the number of
 * problems. Members are at most DIRECTORY_MEMBERS_MAX; included files hold addresses only. */
size_t directory_unix_aliases(struct slice text, const struct directory_unix *machine,
                              struct buffer *out);

/* Whether a member is a file: an absolute path, which no address is. */
bool directory_is_file(struct slice member);

/* Whether a file lies in one of the folders or below, with no way out through "..". */
bool directory_file_is_below(struct slice path, const struct slice *folders, size_t count);

#endif
