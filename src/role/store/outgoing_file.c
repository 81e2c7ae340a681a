/* SPDX-License-Identifier: ISC */
/* Mail for other hosts, as turns hold it: entered, tried, done, forgotten. */
#include "role/store/outgoing.h"

#include "base/hash.h"
#include "envelope/parameter.h"
#include "mailbox/message.h"
#include "routing/source_route.h"

#include <stdlib.h>

struct slice
outgoing_domain(struct slice address, uint8_t ret_domain[QUEUE_DOMAIN_MAX])
{
    struct slice routed = routing_route_first(address);
    struct slice domain =
        slice_first(routed.len > 0 ? routed : queue_domain(address), QUEUE_DOMAIN_MAX);

    for (size_t i = 0; i < domain.len; i++) {
        uint8_t octet = domain.at[i];
        ret_domain[i] = octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + 'a' - 'A')
                        : octet == 0                 ? '?'
                                                     : octet;
    }
    if (domain.len == 0)
        ret_domain[0] = '.'; /* an address without a domain: ours */
    return slice_of(ret_domain, domain.len > 0 ? domain.len : 1);
}

static struct buffer *
scratch(struct store_role *role)
{
    buffer_clear(&role->outgoing->record);
    return &role->outgoing->record;
}

void
outgoing_put_recipient(struct store_role *role, uint64_t message, uint32_t index,
                       const struct queue_recipient *recipient)
{
    struct buffer *record = scratch(role);

    queue_recipient_put(record, recipient);
    assert(!buffer_overflowed(record));
    mailbox_queue_put_recipient(role->store, message, index, buffer_slice(record));
}

enum store_result
outgoing_put_message(struct store_role *role, uint64_t message, const struct queue_message *facts)
{
    struct buffer *record = scratch(role);

    queue_message_put(record, facts);
    assert(!buffer_overflowed(record));
    return mailbox_queue_change(role->store, message, buffer_slice(record));
}

struct queue_place
outgoing_place(uint64_t message, uint32_t index, const struct queue_recipient *recipient,
               uint8_t domain[QUEUE_DOMAIN_MAX])
{
    return (struct queue_place){
        .domain = outgoing_domain(recipient->address, domain),
        .class = (uint8_t)recipient->class,
        .due_s = (uint64_t)wall_seconds(recipient->due),
        .message = message,
        .index = index,
    };
}

void
outgoing_note_lane(struct store_role *role, const struct queue_place *place)
{
    struct lane_place at = {place->due_s, place->message, place->index};

    lanes_note(&role->outgoing->lanes, place->domain, (enum queue_class)place->class, &at);
}

/* ---- entering ------------------------------------------------------------------------------ */

static struct queue_message
facts_of(const struct parcel *parcel, const struct parcel_group *group, uint32_t count)
{
    struct queue_message facts = {
        .id = parcel->queue_id,
        .message_id = outgoing_message_id(parcel),
        .reverse_path = group->has_sender ? group->sender : parcel->reverse_path,
        .envelope_id = parcel->envelope_id,
        .flags = parcel->queue_flags,
        .priority = parcel->priority,
        .arrival = host_wall(parcel->role->host),
        .deliver_by = parcel->deliver_by,
        .skip = group->fields.len > 0 ? 0 : parcel->skip,
        .recipients = count,
        .open = count,
        .hold = parcel->hold,
    };

    facts.released = facts.arrival;
    if (parcel->hold.len > 0 && parcel->hold_until_s > wall_seconds(facts.arrival))
        facts.released = wall_of_seconds(parcel->hold_until_s);
    return facts;
}

/* The message as the group's members get it: behind Received: comes what the list adds. */
static enum store_result
add_body(struct parcel *parcel, const struct parcel_group *group, body_id *ret_body)
{
    struct slice prefix = slice_first(parcel->head, parcel->prefix_len);
    struct slice rest = slice_skip(parcel->head, parcel->prefix_len);
    struct buffer head;

    if (group->fields.len == 0) {
        *ret_body = parcel->body;
        return STORE_OK;
    }
    prefix = slice_skip(prefix, parcel->skip);
    buffer_init(&head, prefix.len + group->fields.len + rest.len + 1);
    buffer_put(&head, prefix);
    buffer_put(&head, group->fields);
    buffer_put(&head, rest);
    struct slice copy = arena_copy(&parcel->arena, buffer_slice(&head));
    buffer_finish(&head);
    if (arena_failed(&parcel->arena))
        return STORE_LIMIT;
    return mailbox_body_add(parcel->role->store, copy, parcel_tail(parcel), SLICE(""), ret_body);
}

