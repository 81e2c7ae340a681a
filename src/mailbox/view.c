/* SPDX-License-Identifier: ISC */
/* The only file that knows LMDB. */
#include "mailbox/view.h"

#include "base/hash.h"
#include "host/host.h"

#include <errno.h>
#include <lmdb.h>
#include <malloc.h>
#include <stdlib.h>

enum { VIEW_MODE = 0600, VIEW_READERS = 16, CHECK_LEN = 4 };

/* No key of the store is so short. It is there when values have their checks. */
static const char format_key[] = "f";
enum { FORMAT_KEY_LEN = 1 };

/* Where one kind of reading goes. Pages that were written one after the other lie so, mostly. */
struct trail {
    const uint8_t *last;  /* place in the map that was read */
    const uint8_t *asked; /* up to there the map has been asked for; NULL: not on this trail */
    unsigned steps;       /* to a page not far behind the one before */
};

struct view {
    MDB_env *env;
    MDB_txn *txn;       /* NULL after an error that took it, until the next call */
    MDB_cursor *cursor; /* of txn; open while there are look-ups one after another */
    unsigned lookups;   /* since the last change */
    MDB_cursor *writer; /* of txn; open while values are put one after another */
    unsigned puts;      /* since something else was done */
    MDB_dbi dbi;
    char *path;         /* owned */
    unsigned changes;   /* since it was opened, or has rested */
    bool is_damaged;    /* something was read that is not what was written */
    unsigned snapshots; /* open; the map must not move under them */
    view_map_fn forget, want;
    void *map_context;
    struct trail found, scanned;
    unsigned touched;                /* look-ups since the map was forgotten */
    const uint8_t *lowest, *highest; /* places in the map, that were seen; NULL: none yet */
};

struct view_snapshot {
    struct view *view;
    MDB_txn *txn;
};

enum {
    LOOKUPS_FEW = 4,          /* a cursor costs as much as some of them */
    PUTS_FEW = 16,            /* the same, of an ordinary turn's */
    SMALL_BYTES = 128 << 20,  /* of a view whose pages may all stay */
    TOUCHED_MAX = 2048,       /* each brings sixteen pages of 4 KiB into the map at most */
    RESTED_CHANGES_MAX = 64,  /* each takes some pages at most: half a MiB */
    HOLE_BYTES = 1 << 20,     /* LMDB's lists have this size, or twice as much */
    HOLES_MAX = 256,
    LISTS_BYTES = 8 << 20,    /* more than LMDB asks for in one piece, if it was led nowhere */
    PAGE_BYTES = 4096,
    NEAR_BYTES = 64 << 10,    /* pages of other kinds lie between those of one kind */
    STEPS_FEW = 2,            /* so many are chance */
    AHEAD_BYTES = 512 << 10,  /* comes from a disk sooner than half of it is read */
};

/* LMDB's own codes are below -30000; the rest are positive errnos. */
static int
error_of(int result)
{
    switch (result) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return -ENOSPC;
    case MDB_VERSION_MISMATCH:
        return -EPROTONOSUPPORT;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
        return -EBADMSG;
    default:
        return result > 0 ? -result : -EIO;
    }
}

static MDB_val
val_of(struct slice s)
{
    return (MDB_val){s.len, (void *)(uintptr_t)s.at};
}

static struct slice
slice_of_val(MDB_val val)
{
    return slice_of(val.mv_data, val.mv_size);
}

/* LMDB takes its pages as they are: a value ends in a hash of itself and its key, so that no octet
 * that the disk has changed is taken for what was written. */
static uint32_t
check_of(MDB_val key, struct slice value)
{
    return (uint32_t)hash64(value, hash64(slice_of_val(key), 0));
}

/* Takes the check off, when it is right. */
static int
open_value(struct view *view, MDB_val key, MDB_val value, struct slice *ret_value)
{
    struct slice whole = slice_of_val(value);
    uint32_t check;

    if (whole.len >= CHECK_LEN) {
        struct slice inside = slice_first(whole, whole.len - CHECK_LEN);
        memcpy(&check, whole.at + inside.len, CHECK_LEN);
        if (check == check_of(key, inside)) {
            *ret_value = inside;
            return 0;
        }
    }
    view->is_damaged = true;
    return -EBADMSG;
}

