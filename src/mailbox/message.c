/* SPDX-License-Identifier: ISC */
#include "mailbox/message.h"

#include "mailbox/account.h"
#include "mailbox/mailbox.h"
#include "mailbox/store_private.h"

#include <errno.h>
#include <stdlib.h>

enum store_result
store_add_body(struct store *store, body_id id, struct slice first, struct slice second,
               struct slice record, uint32_t refs)
{
    if (first.len > BODY_LEN_MAX || second.len > BODY_LEN_MAX ||
        first.len + second.len > BODY_LEN_MAX || record.len > BODY_RECORD_MAX ||
        store->body_count >= TURN_BODIES_MAX)
        return STORE_LIMIT;
    if (store->body_count == store->body_size) {
        store->body_size = store->body_size ? store->body_size * 2 : 64;
        store->bodies = realloc(store->bodies, store->body_size * sizeof(*store->bodies));
        if (!store->bodies)
            abort();
    }
    store->bodies[store->body_count++] = (struct turn_body){
        .id = id,
        .refs = refs,
        .parts = {first, second},
        .record = record,
        .hash = turn_body_hash(first, second),
        .record_hash = turn_body_hash(record, slice_of("", 0)),
    };
    store->body_bytes += first.len + second.len + record.len;
    return STORE_OK;
}

enum store_result
mailbox_body_add(struct store *store, struct slice first, struct slice second, struct slice record,
                 body_id *ret_body)
{
    enum store_result result = store_add_body(store, store->next_body, first, second, record, 0);

    if (result == STORE_OK)
        *ret_body = store->next_body++;
    return result;
}

/* The records that an append changes. */
struct target {
    account_id account;
    mailbox_id mailbox;
    struct account_entry owner;
    struct mailbox_entry entry;
    struct wall now;
};

static enum store_result
load_target(struct store *store, account_id account, mailbox_id mailbox, struct target *target)
{
    *target = (struct target){
        .account = account, .mailbox = mailbox, .now = host_wall(store->options.host)};
    enum store_result result = store_account_load(store, account, &target->owner);
    return result == STORE_OK ? store_mailbox_load(store, account, mailbox, &target->entry)
                              : result;
}

static void
save_target(struct store *store, const struct target *target)
{
    store_mailbox_save(store, target->account, target->mailbox, &target->entry);
    store_account_save(store, target->account, &target->owner);
}

/* Enters a message behind the last. The body's references, and to save the target, are the caller's
 * business. */
static uint32_t
enter_message(struct store *store, struct target *target, struct message_entry *message)
{
    uint32_t uid = target->entry.uid_next++;

    message->modseq = target->entry.modseq = ++target->owner.modseq;
    message->saved = target->now;
    target->entry.messages++;
    target->entry.unseen += message->flags & MESSAGE_SEEN ? 0 : 1;
    target->entry.bytes += message->len;
    target->owner.messages++;
    target->owner.bytes += message->len;
    store_message_save(store, target->account, target->mailbox, uid, message);
    return uid;
}

enum store_result
mailbox_message_append(struct store *store, account_id account, mailbox_id mailbox,
                       const struct message_new *message, uint32_t *ret_uid)
{
    struct turn_body *body = store_pending_body(store, message->body);
    struct target target;

    if (!body)
        return STORE_NOT_FOUND;
    struct message_entry entry = {
        .body = body->id,
        .len = (uint32_t)(body->parts[0].len + body->parts[1].len),
        .flags = message->flags & MESSAGE_FLAGS,
        .keywords = message->keywords,
        .internal = message->internal,
    };
    enum store_result result = load_target(store, account, mailbox, &target);
    if (result == STORE_OK && !message->is_over_quota_allowed)
        result = mailbox_account_has_room(store, account, entry.len);
    if (result == STORE_OK && target.entry.uid_next == UINT32_MAX)
        result = STORE_LIMIT;
    if (result != STORE_OK)
        return result;
    if (message->uid > target.entry.uid_next && message->uid < UINT32_MAX)
        target.entry.uid_next = message->uid;
    body->refs++;
    *ret_uid = enter_message(store, &target, &entry);
    save_target(store, &target);
    return STORE_OK;
}

enum store_result
mailbox_message_import(struct store *store, account_id account, mailbox_id mailbox,
                       struct slice key, const struct message_new *message, uint32_t *ret_uid,
                       bool *ret_was_there)
{
    struct import_entry import;
    struct slice value;

    if (slice_is_empty(key) || key.len > IMPORT_KEY_MAX)
        return STORE_LIMIT;
    int known = store_draft_get(store, key_import(account, key), &value);
    if (known == 0 && import_entry_take(value, &import)) {
        *ret_uid = import.uid;
        *ret_was_there = true;
        return STORE_OK;
    }
    if (known < 0 && known != -ENOENT)
        return store_result_of(known);
    enum store_result result = mailbox_message_append(store, account, mailbox, message, ret_uid);
    if (result != STORE_OK)
        return result;
    import = (struct import_entry){mailbox, *ret_uid, host_wall(store->options.host)};
    buffer_clear(&store->scratch);
    import_entry_put(&store->scratch, &import);
    store_put_entry(store, key_import(account, key));
    *ret_was_there = false;
    return STORE_OK;
}