static void
enter_recipient(struct parcel *parcel, const struct queue_message *facts, uint64_t message,
                uint32_t index, struct parcel_recipient *recipient)
{
    struct store_role *role = parcel->role;
    struct queue_policy policy = outgoing_policy(role);
    uint8_t domain[QUEUE_DOMAIN_MAX];
    struct queue_recipient entry = {
        .address = recipient->address,
        .original_type = recipient->original_type,
        .original = recipient->original,
        .notify = recipient->notify,
        .class = queue_class_of(facts, index),
        .due = facts->released,
        .ends = queue_end(&policy, facts),
    };

    outgoing_put_recipient(role, message, index, &entry);
    struct queue_place place = outgoing_place(message, index, &entry, domain);
    mailbox_queue_put_due(role->store, &place);
    recipient->queue_message = message;
    recipient->queue_index = index;
    recipient->queue_due_s = place.due_s;
    recipient->queue_class = place.class;
    parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_DELIVERED, "");
}

static bool
is_of_group(const struct parcel_recipient *recipient, size_t group)
{
    return recipient->box == SMTP_STORE_BOX_REMOTE && recipient->group == group &&
           !recipient->has_outcome;
}

static bool
enter_group(struct parcel *parcel, size_t number)
{
    static const struct parcel_group none = {.fields = {(const uint8_t *)"", 0}};
    const struct parcel_group *group = number == 0 ? &none : &parcel->groups[number - 1];
    struct store_role *role = parcel->role;
    uint32_t count = 0, index = 0;
    body_id body;

    for (size_t i = 0; i < parcel->recipient_count; i++)
        count += is_of_group(&parcel->recipients[i], number);
    if (count == 0)
        return true;
    struct queue_message facts = facts_of(parcel, group, count);
    struct buffer *record = scratch(role);
    queue_message_put(record, &facts);
    if (add_body(parcel, group, &body) != STORE_OK)
        return false;
    uint64_t message = parcel->body << OUTGOING_GROUP_BITS | number;
    if (mailbox_queue_add(role->store, message, body, buffer_slice(record)) != STORE_OK)
        return false;
    for (size_t i = 0; i < parcel->recipient_count; i++) {
        if (is_of_group(&parcel->recipients[i], number))
            enter_recipient(parcel, &facts, message, index++, &parcel->recipients[i]);
    }
    return true;
}

bool
outgoing_enter(struct parcel *parcel)
{
    for (size_t group = 0; group <= parcel->group_count; group++) {
        if (!enter_group(parcel, group))
            return false;
    }
    return true;
}

void
outgoing_entered(struct parcel *parcel)
{
    uint8_t domain[QUEUE_DOMAIN_MAX];
    bool is_any = false;

    for (size_t i = 0; i < parcel->recipient_count; i++) {
        const struct parcel_recipient *recipient = &parcel->recipients[i];
        if (recipient->box != SMTP_STORE_BOX_REMOTE || recipient->queue_message == 0)
            continue;
        is_any = true;
        struct queue_place place = {
            .domain = outgoing_domain(recipient->address, domain),
            .class = recipient->queue_class,
            .due_s = recipient->queue_due_s,
            .message = recipient->queue_message,
            .index = recipient->queue_index,
        };
        outgoing_note_lane(parcel->role, &place);
        parcel->role->outgoing->taken++;
    }
    if (is_any)
        outgoing_run_soon(parcel->role);
}

/* ---- results ------------------------------------------------------------------------------- */

bool
outgoing_must_report(const struct queue_message *facts, const struct queue_recipient *recipient,
                     uint8_t notify_bit)
{
    uint8_t wanted =
        recipient->notify ? recipient->notify : ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY;

    return facts->reverse_path.len > 0 && wanted & notify_bit &&
           !(recipient->notify & ENVELOPE_NOTIFY_NEVER);
}

