/* SPDX-License-Identifier: ISC */
#include "mailbox/store.h"

#include "mailbox/store_private.h"

#include <stdio.h>
#include <stdlib.h>

#define MAP_BYTES_DEFAULT ((uint64_t)16 << 30)
#define TRIAL "view.trial"
#define VIEW_DAMAGED "the view was damaged, was put aside and is rebuilt"

enum store_result
store_result_of(int negative_errno)
{
    switch (negative_errno) {
    case 0:
        return STORE_OK;
    case -ENOENT:
        return STORE_NOT_FOUND;
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG: /* RLIMIT_FSIZE */
        return STORE_NO_SPACE;
    case -EBADMSG:
        return STORE_DAMAGED;
    default:
        return STORE_TEMPORARY;
    }
}

void
store_report(struct store *store, const char *event, const char *text, uint64_t number)
{
    char line[512];

    if (!store->options.report)
        return;
    if (number)
        snprintf(line, sizeof(line), "%s %llu", text, (unsigned long long)number);
    else
        snprintf(line, sizeof(line), "%s", text);
    store->options.report(store->options.report_context, event, slice_of_string(line));
}

static void
set_view_path(struct store *store)
{
    const char *given = store->options.view_path;
    const char *base = given ? given : host_dir_path(store->options.dir);
    size_t size = strlen(base) + sizeof("/view");

    store->view_path = malloc(size);
    if (!store->view_path)
        abort();
    snprintf(store->view_path, size, "%s%s", base, given ? "" : "/view");
}

static void
empty_folder(struct host_dir *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};

    for (size_t i = 0; i < COUNT_OF(files); i++)
        (void)!host_dir_remove(dir, files[i]);
}

/* A view that is no good is put aside under another name; the log makes a new one. The last that
 * was put aside is kept, for who wants to know. */
static int
replace_view(struct store *store, const char *why)
{
    struct host_dir *old = NULL;

    if (store->options.view_path)
        return -EBADMSG;
    if (host_dir_open_below(store->options.dir, "view.damaged", &old) == 0) {
        empty_folder(old);
        host_dir_close(&old);
    }
    int result = host_dir_rename(store->options.dir, "view", "view.damaged");
    if (result == 0)
        result = host_dir_make(store->options.dir, "view");
    if (result == 0) {
        store->stats.damaged++;
        store_report(store, "damaged", why, 0);
    }
    return result;
}

static void
forget_map(void *context, struct slice map)
{
    struct store *store = context;

    host_mapping_forget(store->options.host, map);
}

static void
want_map(void *context, struct slice map)
{
    struct store *store = context;

    host_mapping_want(store->options.host, map);
}

static int
make_view_folder(struct store *store)
{
    int result = store->options.view_path ? 0 : host_dir_make(store->options.dir, "view");

    return result == -EEXIST ? 0 : result;
}

static uint64_t
map_bytes(const struct store *store)
{
    return store->options.map_bytes ? store->options.map_bytes : MAP_BYTES_DEFAULT;
}

static int
open_lmdb(struct store *store, struct view **ret_view)
{
    int result = view_open(store->view_path, map_bytes(store), ret_view);

    if (result == 0)
        view_set_map(*ret_view, forget_map, want_map, store);
    return result;
}

/* What LMDB says of a file that is not as it left it. */
static bool
is_damage(int result)
{
    return result == -EBADMSG || result == -EPROTONOSUPPORT || result == -EINVAL ||
           result == -EIO || result == -ENOMEM;
}

/* LMDB was led to lists without an end; or there is no room for the map, and no view can be opened:
 * then not even a new one. */
static bool
is_memory_short(struct store *store)
{
    struct view *trial = NULL;
    struct host_dir *dir = NULL;
    char path[4096];

    if (store->options.view_path)
        return true;
    snprintf(path, sizeof(path), "%s/" TRIAL, host_dir_path(store->options.dir));
    int made = host_dir_make(store->options.dir, TRIAL);
    if ((made < 0 && made != -EEXIST) ||
        host_dir_open_below(store->options.dir, TRIAL, &dir) < 0)
        return true;
    int result = view_open(path, map_bytes(store), &trial);
    view_close(&trial);
    empty_folder(dir);
    host_dir_close(&dir);
    (void)!host_dir_remove(store->options.dir, TRIAL);
    return result == -ENOMEM;
}

static int
open_view(struct store *store, struct buffer *why)
{
    int result = make_view_folder(store);

    if (result == 0 && store->options.is_view_suspect)
        result = replace_view(store, "the store fell again and again; its view was put aside and "
                                     "is rebuilt");
    if (result == 0)
        result = open_lmdb(store, &store->view);
    if (result == -ENOMEM && is_memory_short(store)) {
        buffer_put_text(why, "no room in memory for the map of the view: limits of the address "
                             "space (ulimit -v, LimitAS) must be far above 16 GiB; ");
    } else if (is_damage(result)) {
        result = replace_view(store, VIEW_DAMAGED);
        if (result == 0)
            result = open_lmdb(store, &store->view);
    }
    if (result < 0) {
        buffer_put_text(why, "cannot open the view (LMDB) in ");
        buffer_put_text(why, store->view_path);
    }
    return result;
}

