/* SPDX-License-Identifier: ISC */
/* What IMAP sessions ask of the store: lists, columns, messages. Changes: imap_job.c. */
#include "mailbox/sharing.h"
#include "role/store/indexing.h"
#include "role/store/reach.h"
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
    imap_answer_made(access, id, result, number, 0);
}

void
imap_answer_made(struct store_access *access, uint64_t id, enum access_store_result result,
                 uint32_t number, account_id owner)
{
    struct access_store_done note = {id, result, number, owner};

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

static struct reach
reach_for(const struct store_access *access, const struct grant *grant)
{
    return reach_of(access->role, grant->account, grant_user(grant));
}

static enum access_store_result
result_of(enum store_result result)
{
    return result == STORE_NOT_FOUND ? ACCESS_STORE_RESULT_NOT_FOUND : access_result_of(result);
}

static struct slice
own_copy(struct slice text)
{
    uint8_t *copy = malloc(text.len + 1);

    if (!copy)
        abort();
    memcpy(copy, text.at, text.len);
    return slice_of(copy, text.len);
}

void
imap_list_mailboxes(struct store_access *access, account_id account, struct slice user,
                    const struct access_store_mailbox_list *note)
{
    struct reach reach = reach_of(access->role, account, user);
    struct reached reached = {.account = account};

    if (note->name.len > 0) {
        enum store_result result = reach_find(&reach, note->name, RIGHTS_VISIBLE, &reached);
        if (result != STORE_OK) {
            imap_answer_done(access, note->id, result_of(result), 0);
            return;
        }
    }
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_MAILBOXES, note->id, reached.mailbox);
    reading->user = own_copy(user);
    reading->asker = account;
    reading->wants_more = note->wants_deleted;
    reading_start(reading);
}

/* Refuses what may not be read with `done`; true when it may. */
static bool
may_read(struct store_access *access, const struct grant *grant, account_id owner,
         mailbox_id mailbox, uint64_t id, struct reached *ret_reached)
{
    struct reach reach = reach_for(access, grant);
    enum store_result result = reach_get(&reach, owner, mailbox, RIGHT_READ, ret_reached);

    if (result == STORE_OK)
        return true;
    imap_answer_done(access, id, result_of(result), 0);
    return false;
}

/* Who may not read a mailbox finds no columns in it. */
static void
refuse_watch(struct store_access *access, const struct access_store_watch *note,
             enum store_result result)
{
    struct access_store_columns columns = {
        .id = note->id, .watch = note->watch, .result = result_of(result), .is_last = true};

    buffer_clear(&access->role->note);
    send_note(access, access_store_put_columns(&access->role->note, &access->ledger, &columns));
    imap_answer_done(access, note->id, result_of(result), 0);
}

static void
on_watch(struct store_access *access, const struct grant *grant,
         const struct access_store_watch *note)
{
    struct reach reach = reach_for(access, grant);
    struct reached reached;
    enum store_result result = reach_get(&reach, note->owner, note->mailbox, RIGHT_READ, &reached);

    if (result != STORE_OK) {
        refuse_watch(access, note, result);
        return;
    }
    watching_open(access, note->watch, grant, reached.account, note->mailbox);
    watching_tell_keywords(access, note->watch, reached.account, note->mailbox);
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_COLUMNS, note->id, note->mailbox);
    reading->watch = note->watch;
    reading_start(reading);
}

static void
on_vanished_ask(struct store_access *access, const struct grant *grant,
                const struct access_store_vanished_ask *note)
{
    struct reached reached;

    if (!may_read(access, grant, note->owner, note->mailbox, note->id, &reached))
        return;
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_VANISHED, note->id, note->mailbox);
    reading->modseq = note->modseq;
    reading_start(reading);
}

static void
on_annotations_ask(struct store_access *access, const struct grant *grant,
                   const struct access_store_annotations_ask *note)
{
    struct reach reach = reach_for(access, grant);
    struct reached reached = {.account = grant->account};
    enum store_result result =
        note->name.len > 0 ? reach_find(&reach, note->name, RIGHT_READ, &reached) : STORE_OK;

    if (result != STORE_OK) {
        imap_answer_done(access, note->id, result_of(result), 0);
        return;
    }
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_ANNOTATIONS, note->id, reached.mailbox);
    reading->is_foreign = reached.account != grant->account;
    reading->wants_more = note->is_all && !reading->is_foreign;
    reading_start(reading);
}

