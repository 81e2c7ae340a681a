/* SPDX-License-Identifier: ISC */
/* First the log: every turn, every body. Then the view, on a snapshot, in one pass over its keys in
 * their order; references are counted in windows of bodies, so that memory stays bounded however
 * many there are. */
#include "mailbox/check.h"

#include "base/hash.h"
#include "mailbox/store_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_BYTES = 4 << 20, /* of the log in one step */
    STEP_KEYS = 4000,
    CHUNK = 1 << 20,
    FINDINGS_TOLD_MAX = 1000,
};

enum phase { PHASE_LOG, PHASE_VIEW, PHASE_REFS, PHASE_DONE };

/* The mailbox whose messages go by. */
struct group {
    account_id account;
    mailbox_id mailbox;
    struct mailbox_entry entry;
    bool is_open, is_purged;
    uint64_t messages, bytes, unseen;
};

struct owner {
    account_id account;
    struct account_entry entry;
    bool is_open;
    uint64_t messages, bytes; /* of mailboxes that are not being purged */
};

struct check {
    struct store *store;
    check_finding_fn fn;
    void *context;
    struct check_progress progress;
    enum phase phase;
    struct log_walk walk;
    struct log_found found;
    struct turn_reader reader;
    bool has_turn;
    uint8_t *chunk;
    struct view_snapshot *snapshot;
    struct view_scan scan;
    bool is_scanning;
    uint32_t *refs;
    uint64_t keys;  /* of the view, so far */
    body_id window; /* first body of it */
    body_id next_body;
    uint64_t log_end_bytes;
    struct group group;
    struct owner owner;
};

static void __attribute__((format(printf, 2, 3))) find(struct check *check, const char *format, ...)
{
    char text[512];
    va_list list;

    if (++check->progress.findings > FINDINGS_TOLD_MAX)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    check->fn(check->context, slice_of_string(text));
}

struct check *
check_open(struct store *store, check_finding_fn fn, void *context)
{
    struct turn_log *log = store->engine->ops->log(store->engine);
    struct check *check;

    store_sync_view(store);
    if (store->is_broken || store->is_changed)
        return NULL;
    check = calloc(1, sizeof(*check));
    if (!check || !(check->chunk = malloc(CHUNK)))
        abort();
    check->store = store;
    check->fn = fn;
    check->context = context;
    for (size_t i = 0; i < turn_log_count(log); i++)
        check->progress.parts += turn_log_segment(log, i)->len;
    check->log_end_bytes = check->progress.parts;
    check->progress.parts += store->stats.bodies; /* the view's share is set when it begins */
    log_walk_open(&check->walk, log, (struct place){0, 0}, false);
    return check;
}

void
check_close(struct check **check)
{
    struct check *old = *check;

    if (!old)
        return;
    if (old->phase == PHASE_LOG)
        log_walk_close(&old->walk);
    if (old->is_scanning)
        view_scan_close(&old->scan);
    view_snapshot_close(&old->snapshot);
    free(old->refs);
    free(old->chunk);
    free(old);
    *check = NULL;
}

void
check_progress_get(const struct check *check, struct check_progress *ret_progress)
{
    *ret_progress = check->progress;
}

/* ---- the log --------------------------------------------------------------------------------- */

/* 1 when the octets have this hash, 0 when not, or the error. */
static int
verify(struct check *check, struct place place, uint64_t len, uint64_t wanted)
{
    struct hash_stream *stream = hash_stream_open();
    int result = 0;

    for (uint64_t at = 0; result == 0 && at < len; at += CHUNK) {
        size_t some = len - at < CHUNK ? (size_t)(len - at) : CHUNK;
        result = turn_log_read(check->walk.log, (struct place){place.segment, place.offset + at},
                               check->chunk, some);
        if (result == 0)
            hash_stream_put(stream, slice_of(check->chunk, some));
    }
    uint64_t hash = hash_stream_close(&stream);
    return result < 0 ? result : hash == wanted;
}

