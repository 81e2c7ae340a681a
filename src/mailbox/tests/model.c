/* SPDX-License-Identifier: ISC */
#include "mailbox/tests/model.h"

#include "mailbox/mailbox.h"
#include "mailbox/message.h"

#include <stdio.h>

struct slice
model_mailbox_name(size_t mailbox)
{
    static const char *const names[] = {"INBOX", "work", "work/old"};

    return slice_of_string(names[mailbox]);
}

struct slice
model_text(uint32_t text, uint8_t *memory)
{
    size_t len = 1 + text * 2654435761u % MODEL_TEXT_MAX;

    for (size_t i = 0; i < len; i++)
        memory[i] = (uint8_t)((text >> (i % 4 * 8)) + i * 7);
    return slice_of(memory, len);
}

/* One in four is longer than those that stand in the view. */
static struct slice
record_of(uint32_t text)
{
    static const uint8_t octets[MODEL_RECORD_LONG] = {1, 2, 3};

    return slice_of(octets, text % 4 == 0 ? sizeof(octets) : 6);
}

static void
add(struct model_mailbox *box, uint32_t flags, uint32_t text)
{
    assert(box->count < MODEL_MESSAGES);
    box->messages[box->count++] = (struct model_message){box->uid_next++, flags, text};
}

/* One message for one to three accounts: single instance. The octets must live until the commit, so
 * they come from a fixed pool. */
static bool
deliver(struct model *model, struct store *store, model_random_fn random, void *context)
{
    static uint8_t pool[256][MODEL_TEXT_MAX];
    static unsigned next_pool;
    size_t recipients = 1 + random(context, MODEL_ACCOUNTS);
    size_t mailbox = random(context, 4) == 0 ? random(context, MODEL_MAILBOXES) : 0;
    struct message_new message = {.flags = random(context, 2) ? MESSAGE_SEEN : 0};
    uint32_t text = ++model->texts, uid;
    mailbox_id id;

    struct slice octets = model_text(text, pool[next_pool++ % 256]);
    if (mailbox_body_add(store, slice_first(octets, 10), slice_skip(octets, 10), record_of(text),
                         &message.body) != STORE_OK)
        return false;
    for (size_t i = 0; i < recipients; i++) {
        struct model_mailbox *box = &model->mailboxes[i][mailbox];
        if (box->count == MODEL_MESSAGES)
            continue;
        if (mailbox_open(store, i + 1, model_mailbox_name(mailbox), &id) != STORE_OK)
            return false;
        if (!box->is_there)
            *box = (struct model_mailbox){.is_there = true, .uid_next = 1};
        if (mailbox_message_append(store, i + 1, id, &message, &uid) != STORE_OK ||
            uid != box->uid_next)
            return false;
        add(box, message.flags, text);
    }
    return true;
}

static bool
expunge(struct model *model, struct store *store, model_random_fn random, void *context)
{
    size_t account = random(context, MODEL_ACCOUNTS), mailbox = random(context, MODEL_MAILBOXES);
    struct model_mailbox *box = &model->mailboxes[account][mailbox];
    uint32_t uids[MODEL_MESSAGES];
    size_t count = 0, kept = 0, gone;
    uint64_t share = 1 + random(context, 4);
    mailbox_id id;

    if (!box->is_there ||
        mailbox_find(store, account + 1, model_mailbox_name(mailbox), &id) != STORE_OK)
        return !box->is_there;
    bool is_chosen[MODEL_MESSAGES];
    for (size_t i = 0; i < box->count; i++) {
        is_chosen[i] = random(context, share) == 0;
        if (is_chosen[i])
            uids[count++] = box->messages[i].uid;
    }
    enum store_result result = mailbox_message_expunge(store, account + 1, id, uids, count, &gone);
    if (result == STORE_BUSY)
        return true; /* one of them came in this very turn */
    if (result != STORE_OK || gone != count)
        return false;
    for (size_t i = 0; i < box->count; i++) {
        if (!is_chosen[i])
            box->messages[kept++] = box->messages[i];
    }
    box->count = kept;
    return true;
}

static bool
change_flags(struct model *model, struct store *store, model_random_fn random, void *context)
{
    size_t account = random(context, MODEL_ACCOUNTS), mailbox = random(context, MODEL_MAILBOXES);
    struct model_mailbox *box = &model->mailboxes[account][mailbox];
    struct message_change change = {.flags_set = (uint32_t)random(context, 32)};
    uint64_t modseq;
    mailbox_id id;

    change.flags_cleared = ~change.flags_set & (uint32_t)random(context, 32);
    if (!box->is_there || box->count == 0)
        return true;
    struct model_message *message = &box->messages[random(context, box->count)];
    if (mailbox_find(store, account + 1, model_mailbox_name(mailbox), &id) != STORE_OK ||
        mailbox_message_change(store, account + 1, id, message->uid, &change, &modseq) != STORE_OK)
        return false;
    message->flags = (message->flags & ~change.flags_cleared) | change.flags_set;
    return true;
}

static void
note_copy(void *context, uint32_t uid, uint32_t copy_uid)
{
    uint32_t *told = context;

    (void)uid;
    *told = copy_uid;
}

/* With its flags. */
static bool
copy_message(struct store *store, account_id account, mailbox_id from, mailbox_id to,
             const uint32_t *uid, uint32_t *ret_uid)
{
    struct message_copy copy = {account, account, from, to, MESSAGE_FLAGS, true};

    return mailbox_message_copy_all(store, &copy, uid, 1, note_copy, ret_uid) == STORE_OK;
}

