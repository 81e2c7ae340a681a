/* SPDX-License-Identifier: ISC */
/* Carriages: read, given to transport, settled. */
#include "role/store/outgoing.h"

#include "base/hash.h"
#include "mailbox/message.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIDE_TRANSPORT = 1, HOSTS_MAX = 15, ADDRESSES_MAX = 240 };

/* ---- settling ------------------------------------------------------------------------------ */

static void
give_results(struct store_role *role, struct carriage *carriage)
{
    list_remove(&carriage->link);
    outgoing_add_results(role, carriage);
    outgoing_settled(carriage->batch);
}

void
outgoing_settle(struct store_role *role, struct carriage *carriage, enum letter_outcome outcome,
                uint16_t code, struct slice status, struct slice text)
{
    struct arena *arena = &carriage->batch->arena;
    struct queue_attempt attempt = {
        .at = host_wall(role->host),
        .host = SLICE(""),
        .address = SLICE(""),
        .tls = SLICE(""),
        .status = arena_copy(arena, status),
        .text = arena_copy(arena, text),
        .code = code,
    };

    LIST_EACH (link, &carriage->letters) {
        struct letter *letter = LIST_ITEM(link, struct letter, link);
        letter->outcome = outcome;
        letter->is_final = true;
        letter->attempt = attempt;
    }
    give_results(role, carriage);
}

/* It is no more with its destination. */
static void
end_flow(struct store_role *role, struct carriage *carriage, enum flow_end end)
{
    if (!carriage->is_flowing)
        return;
    carriage->is_flowing = false;
    role->outgoing->body_bytes -= carriage->batch->len;
    flow_ended(&carriage->destination->flow, host_now(role->host), end);
}

static void
settle_later(struct store_role *role, struct carriage *carriage, const char *status,
             const char *text)
{
    struct outgoing_destination *destination = carriage->destination;

    end_flow(role, carriage, FLOW_UNKNOWN);
    outgoing_settle(role, carriage, LETTER_TEMPORARY, 0, slice_of_string(status),
                    slice_of_string(text));
    outgoing_kick(role, destination);
}

/* ---- transports ---------------------------------------------------------------------------- */

/* The one that has, or would have, connections to this destination. Programs are run by another
 * role, which may not be there. */
static struct outgoing_transport *
transport_for(struct outgoing *outgoing, const struct carriage *carriage)
{
    const struct outgoing_destination *destination = carriage->destination;
    struct outgoing_transport *hand = &outgoing->transports[OUTGOING_HAND];
    struct outgoing_transport *turned = turns_transport(outgoing, carriage->hop.path);
    unsigned count = 0, wanted;

    if (turned)
        return host_channel_is_full(turned->channel) ? NULL : turned;
    if (carriage->hop.carrier == STORE_ROUTE_CARRIER_PIPE && hand->channel)
        return host_channel_is_full(hand->channel) ? NULL : hand;
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++)
        count += outgoing->transports[i].channel != NULL;
    if (count == 0)
        return NULL;
    wanted = (unsigned)(destination->hash % count);
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (outgoing->transports[i].channel && wanted-- == 0)
            return host_channel_is_full(outgoing->transports[i].channel) ? NULL
                                                                         : &outgoing->transports[i];
    }
    return NULL;
}

static void
fill_hop(const struct store_route_hop *hop, struct store_transport_carry *carry)
{
    carry->destination = hop->destination;
    carry->path = hop->path;
    carry->port = hop->port;
    carry->tls = (enum store_transport_tls)hop->tls;
    carry->auth_name = hop->auth_name;
    carry->auth_secret = hop->auth_secret;
    carry->source_ipv4 = hop->source_ipv4;
    carry->source_ipv6 = hop->source_ipv6;
    carry->proxy = hop->proxy;
    carry->code = hop->code;
    carry->status = hop->status;
    carry->text = hop->text;
}