enum store_result
mailbox_import_find(struct store *store, account_id account, struct slice key, bool *ret_was_there)
{
    struct slice value;

    if (slice_is_empty(key) || key.len > IMPORT_KEY_MAX)
        return STORE_LIMIT;
    int known = store_view_get(store, key_import(account, key), &value);
    if (known < 0 && known != -ENOENT)
        return store_result_of(known);
    *ret_was_there = known == 0;
    return STORE_OK;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* What goes on while messages are copied. The target's records are here, not in the draft. */
struct copying {
    struct store *store;
    const struct message_copy *copy;
    struct target target;
    uint64_t keywords, translated; /* what the last ones became */
};

/* Keywords are bits of names that belong to a mailbox: what goes to another is translated. New
 * names change the target's record. */
static enum store_result
translate_keywords(struct copying *copying, uint64_t keywords)
{
    const struct message_copy *copy = copying->copy;
    struct store *store = copying->store;
    uint64_t translated = 0, bit;
    struct slice name;

    save_target(store, &copying->target);
    for (uint64_t left = keywords; left != 0; left &= left - 1) {
        uint8_t index = (uint8_t)__builtin_ctzll(left);
        if (store_draft_get(store, key_keyword(copy->from_account, copy->from, index), &name) < 0)
            continue; /* a bit without a name means nothing */
        uint8_t memory[KEYWORD_LEN_MAX];
        if (name.len > sizeof(memory))
            continue;
        memcpy(memory, name.at, name.len);
        if (mailbox_keyword(store, copy->to_account, copy->to, slice_of(memory, name.len), &bit) ==
            STORE_OK)
            translated |= bit;
    }
    copying->keywords = keywords;
    copying->translated = translated;
    return load_target(store, copy->to_account, copy->to, &copying->target);
}

/* Enters the copy of one message; the reference to its body comes later. */
static enum store_result
copy_one(struct copying *copying, uint32_t uid, body_id *ret_body, uint32_t *ret_uid)
{
    const struct message_copy *copy = copying->copy;
    bool is_same = copy->from_account == copy->to_account && copy->from == copy->to;
    struct message_entry message;

    enum store_result result =
        store_message_load(copying->store, copy->from_account, copy->from, uid, &message);
    if (result != STORE_OK)
        return result;
    message.flags &= copy->flags;
    message.keywords = copy->has_keywords ? message.keywords : 0;
    if (!is_same && message.keywords != copying->keywords)
        result = translate_keywords(copying, message.keywords);
    if (!is_same)
        message.keywords = copying->translated;
    if (result == STORE_OK && copying->target.entry.uid_next == UINT32_MAX)
        result = STORE_LIMIT;
    if (result != STORE_OK)
        return result;
    *ret_body = message.body;
    *ret_uid = enter_message(copying->store, &copying->target, &message);
    return STORE_OK;
}

static void
refer_all(struct store *store, const body_id *bodies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct turn_body *pending = store_pending_body(store, bodies[i]);
        if (pending)
            pending->refs++;
        else
            store_body_refer(store, bodies[i], 1);
    }
}

enum store_result
mailbox_message_copy_all(struct store *store, const struct message_copy *copy, const uint32_t *uids,
                         size_t count, message_copied_fn fn, void *context)
{
    struct copying copying = {.store = store, .copy = copy};
    size_t copied = 0;
    uint32_t uid;

    enum store_result result =
        load_target(store, copy->to_account, copy->to, &copying.target);
    if (result != STORE_OK)
        return result;
    body_id *bodies = calloc(count + 1, sizeof(*bodies));
    if (!bodies)
        abort();
    for (size_t i = 0; i < count && result == STORE_OK; i++) {
        result = copy_one(&copying, uids[i], &bodies[copied], &uid);
        if (result == STORE_OK) {
            fn(context, uids[i], uid);
            copied++;
        } else if (result == STORE_NOT_FOUND) {
            result = STORE_OK; /* it went in this very turn */
        }
    }
    /* One kind of record after the other: what lies together is found and put faster together. */
    refer_all(store, bodies, copied);
    free(bodies);
    save_target(store, &copying.target);
    return result;
}

/* ---- changing -------------------------------------------------------------------------------- */

