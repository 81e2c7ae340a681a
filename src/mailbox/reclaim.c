/* SPDX-License-Identifier: ISC */
#include "mailbox/reclaim.h"

#include "mailbox/store_private.h"

#include <stdlib.h>

enum { MOVED_BODIES_MAX = 1024 };

struct reclaim {
    struct store *store;
    uint32_t segment;   /* being written again, or 0 */
    uint32_t unread;    /* no segment up to this one is chosen: the disk could not read it */
    struct place next;  /* the turn to go on with */
    uint32_t rows_done; /* of that turn, when it is too large for one step */
    uint32_t changes_done;
    uint64_t last;       /* number of the turn before `next`; 0: not known */
    body_id bodies_done; /* of a damaged stretch: those before this one were looked for there */
    size_t looked_at;    /* bodies, in this step */
    bool is_read;                     /* all of it has been looked at */
    uint8_t *moved[MOVED_BODIES_MAX]; /* octets of the bodies in the turn on its way */
    size_t moved_count;
    size_t bytes, changes; /* taken into this step */
    reclaim_fn fn;
    void *context;
};

struct reclaim *
reclaim_open(struct store *store)
{
    struct reclaim *reclaim = calloc(1, sizeof(*reclaim));

    if (!reclaim)
        abort();
    reclaim->store = store;
    return reclaim;
}

static void
free_moved(struct reclaim *reclaim)
{
    for (size_t i = 0; i < reclaim->moved_count; i++)
        free(reclaim->moved[i]);
    reclaim->moved_count = 0;
    reclaim->bytes = reclaim->changes = reclaim->looked_at = 0;
}

void
reclaim_close(struct reclaim **reclaim)
{
    if (!*reclaim)
        return;
    free_moved(*reclaim);
    free(*reclaim);
    *reclaim = NULL;
}

static struct turn_log *
log_of(const struct reclaim *reclaim)
{
    return reclaim->store->engine->ops->log(reclaim->store->engine);
}

/* Sealed, old enough, mostly dead, and behind all that a replay could want. */
static bool
is_worth_it(struct store *store, const struct log_segment *segment, const struct log_segment *next)
{
    int64_t age = host_wall(store->options.host).ns - next->begun.ns;
    uint64_t live = store_live(store, segment->number)->bytes;

    if (segment->is_unread || segment->number >= store->durable_end.segment ||
        age < store->options.retain.ns || store_holds(store, segment->number))
        return false;
    if (segment->first_turn == 0)
        return live == 0; /* its changes cannot be read; its bodies can */
    return live < segment->len / 2;
}

static void
choose(struct reclaim *reclaim)
{
    struct turn_log *log = log_of(reclaim);

    for (size_t i = 0; i + 1 < turn_log_count(log); i++) {
        const struct log_segment *segment = turn_log_segment(log, i);
        if (segment->number <= reclaim->unread ||
            !is_worth_it(reclaim->store, segment, turn_log_segment(log, i + 1)))
            continue;
        reclaim->segment = segment->number;
        reclaim->next = (struct place){segment->number, 0};
        reclaim->rows_done = reclaim->changes_done = 0;
        reclaim->last = segment->first_turn ? segment->first_turn - 1 : 0;
        reclaim->bodies_done = 0;
        reclaim->is_read = false;
        return;
    }
    reclaim->unread = 0; /* the next time they are tried again */
}