struct queue_place
outgoing_report_place(uint64_t message, struct wall at)
{
    return (struct queue_place){
        .domain = SLICE(OUTGOING_REPORTS),
        .class = QUEUE_ORDINARY,
        .due_s = (uint64_t)wall_seconds(at) + OUTGOING_REPORT_DELAY_S,
        .message = message,
        .index = OUTGOING_REPORT_INDEX,
    };
}

static void
owe_report(struct store_role *role, struct letter *letter, struct queue_recipient *recipient)
{
    struct queue_place place = outgoing_report_place(letter->key[0], letter->attempt.at);

    recipient->told |= QUEUE_OWED;
    letter->owes = true;
    mailbox_queue_put_due(role->store, &place);
}

static void
log_attempt(struct store_role *role, const struct letter *letter,
            const struct queue_recipient *recipient)
{
    const struct queue_attempt *attempt = &letter->attempt;
    struct log_line line;

    log_begin(&line, role->host,
              recipient->state == QUEUE_FAILED ? HOST_LEVEL_WARNING : HOST_LEVEL_INFO,
              recipient->state == QUEUE_WAITING ? "delayed" : queue_state_name(recipient->state));
    log_text(&line, "id", letter->batch->facts.id);
    log_address(&line, "to", recipient->address);
    if (attempt->host.len > 0)
        log_text(&line, "host", attempt->host);
    if (attempt->tls.len > 0)
        log_text(&line, "tls", attempt->tls);
    if (attempt->code > 0)
        log_number(&line, "code", attempt->code);
    log_text(&line, "status", attempt->status);
    log_text(&line, "text", attempt->text);
    log_number(&line, "attempts", recipient->attempts);
    log_end(&line);
}

/* "relayed", though nobody asked for notices of success (RFC 2852 §4.1.4). */
static bool
must_tell_of_relay(const struct letter *letter, const struct queue_recipient *recipient)
{
    const struct queue_message *facts = &letter->batch->facts;
    bool is_in_time = letter->attempt.at.ns < facts->deliver_by.ns;
    bool is_lost_sight_of =
        !(facts->flags & QUEUE_BY_RETURNS) && !letter->is_by_passed && is_in_time;

    return !letter->is_final && facts->flags & QUEUE_DELIVER_BY && facts->reverse_path.len > 0 &&
           !(recipient->notify & ENVELOPE_NOTIFY_NEVER) &&
           (facts->flags & QUEUE_BY_TRACES || is_lost_sight_of);
}

static void
write_success(struct store_role *role, struct letter *letter, struct queue_recipient *recipient)
{
    const struct queue_message *facts = &letter->batch->facts;

    role->outgoing->carried++;
    recipient->state = letter->is_final ? QUEUE_DELIVERED : QUEUE_RELAYED;
    /* A host with DSN has taken over the duty (RFC 3461 §5.2.2). */
    if (must_tell_of_relay(letter, recipient) ||
        (!letter->is_reported_on &&
         outgoing_must_report(facts, recipient, ENVELOPE_NOTIFY_SUCCESS)))
        owe_report(role, letter, recipient);
}

static void
write_failure(struct store_role *role, struct letter *letter, struct queue_recipient *recipient)
{
    role->outgoing->failed++;
    recipient->state = QUEUE_FAILED;
    if (outgoing_must_report(&letter->batch->facts, recipient, ENVELOPE_NOTIFY_FAILURE))
        owe_report(role, letter, recipient);
}

static void
write_delay(struct store_role *role, struct letter *letter, struct queue_recipient *recipient)
{
    struct queue_policy policy = outgoing_policy(role);
    const struct queue_message *facts = &letter->batch->facts;
    /* The same for all recipients of the message: they stay together. */
    uint64_t salt[2] = {letter->key[0], recipient->attempts};
    uint32_t random = (uint32_t)hash64(slice_of(salt, sizeof(salt)), 0);

    enum queue_step step =
        letter->outcome == LETTER_PASSED_OVER
            ? queue_postpone(&policy, facts, recipient, letter->attempt.at, letter->turn)
            : queue_defer(&policy, facts, recipient, letter->attempt.at, random);
    if (step == QUEUE_STEP_EXPIRE) {
        write_failure(role, letter, recipient);
        return;
    }
    role->outgoing->delayed += letter->outcome != LETTER_PASSED_OVER;
    if (step == QUEUE_STEP_TELL && outgoing_must_report(facts, recipient, ENVELOPE_NOTIFY_DELAY))
        owe_report(role, letter, recipient);
    if (recipient->state != QUEUE_WAITING)
        return;
    letter->waits_again = true;
    letter->place = (struct lane_place){(uint64_t)wall_seconds(recipient->due), letter->key[0],
                                        (uint32_t)letter->key[1]};
    letter->class_again = recipient->class;
}