/* Whether there is memory for all that LMDB may ask for. */
static bool
has_memory(void)
{
    void *volatile piece = malloc(LISTS_BYTES); /* else no compiler would ask for it */
    bool has = piece;

    free(piece);
    return has;
}

/* What no disk says: that LMDB was led to a place that no file has, or to lists without an end. */
static bool
is_nowhere(int error)
{
    return error == -EINVAL || error == -EFBIG || (error == -ENOMEM && has_memory());
}

/* The same of what a function of LMDB has said. */
static int
told(struct view *view, int result)
{
    int error = error_of(result);

    view->is_damaged |= error == -EBADMSG || is_nowhere(error);
    return error;
}

static int
begin(struct view *view)
{
    if (view->is_damaged)
        return -EBADMSG;
    return view->txn ? 0 : error_of(mdb_txn_begin(view->env, NULL, 0, &view->txn));
}

/* Before anything changes, so that LMDB never has to move it. */
static void
drop_cursor(struct view *view)
{
    if (view->cursor)
        mdb_cursor_close(view->cursor);
    view->cursor = NULL;
    view->lookups = 0;
}

/* Before the transaction ends, and before anything is removed. */
static void
drop_writer(struct view *view)
{
    if (view->writer)
        mdb_cursor_close(view->writer);
    view->writer = NULL;
    view->puts = 0;
}

static void
abandon(struct view *view)
{
    drop_cursor(view);
    drop_writer(view);
    if (view->txn)
        mdb_txn_abort(view->txn);
    view->txn = NULL;
}

/* Through the cursor, if there is one: what comes behind what was put last is put without coming
 * from the root. */
static int
put_checked(MDB_txn *txn, MDB_dbi dbi, MDB_cursor *cursor, struct slice key, struct slice value)
{
    MDB_val name = val_of(key), content = {value.len + CHECK_LEN, NULL};
    uint32_t check = check_of(name, value);
    int result = cursor ? mdb_cursor_put(cursor, &name, &content, MDB_RESERVE)
                        : mdb_put(txn, dbi, &name, &content, MDB_RESERVE);

    if (result)
        return result;
    if (value.len > 0)
        memcpy(content.mv_data, value.at, value.len);
    memcpy((uint8_t *)content.mv_data + value.len, &check, CHECK_LEN);
    return 0;
}

static int
put_format(MDB_txn *txn, MDB_dbi dbi)
{
    return put_checked(txn, dbi, NULL, slice_of(format_key, FORMAT_KEY_LEN), SLICE("2"));
}

/* Values without checks are of an earlier release: the log makes them anew. */
static int
settle_format(struct view *view, MDB_txn *txn)
{
    MDB_val name = val_of(slice_of(format_key, FORMAT_KEY_LEN)), value;
    int result = mdb_get(txn, view->dbi, &name, &value);

    if (result != MDB_NOTFOUND)
        return result;
    result = mdb_drop(txn, view->dbi, 0);
    return result ? result : put_format(txn, view->dbi);
}

/* The handle of the one database is opened in a transaction of its own, so that it stays. */
static int
open_database(struct view *view)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(view->env, NULL, 0, &txn);

    if (result)
        return result;
    result = mdb_dbi_open(txn, NULL, 0, &view->dbi);
    if (result == 0)
        result = settle_format(view, txn);
    if (result) {
        mdb_txn_abort(txn);
        return result;
    }
    return mdb_txn_commit(txn);
}

/* Doubles the map when it is three quarters full. Only between transactions. */
static int
grow_map(struct view *view)
{
    uint64_t used, size;

    if (view->snapshots > 0 || view->is_damaged)
        return 0;
    view_space(view, &used, &size);
    if (used / 3 < size / 4)
        return 0;
    view->lowest = view->highest = NULL; /* it may lie elsewhere then */
    return error_of(mdb_env_set_mapsize(view->env, (size_t)size * 2));
}

/* As long as LMDB asks for its lists, what a busy time has left free in the heap is taken. */
static size_t
take_holes(void *ret_holes[HOLES_MAX])
{
    struct mallinfo2 before = mallinfo2();
    size_t count = 0;

    while (count < HOLES_MAX && before.fordblks >= HOLE_BYTES) {
        void *hole = malloc(HOLE_BYTES);
        if (!hole)
            abort();
        ret_holes[count++] = hole;
        struct mallinfo2 after = mallinfo2();
        if (after.hblks != before.hblks)
            break; /* there was none any more: it is the kernel's */
        before = after;
    }
    return count;
}

