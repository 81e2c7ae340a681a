/* SPDX-License-Identifier: ISC */
/* From turns to the view: the same way for a turn just committed and for one met by replay. What is
 * derived (where bodies lie, how much of each segment lives, the next body's number) is made here,
 * so that a turn need not say where it stands. */
#include "mailbox/store_private.h"

#include <stdio.h>
#include <stdlib.h>

/* Replay commits the view whenever it has put so many octets. */
enum { REPLAY_COMMIT_BYTES = 64 << 20, ASIDE_MAX = 64 << 20, ASIDE_CHUNK = 1 << 20 };

struct segment_live *
store_live(struct store *store, uint32_t segment)
{
    size_t at = store->live_count;

    /* Nearly always the last one. */
    while (at > 0 && store->live[at - 1].segment > segment)
        at--;
    if (at > 0 && store->live[at - 1].segment == segment)
        return &store->live[at - 1];
    if (store->live_count == store->live_size) {
        store->live_size = store->live_size ? store->live_size * 2 : 16;
        store->live = realloc(store->live, store->live_size * sizeof(*store->live));
        if (!store->live)
            abort();
    }
    memmove(&store->live[at + 1], &store->live[at],
            (store->live_count - at) * sizeof(*store->live));
    store->live_count++;
    store->live[at] = (struct segment_live){.segment = segment};
    return &store->live[at];
}

void
store_forget_live(struct store *store, uint32_t segment)
{
    for (size_t i = 0; i < store->live_count; i++) {
        if (store->live[i].segment != segment)
            continue;
        memmove(&store->live[i], &store->live[i + 1],
                (store->live_count - i - 1) * sizeof(*store->live));
        store->live_count--;
        return;
    }
}

static void
count_live(struct store *store, uint32_t segment, int64_t bytes)
{
    struct segment_live *live = store_live(store, segment);

    if (bytes < 0 && live->bytes < (uint64_t)-bytes)
        live->bytes = 0; /* after damage a count may be off; it only guides reclaim */
    else
        live->bytes += (uint64_t)bytes;
    live->is_changed = true;
}

static int
forget_old_body(struct store *store, struct slice key)
{
    struct slice value;
    struct body_entry old;
    int result = view_get(store->view, key, &value);

    if (result == 0 && body_entry_take(value, &old))
        count_live(store, old.place.segment, -((int64_t)old.len + old.record_len));
    return result == -ENOENT ? 0 : result;
}

static int
apply_row(struct store *store, const struct turn_row *row, enum turn_kind kind, struct place place,
          uint32_t marks)
{
    struct key key = key_body(row->id);
    struct body_entry entry = {
        .place = {place.segment, place.offset + row->offset},
        .len = row->len,
        .record_len = row->record_len,
        .refs = row->refs,
        .marks = marks,
        .hash = row->hash,
        .record_hash = row->record_hash,
    };
    int result = kind == TURN_MOVED ? forget_old_body(store, key_slice(&key)) : 0;

    if (result < 0)
        return result;
    count_live(store, place.segment, (int64_t)row->len + row->record_len);
    if (row->id >= store->next_body)
        store->next_body = row->id + 1;
    buffer_clear(&store->scratch);
    body_entry_put(&store->scratch, &entry);
    return view_put(store->view, key_slice(&key), buffer_slice(&store->scratch));
}

static bool
is_record_short(size_t len)
{
    return len > 0 && len <= STORE_RECORD_SHORT;
}

static bool
is_message_put(const struct turn_change *change)
{
    struct key_parts parts;

    return change->is_put && key_parse(change->key, &parts) && parts.kind == KEY_MESSAGE;
}

/* Whether anybody will list what comes with the turn: mail that only passes through is read once,
 * and from the log. What reclaim moves is whatever it is. */
static bool
is_turn_listed(const struct turn *turn)
{
    bool is_listed = turn->kind == TURN_MOVED;

    for (size_t i = 0; !is_listed && turn->body_count > 0 && i < turn->change_count; i++)
        is_listed = is_message_put(&turn->changes[i]);
    return is_listed;
}

/* The same of a turn that replay has met. */
static bool
is_found_listed(const struct log_found *found)
{
    const struct turn_header *header = &found->header;
    bool is_listed = header->kind == TURN_MOVED;
    struct turn_reader reader;
    struct turn_row row;
    struct turn_change change;

    if (!turn_open_meta(found->meta, header, &reader))
        return false;
    for (uint32_t i = 0; i < header->body_count; i++) {
        if (!turn_take_row(&reader, &row))
            return false;
    }
    for (uint32_t i = 0; !is_listed && i < header->change_count; i++)
        is_listed = turn_take_change(&reader, &change) && is_message_put(&change);
    return is_listed;
}

