/* SPDX-License-Identifier: ISC */
/* A small file of lines that is added to, and written anew when it has grown: what the store keeps
 * beside mail. A process that is killed leaves the old or the new. A line that was not written to
 * its end is as if it had never been; readers pass over what makes no sense. Private to this
 * folder.
 */
#ifndef ROLE_STORE_SHEET_H
#define ROLE_STORE_SHEET_H

#include "host/host.h"

enum { SHEET_SLACK = 64 * 1024 }; /* octets that may be there without need */

typedef void (*sheet_fn)(void *context, struct slice line);

struct sheet {
    struct host *host;
    struct host_dir *dir; /* the owner's */
    const char *name;
    struct host_file
        *file;       /* NULL: it could not be opened, and is tried again with the next line */
    uint64_t size;   /* of whole lines */
    bool is_unsound; /* a write failed: what it holds is not all that it should */
    bool is_unread;  /* there is a file that could not be read yet: nothing is written over it */
    size_t size_max;
    sheet_fn fn;
    void *context;
};

/* Calls fn for each line in it. A file that is longer than `size_max` counts as empty. */
void sheet_open(struct sheet *sheet, struct host *host, struct host_dir *dir, const char *name,
                size_t size_max, sheet_fn fn, void *context);
void sheet_close(struct sheet *sheet);

/* Tries once more to read one that could not be read. Call it now and then, and before its lines
 * are put together anew. What cannot be read then either is put aside under NAME.unread by the next
 * line that must be written. */
void sheet_read_again(struct sheet *sheet);

/* Adds whole lines; durable ones are on the disk when it returns. What fails is logged, and made
 * good by the next writing anew. */
void sheet_add(struct sheet *sheet, struct slice lines, bool is_durable);

/* Whether it is time to write it anew, when what must be in it has this length. */
bool sheet_is_long(const struct sheet *sheet, size_t len);

/* In the place of all that is in it; durable. */
void sheet_replace(struct sheet *sheet, struct slice lines);

#endif
