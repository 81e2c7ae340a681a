/* SPDX-License-Identifier: ISC */
/* Landlock: which folders a process may still reach, and whether it makes connections.
 * Private to the room. */
#ifndef HOST_LINUX_LANDLOCK_PRIVATE_H
#define HOST_LINUX_LANDLOCK_PRIVATE_H

#include "base/compiler.h"

struct landlock_paths {
    const char *const *readable;
    size_t readable_count;
    const char *const *writable;
    size_t writable_count;
    bool may_connect; /* by TCP, to anybody */
};

/* Restricts this process for good to `paths`. Returns the version that the kernel has (1 or more),
 * 0 where it has none, or a negative errno; `ret_path`, then, may be the path it is about. */
MUST_USE int landlock_enter(const struct landlock_paths *paths, const char **ret_path);

#endif
