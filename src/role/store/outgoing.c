/* SPDX-License-Identifier: ISC */
/* Mail for other hosts: what is due, and where it goes next. */
#include "role/store/outgoing.h"

#include "base/hash.h"

#include <stdlib.h>

enum { SIDE_ROUTE = 1, MAX_PURGE_EVERY_S = 60 };

static uint64_t
now_s(struct store_role *role)
{
    return (uint64_t)wall_seconds(host_wall(role->host));
}

struct queue_policy
outgoing_policy(const struct store_role *role)
{
    return (struct queue_policy){
        .lifetime = role->config->queue_lifetime,
        .report_lifetime = role->config->queue_report_lifetime,
        .notice = role->config->queue_notice,
        .notice_again = role->config->queue_notice_again,
        .interval_max = role->config->queue_interval_max,
    };
}

struct outgoing_destination *
outgoing_destination(struct store_role *role, struct slice name)
{
    struct outgoing *outgoing = role->outgoing;
    uint64_t hash = hash64(name, store_seed(role->store));
    struct outgoing_destination *found = map_find(&outgoing->destinations, map_key_u64(&hash));

    if (found)
        return found;
    found = calloc(1, sizeof(*found));
    if (!found)
        abort();
    found->hash = hash;
    flow_init(&found->flow, role->config->queue_concurrency, role->config->queue_rate);
    list_init(&found->waiting);
    map_set(&outgoing->destinations, map_key_u64(&found->hash), found);
    return found;
}

/* ---- batches ------------------------------------------------------------------------------- */

void
outgoing_close_batch(struct batch *batch)
{
    struct outgoing *outgoing = batch->role->outgoing;

    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        (void)!map_remove(&outgoing->in_flight, slice_of(letter->key, sizeof(letter->key)));
        (void)!map_remove(&outgoing->asks, map_key_u64(&letter->ask));
    }
    outgoing->batch_count--;
    list_remove(&batch->link);
    arena_finish(&batch->arena);
    free(batch);
}

/* Nothing of the batch is on its way any more: its lane is looked at again. */
static void
end_batch(struct batch *batch)
{
    struct store_role *role = batch->role;
    struct lane *lane = lanes_find(&role->outgoing->lanes, batch->domain);

    if (lane) {
        lane->batches--;
        lanes_set(&role->outgoing->lanes, lane, now_s(role));
    }
    outgoing_close_batch(batch);
    outgoing_run_soon(role);
}

void
outgoing_leave(struct store_role *role, struct carriage *carriage)
{
    struct batch *batch = carriage->batch;

    (void)role;
    list_remove(&carriage->link);
    list_remove(&carriage->batch_link);
    buffer_finish(&carriage->body);
    host_blob_close(&carriage->blob);
    free(carriage);
    if (--batch->carriage_count == 0)
        end_batch(batch);
}

struct picking {
    struct outgoing *outgoing;
    struct letter *letters;
    size_t count, room;
    uint64_t now_s;
    bool is_found;
    struct queue_place first; /* its domain is not kept */
};

static bool
is_in_flight(const struct outgoing *outgoing, const struct queue_place *place)
{
    uint64_t key[2] = {place->message, place->index};

    return map_find(&outgoing->in_flight, slice_of(key, sizeof(key))) != NULL;
}

static bool
find_first(void *context, const struct queue_place *place)
{
    struct picking *picking = context;

    if (is_in_flight(picking->outgoing, place))
        return true;
    picking->first = *place;
    picking->is_found = true;
    return false;
}

/* Recipients of the first one's message that are due, too. */
static bool
gather(void *context, const struct queue_place *place)
{
    struct picking *picking = context;

    if (place->message != picking->first.message || place->due_s > picking->now_s ||
        picking->count == picking->room)
        return false;
    if (is_in_flight(picking->outgoing, place))
        return true;
    picking->letters[picking->count++] = (struct letter){
        .key = {place->message, place->index},
        .class = place->class,
        .due_s = place->due_s,
    };
    return true;
}

