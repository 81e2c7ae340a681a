/* SPDX-License-Identifier: ISC */
/* Whole files by path. Errors are told here: one sentence with the path and the remedy. */
#ifndef TOOL_FILES_H
#define TOOL_FILES_H

#include "base/buffer.h"

#include <sys/types.h>

/* Whom a new file belongs to, when the tool runs as root; FILES_NOBODY leaves it to the user. */
struct files_owner {
    uid_t user;
    gid_t group;
    mode_t mode;
};
#define FILES_NOBODY ((uid_t)-1)

/* Reads a file of at most `max` bytes into `ret_bytes`, initialised here. */
MUST_USE int files_read(const char *path, size_t max, struct buffer *ret_bytes);

/* The same; "-" is standard input. */
MUST_USE int files_read_or_stdin(const char *path, size_t max, struct buffer *ret_bytes);

/* The same as files_read; a file that is not there is empty. */
MUST_USE int files_read_if_any(const char *path, size_t max, struct buffer *ret_bytes);

/* For what lies where somebody else can write: opens NAME below an open folder (or AT_FDCWD), an
 * ordinary file and no link, which could lead to what only we may read, nor a FIFO, which nobody
 * may ever fill. `path` is what it is called when that fails. */
MUST_USE int files_open_plain(int folder, const char *name, const char *path, int *ret_descriptor);

/* The same, and reads it like files_read. */
MUST_USE int files_read_plain(int folder, const char *name, const char *path, size_t max,
                              struct buffer *ret_bytes);

/* Writes all of it to a descriptor. False, and errno says why. */
MUST_USE bool files_write(int descriptor, struct slice bytes);

/* Writes at the end of a file, which is made when it is not there, and makes it durable. */
MUST_USE int files_append(const char *path, struct slice bytes, const struct files_owner *owner);

/* Puts a file in the place of one that may be there, in one step that survives a crash. */
MUST_USE int files_replace(const char *path, struct slice bytes, const struct files_owner *owner);

/* Makes a folder and those above it; one that is there is left as it is. */
MUST_USE int files_make_folder(const char *path, mode_t mode);

/* An exclusive lock on a file, which is made for it; waits for its holder. Held until close of
 * the descriptor. */
MUST_USE int files_lock(const char *path, int *ret_descriptor);

/* What is at a path; links are not followed by the first. */
bool files_exists(const char *path);
bool files_is_folder(const char *path);

/* FOLDER/NAME; aborts when there is no memory. Freed by the caller. */
MUST_USE char *files_path(const char *folder, const char *name);

/* Random octets of the kernel. */
void files_random(void *ret_bytes, size_t len);

#endif
