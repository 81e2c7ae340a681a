/* SPDX-License-Identifier: ISC */
/* Queued mail that is for accounts of ours: notifications to our users, and addresses that have
 * become ours since. route says where it leads, then it goes the way of any message that is taken.
 * An import key makes sure that a crash between its turn and ours does not deliver it twice. */
#include "role/store/outgoing.h"

#include "envelope/received.h"

enum { RETURN_PATH_MAX = 2048 };

static void
settle_as(struct store_role *role, struct carriage *carriage, enum letter_outcome outcome,
          const char *status, struct slice text)
{
    outgoing_delivered(role, carriage, outcome, slice_of_string(status), text);
}

void
local_begin(struct store_role *role, struct carriage *carriage)
{
    struct outgoing *outgoing = role->outgoing;
    struct letter *letter = LIST_ITEM(carriage->letters.next, struct letter, link);
    struct store_route_locate locate = {
        .id = ++outgoing->ask_count,
        .sender = carriage->batch->facts.reverse_path,
        .recipient = letter->address,
    };

    buffer_clear(&role->note);
    if (!outgoing->route ||
        !store_route_put_locate(&role->note, &outgoing->route_ledger, &locate)) {
        settle_as(role, carriage, LETTER_TEMPORARY, "4.3.0", SLICE("the routing agent is away"));
        return;
    }
    carriage->id = locate.id;
    map_set(&outgoing->locating, map_key_u64(&carriage->id), carriage);
    host_channel_send(outgoing->route, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

void
local_lose(struct store_role *role)
{
    const struct map_item *item;
    size_t place = 0;

    while ((item = map_next(&role->outgoing->locating, &place))) {
        struct carriage *carriage = item->value;
        (void)!map_remove(&role->outgoing->locating, map_key_u64(&carriage->id));
        settle_as(role, carriage, LETTER_TEMPORARY, "4.3.0",
                  SLICE("the routing agent ended before it answered"));
        place = 0;
    }
}

static void
copy_targets(struct carriage *carriage, const struct store_route_target_list *list)
{
    struct arena *arena = &carriage->batch->arena;
    struct parcel_recipient *targets = ARENA_ARRAY(arena, struct parcel_recipient, list->count);
    struct slice address = LIST_ITEM(carriage->letters.next, struct letter, link)->address;

    for (size_t i = 0; targets && i < list->count; i++) {
        const struct store_route_target *from = &list->at[i];
        bool is_remote = from->box == STORE_ROUTE_BOX_REMOTE;
        targets[i] = (struct parcel_recipient){
            .account = from->account,
            .box = (enum smtp_store_box)from->box,
            .address = is_remote ? arena_copy(arena, from->name) : address,
            .path = arena_copy(arena, from->path),
            .user = arena_copy(arena, from->user),
            .original_type = SLICE(""),
            .original = SLICE(""),
            .quota_bytes = from->quota_bytes,
            .quota_messages = from->quota_messages,
        };
    }
    if (arena_failed(arena))
        return;
    carriage->targets = targets;
    carriage->target_count = list->count;
}

void
local_located(struct store_role *role, const struct store_route_located *located)
{
    struct carriage *carriage = map_remove(&role->outgoing->locating, map_key_u64(&located->id));

    assert(carriage); /* the ledger knows its number */
    bool is_found = located->targets.count > 0 && (located->verdict == STORE_ROUTE_VERDICT_LOCAL ||
                                                   located->verdict == STORE_ROUTE_VERDICT_MOVED);
    if (is_found)
        copy_targets(carriage, &located->targets);
    if (carriage->targets)
        outgoing_read(role, carriage);
    else if (is_found || located->verdict == STORE_ROUTE_VERDICT_TEMPORARY ||
             located->verdict == STORE_ROUTE_VERDICT_FULL)
        settle_as(role, carriage, LETTER_TEMPORARY, "4.3.0",
                  located->text.len > 0 ? located->text : SLICE("the address cannot be looked up"));
    else
        settle_as(role, carriage, LETTER_PERMANENT, "5.1.1",
                  located->text.len > 0 ? located->text : SLICE("no such address here"));
}

void
local_deliver(struct store_role *role, struct carriage *carriage)
{
    const struct queue_message *facts = &carriage->batch->facts;
    struct letter *letter = LIST_ITEM(carriage->letters.next, struct letter, link);
    host_handle handle = HOST_HANDLE_NONE;
    struct buffer prefix;

    if (carriage->blob && host_blob_seal(&carriage->blob, &handle) < 0) {
        settle_as(role, carriage, LETTER_TEMPORARY, "4.3.1", SLICE("no memory for the message"));
        return;
    }
    buffer_init(&prefix, RETURN_PATH_MAX);
    envelope_return_path_put(&prefix, facts->reverse_path);
    size_t skip = buffer_len(&prefix);
    struct parcel *parcel = parcel_open(role, PARCEL_QUEUED, buffer_slice(&prefix),
                                        buffer_slice(&carriage->body), handle);
    buffer_finish(&prefix);
    if (!parcel) {
        settle_as(role, carriage, LETTER_TEMPORARY, "4.3.0", SLICE("the message cannot be read"));
        return;
    }
    buffer_finish(&carriage->body);
    parcel->sender = carriage;
    parcel->queue_id = arena_copy(&parcel->arena, facts->id);
    parcel->reverse_path = arena_copy(&parcel->arena, facts->reverse_path);
    parcel->envelope_id = SLICE("");
    parcel->skip = (uint16_t)skip;
    parcel->key = arena_copy(&parcel->arena, slice_of(letter->key, sizeof(letter->key)));
    parcel->recipients =
        ARENA_ARRAY(&parcel->arena, struct parcel_recipient, carriage->target_count);
    parcel->recipient_count = carriage->target_count;
    memcpy(parcel->recipients, carriage->targets,
           carriage->target_count * sizeof(*carriage->targets));
    store_role_wait(role, parcel);
    parsers_take(role, parcel);
}

/* Whose outcome counts for all: who may have it later, and of those who says why. */
static unsigned
weight_of(enum smtp_store_outcome_kind kind)
{
    static const unsigned weights[SMTP_STORE_OUTCOME_KIND_COUNT] = {
        [SMTP_STORE_OUTCOME_KIND_DELIVERED] = 0, [SMTP_STORE_OUTCOME_KIND_PERMANENT] = 1,
        [SMTP_STORE_OUTCOME_KIND_TEMPORARY] = 2, [SMTP_STORE_OUTCOME_KIND_NO_SPACE] = 2,
        [SMTP_STORE_OUTCOME_KIND_QUOTA] = 3,
    };

    return weights[kind];
}

void
local_delivered(struct store_role *role, struct parcel *parcel)
{
    struct carriage *carriage = parcel->sender;
    const struct parcel_recipient *worst = &parcel->recipients[0];

    for (size_t i = 1; i < parcel->recipient_count; i++) {
        const struct parcel_recipient *recipient = &parcel->recipients[i];
        if (weight_of(recipient->kind) > weight_of(worst->kind))
            worst = recipient;
    }
    bool is_delivered = worst->kind == SMTP_STORE_OUTCOME_KIND_DELIVERED;
    bool is_permanent = worst->kind == SMTP_STORE_OUTCOME_KIND_PERMANENT;
    settle_as(role, carriage,
              is_delivered   ? LETTER_DELIVERED
              : is_permanent ? LETTER_PERMANENT
                             : LETTER_TEMPORARY,
              is_delivered                                   ? "2.0.0"
              : is_permanent                                 ? "5.2.0"
              : worst->kind == SMTP_STORE_OUTCOME_KIND_QUOTA ? "4.2.2"
                                                             : "4.3.0",
              slice_of_string(is_delivered ? "delivered" : worst->text));
}
