/* SPDX-License-Identifier: ISC */
#include "role/smtp/transaction.h"

#include <stdlib.h>

/* What a client may say has room in the notes that tell it. */
static_assert((int)ENVELOPE_ENVID_MAX <= SMTP_STORE_SUBMIT_ENVELOPE_ID_MAX &&
                  (int)ENVELOPE_ORCPT_TYPE_MAX <= SMTP_STORE_RECIPIENT_ORIGINAL_TYPE_MAX &&
                  (int)ENVELOPE_ORCPT_MAX <= SMTP_STORE_RECIPIENT_ORIGINAL_MAX &&
                  (int)ENVELOPE_CANONICAL_MAX <= SMTP_STORE_RECIPIENT_ADDRESS_MAX &&
                  (int)ENVELOPE_CANONICAL_MAX <= SMTP_STORE_SUBMIT_REVERSE_PATH_MAX,
              "as the envelope bounds it");

enum {
    TRANSACTION_ROOM_FIRST = 4,
    SMALL_BODY_MAX = 8 * 1024,
    SUBMIT_FIXED_MAX = 4096, /* paths, ids and lengths of a submit note */
    SUBMIT_RECIPIENTS_MAX = HOST_NOTE_MAX / 2
};

/* Time first, so that ids sort by age; random bits behind it, so that no two processes agree. The
 * alphabet has no vowels and none of 0, 1, l, o: no words, no misreading. */
static void
make_queue_id(struct host *host, char *ret_id)
{
    static const char alphabet[] = "23456789BCDFGHJKMNPQRSTVWXZbcdfg";
    uint64_t random;

    host_random(host, &random, sizeof(random));
    uint64_t seconds = (uint64_t)wall_seconds(host_wall(host));
    for (size_t i = 7; i-- > 0; seconds >>= 5)
        ret_id[i] = alphabet[seconds & 31];
    for (size_t i = 7; i < TRANSACTION_QUEUE_ID_LEN; i++, random >>= 5)
        ret_id[i] = alphabet[random & 31];
    ret_id[TRANSACTION_QUEUE_ID_LEN] = 0;
}

int64_t
transaction_hold_until_s(const struct envelope_mail_parameters *parameters, struct wall now)
{
    if (parameters->hold_for_s > 0)
        return wall_seconds(now) + parameters->hold_for_s;
    return parameters->hold_until.len > 0 ? wall_seconds(parameters->hold_until_wall) : 0;
}

/* RFC 4865 §5.1.2 */
static struct slice
copy_hold(struct arena *arena, const struct envelope_mail_parameters *parameters)
{
    struct buffer text;

    buffer_init(&text, SMTP_STORE_SUBMIT_HOLD_MAX);
    if (parameters->hold_for_s > 0) {
        buffer_put_text(&text, "for;");
        buffer_put_decimal(&text, parameters->hold_for_s);
    } else if (parameters->hold_until.len > 0) {
        buffer_put_text(&text, "until;");
        buffer_put(&text, parameters->hold_until);
    }
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    return copy;
}

struct transaction *
transaction_open(struct host *host, const struct envelope_path *reverse_path,
                 const struct envelope_mail_parameters *parameters)
{
    struct transaction *transaction = calloc(1, sizeof(*transaction));

    if (!transaction)
        abort();
    transaction->host = host;
    arena_init(&transaction->arena, TRANSACTION_ARENA_MAX);
    buffer_init(&transaction->body, TRANSACTION_INLINE_MAX);
    buffer_init(&transaction->head, TRANSACTION_ARENA_MAX);
    transaction->reverse_path = arena_copy(&transaction->arena, reverse_path->canonical);
    transaction->envelope_id = arena_copy(&transaction->arena, parameters->envid);
    transaction->parameters = *parameters;
    transaction->begun = host_now(host);
    transaction->hold_until_s = transaction_hold_until_s(parameters, host_wall(host));
    transaction->hold = copy_hold(&transaction->arena, parameters);
    transaction->declared_bytes = parameters->size;
    make_queue_id(host, transaction->queue_id);
    envelope_completion_begin(&transaction->completion);
    return transaction;
}

