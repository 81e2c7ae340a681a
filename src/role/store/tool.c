/* SPDX-License-Identifier: ISC */
/* The operator's socket: check, lists, import, export, removal, figures. Who can open the socket
 * may do all of it. */
#include "role/store/outgoing.h"

#include <stdlib.h>

enum { SIDE_TOOL = 0, IMPORT_KEYS_MAX = 500 /* of a note */ };

enum tool_store_result
tool_result_of(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return TOOL_STORE_RESULT_OK;
    case STORE_NOT_FOUND:
        return TOOL_STORE_RESULT_NOT_FOUND;
    case STORE_QUOTA:
        return TOOL_STORE_RESULT_QUOTA;
    case STORE_NO_SPACE:
        return TOOL_STORE_RESULT_NO_SPACE;
    case STORE_DAMAGED:
        return TOOL_STORE_RESULT_DAMAGED;
    case STORE_LIMIT:
    case STORE_INVALID:
    case STORE_EXISTS:
        return TOOL_STORE_RESULT_BAD;
    case STORE_FORBIDDEN:
    case STORE_BUSY:
    case STORE_FENCED:
    case STORE_TEMPORARY:
        break;
    }
    return TOOL_STORE_RESULT_TEMPORARY;
}

static void
send_note(struct store_tool *tool, bool is_put)
{
    assert(is_put);
    host_channel_send(tool->channel, buffer_slice(&tool->role->note), HOST_HANDLE_NONE);
}

static void
answer_done(struct store_tool *tool, uint64_t id, enum store_result result)
{
    struct tool_store_done note = {id, tool_result_of(result)};

    buffer_clear(&tool->role->note);
    send_note(tool, tool_store_put_done(&tool->role->note, &tool->ledger, &note));
}

/* ---- check ----------------------------------------------------------------------------------- */

static void
tell_progress(struct store_tool *tool, const struct check_progress *progress)
{
    struct buffer *buffer = &tool->role->note;

    buffer_clear(buffer);
    if (progress->is_finished) {
        struct tool_store_check_done note = {
            .id = tool->check_id,
            .result = TOOL_STORE_RESULT_OK,
            .turns = progress->turns,
            .bodies = progress->bodies,
            .messages = progress->messages,
            .findings = progress->findings,
        };
        if (progress->findings > 0)
            note.result = TOOL_STORE_RESULT_DAMAGED;
        tool->has_check = false;
        send_note(tool, tool_store_put_check_done(buffer, &tool->ledger, &note));
        return;
    }
    struct tool_store_check_progress note = {tool->check_id, progress->done, progress->parts};
    send_note(tool, tool_store_put_check_progress(buffer, &tool->ledger, &note));
}

void
tool_tell_check(struct store_role *role)
{
    struct check_progress progress;

    check_progress_get(role->check, &progress);
    LIST_EACH (link, &role->tools) {
        struct store_tool *tool = LIST_ITEM(link, struct store_tool, link);
        /* Who reads slowly misses some of the progress, never the end. */
        if (tool->has_check && (progress.is_finished || !host_channel_is_full(tool->channel)))
            tell_progress(tool, &progress);
    }
}

void
tool_tell_finding(struct store_role *role, struct slice text)
{
    LIST_EACH (link, &role->tools) {
        struct store_tool *tool = LIST_ITEM(link, struct store_tool, link);
        if (!tool->has_check || host_channel_is_full(tool->channel))
            continue;
        struct tool_store_check_finding note = {
            tool->check_id, slice_first(text, TOOL_STORE_CHECK_FINDING_TEXT_MAX)};
        buffer_clear(&role->note);
        send_note(tool, tool_store_put_check_finding(&role->note, &tool->ledger, &note));
    }
}

static void
on_check(struct store_tool *tool, uint64_t id)
{
    if (tool->has_check) { /* one at a time on one channel */
        struct tool_store_check_done note = {.id = id, .result = TOOL_STORE_RESULT_BAD};
        buffer_clear(&tool->role->note);
        send_note(tool, tool_store_put_check_done(&tool->role->note, &tool->ledger, &note));
        return;
    }
    tool->check_id = id;
    tool->has_check = true;
    background_check(tool->role);
    if (!tool->role->check) {
        struct tool_store_check_done note = {.id = id, .result = TOOL_STORE_RESULT_TEMPORARY};
        tool->has_check = false;
        buffer_clear(&tool->role->note);
        send_note(tool, tool_store_put_check_done(&tool->role->note, &tool->ledger, &note));
    }
}