/* A body at this place is damaged; when it is the one that is named, readers are told. */
static void
condemn(struct check *check, const struct turn_row *row, struct place place)
{
    struct store *store = check->store;
    struct body_entry entry;
    struct slice value;
    struct key key = key_body(row->id);

    bool is_named = store_draft_get(store, key, &value) == 0 && body_entry_take(value, &entry) &&
                    entry.place.segment == place.segment && entry.place.offset == place.offset;
    if (is_named && entry.marks & BODY_DAMAGED) {
        find(check, "body %llu is damaged, as was found before", (unsigned long long)row->id);
        return;
    }
    store_set_aside(store, place, (uint64_t)row->len + row->record_len, "a body is damaged");
    find(check, "body %llu is damaged (segment %u, octet %llu), %s", (unsigned long long)row->id,
         place.segment, (unsigned long long)place.offset,
         is_named ? "set aside and marked" : "but no message names it");
    if (!is_named)
        return;
    entry.marks |= BODY_DAMAGED;
    buffer_clear(&store->scratch);
    body_entry_put(&store->scratch, &entry);
    store_put_entry(store, key);
}

static void
check_body(struct check *check, const struct turn_row *row)
{
    struct place place = {check->found.place.segment, check->found.place.offset + row->offset};
    int result = verify(check, place, row->len, row->hash);

    if (result > 0) {
        struct place record = {place.segment, place.offset + row->len};
        result = verify(check, record, row->record_len, row->record_hash);
    }
    check->progress.bodies++;
    check->progress.done += (uint64_t)row->len + row->record_len;
    if (result == 0)
        condemn(check, row, place);
    else if (result < 0 && result != -ENOENT) /* -ENOENT: reclaimed meanwhile */
        find(check, "the disk cannot read body %llu (segment %u, octet %llu)",
             (unsigned long long)row->id, place.segment, (unsigned long long)place.offset);
}

/* Goes to the next turn; false at the end of the log. */
static bool
next_turn(struct check *check)
{
    int result = log_walk_next(&check->walk, &check->found);

    if (result == -ENOENT) /* the segment was reclaimed under the walk */
        return true;
    if (result <= 0) {
        if (result < 0)
            find(check, "the log cannot be read further: error %d", -result);
        return false;
    }
    if (check->found.event != LOG_TURN) {
        bool is_unread = check->found.event == LOG_UNREAD;
        find(check,
             is_unread ? "the disk cannot read segment %u, octets %llu to %llu"
                       : "the log is damaged: segment %u, octets %llu to %llu hold no turn",
             check->found.place.segment, (unsigned long long)check->found.place.offset,
             (unsigned long long)check->found.place.offset + check->found.len);
        return true;
    }
    check->progress.turns++;
    check->progress.done += check->found.header.meta_len;
    check->has_turn = turn_open_meta(check->found.meta, &check->found.header, &check->reader);
    return true;
}

static bool
step_log(struct check *check)
{
    uint64_t goal = check->progress.done + STEP_BYTES;
    struct turn_row row;

    while (check->progress.done < goal) {
        if (check->has_turn && turn_take_row(&check->reader, &row)) {
            check_body(check, &row);
            continue;
        }
        check->has_turn = false;
        if (!next_turn(check))
            return false;
    }
    return true;
}

/* ---- the view -------------------------------------------------------------------------------- */

static bool
snapshot_get(struct check *check, struct key key, struct slice *ret_value)
{
    return view_snapshot_get(check->snapshot, key_slice(&key), ret_value) == 0;
}

static void
close_group(struct check *check)
{
    struct group *group = &check->group;

    if (!group->is_open)
        return;
    group->is_open = false;
    if (group->is_purged)
        return;
    check->owner.messages += group->messages;
    check->owner.bytes += group->bytes;
    if (group->messages != group->entry.messages || group->bytes != group->entry.bytes ||
        group->unseen != group->entry.unseen)
        find(check,
             "account %llu, mailbox %u: its record says %u messages, %llu octets, %u unseen; there "
             "are %llu, %llu, %llu",
             (unsigned long long)group->account, group->mailbox, group->entry.messages,
             (unsigned long long)group->entry.bytes, group->entry.unseen,
             (unsigned long long)group->messages, (unsigned long long)group->bytes,
             (unsigned long long)group->unseen);
}

