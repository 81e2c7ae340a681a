/* SPDX-License-Identifier: ISC */
#include "mailbox/url_key.h"

#include "mailbox/store_private.h"

enum store_result
mailbox_url_key_get(struct store *store, account_id account, account_id owner, mailbox_id mailbox,
                    uint8_t ret_key[URL_KEY_LEN])
{
    struct slice value;
    int got = store_draft_get(store, key_url(account, owner, mailbox), &value);

    if (got == 0 && (value.len != 1 + URL_KEY_LEN || value.at[0] != ENTRY_VERSION))
        got = -ENOENT; /* a newer one */
    if (got == 0)
        memcpy(ret_key, value.at + 1, URL_KEY_LEN);
    return store_result_of(got);
}

void
mailbox_url_key_make(struct store *store, account_id account, account_id owner, mailbox_id mailbox,
                     uint8_t ret_key[URL_KEY_LEN])
{
    host_random(store->options.host, ret_key, URL_KEY_LEN);
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    buffer_put(&store->scratch, slice_of(ret_key, URL_KEY_LEN));
    store_put_entry(store, key_url(account, owner, mailbox));
}

enum store_result
mailbox_url_key_drop(struct store *store, account_id account)
{
    struct key prefix = key_prefix_kind(account, KEY_URL);
    struct view_scan scan;
    struct slice key, value;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value))
        draft_del(&store->draft, key);
    view_scan_close(&scan);
    return STORE_OK;
}
