/* SPDX-License-Identifier: ISC */
/* The deliver processes: each parcel is parsed by one of them. Their death costs a second try. */
#include "mime/record.h"
#include "role/store/indexing.h"
#include "role/store/outgoing.h"

#include <stdlib.h>

enum { SIDE_DELIVER = 1 };

struct store_deliver *
parsers_least_busy(struct store_role *role)
{
    struct store_deliver *best = NULL;

    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        struct store_deliver *deliver = role->deliver[i];
        if (deliver && deliver->channel && !host_channel_is_full(deliver->channel) &&
            (!best || deliver->count < best->count))
            best = deliver;
    }
    return best;
}

/* What is appended gets its UIDs in the order in which it came, whoever has parsed which part of it
 * first. */
static void
go_on_in_order(struct store_role *role)
{
    LIST_EACH (link, &role->appended) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, order_link);
        if (!parcel->is_parsed)
            return;
        list_remove(&parcel->order_link);
        list_remove(&parcel->link);
        letterbox_take(role, parcel);
    }
}

static void
on_parsed_done(struct store_role *role, struct parcel *parcel)
{
    list_remove(&parcel->link);
    (void)!map_remove(&role->parcels, map_key_u64(&parcel->parse));
    if (list_is_empty(&parcel->order_link)) {
        letterbox_take(role, parcel);
        return;
    }
    parcel->is_parsed = true;
    list_append(&role->parsed, &parcel->link);
    go_on_in_order(role);
}

/* A body that must go on without a record: nobody could parse it. */
static void
file_unparsed(struct store_role *role, struct parcel *parcel, const char *why)
{
    struct log_line line;

    role->unparsed_filed++;
    log_begin(&line, role->host, HOST_LEVEL_WARNING, "unparsed");
    log_text(&line, "id", parcel->queue_id);
    log_string(&line, "why", why);
    log_end(&line);
    on_parsed_done(role, parcel);
}

static bool
send_to(struct store_deliver *deliver, struct parcel *parcel)
{
    struct store_role *role = deliver->role;
    host_handle copy = HOST_HANDLE_NONE;
    struct store_deliver_parse parse = {
        .id = parcel->parse,
        .queue_id = parcel->queue_id,
        .reverse_path = parcel->reverse_path,
        .prefix_len = (uint16_t)parcel->prefix_len,
        .body = parcel->head,
    };

    if (parcel->blob != HOST_HANDLE_NONE) {
        copy = host_handle_copy(role->host, parcel->blob);
        if (copy < 0)
            return false;
    }
    parse.body_blob = copy;
    buffer_clear(&role->note);
    if (!store_deliver_put_parse(&role->note, &deliver->ledger, &parse)) {
        host_handle_close(role->host, copy);
        return false;
    }
    host_channel_send(deliver->channel, buffer_slice(&role->note), copy);
    parcel->sent = host_now(role->host);
    list_remove(&parcel->link);
    list_append(&deliver->parcels, &parcel->link);
    deliver->count++;
    return true;
}

void
parsers_take(struct store_role *role, struct parcel *parcel)
{
    struct store_deliver *deliver = parsers_least_busy(role);

    if (!parcel->parse) {
        parcel->parse = ++role->parse_count;
        (void)!map_set(&role->parcels, map_key_u64(&parcel->parse), parcel);
    }
    list_remove(&parcel->link);
    list_append(&role->unparsed, &parcel->link);
    if (deliver && !send_to(deliver, parcel))
        file_unparsed(role, parcel, "it could not be handed to deliver");
}

static void
go_on(struct store_role *role)
{
    LIST_EACH (link, &role->unparsed) {
        if (!parsers_least_busy(role))
            return;
        parsers_take(role, LIST_ITEM(link, struct parcel, link));
    }
}

static void
lose(struct store_deliver *deliver)
{
    struct store_role *role = deliver->role;
    bool is_first = true;

    host_channel_close(&deliver->channel);
    note_ledger_finish(&deliver->ledger);
    role->deliver_deaths += deliver->count > 0;
    deliver->count = 0;
    LIST_EACH (link, &deliver->parcels) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
        /* It worked on the oldest: that one may be what it died of. */
        parcel->deaths += is_first;
        is_first = false;
        list_remove(&parcel->link);
        list_append(&role->unparsed, &parcel->link);
        if (parcel->deaths >= STORE_PARSE_DEATHS_MAX)
            file_unparsed(role, parcel, "deliver died of it twice");
    }
    reports_lose(role, deliver);
    indexing_lose_deliver(role, deliver);
    go_on(role);
}