/* ---- lists and octets ------------------------------------------------------------------------ */

static void
on_mailbox_list(struct store_tool *tool, const struct tool_store_mailbox_list *note)
{
    struct reading *reading = reading_new(tool->role, NULL, tool, READING_MAILBOXES, note->id);

    reading->account = note->account;
    reading_start(reading);
}

static void
on_mailbox_show(struct store_tool *tool, const struct tool_store_mailbox_show *note)
{
    mailbox_id mailbox;
    enum store_result result =
        mailbox_find(tool->role->store, note->account, note->mailbox, &mailbox);

    if (result != STORE_OK) {
        answer_done(tool, note->id, result);
        return;
    }
    struct reading *reading = reading_new(tool->role, NULL, tool, READING_MESSAGES, note->id);
    reading->account = note->account;
    reading->mailbox = mailbox;
    reading->uid = note->first_uid;
    reading->left = note->count;
    reading_start(reading);
}

static void
on_read(struct store_tool *tool, const struct tool_store_read *note)
{
    struct store *store = tool->role->store;
    struct message_entry entry = {0};
    mailbox_id mailbox;
    enum store_result result = mailbox_find(store, note->account, note->mailbox, &mailbox);

    if (result == STORE_OK)
        result = mailbox_message_get(store, note->account, mailbox, note->uid, &entry);
    struct reading *reading = reading_new(tool->role, NULL, tool, READING_OCTETS, note->id);
    reading->result = result;
    reading->body = entry.body;
    reading->left = entry.len;
    reading->flags = entry.flags;
    reading->internal = entry.internal;
    reading->is_done = result != STORE_OK || entry.len == 0;
    reading_start(reading);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void
refuse_append(struct store_tool *tool, uint64_t id, enum tool_store_result result)
{
    struct tool_store_appended note = {.id = id, .result = result};

    buffer_clear(&tool->role->note);
    send_note(tool, tool_store_put_appended(&tool->role->note, &tool->ledger, &note));
}

static void
on_append(struct store_tool *tool, const struct tool_store_append *note, host_handle handle)
{
    struct store_role *role = tool->role;

    if (note->account == 0 || !mailbox_name_is_valid(note->mailbox)) {
        host_handle_close(role->host, handle);
        refuse_append(tool, note->id, TOOL_STORE_RESULT_BAD);
        return;
    }
    struct parcel *parcel = parcel_open(role, PARCEL_APPENDED, slice_of("", 0), note->body, handle);
    if (!parcel) {
        refuse_append(tool, note->id, TOOL_STORE_RESULT_BAD);
        return;
    }
    parcel->sender = tool;
    parcel->id = note->id;
    parcel->queue_id = SLICE("import");
    parcel->mailbox = arena_copy(&parcel->arena, note->mailbox);
    parcel->key = arena_copy(&parcel->arena, note->key);
    parcel->flags = note->flags;
    parcel->uid = note->uid;
    parcel->keyword_count = note->keywords.count;
    parcel->keywords = ARENA_ARRAY(&parcel->arena, struct slice, note->keywords.count + 1);
    assert(parcel->keywords);
    for (size_t i = 0; i < note->keywords.count; i++)
        parcel->keywords[i] = arena_copy(&parcel->arena, note->keywords.at[i].name);
    parcel->internal = (struct wall){note->internal_ns};
    parcel->recipients = ARENA_ARRAY(&parcel->arena, struct parcel_recipient, 1);
    assert(parcel->recipients);
    parcel->recipients[0].account = note->account;
    parcel->recipient_count = 1;
    list_append(&tool->parcels, &parcel->sender_link);
    list_append(&role->appended, &parcel->order_link);
    store_role_wait(role, parcel);
    parsers_take(role, parcel);
}

static void
on_import_ask(struct store_tool *tool, const struct tool_store_import_ask *note)
{
    struct store_role *role = tool->role;
    struct tool_store_import_fact facts[IMPORT_KEYS_MAX];
    enum store_result result = STORE_OK;

    for (size_t i = 0; result == STORE_OK && i < note->keys.count; i++)
        result = mailbox_import_find(role->store, note->account, note->keys.at[i].key,
                                     &facts[i].was_there);
    struct tool_store_import_known known = {
        note->id, tool_result_of(result), {facts, result == STORE_OK ? note->keys.count : 0}};
    buffer_clear(&role->note);
    send_note(tool, tool_store_put_import_known(&role->note, &tool->ledger, &known));
}

/* A mailbox that somebody brings from elsewhere. */
struct tool_make {
    uint8_t use;
    bool is_subscribed;
    uint32_t uid_validity;
    size_t name_len;
    uint8_t name[MAILBOX_NAME_MAX];
};

/* Who has a use, and whether it can be taken away. */
struct user_of {
    uint8_t use;
    mailbox_id mailbox;
    bool was_used;
};

static bool
find_user(void *context, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    struct user_of *user = context;

    if (entry->use != user->use)
        return true;
    user->mailbox = mailbox;
    user->was_used = entry->uid_next > 1;
    return false;
}

/* The mailboxes that each account gets have uses too: what comes with messages takes them over. */
static enum store_result
give_use(struct job *job, mailbox_id mailbox)
{
    struct store *store = job->role->store;
    struct user_of user = {.use = job->make->use};
    enum store_result result = mailbox_list(store, job->account, find_user, &user);

    if (result == STORE_NOT_FOUND) /* the account is new */
        result = STORE_OK;
    if (result != STORE_OK || user.was_used || user.mailbox == mailbox)
        return result;
    if (user.mailbox != 0)
        result = mailbox_set_use(store, job->account, user.mailbox, 0);
    return result == STORE_OK ? mailbox_set_use(store, job->account, mailbox, job->make->use)
                              : result;
}

static void
make_file(struct job *job)
{
    struct store *store = job->role->store;
    struct tool_make *make = job->make;
    struct slice name = slice_of(make->name, make->name_len);
    mailbox_id mailbox = 0;

    job->result = STORE_OK;
    for (size_t i = 1; i <= name.len && job->result == STORE_OK; i++) {
        if (i == name.len || name.at[i] == '/')
            job->result = mailbox_open(store, job->account, slice_first(name, i), &mailbox);
    }
    if (job->result == STORE_OK && make->use != 0)
        job->result = give_use(job, mailbox);
    if (job->result == STORE_OK && make->is_subscribed)
        job->result = mailbox_set_subscribed(store, job->account, mailbox, true);
    if (job->result != STORE_OK || make->uid_validity == 0)
        return;
    enum store_result adopted = mailbox_adopt(store, job->account, mailbox, make->uid_validity);
    if (adopted != STORE_EXISTS && adopted != STORE_LIMIT)
        job->result = adopted;
}

static const struct job_kind make_kind = {make_file, NULL};

static void
on_mailbox_make(struct store_tool *tool, const struct tool_store_mailbox_make *note)
{
    if (note->account == 0 || !mailbox_name_is_valid(note->mailbox)) {
        struct tool_store_done done = {note->id, TOOL_STORE_RESULT_BAD};
        buffer_clear(&tool->role->note);
        send_note(tool, tool_store_put_done(&tool->role->note, &tool->ledger, &done));
        return;
    }
    struct job *job = calloc(1, sizeof(*job));
    if (!job || !(job->make = calloc(1, sizeof(*job->make))))
        abort();
    job->role = tool->role;
    job->tool = tool;
    job->id = note->id;
    job->account = note->account;
    job->kind = &make_kind;
    job->make->use = note->use;
    job->make->is_subscribed = note->is_subscribed;
    job->make->uid_validity = note->uid_validity;
    job->make->name_len = note->mailbox.len;
    memcpy(job->make->name, note->mailbox.at, note->mailbox.len);
    list_append(&tool->role->jobs, &job->link);
    store_role_turn_soon(tool->role);
}

static void
on_account_remove(struct store_tool *tool, const struct tool_store_account_remove *note)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        abort();
    job->role = tool->role;
    job->tool = tool;
    job->id = note->id;
    job->account = note->account;
    list_append(&tool->role->jobs, &job->link);
    store_role_turn_soon(tool->role);
}