static void
fill_lists(struct arena *arena, const struct store_route_hop *hop,
           struct store_transport_carry *carry)
{
    struct store_transport_host *hosts =
        ARENA_ARRAY(arena, struct store_transport_host, hop->hosts.count + 1);
    struct store_transport_address *addresses =
        ARENA_ARRAY(arena, struct store_transport_address, hop->addresses.count + 1);
    struct store_transport_tlsa *tlsa =
        ARENA_ARRAY(arena, struct store_transport_tlsa, hop->tlsa.count + 1);
    struct store_transport_verify_name *names =
        ARENA_ARRAY(arena, struct store_transport_verify_name, hop->verify_names.count + 1);

    if (!hosts || !addresses || !tlsa || !names)
        return;
    for (size_t i = 0; i < hop->hosts.count && i < HOSTS_MAX; i++)
        hosts[carry->hosts.count++] = (struct store_transport_host){
            hop->hosts.at[i].name, hop->hosts.at[i].is_secure, hop->hosts.at[i].tlsa_failed};
    for (size_t i = 0; i < hop->addresses.count && carry->addresses.count < ADDRESSES_MAX; i++) {
        if (hop->addresses.at[i].host < HOSTS_MAX)
            addresses[carry->addresses.count++] = (struct store_transport_address){
                hop->addresses.at[i].host, hop->addresses.at[i].bytes};
    }
    for (size_t i = 0; i < hop->tlsa.count; i++) {
        const struct store_route_tlsa *from = &hop->tlsa.at[i];
        if (from->host < HOSTS_MAX)
            tlsa[carry->tlsa.count++] = (struct store_transport_tlsa){
                from->host, from->usage, from->selector, from->matching, from->data};
    }
    for (size_t i = 0; i < hop->verify_names.count; i++)
        names[carry->verify_names.count++] =
            (struct store_transport_verify_name){hop->verify_names.at[i].name};
    carry->hosts.at = hosts;
    carry->addresses.at = addresses;
    carry->tlsa.at = tlsa;
    carry->verify_names.at = names;
}

static void
fill_sts(struct arena *arena, const struct store_route_hop *hop,
         struct store_transport_carry *carry)
{
    struct store_transport_address *addresses =
        ARENA_ARRAY(arena, struct store_transport_address, hop->sts_addresses.count + 1);

    carry->sts_domain = hop->sts_domain;
    carry->sts_id = hop->sts_id;
    carry->sts_addresses.at = addresses;
    for (size_t i = 0; addresses && i < hop->sts_addresses.count; i++)
        addresses[carry->sts_addresses.count++] =
            (struct store_transport_address){0, hop->sts_addresses.at[i].bytes};
}

static void
fill_recipients(struct arena *arena, struct carriage *carriage, struct store_transport_carry *carry)
{
    struct store_transport_recipient *rows =
        ARENA_ARRAY(arena, struct store_transport_recipient, carriage->count);

    if (!rows)
        return;
    LIST_EACH (link, &carriage->letters) {
        const struct letter *letter = LIST_ITEM(link, struct letter, link);
        rows[carry->recipients.count++] = (struct store_transport_recipient){
            letter->address, letter->original_type, letter->original, letter->notify};
    }
    carry->recipients.at = rows;
}

/* MT-PRIORITY, DELIVERBY, RET and so on, as they were asked for. */
static void
fill_envelope(struct store_role *role, const struct queue_message *facts,
              struct store_transport_carry *carry)
{
    uint32_t flags = facts->flags;

    carry->queue_id = facts->id;
    carry->reverse_path = facts->reverse_path;
    carry->envelope_id = facts->envelope_id;
    carry->ret = flags & QUEUE_RETURN_FULL   ? STORE_TRANSPORT_RET_FULL
                 : flags & QUEUE_RETURN_HDRS ? STORE_TRANSPORT_RET_HEADERS
                                             : STORE_TRANSPORT_RET_NONE;
    carry->content = flags & QUEUE_BINARY  ? STORE_TRANSPORT_CONTENT_BINARY
                     : flags & QUEUE_EIGHT ? STORE_TRANSPORT_CONTENT_EIGHT
                                           : STORE_TRANSPORT_CONTENT_SEVEN;
    carry->is_utf8 = flags & QUEUE_UTF8;
    carry->requires_tls = flags & QUEUE_REQUIRETLS;
    carry->has_priority = flags & QUEUE_PRIORITY;
    carry->priority = facts->priority;
    carry->has_deliver_by = flags & QUEUE_DELIVER_BY;
    carry->deliver_by_s = (facts->deliver_by.ns - host_wall(role->host).ns) / 1000000000;
    carry->deliver_by_returns = flags & QUEUE_BY_RETURNS;
    carry->deliver_by_traces = flags & QUEUE_BY_TRACES;
    carry->skip = facts->skip;
}

