/* SPDX-License-Identifier: ISC */
#include "mailbox/acl.h"

#include "mailbox/store_private.h"

bool
mailbox_identifier_is_valid(struct slice identifier)
{
    if (slice_is_empty(identifier) || identifier.len > IDENTIFIER_MAX ||
        slice_equal(identifier, SLICE("-")))
        return false;
    for (size_t i = 0; i < identifier.len; i++) {
        if (identifier.at[i] <= 0x20 || identifier.at[i] == 0x7F || identifier.at[i] == '/')
            return false;
    }
    return true;
}

static bool
count_one(void *context, struct slice identifier, unsigned rights)
{
    size_t *count = context;

    (void)identifier;
    (void)rights;
    ++*count;
    return true;
}

static void
put(struct store *store, account_id account, mailbox_id mailbox, struct slice identifier,
    unsigned rights)
{
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    buffer_put_le16(&store->scratch, (uint16_t)rights);
    store_put_entry(store, key_acl(account, mailbox, identifier));
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    store_put_entry(store, key_share(identifier, account, mailbox));
}

static bool
take(struct slice value, unsigned *ret_rights)
{
    struct cursor cursor = cursor_of(value);
    uint8_t version;
    uint16_t rights;

    if (!cursor_take_le8(&cursor, &version) || version != ENTRY_VERSION ||
        !cursor_take_le16(&cursor, &rights))
        return false; /* a newer one gives nothing */
    *ret_rights = rights & RIGHTS_ALL;
    return true;
}

enum store_result
mailbox_acl_set(struct store *store, account_id account, mailbox_id mailbox,
                struct slice identifier, unsigned rights)
{
    struct slice there;
    size_t count = 0;

    if (!mailbox_identifier_is_valid(identifier))
        return STORE_INVALID;
    if ((rights & RIGHTS_ALL) == 0) {
        store_del(store, key_acl(account, mailbox, identifier));
        store_del(store, key_share(identifier, account, mailbox));
        return STORE_OK;
    }
    int got = store_draft_get(store, key_acl(account, mailbox, identifier), &there);
    if (got < 0 && got != -ENOENT)
        return store_result_of(got);
    if (got == -ENOENT) {
        enum store_result result = mailbox_acl_list(store, account, mailbox, count_one, &count);
        if (result != STORE_OK)
            return result;
        if (count >= ACL_ENTRIES_MAX)
            return STORE_LIMIT;
    }
    put(store, account, mailbox, identifier, rights & RIGHTS_ALL);
    return STORE_OK;
}

unsigned
mailbox_acl_get(struct store *store, account_id account, mailbox_id mailbox,
                struct slice identifier)
{
    struct slice value;
    unsigned rights = 0;

    if (!mailbox_identifier_is_valid(identifier) ||
        store_draft_get(store, key_acl(account, mailbox, identifier), &value) != 0 ||
        !take(value, &rights))
        return 0;
    return rights;
}

enum store_result
mailbox_acl_list(struct store *store, account_id account, mailbox_id mailbox, mailbox_acl_fn fn,
                 void *context)
{
    struct key prefix = key_prefix_mailbox(account, KEY_ACL, mailbox);
    struct view_scan scan;
    struct slice key, value;
    struct key_parts parts;
    unsigned rights;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        if (!key_parse(key, &parts) || !take(value, &rights))
            continue;
        if (!fn(context, parts.text, rights))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

/* "-" before an identifier, which leaves room for it. */
static struct slice
negative(struct slice identifier, uint8_t memory[IDENTIFIER_MAX])
{
    memory[0] = '-';
    memcpy(memory + 1, identifier.at, identifier.len);
    return slice_of(memory, identifier.len + 1);
}

unsigned
mailbox_rights(struct store *store, account_id account, mailbox_id mailbox, struct slice user)
{
    uint8_t memory[IDENTIFIER_MAX];
    /* A name that begins with "-" would be taken for what takes rights away. */
    bool has_entry = !slice_starts_with(user, SLICE("-"));
    unsigned given = mailbox_acl_get(store, account, mailbox, SLICE("anyone")) |
                     (has_entry ? mailbox_acl_get(store, account, mailbox, user) : 0);

    if (given == 0 || user.len >= IDENTIFIER_MAX) /* no name is so long */
        return 0;
    unsigned taken = mailbox_acl_get(store, account, mailbox, SLICE("-anyone")) |
                     mailbox_acl_get(store, account, mailbox, negative(user, memory));
    /* What takes rights away must not be missing because it could not be read. */
    return store_is_readable(store) ? given & ~taken : 0;
}

struct copying {
    struct store *store;
    account_id account;
    mailbox_id to;
};

static bool
copy_one(void *context, struct slice identifier, unsigned rights)
{
    struct copying *copying = context;

    put(copying->store, copying->account, copying->to, identifier, rights);
    return true;
}

enum store_result
mailbox_acl_copy(struct store *store, account_id account, mailbox_id from, mailbox_id to)
{
    struct copying copying = {store, account, to};

    return mailbox_acl_list(store, account, from, copy_one, &copying);
}
