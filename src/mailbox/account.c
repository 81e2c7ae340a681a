/* SPDX-License-Identifier: ISC */
#include "mailbox/account.h"

#include "mailbox/store_private.h"

enum store_result
mailbox_account_get(struct store *store, account_id account, struct account_entry *ret_entry)
{
    struct slice value;
    int result = account == 0 ? -ENOENT : store_view_get(store, key_account(account), &value);

    if (result == 0 && !account_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

enum store_result
mailbox_account_set_quota(struct store *store, account_id account, uint64_t bytes,
                          uint64_t messages)
{
    struct account_entry entry = {.next_mailbox = 1, .created = host_wall(store->options.host)};
    enum store_result result = store_account_load(store, account, &entry);

    if (account == 0 || (result != STORE_OK && result != STORE_NOT_FOUND))
        return result;
    if (result == STORE_OK && entry.quota_bytes == bytes && entry.quota_messages == messages)
        return STORE_OK;
    entry.quota_bytes = bytes;
    entry.quota_messages = messages;
    store_account_save(store, account, &entry);
    return STORE_OK;
}

static bool
has_room(uint64_t quota, uint64_t used, uint64_t more, uint64_t gone)
{
    if (quota == 0 || more <= gone)
        return true;
    return used <= quota && more - gone <= quota - used;
}

enum store_result
mailbox_account_has_room_for(struct store *store, account_id account,
                             const struct account_growth *growth)
{
    struct account_entry entry;
    enum store_result result = store_account_load(store, account, &entry);

    if (result != STORE_OK)
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    return has_room(entry.quota_messages, entry.messages, growth->messages,
                    growth->messages_gone) &&
                   has_room(entry.quota_bytes, entry.bytes, growth->bytes, growth->bytes_gone)
               ? STORE_OK
               : STORE_QUOTA;
}

enum store_result
mailbox_account_has_room(struct store *store, account_id account, uint64_t len)
{
    const struct account_growth growth = {.messages = 1, .bytes = len};

    return mailbox_account_has_room_for(store, account, &growth);
}

enum store_result
mailbox_account_remove(struct store *store, account_id account)
{
    struct key key = key_account(account), prefix = key_prefix_kind(account, KEY_MAILBOX);
    struct account_entry entry;
    struct mailbox_entry mailbox;
    struct view_scan scan;
    struct slice name, value;
    struct key_parts parts;

    if (draft_has(&store->draft, key_slice(&key)))
        return STORE_BUSY;
    enum store_result result = store_account_load(store, account, &entry);
    if (result != STORE_OK)
        return result;
    int opened = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (opened < 0)
        return store_result_of(opened);
    while (view_scan_next(&scan, &name, &value)) {
        if (key_parse(name, &parts) && mailbox_entry_take(value, &mailbox))
            store_mailbox_drop(store, account, (mailbox_id)parts.number, &mailbox, &entry);
    }
    view_scan_close(&scan);
    /* Mailbox 0 stands for the idempotency keys of imports. */
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    store_put_entry(store, key_purge(account, 0));
    store_owner_forget(store, account);
    entry.bytes = entry.messages = 0;
    entry.modseq++;
    store_account_save(store, account, &entry);
    return STORE_OK;
}

/* The next account above `after`: account keys lie far apart, one step of the tree each. */
static bool
next_account(struct store *store, account_id after, account_id *ret_account,
             struct account_entry *ret_entry)
{
    struct key from = key_account(after + 1);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    bool is_found = false;

    if (after == UINT64_MAX ||
        view_scan_open(store->view, NULL, slice_of("", 0), key_slice(&from), &scan) < 0)
        return false;
    while (!is_found && view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) || parts.kind != KEY_ACCOUNT)
            break; /* an account's own record is its first */
        is_found = account_entry_take(value, ret_entry);
        *ret_account = parts.account;
    }
    view_scan_close(&scan);
    return is_found;
}

enum store_result
mailbox_account_list(struct store *store, account_id after, mailbox_account_fn fn, void *context)
{
    struct account_entry entry;
    account_id account;

    if (store->is_broken)
        return STORE_TEMPORARY;
    while (next_account(store, after, &account, &entry)) {
        if (!fn(context, account, &entry))
            break;
        after = account;
    }
    return store_scanned(store);
}
