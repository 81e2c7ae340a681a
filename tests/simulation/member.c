/* SPDX-License-Identifier: ISC */
#include "member.h"

#include "heard.h"
#include "shown.h"
#include "visit.h"

#include "sender.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PAUSE_MS_MAX = 150,
    RETRY_MS_MAX = 1500,
    IDLE_MS_MAX = 1500,
    SYNC_NOOPS = 2, /* what a search has to say comes behind a command */
    CROWD = 60,     /* no copies any more from mailboxes of so many */
    LEARN_TRIES = 30,
    OWNER = 0,
    GUEST = 1,
};

enum command {
    NOTHING,
    ENABLE,
    SHARE,
    LISTEN,
    SELECT,
    LEARN,
    WATCH,
    NOOP,
    STORE,
    EXPUNGE,
    COPY,
    APPEND,
    REPLACE,
    RENAME,
    SEARCH,
    UNSELECT,
    IDLE,
};

struct member {
    struct sim *sim;
    struct boxes *boxes;
    struct member_options options;
    char name[24];
    struct host *host;
    struct host_timer *next;
    struct visit *visit;
    enum command command;
    bool is_ready;   /* logged in */
    bool is_enabled; /* QRESYNC */
    bool is_selected;
    bool can_resume; /* `shown` is what was known when the mailbox was left */
    bool is_by_number;
    bool is_idling;
    bool is_listening; /* NOTIFY */
    bool is_conditional;
    unsigned shared;
    unsigned left; /* commands of this round */
    unsigned tries;
    bool is_syncing, is_synced;
    unsigned noops;
    struct shown shown;
    struct heard heard;
    struct boxes_op *op;
    unsigned dest; /* of the command on its way */
    /* STORE.SILENT, for what becomes of the flags that are known. */
    bool is_silent;
    uint8_t ones, zeros;
    uint8_t searched;   /* flag */
    struct buffer rest; /* of APPEND, for when the server is ready */
    uint32_t targets[BOXES_MESSAGES_MAX];
    size_t target_count;
};

static uint64_t
draw(struct member *member, uint64_t bound)
{
    return sim_random(member->sim, bound);
}

static void
sleep_up_to(struct member *member, unsigned ms)
{
    host_timer_set(member->next, instant_after(host_now(member->host),
                                               duration_ms((int64_t)draw(member, ms) + 1)));
}

bool
member_is_resting(const struct member *member)
{
    return member->left == 0 && member->command == NOTHING;
}

bool
member_is_synced(const struct member *member)
{
    return member->is_synced;
}

/* ---- words of commands ----------------------------------------------------------------------- */

static struct buffer *
ask(struct member *member, enum command command, struct slice words)
{
    struct buffer *output = visit_ask(member->visit);

    member->command = command;
    buffer_put(output, words);
    return output;
}

static void
put_box(struct member *member, struct buffer *output, unsigned box)
{
    if (!member->options.is_owner) {
        buffer_put(output, SLICE("\"Other Users/"));
        sender_put_address(output, OWNER);
        buffer_put_byte(output, '/');
    }
    buffer_put_text(output, boxes_name(member->boxes, box));
    if (!member->options.is_owner)
        buffer_put_byte(output, '"');
}

static uint8_t
draw_flags(struct member *member, unsigned count)
{
    uint8_t flags = 0;

    for (unsigned i = 0; i < count; i++)
        flags |= (uint8_t)(1U << draw(member, BOXES_FLAGS));
    return flags;
}

/* Some messages that stand beside each other: named by numbers or by UIDs. */
static void
draw_targets(struct member *member)
{
    static const size_t mores[] = {0, 0, 1, 5, BOXES_MESSAGES_MAX};
    const struct shown *shown = &member->shown;
    size_t first = (size_t)draw(member, shown->count);
    size_t last = first + mores[draw(member, COUNT_OF(mores))];

    if (last >= shown->count)
        last = shown->count - 1;
    member->target_count = 0;
    for (size_t i = first; i <= last; i++)
        member->targets[member->target_count++] = shown->messages[i].uid;
    member->is_by_number = draw(member, 2) && !member->options.is_notify;
}

/* The number or the UID of the first. */
static uint32_t
name_of_target(const struct member *member)
{
    for (uint32_t i = 0; i < member->shown.count && member->is_by_number; i++)
        if (member->shown.messages[i].uid == member->targets[0])
            return i + 1;
    return member->targets[0];
}

