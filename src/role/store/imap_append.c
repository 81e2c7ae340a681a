/* SPDX-License-Identifier: ISC */
/* APPEND: messages that a session hands in. Those of one MULTIAPPEND (RFC 3502) are parsed each for
 * itself and go in one turn, all or none; the last of them leads the group. What one replaces (RFC
 * 8508) goes in that turn, too. */
#include "role/store/reach.h"
#include "role/store/store_role.h"

#include <stdlib.h>

static void
send_appended(struct store_access *access, const struct access_store_appended *note)
{
    struct buffer *buffer = &access->role->note;

    buffer_clear(buffer);
    bool is_put = access_store_put_appended(buffer, &access->ledger, note);
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(buffer), HOST_HANDLE_NONE);
}

static void
tell(struct parcel *parcel, enum access_store_result result)
{
    struct store_access *access = parcel->sender;
    struct access_store_appended note = {
        .id = parcel->id,
        .result = result,
        .uid_validity = parcel->uid_validity,
        .uid = parcel->recipients[0].uid,
        .modseq_before = parcel->modseq_before,
        .modseq = parcel->modseq,
    };

    if (access && access->channel)
        send_appended(access, &note);
}

static struct parcel *
new_parcel(struct store_access *access, const struct grant *grant,
           const struct access_store_append *note, host_handle handle)
{
    struct parcel *parcel =
        parcel_open(access->role, PARCEL_IMAP, slice_of("", 0), note->body, handle);

    if (!parcel)
        return NULL;
    parcel->sender = access;
    parcel->id = note->id;
    parcel->queue_id = SLICE("append");
    parcel->mailbox = arena_copy(&parcel->arena, note->mailbox);
    parcel->flags = note->flags;
    parcel->replaced_owner = note->replaced_owner;
    parcel->replaced_mailbox = note->replaced_mailbox;
    parcel->replaced_uid = note->replaced_uid;
    parcel->internal =
        note->has_internal ? (struct wall){note->internal_ns} : host_wall(access->role->host);
    parcel->keyword_count = note->keywords.count;
    parcel->keywords = ARENA_ARRAY(&parcel->arena, struct slice, note->keywords.count + 1);
    parcel->recipients = ARENA_ARRAY(&parcel->arena, struct parcel_recipient, 1);
    assert(parcel->recipients && parcel->keywords);
    for (size_t i = 0; i < note->keywords.count; i++)
        parcel->keywords[i] = arena_copy(&parcel->arena, note->keywords.at[i].name);
    parcel->recipients[0].account = parcel->asker = grant->account;
    parcel->user = arena_copy(&parcel->arena, grant_user(grant));
    parcel->recipient_count = 1;
    list_append(&access->parcels, &parcel->sender_link);
    return parcel;
}

/* The parcels that came before it in its group become its own. */
static void
lead(struct parcel *parcel, struct grant *grant)
{
    LIST_EACH (link, &grant->appends) {
        struct parcel *member = LIST_ITEM(link, struct parcel, group_link);
        list_remove(link);
        list_append(&parcel->group, link);
        member->lead = parcel;
        parcel->group_open += !member->is_parsed;
    }
    parcel->lead = parcel;
    parcel->group_open++;
}

/* With one of a group all are refused: those that have come, and those that are still to come. */
static void
refuse(struct store_access *access, struct grant *grant, const struct access_store_append *note)
{
    imap_append_forget(grant);
    grant->is_append_lost = note->has_more;
    send_appended(access, &(struct access_store_appended){
                              .id = note->id, .result = ACCESS_STORE_RESULT_TEMPORARY});
}

void
imap_append(struct store_access *access, struct grant *grant,
            const struct access_store_append *note, host_handle handle)
{
    struct parcel *parcel = NULL;

    if (grant->is_append_lost)
        host_handle_close(access->role->host, handle);
    else
        parcel = new_parcel(access, grant, note, handle);
    if (!parcel) {
        refuse(access, grant, note);
        return;
    }
    if (note->has_more)
        list_append(&grant->appends, &parcel->group_link);
    else
        lead(parcel, grant);
    store_role_wait(access->role, parcel);
    if (note->parse_record.len > 0 && parsers_keep_record(parcel, note->parse_record))
        letterbox_take(access->role, parcel);
    else
        parsers_take(access->role, parcel);
}

