/* SPDX-License-Identifier: ISC */
/* /etc/aliases, as sendmail began it and every Unix machine has it, as lines of directory/accounts:
 *
 *     postmaster: root                        # names without a domain are of the machine's domain
 *     root:       alice, "bob smith"@example.test
 *     team:       :include:/etc/mail/team     # one or more members a line
 *     archive:    /var/mail/archive           # a file, below the folders that are permitted
 *
 *     robot:      "|/usr/bin/robot -v"        # a program, where that is permitted
 *
 * A line that begins with a blank goes on with the one before. A leading backslash is passed over:
 * here an alias that names itself means the account of that name.
 *
 * A program is known by a key made of its command ("|" and 16 hex digits): what is run stands in
 * the file of whoever may say so, and is looked up there when it is run. */
#ifndef DIRECTORY_UNIX_ALIASES_H
#define DIRECTORY_UNIX_ALIASES_H

#include "directory/directory.h"

struct directory_unix {
    struct slice domain;         /* of names without one */
    const struct slice *folders; /* absolute: where files may lie, and their subfolders */
    size_t folder_count;
    bool may_run; /* programs */
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

/* A user's ~/.forward: members with commas or line ends between, # for comments; no :include:. Puts
 * them with commas between: addresses (names without a domain are of the machine's), files, keys of
 * programs, and "=" for the user's own mailbox (\LOGIN in the
 * file). NULL, or what was expected. */
const char *directory_unix_forward(struct slice text, const struct directory_unix *machine,
                                   struct slice login, struct buffer *out);

/* How long the first of several members is, with commas between (but not between double quotes). */
size_t directory_member_end(struct slice members);

enum { DIRECTORY_PROGRAM_KEY_LEN = 17 };

/* Whether a member is the key of a program. */
bool directory_is_program(struct slice member);
/* Looks the command of this key up in the text of an aliases file or (is_forward) of a .forward. */
bool directory_unix_command(struct slice text, bool is_forward, struct slice key,
                            struct buffer *out);

/* Whether a member is a file: an absolute path, which no address is. */
bool directory_is_file(struct slice member);

/* Whether a file lies in one of the folders or below, with no way out through "..". */
bool directory_file_is_below(struct slice path, const struct slice *folders, size_t count);

#endif