void
transaction_close(struct transaction **transaction)
{
    if (!*transaction)
        return;
    host_blob_close(&(*transaction)->blob);
    buffer_finish(&(*transaction)->body);
    buffer_finish(&(*transaction)->head);
    if ((*transaction)->is_claimed)
        authors_finish(&(*transaction)->authors);
    if ((*transaction)->is_signed)
        dkim_collection_finish(&(*transaction)->collection);
    free((*transaction)->recipients);
    free((*transaction)->targets);
    arena_finish(&(*transaction)->arena);
    free(*transaction);
    *transaction = NULL;
}

/* Room for one more element; arrays double. */
static void *
grow(void *at, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return at;
    *room = *room ? *room * 2 : TRANSACTION_ROOM_FIRST;
    at = realloc(at, *room * size);
    if (!at)
        abort();
    return at;
}

/* One copy for each letter box: aliases and repeated RCPTs may lead to the same one (RFC 5321
 * §4.5.3.1.10 leaves that to us; the course's A14 asks for it). */
static bool
is_same_box(const struct smtp_store_recipient *left, const struct smtp_route_target *right)
{
    /* A list's copy waits in the queue, but it is for the same account. */
    bool is_by_list = right->account != 0 &&
                      (left->box == SMTP_STORE_BOX_REMOTE || right->box == SMTP_ROUTE_BOX_REMOTE);

    if (left->account != right->account || !slice_equal(left->detail, right->detail))
        return false;
    return is_by_list ||
           (left->box == (enum smtp_store_box)right->box && slice_equal(left->path, right->path) &&
            (right->box != SMTP_ROUTE_BOX_REMOTE || slice_equal(left->address, right->name)));
}

static uint32_t
find_target(const struct transaction *transaction, const struct smtp_route_target *target)
{
    uint32_t at = 0;

    while (at < transaction->target_count && !is_same_box(&transaction->targets[at], target))
        at++;
    return at;
}

static void
add_target(struct transaction *transaction, const struct envelope_path *path,
           const struct envelope_rcpt_parameters *parameters,
           const struct smtp_route_target *target, uint16_t group, bool is_direct)
{
    struct arena *arena = &transaction->arena;
    bool is_held = transaction->hold_until_s > 0;
    bool is_remote = target->box == SMTP_ROUTE_BOX_REMOTE;
    bool is_named = is_remote || (is_held && !is_direct);

    transaction->targets = grow(transaction->targets, transaction->target_count,
                                &transaction->target_room, sizeof(*transaction->targets));
    transaction->targets[transaction->target_count++] = (struct smtp_store_recipient){
        .account = is_held ? 0 : target->account,
        .detail = arena_copy(arena, target->detail),
        .address = arena_copy(arena, is_named ? target->name : path->canonical),
        .original_type = arena_copy(arena, parameters->orcpt_type),
        .original = arena_copy(arena, parameters->orcpt),
        .notify = parameters->notify,
        .box = is_held ? SMTP_STORE_BOX_REMOTE : (enum smtp_store_box)target->box,
        .path = arena_copy(arena, target->path),
        .user = arena_copy(arena, target->user),
        .quota_bytes = target->quota_bytes,
        .quota_messages = target->quota_messages,
        .group = group,
    };
}

/* The transaction's number for a group of the answer (0 for none). False when there are too many.
 */
static bool
find_group(struct transaction *transaction, const struct smtp_route_route *route, uint16_t number,
           uint16_t *ret_group)
{
    *ret_group = 0;
    if (number == 0 || number > route->groups.count)
        return number == 0;
    const struct smtp_route_group *group = &route->groups.at[number - 1];
    for (uint32_t i = 0; i < transaction->group_count; i++) {
        const struct smtp_store_group *known = &transaction->groups[i];
        if (known->has_sender == group->has_sender && slice_equal(known->sender, group->sender) &&
            slice_equal(known->fields, group->fields)) {
            *ret_group = (uint16_t)(i + 1);
            return true;
        }
    }
    if (transaction->group_count == TRANSACTION_GROUPS_MAX)
        return false;
    transaction->groups[transaction->group_count++] = (struct smtp_store_group){
        .has_sender = group->has_sender,
        .sender = arena_copy(&transaction->arena, group->sender),
        .fields = arena_copy(&transaction->arena, group->fields),
    };
    *ret_group = (uint16_t)transaction->group_count;
    return true;
}

