/* SPDX-License-Identifier: ISC */
/* Reading messages: entries from the view, octets through the engine. */
#include "base/hash.h"
#include "mailbox/message.h"
#include "mailbox/store_private.h"

#include <stdlib.h>

enum { VERIFY_CHUNK = 256 << 10 };

enum store_result
mailbox_message_get(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                    struct message_entry *ret_entry)
{
    struct slice value;
    int result = store_view_get(store, key_message(account, mailbox, uid), &value);

    if (result == 0 && !message_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

enum store_result
mailbox_message_list(struct store *store, account_id account, mailbox_id mailbox, uint32_t first,
                     mailbox_message_fn fn, void *context)
{
    struct key prefix = key_prefix_mailbox(account, KEY_MESSAGE, mailbox);
    struct key from = key_message(account, mailbox, first);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    struct message_entry entry;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&from), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) || !message_entry_take(value, &entry))
            continue; /* check names it */
        if (!fn(context, (uint32_t)parts.item, &entry))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

static bool
tell_ranges(const struct expunge_entry *entry, uint64_t modseq, mailbox_expunge_fn fn,
            void *context)
{
    for (size_t i = 0; entry->modseq > modseq && i < entry->count; i++) {
        if (!fn(context, entry->modseq, entry->ranges[i]))
            return false;
    }
    return true;
}

enum store_result
mailbox_expunge_list(struct store *store, account_id account, mailbox_id mailbox, uint64_t modseq,
                     mailbox_expunge_fn fn, void *context)
{
    struct key prefix = key_prefix_mailbox(account, KEY_EXPUNGE, mailbox);
    struct mailbox_entry owner;
    struct expunge_entry entry;
    struct view_scan scan;
    struct slice key, value;

    value = slice_of("", 0);
    int result = store_view_get(store, key_mailbox(account, mailbox), &value);
    if (result < 0)
        return store_result_of(result);
    if (!mailbox_entry_take(value, &owner))
        return STORE_DAMAGED;
    if (modseq < owner.expunge_floor)
        return STORE_LIMIT;
    result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    struct uid_range *ranges = malloc(EXPUNGE_RANGES_MAX * sizeof(*ranges));
    if (!ranges)
        abort();
    bool is_wanted = true;
    while (is_wanted && view_scan_next(&scan, &key, &value)) {
        if (expunge_entry_take(value, ranges, &entry))
            is_wanted = tell_ranges(&entry, modseq, fn, context);
    }
    free(ranges);
    view_scan_close(&scan);
    return store_scanned(store);
}

/* ---- octets -------------------------------------------------------------------------------- */

/* One read on its way through the engine. */
struct body_reading {
    struct store *store;
    mailbox_read_fn fn;
    void *context;
    body_id body;
    uint64_t hash;
    bool is_whole;
};

static void
on_read(void *context, int result, struct slice bytes)
{
    struct body_reading reading = *(struct body_reading *)context;
    enum store_result told = store_result_of(result);

    free(context);
    if (result == -ENOENT || result == -EIO)
        told = STORE_DAMAGED;
    if (told == STORE_OK && reading.is_whole &&
        turn_body_hash(bytes, slice_of("", 0)) != reading.hash)
        told = STORE_DAMAGED;
    if (told == STORE_DAMAGED)
        store_report(reading.store, "damaged", "cannot read body", reading.body);
    reading.fn(reading.context, told, told == STORE_OK ? bytes : slice_of("", 0));
}

static void
read_octets(struct store *store, body_id body, struct place place, size_t len, bool is_whole,
            uint64_t hash, mailbox_read_fn fn, void *context)
{
    struct body_reading *reading = malloc(sizeof(*reading));

    if (!reading)
        abort();
    *reading = (struct body_reading){store, fn, context, body, hash, is_whole};
    store->engine->ops->body_read(store->engine, place, len, on_read, reading);
}

/* Parts of a body can be trusted when all of it is what it was: the first that is asked for has the
 * whole read once. */
static bool
is_body_good(struct store *store, body_id body, const struct body_entry *entry)
{
    body_id *known = &store->verified[body % STORE_VERIFIED_MAX];
    struct turn_log *log = store->engine->ops->log(store->engine);
    struct hash_stream *stream;
    struct place place = entry->place;
    int result = 0;

    if (*known == body)
        return true;
    uint8_t *chunk = malloc(VERIFY_CHUNK);
    if (!chunk)
        abort();
    stream = hash_stream_open();
    for (uint64_t left = entry->len; result == 0 && left > 0;) {
        size_t some = left < VERIFY_CHUNK ? (size_t)left : VERIFY_CHUNK;
        result = turn_log_read(log, place, chunk, some);
        if (result == 0)
            hash_stream_put(stream, slice_of(chunk, some));
        place.offset += some;
        left -= some;
    }
    bool is_good = hash_stream_close(&stream) == entry->hash && result == 0;
    free(chunk);
    *known = is_good ? body : *known;
    return is_good;
}