static void
on_stats(struct store_tool *tool, uint64_t id)
{
    struct store_stats stats;

    store_stats_get(tool->role->store, &stats);
    const struct tool_store_counter counters[] = {
        {SLICE("turns"), stats.turns},
        {SLICE("turn_failures"), stats.turn_failures},
        {SLICE("bodies"), stats.bodies},
        {SLICE("body_bytes"), stats.body_bytes},
        {SLICE("replayed"), stats.replayed},
        {SLICE("damaged"), stats.damaged},
        {SLICE("last_turn"), stats.last_turn},
        {SLICE("epoch"), stats.epoch},
        {SLICE("segments"), stats.segments},
        {SLICE("log_bytes"), stats.log_bytes},
        {SLICE("live_bytes"), stats.live_bytes},
        {SLICE("view_bytes"), stats.view_bytes},
        {SLICE("disk_free"), stats.disk_free},
        {SLICE("disk_total"), stats.disk_total},
        {SLICE("waiting"), tool->role->waiting_parcels},
    };
    struct tool_store_stats note = {id, {counters, COUNT_OF(counters)}};
    buffer_clear(&tool->role->note);
    send_note(tool, tool_store_put_stats(&tool->role->note, &tool->ledger, &note));
}

/* ---- the socket ------------------------------------------------------------------------------ */