/* RFC 8460 §5.3: a report goes whatever is wrong with TLS there. */
static struct store_route_hop
loosen(const struct store_route_hop *from, struct arena *arena)
{
    struct store_route_hop hop = *from;
    struct store_route_host *hosts = ARENA_ARRAY(arena, struct store_route_host, hop.hosts.count);

    for (size_t i = 0; hosts && i < hop.hosts.count; i++) {
        hosts[i] = hop.hosts.at[i];
        hosts[i].tlsa_failed = false;
    }
    if (hosts)
        hop.hosts.at = hosts;
    if (hop.tls == STORE_ROUTE_TLS_DANE)
        hop.tls = STORE_ROUTE_TLS_MAY;
    hop.tlsa.count = 0;
    hop.sts_domain = hop.sts_id = SLICE("");
    return hop;
}

static void
send_carriage(struct store_role *role, struct carriage *carriage)
{
    struct outgoing *outgoing = role->outgoing;
    struct outgoing_transport *transport = transport_for(outgoing, carriage);
    const struct store_route_hop *hop = &carriage->hop;
    host_handle handle = HOST_HANDLE_NONE;
    struct store_route_hop loose;

    if (!transport) {
        settle_later(role, carriage, "4.3.0", "no process could carry it");
        return;
    }
    if (carriage->blob && host_blob_seal(&carriage->blob, &handle) < 0) {
        settle_later(role, carriage, "4.3.1", "no memory for the message");
        return;
    }
    if (carriage->batch->facts.flags & QUEUE_TLS_REPORT) {
        loose = loosen(hop, &carriage->batch->arena);
        hop = &loose;
    }
    struct store_transport_carry carry = {
        .id = ++outgoing->carriage_count,
        .carrier = (enum store_transport_carrier)hop->carrier,
        .body = buffer_slice(&carriage->body),
        .body_blob = handle,
    };
    arena_reset(&role->note_arena);
    fill_hop(hop, &carry);
    fill_lists(&role->note_arena, hop, &carry);
    fill_sts(&role->note_arena, hop, &carry);
    fill_recipients(&role->note_arena, carriage, &carry);
    fill_envelope(role, &carriage->batch->facts, &carry);
    carriage->id = carry.id;
    buffer_clear(&role->note);
    if (!store_transport_put_carry(&role->note, &transport->ledger, &carry)) {
        host_handle_close(role->host, handle);
        settle_later(role, carriage, "4.3.0", "it could not be handed to transport");
        return;
    }
    host_channel_send(transport->channel, buffer_slice(&role->note), handle);
    buffer_finish(&carriage->body);
    carriage->transport = transport;
    carriage->sent = host_now(role->host);
    list_remove(&carriage->link);
    list_append(&transport->carriages, &carriage->link);
    map_set(&outgoing->carriages, map_key_u64(&carriage->id), carriage);
}

struct outgoing_transport *
outgoing_any_transport(struct outgoing *outgoing)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        struct host_channel *channel = outgoing->transports[i].channel;
        if (channel && !host_channel_is_full(channel))
            return &outgoing->transports[i];
    }
    return NULL;
}

