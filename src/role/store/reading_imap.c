/* SPDX-License-Identifier: ISC */
/* Pages of mailboxes, columns and messages on their way to IMAP sessions. */
#include "mailbox/annotation.h"
#include "mailbox/sharing.h"
#include "role/store/reach.h"
#include "role/store/store_role.h"

#include <stdlib.h>

enum {
    MAILBOXES_PER_NOTE = ACCESS_STORE_MAILBOXES_ROWS_MAX,
    COLUMNS_PER_NOTE = ACCESS_STORE_COLUMNS_ROWS_MAX,
    RANGES_PER_NOTE = ACCESS_STORE_VANISHED_TOLD_RANGES_MAX,
    MESSAGES_PER_NOTE = ACCESS_STORE_MESSAGES_ROWS_MAX,
    MESSAGES_PER_PAGE = 256,
    ANNOTATIONS_PER_NOTE = ACCESS_STORE_ANNOTATIONS_ROWS_MAX,
    ANNOTATION_ROW_BYTES = 16,
    RECORDS_PER_NOTE_BYTES = 64000, /* in one chunk of the page's arena, which is kept */
    BIG_RECORD_BYTES = 30000, /* a longer record does not go with others */
    MESSAGE_ROW_BYTES = 40,
};

/* The messages of a page whose records are being read. */
struct imap_page {
    struct access_store_message rows[MESSAGES_PER_PAGE];
    size_t count;
    size_t next; /* whose record is to be read */
    size_t told; /* rows before this one have been sent */
    size_t bytes;
    bool has_record;    /* of `next`: its octets come now */
    struct arena arena; /* of what lies between told and next */
};

/* ---- mailboxes ------------------------------------------------------------------------------- */

static bool
count_deleted(void *context, uint32_t uid, const struct message_entry *entry)
{
    uint32_t *count = context;

    (void)uid;
    *count += entry->flags & MESSAGE_DELETED ? 1 : 0;
    return true;
}

struct mailbox_page {
    struct reading *reading;
    struct access_store_mailbox_row *rows;
    size_t count, passed;
};

static void
add_row(struct mailbox_page *page, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    page->rows[page->count++] = (struct access_store_mailbox_row){
        .mailbox = mailbox,
        .name = arena_copy(&page->reading->role->note_arena, entry->name),
        .uid_validity = entry->uid_validity,
        .uid_next = entry->uid_next,
        .messages = entry->messages,
        .unseen = entry->unseen,
        .bytes = entry->bytes,
        .modseq = entry->modseq,
        .is_subscribed = entry->is_subscribed,
        .use = entry->use,
        .rights = RIGHTS_ALL,
    };
}

static bool
add_mailbox(void *context, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    struct mailbox_page *page = context;

    if (page->count == MAILBOXES_PER_NOTE)
        return false;
    if (page->passed < page->reading->offset)
        page->passed++;
    else
        add_row(page, mailbox, entry);
    return true;
}

/* A mailbox of somebody else, under the name that it has for the session. It is nobody's Sent or
 * Trash but its owner's; and who may not read it hears no numbers. */
static void
add_share(struct mailbox_page *page, const struct reached *share)
{
    struct reading *reading = page->reading;
    struct store *store = reading->role->store;
    struct reach reach = reach_of(reading->role, reading->asker, reading->user);
    struct mailbox_entry entry;
    struct buffer name;

    if (mailbox_get(store, share->account, share->mailbox, &entry) != STORE_OK)
        return;
    buffer_init(&name, (size_t)4 * MAILBOX_NAME_MAX);
    if (reach_put_name(&reach, share->account, entry.name, &name)) {
        bool is_readable = share->rights & RIGHT_READ;
        entry.name = buffer_slice(&name);
        entry.use = 0;
        entry.is_subscribed =
            mailbox_is_followed(store, reading->asker, share->account, share->mailbox);
        if (!is_readable)
            entry = (struct mailbox_entry){.name = entry.name,
                                           .uid_validity = entry.uid_validity,
                                           .is_subscribed = entry.is_subscribed};
        add_row(page, share->mailbox, &entry);
        page->rows[page->count - 1].owner = share->account;
        page->rows[page->count - 1].rights = (uint16_t)share->rights;
    }
    buffer_finish(&name);
}