static void
close_owner(struct check *check)
{
    struct owner *owner = &check->owner;

    close_group(check);
    if (owner->is_open &&
        (owner->messages != owner->entry.messages || owner->bytes != owner->entry.bytes))
        find(check,
             "account %llu: its record says %llu messages, %llu octets; there are %llu, %llu",
             (unsigned long long)owner->account, (unsigned long long)owner->entry.messages,
             (unsigned long long)owner->entry.bytes, (unsigned long long)owner->messages,
             (unsigned long long)owner->bytes);
    owner->is_open = false;
}

static void
open_group(struct check *check, const struct key_parts *parts)
{
    struct slice value;

    close_group(check);
    check->group = (struct group){
        .account = parts->account, .mailbox = (mailbox_id)parts->number, .is_open = true};
    struct group *group = &check->group;
    if (snapshot_get(check, key_mailbox(group->account, group->mailbox), &value) &&
        mailbox_entry_take(value, &group->entry))
        return;
    group->is_purged = true;
    if (!snapshot_get(check, key_purge(group->account, group->mailbox), &value))
        find(check, "account %llu: messages of mailbox %u, which is not there",
             (unsigned long long)group->account, group->mailbox);
}

static void
check_message(struct check *check, const struct key_parts *parts, struct slice value)
{
    struct group *group = &check->group;
    struct message_entry message;
    struct body_entry body;
    struct slice bytes;

    bool is_good = message_entry_take(value, &message);
    if (is_good && message.body >= check->window && message.body - check->window < CHECK_WINDOW)
        check->refs[message.body - check->window]++;
    if (check->window > 1)
        return; /* only references are counted in later passes */
    if (!group->is_open || group->account != parts->account || group->mailbox != parts->number)
        open_group(check, parts);
    unsigned long long account = parts->account, uid = parts->item;
    if (!is_good) {
        find(check, "account %llu, mailbox %u, uid %llu: its record is damaged", account,
             group->mailbox, uid);
        return;
    }
    check->progress.messages++;
    group->messages++;
    group->bytes += message.len;
    group->unseen += message.flags & 1 ? 0 : 1;
    if (!group->is_purged && (uid >= group->entry.uid_next || message.modseq > group->entry.modseq))
        find(check, "account %llu, mailbox %u, uid %llu: beyond its mailbox's counters", account,
             group->mailbox, uid);
    if (!snapshot_get(check, key_body(message.body), &bytes) || !body_entry_take(bytes, &body))
        find(check, "account %llu, mailbox %u, uid %llu: its body %llu is missing", account,
             group->mailbox, uid, (unsigned long long)message.body);
    else if (body.len != message.len)
        find(check, "account %llu, mailbox %u, uid %llu: %u octets, but its body has %u", account,
             group->mailbox, uid, message.len, body.len);
    else if (body.marks & BODY_DAMAGED)
        find(check, "account %llu, mailbox %u, uid %llu: its body is damaged", account,
             group->mailbox, uid);
}

static void
check_body_entry(struct check *check, const struct key_parts *parts, struct slice value)
{
    struct turn_log *log = check->store->engine->ops->log(check->store->engine);
    struct body_entry body, now;
    struct slice current;

    if (!body_entry_take(value, &body)) {
        find(check, "body %llu: its record is damaged", (unsigned long long)parts->number);
        return;
    }
    const struct log_segment *segment = turn_log_find(log, body.place.segment);
    if (segment && body.place.offset + body.len + body.record_len <= segment->len)
        return;
    /* Moved or dropped since the snapshot? */
    if (store_view_get(check->store, key_body(parts->number), &current) == 0 &&
        body_entry_take(current, &now) && now.place.segment == body.place.segment)
        find(check, "body %llu: segment %u, where it should lie, is missing or too short",
             (unsigned long long)parts->number, body.place.segment);
}