/* A recipient whose record cannot be read is let go: check names it. */
static bool
fill_letter(struct store_role *role, struct batch *batch, struct letter *letter)
{
    struct queue_recipient recipient;
    struct slice facts;

    letter->batch = batch;
    list_init(&letter->link);
    letter->address = letter->original = letter->original_type = slice_of("", 0);
    if (mailbox_queue_get_recipient(role->store, letter->key[0], (uint32_t)letter->key[1],
                                    &facts) != STORE_OK ||
        !queue_recipient_take(facts, &recipient) || recipient.state != QUEUE_WAITING)
        return false;
    letter->address = arena_copy(&batch->arena, recipient.address);
    letter->original_type = arena_copy(&batch->arena, recipient.original_type);
    letter->original = arena_copy(&batch->arena, recipient.original);
    letter->notify = recipient.notify;
    return !arena_failed(&batch->arena);
}

static bool
fill_batch(struct store_role *role, struct batch *batch)
{
    struct queued_entry entry;
    struct queue_message facts;

    if (mailbox_queue_get(role->store, batch->message, &entry) != STORE_OK || entry.body == 0 ||
        !queue_message_take(entry.facts, &facts))
        return false;
    batch->body = entry.body;
    batch->len = entry.len;
    batch->facts = facts;
    batch->facts.id = arena_copy(&batch->arena, facts.id);
    batch->facts.reverse_path = arena_copy(&batch->arena, facts.reverse_path);
    batch->facts.envelope_id = arena_copy(&batch->arena, facts.envelope_id);
    return !arena_failed(&batch->arena);
}

static struct carriage *
open_carriage(struct batch *batch, const struct store_route_hop *hop)
{
    struct carriage *carriage = calloc(1, sizeof(*carriage));

    if (!carriage)
        abort();
    carriage->batch = batch;
    if (hop)
        carriage->hop = *hop;
    list_init(&carriage->link);
    list_init(&carriage->letters);
    buffer_init(&carriage->body, OUTGOING_INLINE_MAX);
    list_append(&batch->carriages, &carriage->batch_link);
    batch->carriage_count++;
    return carriage;
}

static void
add_letter(struct carriage *carriage, struct letter *letter)
{
    list_remove(&letter->link);
    list_append(&carriage->letters, &letter->link);
    carriage->count++;
}

/* All of it leaves the queue's order without having been tried. */
static void
let_go(struct store_role *role, struct batch *batch)
{
    struct carriage *carriage = open_carriage(batch, NULL);

    list_remove(&carriage->batch_link);
    log_event(role->host, HOST_LEVEL_ERROR, "queue_entry_damaged", "id", batch->facts.id);
    for (size_t i = 0; i < batch->count; i++)
        add_letter(carriage, &batch->letters[i]);
    outgoing_settle(role, carriage, LETTER_STRAY, 0, SLICE(""), SLICE(""));
}

static void
ask_route(struct store_role *role, struct batch *batch)
{
    struct outgoing *outgoing = role->outgoing;

    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        struct store_route_next_hop ask = {
            .id = ++outgoing->ask_count,
            .sender = batch->facts.reverse_path,
            .recipient = letter->address,
        };
        letter->ask = ask.id;
        map_set(&outgoing->asks, map_key_u64(&letter->ask), letter);
        list_append(&batch->asked, &letter->link);
        buffer_clear(&role->note);
        bool is_put = store_route_put_next_hop(&role->note, &outgoing->route_ledger, &ask);
        assert(is_put);
        host_channel_send(outgoing->route, buffer_slice(&role->note), HOST_HANDLE_NONE);
    }
}

/* Their addresses share a note: those behind the bound wait for the next batch. */
static size_t
count_that_fit(const struct batch *batch)
{
    size_t octets = 0, count = 0;

    for (; count < batch->count; count++) {
        const struct letter *letter = &batch->letters[count];
        octets += letter->address.len + letter->original.len + letter->original_type.len + 16;
        if (octets > OUTGOING_ADDRESSES_MAX && count > 0)
            break;
    }
    return count;
}

