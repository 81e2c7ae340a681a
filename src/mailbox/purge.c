/* SPDX-License-Identifier: ISC */
#include "mailbox/purge.h"

#include "mailbox/store_private.h"

/* The first mailbox that waits to be purged. */
static bool
find_work(struct store *store, account_id *ret_account, mailbox_id *ret_mailbox)
{
    struct key prefix = key_prefix_kind(0, KEY_PURGE);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    bool is_found = false;

    if (view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan) < 0)
        return false;
    while (!is_found && view_scan_next(&scan, &key, &value)) {
        is_found = key_parse(key, &parts);
        *ret_account = is_found ? parts.number : 0;
        *ret_mailbox = is_found ? (mailbox_id)parts.item : 0;
    }
    view_scan_close(&scan);
    return is_found;
}

/* Drops keys below a prefix while there is room in the step. */
static size_t
drop_keys(struct store *store, struct key prefix, size_t room)
{
    struct view_scan scan;
    struct slice key, value;
    struct message_entry message;
    size_t count = 0;
    bool is_message = prefix.bytes[8] == KEY_MESSAGE, is_acl = prefix.bytes[8] == KEY_ACL;
    struct key_parts parts;

    if (room == 0 ||
        view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan) < 0)
        return 0;
    while (count < room && view_scan_next(&scan, &key, &value)) {
        draft_del(&store->draft, key);
        if (is_message && message_entry_take(value, &message))
            store_body_refer(store, message.body, -1);
        if (is_acl && key_parse(key, &parts))
            store_del(store, key_share(parts.text, parts.account, (mailbox_id)parts.number));
        count++;
    }
    view_scan_close(&scan);
    return count;
}

enum store_result
store_purge(struct store *store, size_t *ret_count)
{
    static const enum key_kind kinds[] = {KEY_MESSAGE, KEY_EXPUNGE, KEY_KEYWORD, KEY_ANNOTATION,
                                          KEY_ACL};
    account_id account;
    mailbox_id mailbox;
    size_t count = 0;

    assert(!store_has_pending(store));
    *ret_count = 0;
    if (store->is_broken)
        return STORE_TEMPORARY;
    if (!find_work(store, &account, &mailbox))
        return STORE_OK;
    if (mailbox == 0) {
        count = drop_keys(store, key_prefix_kind(account, KEY_IMPORT), PURGE_STEP);
        count +=
            drop_keys(store, key_prefix_mailbox(account, KEY_ANNOTATION, 0), PURGE_STEP - count);
        count += drop_keys(store, key_prefix_kind(account, KEY_FOLLOWED), PURGE_STEP - count);
        count += drop_keys(store, key_prefix_kind(account, KEY_URL), PURGE_STEP - count);
    }
    for (size_t i = 0; mailbox != 0 && i < COUNT_OF(kinds); i++)
        count +=
            drop_keys(store, key_prefix_mailbox(account, kinds[i], mailbox), PURGE_STEP - count);
    if (count < PURGE_STEP) {
        store_del(store, key_purge(account, mailbox));
        count++;
    }
    *ret_count = count;
    return STORE_OK;
}
