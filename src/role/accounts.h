/* SPDX-License-Identifier: ISC */
/* directory/accounts as a table, with the machine's users in it where they are wanted: what auth
 * and route both begin with. */
#ifndef ROLE_ACCOUNTS_H
#define ROLE_ACCOUNTS_H

#include "directory/directory.h"
#include "role/machine_users.h"
#include "role/snapshot.h"

enum { ACCOUNTS_BYTES_MAX = 1 << 30 }; /* a million accounts take a tenth of it */

/* Reads the file and makes a new table of it. `users` may be NULL; they become accounts of the
 * file's first domain. The seed of the options is set here. Results are untouched on failure (a
 * negative errno); the table is the caller's. */
MUST_USE int accounts_read(struct host *host, struct host_dir *dir,
                           const struct machine_users *users, struct directory_options options,
                           struct directory **ret_directory, uint64_t *ret_stamp);

#endif