static struct batch *
open_batch(struct store_role *role, struct lane *lane, const struct picking *picking)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (!batch)
        abort();
    batch->role = role;
    arena_init(&batch->arena, OUTGOING_ARENA_MAX);
    list_init(&batch->asked);
    list_init(&batch->carriages);
    batch->message = picking->first.message;
    batch->domain = arena_copy(&batch->arena, lane_domain(lane));
    batch->facts.id = slice_of("", 0);
    batch->letters = ARENA_ARRAY(&batch->arena, struct letter, picking->count);
    assert(batch->letters);
    memcpy(batch->letters, picking->letters, picking->count * sizeof(*batch->letters));
    batch->count = picking->count;
    list_append(&role->outgoing->batches, &batch->link);
    role->outgoing->batch_count++;
    lane->batches++;
    return batch;
}

static void
begin_batch(struct store_role *role, struct lane *lane, enum queue_class class,
            const struct picking *picking)
{
    struct batch *batch = open_batch(role, lane, picking);
    bool is_good = fill_batch(role, batch);

    for (size_t i = 0; i < batch->count; i++)
        is_good &= fill_letter(role, batch, &batch->letters[i]);
    if (is_good)
        batch->count = count_that_fit(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        map_set(&role->outgoing->in_flight, slice_of(letter->key, sizeof(letter->key)), letter);
    }
    const struct letter *last = &batch->letters[batch->count - 1];
    lane->taken[class] = (struct lane_place){last->due_s, last->key[0], (uint32_t)last->key[1] + 1};
    if (is_good)
        ask_route(role, batch);
    else
        let_go(role, batch);
}

/* ---- lanes --------------------------------------------------------------------------------- */

/* How many batches of a lane may be on their way: one more than its destination takes. */
static uint32_t
lane_room(const struct outgoing *outgoing, const struct lane *lane)
{
    const struct outgoing_destination *destination =
        map_find(&outgoing->destinations, map_key_u64(&lane->hint));

    return destination ? destination->flow.window_64ths / 64 + 1 : 1;
}

static struct queue_place
place_behind(struct slice domain, uint8_t class, const struct lane_place *taken)
{
    return (struct queue_place){
        .domain = domain,
        .class = class,
        .due_s = taken->due_s,
        .message = taken->number,
        .index = taken->index,
    };
}

/* Looks at the fronts of all classes; returns the class to take from, or QUEUE_CLASSES, and then
 * when something will be due (UINT64_MAX: never). */
static enum queue_class
choose_class(struct store_role *role, struct lane *lane, struct queue_place *ret_first,
             uint64_t *ret_next_s)
{
    struct queue_place firsts[QUEUE_CLASSES];
    bool is_due[QUEUE_CLASSES] = {false};
    uint64_t now = now_s(role), next = UINT64_MAX;

    for (unsigned class = 0; class < QUEUE_CLASSES; class ++) {
        struct picking picking = {.outgoing = role->outgoing};
        struct queue_place from =
            place_behind(lane_domain(lane), (uint8_t) class, &lane->taken[class]);
        if (mailbox_queue_list_due(role->store, &from, find_first, &picking) != STORE_OK ||
            !picking.is_found)
            continue;
        firsts[class] = picking.first;
        is_due[class] = picking.first.due_s <= now;
        if (picking.first.due_s < next)
            next = picking.first.due_s;
    }
    enum queue_class chosen = lane_class(lane, is_due);
    if (chosen < QUEUE_CLASSES)
        *ret_first = firsts[chosen];
    *ret_next_s = next;
    return chosen;
}

static void
take_from(struct store_role *role, struct lane *lane, enum queue_class class,
          const struct queue_place *first)
{
    struct letter letters[OUTGOING_LETTERS_MAX];
    struct picking picking = {
        .outgoing = role->outgoing,
        .letters = letters,
        .room = OUTGOING_LETTERS_MAX,
        .now_s = now_s(role),
        .first = *first,
    };
    struct queue_place from = *first;

    from.domain = lane_domain(lane);
    if (mailbox_queue_list_due(role->store, &from, gather, &picking) != STORE_OK ||
        picking.count == 0)
        return;
    begin_batch(role, lane, class, &picking);
}