/* Enters a target, if it is not there yet, and says where it is. */
static bool
enter_target(struct transaction *transaction, const struct envelope_path *path,
             const struct envelope_rcpt_parameters *parameters,
             const struct smtp_route_route *route, size_t index, uint32_t *ret_at)
{
    const struct smtp_route_target *target = &route->targets.at[index];
    uint16_t group;

    *ret_at = find_target(transaction, target);
    if (*ret_at < transaction->target_count)
        return true;
    if (*ret_at == TRANSACTION_TARGETS_MAX ||
        !find_group(transaction, route, target->group, &group))
        return false;
    add_target(transaction, path, parameters, target, group, route->targets.count == 1);
    return true;
}

/* The sender wants to hear when it has been delivered (RFC 3461 §4.1): the queue, which tells,
 * takes the recipient over before it is delivered here. */
static bool
is_to_be_told(const struct transaction *transaction, const struct envelope_path *path,
              const struct envelope_rcpt_parameters *parameters,
              const struct smtp_route_route *route)
{
    bool is_here = route->targets.count > 0 && route->groups.count == 0;

    for (size_t i = 0; i < route->targets.count && is_here; i++)
        is_here = route->targets.at[i].box != SMTP_ROUTE_BOX_REMOTE;
    return is_here && parameters->notify & ENVELOPE_NOTIFY_SUCCESS &&
           transaction->reverse_path.len > 0 && path->canonical.len <= SMTP_ROUTE_TARGET_NAME_MAX &&
           slice_find_byte(path->canonical, '@') < path->canonical.len;
}

bool
transaction_add(struct transaction *transaction, const struct envelope_path *path,
                const struct envelope_rcpt_parameters *parameters,
                const struct smtp_route_route *answer)
{
    const struct smtp_route_target queued = {.name = path->canonical,
                                             .detail = SLICE(""),
                                             .box = SMTP_ROUTE_BOX_REMOTE,
                                             .path = SLICE(""),
                                             .user = SLICE("")};
    const struct smtp_route_route instead = {.targets = {&queued, 1}};
    const struct smtp_route_route *route =
        is_to_be_told(transaction, path, parameters, answer) ? &instead : answer;
    uint32_t before = transaction->target_count, count = (uint32_t)route->targets.count;
    uint32_t *indexes = ARENA_ARRAY(&transaction->arena, uint32_t, count);
    bool is_good = indexes != NULL && count > 0;

    for (size_t i = 0; i < count && is_good; i++)
        is_good = enter_target(transaction, path, parameters, route, i, &indexes[i]);
    if (!is_good || arena_failed(&transaction->arena)) {
        transaction->target_count = before;
        return false;
    }
    transaction->recipients = grow(transaction->recipients, transaction->recipient_count,
                                   &transaction->recipient_room, sizeof(*transaction->recipients));
    transaction->recipients[transaction->recipient_count++] =
        (struct transaction_recipient){indexes, count};
    transaction->only_recipient = transaction->recipient_count == 1
                                      ? arena_copy(&transaction->arena, path->canonical)
                                      : slice_of("", 0);
    return true;
}

void
transaction_remove_last(struct transaction *transaction)
{
    assert(transaction->recipient_count > 0);
    transaction->recipient_count--;
    transaction->target_count--;
}

uint64_t
transaction_envelope_bytes(const struct transaction *transaction)
{
    return transaction->arena.total +
           (uint64_t)transaction->recipient_room * sizeof(*transaction->recipients) +
           (uint64_t)transaction->target_room * sizeof(*transaction->targets);
}

/* The body has outgrown a note: it goes on in a blob. */
static void
move_to_blob(struct transaction *transaction)
{
    int status = host_blob_open(transaction->host, &transaction->blob);

    if (status == 0)
        status = host_blob_put(transaction->blob, buffer_slice(&transaction->body));
    if (status < 0)
        transaction->body_error = status;
    buffer_finish(&transaction->body);
}

/* A body that is not small gets all the room at once, instead of being copied at each doubling. */
static void
keep_inline(struct buffer *body, struct slice piece)
{
    if (buffer_len(body) + piece.len > SMALL_BODY_MAX)
        (void)!buffer_reserve(body, buffer_room(body));
    buffer_put(body, piece);
}