static void
put_targets(struct member *member, struct buffer *output)
{
    uint32_t first = name_of_target(member), last = member->targets[member->target_count - 1];

    if (member->is_by_number)
        last = first + (uint32_t)member->target_count - 1;
    buffer_put_decimal(output, first);
    buffer_put_byte(output, ':');
    buffer_put_decimal(output, last);
}

static struct boxes_targets
targets_of(const struct member *member)
{
    return (struct boxes_targets){member->shown.box, member->targets, member->target_count};
}

/* ---- commands -------------------------------------------------------------------------------- */

static void
begin_select(struct member *member, unsigned box)
{
    struct shown *shown = &member->shown;
    bool is_resuming = member->options.is_resync && member->can_resume && shown->box == box;
    uint32_t validity = shown->validity;
    uint64_t modseq = shown->modseq;
    struct buffer *output = ask(member, SELECT, SLICE("SELECT "));

    shown_begin(shown, box, is_resuming);
    heard_forget(&member->heard, box); /* by selecting it, it knows more */
    put_box(member, output, box);
    if (is_resuming) {
        buffer_put(output, SLICE(" (QRESYNC ("));
        buffer_put_decimal(output, validity);
        buffer_put_byte(output, ' ');
        buffer_put_decimal(output, modseq);
        buffer_put(output, SLICE("))"));
    }
    member->is_selected = member->can_resume = false;
    visit_send(member->visit);
}

/* The last change that it was told of, of one of them. */
static uint64_t
known_modseq(struct member *member)
{
    const struct shown *shown = &member->shown;
    uint64_t modseq = shown->modseq;

    for (size_t i = 0; i < shown->count; i++)
        if (shown->messages[i].uid == member->targets[0] && shown->messages[i].modseq)
            modseq = shown->messages[i].modseq;
    return modseq;
}

static void
begin_store(struct member *member)
{
    static const char *const signs[] = {"+", "-", ""};
    size_t sign = (size_t)draw(member, COUNT_OF(signs));
    uint8_t flags = draw_flags(member, (unsigned)draw(member, 3));
    uint8_t all = UINT8_MAX >> 1;

    draw_targets(member);
    struct buffer *output =
        ask(member, STORE, member->is_by_number ? SLICE("STORE ") : SLICE("UID STORE "));
    struct boxes_targets targets = targets_of(member);
    member->is_silent = draw(member, 2);
    member->ones = sign == 1 ? 0 : flags;
    member->zeros = sign == 0 ? 0 : sign == 1 ? flags : (uint8_t)(all & ~flags);
    put_targets(member, output);
    buffer_put_byte(output, ' ');
    member->is_conditional = member->options.is_resync && draw(member, 2);
    if (member->is_conditional) {
        buffer_put(output, SLICE("(UNCHANGEDSINCE "));
        buffer_put_decimal(output, known_modseq(member));
        buffer_put(output, SLICE(") "));
    }
    buffer_put_text(output, signs[sign]);
    buffer_put(output, member->is_silent ? SLICE("FLAGS.SILENT ") : SLICE("FLAGS "));
    boxes_put_flags(output, flags);
    member->op = boxes_begin_store(member->boxes, &targets, member->ones, member->zeros);
    visit_send(member->visit);
}

/* All that is \Deleted, or (RFC 4315) one message if it is. */
static void
begin_expunge(struct member *member)
{
    const struct shown *shown = &member->shown;
    bool is_one = shown->count > 0 && draw(member, 2);
    bool is_set = !is_one && member->options.is_notify;

    member->is_by_number = false;
    member->target_count = 0;
    if (is_one) {
        member->targets[member->target_count++] = shown->messages[draw(member, shown->count)].uid;
        buffer_put_decimal(ask(member, EXPUNGE, SLICE("UID EXPUNGE ")), member->targets[0]);
    } else {
        for (size_t i = 0; i < shown->count; i++)
            member->targets[member->target_count++] = shown->messages[i].uid;
        /* With NOTIFY messages come between commands that it has not read of. */
        struct buffer *output =
            ask(member, EXPUNGE, is_set ? SLICE("UID EXPUNGE ") : SLICE("EXPUNGE"));
        if (is_set)
            put_targets(member, output);
    }
    struct boxes_targets targets = targets_of(member);
    member->op = boxes_begin_expunge(member->boxes, &targets);
    visit_send(member->visit);
}

