/* SPDX-License-Identifier: ISC */
/* Notifications to senders (RFC 3461): deliver builds them out of what the records say, a turn puts
 * them into the queue as messages with the null sender and takes the debt off the recipients. */
#include "role/store/outgoing.h"

#include "mailbox/message.h"
#include "routing/source_route.h"

#include <stdio.h>
#include <stdlib.h>

#define RETURN_PATH "Return-Path: <>\r\n"

enum {
    RETURNED_MAX = 10 << 20, /* dsn/report.h: a longer message comes back as its header */
    HEADER_MAX = 64 * 1024,
    INLINE_MAX = STORE_DELIVER_REPORT_BODY_MAX,
    BUILT_MAX = RETURNED_MAX + (8 << 20),
    TRIES_MAX = 3,
};

static enum store_deliver_action
action_of(enum queue_state state)
{
    switch (state) {
    case QUEUE_DELIVERED:
        return STORE_DELIVER_ACTION_DELIVERED;
    case QUEUE_RELAYED:
        return STORE_DELIVER_ACTION_RELAYED;
    case QUEUE_FAILED:
        return STORE_DELIVER_ACTION_FAILED;
    case QUEUE_WAITING:
    case QUEUE_HELD:
    case QUEUE_DELETED:
    case QUEUE_STATES:
        break;
    }
    return STORE_DELIVER_ACTION_DELAYED;
}

static void
close_report(struct report *report)
{
    struct outgoing *outgoing = report->role->outgoing;

    outgoing->report_count--;
    list_remove(&report->link);
    (void)!map_remove(&outgoing->in_flight, slice_of(report->key, sizeof(report->key)));
    (void)!map_remove(&outgoing->reports_by_id, map_key_u64(&report->id));
    buffer_finish(&report->original);
    buffer_finish(&report->text);
    arena_finish(&report->arena);
    free(report);
}

static void
give_up_or_file(struct report *report)
{
    list_remove(&report->link);
    list_append(&report->role->outgoing->reports_ready, &report->link);
    store_role_turn_soon(report->role);
}

/* ---- gathering ----------------------------------------------------------------------------- */

/* Its time is over, and it is tried on (RFC 2852 §4.1.3, by-mode N). */
static bool
is_late(const struct report *report, const struct queue_recipient *recipient)
{
    return recipient->state == QUEUE_WAITING && report->facts.flags & QUEUE_DELIVER_BY &&
           host_wall(report->role->host).ns >= report->facts.deliver_by.ns;
}

static void
fill_row(struct report *report, const struct queue_recipient *recipient)
{
    const struct queue_attempt *last = queue_recipient_last(recipient);
    struct store_deliver_reported *row = &report->rows[report->count];
    bool is_expired = recipient->state == QUEUE_FAILED && last && last->status.len > 0 &&
                      last->status.at[0] == '4';

    *row = (struct store_deliver_reported){
        .address = arena_copy(&report->arena, recipient->address),
        .original_type = arena_copy(&report->arena, recipient->original_type),
        .original = arena_copy(&report->arena, recipient->original),
        .action = action_of(recipient->state),
        .retry_until_s = recipient->state == QUEUE_WAITING ? wall_seconds(recipient->ends) : 0,
        .status = SLICE(""),
        .host = SLICE(""),
        .text = SLICE(""),
    };
    if (!last)
        return;
    /* What was temporary to the end: delivery time expired (RFC 3463 §3.5). */
    row->status = is_expired                   ? SLICE("5.4.7")
                  : is_late(report, recipient) ? SLICE("4.4.7")
                                               : arena_copy(&report->arena, last->status);
    row->host = arena_copy(&report->arena, last->host);
    row->code = last->code;
    row->text = arena_copy(&report->arena, last->text);
    row->last_attempt_s = wall_seconds(last->at);
}

