/* SPDX-License-Identifier: ISC */
/* The view: an ordered map from keys to values, on LMDB (view.c is the only file that knows it).
 * One long write transaction takes all changes and is read through, too; view_commit ends it,
 * synced, and begins the next. What was not committed is gone after a crash and comes again from
 * the log. Values that are returned are valid until the next change, and nobody may count on their
 * alignment. Results: 0 or a negative errno. A view of a release whose values had no checks is
 * emptied when it is opened. */
#ifndef MAILBOX_VIEW_H
#define MAILBOX_VIEW_H

#include "base/slice.h"

struct view;

/* `forget` is called with a part of the map when much of a large view has been looked at: its pages
 * are clean and may leave the process, to be mapped again when they are read. `want` is called with
 * a part that lies ahead of what is read in a row: it should come from the disk before it is
 * needed. That part may be longer than the map is, and then it means nothing. */
typedef void (*view_map_fn)(void *context, struct slice map);
void view_set_map(struct view *view, view_map_fn forget, view_map_fn want, void *context);

/* Opens or makes the environment in the folder `path`, which exists. */
MUST_USE int view_open(const char *path, uint64_t map_bytes, struct view **ret_view);

/* Closes it; changes since the last commit are dropped. */
void view_close(struct view **view);

/* -ENOENT when the key is not there. */
MUST_USE int view_get(struct view *view, struct slice key, struct slice *ret_value);
MUST_USE int view_put(struct view *view, struct slice key, struct slice value);
/* 0 also when it was not there. */
MUST_USE int view_del(struct view *view, struct slice key);

/* Makes all changes so far durable. On failure they are all gone, and the view is as it was at the
 * last commit. Grows the map when it is three quarters full. */
MUST_USE int view_commit(struct view *view);

/* For a pause, behind a commit: LMDB keeps the memory of as many pages as a commit ever changed,
 * tens of MiB after a busy hour; this gives it back. Does nothing after few changes, and while a
 * snapshot is open. When the environment cannot be opened again, the view is damaged. */
MUST_USE int view_rest(struct view *view);

/* Drops the changes since the last commit. */
MUST_USE int view_rollback(struct view *view);

/* What was committed last, unchanging while it is open; long ones make the file grow. */
struct view_snapshot;
MUST_USE int view_snapshot_open(struct view *view, struct view_snapshot **ret_snapshot);
void view_snapshot_close(struct view_snapshot **snapshot);
MUST_USE int view_snapshot_get(struct view_snapshot *snapshot, struct slice key,
                               struct slice *ret_value);
/* Whether a key that a scan has met is found by its name, too: pages that lead to others have no
 * check. When it is not, the view is damaged. */
MUST_USE bool view_snapshot_finds(struct view_snapshot *snapshot, struct slice key);
/* Whether it has as many keys as a scan of all has met: else a page leads to a wrong one, and the
 * view is damaged. */
MUST_USE bool view_snapshot_has(struct view_snapshot *snapshot, uint64_t count);

/* Keys in order that begin with a prefix. Of the view itself (snapshot NULL) no change may be made
 * while the scan is open. */
struct view_scan {
    struct view *view;
    void *cursor;
    struct slice prefix; /* borrowed */
    struct slice from;   /* borrowed; only until the first step */
    struct slice last;   /* in the map */
    bool is_started;
};

/* Starts at the first key >= from that begins with prefix (an empty `from`: at the prefix). */
MUST_USE int view_scan_open(struct view *view, struct view_snapshot *snapshot, struct slice prefix,
                            struct slice from, struct view_scan *ret_scan);
/* False at the end, and when the view cannot be read further (the environment is damaged). */
MUST_USE bool view_scan_next(struct view_scan *scan, struct slice *ret_key,
                             struct slice *ret_value);
void view_scan_close(struct view_scan *scan);

/* True from the moment on when something was read that is not what was written: each value has a
 * check of itself and its key. Such a value is not returned: -EBADMSG, and scans end. From then on
 * everything is refused in the same way: the view must be made anew from the log. */
bool view_is_damaged(const struct view *view);
/* While one is open, the view cannot be closed. */
bool view_has_snapshots(const struct view *view);

/* Octets in use and octets that the map has. */
void view_space(struct view *view, uint64_t *ret_used, uint64_t *ret_size);

#endif