bool
parsers_keep_record(struct parcel *parcel, struct slice bytes)
{
    struct mime_record record;

    if (bytes.len == 0 || bytes.len > BODY_RECORD_MAX ||
        !mime_record_open(bytes, parcel_len(parcel), &record)) {
        log_event(parcel->role->host, HOST_LEVEL_WARNING, "bad_record", "id", parcel->queue_id);
        return false;
    }
    uint8_t *copy = malloc(bytes.len);
    if (!copy)
        abort();
    memcpy(copy, bytes.at, bytes.len);
    parcel->record = slice_of(copy, bytes.len);
    return true;
}

static void
on_parsed(struct store_deliver *deliver, const struct store_deliver_parsed *parsed,
          host_handle handle)
{
    struct store_role *role = deliver->role;
    struct parcel *parcel = map_find(&role->parcels, map_key_u64(&parsed->id));
    struct host_mapping mapping;

    assert(parcel); /* the ledger knows its number */
    deliver->count--;
    if (handle == HOST_HANDLE_NONE) {
        role->unparsed_filed += !parsers_keep_record(parcel, parsed->parse_record);
    } else if (host_blob_map(role->host, handle, &mapping) == 0) {
        role->unparsed_filed += !parsers_keep_record(parcel, mapping.bytes);
        host_blob_unmap(role->host, &mapping);
    }
    parcel->action = parsed->action;
    parcel->reject_text = arena_copy(&parcel->arena, parsed->text);
    on_parsed_done(role, parcel);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_deliver *deliver = context;
    struct store_role *role = deliver->role;
    struct store_deliver_note note;

    arena_reset(&role->note_arena);
    if (!store_deliver_take(bytes, handle, SIDE_DELIVER, &deliver->ledger, &role->note_arena,
                            &note)) {
        store_role_bad_note(role, handle, "deliver");
        lose(deliver);
        return;
    }
    if (note.kind == STORE_DELIVER_PARSED)
        on_parsed(deliver, &note.as.parsed, handle);
    else if (note.kind == STORE_DELIVER_EXTRACTED)
        indexing_on_extracted(role, &note.as.extracted, handle);
    else
        report_on_built(role, &note.as.report_built, handle);
    host_handle_close(role->host, handle);
}

static void
on_closed(void *context)
{
    lose(context);
}

static void
on_room(void *context)
{
    struct store_deliver *deliver = context;

    go_on(deliver->role);
}

static const struct host_channel_handler handler = {on_note, on_closed, on_room};

void
parsers_attach(struct store_role *role, unsigned index, host_handle handle)
{
    struct store_deliver *deliver = role->deliver[index];

    if (!deliver) {
        deliver = calloc(1, sizeof(*deliver));
        if (!deliver)
            abort();
        deliver->role = role;
        list_init(&deliver->parcels);
        role->deliver[index] = deliver;
    }
    if (deliver->channel)
        lose(deliver);
    deliver->channel = host_channel_open(role->host, handle, &handler, deliver);
    go_on(role);
    reports_go_on(role);
}

void
parsers_watch(struct store_role *role)
{
    struct instant now = host_now(role->host);

    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        struct store_deliver *deliver = role->deliver[i];
        if (!deliver || !deliver->channel || list_is_empty(&deliver->parcels))
            continue;
        struct parcel *oldest = LIST_ITEM(deliver->parcels.next, struct parcel, link);
        if (instant_since(now, oldest->sent).ns < duration_s(STORE_PARSE_WAIT_S).ns)
            continue;
        log_event(role->host, HOST_LEVEL_ERROR, "deliver_silent", "id", oldest->queue_id);
        lose(deliver);
    }
}

void
parsers_close(struct store_role *role)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (!role->deliver[i])
            continue;
        host_channel_close(&role->deliver[i]->channel);
        note_ledger_finish(&role->deliver[i]->ledger);
        LIST_EACH (link, &role->deliver[i]->parcels) {
            struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
            parcel_close(&parcel);
        }
        free(role->deliver[i]);
        role->deliver[i] = NULL;
    }
}