static void
lose(struct store_tool *tool)
{
    struct store_role *role = tool->role;
    struct list *jobs[] = {&role->jobs, &role->jobs_filing};

    readings_abandon(&tool->readings);
    askings_lose(tool);
    LIST_EACH (link, &tool->parcels) {
        LIST_ITEM(link, struct parcel, sender_link)->sender = NULL;
        list_remove(link);
    }
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        LIST_EACH (link, jobs[i]) {
            struct job *job = LIST_ITEM(link, struct job, link);
            if (job->tool == tool)
                job->tool = NULL;
        }
    }
    host_channel_close(&tool->channel);
    note_ledger_finish(&tool->ledger);
    list_remove(&tool->link);
    role->tool_count--;
    free(tool);
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_tool *tool = context;
    struct store_role *role = tool->role;
    struct tool_store_note note;

    arena_reset(&role->note_arena);
    if (!tool_store_take(bytes, handle, SIDE_TOOL, &tool->ledger, &role->note_arena, &note)) {
        store_role_bad_note(role, handle, "tool");
        lose(tool);
        return;
    }
    if (note.kind == TOOL_STORE_CHECK)
        on_check(tool, note.as.check.id);
    else if (note.kind == TOOL_STORE_MAILBOX_LIST)
        on_mailbox_list(tool, &note.as.mailbox_list);
    else if (note.kind == TOOL_STORE_MAILBOX_SHOW)
        on_mailbox_show(tool, &note.as.mailbox_show);
    else if (note.kind == TOOL_STORE_READ)
        on_read(tool, &note.as.read);
    else if (note.kind == TOOL_STORE_APPEND)
        on_append(tool, &note.as.append, handle);
    else if (note.kind == TOOL_STORE_IMPORT_ASK)
        on_import_ask(tool, &note.as.import_ask);
    else if (note.kind == TOOL_STORE_MAILBOX_MAKE)
        on_mailbox_make(tool, &note.as.mailbox_make);
    else if (note.kind == TOOL_STORE_ACCOUNT_REMOVE)
        on_account_remove(tool, &note.as.account_remove);
    else if (note.kind == TOOL_STORE_STATS_ASK)
        on_stats(tool, note.as.stats_ask.id);
    else if (note.kind == TOOL_STORE_QUEUE_ASK)
        asking_open(tool, &note.as.queue_ask);
    else if (note.kind == TOOL_STORE_TLS_ASK)
        tls_results_tell(tool, &note.as.tls_ask);
}

static void
on_closed(void *context)
{
    lose(context);
}

static void
on_room(void *context)
{
    struct store_tool *tool = context;

    readings_go_on(&tool->readings);
    askings_go_on(tool->role);
}

static const struct host_channel_handler handler = {on_note, on_closed, on_room};

static void
on_accept(void *context, host_handle handle)
{
    struct store_role *role = context;

    if (role->tool_count >= STORE_TOOLS_MAX || role->is_stopping) {
        host_handle_close(role->host, handle);
        return;
    }
    struct store_tool *tool = calloc(1, sizeof(*tool));
    if (!tool)
        abort();
    tool->role = role;
    list_init(&tool->readings);
    list_init(&tool->parcels);
    list_append(&role->tools, &tool->link);
    role->tool_count++;
    tool->channel = host_channel_open(role->host, handle, &handler, tool);
}

void
tool_listen(struct store_role *role, host_handle handle)
{
    role->admin = host_channel_listener_open(role->host, handle, on_accept, role);
}

void
tool_close(struct store_role *role)
{
    host_listener_close(&role->admin);
    LIST_EACH (link, &role->tools) {
        lose(LIST_ITEM(link, struct store_tool, link));
    }
}