/* LMDB asks for lists of megabytes, zeroed, of which it touches little. From the heap they would be
 * memory in use for good, and the heap could not become less than where they lie: they are the
 * kernel's own, new pages that nobody has touched. */
static int
open_file(struct view *view)
{
    void *holes[HOLES_MAX];

    mallopt(M_MMAP_THRESHOLD, HOLE_BYTES);
    size_t count = take_holes(holes);
    int result = mdb_env_open(view->env, view->path, MDB_NOTLS | MDB_NORDAHEAD, VIEW_MODE);
    while (count > 0)
        free(holes[--count]);
    mallopt(M_MMAP_THRESHOLD, HOST_MEMORY_SINGLE_MAX);
    return result;
}

static int
open_environment(struct view *view, uint64_t map_bytes)
{
    int dead, result = mdb_env_create(&view->env);

    if (result == 0)
        result = mdb_env_set_mapsize(view->env, map_bytes);
    if (result == 0)
        result = mdb_env_set_maxreaders(view->env, VIEW_READERS);
    if (result == 0)
        result = open_file(view);
    if (result == 0)
        result = mdb_reader_check(view->env, &dead);
    if (result == 0)
        result = open_database(view);
    int error = error_of(result);
    if (error == 0) /* LMDB makes the map as small as it can be */
        error = grow_map(view);
    return error < 0 ? error : begin(view);
}

static void
close_environment(struct view *view)
{
    abandon(view);
    if (view->env)
        mdb_env_close(view->env);
    view->env = NULL;
}

int
view_open(const char *path, uint64_t map_bytes, struct view **ret_view)
{
    struct view *view = calloc(1, sizeof(*view));

    if (!view || !(view->path = strdup(path)))
        abort();
    int error = open_environment(view, map_bytes);
    if (error < 0)
        view_close(&view);
    *ret_view = view;
    return error;
}

void
view_close(struct view **view)
{
    if (!*view)
        return;
    close_environment(*view);
    free((*view)->path);
    free(*view);
    *view = NULL;
}

int
view_rest(struct view *view)
{
    uint64_t used, size;

    if (view->changes <= RESTED_CHANGES_MAX || view->snapshots > 0 || view->is_damaged)
        return 0;
    view_space(view, &used, &size);
    close_environment(view);
    view->changes = 0;
    view->lowest = view->highest = NULL;
    int error = open_environment(view, size);
    view->is_damaged = error < 0;
    return error;
}

void
view_set_map(struct view *view, view_map_fn forget, view_map_fn want, void *context)
{
    view->forget = forget;
    view->want = want;
    view->map_context = context;
}

/* The map is read at random, so the kernel reads no page that was not asked for: what is read in a
 * row and is not in memory would cost a wait for the disk for each page. */
static void
go_on_trail(struct view *view, struct trail *trail, const void *value)
{
    uintptr_t at = (uintptr_t)value, last = (uintptr_t)trail->last;

    if (!view->want || at / PAGE_BYTES == last / PAGE_BYTES)
        return;
    bool is_near = at > last && at - last <= NEAR_BYTES;
    trail->last = value;
    trail->steps = is_near ? trail->steps + 1 : 0;
    if (!is_near)
        trail->asked = NULL;
    if (trail->steps <= STEPS_FEW ||
        (trail->asked && (uintptr_t)trail->asked - at > AHEAD_BYTES / 2))
        return;
    const uint8_t *from = trail->asked ? trail->asked : trail->last;
    trail->asked = trail->last + AHEAD_BYTES;
    view->want(view->map_context, slice_of(from, (size_t)(trail->asked - from)));
}

/* A place in the map: LMDB does not tell where it lies, but what a reader gets lies in it. (What
 * the writer gets may be a page that it has changed, and that one is malloc's.) */
