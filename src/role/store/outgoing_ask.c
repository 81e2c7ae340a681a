/* SPDX-License-Identifier: ISC */
/* What the operator asks of the queue, and has done with it. A question walks over all messages in
 * steps, so that nobody waits for it: first what is queued, then (when it is asked for) what is
 * done and never waited. Changes are made in turns, and told when they are durable. */
#include "role/store/outgoing.h"

#include "envelope/parameter.h"
#include "queue/trace.h"

#include <stdlib.h>

enum {
    SCAN_STEP = 2000,  /* messages looked at in a turn of the loop */
    FOUND_STEP = 200,  /* of them, looked into */
    CHANGES_MAX = 500, /* recipients changed in a turn */
    RETRIES_MAX = 8    /* domains that are tried at the same time because somebody wished it */
};

enum phase { PHASE_QUEUE, PHASE_DONE, PHASE_END };

struct change {
    uint64_t message;
    uint32_t index;
    bool waits, owes;         /* it is due now; its sender is to be told */
    struct queue_place place; /* its domain is `domain` */
    uint8_t domain[QUEUE_DOMAIN_MAX];
};

struct asking {
    struct list link;
    struct store_tool *tool; /* NULL: gone, or nobody is told */
    bool is_retry;           /* nobody is told */
    struct store_role *role;
    struct arena arena; /* of the filters */
    struct tool_store_queue_ask ask;
    enum phase phase;
    uint64_t next;       /* message to be looked at */
    uint64_t at;         /* one that was not looked at to its end, */
    uint32_t next_index; /* but up to this recipient */
    struct queue_done done_next;
    uint64_t count, busy;
    struct change *changes; /* owned; CHANGES_MAX */
    size_t change_count;
    bool is_filing; /* its changes are in the turn, or wait for one */
    bool is_ready;  /* for its next step */
    enum store_result result;
};

static void
close_asking(struct asking *asking)
{
    list_remove(&asking->link);
    arena_finish(&asking->arena);
    free(asking->changes);
    free(asking);
}

static bool
is_enough(const struct asking *asking)
{
    return asking->ask.count_max > 0 && asking->count >= asking->ask.count_max;
}

/* ---- filters ------------------------------------------------------------------------------- */

static bool
fits_address(struct slice wanted, struct slice address)
{
    if (wanted.len > 0 && wanted.at[0] == '@')
        return address.len >= wanted.len &&
               slice_equal_nocase(slice_skip(address, address.len - wanted.len), wanted);
    return slice_equal_nocase(wanted, address);
}

/* Whether one of its recipients could fit. */
static bool
fits_message(const struct asking *asking, const struct queue_message *facts)
{
    const struct tool_store_queue_ask *ask = &asking->ask;

    return (asking->ask.with_closed || facts->open > 0) &&
           (ask->queue_id.len == 0 || slice_equal(ask->queue_id, facts->id)) &&
           (ask->sender.len == 0 || fits_address(ask->sender, facts->reverse_path)) &&
           (ask->before_s == 0 || wall_seconds(facts->arrival) < ask->before_s);
}

/* The name means the whole message, or only this recipient. */
static bool
fits_name(struct slice name, const struct queue_message *facts,
          const struct queue_recipient *recipient)
{
    return name.len == 0 || slice_equal(name, facts->id) ||
           (facts->message_id.len > 0 &&
            slice_equal(slice_first(name, QUEUE_MESSAGE_ID_MAX), facts->message_id)) ||
           slice_equal_nocase(name, facts->reverse_path) ||
           slice_equal_nocase(name, recipient->address) ||
           (recipient->original.len > 0 && slice_equal_nocase(name, recipient->original));
}