void
transaction_put_body(struct transaction *transaction, struct slice piece)
{
    transaction->body_bytes += piece.len;
    if (transaction->body_error)
        return;
    if (!transaction->blob && piece.len > buffer_room(&transaction->body))
        move_to_blob(transaction);
    if (!transaction->blob) {
        if (!transaction->body_error)
            keep_inline(&transaction->body, piece);
        return;
    }
    int status = host_blob_put(transaction->blob, piece);
    if (status < 0)
        transaction->body_error = status;
}

void
transaction_replace_body(struct transaction *transaction, struct slice message)
{
    assert(!transaction->blob);
    buffer_clear(&transaction->body);
    transaction->body_bytes = 0;
    transaction->parameters.body = ENVELOPE_BODY_7BIT;
    transaction_put_body(transaction, message);
}

/* What a recipient takes in a note, lengths included. */
static size_t
recipient_size(const struct smtp_store_recipient *recipient)
{
    return 64 + recipient->detail.len + recipient->address.len + recipient->original_type.len +
           recipient->original.len + recipient->path.len + recipient->user.len;
}

/* Sends ahead those recipients that do not fit into the last note; returns the index of the first
 * that does. */
static uint32_t
send_recipients_ahead(const struct transaction *transaction, uint64_t id,
                      struct host_channel *channel, struct note_ledger *ledger, struct buffer *note)
{
    size_t size = 0;
    uint32_t first = 0;

    for (uint32_t i = 0; i < transaction->target_count; i++) {
        size += recipient_size(&transaction->targets[i]);
        if (size <= SUBMIT_RECIPIENTS_MAX)
            continue;
        struct smtp_store_recipients page = {
            .id = id, .recipients = {.at = transaction->targets + first, .count = i - first}};
        buffer_clear(note);
        bool is_put = smtp_store_put_recipients(note, ledger, &page);
        assert(is_put);
        host_channel_send(channel, buffer_slice(note), HOST_HANDLE_NONE);
        first = i;
        size = recipient_size(&transaction->targets[i]);
    }
    return first;
}

/* Makes the body ready to travel: inline where it fits beside the recipients, else sealed. */
static int
pack_body(struct transaction *transaction, size_t prefix_len, host_handle *ret_handle)
{
    size_t size = SUBMIT_FIXED_MAX + prefix_len + buffer_len(&transaction->body);

    for (uint32_t i = 0; i < transaction->group_count; i++)
        size += 16 + transaction->groups[i].sender.len + transaction->groups[i].fields.len;
    for (uint32_t i = 0; i < transaction->target_count && size <= HOST_NOTE_MAX; i++)
        size += recipient_size(&transaction->targets[i]);
    if (!transaction->blob && size > HOST_NOTE_MAX)
        move_to_blob(transaction);
    if (transaction->body_error || !transaction->blob)
        return transaction->body_error;
    return host_blob_seal(&transaction->blob, ret_handle);
}

/* What the message itself took to come is part of its time. */
static int64_t
seconds_since(const struct transaction *transaction)
{
    return instant_since(host_now(transaction->host), transaction->begun).ns / 1000000000;
}

bool
transaction_submit(struct transaction *transaction, const struct transaction_submit *submit,
                   struct host_channel *channel, struct note_ledger *ledger, struct buffer *note)
{
    const struct envelope_mail_parameters *parameters = &transaction->parameters;
    host_handle handle = HOST_HANDLE_NONE;

