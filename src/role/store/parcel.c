/* SPDX-License-Identifier: ISC */
#include "role/store/indexing.h"
#include "role/store/outgoing.h"

#include <stdlib.h>

enum { PARCEL_ARENA_MAX = 16 << 20 };

struct parcel *
parcel_open(struct store_role *role, enum parcel_from from, struct slice prefix,
            struct slice inline_body, host_handle blob)
{
    struct host_mapping mapping = {slice_of("", 0)};
    int result = blob == HOST_HANDLE_NONE ? 0 : host_blob_map(role->host, blob, &mapping);

    if (result < 0 || mapping.bytes.len > BODY_LEN_MAX - prefix.len - inline_body.len) {
        struct log_line line;
        log_begin(&line, role->host, HOST_LEVEL_ERROR, "body_not_mapped");
        log_error(&line, "error", result);
        log_end(&line);
        if (result == 0)
            host_blob_unmap(role->host, &mapping);
        host_handle_close(role->host, blob);
        return NULL;
    }
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    uint8_t *head = malloc(prefix.len + inline_body.len + 1);
    if (!parcel || !head)
        abort();
    memcpy(head, prefix.at, prefix.len);
    memcpy(head + prefix.len, inline_body.at, inline_body.len);
    parcel->role = role;
    parcel->from = from;
    parcel->head = slice_of(head, prefix.len + inline_body.len);
    parcel->prefix_len = prefix.len;
    parcel->blob = blob;
    parcel->mapping = mapping;
    parcel->record = parcel->reject_text = slice_of("", 0);
    list_init(&parcel->link);
    list_init(&parcel->sender_link);
    list_init(&parcel->order_link);
    list_init(&parcel->group);
    list_init(&parcel->group_link);
    arena_init(&parcel->arena, PARCEL_ARENA_MAX);
    return parcel;
}

void
parcel_close(struct parcel **parcel)
{
    struct parcel *old = *parcel;

    if (!old)
        return;
    list_remove(&old->link);
    list_remove(&old->sender_link);
    list_remove(&old->order_link);
    list_remove(&old->group_link);
    LIST_EACH (link, &old->group) {
        struct parcel *member = LIST_ITEM(link, struct parcel, group_link);
        parcel_close(&member);
    }
    if (old->blob != HOST_HANDLE_NONE) {
        host_blob_unmap(old->role->host, &old->mapping);
        host_handle_close(old->role->host, old->blob);
    }
    free((void *)(uintptr_t)old->head.at);
    if (old->record.len > 0)
        free((void *)(uintptr_t)old->record.at);
    arena_finish(&old->arena);
    free(old);
    *parcel = NULL;
}

struct slice
parcel_tail(const struct parcel *parcel)
{
    return parcel->mapping.bytes;
}

uint64_t
parcel_len(const struct parcel *parcel)
{
    return parcel->head.len + parcel->mapping.bytes.len;
}

void
parcel_settle(struct parcel_recipient *recipient, enum smtp_store_outcome_kind kind,
              const char *text)
{
    recipient->has_outcome = true;
    recipient->kind = kind;
    recipient->text = text;
}

/* ---- filing ---------------------------------------------------------------------------------- */

/* An account that two addresses lead to gets one copy: the first recipient with it, or NULL. */
static const struct parcel_recipient *
same_account_before(const struct parcel *parcel, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (parcel->recipients[i].box == SMTP_STORE_BOX_STORE &&
            parcel->recipients[i].account == parcel->recipients[index].account)
            return &parcel->recipients[i];
    }
    return NULL;
}

/* Whether each recipient that is not settled yet could have it; settles those that cannot. */
static bool
check_room(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->recipient_count; i++) {
        struct parcel_recipient *recipient = &parcel->recipients[i];
        if (recipient->box != SMTP_STORE_BOX_STORE || recipient->has_outcome)
            continue;
        enum store_result result =
            mailbox_account_set_quota(parcel->role->store, recipient->account,
                                      recipient->quota_bytes, recipient->quota_messages);
        if (result == STORE_OK)
            result = mailbox_account_has_room(parcel->role->store, recipient->account,
                                              parcel_len(parcel));
        if (result == STORE_QUOTA)
            parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_QUOTA, "the mailbox is full");
        else if (result == STORE_NOT_FOUND)
            parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_PERMANENT, "no such account");
        else if (result == STORE_DAMAGED)
            parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_TEMPORARY, "the mailbox is damaged");
        else if (result != STORE_OK)
            return false;
    }
    return true;
}