static void
see_place(struct view *view, struct slice key)
{
    MDB_val name = val_of(key), value;
    MDB_txn *txn;

    if (mdb_txn_begin(view->env, NULL, MDB_RDONLY, &txn) != 0)
        return;
    if (mdb_get(txn, view->dbi, &name, &value) == 0 && value.mv_size > 0) {
        const uint8_t *at = value.mv_data;
        if (!view->lowest || at < view->lowest)
            view->lowest = at;
        if (!view->highest || at > view->highest)
            view->highest = at;
    }
    mdb_txn_abort(txn);
}

/* What was read stays in the map, and counts as ours: a walk through a large view would take its
 * whole size. The pages stay in the page cache; what is needed again is mapped again. */
static void
touch(struct view *view, struct slice key)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (!view->forget || ++view->touched < TOUCHED_MAX)
        return;
    view->touched = 0;
    if (mdb_env_info(view->env, &info) != 0 || mdb_env_stat(view->env, &stat) != 0 ||
        (uint64_t)info.me_last_pgno * stat.ms_psize <= SMALL_BYTES)
        return;
    see_place(view, key);
    if (view->lowest)
        view->forget(view->map_context,
                     slice_of(view->lowest, (size_t)(view->highest - view->lowest) + 1));
}

/* Whether `name` is the one behind `found` if there is any between them: they end in numbers. */
static bool
is_following(MDB_val found, MDB_val name)
{
    const uint8_t *from = found.mv_data, *to = name.mv_data;
    size_t last = name.mv_size - 1;

    return found.mv_size == name.mv_size && to[last] == from[last] + 1 &&
           memcmp(from, to, last) == 0;
}

/* A cursor begins where it is: what lies beside what was found last, as bodies that came together
 * do, is found without coming from the root; the next one without a search. */
static int
look_up(struct view *view, MDB_val *name, MDB_val *value)
{
    MDB_val found, next = *name;

    if (!view->cursor && view->lookups++ < LOOKUPS_FEW)
        return mdb_get(view->txn, view->dbi, name, value);
    int result = view->cursor ? 0 : mdb_cursor_open(view->txn, view->dbi, &view->cursor);
    if (result)
        return result;
    if (mdb_cursor_get(view->cursor, &found, value, MDB_GET_CURRENT) == 0 &&
        is_following(found, *name) && mdb_cursor_get(view->cursor, &next, value, MDB_NEXT) == 0 &&
        next.mv_size == name->mv_size && memcmp(next.mv_data, name->mv_data, next.mv_size) == 0)
        return 0;
    return mdb_cursor_get(view->cursor, name, value, MDB_SET);
}

int
view_get(struct view *view, struct slice key, struct slice *ret_value)
{
    MDB_val name = val_of(key), value;
    int result = begin(view);

    touch(view, key);
    if (result == 0)
        result = told(view, look_up(view, &name, &value));
    if (result == 0)
        go_on_trail(view, &view->found, value.mv_data);
    return result ? result : open_value(view, name, value, ret_value);
}

int
view_put(struct view *view, struct slice key, struct slice value)
{
    int result = begin(view);

    view->changes++;
    drop_cursor(view);
    if (result == 0 && !view->writer && ++view->puts > PUTS_FEW)
        result = told(view, mdb_cursor_open(view->txn, view->dbi, &view->writer));
    return result ? result
                  : told(view, put_checked(view->txn, view->dbi, view->writer, key, value));
}

int
view_del(struct view *view, struct slice key)
{
    MDB_val name = val_of(key);
    int result = begin(view);

    view->changes++;
    drop_cursor(view);
    drop_writer(view);
    if (result == 0)
        result = told(view, mdb_del(view->txn, view->dbi, &name, NULL));
    return result == -ENOENT ? 0 : result;
}

int
view_commit(struct view *view)
{
    MDB_txn *txn = view->txn;

    drop_cursor(view);
    drop_writer(view);
    view->txn = NULL;
    int result = txn ? told(view, mdb_txn_commit(txn)) : 0;
    int grown = grow_map(view), begun = begin(view);
    return result ? result : grown ? grown : begun;
}

int
view_rollback(struct view *view)
{
    abandon(view);
    return begin(view);
}

