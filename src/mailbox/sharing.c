/* SPDX-License-Identifier: ISC */
#include "mailbox/sharing.h"

#include "mailbox/acl.h"
#include "mailbox/store_private.h"

static void
put_mark(struct store *store, struct key key)
{
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    store_put_entry(store, key);
}

/* ---- owners ---------------------------------------------------------------------------------- */

enum store_result
mailbox_owner_name(struct store *store, account_id account, struct slice *ret_name)
{
    struct slice value;
    int got = store_draft_get(store, key_owner(account), &value);

    if (got == 0 && (value.len < 2 || value.at[0] != ENTRY_VERSION))
        got = -ENOENT;
    if (got == 0)
        *ret_name = slice_skip(value, 1);
    return store_result_of(got);
}

enum store_result
mailbox_owner_find(struct store *store, struct slice name, account_id *ret_account)
{
    struct slice value;

    if (!mailbox_identifier_is_valid(name))
        return STORE_NOT_FOUND;
    int got = store_draft_get(store, key_owned(name), &value);
    if (got < 0)
        return store_result_of(got);
    struct cursor cursor = cursor_of(value);
    return cursor_take_le64(&cursor, ret_account) ? STORE_OK : STORE_DAMAGED;
}

void
store_owner_forget(struct store *store, account_id account)
{
    struct slice name;

    if (mailbox_owner_name(store, account, &name) != STORE_OK)
        return;
    store_del(store, key_owned(name));
    store_del(store, key_owner(account));
}

enum store_result
mailbox_owner_set(struct store *store, account_id account, struct slice name)
{
    account_id before;
    struct slice known;

    if (!mailbox_identifier_is_valid(name))
        return STORE_LIMIT;
    if (mailbox_owner_name(store, account, &known) == STORE_OK && slice_equal(known, name))
        return STORE_OK;
    store_owner_forget(store, account);
    if (mailbox_owner_find(store, name, &before) == STORE_OK)
        store_owner_forget(store, before);
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    buffer_put(&store->scratch, name);
    store_put_entry(store, key_owner(account));
    buffer_clear(&store->scratch);
    buffer_put_le64(&store->scratch, account);
    store_put_entry(store, key_owned(name));
    return STORE_OK;
}

/* ---- shares ---------------------------------------------------------------------------------- */

/* What lies behind the identifier in the key. */
static bool
take_place(struct slice text, size_t skip, account_id *ret_owner, mailbox_id *ret_mailbox)
{
    struct slice place = slice_skip(text, skip);
    uint64_t owner = 0, mailbox = 0;

    if (place.len != SHARE_PLACE_LEN - 1)
        return false;
    for (size_t i = 0; i < 8; i++)
        owner = owner << 8 | place.at[i];
    for (size_t i = 8; i < place.len; i++)
        mailbox = mailbox << 8 | place.at[i];
    *ret_owner = owner;
    *ret_mailbox = (mailbox_id)mailbox;
    return true;
}

enum store_result
mailbox_share_list(struct store *store, struct slice identifier, mailbox_share_fn fn, void *context)
{
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    account_id owner;
    mailbox_id mailbox;

    if (store->is_broken)
        return STORE_TEMPORARY;
    if (!mailbox_identifier_is_valid(identifier))
        return STORE_OK;
    struct key prefix = key_shares(identifier);
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) ||
            !take_place(parts.text, identifier.len + 1, &owner, &mailbox))
            continue;
        if (!fn(context, owner, mailbox))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

/* ---- subscriptions --------------------------------------------------------------------------- */

static size_t
count_followed(struct store *store, account_id account)
{
    struct key prefix = key_prefix_kind(account, KEY_FOLLOWED);
    struct view_scan scan;
    struct slice key, value;
    size_t count = 0;

    if (view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan) < 0)
        return FOLLOWED_MAX;
    while (count < FOLLOWED_MAX && view_scan_next(&scan, &key, &value))
        count++;
    view_scan_close(&scan);
    return count;
}

bool
mailbox_is_followed(struct store *store, account_id account, account_id owner, mailbox_id mailbox)
{
    struct slice value;

    return store_draft_get(store, key_followed(account, owner, mailbox), &value) == 0;
}

enum store_result
mailbox_follow(struct store *store, account_id account, account_id owner, mailbox_id mailbox,
               bool is_followed)
{
    if (!is_followed) {
        store_del(store, key_followed(account, owner, mailbox));
        return STORE_OK;
    }
    if (mailbox_is_followed(store, account, owner, mailbox))
        return STORE_OK;
    if (count_followed(store, account) == FOLLOWED_MAX)
        return STORE_LIMIT;
    put_mark(store, key_followed(account, owner, mailbox));
    return STORE_OK;
}