/* One for all: when one cannot have it, nobody gets it now. */
static void
hold_back(struct parcel *parcel)
{
    bool is_refused = false;

    for (size_t i = 0; i < parcel->recipient_count; i++)
        is_refused |= parcel->recipients[i].has_outcome &&
                      parcel->recipients[i].kind != SMTP_STORE_OUTCOME_KIND_DELIVERED;
    for (size_t i = 0; is_refused && i < parcel->recipient_count; i++) {
        if (!parcel->recipients[i].has_outcome)
            parcel_settle(&parcel->recipients[i], SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                          "another recipient cannot have it now");
    }
}

/* What comes from the queue is tried again as long as one cannot have it. Who has it already is
 * known by its key; what is sent on would be sent on each time, and waits. */
static void
hold_sending_on(struct parcel *parcel)
{
    bool comes_again = false;

    for (size_t i = 0; i < parcel->recipient_count; i++)
        comes_again |= parcel->recipients[i].has_outcome &&
                       parcel->recipients[i].kind != SMTP_STORE_OUTCOME_KIND_DELIVERED &&
                       parcel->recipients[i].kind != SMTP_STORE_OUTCOME_KIND_PERMANENT;
    for (size_t i = 0; comes_again && i < parcel->recipient_count; i++) {
        struct parcel_recipient *recipient = &parcel->recipients[i];
        if (!recipient->has_outcome && recipient->box == SMTP_STORE_BOX_REMOTE)
            parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                          "another recipient cannot have it now");
    }
}

static enum store_result
append_to(struct parcel *parcel, struct parcel_recipient *recipient)
{
    struct store *store = parcel->role->store;
    struct message_new message = {
        .body = parcel->body,
        .internal = host_wall(parcel->role->host),
    };
    mailbox_id inbox;
    enum store_result result = mailbox_open(store, recipient->account, SLICE("INBOX"), &inbox);

    if (result == STORE_OK && parcel->from == PARCEL_QUEUED)
        result = mailbox_message_import(store, recipient->account, inbox, parcel->key, &message,
                                        &recipient->uid, &parcel->was_there);
    else if (result == STORE_OK)
        result =
            mailbox_message_append(store, recipient->account, inbox, &message, &recipient->uid);
    return result;
}

static bool
file_for(struct parcel *parcel, size_t index)
{
    struct parcel_recipient *recipient = &parcel->recipients[index];
    const struct parcel_recipient *same = same_account_before(parcel, index);

    if (same) {
        parcel_settle(recipient, same->kind, same->text);
        recipient->uid = 0;
        return true;
    }
    switch (append_to(parcel, recipient)) {
    case STORE_OK:
        parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_DELIVERED, "");
        return true;
    case STORE_QUOTA:
        parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_QUOTA, "the mailbox is full");
        return true;
    case STORE_LIMIT:
    case STORE_INVALID:
        parcel_settle(recipient, SMTP_STORE_OUTCOME_KIND_PERMANENT,
                      "the mailbox has reached a limit");
        return true;
    case STORE_NOT_FOUND:
    case STORE_EXISTS:
    case STORE_FORBIDDEN:
    case STORE_BUSY:
    case STORE_NO_SPACE:
    case STORE_FENCED:
    case STORE_DAMAGED:
    case STORE_TEMPORARY:
        break;
    }
    return false;
}

/* What the filter decided, when it is not to keep. */
static bool
obey_filter(struct parcel *parcel)
{
    if (parcel->action == STORE_DELIVER_FILTER_ACTION_KEEP)
        return false;
    bool is_reject = parcel->action == STORE_DELIVER_FILTER_ACTION_REJECT;
    for (size_t i = 0; i < parcel->recipient_count; i++)
        parcel_settle(&parcel->recipients[i],
                      is_reject ? SMTP_STORE_OUTCOME_KIND_PERMANENT
                                : SMTP_STORE_OUTCOME_KIND_DELIVERED,
                      is_reject ? "refused by a filter" : "");
    return true;
}