static bool
send_note(struct store_role *role, struct outgoing_transport *transport,
          const struct store_transport_carry *carry)
{
    buffer_clear(&role->note);
    if (!store_transport_put_carry(&role->note, &transport->ledger, carry))
        return false;
    host_channel_send(transport->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
    return true;
}

bool
outgoing_refresh(struct store_role *role, const struct store_route_hop *hop)
{
    struct outgoing_transport *transport = outgoing_any_transport(role->outgoing);
    struct store_transport_carry carry = {
        .id = ++role->outgoing->carriage_count,
        .carrier = STORE_TRANSPORT_CARRIER_DISCARD,
        .destination = hop->destination,
    };

    if (!transport)
        return false;
    /* The hop lies in this arena: it is not cleared. */
    fill_sts(&role->note_arena, hop, &carry);
    return send_note(role, transport, &carry);
}

uint64_t
outgoing_errand(struct store_role *role, const struct store_route_hop *hop,
                enum store_transport_errand errand, uint64_t serial, struct slice about)
{
    struct outgoing_transport *transport = outgoing_any_transport(role->outgoing);
    struct store_transport_recipient recipient = {.address = about};
    struct store_transport_carry carry = {
        .id = ++role->outgoing->carriage_count,
        .errand = errand,
        .errand_serial = serial,
        .carrier = STORE_TRANSPORT_CARRIER_SMTP,
        .recipients = {&recipient, 1},
    };

    if (!transport || hop->outcome != STORE_ROUTE_OUTCOME_FOUND ||
        hop->carrier != STORE_ROUTE_CARRIER_SMTP)
        return 0;
    fill_hop(hop, &carry);
    fill_lists(&role->note_arena, hop, &carry);
    fill_sts(&role->note_arena, hop, &carry);
    return send_note(role, transport, &carry) ? carry.id : 0;
}

/* ---- reading the message ------------------------------------------------------------------- */

static void read_on(struct carriage *carriage);

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct carriage *carriage = context;
    struct store_role *role = carriage->batch->role;

    if (result != STORE_OK || bytes.len == 0) {
        settle_later(role, carriage, "4.3.0", "the stored message could not be read");
        return;
    }
    if (!carriage->blob)
        buffer_put(&carriage->body, bytes);
    else if (host_blob_put(carriage->blob, bytes) < 0) {
        settle_later(role, carriage, "4.3.1", "no memory for the message");
        return;
    }
    carriage->read += (uint32_t)bytes.len;
    if (carriage->read < carriage->batch->len)
        read_on(carriage);
    else if (carriage->hop.carrier == STORE_ROUTE_CARRIER_LOCAL)
        local_deliver(role, carriage);
    else
        send_carriage(role, carriage);
}

static void
read_on(struct carriage *carriage)
{
    mailbox_body_read(carriage->batch->role->store, carriage->batch->body, carriage->read,
                      BODY_READ_MAX, on_octets, carriage);
}

static void
stop_waiting(struct carriage *carriage)
{
    struct outgoing_destination *destination = carriage->destination;

    list_remove(&carriage->link);
    if (--destination->waiting_count == 0)
        list_remove(&destination->link);
}

static void
start(struct store_role *role, struct carriage *carriage)
{
    stop_waiting(carriage);
    list_append(&role->outgoing->reading, &carriage->link);
    flow_started(&carriage->destination->flow, host_now(role->host));
    carriage->is_flowing = true;
    role->outgoing->body_bytes += carriage->batch->len;
    if (carriage->hop.carrier == STORE_ROUTE_CARRIER_LOCAL && !carriage->targets) {
        local_begin(role, carriage);
        return;
    }
    outgoing_read(role, carriage);
}

void
outgoing_read(struct store_role *role, struct carriage *carriage)
{
    if (carriage->batch->len > OUTGOING_INLINE_MAX &&
        host_blob_open(role->host, &carriage->blob) < 0) {
        settle_later(role, carriage, "4.3.1", "no memory for the message");
        return;
    }
    /* Another Return-Path comes in front of what is delivered here (outgoing_local.c). */
    if (carriage->hop.carrier == STORE_ROUTE_CARRIER_LOCAL)
        carriage->read = carriage->batch->facts.skip;
    read_on(carriage);
}

/* ---- destinations -------------------------------------------------------------------------- */

/* When the pause ends, for as many as may wait for it then. The others' turn comes by the schedule:
 * a million that are due at once would be written a million times at the end of each pause. */