static bool
is_full(const struct reclaim *reclaim)
{
    return reclaim->bytes >= RECLAIM_STEP_BYTES || reclaim->changes >= RECLAIM_STEP_CHANGES ||
           reclaim->moved_count == MOVED_BODIES_MAX ||
           reclaim->looked_at >= RECLAIM_STEP_BODIES;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static void
mark_damaged(struct store *store, body_id body, struct body_entry *entry)
{
    store_set_aside(store, entry->place, (uint64_t)entry->len + entry->record_len,
                    "a body is damaged");
    entry->marks |= BODY_DAMAGED;
    buffer_clear(&store->scratch);
    body_entry_put(&store->scratch, entry);
    store_put_entry(store, key_body(body));
}

/* Takes a body along when this place is where it lives. */
static int
move_body(struct reclaim *reclaim, body_id id, struct place place)
{
    struct store *store = reclaim->store;
    struct body_entry entry;
    struct slice value;
    int result = store_view_get(store, key_body(id), &value);

    if (result == -ENOENT)
        return 0;
    if (result < 0 || !body_entry_take(value, &entry))
        return result;
    if (entry.place.segment != place.segment || entry.place.offset != place.offset)
        return 0;
    if (entry.marks & BODY_DAMAGED) {
        /* Its octets go; that it was there, and is damaged, must not go with them. */
        struct key key = key_body(id);
        draft_put(&store->draft, key_slice(&key), value);
        reclaim->changes++;
        return 0;
    }
    size_t len = (size_t)entry.len + entry.record_len;
    uint8_t *octets = malloc(len + 1);
    if (!octets)
        abort();
    result = turn_log_read(log_of(reclaim), place, octets, len);
    struct slice body = slice_of(octets, entry.len);
    struct slice record = slice_of(octets + entry.len, entry.record_len);
    if (result < 0) {
        free(octets);
        return result;
    }
    if (turn_body_hash(body, slice_of("", 0)) != entry.hash ||
        turn_body_hash(record, slice_of("", 0)) != entry.record_hash) {
        free(octets);
        mark_damaged(store, id, &entry);
        return 0;
    }
    reclaim->moved[reclaim->moved_count++] = octets;
    reclaim->bytes += len;
    enum store_result added =
        store_add_body(store, id, body, slice_of("", 0), record, entry.refs);
    return added == STORE_OK ? 0 : -EMSGSIZE;
}

/* Turns that are damaged do not say which bodies they have; the view does, and those may be whole.
 * It is gone through a piece at a time. */
static int
move_stretch(struct reclaim *reclaim, const struct log_found *found)
{
    struct store *store = reclaim->store;
    struct key prefix = key_prefix_kind(0, KEY_BODY), from = key_body(reclaim->bodies_done);
    uint64_t start = found->place.offset;
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    struct body_entry entry;
    bool has_more = true;

    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&from), &scan);
    if (result < 0)
        return result;
    while (result == 0 && !is_full(reclaim) && (has_more = view_scan_next(&scan, &key, &value))) {
        reclaim->looked_at++;
        if (!key_parse(key, &parts))
            continue;
        reclaim->bodies_done = parts.number + 1;
        if (body_entry_take(value, &entry) && entry.place.segment == found->place.segment &&
            entry.place.offset >= start && entry.place.offset - start < found->len)
            result = move_body(reclaim, parts.number, entry.place);
    }
    view_scan_close(&scan);
    if (view_is_damaged(store->view))
        return -EBADMSG;
    if (result == 0 && !has_more) {
        /* Of a segment without a header nothing lives. */
        if (turn_log_find(log_of(reclaim), found->place.segment)->first_turn != 0)
            store_set_aside(store, found->place, found->len, "the log is damaged");
        reclaim->next.offset = start + found->len;
        reclaim->bodies_done = 0;
    }
    return result;
}

/* ---- changes --------------------------------------------------------------------------------- */

static bool
is_own_body(const struct reclaim *reclaim, const struct turn_change *change)
{
    struct key_parts parts;
    struct body_entry entry;

    return key_parse(change->key, &parts) && parts.kind == KEY_BODY && change->is_put &&
           body_entry_take(change->value, &entry) && entry.place.segment == reclaim->segment;
}