static void
close_parcel(struct parcel *parcel)
{
    store_role_unwait(parcel->role, parcel);
    parcel_close(&parcel);
}

/* It is never filed: whoever waits for it, of a session that may be over, is told so. */
static void
give_up(struct parcel *parcel)
{
    tell(parcel, ACCESS_STORE_RESULT_TEMPORARY);
    close_parcel(parcel);
}

bool
imap_append_is_ready(struct parcel *parcel, struct parcel **ret_lead)
{
    parcel->is_parsed = true;
    if (parcel->is_orphan) {
        give_up(parcel);
        return false;
    }
    if (!parcel->lead)
        return false;
    if (--parcel->lead->group_open > 0) {
        if (parcel == parcel->lead) /* it is in no other list, and must not be forgotten */
            list_append(&parcel->role->leads, &parcel->link);
        return false;
    }
    list_remove(&parcel->lead->link);
    *ret_lead = parcel->lead;
    return true;
}

void
imap_append_forget(struct grant *grant)
{
    LIST_EACH (link, &grant->appends) {
        struct parcel *member = LIST_ITEM(link, struct parcel, group_link);
        list_remove(link);
        if (member->is_parsed)
            give_up(member);
        else
            member->is_orphan = true;
    }
}

/* ---- filing ---------------------------------------------------------------------------------- */

/* With the flags that may be set there (RFC 4314 §4). */
static enum store_result
file_one(struct parcel *parcel, const struct reached *target)
{
    struct store *store = parcel->role->store;
    struct message_new message = {.flags = parcel->flags & reach_flags(target->rights),
                                  .internal = parcel->internal,
                                  .is_over_quota_allowed = true}; /* there is room: see check */
    enum store_result result = STORE_OK;

    parcel->recipients[0].account = target->account;
    if (target->rights & RIGHT_WRITE)
        result = parcel_keywords(parcel, target->mailbox, &message.keywords);
    if (result == STORE_OK)
        result = mailbox_body_add(store, parcel->head, parcel_tail(parcel), parcel->record,
                                  &message.body);
    if (result == STORE_OK)
        result = mailbox_message_append(store, target->account, target->mailbox, &message,
                                        &parcel->recipients[0].uid);
    return result;
}

/* What is to be replaced. It needs the rights of MOVE. */
static enum store_result
find_replaced(struct parcel *parcel, struct reached *ret_source, struct message_entry *ret_entry)
{
    const unsigned needed = RIGHT_DELETE | RIGHT_EXPUNGE;
    struct reach reach = reach_of(parcel->role, parcel->asker, parcel->user);
    struct store *store = parcel->role->store;
    uint64_t modseq;

    enum store_result result = reach_get(&reach, parcel->replaced_owner, parcel->replaced_mailbox,
                                         RIGHT_DELETE, ret_source);
    if (result == STORE_OK && (ret_source->rights & needed) != needed)
        result = STORE_FORBIDDEN;
    if (result == STORE_OK)
        result = mailbox_message_get(store, ret_source->account, ret_source->mailbox,
                                     parcel->replaced_uid, ret_entry);
    if (result == STORE_OK) /* still, in this very turn? */
        result = mailbox_message_modseq(store, ret_source->account, ret_source->mailbox,
                                        parcel->replaced_uid, &modseq);
    parcel->is_replaced_gone = result == STORE_NOT_FOUND;
    return result;
}

static enum store_result
remove_replaced(struct parcel *parcel, const struct reached *source)
{
    size_t count;

    return parcel->replaced_uid == 0
               ? STORE_OK
               : mailbox_message_expunge(parcel->role->store, source->account, source->mailbox,
                                         &parcel->replaced_uid, 1, &count);
}