static void
set_turns(struct store_role *role, struct carriage *carriage)
{
    struct outgoing_destination *destination = carriage->destination;
    struct queue_policy policy = outgoing_policy(role);
    struct wall now = host_wall(role->host);
    int64_t pause_ns = instant_since(destination->flow.shut_until, host_now(role->host)).ns;
    bool is_first;

    if (instant_is_before(destination->shut_until, destination->flow.shut_until)) {
        destination->shut_until = destination->flow.shut_until;
        destination->first_count = 0;
    }
    is_first = destination->first_count < OUTGOING_WAITING_MAX;
    destination->first_count += is_first;
    LIST_EACH (link, &carriage->letters) {
        struct letter *letter = LIST_ITEM(link, struct letter, link);
        letter->turn.ns = now.ns + pause_ns;
        if (!is_first) {
            uint32_t random = (uint32_t)hash64(slice_of(letter->key, sizeof(letter->key[0])), 0);
            struct wall turn = queue_turn(&policy, &carriage->batch->facts, now, random);
            letter->turn = turn.ns > letter->turn.ns ? turn : letter->turn;
        }
    }
}

/* A destination that does not answer is not asked by each message anew. */
static void
refuse_waiting(struct store_role *role, struct outgoing_destination *destination)
{
    LIST_EACH (link, &destination->waiting) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, link);
        stop_waiting(carriage);
        set_turns(role, carriage);
        outgoing_settle(role, carriage, LETTER_PASSED_OVER, 0, slice_of_string(destination->status),
                        slice_of_string(destination->text));
    }
}

static bool
has_memory(const struct outgoing *outgoing, const struct carriage *carriage)
{
    return outgoing->body_bytes == 0 ||
           outgoing->body_bytes + carriage->batch->len <= OUTGOING_BODIES_MAX;
}

void
outgoing_kick(struct store_role *role, struct outgoing_destination *destination)
{
    struct outgoing *outgoing = role->outgoing;
    struct instant now = host_now(role->host);

    if (flow_is_shut(&destination->flow, now)) {
        refuse_waiting(role, destination);
        return;
    }
    while (!list_is_empty(&destination->waiting) && !role->is_stopping &&
           flow_may_start(&destination->flow, now)) {
        struct carriage *carriage = LIST_ITEM(destination->waiting.next, struct carriage, link);
        bool is_local = carriage->hop.carrier == STORE_ROUTE_CARRIER_LOCAL;
        if (!has_memory(outgoing, carriage) || (!is_local && !transport_for(outgoing, carriage)))
            break; /* whoever makes room, or the timer, calls again */
        start(role, carriage);
    }
    if (list_is_empty(&destination->waiting))
        return;
    struct instant next = flow_next(&destination->flow, now);
    /* What could start but did not waits for memory or a process: the timer looks after it. */
    outgoing_wake(role, instant_is_before(now, next) ? next : instant_after(now, duration_s(1)));
}

void
outgoing_await(struct store_role *role, struct carriage *carriage)
{
    struct outgoing_destination *destination = carriage->destination;

    if (destination->waiting_count++ == 0)
        list_append(&role->outgoing->stalled, &destination->link);
    destination->was_idle = false;
    list_append(&destination->waiting, &carriage->link);
    outgoing_kick(role, destination);
}

/* ---- what transport says ------------------------------------------------------------------- */

static void
fill_attempt(struct store_role *role, struct carriage *carriage,
             const struct store_transport_carried *carried,
             const struct store_transport_result *result, struct letter *letter)
{
    struct arena *arena = &carriage->batch->arena;
    const struct store_transport_attempt *attempt =
        result->attempt < carried->attempts.count ? &carried->attempts.at[result->attempt] : NULL;

    letter->attempt = (struct queue_attempt){
        .at = host_wall(role->host),
        .host = attempt ? arena_copy(arena, attempt->host) : SLICE(""),
        .address = attempt && (attempt->address.len == 4 || attempt->address.len == 16)
                       ? arena_copy(arena, attempt->address)
                       : SLICE(""),
        .tls = attempt ? arena_copy(arena, attempt->tls) : SLICE(""),
        .status = arena_copy(arena, result->status),
        .text = arena_copy(arena, result->text),
        .code = result->code,
        .duration_ms = attempt ? attempt->duration_ms : 0,
    };
    letter->is_reported_on = result->dsn_passed;
    letter->is_by_passed = result->by_passed;
    letter->is_final = carriage->hop.carrier != STORE_ROUTE_CARRIER_SMTP;
    letter->outcome = result->outcome == STORE_TRANSPORT_OUTCOME_DELIVERED   ? LETTER_DELIVERED
                      : result->outcome == STORE_TRANSPORT_OUTCOME_PERMANENT ? LETTER_PERMANENT
                                                                             : LETTER_TEMPORARY;
}