/* Short records stand in the view, too: who lists a mailbox finds them side by side there, and in
 * the log with a body between any two. */
static int
apply_record(struct store *store, body_id body, struct slice record)
{
    struct key key = key_record(body);

    return is_record_short(record.len) ? view_put(store->view, key_slice(&key), record) : 0;
}

/* The same of a turn that replay has met. What the log does not give as it was is left out: who
 * asks for it looks there again, and hears. */
static int
apply_found_record(struct store *store, const struct turn_row *row, struct place place)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    struct place record = {place.segment, place.offset + row->offset + row->len};
    NOT_ZEROED uint8_t bytes[STORE_RECORD_SHORT];

    if (!is_record_short(row->record_len) ||
        turn_log_read(log, record, bytes, row->record_len) < 0 ||
        turn_body_hash(slice_of(bytes, row->record_len), slice_of("", 0)) != row->record_hash)
        return 0;
    store->replayed_bytes += row->record_len;
    return apply_record(store, row->id, slice_of(bytes, row->record_len));
}

static int
apply_change(struct store *store, const struct turn_change *change, enum turn_kind kind,
             struct place place)
{
    if (kind == TURN_MOVED)
        count_live(store, place.segment, (int64_t)(6 + change->key.len + change->value.len));
    if (change->is_put)
        return view_put(store->view, change->key, change->value);
    struct key_parts parts;
    if (key_parse(change->key, &parts) && parts.kind == KEY_BODY) {
        store_held_dropped(store, parts.number);
        int result = forget_old_body(store, change->key);
        struct key record = key_record(parts.number);
        if (result == 0) /* many have none */
            result = view_del(store->view, key_slice(&record));
        if (result < 0)
            return result;
    }
    return view_del(store->view, change->key);
}

static void
note_applied(struct store *store, uint64_t number, struct place place, uint64_t len)
{
    struct segment_live *live = store_live(store, place.segment);

    live->end = place.offset + len;
    live->is_changed = true;
    store->last_turn = number;
    store->end = (struct place){place.segment, live->end};
    store->is_changed = true;
}

int
store_apply(struct store *store, const struct turn *turn, uint64_t number, struct place place)
{
    bool is_listed = is_turn_listed(turn);
    uint64_t offset = 0;
    int result = 0;

    for (size_t i = 0; result == 0 && i < turn->body_count; i++) {
        struct turn_row row = turn_row_of(turn, i, offset);
        offset = row.offset + row.len + row.record_len;
        result = apply_row(store, &row, turn->kind, place, 0);
    }
    for (size_t i = 0; result == 0 && is_listed && i < turn->body_count; i++)
        result = apply_record(store, turn->bodies[i].id, turn->bodies[i].record);
    for (size_t i = 0; result == 0 && i < turn->change_count; i++)
        result = apply_change(store, &turn->changes[i], turn->kind, place);
    if (result == 0)
        note_applied(store, number, place, turn_len(turn));
    return result;
}

int
store_apply_found(struct store *store, const struct log_found *found)
{
    const struct turn_header *header = &found->header;
    struct turn_reader reader;
    struct turn_row row;
    struct turn_change change;
    uint32_t marks = found->is_body_damaged ? BODY_DAMAGED : 0;
    bool is_listed = is_found_listed(found);
    int result = 0;

    if (!turn_open_meta(found->meta, header, &reader))
        return -EBADMSG;
    for (uint32_t i = 0; result == 0 && i < header->body_count; i++) {
        if (!turn_take_row(&reader, &row))
            return -EBADMSG;
        result = apply_row(store, &row, header->kind, found->place, marks);
        if (result == 0 && is_listed)
            result = apply_found_record(store, &row, found->place);
    }
    for (uint32_t i = 0; result == 0 && i < header->change_count; i++)
        result = turn_take_change(&reader, &change)
                     ? apply_change(store, &change, header->kind, found->place)
                     : -EBADMSG;
    if (result == 0)
        note_applied(store, header->number, found->place, found->len);
    return result;
}

int
store_load_live(struct store *store)
{
    struct key prefix = key_prefix_kind(0, KEY_SEGMENT);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;

    store->live_count = 0;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return result;
    while (view_scan_next(&scan, &key, &value)) {
        struct cursor cursor = cursor_of(value);
        uint64_t bytes, end;
        if (!key_parse(key, &parts) || !cursor_take_le64(&cursor, &bytes) ||
            !cursor_take_le64(&cursor, &end))
            continue; /* it only guides reclaim */
        struct segment_live *live = store_live(store, (uint32_t)parts.number);
        live->bytes = bytes;
        live->end = end;
    }
    view_scan_close(&scan);
    return 0;
}