/* All that can be refused is refused here: when filing has begun it is all or the whole turn. */
static enum store_result
check(struct parcel *parcel, struct reached *ret_target, struct reached *ret_source)
{
    struct reach reach = reach_of(parcel->role, parcel->asker, parcel->user);
    struct store *store = parcel->role->store;
    struct account_growth growth = {.messages = 1, .bytes = parcel_len(parcel)};
    struct message_entry replaced;
    struct mailbox_entry entry;

    LIST_EACH (link, &parcel->group) {
        growth.messages++;
        growth.bytes += parcel_len(LIST_ITEM(link, struct parcel, group_link));
    }
    enum store_result result = reach_find(&reach, parcel->mailbox, RIGHT_INSERT, ret_target);
    if (result == STORE_OK && parcel->replaced_uid > 0)
        result = find_replaced(parcel, ret_source, &replaced);
    if (result == STORE_OK && parcel->replaced_uid > 0 &&
        ret_source->account == ret_target->account) {
        growth.messages_gone = 1; /* only the difference counts (RFC 8508 §3.4) */
        growth.bytes_gone = replaced.len;
    }
    if (result == STORE_OK)
        result = mailbox_account_has_room_for(store, ret_target->account, &growth);
    if (result == STORE_OK &&
        mailbox_get(store, ret_target->account, ret_target->mailbox, &entry) == STORE_OK) {
        parcel->uid_validity = entry.uid_validity;
        LIST_EACH (link, &parcel->group)
            LIST_ITEM(link, struct parcel, group_link)->uid_validity = entry.uid_validity;
    }
    return result;
}

/* A mailbox has room for so many keywords. What one message brings stays when another fails: a
 * keyword that no message has does no harm. */
static enum store_result
check_keywords(struct parcel *parcel, const struct reached *target)
{
    uint64_t keywords = 0;

    parcel->recipients[0].account = target->account;
    return target->rights & RIGHT_WRITE ? parcel_keywords(parcel, target->mailbox, &keywords)
                                        : STORE_OK;
}

bool
imap_append_file(struct parcel *parcel)
{
    struct reached target, source = {0};
    struct store *store = parcel->role->store;
    enum store_result result = check(parcel, &target, &source);
    bool is_begun = false;

    LIST_EACH (link, &parcel->group)
        if (result == STORE_OK)
            result = check_keywords(LIST_ITEM(link, struct parcel, group_link), &target);
    if (result == STORE_OK)
        result = check_keywords(parcel, &target);
    if (result == STORE_OK)
        result = mailbox_modseq(store, target.account, target.mailbox, &parcel->modseq_before);
    parcel->store_result = result;
    if (result != STORE_OK)
        return result != STORE_TEMPORARY;
    LIST_EACH (link, &parcel->group) {
        result = file_one(LIST_ITEM(link, struct parcel, group_link), &target);
        if (result != STORE_OK)
            break;
        is_begun = true;
    }
    if (result == STORE_OK) {
        result = file_one(parcel, &target);
        is_begun = is_begun || result == STORE_OK;
    }
    if (result == STORE_OK)
        result = remove_replaced(parcel, &source);
    if (result == STORE_OK)
        result = mailbox_modseq(store, target.account, target.mailbox, &parcel->modseq);
    parcel->store_result = result;
    return result == STORE_OK || !is_begun;
}

void
imap_append_answer(struct parcel *parcel, enum store_result result)
{
    enum store_result told = result == STORE_OK ? parcel->store_result : result;
    bool is_no_mailbox = told == STORE_NOT_FOUND && !parcel->is_replaced_gone;
    enum access_store_result answer =
        is_no_mailbox ? ACCESS_STORE_RESULT_NOT_FOUND : access_result_of(told);

    LIST_EACH (link, &parcel->group) {
        struct parcel *member = LIST_ITEM(link, struct parcel, group_link);
        list_remove(link);
        tell(member, answer);
        close_parcel(member);
    }
    tell(parcel, answer);
}