/* Takes one batch of the lane, or finds out when to look again. */
static void
look_at(struct store_role *role, struct lane *lane)
{
    struct outgoing *outgoing = role->outgoing;
    struct queue_place first;
    uint64_t next;

    if (lane->batches >= lane_room(outgoing, lane)) {
        lanes_pause(&outgoing->lanes, lane); /* the end of one will bring it back */
        return;
    }
    if (lane->batches == 0)
        memset(lane->taken, 0, sizeof(lane->taken)); /* nothing to be passed over */
    enum queue_class class = choose_class(role, lane, &first, &next);
    if (class == QUEUE_CLASSES) {
        if (next != UINT64_MAX)
            lanes_set(&outgoing->lanes, lane, next);
        else if (lane->batches > 0)
            lanes_pause(&outgoing->lanes, lane);
        else
            lanes_remove(&outgoing->lanes, lane);
        return;
    }
    if (slice_equal(lane_domain(lane), SLICE(OUTGOING_REPORTS))) {
        lanes_set(&outgoing->lanes, lane, now_s(role) + 1);
        lane->taken[class] = (struct lane_place){first.due_s, first.message, first.index + 1};
        report_begin(role, first.message, first.due_s);
        return;
    }
    take_from(role, lane, class, &first);
}

static void
set_timer(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    struct lane *lane = lanes_first(&outgoing->lanes);
    struct wall wall = host_wall(role->host);
    int64_t wait_ns = duration_s(MAX_PURGE_EVERY_S).ns;

    if (lane && (int64_t)lane->ready_s < INT64_MAX / 1000000000) {
        int64_t until = (int64_t)lane->ready_s * 1000000000 - wall.ns;
        /* What is due already waits for room, or for route. */
        wait_ns = until <= 0 ? duration_s(1).ns : until < wait_ns ? until : wait_ns;
    }
    host_timer_set(outgoing->timer,
                   instant_after(host_now(role->host), (struct duration){wait_ns}));
}

static void
kick_all(struct store_role *role)
{
    const struct map_item *item;

    for (size_t place = 0; (item = map_next(&role->outgoing->destinations, &place));) {
        struct outgoing_destination *destination = item->value;
        if (!list_is_empty(&destination->waiting))
            outgoing_kick(role, destination);
    }
}

static void
run(void *context)
{
    struct store_role *role = context;
    struct outgoing *outgoing = role->outgoing;
    struct lane *lane;
    uint64_t now = now_s(role);

    outgoing->is_run_due = false;
    if (!role->is_started || role->is_stopping)
        return;
    if (now >= outgoing->purge_s + MAX_PURGE_EVERY_S || now < outgoing->purge_s) {
        outgoing->purge_s = now;
        outgoing->is_purge_due = true;
        store_role_turn_soon(role);
    }
    for (unsigned steps = 0; outgoing->route && steps < OUTGOING_BATCHES_MAX; steps++) {
        lane = lanes_first(&outgoing->lanes);
        if (!lane || lane->ready_s > now || outgoing->batch_count >= OUTGOING_BATCHES_MAX ||
            host_channel_is_full(outgoing->route))
            break;
        look_at(role, lane);
    }
    set_timer(role);
}

static void
on_timer(void *context)
{
    struct store_role *role = context;

    kick_all(role);
    outgoing_transports_watch(role);
    reports_go_on(role);
    run(role);
}

void
outgoing_run_soon(struct store_role *role)
{
    if (role->outgoing->is_run_due)
        return;
    role->outgoing->is_run_due = true;
    host_defer(role->host, run, role);
}

/* ---- what route says ----------------------------------------------------------------------- */

#define COPY_LIST(arena, to, from, type, copy_one)                                                 \
    do {                                                                                           \
        struct type *rows = ARENA_ARRAY(arena, struct type, (from).count);                         \
        for (size_t i = 0; rows && i < (from).count; i++) {                                        \
            rows[i] = (from).at[i];                                                                \
            copy_one;                                                                              \
        }                                                                                          \
        (to).at = rows;                                                                            \
        (to).count = rows ? (from).count : 0;                                                      \
    } while (0)