void
store_trim_ends(struct store *store)
{
    struct turn_log *log = store->engine->ops->log(store->engine);

    for (size_t i = 0; i < store->live_count; i++) {
        const struct segment_live *live = &store->live[i];
        const struct log_segment *segment = turn_log_find(log, live->segment);
        if (segment && live->end > 0 && segment->len > live->end &&
            turn_log_trim_end(log, live->segment, live->end) < 0)
            store_report(store, "not_trimmed", "cannot cut the end of segment", live->segment);
    }
}

/* Puts how far the view is, and commits it. */
int
store_save(struct store *store)
{
    struct key key = key_meta();
    struct meta_entry meta = {
        .version = VIEW_VERSION,
        .shard = store->options.shard,
        .epoch = store->epoch,
        .turn = store->last_turn,
        .end = store->end,
        .next_body = store->next_body,
    };
    int result = 0;

    for (size_t i = 0; result == 0 && i < store->live_count; i++) {
        if (!store->live[i].is_changed)
            continue;
        struct key segment = key_segment(store->live[i].segment);
        buffer_clear(&store->scratch);
        buffer_put_le64(&store->scratch, store->live[i].bytes);
        buffer_put_le64(&store->scratch, store->live[i].end);
        result = view_put(store->view, key_slice(&segment), buffer_slice(&store->scratch));
    }
    buffer_clear(&store->scratch);
    meta_entry_put(&store->scratch, &meta);
    if (result == 0)
        result = view_put(store->view, key_slice(&key), buffer_slice(&store->scratch));
    if (result == 0)
        result = view_commit(store->view);
    if (result < 0)
        return result;
    for (size_t i = 0; i < store->live_count; i++)
        store->live[i].is_changed = false;
    store->durable_end = store->end;
    store->is_changed = false;
    store->engine->ops->checkpoint(store->engine, store->end);
    return 0;
}

/* ---- what is damaged ----------------------------------------------------------------------- */

static int
copy_aside(struct store *store, struct host_dir *aside, struct place place, uint64_t len)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    struct host_file *file = NULL;
    char name[48];

    snprintf(name, sizeof(name), "%08u-%llu", place.segment, (unsigned long long)place.offset);
    uint8_t *chunk = malloc(ASIDE_CHUNK);
    if (!chunk)
        abort();
    int result = host_file_open(aside, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file);
    for (uint64_t at = 0; result == 0 && at < len && at < ASIDE_MAX; at += ASIDE_CHUNK) {
        size_t some = len - at < ASIDE_CHUNK ? (size_t)(len - at) : ASIDE_CHUNK;
        struct slice piece = {chunk, some};
        /* What cannot be read stays a hole. */
        if (turn_log_read(log, (struct place){place.segment, place.offset + at}, chunk, some) == 0)
            result = host_file_write(file, &piece, 1, at);
    }
    host_file_close(&file);
    free(chunk);
    return result;
}

static int
set_aside(struct store *store, struct place place, uint64_t len)
{
    struct host_dir *aside = NULL;
    int result = host_dir_make(store->options.dir, "damaged");

    if (result == 0 || result == -EEXIST)
        result = host_dir_open_below(store->options.dir, "damaged", &aside);
    if (result == 0)
        result = copy_aside(store, aside, place, len);
    host_dir_close(&aside);
    return result;
}

void
store_set_aside(struct store *store, struct place place, uint64_t len, const char *what)
{
    char text[256];
    int result = set_aside(store, place, len);

    snprintf(text, sizeof(text), "%s: segment %u, octets %llu to %llu%s", what, place.segment,
             (unsigned long long)place.offset, (unsigned long long)place.offset + len,
             result == 0 ? ", set aside in damaged/" : ", could not be set aside");
    store->stats.damaged++;
    store_report(store, "damaged", text, 0);
}

/* ---- recovery ------------------------------------------------------------------------------ */

/* The last turn is not whole: the power went while it was written, and nobody was told that it is
 * durable; or the disk has changed it since. */
static void
keep_tail(struct store *store, const struct log_found *found)
{
    if (found->is_blank)
        return;
    store_report(store, "tail_cut",
                 set_aside(store, found->place, found->len) == 0
                     ? "the last turn is not whole; set aside in damaged/: segment"
                     : "the last turn is not whole: segment",
                 found->place.segment);
}

struct replay {
    struct store *store;
    struct buffer *why;
    bool is_unread;
};

/* What was acknowledged may stand there, and be read the next time. A store that went on without it
 * would give out the same UIDs and MODSEQs again. */