/* Of what it does itself it hears nothing. */
static void
begin_putting(struct member *member, unsigned dest)
{
    member->dest = dest;
    heard_forget(&member->heard, dest);
}

static void
begin_copy(struct member *member)
{
    unsigned dest = (unsigned)draw(member, BOXES);
    bool is_move = draw(member, 2);

    draw_targets(member);
    struct buffer *output = ask(member, COPY, member->is_by_number ? SLICE("") : SLICE("UID "));
    struct boxes_targets targets = targets_of(member);
    buffer_put(output, is_move ? SLICE("MOVE ") : SLICE("COPY "));
    put_targets(member, output);
    buffer_put_byte(output, ' ');
    put_box(member, output, dest);
    member->shown.sources_count = member->shown.uids_count = 0;
    begin_putting(member, dest);
    member->op = boxes_begin_copy(member->boxes, &targets, dest, is_move);
    visit_send(member->visit);
}

/* One message or (RFC 3502) three; octets at once, or each when the server is ready. */
static void
begin_append(struct member *member)
{
    unsigned dest = (unsigned)draw(member, BOXES), count = draw(member, 4) ? 1 : 3;
    uint8_t flags = draw_flags(member, 2);
    unsigned first = boxes_new_letters(member->boxes, count);
    bool waits = count == 1 && draw(member, 2);
    struct buffer *output = ask(member, APPEND, SLICE("APPEND "));
    struct buffer letter;

    buffer_init(&letter, BOXES_LETTER_MAX);
    put_box(member, output, dest);
    for (unsigned i = 0; i < count; i++) {
        buffer_clear(&letter);
        boxes_put_letter(first + i, &letter);
        buffer_put_byte(output, ' ');
        boxes_put_flags(output, flags);
        buffer_put(output, SLICE(" {"));
        buffer_put_decimal(output, buffer_len(&letter));
        buffer_put(output, waits ? SLICE("}") : SLICE("+}\r\n"));
        buffer_put(waits ? &member->rest : output, buffer_slice(&letter));
    }
    buffer_finish(&letter);
    member->shown.uids_count = 0;
    begin_putting(member, dest);
    member->op = boxes_begin_append(member->boxes, dest, flags, first, count);
    visit_send(member->visit);
}

static void
begin_replace(struct member *member)
{
    unsigned dest = (unsigned)draw(member, BOXES), first = boxes_new_letters(member->boxes, 1);
    uint8_t flags = draw_flags(member, 2);
    struct buffer letter;

    draw_targets(member);
    member->target_count = 1;
    struct buffer *output =
        ask(member, REPLACE, member->is_by_number ? SLICE("REPLACE ") : SLICE("UID REPLACE "));
    struct boxes_targets target = targets_of(member);
    buffer_put_decimal(output, name_of_target(member));
    buffer_put_byte(output, ' ');
    put_box(member, output, dest);
    buffer_put_byte(output, ' ');
    boxes_put_flags(output, flags);
    buffer_init(&letter, BOXES_LETTER_MAX);
    boxes_put_letter(first, &letter);
    buffer_put(output, SLICE(" {"));
    buffer_put_decimal(output, buffer_len(&letter));
    buffer_put(output, SLICE("+}\r\n"));
    buffer_put(output, buffer_slice(&letter));
    buffer_finish(&letter);
    member->shown.uids_count = 0;
    begin_putting(member, dest);
    member->op = boxes_begin_replace(member->boxes, &target, dest, flags, first);
    visit_send(member->visit);
}

/* But of INBOX: its name stays (RFC 9051 §6.3.6). */
static void
begin_rename(struct member *member)
{
    unsigned box = (unsigned)draw(member, BOXES - 1) + 1;
    struct buffer *output = ask(member, RENAME, SLICE("RENAME "));

    put_box(member, output, box);
    buffer_put_byte(output, ' ');
    buffer_put_text(output, boxes_begin_rename(member->boxes, box));
    visit_send(member->visit);
}

static void
begin_search(struct member *member)
{
    unsigned flag = (unsigned)draw(member, BOXES_FLAGS);
    const char *name = boxes_flag_names[flag];
    struct buffer *output = ask(member, SEARCH, SLICE("UID SEARCH "));

    member->searched = (uint8_t)(1U << flag);
    member->shown.found_count = 0;
    buffer_put(output, name[0] == '$' ? SLICE("KEYWORD ") : SLICE(""));
    buffer_put_text(output, name[0] == '$' ? name : name + 1);
    buffer_put(output, SLICE(" UID 1:*"));
    visit_send(member->visit);
}

