/* SPDX-License-Identifier: ISC */
#include "role/login.h"

#include "role/snapshot.h"

enum { CREDENTIALS_BYTES_MAX = 1 << 20, PATH_OCTETS_MAX = 4096 };

bool
login_read(const struct role_start *start, struct slice name, struct arena *arena,
           struct routing_credentials *ret_login)
{
    char path[PATH_OCTETS_MAX];
    struct slice data = start->config->data_dir;
    struct host_dir *directory = NULL;
    struct routing_credentials found;
    struct snapshot snapshot;
    bool is_found = false;

    snprintf(path, sizeof(path), "%.*s/directory", (int)data.len, (const char *)data.at);
    if (host_dir_open(start->host, path, &directory) < 0)
        return false;
    if (snapshot_read(directory, "credentials", CREDENTIALS_BYTES_MAX, &snapshot) == 0) {
        is_found = routing_credentials_find(buffer_slice(&snapshot.bytes), name, &found);
        if (is_found)
            *ret_login = (struct routing_credentials){arena_copy(arena, found.user),
                                                      arena_copy(arena, found.secret)};
        snapshot_finish(&snapshot);
    }
    host_dir_close(&directory);
    return is_found;
}
