/* SPDX-License-Identifier: ISC */
/* Where the letters of a batch go next: route is asked about each, and those that go the same way
 * become a carriage. */
#include "role/store/outgoing.h"

#include <stdlib.h>

enum { SIDE_ROUTE = 1 };

struct carriage *
outgoing_open_carriage(struct batch *batch, const struct store_route_hop *hop)
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
    batch->open_count++;
    return carriage;
}

void
outgoing_add_letter(struct carriage *carriage, struct letter *letter)
{
    list_remove(&letter->link);
    list_append(&carriage->letters, &letter->link);
    carriage->count++;
}

static uint64_t
ask(struct store_role *role, struct slice sender, struct slice recipient, struct slice way)
{
    struct outgoing *outgoing = role->outgoing;
    struct store_route_next_hop ask = {
        .id = ++outgoing->ask_count,
        .sender = sender,
        .recipient = recipient,
        .way = way,
    };

    if (!outgoing->route)
        return 0;
    buffer_clear(&role->note);
    bool is_put = store_route_put_next_hop(&role->note, &outgoing->route_ledger, &ask);
    assert(is_put);
    host_channel_send(outgoing->route, buffer_slice(&role->note), HOST_HANDLE_NONE);
    return ask.id;
}

uint64_t
outgoing_ask(struct store_role *role, struct slice sender, struct slice recipient)
{
    return ask(role, sender, recipient, SLICE(""));
}

uint64_t
outgoing_ask_way(struct store_role *role, struct slice way, struct slice recipient)
{
    return ask(role, SLICE(""), recipient, way);
}

static void
ask_about(struct store_role *role, struct letter *letter)
{
    letter->ask = outgoing_ask(role, letter->batch->facts.reverse_path, letter->address);
    map_set(&role->outgoing->asks, map_key_u64(&letter->ask), letter);
}

/* ---- what route says ----------------------------------------------------------------------- */

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
    hop_copy(&batch->arena, hop, &copy);
    return outgoing_open_carriage(batch, &copy);
}

/* RFC 2852 §4.1.3: by-mode R, and no attempt any more. */
static bool
is_too_late(struct store_role *role, const struct batch *batch)
{
    const struct queue_message *facts = &batch->facts;

    return facts->flags & QUEUE_DELIVER_BY && facts->flags & QUEUE_BY_RETURNS &&
           host_wall(role->host).ns >= facts->deliver_by.ns;
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
        if (is_too_late(role, batch) && hop->carrier != STORE_ROUTE_CARRIER_LOCAL) {
            outgoing_settle(role, carriage, LETTER_PERMANENT, 0, SLICE("5.4.7"),
                            SLICE("the time in which it was to be delivered is over"));
            continue;
        }
        carriage->destination = outgoing_destination(role, hop->destination);
        carriage->hint = carriage->destination->hash;
        if (lane)
            lane->hint = carriage->hint;
        if (carriage->destination->waiting_count >= OUTGOING_WAITING_MAX) {
            batch->is_postponed = true;
            outgoing_settle(role, carriage, LETTER_POSTPONED, 0, SLICE(""), SLICE(""));
            continue;
        }
        outgoing_await(role, carriage);
    }
    if (lane && lane->batches < outgoing_lane_room(role->outgoing, lane)) {
        lanes_set(&role->outgoing->lanes, lane, outgoing_now_s(role));
        outgoing_run_soon(role);
    }
}

/* The first answer may be one for all of the batch: they are in one domain. */
static void
ask_about_rest(struct store_role *role, struct batch *batch, const struct store_route_hop *hop)
{
    bool is_for_all = hops_is_for_domain(hop);

    LIST_EACH (link, &batch->asked) {
        struct letter *letter = LIST_ITEM(link, struct letter, link);
        if (is_for_all)
            outgoing_add_letter(carriage_for(batch, hop), letter);
        else
            ask_about(role, letter);
    }
    batch->is_rest_asked = true;
}

void
outgoing_ask_route(struct store_role *role, struct batch *batch)
{
    struct store_route_host host;
    struct store_route_hop turned;
    bool is_turned = turns_hop(role, batch->domain, &host, &turned);
    /* Who wants to see everything sees each decision. */
    const struct store_route_hop *hop =
        is_turned ? &turned
        : role->config->log_level == CONFIG_LOG_DEBUG
            ? NULL
            : hops_find(&role->outgoing->hops, batch->domain, host_now(role->host));

    for (size_t i = 0; i < batch->count; i++)
        list_append(&batch->asked, &batch->letters[i].link);
    if (!hop) {
        ask_about(role, &batch->letters[0]);
        return;
    }
    ask_about_rest(role, batch, hop);
    dispatch(role, batch);
}

static void
on_hop(struct store_role *role, const struct store_route_hop *hop)
{
    if (policies_take_hop(role, hop) || probes_take_hop(role, hop) || feeds_take_hop(role, hop))
        return;
    struct letter *letter = map_remove(&role->outgoing->asks, map_key_u64(&hop->id));
    assert(letter); /* the ledger knows its number */
    struct batch *batch = letter->batch;
    hops_keep(&role->outgoing->hops, batch->domain, hop, host_now(role->host));
    outgoing_add_letter(carriage_for(batch, hop), letter);
    if (!batch->is_rest_asked)
        ask_about_rest(role, batch, hop);
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

    hops_forget(&outgoing->hops);
    host_channel_close(&outgoing->route);
    note_ledger_finish(&outgoing->route_ledger);
    LIST_EACH (link, &outgoing->batches) {
        struct batch *batch = LIST_ITEM(link, struct batch, link);
        bool is_asked = !list_is_empty(&batch->asked);
        LIST_EACH (asked, &batch->asked) {
            struct letter *letter = LIST_ITEM(asked, struct letter, link);
            (void)!map_remove(&outgoing->asks, map_key_u64(&letter->ask));
            outgoing_add_letter(carriage_for(batch, &lost), letter);
        }
        if (is_asked)
            dispatch(role, batch);
    }
    local_lose(role);
    policies_lose_route(role);
    feeds_lose_route(role);
    probes_lose_route(role);
    tls_reports_lose_route(role);
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
        else if (note.kind == STORE_ROUTE_CHANGED)
            hops_forget(&role->outgoing->hops);
        else if (note.kind == STORE_ROUTE_RELAY_MISSED)
            feeds_wish(role, note.as.relay_missed.domain);
        else if (note.kind == STORE_ROUTE_REPORT_ADDRESSES)
            tls_reports_on_addresses(role, &note.as.report_addresses);
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
    feeds_tell(role);
    outgoing_run_soon(role);
}
