/* SPDX-License-Identifier: ISC */
#include "role/store/store_role.h"

#include <stdlib.h>

enum {
    MAILDROP_PER_NOTE = 4000,
    MESSAGES_PER_NOTE = 1000,
    MAILBOXES_PER_NOTE = 60, /* their names may be long */
};

struct reading *
reading_new(struct store_role *role, struct store_access *access, struct store_tool *tool,
            enum reading_kind kind, uint64_t id)
{
    struct reading *reading = calloc(1, sizeof(*reading));

    if (!reading)
        abort();
    reading->role = role;
    reading->access = access;
    reading->tool = tool;
    reading->kind = kind;
    reading->id = id;
    list_init(&reading->link);
    return reading;
}

static struct host_channel *
channel_of(const struct reading *reading)
{
    return reading->access ? reading->access->channel : reading->tool->channel;
}

static void
finish(struct reading *reading)
{
    list_remove(&reading->link);
    reading_imap_finish(reading);
    free(reading);
}

void
reading_send(struct reading *reading, bool is_put)
{
    assert(is_put);
    host_channel_send(channel_of(reading), buffer_slice(&reading->role->note), HOST_HANDLE_NONE);
}

/* ---- the notes ------------------------------------------------------------------------------- */

static void
tell_end(struct reading *reading)
{
    struct store_role *role = reading->role;
    bool is_put = false;

    if (reading->kind >= READING_IMAP_MAILBOXES || reading->ends_in_done) {
        reading_imap_tell_end(reading);
        return;
    }
    buffer_clear(&role->note);
    if (reading->kind == READING_MAILDROP) {
        struct access_store_maildrop_opened note = {reading->id, access_result_of(reading->result)};
        is_put = access_store_put_maildrop_opened(&role->note, &reading->access->ledger, &note);
    } else if (reading->kind == READING_OCTETS && reading->access) {
        struct access_store_read_done note = {reading->id, access_result_of(reading->result)};
        is_put = access_store_put_read_done(&role->note, &reading->access->ledger, &note);
    } else if (reading->kind == READING_OCTETS) {
        struct tool_store_read_done note = {reading->id, tool_result_of(reading->result),
                                            reading->flags, reading->internal.ns};
        is_put = tool_store_put_read_done(&role->note, &reading->tool->ledger, &note);
    } else {
        struct tool_store_done note = {reading->id, tool_result_of(reading->result)};
        is_put = tool_store_put_done(&role->note, &reading->tool->ledger, &note);
    }
    reading_send(reading, is_put);
}

static void
tell_octets(struct reading *reading, struct slice bytes)
{
    struct store_role *role = reading->role;
    bool is_put;

    buffer_clear(&role->note);
    if (reading->access) {
        struct access_store_bytes note = {reading->id, bytes};
        is_put = access_store_put_bytes(&role->note, &reading->access->ledger, &note);
    } else {
        struct tool_store_bytes note = {reading->id, bytes};
        is_put = tool_store_put_bytes(&role->note, &reading->tool->ledger, &note);
    }
    reading_send(reading, is_put);
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct page {
    struct reading *reading;
    size_t count, max;
    void *rows;
};

static bool
add_drop_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct page *page = context;
    struct access_store_drop_message *rows = page->rows;

    if (page->count == page->max)
        return false;
    rows[page->count++] = (struct access_store_drop_message){uid, entry->len};
    page->reading->uid = uid + 1;
    return true;
}

static bool
add_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct page *page = context;
    struct tool_store_message_row *rows = page->rows;

    if (page->count == page->max)
        return false;
    rows[page->count++] = (struct tool_store_message_row){
        .uid = uid,
        .flags = entry->flags,
        .len = entry->len,
        .modseq = entry->modseq,
        .email_id = entry->body,
        .internal_ns = entry->internal.ns,
        .save_ns = entry->saved.ns,
    };
    page->reading->uid = uid + 1;
    return true;
}