int
view_snapshot_open(struct view *view, struct view_snapshot **ret_snapshot)
{
    struct view_snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (!snapshot)
        abort();
    int result = view->is_damaged
                     ? -EBADMSG
                     : error_of(mdb_txn_begin(view->env, NULL, MDB_RDONLY, &snapshot->txn));
    if (result < 0) {
        free(snapshot);
        return result;
    }
    snapshot->view = view;
    view->snapshots++;
    *ret_snapshot = snapshot;
    return 0;
}

void
view_snapshot_close(struct view_snapshot **snapshot)
{
    if (!*snapshot)
        return;
    mdb_txn_abort((*snapshot)->txn);
    (*snapshot)->view->snapshots--;
    free(*snapshot);
    *snapshot = NULL;
}

int
view_snapshot_get(struct view_snapshot *snapshot, struct slice key, struct slice *ret_value)
{
    MDB_val name = val_of(key), value;
    touch(snapshot->view, key);
    int result = told(snapshot->view, mdb_get(snapshot->txn, snapshot->view->dbi, &name, &value));

    return result ? result : open_value(snapshot->view, name, value, ret_value);
}

bool
view_snapshot_has(struct view_snapshot *snapshot, uint64_t count)
{
    MDB_stat stat;
    bool is_so = mdb_stat(snapshot->txn, snapshot->view->dbi, &stat) == 0 &&
                 stat.ms_entries == count + 1; /* the format */

    snapshot->view->is_damaged |= !is_so;
    return is_so;
}

bool
view_snapshot_finds(struct view_snapshot *snapshot, struct slice key)
{
    struct slice value;
    bool is_found = view_snapshot_get(snapshot, key, &value) == 0;

    snapshot->view->is_damaged |= !is_found;
    return is_found;
}

int
view_scan_open(struct view *view, struct view_snapshot *snapshot, struct slice prefix,
               struct slice from, struct view_scan *ret_scan)
{
    MDB_cursor *cursor;
    int result = !snapshot ? begin(view) : snapshot->view->is_damaged ? -EBADMSG : 0;

    if (result < 0)
        return result;
    result = error_of(snapshot ? mdb_cursor_open(snapshot->txn, snapshot->view->dbi, &cursor)
                               : mdb_cursor_open(view->txn, view->dbi, &cursor));
    if (result < 0)
        return result;
    bool is_from_later = slice_compare(from, prefix) > 0;
    *ret_scan = (struct view_scan){.view = snapshot ? snapshot->view : view,
                                   .cursor = cursor,
                                   .prefix = prefix,
                                   .from = is_from_later ? from : prefix};
    return 0;
}

bool
view_scan_next(struct view_scan *scan, struct slice *ret_key, struct slice *ret_value)
{
    MDB_val key = val_of(scan->from), value;
    MDB_cursor_op op = scan->is_started ? MDB_NEXT : MDB_SET_RANGE;

    if (!scan->is_started && scan->from.len == 0)
        op = MDB_FIRST;
    scan->is_started = true;
    int result = mdb_cursor_get(scan->cursor, &key, &value, op);
    if (result == 0 && key.mv_size == FORMAT_KEY_LEN)
        result = mdb_cursor_get(scan->cursor, &key, &value, MDB_NEXT);
    if (told(scan->view, result) != 0 || !slice_starts_with(slice_of_val(key), scan->prefix) ||
        open_value(scan->view, key, value, ret_value) != 0)
        return false;
    if (scan->last.len > 0 && slice_compare(slice_of_val(key), scan->last) <= 0) {
        scan->view->is_damaged = true; /* a page leads to one that is not the next */
        return false;
    }
    *ret_key = scan->last = slice_of_val(key);
    touch(scan->view, *ret_key);
    go_on_trail(scan->view, &scan->view->scanned, ret_value->at);
    return true;
}

void
view_scan_close(struct view_scan *scan)
{
    if (scan->cursor)
        mdb_cursor_close(scan->cursor);
    scan->cursor = NULL;
}

void
view_space(struct view *view, uint64_t *ret_used, uint64_t *ret_size)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(view->env, &info) != 0 || mdb_env_stat(view->env, &stat) != 0) {
        *ret_used = *ret_size = 0;
        return;
    }
    *ret_used = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
    *ret_size = info.me_mapsize;
}

bool
view_has_snapshots(const struct view *view)
{
    return view->snapshots > 0;
}

bool
view_is_damaged(const struct view *view)
{
    return view->is_damaged;
}
