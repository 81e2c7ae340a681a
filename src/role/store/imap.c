/* SPDX-License-Identifier: ISC */
/* What IMAP sessions ask of the store: lists, columns, messages. Changes: imap_job.c. */
#include "role/store/indexing.h"
#include "role/store/store_role.h"

#include <stdlib.h>

static void
send_note(struct store_access *access, bool is_put)
{
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&access->role->note), HOST_HANDLE_NONE);
}

void
imap_answer_done(struct store_access *access, uint64_t id, enum access_store_result result,
                 uint32_t number)
{
    struct access_store_done note = {id, result, number};

    buffer_clear(&access->role->note);
    send_note(access, access_store_put_done(&access->role->note, &access->ledger, &note));
}

static struct reading *
new_reading(struct store_access *access, account_id account, enum reading_kind kind, uint64_t id,
            mailbox_id mailbox)
{
    struct reading *reading = reading_new(access->role, access, NULL, kind, id);

    reading->account = account;
    reading->mailbox = mailbox;
    return reading;
}

void
imap_list_mailboxes(struct store_access *access, account_id account,
                    const struct access_store_mailbox_list *note)
{
    mailbox_id mailbox = 0;

    if (note->name.len > 0) {
        enum store_result result = mailbox_find(access->role->store, account, note->name, &mailbox);
        if (result != STORE_OK) {
            imap_answer_done(access, note->id,
                             result == STORE_NOT_FOUND ? ACCESS_STORE_RESULT_NOT_FOUND
                                                       : access_result_of(result),
                             0);
            return;
        }
    }
    struct reading *reading =
        new_reading(access, account, READING_IMAP_MAILBOXES, note->id, mailbox);
    reading->wants_more = note->wants_deleted;
    reading_start(reading);
}

static void
on_watch(struct store_access *access, const struct grant *grant,
         const struct access_store_watch *note)
{
    watching_open(access, note->watch, grant->account, note->mailbox);
    watching_tell_keywords(access, note->watch, grant->account, note->mailbox);
    struct reading *reading =
        new_reading(access, grant->account, READING_IMAP_COLUMNS, note->id, note->mailbox);
    reading->watch = note->watch;
    reading_start(reading);
}

static void
on_vanished_ask(struct store_access *access, const struct grant *grant,
                const struct access_store_vanished_ask *note)
{
    struct reading *reading =
        new_reading(access, grant->account, READING_IMAP_VANISHED, note->id, note->mailbox);

    reading->modseq = note->modseq;
    reading_start(reading);
}

static void
on_annotations_ask(struct store_access *access, const struct grant *grant,
                   const struct access_store_annotations_ask *note)
{
    mailbox_id mailbox = 0;

    if (note->name.len > 0 &&
        mailbox_find(access->role->store, grant->account, note->name, &mailbox) != STORE_OK) {
        imap_answer_done(access, note->id, ACCESS_STORE_RESULT_NOT_FOUND, 0);
        return;
    }
    struct reading *reading =
        new_reading(access, grant->account, READING_IMAP_ANNOTATIONS, note->id, mailbox);
    reading->wants_more = note->is_all;
    reading_start(reading);
}

static void
on_messages_ask(struct store_access *access, const struct grant *grant,
                const struct access_store_messages_ask *note)
{
    struct reading *reading =
        new_reading(access, grant->account, READING_IMAP_MESSAGES, note->id, note->mailbox);

    reading->wants_more = note->has_records;
    reading->octets_max = note->octets_max < ACCESS_STORE_MESSAGE_OCTETS_MAX
                              ? note->octets_max
                              : (uint32_t)ACCESS_STORE_MESSAGE_OCTETS_MAX;
    reading->range_count = note->ranges.count;
    reading->ranges = calloc(note->ranges.count + 1, sizeof(*reading->ranges));
    if (!reading->ranges)
        abort();
    for (size_t i = 0; i < note->ranges.count; i++)
        reading->ranges[i] = (struct uid_range){note->ranges.at[i].first, note->ranges.at[i].last};
    reading_start(reading);
}

static void
on_account_ask(struct store_access *access, const struct grant *grant, uint64_t id)
{
    struct account_entry entry = {0};
    struct access_store_account_told note = {.id = id};

    if (mailbox_account_get(access->role->store, grant->account, &entry) == STORE_OK) {
        note.bytes = entry.bytes;
        note.messages = entry.messages;
        note.quota_bytes = entry.quota_bytes;
        note.quota_messages = entry.quota_messages;
        note.created_ns = entry.created.ns;
    }
    buffer_clear(&access->role->note);
    send_note(access, access_store_put_account_told(&access->role->note, &access->ledger, &note));
}