static void
check_record(struct check *check, const struct key_parts *parts, struct slice value)
{
    struct body_entry body;
    struct slice bytes;

    if (!snapshot_get(check, key_body(parts->number), &bytes))
        find(check, "body %llu has a parse record, but is missing",
             (unsigned long long)parts->number);
    else if (body_entry_take(bytes, &body) && /* else it is named already */
             turn_body_hash(value, slice_of("", 0)) != body.record_hash)
        find(check, "body %llu: the view has another parse record than the log",
             (unsigned long long)parts->number);
}

static void
check_mailbox_entry(struct check *check, const struct key_parts *parts, struct slice value)
{
    struct mailbox_entry entry;
    struct slice bytes;

    if (!mailbox_entry_take(value, &entry)) {
        find(check, "account %llu, mailbox %llu: its record is damaged",
             (unsigned long long)parts->account, (unsigned long long)parts->number);
        return;
    }
    if (!snapshot_get(check, key_name(parts->account, entry.name), &bytes))
        find(check, "account %llu, mailbox %llu: it has no name",
             (unsigned long long)parts->account, (unsigned long long)parts->number);
    if (check->owner.is_open && entry.modseq > check->owner.entry.modseq)
        find(check, "account %llu, mailbox %llu: beyond its account's counter",
             (unsigned long long)parts->account, (unsigned long long)parts->number);
}

static void
check_account_entry(struct check *check, const struct key_parts *parts, struct slice value)
{
    struct owner *owner = &check->owner;

    close_owner(check);
    *owner = (struct owner){.account = parts->account};
    owner->is_open = account_entry_take(value, &owner->entry);
    if (!owner->is_open)
        find(check, "account %llu: its record is damaged", (unsigned long long)parts->account);
}

static void
check_queued(struct check *check, const struct key_parts *parts, struct slice value)
{
    unsigned long long number = parts->number;
    struct queued_entry queued;
    struct body_entry body;
    struct slice bytes;

    bool is_good = queued_entry_take(value, &queued);
    if (is_good && queued.body >= check->window && queued.body - check->window < CHECK_WINDOW)
        check->refs[queued.body - check->window]++;
    if (check->window > 1)
        return;
    if (!is_good) {
        find(check, "queued message %llu: its record is damaged", number);
        return;
    }
    if (queued.body == 0)
        return;
    if (!snapshot_get(check, key_body(queued.body), &bytes) || !body_entry_take(bytes, &body))
        find(check, "queued message %llu: its body %llu is missing", number,
             (unsigned long long)queued.body);
    else if (body.len != queued.len)
        find(check, "queued message %llu: %u octets, but its body has %u", number, queued.len,
             body.len);
}