static bool
file_submitted(struct parcel *parcel)
{
    if (obey_filter(parcel))
        return true;
    if (!check_room(parcel))
        return false;
    if (parcel->is_atomic)
        hold_back(parcel);
    if (parcel->from == PARCEL_QUEUED)
        hold_sending_on(parcel);
    if (mailbox_body_add(parcel->role->store, parcel->head, parcel_tail(parcel), parcel->record,
                         &parcel->body) != STORE_OK)
        return false;
    for (size_t i = 0; i < parcel->recipient_count; i++) {
        struct parcel_recipient *recipient = &parcel->recipients[i];
        if (!recipient->has_outcome && recipient->box != SMTP_STORE_BOX_REMOTE &&
            !file_for(parcel, i))
            return false;
    }
    if (parcel->from == PARCEL_SUBMITTED)
        outgoing_trace(parcel);
    return outgoing_enter(parcel);
}

enum store_result
parcel_keywords(const struct parcel *parcel, mailbox_id mailbox, uint64_t *ret_keywords)
{
    enum store_result result = STORE_OK;
    uint64_t bit;

    for (size_t i = 0; result == STORE_OK && i < parcel->keyword_count; i++) {
        result = mailbox_keyword(parcel->role->store, parcel->recipients[0].account, mailbox,
                                 parcel->keywords[i], &bit);
        *ret_keywords |= result == STORE_OK ? bit : 0;
    }
    return result;
}

static bool
file_appended(struct parcel *parcel)
{
    struct store *store = parcel->role->store;
    struct parcel_recipient *recipient = &parcel->recipients[0];
    struct message_new message = {
        .flags = parcel->flags,
        .internal = parcel->internal,
        .uid = parcel->uid,
        .is_over_quota_allowed = true,
    };
    mailbox_id mailbox;
    enum store_result result = mailbox_open(store, recipient->account, parcel->mailbox, &mailbox);

    /* More keywords than a mailbox can have: the message is worth more than they. */
    if (result == STORE_OK)
        (void)!parcel_keywords(parcel, mailbox, &message.keywords);
    if (result == STORE_OK)
        result = mailbox_body_add(store, parcel->head, parcel_tail(parcel), parcel->record,
                                  &message.body);
    if (result == STORE_OK && slice_is_empty(parcel->key))
        result =
            mailbox_message_append(store, recipient->account, mailbox, &message, &recipient->uid);
    else if (result == STORE_OK)
        result = mailbox_message_import(store, recipient->account, mailbox, parcel->key, &message,
                                        &recipient->uid, &parcel->was_there);
    parcel->result = tool_result_of(result);
    return result == STORE_OK || result == STORE_LIMIT || result == STORE_INVALID ||
           result == STORE_NOT_FOUND;
}