/* What opens a request, with its session; false for other notes. */
static bool
request_of(const struct access_store_note *note, uint64_t *ret_id, uint64_t *ret_session)
{
#define REQUEST(upper, lower)                                                                      \
    if (note->kind == ACCESS_STORE_##upper) {                                                      \
        *ret_id = note->as.lower.id;                                                               \
        *ret_session = note->as.lower.session;                                                     \
        return true;                                                                               \
    }

    REQUEST(MAILBOX_LIST, mailbox_list)
    REQUEST(MAILBOX_EDIT, mailbox_edit)
    REQUEST(ACCOUNT_ASK, account_ask)
    REQUEST(ANNOTATIONS_ASK, annotations_ask)
    REQUEST(ANNOTATIONS_SET, annotations_set)
    REQUEST(WATCH, watch)
    REQUEST(VANISHED_ASK, vanished_ask)
    REQUEST(MESSAGES_ASK, messages_ask)
    REQUEST(FLAGS_SET, flags_set)
    REQUEST(COPY, copy)
    REQUEST(EXPUNGE, expunge)
    REQUEST(APPEND, append)
    REQUEST(TEXT_SEARCH, text_search)
#undef REQUEST
    return false;
}

/* Who has no grant gets the end of the answer that the request has. */
static void
refuse(struct store_access *access, const struct access_store_note *note, uint64_t id)
{
    struct buffer *buffer = &access->role->note;
    struct note_ledger *ledger = &access->ledger;
    enum access_store_result result = ACCESS_STORE_RESULT_NO_PERMISSION;

    buffer_clear(buffer);
    if (note->kind == ACCESS_STORE_ACCOUNT_ASK)
        send_note(access, access_store_put_account_told(
                              buffer, ledger, &(struct access_store_account_told){.id = id}));
    else if (note->kind == ACCESS_STORE_FLAGS_SET)
        send_note(access, access_store_put_flags_were_set(
                              buffer, ledger,
                              &(struct access_store_flags_were_set){.id = id, .result = result}));
    else if (note->kind == ACCESS_STORE_COPY)
        send_note(access,
                  access_store_put_copied(
                      buffer, ledger, &(struct access_store_copied){.id = id, .result = result}));
    else if (note->kind == ACCESS_STORE_APPEND)
        send_note(access,
                  access_store_put_appended(
                      buffer, ledger, &(struct access_store_appended){.id = id, .result = result}));
    else if (note->kind == ACCESS_STORE_TEXT_SEARCH)
        send_note(access, access_store_put_text_searched(
                              buffer, ledger,
                              &(struct access_store_text_searched){.id = id, .result = result}));
    else
        imap_answer_done(access, id, result, 0);
}

bool
imap_on_note(struct store_access *access, const struct access_store_note *note, host_handle handle)
{
    uint64_t id, session;

    if (note->kind == ACCESS_STORE_UNWATCH) {
        watching_close(access, note->as.unwatch.watch);
        return true;
    }
    if (!request_of(note, &id, &session))
        return false;
    struct grant *grant = readers_find_grant(access->role, access->index, session);
    bool is_list = note->kind == ACCESS_STORE_MAILBOX_LIST;
    bool is_new = grant && imap_is_account_new(access->role, grant->account);
    /* The first mailboxes of an account come before all that the session does. */
    if (is_new && !is_list)
        imap_job_welcome(access, grant);
    if (!grant) {
        host_handle_close(access->role->host, handle);
        refuse(access, note, id);
    } else if (is_list && is_new) {
        imap_job_start(access, grant, note);
    } else if (is_list) {
        imap_list_mailboxes(access, grant->account, &note->as.mailbox_list);
    } else if (note->kind == ACCESS_STORE_WATCH) {
        on_watch(access, grant, &note->as.watch);
    } else if (note->kind == ACCESS_STORE_VANISHED_ASK) {
        on_vanished_ask(access, grant, &note->as.vanished_ask);
    } else if (note->kind == ACCESS_STORE_ANNOTATIONS_ASK) {
        on_annotations_ask(access, grant, &note->as.annotations_ask);
    } else if (note->kind == ACCESS_STORE_MESSAGES_ASK) {
        on_messages_ask(access, grant, &note->as.messages_ask);
    } else if (note->kind == ACCESS_STORE_TEXT_SEARCH) {
        indexing_find(access, grant->account, &note->as.text_search);
    } else if (note->kind == ACCESS_STORE_ACCOUNT_ASK) {
        on_account_ask(access, grant, id);
    } else if (note->kind == ACCESS_STORE_APPEND) {
        imap_append(access, grant, &note->as.append, handle);
    } else {
        imap_job_start(access, grant, note);
    }
    return true;
}
