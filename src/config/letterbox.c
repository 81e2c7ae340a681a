/* SPDX-License-Identifier: ISC */
#include "config/config.h"

/* No part of it is empty, "." or "..". */
static bool
is_plain(struct slice path)
{
    while (path.len) {
        size_t end = slice_find_byte(path, '/');
        struct slice part = slice_first(path, end);
        if (part.len == 0 || slice_equal(part, SLICE(".")) || slice_equal(part, SLICE("..")))
            return false;
        path = slice_skip(path, end < path.len ? end + 1 : end);
    }
    return true;
}

bool
config_letterbox_is_allowed(const struct config *config, struct slice path)
{
    for (size_t i = 0; i < config->letterbox_dirs.count; i++) {
        struct slice folder = config->letterbox_dirs.at[i];
        while (folder.len && folder.at[folder.len - 1] == '/')
            folder.len--;
        if (slice_starts_with(path, folder) && path.len > folder.len + 1 &&
            path.at[folder.len] == '/' && is_plain(slice_skip(path, folder.len + 1)))
            return true;
    }
    return false;
}