/* Behind the session's own mailboxes come those of others. */
static void
add_shares(struct reading *reading, struct mailbox_page *page)
{
    struct reach reach = reach_of(reading->role, reading->asker, reading->user);

    if (!reading->has_shares)
        reading->result = reach_list(&reach, &reading->shares);
    reading->has_shares = true;
    struct slice rest =
        slice_skip(buffer_slice(&reading->shares), reading->shares_next * sizeof(struct reached));
    for (; rest.len > 0 && page->count < MAILBOXES_PER_NOTE;
         rest = slice_skip(rest, sizeof(struct reached))) {
        struct reached share;
        memcpy(&share, rest.at, sizeof(share));
        reading->shares_next++;
        add_share(page, &share);
    }
    if (!store_is_readable(reading->role->store))
        reading->result = STORE_TEMPORARY; /* who does not hear of one forgets it */
    reading->is_done = rest.len == 0 || reading->result != STORE_OK;
}

static void
add_named(struct reading *reading, struct mailbox_page *page)
{
    struct reach reach = reach_of(reading->role, reading->asker, reading->user);
    struct reached reached;
    struct mailbox_entry entry;

    reading->is_done = true;
    reading->result =
        reach_get(&reach, reading->account, reading->mailbox, RIGHTS_VISIBLE, &reached);
    if (reading->result != STORE_OK)
        return;
    if (reached.account != reading->asker) {
        add_share(page, &reached);
        return;
    }
    reading->result = mailbox_get(reading->role->store, reading->account, reading->mailbox, &entry);
    if (reading->result == STORE_OK)
        add_row(page, reading->mailbox, &entry);
}

/* The session's own, then those of others. */
static void
add_all(struct reading *reading, struct mailbox_page *page)
{
    size_t before = page->count;

    if (!reading->has_shares)
        reading->result = mailbox_list(reading->role->store, reading->account, add_mailbox, page);
    reading->offset += page->count - before;
    if (reading->result != STORE_OK)
        reading->is_done = true;
    else if (page->count < MAILBOXES_PER_NOTE)
        add_shares(reading, page);
}

