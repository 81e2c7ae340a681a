/* SPDX-License-Identifier: ISC */
#include "mailbox/queue.h"

#include "mailbox/store_private.h"

enum { FACTS_AT = 13 /* version, body, length */, PREFIX_LEN = 9 /* account 0, kind */ };

static void
put_queued(struct store *store, uint64_t message, const struct queued_entry *entry)
{
    struct key key = key_queued(message);
    struct buffer value;

    assert(entry->facts.len <= QUEUE_FACTS_MAX);
    buffer_init(&value, QUEUE_FACTS_MAX + FACTS_AT);
    queued_entry_put(&value, entry);
    draft_put(&store->draft, key_slice(&key), buffer_slice(&value));
    buffer_finish(&value);
}

enum store_result
mailbox_queue_add(struct store *store, uint64_t message, body_id body, struct slice facts)
{
    struct turn_body *pending = store_pending_body(store, body);

    if (!pending)
        return STORE_NOT_FOUND;
    struct queued_entry entry = {
        .body = body,
        .len = (uint32_t)(pending->parts[0].len + pending->parts[1].len),
        .facts = facts,
    };
    pending->refs++;
    put_queued(store, message, &entry);
    return STORE_OK;
}

enum store_result
mailbox_queue_load(struct store *store, uint64_t message, struct queued_entry *ret_entry)
{
    struct slice value;
    int result = store_draft_get(store, key_queued(message), &value);

    if (result == 0 && !queued_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

enum store_result
mailbox_queue_change(struct store *store, uint64_t message, struct slice facts)
{
    struct queued_entry entry;
    enum store_result result = mailbox_queue_load(store, message, &entry);

    if (result != STORE_OK)
        return result;
    entry.facts = facts;
    put_queued(store, message, &entry);
    return STORE_OK;
}

enum store_result
mailbox_queue_release(struct store *store, uint64_t message)
{
    struct queued_entry entry;
    enum store_result result = mailbox_queue_load(store, message, &entry);

    if (result != STORE_OK || entry.body == 0)
        return result;
    body_id body = entry.body;
    entry.body = 0;
    put_queued(store, message, &entry);
    store_body_refer(store, body, -1);
    return STORE_OK;
}

void
mailbox_queue_remove(struct store *store, uint64_t message, uint32_t recipients)
{
    struct queued_entry entry;

    if (mailbox_queue_load(store, message, &entry) == STORE_OK && entry.body != 0)
        store_body_refer(store, entry.body, -1);
    store_del(store, key_queued(message));
    for (uint32_t i = 0; i < recipients; i++)
        store_del(store, key_queued_recipient(message, i));
}

void
mailbox_queue_put_recipient(struct store *store, uint64_t message, uint32_t index,
                            struct slice facts)
{
    struct key key = key_queued_recipient(message, index);

    assert(facts.len <= QUEUE_FACTS_MAX);
    draft_put(&store->draft, key_slice(&key), facts);
}

static struct key
key_of_place(const struct queue_place *place)
{
    return key_queue_due(place->domain, place->class, place->due_s, place->message, place->index);
}

void
mailbox_queue_put_due(struct store *store, const struct queue_place *place)
{
    struct key key = key_of_place(place);

    draft_put(&store->draft, key_slice(&key), slice_of("", 0));
}

void
mailbox_queue_del_due(struct store *store, const struct queue_place *place)
{
    store_del(store, key_of_place(place));
}

void
mailbox_queue_put_done(struct store *store, uint64_t when_s, uint64_t message, struct slice facts)
{
    struct key key = key_queue_done(when_s, message);

    assert(facts.len <= QUEUE_FACTS_MAX);
    draft_put(&store->draft, key_slice(&key), facts);
}

void
mailbox_queue_del_done(struct store *store, uint64_t when_s, uint64_t message)
{
    store_del(store, key_queue_done(when_s, message));
}

enum store_result
mailbox_queue_load_recipient(struct store *store, uint64_t message, uint32_t index,
                             struct slice *ret_facts)
{
    return store_result_of(store_draft_get(store, key_queued_recipient(message, index), ret_facts));
}

/* ---- reading ------------------------------------------------------------------------------- */

enum store_result
mailbox_queue_get(struct store *store, uint64_t message, struct queued_entry *ret_entry)
{
    struct slice value;
    int result = store_view_get(store, key_queued(message), &value);

    if (result == 0 && !queued_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

enum store_result
mailbox_queue_get_recipient(struct store *store, uint64_t message, uint32_t index,
                            struct slice *ret_facts)
{
    return store_result_of(store_view_get(store, key_queued_recipient(message, index), ret_facts));
}

static uint64_t
number_of(struct slice bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes.len; i++)
        number = number << 8 | bytes.at[i];
    return number;
}

/* What stands in a key by due time; false when it is damaged. */
static bool
take_place(struct slice key, struct queue_place *ret_place)
{
    if (key.len <= PREFIX_LEN + QUEUE_PLACE_LEN)
        return false;
    struct slice domain = slice_between(key, PREFIX_LEN, key.len - QUEUE_PLACE_LEN);
    struct slice rest = slice_skip(key, key.len - QUEUE_PLACE_LEN);
    if (rest.at[0] != 0 || slice_find_byte(domain, 0) < domain.len)
        return false;
    *ret_place = (struct queue_place){
        .domain = domain,
        .class = rest.at[1],
        .due_s = number_of(slice_between(rest, 2, 10)),
        .message = number_of(slice_between(rest, 10, 18)),
        .index = (uint32_t)number_of(slice_between(rest, 18, 22)),
    };
    return true;
}

enum store_result
mailbox_queue_list_due(struct store *store, const struct queue_place *from, mailbox_queue_due_fn fn,
                       void *context)
{
    struct key prefix = key_queue_class(from->domain, from->class), first = key_of_place(from);
    struct view_scan scan;
    struct slice key, value;
    struct queue_place place;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&first), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (take_place(key, &place) && !fn(context, &place))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

/* The first key at or behind `from`; false at the end. The key is copied. */
static bool
find_front(struct store *store, const struct key *from, struct key *ret_key,
           struct queue_place *ret_place, int *ret_error)
{
    struct key prefix = key_prefix_kind(0, KEY_QUEUE_DUE);
    struct view_scan scan;
    struct slice key, value;
    bool is_found = false;

    *ret_error = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(from), &scan);
    if (*ret_error < 0)
        return false;
    while (!is_found && view_scan_next(&scan, &key, &value)) {
        if (key.len > sizeof(ret_key->bytes))
            continue;
        memcpy(ret_key->bytes, key.at, key.len);
        ret_key->len = (uint16_t)key.len;
        is_found = take_place(key_slice(ret_key), ret_place);
    }
    view_scan_close(&scan);
    return is_found;
}

enum store_result
mailbox_queue_list_fronts(struct store *store, mailbox_queue_due_fn fn, void *context)
{
    struct key from = key_prefix_kind(0, KEY_QUEUE_DUE), key;
    struct queue_place place;
    int error = 0;

    if (store->is_broken)
        return STORE_TEMPORARY;
    while (find_front(store, &from, &key, &place, &error)) {
        if (!fn(context, &place))
            break;
        from = place.class == UINT8_MAX ? key_queue_domain_end(place.domain)
                                        : key_queue_class(place.domain, place.class + 1);
    }
    return error < 0 ? store_result_of(error) : store_scanned(store);
}

enum store_result
mailbox_queue_list(struct store *store, uint64_t first, mailbox_queue_message_fn fn, void *context)
{
    struct key prefix = key_prefix_kind(0, KEY_QUEUED), from = key_queued(first);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    struct queued_entry entry;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&from), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) || !queued_entry_take(value, &entry))
            continue; /* check names it */
        if (!fn(context, parts.number, &entry))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

enum store_result
mailbox_queue_list_done(struct store *store, const struct queue_done *from, uint64_t until_s,
                        mailbox_queue_done_fn fn, void *context)
{
    struct key prefix = key_prefix_kind(0, KEY_QUEUE_DONE);
    struct key first = key_queue_done(from->when_s, from->message);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&first), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts))
            continue;
        struct queue_done done = {parts.number, parts.item, value};
        if (parts.number > until_s || !fn(context, &done))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}