static bool
copy(struct model *model, struct store *store, model_random_fn random, void *context)
{
    size_t account = random(context, MODEL_ACCOUNTS), from = random(context, MODEL_MAILBOXES);
    size_t to = random(context, MODEL_MAILBOXES);
    struct model_mailbox *source = &model->mailboxes[account][from];
    struct model_mailbox *target = &model->mailboxes[account][to];
    mailbox_id from_id, to_id;
    uint32_t uid;

    if (!source->is_there || !target->is_there || source->count == 0 ||
        target->count == MODEL_MESSAGES)
        return true;
    struct model_message message = source->messages[random(context, source->count)];
    if (mailbox_find(store, account + 1, model_mailbox_name(from), &from_id) != STORE_OK ||
        mailbox_find(store, account + 1, model_mailbox_name(to), &to_id) != STORE_OK ||
        !copy_message(store, account + 1, from_id, to_id, &message.uid, &uid) ||
        uid != target->uid_next)
        return false;
    add(target, message.flags, message.text);
    return true;
}

static bool
remove_mailbox(struct model *model, struct store *store, model_random_fn random, void *context)
{
    size_t account = random(context, MODEL_ACCOUNTS);
    size_t mailbox = 1 + random(context, MODEL_MAILBOXES - 1);
    struct model_mailbox *box = &model->mailboxes[account][mailbox];

    if (!box->is_there)
        return true;
    if (mailbox_remove(store, account + 1, model_mailbox_name(mailbox)) != STORE_OK)
        return false;
    *box = (struct model_mailbox){0};
    return true;
}

bool
model_operate(struct model *model, struct store *store, model_random_fn random, void *context)
{
    switch (random(context, 16)) {
    case 0:
    case 1:
    case 2:
        return expunge(model, store, random, context);
    case 3:
    case 4:
        return change_flags(model, store, random, context);
    case 5:
        return copy(model, store, random, context);
    case 6:
        return remove_mailbox(model, store, random, context);
    default:
        return deliver(model, store, random, context);
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

struct comparison {
    const struct model_mailbox *box;
    struct store *store;
    size_t seen;
    uint64_t bytes;
    uint32_t unseen;
    const char *difference;
};

static void
compare_octets(void *context, enum store_result result, struct slice bytes)
{
    struct comparison *comparison = context;
    static uint8_t memory[MODEL_TEXT_MAX];
    struct slice wanted = model_text(comparison->box->messages[comparison->seen].text, memory);

    if (result != STORE_OK || !slice_equal(bytes, wanted))
        comparison->difference = "its octets differ";
}

static void
compare_record(void *context, enum store_result result, struct slice bytes)
{
    struct comparison *comparison = context;
    struct slice wanted = record_of(comparison->box->messages[comparison->seen].text);

    if (result != STORE_OK || !slice_equal(bytes, wanted))
        comparison->difference = "its parse record differs";
}

static bool
compare_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct comparison *comparison = context;
    const struct model_mailbox *box = comparison->box;

    if (comparison->seen == box->count)
        comparison->difference = "it has a message too many";
    else if (uid != box->messages[comparison->seen].uid)
        comparison->difference = "its uids differ";
    else if (entry->flags != box->messages[comparison->seen].flags)
        comparison->difference = "its flags differ";
    if (comparison->difference)
        return false;
    mailbox_body_read(comparison->store, entry->body, 0, MODEL_TEXT_MAX, compare_octets,
                      comparison);
    mailbox_record_read(comparison->store, entry->body, compare_record, comparison);
    comparison->bytes += entry->len;
    comparison->unseen += !(entry->flags & MESSAGE_SEEN);
    comparison->seen++;
    return !comparison->difference;
}

static const char *
compare_mailbox(const struct model_mailbox *box, struct store *store, account_id account,
                struct slice name)
{
    struct comparison comparison = {.box = box, .store = store};
    struct mailbox_entry entry;
    mailbox_id id;

    enum store_result found = mailbox_find(store, account, name, &id);
    if (!box->is_there)
        return found == STORE_NOT_FOUND ? NULL : "it should not be there";
    if (found != STORE_OK || mailbox_get(store, account, id, &entry) != STORE_OK)
        return "it is missing";
    if (mailbox_message_list(store, account, id, 0, compare_message, &comparison) != STORE_OK)
        return "it cannot be listed";
    if (comparison.difference)
        return comparison.difference;
    if (comparison.seen != box->count)
        return "it lacks a message";
    if (entry.uid_next != box->uid_next)
        return "its next uid differs";
    if (entry.messages != box->count || entry.bytes != comparison.bytes ||
        entry.unseen != comparison.unseen)
        return "its counts differ";
    return NULL;
}

bool
model_matches(const struct model *model, struct store *store, bool is_loud)
{
    for (size_t account = 0; account < MODEL_ACCOUNTS; account++) {
        for (size_t mailbox = 0; mailbox < MODEL_MAILBOXES; mailbox++) {
            struct slice name = model_mailbox_name(mailbox);
            const char *difference =
                compare_mailbox(&model->mailboxes[account][mailbox], store, account + 1, name);
            if (!difference)
                continue;
            if (is_loud)
                fprintf(stderr, "account %zu, mailbox %.*s: %s\n", account + 1, (int)name.len,
                        (const char *)name.at, difference);
            return false;
        }
    }
    return true;
}