static void
copy_hop(struct arena *arena, const struct store_route_hop *from, struct store_route_hop *to)
{
    *to = *from;
    to->destination = arena_copy(arena, from->destination);
    to->path = arena_copy(arena, from->path);
    to->auth_name = arena_copy(arena, from->auth_name);
    to->auth_secret = arena_copy(arena, from->auth_secret);
    to->source_ipv4 = arena_copy(arena, from->source_ipv4);
    to->source_ipv6 = arena_copy(arena, from->source_ipv6);
    to->status = arena_copy(arena, from->status);
    to->text = arena_copy(arena, from->text);
    COPY_LIST(arena, to->hosts, from->hosts, store_route_host,
              rows[i].name = arena_copy(arena, rows[i].name));
    COPY_LIST(arena, to->addresses, from->addresses, store_route_address,
              rows[i].bytes = arena_copy(arena, rows[i].bytes));
    COPY_LIST(arena, to->tlsa, from->tlsa, store_route_tlsa,
              rows[i].data = arena_copy(arena, rows[i].data));
    COPY_LIST(arena, to->verify_names, from->verify_names, store_route_verify_name,
              rows[i].name = arena_copy(arena, rows[i].name));
    to->sts_domain = arena_copy(arena, from->sts_domain);
    to->sts_id = arena_copy(arena, from->sts_id);
    COPY_LIST(arena, to->sts_addresses, from->sts_addresses, store_route_address,
              rows[i].bytes = arena_copy(arena, rows[i].bytes));
    to->steps.count = 0;
}

/* The carriage of the batch that goes there, or a new one. */
static struct carriage *
carriage_for(struct batch *batch, const struct store_route_hop *hop)
{
    struct store_route_hop copy;

    LIST_EACH (link, &batch->carriages) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, batch_link);
        /* An address of ours is looked up by itself. */
        if (carriage->hop.outcome == hop->outcome && carriage->hop.carrier == hop->carrier &&
            hop->carrier != STORE_ROUTE_CARRIER_LOCAL && carriage->hop.code == hop->code &&
            slice_equal(carriage->hop.destination, hop->destination) &&
            slice_equal(carriage->hop.path, hop->path) &&
            slice_equal(carriage->hop.text, hop->text))
            return carriage;
    }
    copy_hop(&batch->arena, hop, &copy);
    return open_carriage(batch, &copy);
}

/* Route has answered for all letters: each carriage goes its way. */
static void
dispatch(struct store_role *role, struct batch *batch)
{
    struct lane *lane = lanes_find(&role->outgoing->lanes, batch->domain);

    LIST_EACH (link, &batch->carriages) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, batch_link);
        const struct store_route_hop *hop = &carriage->hop;
        list_remove(&carriage->batch_link);
        if (hop->outcome != STORE_ROUTE_OUTCOME_FOUND) {
            bool is_permanent = hop->outcome == STORE_ROUTE_OUTCOME_PERMANENT;
            outgoing_settle(role, carriage, is_permanent ? LETTER_PERMANENT : LETTER_TEMPORARY, 0,
                            hop->status, hop->text);
            continue;
        }
        carriage->destination = outgoing_destination(role, hop->destination);
        if (lane)
            lane->hint = carriage->destination->hash;
        list_append(&carriage->destination->waiting, &carriage->link);
        outgoing_kick(role, carriage->destination);
    }
    if (lane && lane->batches < lane_room(role->outgoing, lane)) {
        lanes_set(&role->outgoing->lanes, lane, now_s(role));
        outgoing_run_soon(role);
    }
}

static void
on_hop(struct store_role *role, const struct store_route_hop *hop)
{
    struct letter *letter = map_remove(&role->outgoing->asks, map_key_u64(&hop->id));

    assert(letter); /* the ledger knows its number */
    struct batch *batch = letter->batch;
    add_letter(carriage_for(batch, hop), letter);
    if (arena_failed(&batch->arena))
        log_event(role->host, HOST_LEVEL_ERROR, "hop_too_long", "id", batch->facts.id);
    if (list_is_empty(&batch->asked))
        dispatch(role, batch);
}