static void
on_acl_ask(struct store_access *access, const struct grant *grant,
           const struct access_store_acl_ask *note)
{
    struct reach reach = reach_for(access, grant);
    struct reached reached;
    enum store_result result = reach_find(&reach, note->name, RIGHT_ADMINISTER, &reached);

    if (result != STORE_OK) {
        imap_answer_done(access, note->id, result_of(result), 0);
        return;
    }
    struct slice owner = grant_user(grant);
    if (reached.account != grant->account &&
        mailbox_owner_name(access->role->store, reached.account, &owner) != STORE_OK)
        owner = slice_of("", 0);
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_ACL, note->id, reached.mailbox);
    reading->user = own_copy(owner);
    reading->has_owner = true;
    reading_start(reading);
}

static void
on_messages_ask(struct store_access *access, const struct grant *grant,
                const struct access_store_messages_ask *note)
{
    struct reached reached;

    if (!may_read(access, grant, note->owner, note->mailbox, note->id, &reached))
        return;
    struct reading *reading =
        new_reading(access, reached.account, READING_IMAP_MESSAGES, note->id, note->mailbox);
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
on_account_ask(struct store_access *access, const struct grant *grant,
               const struct access_store_account_ask *ask)
{
    struct reach reach = reach_for(access, grant);
    struct account_entry entry = {0};
    struct reached reached = {0};
    struct access_store_account_told note = {.id = ask->id};

    if (reach_get(&reach, ask->owner, ask->mailbox, RIGHT_READ, &reached) == STORE_OK &&
        mailbox_account_get(access->role->store, reached.account, &entry) == STORE_OK) {
        note.bytes = entry.bytes;
        note.messages = entry.messages;
        note.quota_bytes = entry.quota_bytes;
        note.quota_messages = entry.quota_messages;
        note.created_ns = entry.created.ns;
    }
    note.rights = (uint16_t)reached.rights;
    buffer_clear(&access->role->note);
    send_note(access, access_store_put_account_told(&access->role->note, &access->ledger, &note));
}

static void
on_text_search(struct store_access *access, const struct grant *grant,
               const struct access_store_text_search *note)
{
    struct reach reach = reach_for(access, grant);
    struct reached reached;
    enum store_result result = reach_get(&reach, note->owner, note->mailbox, RIGHT_READ, &reached);

    if (result == STORE_OK) {
        indexing_find(access, reached.account, note);
        return;
    }
    struct access_store_text_searched answer = {.id = note->id, .result = result_of(result)};
    buffer_clear(&access->role->note);
    send_note(access,
              access_store_put_text_searched(&access->role->note, &access->ledger, &answer));
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
    REQUEST(ACL_ASK, acl_ask)
    REQUEST(ACL_SET, acl_set)
    REQUEST(URL_SIGN, url_sign)
    REQUEST(URL_ASK, url_ask)
    REQUEST(URL_RESET, url_reset)
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
    else if (note->kind == ACCESS_STORE_URL_SIGN)
        send_note(access, access_store_put_url_signed(
                              buffer, ledger,
                              &(struct access_store_url_signed){.id = id, .result = result}));
    else if (note->kind == ACCESS_STORE_TEXT_SEARCH)
        send_note(access, access_store_put_text_searched(
                              buffer, ledger,
                              &(struct access_store_text_searched){.id = id, .result = result}));
    else
        imap_answer_done(access, id, result, 0);
}

/* What changes nothing; false for the rest. */
static bool
on_question(struct store_access *access, const struct grant *grant,
            const struct access_store_note *note)
{
    if (note->kind == ACCESS_STORE_WATCH)
        on_watch(access, grant, &note->as.watch);
    else if (note->kind == ACCESS_STORE_VANISHED_ASK)
        on_vanished_ask(access, grant, &note->as.vanished_ask);
    else if (note->kind == ACCESS_STORE_ANNOTATIONS_ASK)
        on_annotations_ask(access, grant, &note->as.annotations_ask);
    else if (note->kind == ACCESS_STORE_ACL_ASK)
        on_acl_ask(access, grant, &note->as.acl_ask);
    else if (note->kind == ACCESS_STORE_MESSAGES_ASK)
        on_messages_ask(access, grant, &note->as.messages_ask);
    else if (note->kind == ACCESS_STORE_TEXT_SEARCH)
        on_text_search(access, grant, &note->as.text_search);
    else if (note->kind == ACCESS_STORE_ACCOUNT_ASK)
        on_account_ask(access, grant, &note->as.account_ask);
    else if (note->kind == ACCESS_STORE_URL_ASK)
        imap_url_ask(access, grant, &note->as.url_ask);
    else
        return false;
    return true;
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
        imap_list_mailboxes(access, grant->account, grant_user(grant), &note->as.mailbox_list);
    } else if (!on_question(access, grant, note)) {
        if (note->kind == ACCESS_STORE_APPEND)
            imap_append(access, grant, &note->as.append, handle);
        else
            imap_job_start(access, grant, note);
    }
    return true;
}