enum store_result
mailbox_message_change(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                       const struct message_change *change, uint64_t *ret_modseq)
{
    struct message_entry message;
    struct target target;

    enum store_result result = store_message_load(store, account, mailbox, uid, &message);
    if (result == STORE_OK)
        result = load_target(store, account, mailbox, &target);
    if (result != STORE_OK)
        return result;
    uint32_t flags = ((message.flags & ~change->flags_cleared) | change->flags_set) & MESSAGE_FLAGS;
    uint64_t keywords = (message.keywords & ~change->keywords_cleared) | change->keywords_set;
    *ret_modseq = message.modseq;
    if (flags == message.flags && keywords == message.keywords)
        return STORE_OK;
    if ((message.flags ^ flags) & MESSAGE_SEEN)
        target.entry.unseen =
            flags & MESSAGE_SEEN ? target.entry.unseen - 1 : target.entry.unseen + 1;
    message.flags = flags;
    message.keywords = keywords;
    *ret_modseq = message.modseq = target.entry.modseq = ++target.owner.modseq;
    store_message_save(store, account, mailbox, uid, &message);
    save_target(store, &target);
    return STORE_OK;
}

enum store_result
mailbox_message_modseq(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                       uint64_t *ret_modseq)
{
    struct message_entry message;
    enum store_result result = store_message_load(store, account, mailbox, uid, &message);

    if (result == STORE_OK)
        *ret_modseq = message.modseq;
    return result;
}

/* ---- expunging ----------------------------------------------------------------------------- */

/* Forgets the oldest entry of the expunge log. */
static void
forget_expunge(struct store *store, struct target *target, struct uid_range *ranges)
{
    struct key key = key_expunge(target->account, target->mailbox, target->entry.expunge_first);
    struct expunge_entry oldest;
    struct slice value;

    if (store_draft_get(store, key, &value) == 0 && expunge_entry_take(value, ranges, &oldest) &&
        oldest.modseq > target->entry.expunge_floor)
        target->entry.expunge_floor = oldest.modseq;
    store_del(store, key);
    target->entry.expunge_first++;
}

static void
log_expunge(struct store *store, struct target *target, const struct uid_range *ranges,
            size_t count)
{
    struct uid_range *memory = malloc(EXPUNGE_RANGES_MAX * sizeof(*memory));

    if (!memory)
        abort();
    while (count > 0) {
        size_t some = count < EXPUNGE_RANGES_MAX ? count : EXPUNGE_RANGES_MAX;
        struct expunge_entry entry = {target->entry.modseq, ranges, some};
        if (target->entry.expunge_next - target->entry.expunge_first >= EXPUNGE_LOG_MAX)
            forget_expunge(store, target, memory);
        buffer_clear(&store->scratch);
        expunge_entry_put(&store->scratch, &entry);
        store_put_entry(
            store, key_expunge(target->account, target->mailbox, target->entry.expunge_next++));
        ranges += some;
        count -= some;
    }
    free(memory);
}

static void
take_message(struct store *store, struct target *target, uint32_t uid,
             const struct message_entry *message)
{
    store_del(store, key_message(target->account, target->mailbox, uid));
    store_body_refer(store, message->body, -1);
    target->entry.messages--;
    target->entry.unseen -= message->flags & MESSAGE_SEEN ? 0 : 1;
    target->entry.bytes -= message->len;
    target->owner.messages--;
    target->owner.bytes -= message->len;
}

/* Whether a message among them came in this very turn: its body cannot be let go yet. */
static enum store_result
are_settled(struct store *store, account_id account, mailbox_id mailbox, const uint32_t *uids,
            size_t count)
{
    struct message_entry message;

    for (size_t i = 0; store->body_count > 0 && i < count; i++) {
        if (store_message_load(store, account, mailbox, uids[i], &message) == STORE_OK &&
            store_pending_body(store, message.body))
            return STORE_BUSY;
    }
    return STORE_OK;
}

enum store_result
mailbox_message_expunge(struct store *store, account_id account, mailbox_id mailbox,
                        const uint32_t *uids, size_t count, size_t *ret_count)
{
    struct message_entry message;
    struct target target;
    size_t range_count = 0, gone = 0;

    if (count > EXPUNGE_UIDS_MAX)
        return STORE_LIMIT;
    enum store_result result = are_settled(store, account, mailbox, uids, count);
    if (result == STORE_OK)
        result = load_target(store, account, mailbox, &target);
    if (result != STORE_OK)
        return result;
    struct uid_range *ranges = calloc(count + 1, sizeof(*ranges));
    if (!ranges)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (store_message_load(store, account, mailbox, uids[i], &message) != STORE_OK)
            continue;
        take_message(store, &target, uids[i], &message);
        gone++;
        if (range_count > 0 && ranges[range_count - 1].last + 1 == uids[i])
            ranges[range_count - 1].last = uids[i];
        else
            ranges[range_count++] = (struct uid_range){uids[i], uids[i]};
    }
    if (gone > 0) {
        target.entry.modseq = ++target.owner.modseq;
        log_expunge(store, &target, ranges, range_count);
        save_target(store, &target);
    }
    free(ranges);
    *ret_count = gone;
    return STORE_OK;
}