static void
gather_rows(struct report *report)
{
    struct queue_recipient recipient;
    struct slice value;

    for (uint32_t i = 0; i < report->facts.recipients; i++) {
        if (mailbox_queue_get_recipient(report->role->store, report->key[0], i, &value) !=
                STORE_OK ||
            !queue_recipient_take(value, &recipient) || !(recipient.told & QUEUE_OWED))
            continue;
        if (report->count == STORE_DELIVER_REPORT_RECIPIENTS_MAX) {
            report->has_more = true;
            return;
        }
        fill_row(report, &recipient);
        report->indexes[report->count++] = i;
    }
}

/* Full messages come back only with failures, and only when the sender did not want less (RFC 3461
 * §4.3, §6.2). */
static void
choose_return(struct report *report, uint32_t len)
{
    bool is_failure = false;

    for (size_t i = 0; i < report->count; i++)
        is_failure |= report->rows[i].action == STORE_DELIVER_ACTION_FAILED;
    report->returns_message =
        is_failure && !(report->facts.flags & QUEUE_RETURN_HDRS) && len <= RETURNED_MAX;
    report->want = report->returns_message || len < HEADER_MAX ? len : HEADER_MAX;
}

/* ---- building ------------------------------------------------------------------------------ */

static int
original_as_blob(struct report *report, host_handle *ret_handle)
{
    struct host_blob *blob = NULL;
    int error = host_blob_open(report->role->host, &blob);

    if (error == 0)
        error = host_blob_put(blob, buffer_slice(&report->original));
    if (error == 0)
        error = host_blob_seal(&blob, ret_handle);
    if (blob)
        host_blob_close(&blob);
    return error;
}

static bool
send_to(struct report *report, struct store_deliver *deliver)
{
    struct store_role *role = report->role;
    host_handle handle = HOST_HANDLE_NONE;
    bool is_inline = buffer_len(&report->original) <= INLINE_MAX;
    struct store_deliver_report note = {
        .id = report->id,
        .sender = report->facts.reverse_path,
        .domain = role->config->hostname,
        .hostname = role->config->hostname,
        .queue_id = report->facts.id,
        .report_id = slice_of_string(report->report_id),
        .envelope_id = report->facts.envelope_id,
        .arrival_s = wall_seconds(report->facts.arrival),
        .deliver_by_s =
            report->facts.flags & QUEUE_DELIVER_BY ? wall_seconds(report->facts.deliver_by) : 0,
        .hold = report->facts.hold,
        .now_s = wall_seconds(host_wall(role->host)),
        .is_utf8 = report->facts.flags & QUEUE_UTF8,
        .returns_message = report->returns_message,
        .language = (enum store_deliver_language)role->config->report_language,
        .recipients = {.at = report->rows, .count = report->count},
        .skip = report->want >= report->facts.skip ? report->facts.skip : 0,
        .body = is_inline ? buffer_slice(&report->original) : slice_of("", 0),
    };

    if (!is_inline && original_as_blob(report, &handle) < 0)
        return false;
    note.body_blob = handle;
    buffer_clear(&role->note);
    if (!store_deliver_put_report(&role->note, &deliver->ledger, &note)) {
        host_handle_close(role->host, handle);
        return false;
    }
    host_channel_send(deliver->channel, buffer_slice(&role->note), handle);
    report->deliver = deliver;
    report->sent = host_now(role->host);
    return true;
}

/* It may be the message that nobody gets through: the sender is told without it. False when he was
 * to be told so already. */
static bool
leave_message_out(struct report *report)
{
    if (report->want == 0)
        return false;
    buffer_clear(&report->original);
    report->want = 0;
    report->returns_message = false;
    report->tries = 0;
    return true;
}

