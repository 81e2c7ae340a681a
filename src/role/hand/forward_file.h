/* SPDX-License-Identifier: ISC */
/* Files in which people say what becomes of their mail, read with their owner's rights. None counts
 * when others could write to it. For the role, and for the tool, which explains decisions. */
#ifndef ROLE_HAND_FORWARD_FILE_H
#define ROLE_HAND_FORWARD_FILE_H

#include "config/config.h"

/* All of these: NULL; or why the file does not count, "" when there is none. */

/* A file of the folder that belongs to that owner, or to root. */
const char *forward_file_read_below(struct host_dir *dir, const char *name, uint32_t owner,
                                    size_t max, struct buffer *out);
/* The text of a system user's ~/.forward; out has room for 16 KiB at least. */
const char *forward_file_read(struct host *host, const char *login, struct buffer *out);
/* What the ~/.forward of LOGIN@DOMAIN says, as directory_unix_forward puts it; "" when it names
 * nobody. The arena is scratch. */
const char *forward_file_members(struct host *host, const struct config *config, struct slice key,
                                 struct arena *arena, struct buffer *members);

/* Whether it may be read another time: mail waits. */
bool forward_file_is_temporary(const char *why);

#endif
