/* SPDX-License-Identifier: ISC */
#include "mailbox/annotation.h"

#include "mailbox/store_private.h"

static bool
count_one(void *context, mailbox_id mailbox, struct slice name, struct slice value)
{
    size_t *count = context;

    (void)mailbox;
    (void)name;
    (void)value;
    ++*count;
    return true;
}

static void
put(struct store *store, account_id account, mailbox_id mailbox, struct slice name,
    struct slice value)
{
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    buffer_put(&store->scratch, value);
    store_put_entry(store, key_annotation(account, mailbox, name));
}

/* STORE_OK, or why they cannot all be put. */
static enum store_result
check(struct store *store, account_id account, mailbox_id mailbox,
      const struct annotation *annotations, size_t count)
{
    struct slice there;
    size_t total = 0;
    enum store_result result =
        mailbox_annotation_list(store, account, mailbox, false, count_one, &total);

    for (size_t i = 0; result == STORE_OK && i < count; i++) {
        const struct annotation *one = &annotations[i];
        if (slice_is_empty(one->name) || one->name.len > ANNOTATION_NAME_MAX ||
            one->value.len > ANNOTATION_LEN_MAX)
            return STORE_LIMIT;
        int got = store_draft_get(store, key_annotation(account, mailbox, one->name), &there);
        if (got < 0 && got != -ENOENT)
            result = store_result_of(got);
        else if (one->value.at && got == -ENOENT && ++total > ANNOTATIONS_MAX)
            result = STORE_LIMIT;
    }
    return result;
}

enum store_result
mailbox_annotations_set(struct store *store, account_id account, mailbox_id mailbox,
                        const struct annotation *annotations, size_t count)
{
    enum store_result result =
        account == 0 ? STORE_NOT_FOUND : check(store, account, mailbox, annotations, count);

    for (size_t i = 0; result == STORE_OK && i < count; i++) {
        if (annotations[i].value.at)
            put(store, account, mailbox, annotations[i].name, annotations[i].value);
        else
            store_del(store, key_annotation(account, mailbox, annotations[i].name));
    }
    return result;
}

enum store_result
mailbox_annotation_list(struct store *store, account_id account, mailbox_id mailbox, bool is_all,
                        mailbox_annotation_fn fn, void *context)
{
    struct key prefix = is_all ? key_prefix_kind(account, KEY_ANNOTATION)
                               : key_prefix_mailbox(account, KEY_ANNOTATION, mailbox);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) || value.len == 0 || value.at[0] != ENTRY_VERSION)
            continue; /* a newer one */
        if (!fn(context, (mailbox_id)parts.number, parts.text, slice_skip(value, 1)))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

struct copying {
    struct store *store;
    account_id account;
    mailbox_id to;
};

static bool
copy_one(void *context, mailbox_id mailbox, struct slice name, struct slice value)
{
    struct copying *copying = context;

    (void)mailbox;
    put(copying->store, copying->account, copying->to, name, value);
    return true;
}

enum store_result
store_annotations_copy(struct store *store, account_id account, mailbox_id from, mailbox_id to)
{
    struct copying copying = {store, account, to};

    return mailbox_annotation_list(store, account, from, false, copy_one, &copying);
}