/* Takes a change along when it is still the last word on its key. */
static int
move_change(struct reclaim *reclaim, const struct turn_change *change, bool is_oldest)
{
    struct store *store = reclaim->store;
    struct slice value;
    int result = store->is_broken ? -EIO : view_get(store->view, change->key, &value);

    if (result < 0 && result != -ENOENT)
        return result;
    if (draft_has(&store->draft, change->key))
        return 0;
    if (change->is_put && result == 0 && slice_equal(value, change->value) &&
        !is_own_body(reclaim, change))
        draft_put(&store->draft, change->key, change->value);
    else if (!change->is_put && result == -ENOENT && !is_oldest)
        draft_del(&store->draft, change->key);
    else
        return 0;
    reclaim->changes++;
    return 0;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Takes along what lives of one turn, from where the last step stopped. */
static int
move_turn(struct reclaim *reclaim, const struct log_found *found)
{
    bool is_oldest = turn_log_segment(log_of(reclaim), 0)->number == reclaim->segment;
    struct turn_reader reader;
    struct turn_row row;
    struct turn_change change;
    int result = turn_open_meta(found->meta, &found->header, &reader) ? 0 : -EBADMSG;

    for (uint32_t i = 0; result == 0 && i < found->header.body_count; i++) {
        if (!turn_take_row(&reader, &row))
            return -EBADMSG;
        if (i < reclaim->rows_done)
            continue;
        if (is_full(reclaim))
            return 0;
        result = move_body(reclaim, row.id,
                           (struct place){found->place.segment, found->place.offset + row.offset});
        reclaim->rows_done = i + 1;
    }
    for (uint32_t i = 0; result == 0 && i < found->header.change_count; i++) {
        if (!turn_take_change(&reader, &change))
            return -EBADMSG;
        if (i < reclaim->changes_done)
            continue;
        if (is_full(reclaim))
            return 0;
        result = move_change(reclaim, &change, is_oldest);
        reclaim->changes_done = i + 1;
    }
    if (result == 0) {
        reclaim->next.offset = found->place.offset + found->len;
        reclaim->rows_done = reclaim->changes_done = 0;
    }
    return result;
}

/* Reads on in the segment until the step is full. */
static int
gather(struct reclaim *reclaim)
{
    struct log_walk walk;
    struct log_found found;
    int result = 0;

    log_walk_open(&walk, log_of(reclaim), reclaim->next, false);
    walk.last = reclaim->last;
    while (result == 0 && !is_full(reclaim)) {
        result = log_walk_next(&walk, &found);
        if (result <= 0 || found.place.segment != reclaim->segment) {
            reclaim->is_read = result >= 0;
            break;
        }
        result = 0;
        reclaim->next = found.place;
        reclaim->last = walk.last;
        if (found.event == LOG_TURN)
            result = move_turn(reclaim, &found);
        else if (found.event == LOG_UNREAD)
            result = -EIO;
        else
            result = move_stretch(reclaim, &found);
    }
    log_walk_close(&walk);
    return result < 0 ? result : 0;
}

static void
give_up_segment(struct reclaim *reclaim, int result)
{
    reclaim->unread = result == -EIO ? reclaim->segment : reclaim->unread;
    reclaim->segment = 0;
    store_drop(reclaim->store);
    free_moved(reclaim);
}

static enum store_result
remove_segment(struct reclaim *reclaim)
{
    struct store *store = reclaim->store;
    uint32_t segment = reclaim->segment;
    struct key key = key_segment(segment);

    reclaim->segment = 0;
    if (store_holds(store, segment))
        return STORE_OK; /* of what it had, only that is left: it goes when nobody reads it */
    int result = store->engine->ops->trim(store->engine, segment);
    if (result < 0)
        return store_result_of(result);
    store_forget_live(store, segment);
    result = view_del(store->view, key_slice(&key));
    store->is_changed = true;
    store_report(store, "reclaimed", "segment", segment);
    return store_result_of(result);
}

static void
on_commit(void *context, enum store_result result)
{
    struct reclaim *reclaim = context;

    free_moved(reclaim);
    if (result != STORE_OK)
        reclaim->segment = 0; /* from the start, later */
    else if (reclaim->is_read)
        result = remove_segment(reclaim);
    reclaim->fn(reclaim->context, result, false);
}

void
reclaim_step(struct reclaim *reclaim, reclaim_fn fn, void *context)
{
    struct store *store = reclaim->store;

    assert(!store_has_pending(store) && !store->is_busy);
    if (reclaim->segment == 0 && !store->is_broken)
        choose(reclaim);
    if (reclaim->segment == 0) {
        fn(context, STORE_OK, true);
        return;
    }
    int result = gather(reclaim);
    if (result < 0) {
        give_up_segment(reclaim, result);
        fn(context, store_result_of(result), false);
        return;
    }
    reclaim->fn = fn;
    reclaim->context = context;
    store->kind = TURN_MOVED;
    store_commit(store, on_commit, reclaim);
}