static void
page_of_maildrop(struct reading *reading, struct arena *arena)
{
    struct access_store_drop_message *rows =
        ARENA_ARRAY(arena, struct access_store_drop_message, MAILDROP_PER_NOTE);
    struct page page = {reading, 0, MAILDROP_PER_NOTE, rows};

    reading->result = mailbox_message_list(reading->role->store, reading->account, reading->mailbox,
                                           reading->uid, add_drop_message, &page);
    reading->is_done = reading->result != STORE_OK || page.count < page.max;
    if (page.count == 0)
        return;
    struct access_store_maildrop_page note = {
        reading->id, reading->uid_validity, {rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading, access_store_put_maildrop_page(&reading->role->note,
                                                      &reading->access->ledger, &note));
}

static void
page_of_messages(struct reading *reading, struct arena *arena)
{
    struct tool_store_message_row *rows =
        ARENA_ARRAY(arena, struct tool_store_message_row, MESSAGES_PER_NOTE);
    size_t max = reading->left < MESSAGES_PER_NOTE ? (size_t)reading->left : MESSAGES_PER_NOTE;
    struct page page = {reading, 0, max, rows};

    reading->result = mailbox_message_list(reading->role->store, reading->account, reading->mailbox,
                                           reading->uid, add_message, &page);
    reading->left -= page.count;
    reading->is_done = reading->result != STORE_OK || page.count < max || reading->left == 0;
    if (page.count == 0)
        return;
    struct tool_store_messages note = {reading->id, {rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading,
              tool_store_put_messages(&reading->role->note, &reading->tool->ledger, &note));
}

static struct tool_store_mailbox_row
row_of(struct arena *arena, account_id account, const struct mailbox_entry *entry)
{
    return (struct tool_store_mailbox_row){
        .account = account,
        .name = arena_copy(arena, entry->name),
        .uid_validity = entry->uid_validity,
        .uid_next = entry->uid_next,
        .messages = entry->messages,
        .unseen = entry->unseen,
        .bytes = entry->bytes,
        .modseq = entry->modseq,
    };
}

/* Mailboxes of one account: passes over the first `offset`, which were told before. */
static bool
add_mailbox(void *context, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    struct page *page = context;
    struct tool_store_mailbox_row *rows = page->rows;
    struct reading *reading = page->reading;

    (void)mailbox;
    if (page->count == page->max)
        return false;
    if (reading->left > 0) {
        reading->left--;
        return true;
    }
    rows[page->count++] = row_of(&reading->role->note_arena, reading->account, entry);
    return true;
}

/* The INBOXes of all accounts. */
static bool
add_account(void *context, account_id account, const struct account_entry *owner)
{
    struct page *page = context;
    struct tool_store_mailbox_row *rows = page->rows;
    struct store *store = page->reading->role->store;
    struct mailbox_entry entry;
    mailbox_id inbox;

    (void)owner;
    if (page->count == page->max)
        return false;
    if (mailbox_find(store, account, SLICE("INBOX"), &inbox) == STORE_OK &&
        mailbox_get(store, account, inbox, &entry) == STORE_OK)
        rows[page->count++] = row_of(&page->reading->role->note_arena, account, &entry);
    page->reading->account_next = account;
    return true;
}

static void
page_of_mailboxes(struct reading *reading, struct arena *arena)
{
    struct store *store = reading->role->store;
    struct tool_store_mailbox_row *rows =
        ARENA_ARRAY(arena, struct tool_store_mailbox_row, MAILBOXES_PER_NOTE);
    struct page page = {reading, 0, MAILBOXES_PER_NOTE, rows};

    if (reading->account == 0) {
        reading->result = mailbox_account_list(store, reading->account_next, add_account, &page);
    } else {
        reading->left = reading->offset;
        reading->result = mailbox_list(store, reading->account, add_mailbox, &page);
        reading->offset += page.count;
    }
    reading->is_done = reading->result != STORE_OK || page.count < page.max;
    if (page.count == 0)
        return;
    struct tool_store_mailboxes note = {reading->id, {rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading,
              tool_store_put_mailboxes(&reading->role->note, &reading->tool->ledger, &note));
}

/* ---- going on -------------------------------------------------------------------------------- */

static void pump(struct reading *reading);

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct reading *reading = context;

    reading->is_waiting = false;
    if (reading->is_abandoned) {
        if (!reading->is_pumping)
            finish(reading);
        return;
    }
    if (result != STORE_OK || bytes.len == 0) {
        reading->result = result;
        reading->is_done = true;
    } else {
        tell_octets(reading, bytes);
        reading->role->read_bytes += bytes.len;
        reading->offset += bytes.len;
        reading->left -= bytes.len;
        reading->is_done = reading->left == 0;
    }
    if (!reading->is_pumping)
        pump(reading);
}

static void
next_octets(struct reading *reading)
{
    size_t some = reading->left < READ_NOTE_OCTETS ? (size_t)reading->left : READ_NOTE_OCTETS;

    reading->is_waiting = true;
    mailbox_body_read(reading->role->store, reading->body, reading->offset, some, on_octets,
                      reading);
}

static void
pump(struct reading *reading)
{
    struct arena *arena = &reading->role->note_arena;

    reading->is_pumping = true;
    while (!reading->is_done && !reading->is_waiting &&
           !host_channel_is_full(channel_of(reading))) {
        arena_reset(arena);
        if (reading->kind >= READING_IMAP_MAILBOXES)
            reading_imap_next(reading);
        else if (reading->kind == READING_OCTETS)
            next_octets(reading);
        else if (reading->kind == READING_MAILDROP)
            page_of_maildrop(reading, arena);
        else if (reading->kind == READING_MESSAGES)
            page_of_messages(reading, arena);
        else
            page_of_mailboxes(reading, arena);
    }
    reading->is_pumping = false;
    if (reading->is_done) {
        tell_end(reading);
        finish(reading);
    }
}

void
reading_resume(struct reading *reading)
{
    if (reading->is_pumping)
        return;
    if (reading->is_abandoned)
        finish(reading);
    else
        pump(reading);
}

void
reading_start(struct reading *reading)
{
    list_append(reading->access ? &reading->access->readings : &reading->tool->readings,
                &reading->link);
    pump(reading);
}

void
readings_go_on(struct list *readings)
{
    LIST_EACH (link, readings) {
        struct reading *reading = LIST_ITEM(link, struct reading, link);
        if (!reading->is_waiting)
            pump(reading);
    }
}

void
readings_abandon(struct list *readings)
{
    LIST_EACH (link, readings) {
        struct reading *reading = LIST_ITEM(link, struct reading, link);
        if (reading->is_waiting) {
            reading->is_abandoned = true;
            list_remove(&reading->link);
        } else {
            finish(reading);
        }
    }
}