static void
remember_why(struct outgoing_destination *destination,
             const struct store_transport_carried *carried)
{
    const struct store_transport_result *result =
        carried->results.count > 0 ? &carried->results.at[0] : NULL;

    snprintf(destination->status, sizeof(destination->status), "%.*s",
             result ? (int)result->status.len : 0, result ? (const char *)result->status.at : "");
    snprintf(destination->text, sizeof(destination->text), "not tried again yet: %.*s",
             result ? (int)slice_first(result->text, QUEUE_TEXT_MAX / 2).len : 0,
             result ? (const char *)result->text.at : "");
}

/* What is passed over until then says nothing of it in the log. */
static void
log_pause(struct store_role *role, const struct carriage *carriage)
{
    struct instant until = carriage->destination->flow.shut_until;
    struct log_line line;

    log_begin(&line, role->host, HOST_LEVEL_NOTICE, "destination_left_alone");
    log_text(&line, "destination", carriage->hop.destination);
    log_number(&line, "for_s",
               (uint64_t)(instant_since(until, host_now(role->host)).ns / 1000000000));
    log_end(&line);
}

/* False when the note is not to be believed. */
static bool
on_carried(struct outgoing_transport *transport, const struct store_transport_carried *carried)
{
    static const enum flow_end ends[STORE_TRANSPORT_REACH_COUNT] = {
        [STORE_TRANSPORT_REACH_REACHED] = FLOW_REACHED,
        [STORE_TRANSPORT_REACH_REFUSED] = FLOW_REFUSED,
        [STORE_TRANSPORT_REACH_UNREACHABLE] = FLOW_UNREACHABLE,
    };
    struct store_role *role = transport->role;
    struct carriage *carriage = map_remove(&role->outgoing->carriages, map_key_u64(&carried->id));
    size_t at = 0;

    if (!carriage && (feeds_take_carried(role, carried) || probes_take_carried(role, carried)))
        return true;
    if (!carriage)
        return true; /* it was given up */
    if (carried->results.count != carriage->count) {
        settle_later(role, carriage, "4.3.0", "transport answered for others");
        return false;
    }
    LIST_EACH (link, &carriage->letters) {
        const struct store_transport_result *result = &carried->results.at[at++];
        fill_attempt(role, carriage, carried, result, LIST_ITEM(link, struct letter, link));
        if (result->outcome == STORE_TRANSPORT_OUTCOME_PERMANENT)
            feeds_wish(role, carriage->batch->domain);
    }
    struct outgoing_destination *destination = carriage->destination;
    bool was_shut = flow_is_shut(&destination->flow, host_now(role->host));
    end_flow(role, carriage, ends[carried->reach]);
    if (!was_shut && flow_is_shut(&destination->flow, host_now(role->host)))
        log_pause(role, carriage);
    if (carried->reach != STORE_TRANSPORT_REACH_REACHED)
        remember_why(destination, carried);
    outgoing_missed(role, carriage->batch->domain, carried);
    tls_results_count(role, carriage, carried);
    give_results(role, carriage);
    outgoing_kick(role, destination);
    return true;
}

void
outgoing_delivered(struct store_role *role, struct carriage *carriage, enum letter_outcome outcome,
                   struct slice status, struct slice text)
{
    struct outgoing_destination *destination = carriage->destination;

    end_flow(role, carriage, FLOW_REACHED);
    outgoing_settle(role, carriage, outcome, 0, status, text);
    outgoing_kick(role, destination);
}

static void
lose(struct outgoing_transport *transport)
{
    struct store_role *role = transport->role;

    host_channel_close(&transport->channel);
    note_ledger_finish(&transport->ledger);
    turns_lose_transport(transport);
    feeds_lose_transport(role);
    probes_lose_transport(role);
    LIST_EACH (link, &transport->carriages) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, link);
        (void)!map_remove(&role->outgoing->carriages, map_key_u64(&carriage->id));
        settle_later(role, carriage, "4.3.0", "the process that carried it ended");
    }
}

