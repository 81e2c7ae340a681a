/* SPDX-License-Identifier: ISC */
/* The copy of an account on this machine: a tree of Maildirs, one for each folder, which other
 * programs may read and change as well. The folder "Lists/c" lies in ROOT/Lists/c/{cur,new,tmp};
 * ROOT/.facteur holds what sync.h knows of it. Any Maildir in the tree is a folder of the copy.
 *
 * It can be read off-line: folder.h opens the path of a folder. What is changed there (flags,
 * deleted files, files moved from folder to folder, new files and Maildirs) goes to the server with
 * the next run. */
#ifndef SYNC_COPY_H
#define SYNC_COPY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "client/problem.h"

enum { COPY_FOLDERS_MAX = 20000, COPY_DEPTH_MAX = 40 };

/* Strings are in the arena. */
struct copy_folder {
    const char *name;  /* as the server has it: UTF-8, its delimiter between the levels; "INBOX" */
    const char *place; /* below the root: "Lists/c" */
    const char *path;  /* of the Maildir */
};

struct copy_folders {
    struct copy_folder *folders; /* INBOX first, then in the order of their places */
    size_t count;
};

/* Whether there is a copy, of whatever age. */
bool copy_is_there(const char *root);

/* All folders of a copy; none where nothing is. */
MUST_USE bool copy_list(struct arena *arena, const char *root, struct copy_folders *ret_folders,
                        struct client_problem *problem);

/* Puts the place of a folder: levels are split by the delimiter (0: there are no levels), and what
 * cannot stand in the name of a file, or has a meaning there, is written as %XX. False when a level
 * is too long for a file system. */
MUST_USE bool copy_put_place(struct buffer *out, struct slice name, uint8_t delimiter);

/* The reverse. False when no folder has this place. */
MUST_USE bool copy_put_name(struct buffer *out, struct slice place, uint8_t delimiter);

/* The delimiter that the server had at the last run; '/' before the first. */
uint8_t copy_delimiter(const char *root);

/* Makes the Maildir of a folder and what is above it; one that is there stays as it is. Puts its
 * path into the arena. */
MUST_USE bool copy_make_folder(struct arena *arena, const char *root, const char *name,
                               const char **ret_path, struct client_problem *problem);

/* The UIDs that messages of a folder have on the server, as far as the last run found out: so that
 * what is read on-line and off-line has the same names. NULL when nothing is known of the place. */
struct copy_uids;
struct copy_uids *copy_uids_open(const char *root, const char *place);
void copy_uids_close(struct copy_uids **uids);
uint32_t copy_uids_validity(const struct copy_uids *uids);
/* By the unique name of its file; 0: not known. */
uint32_t copy_uids_find(const struct copy_uids *uids, const char *file);

/* Says that the copy is about to be changed by a person who is off-line; whether there was such a
 * change and no run has been finished since. Both survive kill -9. */
MUST_USE bool copy_mark_changed(const char *root, struct client_problem *problem);
bool copy_is_changed(const char *root);

/* Makes a folder and those above it. The path is changed meanwhile. */
MUST_USE bool copy_make_path(char *path, struct client_problem *problem);

#endif