/* By whoever has the least to do; otherwise it waits. */
static void
build(struct report *report)
{
    struct store_role *role = report->role;
    struct store_deliver *deliver = parsers_least_busy(role);

    if (report->tries >= TRIES_MAX && !leave_message_out(report)) {
        log_event(role->host, HOST_LEVEL_ERROR, "report_not_built", "id", report->facts.id);
        report->is_put_off = true;
        give_up_or_file(report);
        return;
    }
    if (!deliver)
        return;
    (void)!map_remove(&role->outgoing->reports_by_id, map_key_u64(&report->id));
    report->id = ++role->parse_count; /* they share a ledger with what is parsed */
    map_set(&role->outgoing->reports_by_id, map_key_u64(&report->id), report);
    report->tries++;
    if (!send_to(report, deliver))
        log_event(role->host, HOST_LEVEL_ERROR, "report_not_sent", "id", report->facts.id);
}

void
reports_go_on(struct store_role *role)
{
    struct instant now = host_now(role->host);

    LIST_EACH (link, &role->outgoing->reports) {
        struct report *report = LIST_ITEM(link, struct report, link);
        bool is_read = buffer_len(&report->original) >= report->want;
        if (report->deliver &&
            instant_since(now, report->sent).ns > duration_s(STORE_PARSE_WAIT_S).ns)
            report->deliver = NULL;
        if (!report->deliver && is_read)
            build(report);
    }
}

void
reports_lose(struct store_role *role, struct store_deliver *deliver)
{
    LIST_EACH (link, &role->outgoing->reports) {
        struct report *report = LIST_ITEM(link, struct report, link);
        if (report->deliver == deliver)
            report->deliver = NULL; /* the timer gives it to another */
    }
}

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct report *report = context;

    if (result != STORE_OK || bytes.len == 0) {
        /* What cannot be read cannot come back; the sender is told all the same. */
        report->returns_message = false;
        report->want = (uint32_t)buffer_len(&report->original);
    }
    buffer_put(&report->original, bytes);
    if (buffer_len(&report->original) >= report->want) {
        build(report);
        return;
    }
    mailbox_body_read(report->role->store, report->body, buffer_len(&report->original),
                      report->want - buffer_len(&report->original) > BODY_READ_MAX
                          ? BODY_READ_MAX
                          : report->want - buffer_len(&report->original),
                      on_octets, report);
}

static void
name_report(struct report *report)
{
    uint64_t random;

    host_random(report->role->host, &random, sizeof(random));
    snprintf(report->report_id, sizeof(report->report_id), "R%llx%08llx",
             (unsigned long long)wall_seconds(host_wall(report->role->host)),
             (unsigned long long)(random & 0xffffffff));
}

/* What is owed is not known now: the view is made anew. */
static void
put_off(struct report *report)
{
    struct lane_place at = {report->due_s, report->key[0], OUTGOING_REPORT_INDEX};

    lanes_note(&report->role->outgoing->lanes, SLICE(OUTGOING_REPORTS), QUEUE_ORDINARY, &at);
    close_report(report);
}

void
report_begin(struct store_role *role, uint64_t message, uint64_t due_s)
{
    struct outgoing *outgoing = role->outgoing;
    struct report *report = calloc(1, sizeof(*report));
    struct queued_entry entry;

    if (!report)
        abort();
    outgoing->report_count++;
    report->role = role;
    report->key[0] = message;
    report->key[1] = OUTGOING_REPORT_INDEX;
    report->due_s = due_s;
    list_init(&report->link);
    list_append(&outgoing->reports, &report->link);
    arena_init(&report->arena, OUTGOING_ARENA_MAX);
    buffer_init(&report->original, RETURNED_MAX);
    buffer_init(&report->text, BUILT_MAX);
    map_set(&outgoing->in_flight, slice_of(report->key, sizeof(report->key)), report);
    name_report(report);
    if (mailbox_queue_get(role->store, message, &entry) == STORE_OK &&
        queue_message_take(entry.facts, &report->facts)) {
        report->facts.id = arena_copy(&report->arena, report->facts.id);
        report->facts.reverse_path = arena_copy(&report->arena, report->facts.reverse_path);
        report->facts.envelope_id = arena_copy(&report->arena, report->facts.envelope_id);
        report->facts.hold = arena_copy(&report->arena, report->facts.hold);
        report->body = entry.body;
        gather_rows(report);
        choose_return(report, entry.len);
    }
    if (!store_is_readable(role->store)) {
        put_off(report);
        return;
    }
    if (report->count == 0 || arena_failed(&report->arena)) {
        give_up_or_file(report); /* nothing to tell: only its place goes */
        return;
    }
    mailbox_body_read(role->store, report->body, 0,
                      report->want > BODY_READ_MAX ? BODY_READ_MAX : report->want, on_octets,
                      report);
}

