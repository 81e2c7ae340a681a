/* SPDX-License-Identifier: ISC */
/* A small file as it is at one moment, and how to see that it has changed since: for tables that
 * are written by the tool or by hand and read whole by a role. */
#ifndef ROLE_SNAPSHOT_H
#define ROLE_SNAPSHOT_H

#include "host/host.h"

struct snapshot {
    struct buffer bytes;
    uint64_t stamp; /* host_dir_stamp before reading: what changes meanwhile is seen next time */
};

/* Reads the file whole; -EFBIG when it has more than `size_max` bytes. *ret_snapshot is untouched
 * on failure, else it is given back by snapshot_finish, which overwrites the bytes. */
MUST_USE int snapshot_read(struct host_dir *dir, const char *name, size_t size_max,
                           struct snapshot *ret_snapshot);
/* The same for a file by its absolute path; its folder is opened for the moment only. */
MUST_USE int snapshot_read_path(struct host *host, struct slice path, size_t size_max,
                                struct snapshot *ret_snapshot);
void snapshot_finish(struct snapshot *snapshot);

/* True when the file is another one now than at `stamp`. A file that cannot be looked at has not
 * changed: what is known of it stays in force. */
bool snapshot_has_changed(struct host_dir *dir, const char *name, uint64_t stamp);

#endif
