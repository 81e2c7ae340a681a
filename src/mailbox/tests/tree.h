/* SPDX-License-Identifier: ISC */
/* Folders of tests, with all that is in them. */
#ifndef MAILBOX_TESTS_TREE_H
#define MAILBOX_TESTS_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline int
tree_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static inline void
tree_remove(const char *path)
{
    (void)nftw(path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes one whose name begins with `name`, where the tests of this machine have theirs. */
static inline void
tree_make(const char *name, char *ret_path, size_t size)
{
    const char *base = getenv("TMPDIR");

    snprintf(ret_path, size, "%s/%s-XXXXXX", base ? base : "/tmp", name);
    if (!mkdtemp(ret_path))
        abort();
}

/* Removes it and makes it anew, empty. */
static inline void
tree_empty(const char *path)
{
    tree_remove(path);
    if (mkdir(path, 0700) < 0)
        abort();
}

#endif