/* Writes what became of one letter. False when it is no longer open: then nothing changes. */
static bool
write_letter(struct store_role *role, struct letter *letter, struct queue_recipient *recipient)
{
    uint32_t index = (uint32_t)letter->key[1];
    uint8_t domain[QUEUE_DOMAIN_MAX];
    bool is_news = recipient->history_count == 0;

    if (!queue_state_is_open(recipient->state))
        return false;
    if (letter->outcome == LETTER_PASSED_OVER)
        queue_recipient_passed_over(recipient, &letter->attempt);
    else
        queue_recipient_tried(recipient, &letter->attempt);
    if (letter->outcome == LETTER_DELIVERED)
        write_success(role, letter, recipient);
    else if (letter->outcome == LETTER_PERMANENT)
        write_failure(role, letter, recipient);
    else
        write_delay(role, letter, recipient);
    if (letter->waits_again) {
        struct queue_place place = outgoing_place(letter->key[0], index, recipient, domain);
        mailbox_queue_put_due(role->store, &place);
    }
    outgoing_put_recipient(role, letter->key[0], index, recipient);
    /* What was passed over again is no news. */
    if (letter->outcome != LETTER_PASSED_OVER || is_news || recipient->state != QUEUE_WAITING)
        log_attempt(role, letter, recipient);
    return true;
}

static void
drop_place(struct store_role *role, const struct letter *letter)
{
    struct queue_place place = {
        .domain = letter->batch->domain,
        .class = (uint8_t)letter->class,
        .due_s = letter->due_s,
        .message = letter->key[0],
        .index = (uint32_t)letter->key[1],
    };

    mailbox_queue_del_due(role->store, &place);
}

bool
outgoing_close_message(struct store_role *role, uint64_t message, const struct queue_message *facts)
{
    if (role->config->trace_keep.ns < duration_s(1).ns) {
        mailbox_queue_remove(role->store, message, facts->recipients);
        return true;
    }
    outgoing_keep(role, message, facts, SLICE(""));
    return mailbox_queue_release(role->store, message) == STORE_OK;
}

static bool
is_postponed(const struct carriage *carriage)
{
    return LIST_ITEM(carriage->letters.next, struct letter, link)->outcome == LETTER_POSTPONED;
}

/* Writes the results of one carriage. */
static bool
write_carriage(struct store_role *role, struct carriage *carriage)
{
    uint64_t message = carriage->batch->message;
    struct queued_entry entry;
    struct queue_message facts;
    bool owes = false;
    uint32_t closed = 0;

    if (is_postponed(carriage))
        return true;
    LIST_EACH (link, &carriage->letters) {
        struct letter *letter = LIST_ITEM(link, struct letter, link);
        struct queue_recipient recipient;
        struct slice value;
        letter->waits_again = letter->owes = false;
        drop_place(role, letter);
        if (letter->outcome == LETTER_STRAY ||
            mailbox_queue_load_recipient(role->store, message, (uint32_t)letter->key[1], &value) !=
                STORE_OK ||
            !queue_recipient_take(value, &recipient))
            continue;
        closed += write_letter(role, letter, &recipient) && !queue_state_is_open(recipient.state);
        owes |= recipient.told & QUEUE_OWED;
    }
    if (closed == 0 && !owes)
        return true;
    if (mailbox_queue_load(role->store, message, &entry) != STORE_OK ||
        !queue_message_take(entry.facts, &facts))
        return true; /* damaged: check names it */
    facts.open -= closed < facts.open ? closed : facts.open;
    facts.owed |= owes;
    if (outgoing_put_message(role, message, &facts) != STORE_OK)
        return false;
    return facts.open > 0 || facts.owed || outgoing_close_message(role, message, &facts);
}

