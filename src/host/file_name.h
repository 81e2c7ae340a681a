/* SPDX-License-Identifier: ISC */
/* What both hosts take as the name of a file in a folder. Private to the room. */
#ifndef HOST_FILE_NAME_H
#define HOST_FILE_NAME_H

#include <stdbool.h>
#include <string.h>

enum { FILE_NAME_BYTES_MAX = 255 /* in every file system that matters */ };

/* One component that leads down. */
static inline bool
file_name_is_legal(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= FILE_NAME_BYTES_MAX && !memchr(name, '/', len) &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

#endif