void
report_on_built(struct store_role *role, const struct store_deliver_report_built *built,
                host_handle handle)
{
    struct report *report = map_find(&role->outgoing->reports_by_id, map_key_u64(&built->id));
    struct host_mapping mapping;

    if (!report)
        return; /* another has built it meanwhile */
    report->deliver = NULL;
    buffer_put_text(&report->text, RETURN_PATH);
    if (handle == HOST_HANDLE_NONE) {
        buffer_put(&report->text, built->message);
    } else if (host_blob_map(role->host, handle, &mapping) == 0) {
        buffer_put(&report->text, mapping.bytes);
        host_blob_unmap(role->host, &mapping);
    }
    if (buffer_overflowed(&report->text) || buffer_len(&report->text) == sizeof(RETURN_PATH) - 1) {
        buffer_clear(&report->text);
        report->returns_message = false;
        build(report);
        return;
    }
    report->is_built = true;
    give_up_or_file(report);
}

/* ---- the turn ------------------------------------------------------------------------------ */

bool
outgoing_enter_own(struct store_role *role, const struct queue_message *facts, struct slice text,
                   struct slice address, uint8_t domain[QUEUE_DOMAIN_MAX],
                   struct queue_place *ret_place)
{
    struct queue_policy policy = outgoing_policy(role);
    struct buffer *record = &role->outgoing->record;
    body_id body;
    struct queue_recipient recipient = {
        .address = address,
        .original_type = SLICE(""),
        .original = SLICE(""),
        .class = queue_class_of(facts, 0),
        .due = facts->arrival,
        .ends = queue_end(&policy, facts),
    };

    if (mailbox_body_add(role->store, text, SLICE(""), SLICE(""), &body) != STORE_OK)
        return false;
    *ret_place = (struct queue_place){
        .domain = outgoing_domain(recipient.address, domain),
        .class = (uint8_t)recipient.class,
        .due_s = (uint64_t)wall_seconds(facts->arrival),
        .message = body << OUTGOING_GROUP_BITS,
    };
    buffer_clear(record);
    queue_message_put(record, facts);
    if (mailbox_queue_add(role->store, ret_place->message, body, buffer_slice(record)) != STORE_OK)
        return false;
    buffer_clear(record);
    queue_recipient_put(record, &recipient);
    mailbox_queue_put_recipient(role->store, ret_place->message, 0, buffer_slice(record));
    mailbox_queue_put_due(role->store, ret_place);
    return true;
}

static bool
enter_report(struct report *report)
{
    struct store_role *role = report->role;
    struct queue_message facts = {
        .id = slice_of_string(report->report_id),
        .message_id = SLICE(""),
        .reverse_path = SLICE(""),
        .envelope_id = SLICE(""),
        /* As urgent as what it is about (RFC 6710 §4.6). */
        .priority = report->facts.priority,
        .flags = QUEUE_REPORT | (report->facts.flags & (QUEUE_UTF8 | QUEUE_PRIORITY)) |
                 (report->facts.flags & QUEUE_UTF8 ? QUEUE_EIGHT : 0),
        .arrival = host_wall(role->host),
        .skip = sizeof(RETURN_PATH) - 1,
        .recipients = 1,
        .open = 1,
    };

    return outgoing_enter_own(role, &facts, buffer_slice(&report->text),
                              routing_route_drop(report->facts.reverse_path), report->domain,
                              &report->place);
}