static bool
fits(const struct asking *asking, const struct queue_message *facts,
     const struct queue_recipient *recipient)
{
    const struct tool_store_queue_ask *ask = &asking->ask;

    return (ask->with_closed || queue_state_is_open(recipient->state)) &&
           (ask->states == 0 || ask->states & 1u << recipient->state) &&
           (ask->recipient.len == 0 || fits_address(ask->recipient, recipient->address)) &&
           fits_name(ask->name, facts, recipient);
}

/* ---- telling ------------------------------------------------------------------------------- */

static void
fill_history(const struct queue_recipient *recipient, struct tool_store_queue_attempt *rows)
{
    for (size_t i = 0; i < recipient->history_count; i++) {
        const struct queue_attempt *attempt = &recipient->history[i];
        rows[i] = (struct tool_store_queue_attempt){
            .at_ns = attempt->at.ns,
            .host = attempt->host,
            .address = attempt->address,
            .tls = attempt->tls,
            .code = attempt->code,
            .status = attempt->status,
            .text = attempt->text,
            .duration_ms = attempt->duration_ms,
        };
    }
}

static void
tell(struct asking *asking, const struct queue_message *facts, uint32_t len,
     const struct queue_recipient *recipient)
{
    struct store_role *role = asking->role;
    struct tool_store_queue_attempt history[QUEUE_HISTORY_MAX];
    struct tool_store_queue_entry note = {
        .id = asking->ask.id,
        .queue_id = facts->id,
        .message_id = facts->message_id,
        .sender = facts->reverse_path,
        .envelope_id = facts->envelope_id,
        .recipient = recipient->address,
        .original = recipient->original,
        .is_report = facts->flags & QUEUE_REPORT,
        .priority = facts->priority,
        .arrival_ns = facts->arrival.ns,
        .len = len,
        .state = (enum tool_store_queue_state)recipient->state,
        .due_ns = recipient->due.ns,
        .ends_ns = recipient->ends.ns,
        .attempts = recipient->attempts,
        .history = {history, recipient->history_count},
    };

    fill_history(recipient, history);
    buffer_clear(&role->note);
    bool is_put = tool_store_put_queue_entry(&role->note, &asking->tool->ledger, &note);
    assert(is_put);
    host_channel_send(asking->tool->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
finish(struct asking *asking)
{
    struct store_role *role = asking->role;
    struct tool_store_queue_done note = {
        .id = asking->ask.id,
        .result = tool_result_of(asking->result),
        .count = asking->count,
        .busy = asking->busy,
    };

    if (asking->tool) {
        buffer_clear(&role->note);
        bool is_put = tool_store_put_queue_done(&role->note, &asking->tool->ledger, &note);
        assert(is_put);
        host_channel_send(asking->tool->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
    }
    close_asking(asking);
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool
is_in_flight(const struct asking *asking, uint64_t message, uint32_t index)
{
    uint64_t key[2] = {message, index};

    return map_find(&asking->role->outgoing->in_flight, slice_of(key, sizeof(key))) != NULL;
}

/* Whether the action means anything in this state. */
static bool
applies(enum tool_store_queue_action action, enum queue_state state)
{
    switch (action) {
    case TOOL_STORE_QUEUE_ACTION_HOLD:
    case TOOL_STORE_QUEUE_ACTION_RETRY:
        return state == QUEUE_WAITING;
    case TOOL_STORE_QUEUE_ACTION_RELEASE:
        return state == QUEUE_HELD;
    case TOOL_STORE_QUEUE_ACTION_DELETE:
    case TOOL_STORE_QUEUE_ACTION_BOUNCE:
        return queue_state_is_open(state);
    case TOOL_STORE_QUEUE_ACTION_LIST:
    case TOOL_STORE_QUEUE_ACTION_COUNT:
        break;
    }
    return false;
}

static void
note_change(struct asking *asking, uint64_t message, uint32_t index,
            const struct queue_recipient *recipient)
{
    if (!applies(asking->ask.action, recipient->state))
        return;
    if (is_in_flight(asking, message, index)) {
        asking->busy++;
        return;
    }
    asking->changes[asking->change_count++] = (struct change){.message = message, .index = index};
    asking->count++;
}

/* Tells of the recipients of one message, or notes them for the next turn. False: no more for now.
 */
static bool
look_into(struct asking *asking, uint64_t message)
{
    struct store_role *role = asking->role;
    struct queued_entry entry;
    struct queue_message facts;
    struct queue_recipient recipient;
    struct slice value;

    if (asking->at != message)
        asking->next_index = 0;
    asking->at = message;
    if (mailbox_queue_get(role->store, message, &entry) != STORE_OK ||
        !queue_message_take(entry.facts, &facts))
        return true; /* gone meanwhile, or damaged: check names it */
    for (; asking->next_index < facts.recipients && !is_enough(asking); asking->next_index++) {
        if (asking->change_count == CHANGES_MAX ||
            (asking->tool && host_channel_is_full(asking->tool->channel)))
            return false;
        if (mailbox_queue_get_recipient(role->store, message, asking->next_index, &value) !=
                STORE_OK ||
            !queue_recipient_take(value, &recipient) || !fits(asking, &facts, &recipient))
            continue;
        if (asking->ask.action != TOOL_STORE_QUEUE_ACTION_LIST) {
            note_change(asking, message, asking->next_index, &recipient);
            continue;
        }
        tell(asking, &facts, entry.len, &recipient);
        asking->count++;
    }
    return true;
}

struct scan {
    struct asking *asking;
    uint64_t found[FOUND_STEP];
    size_t count, seen;
};

static bool
on_message(void *context, uint64_t message, const struct queued_entry *entry)
{
    struct scan *scan = context;
    struct queue_message facts;

    if (scan->count == FOUND_STEP || scan->seen == SCAN_STEP)
        return false;
    scan->seen++;
    scan->asking->next = message + 1;
    if (queue_message_take(entry->facts, &facts) && fits_message(scan->asking, &facts))
        scan->found[scan->count++] = message;
    return true;
}

/* One step over what is queued. False: it goes on when there is room, or a turn is over. */
static bool
scan_queue(struct asking *asking)
{
    struct scan scan = {.asking = asking};

    asking->result = mailbox_queue_list(asking->role->store, asking->next, on_message, &scan);
    if (asking->result != STORE_OK || scan.seen == 0)
        asking->phase =
            asking->ask.with_closed && asking->result == STORE_OK ? PHASE_DONE : PHASE_END;
    for (size_t i = 0; i < scan.count; i++) {
        if (!look_into(asking, scan.found[i])) {
            asking->next = scan.found[i];
            return false;
        }
        asking->at = 0;
    }
    return true;
}

struct done_scan {
    struct asking *asking;
    size_t seen;
    bool is_full;
};

/* What never waited: told at once, since nothing of it can be changed. */
static bool
on_done(void *context, const struct queue_done *done)
{
    struct done_scan *scan = context;
    struct asking *asking = scan->asking;
    struct queue_message facts;
    struct queue_recipient recipient;
    struct cursor rest;

    if (scan->seen == SCAN_STEP || is_enough(asking))
        return false;
    if (host_channel_is_full(asking->tool->channel)) {
        scan->is_full = true;
        return false;
    }
    scan->seen++;
    asking->done_next = (struct queue_done){.when_s = done->when_s, .message = done->message + 1};
    if (done->facts.len == 0 || !queue_trace_take(done->facts, &facts, &rest) ||
        !fits_message(asking, &facts))
        return true;
    while (queue_trace_next(&rest, &recipient) && !is_enough(asking)) {
        if (!fits(asking, &facts, &recipient))
            continue;
        tell(asking, &facts, 0, &recipient);
        asking->count++;
    }
    return true;
}

static bool
scan_done(struct asking *asking)
{
    struct done_scan scan = {.asking = asking};

    asking->result = mailbox_queue_list_done(asking->role->store, &asking->done_next, UINT64_MAX,
                                             on_done, &scan);
    if (asking->result != STORE_OK || (scan.seen == 0 && !scan.is_full))
        asking->phase = PHASE_END;
    return !scan.is_full;
}

/* ---- changing ------------------------------------------------------------------------------ */

static void
make_due(struct asking *asking, struct change *change, struct queue_recipient *recipient)
{
    recipient->state = QUEUE_WAITING;
    recipient->due = host_wall(asking->role->host);
    change->place = outgoing_place(change->message, change->index, recipient, change->domain);
    change->waits = true;
    mailbox_queue_put_due(asking->role->store, &change->place);
}

static void
give_back(struct asking *asking, struct change *change, const struct queue_message *facts,
          struct queue_recipient *recipient)
{
    struct queue_attempt attempt = {
        .at = host_wall(asking->role->host),
        .host = SLICE(""),
        .address = SLICE(""),
        .tls = SLICE(""),
        .status = SLICE("5.3.0"),
        .text = SLICE("returned by the operator of the mail system"),
    };

    queue_recipient_tried(recipient, &attempt);
    recipient->state = QUEUE_FAILED;
    if (!outgoing_must_report(facts, recipient, ENVELOPE_NOTIFY_FAILURE))
        return;
    recipient->told |= QUEUE_OWED;
    change->owes = true;
    change->place = outgoing_report_place(change->message, attempt.at);
    mailbox_queue_put_due(asking->role->store, &change->place);
}

static void
log_change(struct asking *asking, const struct queue_message *facts,
           const struct queue_recipient *recipient)
{
    static const char *const names[TOOL_STORE_QUEUE_ACTION_COUNT] = {
        [TOOL_STORE_QUEUE_ACTION_LIST] = "listed",
        [TOOL_STORE_QUEUE_ACTION_HOLD] = "held",
        [TOOL_STORE_QUEUE_ACTION_RELEASE] = "released",
        [TOOL_STORE_QUEUE_ACTION_RETRY] = "retried",
        [TOOL_STORE_QUEUE_ACTION_DELETE] = "deleted",
        [TOOL_STORE_QUEUE_ACTION_BOUNCE] = "returned",
    };
    struct log_line line;

    log_begin(&line, asking->role->host, HOST_LEVEL_NOTICE, "queue_changed");
    log_text(&line, "id", facts->id);
    log_address(&line, "to", recipient->address);
    log_string(&line, "what", names[asking->ask.action]);
    log_end(&line);
}

/* Makes one change, unless the recipient has moved on meanwhile. */
static bool
change_one(struct asking *asking, struct change *change)
{
    struct store_role *role = asking->role;
    struct queued_entry entry;
    struct queue_message facts;
    struct queue_recipient recipient;
    uint8_t domain[QUEUE_DOMAIN_MAX];
    struct slice value;

    change->waits = change->owes = false;
    if (mailbox_queue_load(role->store, change->message, &entry) != STORE_OK ||
        !queue_message_take(entry.facts, &facts) ||
        mailbox_queue_load_recipient(role->store, change->message, change->index, &value) !=
            STORE_OK ||
        !queue_recipient_take(value, &recipient) || !applies(asking->ask.action, recipient.state) ||
        is_in_flight(asking, change->message, change->index)) {
        asking->count--;
        asking->busy++;
        return true;
    }
    struct queue_place old = outgoing_place(change->message, change->index, &recipient, domain);
    if (recipient.state == QUEUE_WAITING)
        mailbox_queue_del_due(role->store, &old);
    if (asking->ask.action == TOOL_STORE_QUEUE_ACTION_HOLD)
        recipient.state = QUEUE_HELD;
    else if (asking->ask.action == TOOL_STORE_QUEUE_ACTION_DELETE)
        recipient.state = QUEUE_DELETED;
    else if (asking->ask.action == TOOL_STORE_QUEUE_ACTION_BOUNCE)
        give_back(asking, change, &facts, &recipient);
    else
        make_due(asking, change, &recipient);
    outgoing_put_recipient(role, change->message, change->index, &recipient);
    log_change(asking, &facts, &recipient);
    if (queue_state_is_open(recipient.state))
        return true;
    facts.open -= facts.open > 0;
    facts.owed |= change->owes;
    return outgoing_put_message(role, change->message, &facts) == STORE_OK &&
           (facts.open > 0 || facts.owed || outgoing_close_message(role, change->message, &facts));
}

bool
askings_wait(const struct store_role *role)
{
    LIST_EACH (link, &role->outgoing->askings) {
        if (LIST_ITEM(link, struct asking, link)->is_filing)
            return true;
    }
    return false;
}

bool
askings_file(struct store_role *role)
{
    bool is_good = true;

    LIST_EACH (link, &role->outgoing->askings) {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        for (size_t i = 0; asking->is_filing && i < asking->change_count && is_good; i++)
            is_good = change_one(asking, &asking->changes[i]);
    }
    return is_good;
}

/* A destination that is left alone for a while is asked again at once. */
static void
open_flow(struct store_role *role, struct slice domain)
{
    struct lane *lane = lanes_find(&role->outgoing->lanes, domain);
    struct outgoing_destination *destination =
        lane ? map_find(&role->outgoing->destinations, map_key_u64(&lane->hint)) : NULL;

    if (destination)
        flow_open(&destination->flow);
}

/* The turn is over: what it changed is told, and looked at. */
static void
tell_changes(struct asking *asking)
{
    struct store_role *role = asking->role;
    struct queued_entry entry;
    struct queue_message facts;
    struct queue_recipient recipient;
    struct slice value;

    for (size_t i = 0; i < asking->change_count; i++) {
        const struct change *change = &asking->changes[i];
        if (change->waits)
            open_flow(role, change->place.domain);
        if (change->waits || change->owes)
            outgoing_note_lane(role, &change->place);
        if (asking->tool && mailbox_queue_get(role->store, change->message, &entry) == STORE_OK &&
            queue_message_take(entry.facts, &facts) &&
            mailbox_queue_get_recipient(role->store, change->message, change->index, &value) ==
                STORE_OK &&
            queue_recipient_take(value, &recipient))
            tell(asking, &facts, entry.len, &recipient);
    }
    outgoing_run_soon(role);
}

void
askings_filed(struct store_role *role, bool is_durable)
{
    LIST_EACH (link, &role->outgoing->askings) {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        if (!asking->is_filing)
            continue;
        asking->is_filing = false;
        asking->is_ready = true;
        if (is_durable) {
            tell_changes(asking);
        } else {
            asking->count -= asking->change_count;
            asking->result = STORE_TEMPORARY;
            asking->phase = PHASE_END;
        }
        asking->change_count = 0;
    }
    askings_go_on(role);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void
step(struct asking *asking)
{
    struct store_role *role = asking->role;
    bool goes_on = true;

    asking->is_ready = false;
    if (!asking->tool && !asking->is_retry) {
        close_asking(asking);
        return;
    }
    if (asking->phase == PHASE_QUEUE)
        goes_on = scan_queue(asking);
    else if (asking->phase == PHASE_DONE)
        goes_on = scan_done(asking);
    if (is_enough(asking))
        asking->phase = PHASE_END;
    if (asking->change_count > 0) {
        asking->is_filing = true;
        store_role_turn_soon(role);
    } else if (asking->phase == PHASE_END) {
        finish(asking);
    } else {
        asking->is_ready = goes_on; /* otherwise the channel's room calls */
    }
}

static void
step_all(void *context)
{
    struct store_role *role = context;

    role->outgoing->is_asking_due = false;
    LIST_EACH (link, &role->outgoing->askings) {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        if (!asking->is_filing)
            step(asking);
    }
    LIST_EACH (link, &role->outgoing->askings) {
        if (LIST_ITEM(link, struct asking, link)->is_ready) {
            askings_go_on(role);
            break;
        }
    }
}

void
askings_go_on(struct store_role *role)
{
    if (list_is_empty(&role->outgoing->askings) || role->outgoing->is_asking_due)
        return;
    role->outgoing->is_asking_due = true;
    host_defer(role->host, step_all, role);
}

void
asking_open(struct store_tool *tool, const struct tool_store_queue_ask *ask)
{
    struct store_role *role = tool->role;
    struct asking *asking = calloc(1, sizeof(*asking));

    if (!asking)
        abort();
    asking->role = role;
    asking->tool = tool;
    arena_init(&asking->arena, TOOL_STORE_QUEUE_ASK_NAME_MAX * 8);
    asking->ask = *ask;
    asking->ask.name = arena_copy(&asking->arena, ask->name);
    asking->ask.queue_id = arena_copy(&asking->arena, ask->queue_id);
    asking->ask.sender = arena_copy(&asking->arena, ask->sender);
    asking->ask.recipient = arena_copy(&asking->arena, ask->recipient);
    if (arena_failed(&asking->arena))
        abort();
    if (ask->action != TOOL_STORE_QUEUE_ACTION_LIST) {
        asking->ask.with_closed = false;
        asking->changes = calloc(CHANGES_MAX, sizeof(*asking->changes));
        if (!asking->changes)
            abort();
    }
    list_append(&role->outgoing->askings, &asking->link);
    askings_go_on(role);
}

bool
asking_retry(struct store_role *role, struct slice domain, bool *ret_is_busy)
{
    struct buffer recipient;
    size_t open = 0;

    *ret_is_busy = false;
    if (!role->outgoing)
        return false;
    LIST_EACH (link, &role->outgoing->askings) {
        open += LIST_ITEM(link, struct asking, link)->is_retry;
    }
    buffer_init(&recipient, TOOL_STORE_QUEUE_ASK_RECIPIENT_MAX);
    buffer_put_byte(&recipient, '@');
    for (size_t i = 0; i < domain.len; i++)
        buffer_put_byte(&recipient, byte_to_lower(domain.at[i]));
    *ret_is_busy = open >= RETRIES_MAX;
    if (*ret_is_busy ||
        !lanes_find(&role->outgoing->lanes, slice_skip(buffer_slice(&recipient), 1))) {
        buffer_finish(&recipient);
        return false;
    }
    struct asking *asking = calloc(1, sizeof(*asking));
    if (!asking)
        abort();
    asking->role = role;
    asking->is_retry = true;
    arena_init(&asking->arena, TOOL_STORE_QUEUE_ASK_RECIPIENT_MAX * 2);
    asking->ask = (struct tool_store_queue_ask){
        .action = TOOL_STORE_QUEUE_ACTION_RETRY,
        .recipient = arena_copy(&asking->arena, buffer_slice(&recipient)),
        .states = 1u << QUEUE_WAITING};
    buffer_finish(&recipient);
    asking->changes = calloc(CHANGES_MAX, sizeof(*asking->changes));
    if (!asking->changes)
        abort();
    list_append(&role->outgoing->askings, &asking->link);
    askings_go_on(role);
    return true;
}

void
askings_lose(struct store_tool *tool)
{
    if (!tool->role->outgoing)
        return;
    LIST_EACH (link, &tool->role->outgoing->askings) {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        if (asking->tool == tool)
            asking->tool = NULL;
    }
    askings_go_on(tool->role);
}

void
askings_close(struct store_role *role)
{
    role->outgoing->is_asking_due = true; /* no more */
    LIST_EACH (link, &role->outgoing->askings) {
        close_asking(LIST_ITEM(link, struct asking, link));
    }
}