static void
begin_simple(struct member *member, enum command command, struct slice words)
{
    ask(member, command, words);
    visit_send(member->visit);
}

static void
begin_watch(struct member *member)
{
    ask(member, WATCH, SLICE("UID SEARCH RETURN (ALL UPDATE) FLAGGED"));
    member->shown.search = visit_tag(member->visit);
    member->shown.flagged_count = 0;
    visit_send(member->visit);
}

static void
begin_share(struct member *member)
{
    struct buffer *output = ask(member, SHARE, SLICE("SETACL "));

    put_box(member, output, member->shared++);
    buffer_put_byte(output, ' ');
    sender_put_address(output, GUEST);
    buffer_put(output, SLICE(" lrswite"));
    visit_send(member->visit);
}

static void
begin_listening(struct member *member)
{
    struct buffer *output = ask(member, LISTEN, SLICE("NOTIFY SET STATUS (selected (MessageNew"));

    buffer_put(output, SLICE(" (UID FLAGS) MessageExpunge FlagChange)) ("));
    if (member->options.is_owner) {
        buffer_put(output, SLICE("personal"));
    } else {
        buffer_put(output, SLICE("subtree \"Other Users/"));
        sender_put_address(output, OWNER);
        buffer_put_byte(output, '"');
    }
    buffer_put(output, SLICE(" (MessageNew MessageExpunge FlagChange))"));
    visit_send(member->visit);
}

static void
do_anything(struct member *member)
{
    static const enum command commands[] = {
        NOOP,    NOOP, APPEND, APPEND,  APPEND, STORE,  STORE,    STORE, STORE, STORE,
        EXPUNGE, COPY, COPY,   REPLACE, SEARCH, SELECT, UNSELECT, IDLE,  RENAME};
    enum command command = commands[draw(member, COUNT_OF(commands))];
    size_t count = member->shown.count;

    member->left--;
    if (command == APPEND && count < CROWD)
        begin_append(member);
    else if (command == STORE && count > 0)
        begin_store(member);
    else if ((command == EXPUNGE && (count > 0 || !member->options.is_notify)) ||
             (command == APPEND && count >= CROWD))
        begin_expunge(member);
    else if (command == COPY && count > 0 && count < CROWD)
        begin_copy(member);
    else if (command == REPLACE && count > 0)
        begin_replace(member);
    else if (command == RENAME && member->options.is_first)
        begin_rename(member);
    else if (command == SEARCH)
        begin_search(member);
    else if (command == SELECT && !member->options.is_notify)
        begin_select(member, (unsigned)draw(member, BOXES));
    else if (command == SELECT || (command == UNSELECT && member->options.is_resync))
        begin_simple(member, UNSELECT, SLICE("UNSELECT"));
    else if (command == IDLE)
        begin_simple(member, IDLE, SLICE("IDLE"));
    else
        begin_simple(member, NOOP, SLICE("NOOP"));
}

/* ---- one command after another --------------------------------------------------------------- */

static void
finish_sync(struct member *member)
{
    shown_compare(&member->shown, member->name);
    heard_compare(&member->heard, member->boxes, member->shown.box, member->name);
    member->is_syncing = false;
    member->is_synced = true;
}

/* Nothing is on its way: what is missing to know one's mailbox? False: nothing. */
static bool
go_on(struct member *member)
{
    if (member->options.is_resync && !member->is_enabled)
        begin_simple(member, ENABLE, SLICE("ENABLE QRESYNC"));
    else if (member->options.is_first && member->shared < BOXES)
        begin_share(member);
    else if (member->options.is_notify && !member->is_listening)
        begin_listening(member);
    else if (!member->is_selected)
        begin_select(member,
                     member->can_resume ? member->shown.box : (unsigned)draw(member, BOXES));
    else if (!member->shown.search)
        begin_watch(member);
    else if (shown_is_incomplete(&member->shown) && member->tries++ < LEARN_TRIES)
        begin_simple(member, member->tries % 2 ? LEARN : NOOP,
                     member->tries % 2 == 0      ? SLICE("NOOP")
                     : member->options.is_notify ? SLICE("UID FETCH 1:* (FLAGS)")
                                                 : SLICE("FETCH 1:* (UID FLAGS)"));
    else
        return false;
    return true;
}