bool
outgoing_has_results(const struct store_role *role)
{
    const struct outgoing *outgoing = role->outgoing;

    return !list_is_empty(&outgoing->results) || !list_is_empty(&outgoing->results_filing) ||
           !list_is_empty(&outgoing->reports_ready) || !list_is_empty(&outgoing->reports_filing) ||
           tls_reports_wait(role) || askings_wait(role);
}

static void
set_ride_timer(struct store_role *role, int64_t wait_ms)
{
    host_timer_set(role->outgoing->ride_timer,
                   instant_after(host_now(role->host), duration_ms(wait_ms)));
}

bool
outgoing_wants_turn(const struct store_role *role)
{
    const struct outgoing *outgoing = role->outgoing;

    if (list_is_empty(&outgoing->results) || outgoing->are_results_due || role->is_stopping ||
        outgoing->result_count >= OUTGOING_RIDE_CARRIAGES)
        return outgoing_has_results(role);
    return !list_is_empty(&outgoing->reports_ready) || tls_reports_wait(role) ||
           askings_wait(role);
}

void
outgoing_add_results(struct store_role *role, struct carriage *carriage)
{
    struct outgoing *outgoing = role->outgoing;

    list_append(&outgoing->results, &carriage->link);
    if (outgoing->result_count++ == 0)
        set_ride_timer(role, OUTGOING_RIDE_MS);
    if (outgoing_wants_turn(role))
        store_role_turn_soon(role);
}

/* ---- the turn ------------------------------------------------------------------------------ */

bool
outgoing_file(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    bool is_good = true;
    unsigned count = 0;

    if (outgoing->is_purge_due)
        outgoing_forget(role);
    outgoing->are_results_due = false;
    LIST_EACH (link, &outgoing->results) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, link);
        if (++count > OUTGOING_TURN_CARRIAGES)
            break;
        list_remove(link);
        outgoing->result_count--;
        list_append(&outgoing->results_filing, link);
        is_good = is_good && write_carriage(role, carriage);
    }
    LIST_EACH (link, &outgoing->reports_ready) {
        struct report *report = LIST_ITEM(link, struct report, link);
        list_remove(link);
        list_append(&outgoing->reports_filing, link);
        is_good = is_good && report_file(report);
    }
    return is_good && tls_reports_file(role) && askings_file(role);
}

static void
end_carriage(struct store_role *role, struct carriage *carriage)
{
    struct lanes *lanes = &role->outgoing->lanes;
    struct lane *lane;

    LIST_EACH (link, &carriage->letters) {
        struct letter *letter = LIST_ITEM(link, struct letter, link);
        (void)!map_remove(&role->outgoing->in_flight, slice_of(letter->key, sizeof(letter->key)));
        if (letter->waits_again)
            lanes_note(lanes, letter->batch->domain, letter->class_again, &letter->place);
        if (letter->owes) {
            struct queue_place place = outgoing_report_place(letter->key[0], letter->attempt.at);
            outgoing_note_lane(role, &place);
        }
    }
    /* A lane that was looked at while all of it was in flight is a new one: where it leads is
     * known. */
    lane = lanes_find(lanes, carriage->batch->domain);
    if (lane && lane->hint == 0)
        lane->hint = carriage->hint;
    outgoing_leave(role, carriage);
}

void
outgoing_filed(struct store_role *role, bool is_durable)
{
    struct outgoing *outgoing = role->outgoing;

    LIST_EACH (link, &outgoing->results_filing) {
        struct carriage *carriage = LIST_ITEM(link, struct carriage, link);
        if (is_durable) {
            end_carriage(role, carriage);
            continue;
        }
        /* What is known must not be lost: the next turn writes it. */
        list_remove(link);
        list_append(&outgoing->results, link);
        outgoing->result_count++;
    }
    if (outgoing->result_count > 0)
        set_ride_timer(role, is_durable ? OUTGOING_RIDE_MS : OUTGOING_FAILED_MS);
    LIST_EACH (link, &outgoing->reports_filing) {
        report_filed(LIST_ITEM(link, struct report, link), is_durable);
    }
    tls_reports_filed(role, is_durable);
    askings_filed(role, is_durable);
}