/* A new and empty view in the place of one that was seen to be damaged. */
static int
renew_view(struct store *store)
{
    struct view *fresh = NULL;

    if (view_has_snapshots(store->view))
        return -EBUSY;
    int result = replace_view(store, VIEW_DAMAGED);
    if (result == 0)
        result = open_lmdb(store, &fresh);
    if (result < 0)
        return result;
    view_close(&store->view);
    store->view = store->draft.view = fresh;
    return 0;
}

static struct store *
new_store(const struct store_options *options)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        abort();
    store->options = *options;
    store->next_body = 1;
    buffer_init(&store->scratch, TURN_VALUE_MAX);
    host_random(options->host, &store->seed, sizeof(store->seed));
    draft_init(&store->draft, NULL, store->seed);
    map_init(&store->held, store->seed);
    set_view_path(store);
    return store;
}

/* The view that is found to be damaged meanwhile is made anew. */
static int
recover_all(struct store *store, struct buffer *why)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    int result = store_recover(store, true, why);

    if (!view_is_damaged(store->view))
        return result;
    buffer_clear(why);
    result = renew_view(store);
    return result ? result : store_recover(store, !turn_log_is_cut(log), why);
}

/* Damage among the pages that LMDB keeps free is met by the first commit only. EIO: LMDB has no
 * better name for what it met, or the disk has failed; both are tried once more with a new view. */
static int
save_first(struct store *store, struct buffer *why)
{
    int result = store_save(store);

    if (result == -EIO || (result < 0 && view_is_damaged(store->view))) {
        result = renew_view(store);
        if (result == 0)
            result = store_recover(store, false, why);
        if (result == 0)
            result = store_save(store);
    }
    if (result < 0)
        buffer_put_text(why, "cannot write the view");
    return result;
}

int
store_open(const struct store_options *options, struct buffer *why, struct store **ret_store)
{
    struct store *store = new_store(options);
    uint64_t known;

    int result = engine_file_open(options->host, options->dir, options->shard,
                                  options->segment_bytes, why, &store->engine);
    if (result == 0)
        result = open_view(store, why);
    if (result == 0) {
        store->draft.view = store->view;
        result = recover_all(store, why);
    }
    known = store->epoch;
    if (result == 0)
        store_trim_ends(store);
    if (result == 0)
        result = store->engine->ops->acquire(store->engine, known, store->last_turn, &store->epoch);
    if (result == 0)
        result = save_first(store, why);
    if (result < 0)
        store_abandon(&store);
    *ret_store = store;
    return result;
}

void
store_abandon(struct store **store)
{
    struct store *old = *store;

    if (!old)
        return;
    view_close(&old->view);
    if (old->engine)
        old->engine->ops->close(&old->engine);
    draft_finish(&old->draft);
    store_held_finish(old);
    buffer_finish(&old->scratch);
    free(old->bodies);
    free(old->live);
    free(old->view_path);
    free(old);
    *store = NULL;
}

void
store_close(struct store **store)
{
    if (!*store)
        return;
    assert(!(*store)->is_busy);
    if ((*store)->is_changed && !(*store)->is_broken && store_save(*store) < 0)
        store_report(*store, "view_failed", "cannot write the view; the log will make it good", 0);
    store_abandon(store);
}

/* ---- turns --------------------------------------------------------------------------------- */

size_t
store_pending_bytes(const struct store *store)
{
    return store->body_bytes + store->draft.bytes;
}

bool
store_has_pending(const struct store *store)
{
    return store->body_count > 0 || store->draft.count > 0;
}

bool
store_is_readable(const struct store *store)
{
    return !store->is_broken && !view_is_damaged(store->view);
}

bool
store_is_busy(const struct store *store)
{
    return store->is_busy;
}

void
store_drop(struct store *store)
{
    draft_clear(&store->draft);
    store->body_count = 0;
    store->body_bytes = 0;
    store->kind = TURN_ORDINARY;
}

static size_t
drop_unnamed_bodies(struct store *store)
{
    size_t kept = 0;

    for (size_t i = 0; i < store->body_count; i++) {
        if (store->bodies[i].refs > 0)
            store->bodies[kept++] = store->bodies[i];
    }
    return store->body_count = kept;
}

/* Something goes, and no message comes or is changed. */
static bool
frees_space(const struct draft *draft)
{
    bool is_any_going = false;

    for (size_t i = 0; i < draft->count; i++) {
        const struct turn_change *change = &draft->changes[i];
        struct key_parts parts;
        if (change->is_put && key_parse(change->key, &parts) && parts.kind == KEY_MESSAGE)
            return false;
        is_any_going |= !change->is_put;
    }
    return is_any_going;
}

static enum turn_need
need_of(const struct store *store)
{
    if (store->kind == TURN_MOVED)
        return TURN_FREES;
    if (store->body_count > 0)
        return TURN_TAKES;
    return frees_space(&store->draft) ? TURN_FREES : TURN_CHANGES;
}

