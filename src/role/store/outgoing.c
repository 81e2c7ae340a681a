/* SPDX-License-Identifier: ISC */
/* Mail for other hosts: what is due, and where it goes next. */
#include "role/store/outgoing.h"

#include "base/hash.h"

#include <stdlib.h>

enum { MAX_PURGE_EVERY_S = 60 };

uint64_t
outgoing_now_s(struct store_role *role)
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

    if (found) {
        flow_bound(&found->flow, role->config->queue_interval_max);
        return found;
    }
    found = calloc(1, sizeof(*found));
    if (!found)
        abort();
    found->hash = hash;
    flow_init(&found->flow, role->config->queue_concurrency, role->config->queue_rate,
              role->config->queue_interval_max);
    list_init(&found->waiting);
    list_init(&found->link);
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

void
outgoing_settled(struct batch *batch)
{
    struct store_role *role = batch->role;
    struct lane *lane = lanes_find(&role->outgoing->lanes, batch->domain);

    if (--batch->open_count > 0)
        return;
    if (lane) {
        assert(lane->batches > 0);
        lane->batches--;
        lanes_set(&role->outgoing->lanes, lane, outgoing_now_s(role) + batch->is_postponed);
    }
    outgoing_run_soon(role);
}

void
outgoing_leave(struct store_role *role, struct carriage *carriage)
{
    struct batch *batch = carriage->batch;

    list_remove(&carriage->link);
    list_remove(&carriage->batch_link);
    buffer_finish(&carriage->body);
    host_blob_close(&carriage->blob);
    free(carriage);
    if (--batch->carriage_count == 0) {
        outgoing_close_batch(batch);
        outgoing_run_soon(role);
    }
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

/* A recipient whose record is damaged is let go: check names it. */
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

/* All of it leaves the queue's order without having been tried. */
static void
let_go(struct store_role *role, struct batch *batch)
{
    struct carriage *carriage = outgoing_open_carriage(batch, NULL);

    list_remove(&carriage->batch_link);
    log_event(role->host, HOST_LEVEL_ERROR, "queue_entry_damaged", "id", batch->facts.id);
    for (size_t i = 0; i < batch->count; i++)
        outgoing_add_letter(carriage, &batch->letters[i]);
    outgoing_settle(role, carriage, LETTER_STRAY, 0, SLICE(""), SLICE(""));
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
    if (!is_good && !store_is_readable(role->store)) {
        lane->batches--; /* they wait: the view is made anew */
        outgoing_close_batch(batch);
        return;
    }
    if (is_good)
        batch->count = count_that_fit(batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct letter *letter = &batch->letters[i];
        map_set(&role->outgoing->in_flight, slice_of(letter->key, sizeof(letter->key)), letter);
    }
    const struct letter *last = &batch->letters[batch->count - 1];
    lane->taken[class] = (struct lane_place){last->due_s, last->key[0], (uint32_t)last->key[1] + 1};
    if (is_good)
        outgoing_ask_route(role, batch);
    else
        let_go(role, batch);
}

/* ---- lanes --------------------------------------------------------------------------------- */

/* One more than its destination takes. */
uint32_t
outgoing_lane_room(const struct outgoing *outgoing, const struct lane *lane)
{
    const struct outgoing_destination *destination =
        map_find(&outgoing->destinations, map_key_u64(&lane->hint));

    if (outgoing->batch_count >= OUTGOING_BATCHES_MANY || !destination)
        return 1;
    /* What is refused anyway is refused in large turns. */
    if (flow_is_shut(&destination->flow, host_now(outgoing->role->host)))
        return OUTGOING_SHUT_BATCHES;
    return destination->flow.window_64ths / 64 + 1;
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
    uint64_t now = outgoing_now_s(role), next = UINT64_MAX;

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
    NOT_ZEROED struct letter letters[OUTGOING_LETTERS_MAX];
    struct picking picking = {
        .outgoing = role->outgoing,
        .letters = letters,
        .room = OUTGOING_LETTERS_MAX,
        .now_s = outgoing_now_s(role),
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

    if (lane->batches >= outgoing_lane_room(outgoing, lane)) {
        lanes_pause(&outgoing->lanes, lane); /* the end of one will bring it back */
        return;
    }
    bool is_of_reports = slice_equal(lane_domain(lane), SLICE(OUTGOING_REPORTS));
    if (is_of_reports && outgoing->report_count >= OUTGOING_REPORTS_MAX) {
        lanes_set(&outgoing->lanes, lane, outgoing_now_s(role) + 1); /* or when one is filed */
        return;
    }
    if (lane->batches == 0)
        memset(lane->taken, 0, sizeof(lane->taken)); /* nothing to be passed over */
    enum queue_class class = choose_class(role, lane, &first, &next);
    if (!store_is_readable(role->store))
        return; /* there may be more than was found */
    if (class == QUEUE_CLASSES) {
        if (next != UINT64_MAX)
            lanes_set(&outgoing->lanes, lane, next);
        else if (lane->batches > 0)
            lanes_pause(&outgoing->lanes, lane);
        else
            lanes_remove(&outgoing->lanes, lane);
        return;
    }
    if (is_of_reports) {
        lanes_set(&outgoing->lanes, lane, outgoing_now_s(role));
        lane->taken[class] = (struct lane_place){first.due_s, first.message, first.index + 1};
        report_begin(role, first.message, first.due_s);
        return;
    }
    take_from(role, lane, class, &first);
}

void
outgoing_wake(struct store_role *role, struct instant when)
{
    struct outgoing *outgoing = role->outgoing;

    if (!instant_is_before(when, outgoing->timer_at))
        return;
    outgoing->timer_at = when;
    host_timer_set(outgoing->timer, when);
}

static void
set_timer(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    struct lane *lane = lanes_first(&outgoing->lanes);
    struct wall wall = host_wall(role->host);
    int64_t wait_ns = duration_s(outgoing->are_fronts_known ? MAX_PURGE_EVERY_S : 1).ns;

    if (lane && (int64_t)lane->ready_s < INT64_MAX / 1000000000) {
        int64_t until = (int64_t)lane->ready_s * 1000000000 - wall.ns;
        /* What is due already waits for room, or for route. */
        wait_ns = until <= 0 ? duration_s(1).ns : until < wait_ns ? until : wait_ns;
    }
    outgoing_wake(role, instant_after(host_now(role->host), (struct duration){wait_ns}));
}

static void
kick_stalled(struct store_role *role)
{
    LIST_EACH (link, &role->outgoing->stalled) {
        outgoing_kick(role, LIST_ITEM(link, struct outgoing_destination, link));
    }
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

/* Until all of it could be read once, what waits is not known. */
static void
read_fronts(struct store_role *role)
{
    role->outgoing->are_fronts_known =
        store_is_readable(role->store) &&
        mailbox_queue_list_fronts(role->store, note_front, role) == STORE_OK;
}

/* Destinations that nothing was sent to for a while are forgotten. */
static void
sweep_destinations(struct store_role *role)
{
    enum { SWEEP_STEP = 1024 };
    struct outgoing_destination *idle[SWEEP_STEP];
    struct outgoing *outgoing = role->outgoing;
    struct instant now = host_now(role->host);
    const struct map_item *item;
    size_t count = 0;

    for (size_t place = 0;
         count < SWEEP_STEP && (item = map_next(&outgoing->destinations, &place));) {
        struct outgoing_destination *destination = item->value;
        bool is_idle =
            flow_is_idle(&destination->flow, now) && list_is_empty(&destination->waiting);
        if (is_idle && destination->was_idle)
            idle[count++] = destination;
        destination->was_idle = is_idle;
    }
    for (size_t i = 0; i < count; i++) {
        (void)!map_remove(&outgoing->destinations, map_key_u64(&idle[i]->hash));
        free(idle[i]);
    }
}

static void
run(void *context)
{
    struct store_role *role = context;
    struct outgoing *outgoing = role->outgoing;
    struct lane *lane;
    uint64_t now = outgoing_now_s(role);

    outgoing->is_run_due = false;
    if (!role->is_started || role->is_stopping)
        return;
    if (now >= outgoing->purge_s + MAX_PURGE_EVERY_S || now < outgoing->purge_s) {
        outgoing->purge_s = now;
        outgoing->is_purge_due = true;
        sweep_destinations(role);
        store_role_turn_soon(role);
    }
    if (!outgoing->are_fronts_known)
        read_fronts(role);
    for (unsigned steps = 0; outgoing->route && steps < OUTGOING_BATCHES_MAX; steps++) {
        lane = lanes_first(&outgoing->lanes);
        if (!store_is_readable(role->store) || !lane || lane->ready_s > now ||
            outgoing->batch_count >= OUTGOING_BATCHES_MAX || host_channel_is_full(outgoing->route))
            break;
        look_at(role, lane);
    }
    set_timer(role);
}

static void
on_timer(void *context)
{
    struct store_role *role = context;

    role->outgoing->timer_at = INSTANT_NEVER;
    kick_stalled(role);
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

/* No turn has come along for the results. */
static void
on_ride_timer(void *context)
{
    struct store_role *role = context;

    role->outgoing->are_results_due = true;
    store_role_turn_soon(role);
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
    list_init(&outgoing->stalled);
    outgoing->role = role;
    outgoing->timer_at = INSTANT_NEVER;
    list_init(&outgoing->reading);
    list_init(&outgoing->turns);
    list_init(&outgoing->results);
    list_init(&outgoing->results_filing);
    list_init(&outgoing->reports);
    list_init(&outgoing->reports_ready);
    list_init(&outgoing->reports_filing);
    list_init(&outgoing->askings);
    for (unsigned i = 0; i < COUNT_OF(outgoing->transports); i++)
        list_init(&outgoing->transports[i].carriages);
    outgoing->timer = host_timer_open(role->host, on_timer, role);
    outgoing->ride_timer = host_timer_open(role->host, on_ride_timer, role);
    hops_init(&outgoing->hops, seed);
    policies_open(role, seed);
    feeds_open(role);
    probes_init(role, seed);
    tls_results_open(role, seed);
    outgoing_back_init(outgoing, seed);
}

void
outgoing_start(struct store_role *role)
{
    read_fronts(role);
    if (!role->outgoing->are_fronts_known)
        log_event(role->host, HOST_LEVEL_ERROR, "queue_not_read", "what", SLICE("the view"));
    policies_start(role);
    feeds_start(role);
    tls_results_start(role);
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
    turns_close_all(outgoing);
    outgoing_transports_close(role);
    host_channel_close(&outgoing->route);
    note_ledger_finish(&outgoing->route_ledger);
    outgoing_close_all(role);
    for (size_t place = 0; (item = map_next(&outgoing->destinations, &place));)
        free(item->value);
    host_timer_close(&outgoing->timer);
    host_timer_close(&outgoing->ride_timer);
    hops_finish(&outgoing->hops);
    policies_close(role);
    feeds_close(role);
    probes_finish(role);
    tls_results_close(role);
    outgoing_back_finish(outgoing);
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