/* ---- bodies that are held ------------------------------------------------------------------ */

struct held_body {
    body_id body;
    size_t holders;
    bool is_dropped; /* then the view has it no more, and `entry` is what it had */
    struct body_entry entry;
    struct instant used;
};

static enum store_result
find_in_view(struct store *store, body_id body, struct body_entry *ret_entry)
{
    struct slice value;
    int result = store_view_get(store, key_body(body), &value);

    if (result == 0 && !body_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

static enum store_result
find_body(struct store *store, body_id body, struct body_entry *ret_entry)
{
    enum store_result result = find_in_view(store, body, ret_entry);
    struct held_body *held =
        result == STORE_NOT_FOUND ? map_find(&store->held, map_key_u64(&body)) : NULL;

    if (!held || !held->is_dropped)
        return result;
    held->used = host_now(store->options.host);
    *ret_entry = held->entry;
    return STORE_OK;
}

void
mailbox_body_hold(struct store *store, body_id body)
{
    struct held_body *held = map_find(&store->held, map_key_u64(&body));

    if (!held) {
        held = calloc(1, sizeof(*held));
        if (!held)
            abort();
        held->body = body;
        (void)!map_set(&store->held, map_key_u64(&body), held);
    }
    held->holders++;
}

void
mailbox_body_release(struct store *store, body_id body)
{
    struct held_body *held = map_find(&store->held, map_key_u64(&body));

    if (!held || --held->holders > 0)
        return;
    (void)!map_remove(&store->held, map_key_u64(&body));
    free(held);
}

void
store_held_dropped(struct store *store, body_id body)
{
    struct held_body *held = map_find(&store->held, map_key_u64(&body));

    if (!held || find_in_view(store, body, &held->entry) != STORE_OK)
        return;
    held->is_dropped = true;
    held->used = host_now(store->options.host);
}

/* A hold that nobody has used for long holds no more. */
bool
store_holds(struct store *store, uint32_t segment)
{
    struct instant now = host_now(store->options.host);
    bool is_found = false;
    size_t place = 0;

    for (const struct map_item *item; (item = map_next(&store->held, &place));) {
        struct held_body *held = item->value;
        if (!held->is_dropped || held->entry.place.segment != segment)
            continue;
        held->is_dropped = instant_since(now, held->used).ns < duration_s(HOLD_IDLE_S).ns;
        is_found = is_found || held->is_dropped;
    }
    return is_found;
}

void
store_held_finish(struct store *store)
{
    size_t place = 0;

    for (const struct map_item *item; (item = map_next(&store->held, &place));)
        free(item->value);
    map_finish(&store->held);
}

/* ---- reading ------------------------------------------------------------------------------- */

void
mailbox_body_read(struct store *store, body_id body, uint64_t offset, size_t len,
                  mailbox_read_fn fn, void *context)
{
    struct body_entry entry = {0};
    enum store_result result = find_body(store, body, &entry);

    if (result == STORE_OK && entry.marks & BODY_DAMAGED)
        result = STORE_DAMAGED;
    if (result != STORE_OK || offset >= entry.len) {
        fn(context, result, slice_of("", 0));
        return;
    }
    if (len > BODY_READ_MAX)
        len = BODY_READ_MAX;
    if (len > entry.len - offset)
        len = (size_t)(entry.len - offset);
    if (len < entry.len && !is_body_good(store, body, &entry)) {
        store_report(store, "damaged", "cannot read body", body);
        fn(context, STORE_DAMAGED, slice_of("", 0));
        return;
    }
    struct place place = {entry.place.segment, entry.place.offset + offset};
    read_octets(store, body, place, len, len == entry.len, entry.hash, fn, context);
}

void
mailbox_record_read(struct store *store, body_id body, mailbox_read_fn fn, void *context)
{
    struct body_entry entry = {0};
    struct slice kept;

    if (store_view_get(store, key_record(body), &kept) == 0) {
        fn(context, STORE_OK, kept);
        return;
    }
    enum store_result result = find_body(store, body, &entry);
    if (result != STORE_OK || entry.record_len == 0) {
        fn(context, result, slice_of("", 0));
        return;
    }
    struct place place = {entry.place.segment, entry.place.offset + entry.len};
    read_octets(store, body, place, entry.record_len, true, entry.record_hash, fn, context);
}