/* Takes the debt off those whose state is still the one that was told. */
static void
clear_debts(struct report *report)
{
    struct store_role *role = report->role;
    struct buffer *record = &role->outgoing->record;
    struct queue_recipient recipient;
    struct slice value;

    for (size_t i = 0; i < report->count; i++) {
        if (mailbox_queue_load_recipient(role->store, report->key[0], report->indexes[i], &value) !=
                STORE_OK ||
            !queue_recipient_take(value, &recipient) ||
            action_of(recipient.state) != report->rows[i].action)
            continue;
        recipient.told &= (uint8_t)~QUEUE_OWED;
        buffer_clear(record);
        queue_recipient_put(record, &recipient);
        mailbox_queue_put_recipient(role->store, report->key[0], report->indexes[i],
                                    buffer_slice(record));
    }
}

static bool
owes_more(struct report *report)
{
    struct queue_recipient recipient;
    struct slice value;

    for (uint32_t i = 0; i < report->facts.recipients; i++) {
        if (mailbox_queue_load_recipient(report->role->store, report->key[0], i, &value) ==
                STORE_OK &&
            queue_recipient_take(value, &recipient) && recipient.told & QUEUE_OWED)
            return true;
    }
    return false;
}

bool
report_file(struct report *report)
{
    struct store_role *role = report->role;
    struct buffer *record = &role->outgoing->record;
    struct queue_place place = {
        .domain = SLICE(OUTGOING_REPORTS),
        .class = QUEUE_ORDINARY,
        .due_s = report->due_s,
        .message = report->key[0],
        .index = OUTGOING_REPORT_INDEX,
    };
    struct queued_entry entry;
    struct queue_message facts;

    mailbox_queue_del_due(role->store, &place);
    if (report->is_built && !enter_report(report))
        return false;
    if (!report->is_put_off)
        clear_debts(report);
    if (mailbox_queue_load(role->store, report->key[0], &entry) != STORE_OK ||
        !queue_message_take(entry.facts, &facts))
        return true;
    facts.owed = owes_more(report);
    if (facts.owed) {
        place.due_s = (uint64_t)wall_seconds(host_wall(role->host)) +
                      (report->is_put_off ? OUTGOING_REPORT_AGAIN_S : OUTGOING_REPORT_DELAY_S);
        mailbox_queue_put_due(role->store, &place);
    }
    buffer_clear(record);
    queue_message_put(record, &facts);
    if (mailbox_queue_change(role->store, report->key[0], buffer_slice(record)) != STORE_OK)
        return false;
    return facts.owed || facts.open > 0 || outgoing_close_message(role, report->key[0], &facts);
}

void
report_filed(struct report *report, bool is_durable)
{
    struct store_role *role = report->role;
    struct lane_place again = {
        .due_s = (uint64_t)wall_seconds(host_wall(role->host)) + OUTGOING_REPORT_DELAY_S,
        .number = report->key[0],
    };

    if (!is_durable) {
        list_remove(&report->link);
        list_append(&role->outgoing->reports_ready, &report->link);
        return;
    }
    if (report->is_built) {
        struct lane_place at = {report->place.due_s, report->place.message, 0};
        role->outgoing->told++;
        lanes_note(&role->outgoing->lanes, report->place.domain,
                   (enum queue_class)report->place.class, &at);
    }
    lanes_note(&role->outgoing->lanes, SLICE(OUTGOING_REPORTS), QUEUE_ORDINARY, &again);
    close_report(report);
    /* There is room for the next. */
    lanes_set(&role->outgoing->lanes,
              lanes_find(&role->outgoing->lanes, SLICE(OUTGOING_REPORTS)), outgoing_now_s(role));
    outgoing_run_soon(role);
}

void
reports_close(struct store_role *role)
{
    struct list *lists[] = {&role->outgoing->reports, &role->outgoing->reports_ready,
                            &role->outgoing->reports_filing};

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        LIST_EACH (link, lists[i]) {
            close_report(LIST_ITEM(link, struct report, link));
        }
    }
}
