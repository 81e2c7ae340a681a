/* SPDX-License-Identifier: ISC */
/* Records as the draft has them: what account.c, mailbox.c and message.c are written on. */
#include "mailbox/store_private.h"

void
store_put_entry(struct store *store, struct key key)
{
    draft_put(&store->draft, key_slice(&key), buffer_slice(&store->scratch));
}

void
store_del(struct store *store, struct key key)
{
    draft_del(&store->draft, key_slice(&key));
}

enum store_result
store_account_load(struct store *store, account_id account, struct account_entry *ret_entry)
{
    struct slice value;
    int result = account == 0 ? -ENOENT : store_draft_get(store, key_account(account), &value);

    if (result == 0 && !account_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

void
store_account_save(struct store *store, account_id account, const struct account_entry *entry)
{
    buffer_clear(&store->scratch);
    account_entry_put(&store->scratch, entry);
    store_put_entry(store, key_account(account));
}

enum store_result
store_mailbox_load(struct store *store, account_id account, mailbox_id mailbox,
                   struct mailbox_entry *ret_entry)
{
    struct slice value;
    int result = store_draft_get(store, key_mailbox(account, mailbox), &value);

    if (result == 0 && !mailbox_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

void
store_mailbox_save(struct store *store, account_id account, mailbox_id mailbox,
                   const struct mailbox_entry *entry)
{
    buffer_clear(&store->scratch);
    mailbox_entry_put(&store->scratch, entry);
    store_put_entry(store, key_mailbox(account, mailbox));
}

enum store_result
store_message_load(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                   struct message_entry *ret_entry)
{
    struct slice value;
    int result = store_draft_get(store, key_message(account, mailbox, uid), &value);

    if (result == 0 && !message_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

void
store_message_save(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid,
                   const struct message_entry *entry)
{
    buffer_clear(&store->scratch);
    message_entry_put(&store->scratch, entry);
    store_put_entry(store, key_message(account, mailbox, uid));
}

struct turn_body *
store_pending_body(struct store *store, body_id body)
{
    /* Bodies of a turn have rising numbers; the one asked for is nearly always the last. */
    for (size_t i = store->body_count; i > 0; i--) {
        if (store->bodies[i - 1].id == body)
            return &store->bodies[i - 1];
        if (store->bodies[i - 1].id < body)
            break;
    }
    return NULL;
}

void
store_body_refer(struct store *store, body_id body, int difference)
{
    struct key key = key_body(body);
    struct body_entry entry;
    struct slice value;

    if (store_draft_get(store, key, &value) < 0 || !body_entry_take(value, &entry))
        return;
    int64_t refs = (int64_t)entry.refs + difference;
    if (refs <= 0) {
        store_del(store, key);
        return;
    }
    entry.refs = (uint32_t)refs;
    buffer_clear(&store->scratch);
    body_entry_put(&store->scratch, &entry);
    store_put_entry(store, key);
}