static void
refuse_unread(struct replay *replay, const struct log_found *found)
{
    char text[256];

    snprintf(text, sizeof(text),
             "the disk cannot read store/log/%08u.seg, octets %llu to %llu, where acknowledged "
             "mail may be; if that stays so, `facteur check --rescue` gives up what cannot be read",
             found->place.segment, (unsigned long long)found->place.offset,
             (unsigned long long)found->place.offset + found->len);
    buffer_put_text(replay->why, text);
    replay->is_unread = true;
}

static bool
replay_one(void *context, const struct log_found *found)
{
    struct replay *replay = context;
    struct store *store = replay->store;
    int result = 0;

    switch (found->event) {
    case LOG_DAMAGED:
        store_set_aside(store, found->place, found->len, "the log is damaged");
        return true;
    case LOG_TAIL:
        keep_tail(store, found);
        return true;
    case LOG_UNREAD:
        refuse_unread(replay, found);
        return false;
    case LOG_TURN:
        break;
    }
    if (found->header.epoch > store->epoch)
        store->epoch = found->header.epoch;
    if (found->header.number > store->last_turn) {
        result = store_apply_found(store, found);
        store->stats.replayed++;
        store->replayed_bytes += found->meta.len;
    }
    if (result == 0 && store->replayed_bytes > REPLAY_COMMIT_BYTES) {
        store->replayed_bytes = 0;
        result = store_save(store);
    }
    return result == 0;
}

/* Reads how far the view is. */
static int
load_meta(struct store *store, struct buffer *why)
{
    struct meta_entry meta = {
        .version = VIEW_VERSION, .shard = store->options.shard, .next_body = 1};
    struct key key = key_meta();
    struct slice value;
    int result = view_get(store->view, key_slice(&key), &value);

    if (result < 0 && result != -ENOENT) {
        buffer_put_text(why, "cannot read the view");
        return result;
    }
    if (result == 0 && !meta_entry_take(value, &meta)) {
        buffer_put_text(why, "the view's first record is damaged: move store/view away, and it "
                             "will be rebuilt from the log");
        return -EBADMSG;
    }
    if (meta.version > VIEW_VERSION) {
        buffer_put_text(why, "the view was written by a newer release of Facteur: use that one");
        return -EPROTONOSUPPORT;
    }
    if (meta.shard != store->options.shard) {
        buffer_put_text(why, "the view belongs to another shard");
        return -EINVAL;
    }
    if (meta.epoch > store->epoch)
        store->epoch = meta.epoch;
    store->last_turn = meta.turn;
    store->end = store->durable_end = meta.end;
    if (meta.next_body > store->next_body)
        store->next_body = meta.next_body;
    return 0;
}

/* The log must reach at least as far as the view: what the view names must be there. */
static int
is_log_whole(struct store *store, struct buffer *why)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    const struct log_segment *segment = turn_log_find(log, store->end.segment);

    if (store->end.segment == 0 || (segment && segment->len >= store->end.offset))
        return 0;
    buffer_put_text(why, "the log ends before the view: segment ");
    buffer_put_decimal(why, store->end.segment);
    buffer_put_text(why, " is missing or cut; restore store/log from a backup, or move store/view "
                         "away to have it rebuilt from what is left");
    return -EBADMSG;
}

static void
tell_mended(struct store *store)
{
    struct turn_log *log = store->engine->ops->log(store->engine);

    for (size_t i = 0; i < turn_log_count(log); i++) {
        const struct log_segment *segment = turn_log_segment(log, i);
        if (!segment->is_mended && !segment->is_unread)
            continue;
        store->stats.damaged++;
        store_report(store, "damaged",
                     segment->is_mended
                         ? "the header stands twice, one was damaged and is mended: segment"
                         : "the disk cannot read the header, nor its twin: segment",
                     segment->number);
    }
}

int
store_recover(struct store *store, bool is_first, struct buffer *why)
{
    struct replay replay = {store, why, false};
    int result = load_meta(store, why);

    if (is_first)
        tell_mended(store);

    if (result == 0)
        result = is_log_whole(store, why);
    if (result == 0)
        result = store_load_live(store);
    if (result < 0)
        return result;
    store->replayed_bytes = 0;
    result = store->engine->ops->replay(store->engine, store->end, store->last_turn, is_first,
                                        replay_one, &replay);
    if (replay.is_unread)
        return -EIO;
    if (result == -EPROTONOSUPPORT)
        buffer_put_text(why, "the log was written by a newer release of Facteur: use that one");
    else if (result < 0)
        buffer_put_text(why, "cannot replay the log");
    return result;
}
