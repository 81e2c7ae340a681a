/* SPDX-License-Identifier: ISC */
#include "role/accounts.h"

enum { USER_LINES_MAX = 32 * 1024 * 1024 };

int
accounts_read(struct host *host, struct host_dir *dir, const struct machine_users *users,
              struct directory_options options, struct directory **ret_directory,
              uint64_t *ret_stamp)
{
    const struct directory_domain *first;
    struct snapshot snapshot;
    struct buffer lines;
    int error = snapshot_read(dir, "accounts", ACCOUNTS_BYTES_MAX, &snapshot);

    if (error < 0)
        return error;
    host_random(host, &options.seed, sizeof(options.seed));
    struct directory *directory = directory_parse(buffer_slice(&snapshot.bytes), &options);
    first = directory_domain_at(directory, 0);
    if (users && first) {
        /* Their domain is known only now: once more, with them. */
        buffer_init(&lines, USER_LINES_MAX);
        machine_users_put(users, first->name, &lines);
        options.before = buffer_slice(&lines);
        directory_close(&directory);
        directory = directory_parse(buffer_slice(&snapshot.bytes), &options);
        buffer_finish(&lines);
    }
    *ret_stamp = snapshot.stamp;
    *ret_directory = directory;
    snapshot_finish(&snapshot);
    return 0;
}