static void
check_key(struct check *check, struct slice key, struct slice value)
{
    struct key_parts parts;

    if (!key_parse(key, &parts)) {
        if (check->window == 1)
            find(check, "a key of %zu octets in the view is none of ours", key.len);
        return;
    }
    if (parts.kind == KEY_MESSAGE) {
        check_message(check, &parts, value);
        return;
    }
    if (parts.kind == KEY_QUEUED) {
        check_queued(check, &parts, value);
        return;
    }
    if (check->window > 1)
        return;
    if (parts.kind == KEY_ACCOUNT)
        check_account_entry(check, &parts, value);
    else if (parts.kind == KEY_MAILBOX)
        check_mailbox_entry(check, &parts, value);
    else if (parts.kind == KEY_BODY)
        check_body_entry(check, &parts, value);
    else if (parts.kind == KEY_RECORD)
        check_record(check, &parts, value);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static bool
begin_scan(struct check *check, struct slice prefix)
{
    check->keys = 0;
    check->is_scanning = view_scan_open(check->store->view, check->snapshot, prefix,
                                        slice_of("", 0), &check->scan) == 0;
    if (!check->is_scanning)
        find(check, "the view cannot be read");
    return check->is_scanning;
}

static bool
begin_view(struct check *check)
{
    uint64_t used, size;

    log_walk_close(&check->walk);
    check->phase = PHASE_VIEW;
    if (!check->snapshot) {
        check->next_body = check->store->next_body;
        check->window = 1;
        view_space(check->store->view, &used, &size);
        uint64_t passes = (check->next_body - 1 + CHECK_WINDOW - 1) / CHECK_WINDOW;
        check->progress.done = check->log_end_bytes;
        check->progress.parts = check->log_end_bytes + used * (passes > 0 ? passes : 1);
        if (check->store->is_broken ||
            view_snapshot_open(check->store->view, &check->snapshot) < 0) {
            find(check, "the view cannot be read");
            return false;
        }
        check->refs = calloc(CHECK_WINDOW, sizeof(*check->refs));
        if (!check->refs)
            abort();
    }
    return begin_scan(check, slice_of("", 0));
}

/* A stretch of keys: 1 more, 0 the end. */
static int
step_view(struct check *check)
{
    struct slice key, value;

    for (int i = 0; i < STEP_KEYS; i++) {
        if (!view_scan_next(&check->scan, &key, &value)) {
            close_owner(check);
            view_scan_close(&check->scan);
            check->is_scanning = false;
            if (!view_snapshot_has(check->snapshot, check->keys))
                find(check, "the view has not all that it should; it will be made anew");
            return 0;
        }
        check->progress.done += key.len + value.len + 8;
        check->keys++;
        if (view_snapshot_finds(check->snapshot, key))
            check_key(check, key, value);
        else
            find(check, "the view does not find what it holds; it will be made anew");
    }
    return 1;
}

static int
step_refs(struct check *check)
{
    struct slice key, value;
    struct key_parts parts;
    struct body_entry body;

    for (int i = 0; i < STEP_KEYS; i++) {
        if (!view_scan_next(&check->scan, &key, &value)) {
            view_scan_close(&check->scan);
            check->is_scanning = false;
            if (view_is_damaged(check->store->view))
                find(check, "the view cannot be read to its end");
            return 0;
        }
        if (!key_parse(key, &parts) || parts.number < check->window ||
            parts.number - check->window >= CHECK_WINDOW || !body_entry_take(value, &body))
            continue;
        uint32_t counted = check->refs[parts.number - check->window];
        if (counted != body.refs)
            find(check, "body %llu: its record says %u messages name it, there are %u",
                 (unsigned long long)parts.number, body.refs, counted);
    }
    return 1;
}

static bool
finish(struct check *check)
{
    check->phase = PHASE_DONE;
    check->progress.is_finished = true;
    check->progress.done = check->progress.parts;
    view_snapshot_close(&check->snapshot);
    return false;
}

/* The next window of bodies needs another pass over the messages. */
static bool
next_window(struct check *check)
{
    if (check->next_body - check->window <= CHECK_WINDOW)
        return finish(check);
    check->window += CHECK_WINDOW;
    memset(check->refs, 0, CHECK_WINDOW * sizeof(*check->refs));
    check->phase = PHASE_VIEW;
    return begin_scan(check, slice_of("", 0)) || finish(check);
}

bool
check_step(struct check *check)
{
    static const uint8_t bodies[] = {0, 0, 0, 0, 0, 0, 0, 0, KEY_BODY};

    assert(!check->store->is_busy);
    switch (check->phase) {
    case PHASE_LOG:
        return step_log(check) || begin_view(check) || finish(check);
    case PHASE_VIEW:
        if (step_view(check))
            return true;
        check->phase = PHASE_REFS;
        return begin_scan(check, slice_of(bodies, sizeof(bodies))) || finish(check);
    case PHASE_REFS:
        return step_refs(check) ? true : next_window(check);
    case PHASE_DONE:
        break;
    }
    return false;
}
