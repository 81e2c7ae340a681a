/* SPDX-License-Identifier: ISC */
/* Private to the room: what lies in a Maildir now, and single files of it. */
#ifndef SYNC_SCAN_H
#define SYNC_SCAN_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "base/time.h"
#include "client/problem.h"

struct scan_file {
    const char *unique; /* name without flags; in the arena */
    const char *name;
    bool is_new;    /* in new/, else in cur/ */
    uint32_t flags; /* as state.h has them */
    bool is_taken;  /* it is one of a pair */
    bool was_sent;  /* the server has it, but has not said under which UID */
};

struct scan {
    const char *path; /* of the Maildir; borrowed */
    struct arena arena;
    struct scan_file **files; /* owned */
    size_t count, room;
    struct map by_unique;
    bool is_there; /* it is a Maildir */
};

/* Lists. A name that stands twice is one file. finish is due in any case. */
MUST_USE bool scan_open(struct scan *ret_scan, const char *path, struct client_problem *problem);
void scan_finish(struct scan *scan);

/* NULL when there is none. */
struct scan_file *scan_find(const struct scan *scan, const char *unique);

/* Adds what a later listing finds and this one has not seen: others rename files meanwhile, and a
 * folder that is read then may leave one out. */
MUST_USE bool scan_again(struct scan *scan, struct client_problem *problem);

/* A file as a message with CRLF lines, and when it came (from its name, else its date). False when
 * it has gone from there, with *ret_gone, or cannot be read. */
MUST_USE bool scan_read(const struct scan *scan, const struct scan_file *file, struct buffer *out,
                        struct wall *ret_received, bool *ret_gone, struct client_problem *problem);

/* The size and a hash of the header, blank lines at its end left out: by these two a message is
 * known again. */
struct scan_mark {
    uint64_t size, header;
};
struct scan_mark scan_mark(struct slice message);
uint64_t scan_header_mark(struct slice header);

/* Gives the file the name that its flags want, or removes it. True also when it has gone from
 * there or was renamed by others: the next run sees to that. */
MUST_USE bool scan_set_flags(const struct scan *scan, struct scan_file *file, uint32_t flags,
                             bool *ret_done, struct client_problem *problem);
MUST_USE bool scan_remove(const struct scan *scan, const struct scan_file *file, bool *ret_done,
                          struct client_problem *problem);

/* Makes renames and removals durable. */
void scan_sync(const struct scan *scan);

/* Puts the name of a file with these flags, whatever letters stand in `old` that have no meaning
 * to us staying (old: "", or a file's name). */
void scan_put_name(struct buffer *out, struct slice unique, uint32_t flags, struct slice old);

#endif