bool
parcel_file(struct parcel *parcel)
{
    if (parcel->from == PARCEL_IMAP)
        return imap_append_file(parcel);
    return parcel->from == PARCEL_APPENDED ? file_appended(parcel) : file_submitted(parcel);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void
log_outcome(const struct parcel *parcel, const struct parcel_recipient *recipient)
{
    bool is_delivered = recipient->kind == SMTP_STORE_OUTCOME_KIND_DELIVERED;
    bool is_store = recipient->box == SMTP_STORE_BOX_STORE;
    bool is_remote = recipient->box == SMTP_STORE_BOX_REMOTE;
    struct log_line line;

    log_begin(&line, parcel->role->host, is_delivered ? HOST_LEVEL_INFO : HOST_LEVEL_WARNING,
              !is_delivered ? "not_delivered" : is_remote ? "queued" : "delivered");
    log_text(&line, "id", parcel->queue_id);
    if (!is_remote)
        log_number(&line, "account", recipient->account);
    log_address(&line, "to", recipient->address);
    if (is_delivered && is_store) {
        log_string(&line, "mailbox", "INBOX");
        log_number(&line, "uid", recipient->uid);
    } else if (!is_store && !is_remote) {
        log_text(&line, "box", recipient->path);
    }
    if (!is_delivered)
        log_string(&line, "why", recipient->text);
    log_number(&line, "bytes", parcel_len(parcel));
    log_end(&line);
}

static void
answer_submitted(struct parcel *parcel)
{
    struct store_role *role = parcel->role;
    struct store_smtp *smtp = parcel->sender;
    struct smtp_store_outcome *outcomes =
        ARENA_ARRAY(&parcel->arena, struct smtp_store_outcome, parcel->recipient_count);

    for (size_t i = 0; outcomes && i < parcel->recipient_count; i++) {
        const struct parcel_recipient *recipient = &parcel->recipients[i];
        bool is_reject = parcel->action == STORE_DELIVER_FILTER_ACTION_REJECT;
        outcomes[i].kind = recipient->kind;
        /* The first says why at length; a thousand times the same would not fit into a note. */
        outcomes[i].text = i < 100 ? is_reject && parcel->reject_text.len > 0
                                         ? parcel->reject_text
                                         : slice_of_string(recipient->text)
                                   : slice_of("", 0);
        role->delivered += recipient->kind == SMTP_STORE_OUTCOME_KIND_DELIVERED &&
                           recipient->box != SMTP_STORE_BOX_REMOTE;
        role->rejected += recipient->kind != SMTP_STORE_OUTCOME_KIND_DELIVERED;
        log_outcome(parcel, recipient);
    }
    if (!smtp || !outcomes)
        return;
    struct smtp_store_filed filed = {parcel->id, {outcomes, parcel->recipient_count}};
    buffer_clear(&role->note);
    if (smtp_store_put_filed(&role->note, &smtp->ledger, &filed))
        host_channel_send(smtp->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
answer_appended(struct parcel *parcel)
{
    struct store_role *role = parcel->role;
    struct store_tool *tool = parcel->sender;
    struct tool_store_appended appended = {
        .id = parcel->id,
        .result = parcel->result,
        .uid = parcel->recipients[0].uid,
        .was_there = parcel->was_there,
    };

    if (!tool)
        return;
    buffer_clear(&role->note);
    if (tool_store_put_appended(&role->note, &tool->ledger, &appended))
        host_channel_send(tool->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
answer_queued(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->recipient_count; i++)
        log_outcome(parcel, &parcel->recipients[i]);
    local_delivered(parcel->role, parcel);
}

void
parcel_answer(struct parcel **parcel, enum store_result result)
{
    struct parcel *old = *parcel;

    for (size_t i = 0; i < old->recipient_count && result != STORE_OK; i++) {
        struct parcel_recipient *recipient = &old->recipients[i];
        bool is_in_store = recipient->box == SMTP_STORE_BOX_STORE ||
                           recipient->box == SMTP_STORE_BOX_REMOTE;
        /* What the turn would have made true is not; what was refused or is in a letter box stays.
         */
        if (!recipient->has_outcome ||
            (is_in_store && recipient->kind == SMTP_STORE_OUTCOME_KIND_DELIVERED))
            parcel_settle(recipient,
                          result == STORE_NO_SPACE ? SMTP_STORE_OUTCOME_KIND_NO_SPACE
                                                   : SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                          result == STORE_NO_SPACE ? "the disk is full"
                                                   : "the message could not be written");
    }
    if (result != STORE_OK)
        old->result = tool_result_of(result);
    if (result == STORE_OK)
        outgoing_entered(old);
    if (old->from == PARCEL_SUBMITTED)
        answer_submitted(old);
    else if (old->from == PARCEL_IMAP)
        imap_append_answer(old, result);
    else if (old->from == PARCEL_QUEUED)
        answer_queued(old);
    else
        answer_appended(old);
    for (size_t i = 0; i < old->recipient_count && result == STORE_OK; i++) {
        if (old->recipients[i].account != 0)
            indexing_touch(old->role, old->recipients[i].account);
    }
    store_role_unwait(old->role, old);
    parcel_close(parcel);
}