static struct turn
pending_turn(struct store *store)
{
    return (struct turn){
        .kind = store->kind,
        .need = need_of(store),
        .wall = host_wall(store->options.host),
        .bodies = store->bodies,
        .body_count = store->body_count,
        .changes = store->draft.changes,
        .change_count = store->draft.count,
    };
}

/* The view lacks a turn that is durable: it goes back to its last commit and takes all from there
 * again. One that is damaged is made anew. */
static void
repair_view(struct store *store)
{
    struct buffer why;

    store->is_broken = true;
    buffer_init(&why, 1024);
    int result = view_is_damaged(store->view) ? renew_view(store) : view_rollback(store->view);
    if (result == 0)
        result = store_recover(store, false, &why);
    if (result == 0)
        store->is_broken = false;
    else if (result != -EBUSY) /* of who looks at it: once more when he is done */
        store_report(store, "view_failed", "the view cannot be brought up to the log", 0);
    buffer_finish(&why);
}

static void
on_durable(struct store *store, struct place place)
{
    struct turn turn = pending_turn(store);
    int result = store_apply(store, &turn, store->last_turn + 1, place);

    store->stats.turns++;
    store->stats.bodies += turn.body_count;
    store->stats.body_bytes += store->body_bytes;
    if (result < 0)
        repair_view(store);
    if (store->watch_fn && turn.kind == TURN_ORDINARY)
        store->watch_fn(store->watch_context, turn.changes, turn.change_count);
}

static void
on_commit(void *context, enum engine_result result, struct place place)
{
    static const enum store_result results[] = {
        [ENGINE_DURABLE] = STORE_OK,
        [ENGINE_FENCED] = STORE_FENCED,
        [ENGINE_NO_SPACE] = STORE_NO_SPACE,
        [ENGINE_FAILED] = STORE_TEMPORARY,
    };
    struct store *store = context;
    store_commit_fn fn = store->commit_fn;

    if (result == ENGINE_DURABLE) {
        on_durable(store, place);
    } else {
        store->stats.turn_failures++;
        store_report(store, "turn_failed",
                     result == ENGINE_NO_SPACE ? "the disk is full" : "the disk refused a turn", 0);
    }
    store_drop(store);
    store->is_busy = false;
    fn(store->commit_context, results[result]);
}

void
store_commit(struct store *store, store_commit_fn fn, void *context)
{
    assert(!store->is_busy);
    if (drop_unnamed_bodies(store) == 0 && store->draft.count == 0) {
        store_drop(store);
        fn(context, STORE_OK);
        return;
    }
    if (!store_is_readable(store)) {
        store_drop(store);
        fn(context, STORE_TEMPORARY);
        return;
    }
    store->is_busy = true;
    store->commit_fn = fn;
    store->commit_context = context;
    struct turn turn = pending_turn(store);
    store->engine->ops->commit(store->engine, &turn, store->last_turn + 1, on_commit, store);
}

bool
store_is_unprepared(const struct store *store)
{
    return turn_log_is_unprepared(store->engine->ops->log(store->engine));
}

void
store_prepare(struct store *store)
{
    if (!store->is_busy)
        turn_log_prepare(store->engine->ops->log(store->engine));
}

void
store_set_watcher(struct store *store, store_watch_fn fn, void *context)
{
    store->watch_fn = fn;
    store->watch_context = context;
}

void
store_sync_view(struct store *store)
{
    if (store->is_busy)
        return;
    if (!store_is_readable(store)) {
        repair_view(store);
        return;
    }
    if (!store->is_changed)
        return;
    if (store_save(store) < 0) {
        store_report(store, "view_failed", "cannot write the view; will try again", 0);
        repair_view(store);
    }
}

void
store_rest(struct store *store)
{
    if (store->is_busy || store->is_broken || store->is_changed || store_has_pending(store))
        return;
    store->engine->ops->rest(store->engine);
    draft_finish(&store->draft);
    buffer_finish(&store->scratch);
    free(store->bodies);
    store->bodies = NULL;
    store->body_size = 0;
    if (view_rest(store->view) < 0)
        store_report(store, "view_failed", "the view cannot be opened again; it is made anew", 0);
}

void
store_set_retain(struct store *store, struct duration retain)
{
    store->options.retain = retain;
}

void
store_stats_get(struct store *store, struct store_stats *ret_stats)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    struct store_stats stats = store->stats;
    uint64_t size;

    stats.last_turn = store->last_turn;
    stats.epoch = store->epoch;
    stats.segments = turn_log_count(log);
    for (size_t i = 0; i < turn_log_count(log); i++)
        stats.log_bytes += turn_log_segment(log, i)->len;
    for (size_t i = 0; i < store->live_count; i++)
        stats.live_bytes += store->live[i].bytes;
    view_space(store->view, &stats.view_bytes, &size);
    if (host_dir_space(store->options.dir, &stats.disk_free, &stats.disk_total) < 0)
        stats.disk_free = stats.disk_total = 0;
    *ret_stats = stats;
}

uint64_t
store_seed(const struct store *store)
{
    return store->seed;
}