static void
next(struct member *member)
{
    member->command = NOTHING;
    if (!member->is_ready || boxes_has_failed(member->boxes) || go_on(member))
        return;
    member->tries = 0;
    if (shown_is_incomplete(&member->shown)) {
        boxes_fail(member->boxes, "%s is not told the UIDs and flags of %s", member->name,
                   boxes_names[member->shown.box]);
        return;
    }
    if (member->is_syncing && member->noops > 0) {
        member->noops--;
        begin_simple(member, NOOP, SLICE("NOOP"));
    } else if (member->is_syncing) {
        finish_sync(member);
    } else if (member->left > 0) {
        sleep_up_to(member, PAUSE_MS_MAX);
    }
}

static void
leave(struct member *member)
{
    if (member->op)
        boxes_lost(member->op);
    if (member->command == RENAME)
        boxes_end_rename(member->boxes, false);
    member->op = NULL;
    visit_close(&member->visit);
    buffer_clear(&member->rest);
    /* In the middle of a SELECT nobody knows what is known. */
    member->can_resume = member->can_resume || (member->is_selected && member->command != SELECT);
    member->can_resume = member->can_resume && !shown_is_incomplete(&member->shown);
    member->command = NOTHING;
    member->is_ready = member->is_enabled = member->is_selected = member->is_idling = false;
    member->is_listening = false;
    member->heard = (struct heard){0};
    sleep_up_to(member, RETRY_MS_MAX);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void
on_silent_store(struct member *member, bool is_done)
{
    for (size_t i = 0; i < member->shown.count; i++) {
        struct shown_message *message = &member->shown.messages[i];
        for (size_t k = 0; k < member->target_count; k++) {
            if (message->uid != member->targets[k])
                continue;
            message->flags = (uint8_t)((message->flags | member->ones) & ~member->zeros);
            message->has_flags = message->has_flags && is_done;
        }
    }
}

static void
on_found(struct member *member)
{
    const struct shown *shown = &member->shown;

    for (size_t i = 0; i < shown->count; i++) {
        bool is_found = false;
        uint32_t uid = shown->messages[i].uid;
        for (size_t k = 0; k < shown->found_count && !is_found; k++)
            is_found = shown->found[k] == uid;
        if (uid && (is_found || boxes_is_sure(member->boxes, shown->box, uid)))
            boxes_saw_flags(member->boxes, shown->box, uid, is_found ? UINT8_MAX : 0,
                            member->searched);
    }
}

/* Which were not changed, because somebody else had changed them. */
static void
on_conditional_store(struct member *member, struct boxes_op *op)
{
    struct shown *shown = &member->shown;

    for (size_t i = 0; i < shown->modified_count && member->is_by_number; i++) {
        size_t number = shown->modified[i];
        if (number > 0 && number <= shown->count)
            shown->modified[i] = shown->messages[number - 1].uid;
    }
    boxes_done_but(member->boxes, op, shown->modified, shown->modified_count);
    for (size_t i = 0; i < member->target_count && member->is_silent; i++)
        for (size_t k = 0; k < shown->modified_count; k++)
            if (member->targets[i] == shown->modified[k])
                member->targets[i] = 0; /* no message has that UID */
}

static void
on_done(struct member *member, struct slice line)
{
    struct shown *shown = &member->shown;
    struct boxes_op *op = member->op;

    member->op = NULL;
    shown->modified_count = 0;
    shown_code(shown, line);
    if (member->command == COPY) {
        boxes_copied(member->boxes, op, shown->sources, shown->uids, shown->sources_count);
    } else if (member->command == APPEND || member->command == REPLACE) {
        boxes_appended(member->boxes, op, shown->uids, shown->uids_count);
    } else if (op && member->command == STORE && member->is_conditional) {
        on_conditional_store(member, op);
    } else if (op) {
        boxes_done(member->boxes, op);
    }
    if (member->command == STORE && member->is_silent)
        on_silent_store(member, true);
    else if (member->command == SEARCH)
        on_found(member);
    else if (member->command == LISTEN)
        member->is_listening = true;
    else if (member->command == ENABLE)
        member->is_enabled = shown->is_resync = true;
    else if (member->command == SELECT) {
        shown_selected(shown);
        member->is_selected = true;
    } else if (member->command == UNSELECT) {
        member->is_selected = false;
        member->can_resume = member->options.is_resync;
        heard_forget(&member->heard, shown->box);
    }
}

static void
on_answer(void *context, enum visit_status status, struct slice line)
{
    struct member *member = context;
    bool matters =
        member->command == SELECT || member->command == SHARE || member->command == LISTEN;

    buffer_clear(&member->rest);
    member->is_idling = false;
    if (member->command == APPEND || member->command == COPY || member->command == REPLACE)
        heard_forget(&member->heard, member->dest);
    if (status == VISIT_BAD) {
        boxes_fail(member->boxes, "%s: %.*s", member->name, (int)line.len, (const char *)line.at);
        return;
    }
    if (member->command == RENAME)
        boxes_end_rename(member->boxes, status == VISIT_OK);
    if (status == VISIT_OK) {
        on_done(member, line);
    } else {
        if (member->op)
            boxes_lost(member->op);
        member->op = NULL;
        if (member->command == STORE)
            on_silent_store(member, false);
        if (member->command == WATCH)
            member->shown.search = 0;
        if (member->command == SELECT && slice_find(line, SLICE("[NONEXISTENT]")) < line.len)
            boxes_guess_name(member->boxes, member->shown.box);
    }
    if (status == VISIT_OK || !matters) {
        next(member);
        return;
    }
    if (member->command == SHARE)
        member->shared--;
    leave(member);
}

static void
on_data(void *context, struct slice line, struct slice literal)
{
    struct member *member = context;
    bool may_vanish =
        member->options.is_notify || (member->command != NOTHING && member->command != LEARN &&
                                      !(member->command == STORE && member->is_by_number));

    (void)literal;
    if (slice_starts_with(line, SLICE("BYE ")))
        return;
    heard_line(&member->heard, line);
    shown_line(&member->shown, line, may_vanish);
}

static void
on_continue(void *context)
{
    struct member *member = context;

    if (member->command == IDLE) {
        member->is_idling = true;
        sleep_up_to(member, IDLE_MS_MAX);
        return;
    }
    buffer_put(visit_more(member->visit), buffer_slice(&member->rest));
    buffer_clear(&member->rest);
    visit_send(member->visit);
}

static void
on_ready(void *context)
{
    struct member *member = context;

    member->is_ready = true;
    next(member);
}

static void
on_end(void *context)
{
    leave(context);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void
on_next(void *context)
{
    static const struct visit_handler handler = {on_ready, on_data, on_continue, on_answer, on_end};
    struct member *member = context;
    struct visit_options options = {.server = member->options.server,
                                    .account = member->options.is_owner ? OWNER : GUEST};

    if (boxes_has_failed(member->boxes))
        return;
    if (!member->visit) {
        member->shown.is_resync = false;
        member->visit = visit_open(member->sim, member->host, &options, &handler, member);
    } else if (member->is_idling) {
        member->is_idling = false;
        buffer_put(visit_more(member->visit), SLICE("DONE"));
        visit_send(member->visit);
    } else if (member->is_ready && member->command == NOTHING && member->left > 0 &&
               !go_on(member)) { /* it may have heard of new messages since */
        do_anything(member);
    }
}

void
member_work(struct member *member, unsigned commands)
{
    member->left = commands;
    if (member->command == NOTHING)
        sleep_up_to(member, PAUSE_MS_MAX);
}

void
member_sync(struct member *member)
{
    member->is_syncing = true;
    member->is_synced = false;
    member->noops = SYNC_NOOPS;
    member->left = 0;
    if (member->is_ready && member->command == NOTHING)
        next(member);
}

struct member *
member_open(struct sim *sim, struct boxes *boxes, const struct member_options *options)
{
    struct member *member = calloc(1, sizeof(*member));

    if (!member)
        abort();
    member->sim = sim;
    member->boxes = boxes;
    member->options = *options;
    member->shown.boxes = boxes;
    snprintf(member->name, sizeof(member->name), "member/%u", options->number);
    buffer_init(&member->rest, BOXES_LETTER_MAX);
    member->host = sim_host_open(sim, member->name);
    sim_host_move_away(member->host);
    member->next = host_timer_open(member->host, on_next, member);
    sleep_up_to(member, PAUSE_MS_MAX);
    return member;
}

void
member_close(struct member **member)
{
    visit_close(&(*member)->visit);
    host_timer_close(&(*member)->next);
    buffer_finish(&(*member)->rest);
    sim_host_close(&(*member)->host);
    free(*member);
    *member = NULL;
}