static void
page_of_mailboxes(struct reading *reading, struct arena *arena)
{
    struct store *store = reading->role->store;
    struct mailbox_page page = {
        reading, ARENA_ARRAY(arena, struct access_store_mailbox_row, MAILBOXES_PER_NOTE), 0, 0};

    assert(page.rows);
    if (reading->mailbox != 0)
        add_named(reading, &page);
    else
        add_all(reading, &page);
    for (size_t i = 0; reading->wants_more && i < page.count; i++) {
        struct access_store_mailbox_row *row = &page.rows[i];
        account_id account = row->owner ? row->owner : reading->account;
        if (row->rights & RIGHT_READ)
            (void)!mailbox_message_list(store, account, row->mailbox, 0, count_deleted,
                                        &row->deleted);
    }
    if (page.count == 0)
        return;
    struct access_store_mailboxes note = {reading->id, {page.rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading,
                 access_store_put_mailboxes(&reading->role->note, &reading->access->ledger, &note));
}

/* ---- columns --------------------------------------------------------------------------------- */

struct column_page {
    struct reading *reading;
    struct access_store_column *rows;
    size_t count;
};

static bool
add_column(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct column_page *page = context;

    if (page->count == COLUMNS_PER_NOTE)
        return false;
    page->rows[page->count++] = (struct access_store_column){
        .uid = uid,
        .flags = (uint8_t)entry->flags,
        .keywords = entry->keywords,
        .modseq = entry->modseq,
    };
    page->reading->uid = uid + 1;
    return true;
}

static void
page_of_columns(struct reading *reading, struct arena *arena)
{
    struct store *store = reading->role->store;
    struct column_page page = {reading,
                               ARENA_ARRAY(arena, struct access_store_column, COLUMNS_PER_NOTE), 0};
    struct mailbox_entry entry;

    assert(page.rows);
    reading->result = mailbox_get(store, reading->account, reading->mailbox, &entry);
    if (reading->result == STORE_OK)
        reading->result = mailbox_message_list(store, reading->account, reading->mailbox,
                                               reading->uid, add_column, &page);
    reading->is_done = reading->result != STORE_OK || page.count < COLUMNS_PER_NOTE;
    if (reading->result != STORE_OK)
        entry = (struct mailbox_entry){0};
    struct access_store_columns note = {.id = reading->id,
                                        .watch = reading->watch,
                                        .result = reading->result == STORE_NOT_FOUND
                                                      ? ACCESS_STORE_RESULT_NOT_FOUND
                                                      : access_result_of(reading->result),
                                        .is_last = reading->is_done,
                                        .uid_validity = entry.uid_validity,
                                        .uid_next = entry.uid_next,
                                        .modseq = entry.modseq,
                                        .rows = {page.rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading,
                 access_store_put_columns(&reading->role->note, &reading->access->ledger, &note));
}

/* ---- what vanished --------------------------------------------------------------------------- */

struct vanished_page {
    struct access_store_uid_range *ranges;
    size_t count;
    uint64_t passed, left_out;
};

static bool
add_vanished(void *context, uint64_t modseq, struct uid_range range)
{
    struct vanished_page *page = context;

    (void)modseq;
    if (page->passed++ < page->left_out)
        return true;
    if (page->count == RANGES_PER_NOTE)
        return false;
    page->ranges[page->count++] = (struct access_store_uid_range){range.first, range.last};
    return true;
}

static void
page_of_vanished(struct reading *reading, struct arena *arena)
{
    struct vanished_page page = {
        .ranges = ARENA_ARRAY(arena, struct access_store_uid_range, RANGES_PER_NOTE),
        .left_out = reading->offset,
    };

    assert(page.ranges);
    reading->result = mailbox_expunge_list(reading->role->store, reading->account, reading->mailbox,
                                           reading->modseq, add_vanished, &page);
    reading->offset += page.count;
    reading->is_done = reading->result != STORE_OK || page.count < RANGES_PER_NOTE;
    if (page.count == 0)
        return;
    struct access_store_vanished_told note = {reading->id, {page.ranges, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading, access_store_put_vanished_told(&reading->role->note,
                                                         &reading->access->ledger, &note));
}

/* ---- annotations ----------------------------------------------------------------------------- */

struct annotation_page {
    struct access_store_annotation *rows;
    struct arena *arena;
    size_t count, bytes;
    uint64_t passed, left_out;
    bool is_full, is_foreign;
};

static bool
add_annotation(void *context, mailbox_id mailbox, struct slice name, struct slice value)
{
    struct annotation_page *page = context;

    if (page->is_foreign && slice_starts_with(name, SLICE("/private/")))
        return true;
    if (page->passed++ < page->left_out)
        return true;
    page->bytes += name.len + value.len + ANNOTATION_ROW_BYTES;
    page->is_full = page->count == ANNOTATIONS_PER_NOTE || page->bytes > RECORDS_PER_NOTE_BYTES;
    if (page->is_full)
        return false;
    page->rows[page->count++] = (struct access_store_annotation){
        mailbox, true, arena_copy(page->arena, name), arena_copy(page->arena, value)};
    return true;
}

static void
page_of_annotations(struct reading *reading, struct arena *arena)
{
    struct annotation_page page = {
        .rows = ARENA_ARRAY(arena, struct access_store_annotation, ANNOTATIONS_PER_NOTE),
        .arena = arena,
        .left_out = reading->offset,
        .is_foreign = reading->is_foreign,
    };

    assert(page.rows);
    reading->result =
        mailbox_annotation_list(reading->role->store, reading->account, reading->mailbox,
                                reading->wants_more, add_annotation, &page);
    reading->offset += page.count;
    reading->is_done = reading->result != STORE_OK || !page.is_full;
    if (page.count == 0)
        return;
    struct access_store_annotations note = {reading->id, {page.rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading, access_store_put_annotations(&reading->role->note,
                                                       &reading->access->ledger, &note));
}

/* ---- rights -------------------------------------------------------------------------------- */

struct acl_page {
    struct access_store_acl_entry *rows;
    struct arena *arena;
    size_t count;
    uint64_t passed, left_out;
};

static bool
add_entry(void *context, struct slice identifier, unsigned rights)
{
    struct acl_page *page = context;

    if (page->passed++ < page->left_out)
        return true;
    if (page->count == ACCESS_STORE_ACL_ROWS_MAX)
        return false;
    page->rows[page->count++] =
        (struct access_store_acl_entry){arena_copy(page->arena, identifier), (uint16_t)rights};
    return true;
}

static void
page_of_acl(struct reading *reading, struct arena *arena)
{
    struct acl_page page = {
        .rows = ARENA_ARRAY(arena, struct access_store_acl_entry, ACCESS_STORE_ACL_ROWS_MAX),
        .arena = arena,
        .left_out = reading->offset,
    };

    assert(page.rows);
    if (reading->has_owner)
        page.rows[page.count++] = (struct access_store_acl_entry){reading->user, RIGHTS_ALL};
    size_t before = page.count;
    reading->has_owner = false;
    reading->result = mailbox_acl_list(reading->role->store, reading->account, reading->mailbox,
                                       add_entry, &page);
    reading->offset += page.count - before;
    reading->is_done = reading->result != STORE_OK || page.count < ACCESS_STORE_ACL_ROWS_MAX;
    struct access_store_acl note = {reading->id, {page.rows, page.count}};
    buffer_clear(&reading->role->note);
    reading_send(reading,
                 access_store_put_acl(&reading->role->note, &reading->access->ledger, &note));
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool
add_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct reading *reading = context;
    struct imap_page *page = reading->page;
    uint32_t last = reading->ranges[reading->range_at].last;

    if (uid > last || page->count == MESSAGES_PER_PAGE)
        return false;
    page->rows[page->count++] = (struct access_store_message){
        .uid = uid,
        .len = entry->len,
        .body = entry->body,
        .internal_ns = entry->internal.ns,
        .saved_ns = entry->saved.ns,
        .record = slice_of("", 0),
        .octets = slice_of("", 0),
    };
    reading->uid = uid + 1;
    return true;
}

/* The next messages of the ranges. */
static void
fill_page(struct reading *reading)
{
    struct imap_page *page = reading->page;

    arena_reset(&page->arena);
    page->count = page->next = page->told = page->bytes = 0;
    while (page->count < MESSAGES_PER_PAGE && reading->range_at < reading->range_count) {
        const struct uid_range *range = &reading->ranges[reading->range_at];
        uint32_t first = reading->uid > range->first ? reading->uid : range->first;
        reading->result = mailbox_message_list(reading->role->store, reading->account,
                                               reading->mailbox, first, add_message, reading);
        if (reading->result != STORE_OK)
            break;
        if (page->count < MESSAGES_PER_PAGE)
            reading->range_at++;
    }
    reading->is_done = page->count == 0;
}

static void
tell_messages(struct reading *reading)
{
    struct imap_page *page = reading->page;
    struct access_store_messages note = {reading->id,
                                         {page->rows + page->told, page->next - page->told}};

    if (note.rows.count == 0)
        return;
    buffer_clear(&reading->role->note);
    reading_send(reading,
                 access_store_put_messages(&reading->role->note, &reading->access->ledger, &note));
    page->told = page->next;
    page->bytes = 0;
    arena_reset(&page->arena);
}

/* A record that fills a note by itself goes as a blob. */
static void
tell_big(struct reading *reading, const struct access_store_message *row, struct slice record)
{
    struct store_role *role = reading->role;
    struct host_blob *blob = NULL;
    host_handle handle = HOST_HANDLE_NONE;
    struct access_store_message_big note = {
        .id = reading->id,
        .uid = row->uid,
        .len = row->len,
        .body = row->body,
        .internal_ns = row->internal_ns,
        .saved_ns = row->saved_ns,
    };

    if (host_blob_open(role->host, &blob) == 0 &&
        (host_blob_put(blob, record) < 0 || host_blob_seal(&blob, &handle) < 0))
        handle = HOST_HANDLE_NONE;
    host_blob_close(&blob);
    buffer_clear(&role->note);
    bool is_put = access_store_put_message_big(&role->note, &reading->access->ledger, &note);
    assert(is_put);
    host_channel_send(reading->access->channel, buffer_slice(&role->note), handle);
}

/* Makes room for what comes with the row that is next. */
static void
make_room(struct reading *reading, size_t len)
{
    struct imap_page *page = reading->page;

    if (page->bytes + len > RECORDS_PER_NOTE_BYTES)
        tell_messages(reading);
    page->bytes += len;
}

static void
on_record(void *context, enum store_result result, struct slice bytes)
{
    struct reading *reading = context;
    struct imap_page *page = reading->page;

    reading->is_waiting = false;
    if (!reading->is_abandoned) {
        struct access_store_message *row = &page->rows[page->next];
        if (result != STORE_OK)
            bytes = slice_of("", 0); /* served without what a record knows */
        size_t len = bytes.len + MESSAGE_ROW_BYTES;
        if (row->len <= reading->octets_max)
            len += row->len;
        if (bytes.len + MESSAGE_ROW_BYTES > BIG_RECORD_BYTES) {
            tell_messages(reading);
            tell_big(reading, row, bytes);
            page->told = ++page->next;
        } else {
            make_room(reading, len);
            row->record = arena_copy(&page->arena, bytes);
            page->has_record = true;
        }
    }
    reading_resume(reading);
}

static void
on_octets(void *context, enum store_result result, struct slice bytes)
{
    struct reading *reading = context;
    struct imap_page *page = reading->page;

    reading->is_waiting = false;
    if (!reading->is_abandoned) {
        struct access_store_message *row = &page->rows[page->next++];
        if (result == STORE_OK && bytes.len == row->len)
            row->octets = arena_copy(&page->arena, bytes);
        page->has_record = false;
    }
    reading_resume(reading);
}

/* Reads what is wanted of the row that is next: its record, then its octets. */
static void
read_next(struct reading *reading)
{
    struct imap_page *page = reading->page;
    struct access_store_message *row = &page->rows[page->next];
    struct store *store = reading->role->store;

    if (reading->wants_more && !page->has_record) {
        reading->is_waiting = true;
        mailbox_record_read(store, row->body, on_record, reading);
    } else if (row->len > 0 && row->len <= reading->octets_max) {
        if (!page->has_record)
            make_room(reading, MESSAGE_ROW_BYTES + row->len);
        reading->is_waiting = true;
        mailbox_body_read(store, row->body, 0, row->len, on_octets, reading);
    } else {
        page->has_record = false;
        page->next++;
    }
}

static void
page_of_messages(struct reading *reading)
{
    if (!reading->page) {
        reading->page = calloc(1, sizeof(*reading->page));
        if (!reading->page)
            abort();
        arena_init(&reading->page->arena, (size_t)2 * BODY_RECORD_MAX);
    }
    struct imap_page *page = reading->page;
    if (page->next == page->count) {
        tell_messages(reading);
        fill_page(reading);
        if (!reading->wants_more && reading->octets_max == 0)
            page->next = page->count;
        return;
    }
    read_next(reading);
}

/* ---- all ------------------------------------------------------------------------------------- */

void
reading_imap_next(struct reading *reading)
{
    struct arena *arena = &reading->role->note_arena;

    if (reading->kind == READING_IMAP_MAILBOXES)
        page_of_mailboxes(reading, arena);
    else if (reading->kind == READING_IMAP_COLUMNS)
        page_of_columns(reading, arena);
    else if (reading->kind == READING_IMAP_VANISHED)
        page_of_vanished(reading, arena);
    else if (reading->kind == READING_IMAP_ANNOTATIONS)
        page_of_annotations(reading, arena);
    else if (reading->kind == READING_IMAP_ACL)
        page_of_acl(reading, arena);
    else
        page_of_messages(reading);
}

void
reading_imap_tell_end(struct reading *reading)
{
    enum access_store_result result = access_result_of(reading->result);

    if (reading->result == STORE_NOT_FOUND)
        result = ACCESS_STORE_RESULT_NOT_FOUND;
    else if (reading->result == STORE_LIMIT)
        result = ACCESS_STORE_RESULT_LIMIT;
    imap_answer_done(reading->access, reading->id, result, 0);
}

void
reading_imap_finish(struct reading *reading)
{
    if (reading->page) {
        arena_finish(&reading->page->arena);
        free(reading->page);
    }
    if (reading->has_shares)
        buffer_finish(&reading->shares);
    free((void *)(uintptr_t)reading->user.at);
    free(reading->ranges);
}