static void
lose_route(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    struct store_route_hop lost = {
        .outcome = STORE_ROUTE_OUTCOME_TEMPORARY,
        .status = SLICE("4.3.0"),
        .text = SLICE("the routing agent ended before it answered"),
    };

    host_channel_close(&outgoing->route);
    note_ledger_finish(&outgoing->route_ledger);
    LIST_EACH (link, &outgoing->batches) {
        struct batch *batch = LIST_ITEM(link, struct batch, link);
        bool is_asked = !list_is_empty(&batch->asked);
        LIST_EACH (asked, &batch->asked) {
            struct letter *letter = LIST_ITEM(asked, struct letter, link);
            (void)!map_remove(&outgoing->asks, map_key_u64(&letter->ask));
            add_letter(carriage_for(batch, &lost), letter);
        }
        if (is_asked)
            dispatch(role, batch);
    }
    local_lose(role);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_role *role = context;
    struct store_route_note note;

    arena_reset(&role->note_arena);
    if (store_route_take(bytes, handle, SIDE_ROUTE, &role->outgoing->route_ledger,
                         &role->note_arena, &note)) {
        if (note.kind == STORE_ROUTE_HOP)
            on_hop(role, &note.as.hop);
        else
            local_located(role, &note.as.located);
        return;
    }
    store_role_bad_note(role, handle, "route");
    lose_route(role);
}

static void
on_closed(void *context)
{
    lose_route(context);
}

static void
on_room(void *context)
{
    outgoing_run_soon(context);
}

void
outgoing_attach_route(struct store_role *role, host_handle handle)
{
    static const struct host_channel_handler handler = {on_note, on_closed, on_room};

    if (role->outgoing->route)
        lose_route(role);
    role->outgoing->route = host_channel_open(role->host, handle, &handler, role);
    outgoing_run_soon(role);
}

/* ---- life ---------------------------------------------------------------------------------- */

void
outgoing_open(struct store_role *role)
{
    struct outgoing *outgoing = calloc(1, sizeof(*outgoing));
    uint64_t seed;

    if (!outgoing)
        abort();
    host_random(role->host, &seed, sizeof(seed));
    role->outgoing = outgoing;
    lanes_init(&outgoing->lanes, seed);
    buffer_init(&outgoing->record, QUEUE_ENTRY_MAX);
    map_init(&outgoing->in_flight, seed);
    map_init(&outgoing->destinations, seed);
    map_init(&outgoing->asks, seed);
    map_init(&outgoing->carriages, seed);
    map_init(&outgoing->locating, seed);
    map_init(&outgoing->reports_by_id, seed);
    list_init(&outgoing->batches);
    list_init(&outgoing->reading);
    list_init(&outgoing->results);
    list_init(&outgoing->results_filing);
    list_init(&outgoing->reports);
    list_init(&outgoing->reports_ready);
    list_init(&outgoing->reports_filing);
    list_init(&outgoing->askings);
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++)
        list_init(&outgoing->transports[i].carriages);
    outgoing->timer = host_timer_open(role->host, on_timer, role);
}

static bool
note_front(void *context, const struct queue_place *place)
{
    struct store_role *role = context;
    struct lane_place at = {place->due_s, place->message, place->index};

    if (place->class < QUEUE_CLASSES)
        lanes_note(&role->outgoing->lanes, place->domain, place->class, &at);
    return true;
}

void
outgoing_start(struct store_role *role)
{
    if (mailbox_queue_list_fronts(role->store, note_front, role) != STORE_OK)
        log_event(role->host, HOST_LEVEL_ERROR, "queue_not_read", "what", SLICE("the view"));
    outgoing_run_soon(role);
}

void
outgoing_close(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    const struct map_item *item;

    outgoing->is_run_due = true; /* no more */
    outgoing_filed(role, false);
    askings_close(role);
    reports_close(role);
    outgoing_transports_close(role);
    host_channel_close(&outgoing->route);
    note_ledger_finish(&outgoing->route_ledger);
    outgoing_close_all(role);
    for (size_t place = 0; (item = map_next(&outgoing->destinations, &place));)
        free(item->value);
    host_timer_close(&outgoing->timer);
    lanes_finish(&outgoing->lanes);
    map_finish(&outgoing->in_flight);
    map_finish(&outgoing->destinations);
    map_finish(&outgoing->asks);
    map_finish(&outgoing->carriages);
    map_finish(&outgoing->locating);
    map_finish(&outgoing->reports_by_id);
    buffer_finish(&outgoing->record);
    free(outgoing);
    role->outgoing = NULL;
}