    transaction->body_error = pack_body(transaction, submit->prefix.len, &handle);
    if (transaction->body_error)
        return false;
    uint32_t first = send_recipients_ahead(transaction, submit->id, channel, ledger, note);
    struct smtp_store_submit full = {
        .id = submit->id,
        .is_atomic = submit->is_atomic,
        .queue_id = slice_of(transaction->queue_id, TRANSACTION_QUEUE_ID_LEN),
        .reverse_path = transaction->reverse_path,
        .envelope_id = transaction->envelope_id,
        .ret = (enum smtp_store_ret)parameters->ret,
        .is_utf8 = parameters->is_utf8,
        .content = (enum smtp_store_content)parameters->body,
        .requires_tls = parameters->requires_tls,
        .has_priority = parameters->has_priority,
        .priority = parameters->priority,
        .has_deliver_by = parameters->has_deliver_by,
        .deliver_by_s = parameters->deliver_by_s - seconds_since(transaction),
        .deliver_by_returns = parameters->deliver_by_returns,
        .deliver_by_traces = parameters->deliver_by_traces,
        .hold_until_s = transaction->hold_until_s,
        .hold = transaction->hold,
        .groups = {.at = transaction->groups, .count = transaction->group_count},
        .is_submission = submit->is_submission,
        .prefix = submit->prefix,
        .prefix_return_path_len = submit->prefix_return_path_len,
        .recipients = {.at = transaction->targets + first,
                       .count = transaction->target_count - first},
        .body = buffer_slice(&transaction->body),
        .body_blob = handle,
    };
    buffer_clear(note);
    bool is_put = smtp_store_put_submit(note, ledger, &full);
    assert(is_put);
    host_channel_send(channel, buffer_slice(note), handle);
    buffer_finish(&transaction->body);
    return true;
}

/* What each outcome is to the client. A full mailbox is a matter of days, not for ever: 452, so
 * that the sender tries again (RFC 5321 §4.2.3). */
static struct smtp_verdict
verdict_of_outcome(const struct smtp_store_outcome *outcome)
{
    switch (outcome->kind) {
    case SMTP_STORE_OUTCOME_KIND_DELIVERED:
        return (struct smtp_verdict){.status = ENVELOPE_STATUS(2, 0, 0)};
    case SMTP_STORE_OUTCOME_KIND_QUOTA:
        return (struct smtp_verdict){
            .code = 452, .status = ENVELOPE_STATUS(4, 2, 2), .text = SLICE("a mailbox is full")};
    case SMTP_STORE_OUTCOME_KIND_NO_SPACE:
        return (struct smtp_verdict){.code = 452,
                                     .status = ENVELOPE_STATUS(4, 3, 1),
                                     .text = SLICE("insufficient system storage")};
    case SMTP_STORE_OUTCOME_KIND_PERMANENT:
        return (struct smtp_verdict){
            .code = 554, .status = ENVELOPE_STATUS(5, 6, 0), .text = outcome->text};
    case SMTP_STORE_OUTCOME_KIND_TEMPORARY:
    case SMTP_STORE_OUTCOME_KIND_COUNT:
        break;
    }
    return (struct smtp_verdict){.code = 451,
                                 .status = ENVELOPE_STATUS(4, 3, 0),
                                 .text =
                                     SLICE("the message could not be stored now, try again later")};
}

/* Refusals outrank delivery, and what says more outranks "temporary", which in an atomic submission
 * is what the others get because of one. */
static int
rank(enum smtp_store_outcome_kind kind)
{
    static const int ranks[SMTP_STORE_OUTCOME_KIND_COUNT] = {
        [SMTP_STORE_OUTCOME_KIND_DELIVERED] = 0, [SMTP_STORE_OUTCOME_KIND_PERMANENT] = 4,
        [SMTP_STORE_OUTCOME_KIND_TEMPORARY] = 1, [SMTP_STORE_OUTCOME_KIND_QUOTA] = 2,
        [SMTP_STORE_OUTCOME_KIND_NO_SPACE] = 3,
    };
    return ranks[kind];
}

struct smtp_verdict
transaction_verdict(const struct transaction *transaction,
                    const struct smtp_store_outcome_list *outcomes, uint32_t recipient)
{
    const struct smtp_store_outcome *worst = NULL;
    struct smtp_store_outcome none = {.kind = SMTP_STORE_OUTCOME_KIND_TEMPORARY};
    bool is_all = recipient == UINT32_MAX;
    uint32_t count =
        is_all ? transaction->target_count : transaction->recipients[recipient].target_count;

    if (outcomes->count != transaction->target_count || count == 0)
        return verdict_of_outcome(&none);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t target = is_all ? i : transaction->recipients[recipient].targets[i];
        const struct smtp_store_outcome *outcome = &outcomes->at[target];
        if (!worst || rank(outcome->kind) > rank(worst->kind))
            worst = outcome;
    }
    return verdict_of_outcome(worst);
}