/* False when the note is not to be believed. */
static bool
take_note(struct outgoing_transport *transport, const struct store_transport_note *note,
          host_handle handle)
{
    if (note->kind == STORE_TRANSPORT_CARRIED)
        return on_carried(transport, &note->as.carried);
    if (note->kind == STORE_TRANSPORT_TURNED) {
        turns_take(transport->role, &note->as.turned, handle);
        return true;
    }
    if (note->kind == STORE_TRANSPORT_TURN_OVER) {
        turns_over(transport->role, note->as.turn_over.id);
        return true;
    }
    if (note->kind == STORE_TRANSPORT_NAMES)
        return feeds_take_names(transport->role, &note->as.names, handle);
    return policies_learn(transport->role, transport, &note->as.learned);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct outgoing_transport *transport = context;
    struct store_role *role = transport->role;
    struct store_transport_note note;

    arena_reset(&role->note_arena);
    if (store_transport_take(bytes, handle, SIDE_TRANSPORT, &transport->ledger, &role->note_arena,
                             &note) &&
        take_note(transport, &note, handle)) {
        if (note.kind != STORE_TRANSPORT_TURNED)
            host_handle_close(role->host, handle);
        return;
    }
    store_role_bad_note(role, handle, "transport");
    lose(transport);
}

static void
on_closed(void *context)
{
    lose(context);
}

static void
on_room(void *context)
{
    struct outgoing_transport *transport = context;

    outgoing_run_soon(transport->role);
}

void
outgoing_attach_transport(struct store_role *role, unsigned index, host_handle handle)
{
    static const struct host_channel_handler handler = {on_note, on_closed, on_room};
    struct outgoing_transport *transport = &role->outgoing->transports[index];

    if (transport->channel)
        lose(transport);
    transport->role = role;
    transport->index = index;
    transport->channel = host_channel_open(role->host, handle, &handler, transport);
    policies_tell(role, transport);
    outgoing_run_soon(role);
}

void
outgoing_transports_watch(struct store_role *role)
{
    struct instant now = host_now(role->host);

    for (unsigned i = 0; i < COUNT_OF(role->outgoing->transports); i++) {
        struct outgoing_transport *transport = &role->outgoing->transports[i];
        if (!transport->channel || list_is_empty(&transport->carriages))
            continue;
        struct carriage *oldest = LIST_ITEM(transport->carriages.next, struct carriage, link);
        if (instant_since(now, oldest->sent).ns < duration_s(OUTGOING_WAIT_S).ns)
            continue;
        log_event(role->host, HOST_LEVEL_ERROR, "transport_silent", "id", oldest->batch->facts.id);
        lose(transport);
    }
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
close_carriages(struct list *carriages)
{
    LIST_EACH (link, carriages) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, link);
        outgoing_leave(carriage->batch->role, carriage);
    }
}

void
outgoing_transports_close(struct store_role *role)
{
    for (unsigned i = 0; i < COUNT_OF(role->outgoing->transports); i++) {
        struct outgoing_transport *transport = &role->outgoing->transports[i];
        host_channel_close(&transport->channel);
        note_ledger_finish(&transport->ledger);
        close_carriages(&transport->carriages);
    }
}

void
outgoing_close_all(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    const struct map_item *item;

    close_carriages(&outgoing->results);
    close_carriages(&outgoing->results_filing);
    close_carriages(&outgoing->reading);
    for (size_t place = 0; (item = map_next(&outgoing->destinations, &place));)
        close_carriages(&((struct outgoing_destination *)item->value)->waiting);
    LIST_EACH (link, &outgoing->batches) {
        struct batch *batch = LIST_ITEM(link, struct batch, link);
        LIST_EACH (waiting, &batch->carriages) {
            struct carriage *carriage = LIST_ITEM(waiting, struct carriage, batch_link);
            list_remove(&carriage->batch_link);
            buffer_finish(&carriage->body);
            free(carriage);
        }
        outgoing_close_batch(batch);
    }
}
