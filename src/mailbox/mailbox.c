/* SPDX-License-Identifier: ISC */
#include "mailbox/mailbox.h"

#include "mailbox/account.h"
#include "mailbox/acl.h"
#include "mailbox/annotation.h"
#include "mailbox/store_private.h"

static const struct slice inbox = {(const uint8_t *)"INBOX", 5};

bool
mailbox_name_is_valid(struct slice name)
{
    size_t levels = 1;

    if (slice_is_empty(name) || name.len > MAILBOX_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        bool is_delimiter = byte == '/';
        if (byte < 0x20 || byte == 0x7F)
            return false;
        if (is_delimiter && (i == 0 || i + 1 == name.len || name.at[i - 1] == '/'))
            return false;
        levels += is_delimiter;
    }
    return levels <= MAILBOX_LEVELS_MAX;
}

bool
mailbox_name_is_free_of_controls(struct slice name)
{
    for (size_t i = 0; i + 1 < name.len; i++) {
        const uint8_t *at = name.at + i;
        if (at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0)
            return false;
        if (at[0] == 0xE2 && at[1] == 0x80 && i + 2 < name.len && (at[2] == 0xA8 || at[2] == 0xA9))
            return false;
    }
    return true;
}

/* INBOX as the first level is written in capitals (RFC 9051 §5.1). */
static struct slice
canonical(struct slice name, uint8_t memory[MAILBOX_NAME_MAX])
{
    if (name.len > MAILBOX_NAME_MAX || !slice_starts_with_nocase(name, inbox) ||
        (name.len > inbox.len && name.at[inbox.len] != '/'))
        return name;
    memcpy(memory, name.at, name.len);
    memcpy(memory, inbox.at, inbox.len);
    return slice_of(memory, name.len);
}

enum store_result
mailbox_find(struct store *store, account_id account, struct slice name, mailbox_id *ret_mailbox)
{
    uint8_t memory[MAILBOX_NAME_MAX];
    struct slice value;

    if (account == 0 || !mailbox_name_is_valid(name))
        return STORE_NOT_FOUND;
    int result = store_draft_get(store, key_name(account, canonical(name, memory)), &value);
    if (result < 0)
        return store_result_of(result);
    struct cursor cursor = cursor_of(value);
    return cursor_take_le32(&cursor, ret_mailbox) ? STORE_OK : STORE_DAMAGED;
}

enum store_result
mailbox_modseq(struct store *store, account_id account, mailbox_id mailbox, uint64_t *ret_modseq)
{
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result == STORE_OK)
        *ret_modseq = entry.modseq;
    return result;
}

enum store_result
mailbox_get(struct store *store, account_id account, mailbox_id mailbox,
            struct mailbox_entry *ret_entry)
{
    struct slice value;
    int result = store_view_get(store, key_mailbox(account, mailbox), &value);

    if (result == 0 && !mailbox_entry_take(value, ret_entry))
        result = -EBADMSG;
    return store_result_of(result);
}

static void
put_name(struct store *store, account_id account, struct slice name, mailbox_id mailbox)
{
    buffer_clear(&store->scratch);
    buffer_put_le32(&store->scratch, mailbox);
    store_put_entry(store, key_name(account, name));
}

/* Another than any before it in this account, also after the clock was set back. */
static uint32_t
next_uid_validity(struct store *store, const struct account_entry *owner)
{
    int64_t now = wall_seconds(host_wall(store->options.host));
    uint32_t seconds = now > 0 && now < UINT32_MAX ? (uint32_t)now : 1;

    return seconds > owner->uid_validity ? seconds : owner->uid_validity + 1;
}

/* `name` is canonical and free. */
static mailbox_id
make(struct store *store, account_id account, struct account_entry *owner, struct slice name)
{
    mailbox_id mailbox = owner->next_mailbox++;
    struct mailbox_entry entry = {
        .uid_validity = owner->uid_validity = next_uid_validity(store, owner),
        .uid_next = 1,
        .modseq = ++owner->modseq,
        .created = host_wall(store->options.host),
        .name = name,
    };

    entry.expunge_floor = entry.modseq;
    put_name(store, account, name, mailbox);
    store_mailbox_save(store, account, mailbox, &entry);
    store_account_save(store, account, owner);
    return mailbox;
}

/* Whether one more is too many. Only who has ever made as many is counted: what is durable, and
 * what this draft has added. INBOX can always be made. */
static bool
has_too_many(struct store *store, account_id account, const struct account_entry *owner,
             struct slice name)
{
    struct key prefix = key_prefix_kind(account, KEY_NAME);
    struct account_entry durable = {.next_mailbox = 1};
    struct view_scan scan;
    struct slice key, value;

    if (owner->next_mailbox <= ACCOUNT_MAILBOXES_MAX || slice_equal_nocase(name, inbox))
        return false;
    enum store_result result = mailbox_account_get(store, account, &durable);
    if ((result != STORE_OK && result != STORE_NOT_FOUND) ||
        view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan) < 0)
        return true;
    size_t count = owner->next_mailbox - durable.next_mailbox;
    while (count < ACCOUNT_MAILBOXES_MAX && view_scan_next(&scan, &key, &value))
        count++;
    view_scan_close(&scan);
    return count >= ACCOUNT_MAILBOXES_MAX;
}

enum store_result
mailbox_create(struct store *store, account_id account, struct slice name, mailbox_id *ret_mailbox)
{
    uint8_t memory[MAILBOX_NAME_MAX];
    struct account_entry owner = {.next_mailbox = 1, .created = host_wall(store->options.host)};
    mailbox_id mailbox;

    if (account == 0 || !mailbox_name_is_valid(name) || !mailbox_name_is_free_of_controls(name))
        return STORE_INVALID;
    enum store_result result = mailbox_find(store, account, name, &mailbox);
    if (result != STORE_NOT_FOUND)
        return result == STORE_OK ? STORE_EXISTS : result;
    result = store_account_load(store, account, &owner);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return result;
    if (owner.next_mailbox == UINT32_MAX || owner.uid_validity == UINT32_MAX ||
        has_too_many(store, account, &owner, name))
        return STORE_LIMIT;
    *ret_mailbox = make(store, account, &owner, canonical(name, memory));
    return STORE_OK;
}

enum store_result
mailbox_open(struct store *store, account_id account, struct slice name, mailbox_id *ret_mailbox)
{
    enum store_result result = mailbox_find(store, account, name, ret_mailbox);

    return result == STORE_NOT_FOUND ? mailbox_create(store, account, name, ret_mailbox) : result;
}

void
store_mailbox_drop(struct store *store, account_id account, mailbox_id mailbox,
                   const struct mailbox_entry *entry, struct account_entry *owner)
{
    store_del(store, key_name(account, entry->name));
    store_del(store, key_mailbox(account, mailbox));
    buffer_clear(&store->scratch);
    buffer_put_le8(&store->scratch, ENTRY_VERSION);
    store_put_entry(store, key_purge(account, mailbox));
    owner->bytes -= entry->bytes < owner->bytes ? entry->bytes : owner->bytes;
    owner->messages -= entry->messages < owner->messages ? entry->messages : owner->messages;
}

enum store_result
mailbox_remove(struct store *store, account_id account, struct slice name)
{
    struct account_entry owner;
    struct mailbox_entry entry;
    mailbox_id mailbox;

    if (slice_equal_nocase(name, inbox))
        return STORE_INVALID;
    enum store_result result = mailbox_find(store, account, name, &mailbox);
    if (result == STORE_OK)
        result = store_mailbox_load(store, account, mailbox, &entry);
    if (result == STORE_OK)
        result = store_account_load(store, account, &owner);
    if (result != STORE_OK)
        return result;
    store_mailbox_drop(store, account, mailbox, &entry, &owner);
    owner.modseq++;
    store_account_save(store, account, &owner);
    return STORE_OK;
}

static enum store_result
set_name(struct store *store, account_id account, mailbox_id mailbox, struct slice name)
{
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result != STORE_OK)
        return result;
    store_del(store, key_name(account, entry.name));
    put_name(store, account, name, mailbox);
    entry.name = name;
    store_mailbox_save(store, account, mailbox, &entry);
    return STORE_OK;
}

struct renaming {
    mailbox_id mailbox;
    size_t len;
    uint8_t name[MAILBOX_NAME_MAX];
};

/* The inferiors of `from` under their new names; false when one would be too long or is taken. */
static bool
gather_inferiors(struct store *store, account_id account, struct slice from, struct slice to,
                 struct buffer *renamings)
{
    struct key prefix = key_name(account, from);
    struct view_scan scan;
    struct slice key, value, there;
    bool is_good = true;

    if (view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan) < 0)
        return false;
    while (is_good && view_scan_next(&scan, &key, &value)) {
        struct slice tail = slice_skip(key, prefix.len);
        struct renaming renaming = {.len = to.len + tail.len};
        struct cursor cursor = cursor_of(value);
        if (tail.len == 0 || tail.at[0] != '/')
            continue;
        is_good = renaming.len <= MAILBOX_NAME_MAX && cursor_take_le32(&cursor, &renaming.mailbox);
        if (!is_good)
            break;
        memcpy(renaming.name, to.at, to.len);
        memcpy(renaming.name + to.len, tail.at, tail.len);
        struct slice name = slice_of(renaming.name, renaming.len);
        is_good = mailbox_name_is_valid(name) &&
                  store_draft_get(store, key_name(account, name), &there) == -ENOENT;
        buffer_put(renamings, slice_of(&renaming, sizeof(renaming)));
    }
    view_scan_close(&scan);
    return is_good && !buffer_overflowed(renamings);
}

static enum store_result
rename_inferiors(struct store *store, account_id account, struct slice from, struct slice to)
{
    struct buffer renamings;
    enum store_result result = STORE_LIMIT;

    buffer_init(&renamings, sizeof(struct renaming) * ACCOUNT_MAILBOXES_MAX);
    if (gather_inferiors(store, account, from, to, &renamings)) {
        struct slice rest = buffer_slice(&renamings);
        result = STORE_OK;
        for (; rest.len > 0 && result == STORE_OK;
             rest = slice_skip(rest, sizeof(struct renaming))) {
            struct renaming renaming;
            memcpy(&renaming, rest.at, sizeof(renaming));
            result =
                set_name(store, account, renaming.mailbox, slice_of(renaming.name, renaming.len));
        }
    }
    buffer_finish(&renamings);
    return result;
}

enum store_result
mailbox_rename(struct store *store, account_id account, struct slice from, struct slice to)
{
    uint8_t from_memory[MAILBOX_NAME_MAX], to_memory[MAILBOX_NAME_MAX];
    struct key key = key_account(account);
    struct account_entry owner;
    mailbox_id mailbox, there;

    if (!mailbox_name_is_valid(to) || !mailbox_name_is_free_of_controls(to))
        return STORE_INVALID;
    if (draft_has(&store->draft, key_slice(&key)))
        return STORE_BUSY;
    enum store_result result = mailbox_find(store, account, from, &mailbox);
    if (result != STORE_OK)
        return result;
    from = canonical(from, from_memory);
    to = canonical(to, to_memory);
    if (mailbox_find(store, account, to, &there) == STORE_OK)
        return STORE_EXISTS;
    if (to.len > from.len && slice_starts_with(to, from) && to.at[from.len] == '/' &&
        !slice_equal(from, inbox))
        return STORE_INVALID; /* into itself */
    result = store_account_load(store, account, &owner);
    if (result == STORE_OK && !slice_equal(from, inbox))
        result = rename_inferiors(store, account, from, to);
    if (result == STORE_OK)
        result = set_name(store, account, mailbox, to);
    if (result != STORE_OK)
        return result;
    owner.modseq++;
    /* INBOX goes with its messages, and a fresh one is put in its place. */
    if (slice_equal(from, inbox)) {
        mailbox_id fresh = make(store, account, &owner, inbox);
        result = mailbox_acl_copy(store, account, mailbox, fresh);
        return result == STORE_OK ? store_annotations_copy(store, account, mailbox, fresh) : result;
    }
    store_account_save(store, account, &owner);
    return STORE_OK;
}

enum store_result
mailbox_set_subscribed(struct store *store, account_id account, mailbox_id mailbox,
                       bool is_subscribed)
{
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result != STORE_OK || entry.is_subscribed == is_subscribed)
        return result;
    entry.is_subscribed = is_subscribed;
    store_mailbox_save(store, account, mailbox, &entry);
    return STORE_OK;
}

enum store_result
mailbox_adopt(struct store *store, account_id account, mailbox_id mailbox, uint32_t uid_validity)
{
    struct account_entry owner;
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result == STORE_OK)
        result = store_account_load(store, account, &owner);
    if (result != STORE_OK || entry.uid_validity == uid_validity)
        return result;
    if (uid_validity == 0 || uid_validity > UID_VALIDITY_ADOPTED_MAX)
        return STORE_LIMIT;
    if (entry.uid_next != 1)
        return STORE_EXISTS;
    entry.uid_validity = uid_validity;
    if (owner.uid_validity < uid_validity)
        owner.uid_validity = uid_validity; /* whoever takes its place has a higher one */
    store_mailbox_save(store, account, mailbox, &entry);
    store_account_save(store, account, &owner);
    return STORE_OK;
}

enum store_result
mailbox_set_use(struct store *store, account_id account, mailbox_id mailbox, uint8_t use)
{
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result != STORE_OK || entry.use == use)
        return result;
    entry.use = use & MAILBOX_USE_MAX;
    store_mailbox_save(store, account, mailbox, &entry);
    return STORE_OK;
}

enum store_result
mailbox_list(struct store *store, account_id account, mailbox_fn fn, void *context)
{
    struct key prefix = key_prefix_kind(account, KEY_NAME);
    struct mailbox_entry entry;
    struct view_scan scan;
    struct slice key, value;
    mailbox_id mailbox;

    if (store->is_broken)
        return STORE_TEMPORARY;
    int result = view_scan_open(store->view, NULL, key_slice(&prefix), key_slice(&prefix), &scan);
    if (result < 0)
        return store_result_of(result);
    while (view_scan_next(&scan, &key, &value)) {
        struct cursor cursor = cursor_of(value);
        if (!cursor_take_le32(&cursor, &mailbox) ||
            mailbox_get(store, account, mailbox, &entry) != STORE_OK)
            continue; /* check names it */
        if (!fn(context, mailbox, &entry))
            break;
    }
    view_scan_close(&scan);
    return store_scanned(store);
}

/* ---- keywords ------------------------------------------------------------------------------ */

/* atom characters of RFC 9051 §9: no controls, blanks, and none of ( ) { % * " \ ] */
static bool
is_keyword(struct slice name)
{
    static const char excluded[] = "(){%*\"\\] ";

    if (slice_is_empty(name) || name.len > KEYWORD_LEN_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] <= 0x20 || name.at[i] >= 0x7F || strchr(excluded, name.at[i]))
            return false;
    }
    return true;
}

/* Where the name stands among those of the mailbox; their count where it does not. */
static uint8_t
keyword_index(struct store *store, account_id account, mailbox_id mailbox, uint8_t count,
              struct slice name)
{
    struct slice known;

    for (uint8_t i = 0; i < count; i++) {
        if (store_draft_get(store, key_keyword(account, mailbox, i), &known) == 0 &&
            slice_equal_nocase(known, name))
            return i;
    }
    return count;
}

enum store_result
mailbox_keyword_find(struct store *store, account_id account, mailbox_id mailbox,
                     struct slice name, uint64_t *ret_bit)
{
    struct mailbox_entry entry;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);

    if (result != STORE_OK)
        return result;
    uint8_t index = keyword_index(store, account, mailbox, entry.keywords, name);
    *ret_bit = index < entry.keywords ? UINT64_C(1) << index : 0;
    return STORE_OK;
}

enum store_result
mailbox_keyword(struct store *store, account_id account, mailbox_id mailbox, struct slice name,
                uint64_t *ret_bit)
{
    struct mailbox_entry entry;

    if (!is_keyword(name))
        return STORE_LIMIT;
    enum store_result result = store_mailbox_load(store, account, mailbox, &entry);
    if (result != STORE_OK)
        return result;
    uint8_t index = keyword_index(store, account, mailbox, entry.keywords, name);
    if (index < entry.keywords) {
        *ret_bit = UINT64_C(1) << index;
        return STORE_OK;
    }
    if (entry.keywords >= KEYWORDS_MAX)
        return STORE_LIMIT;
    buffer_clear(&store->scratch);
    buffer_put(&store->scratch, name);
    store_put_entry(store, key_keyword(account, mailbox, entry.keywords));
    *ret_bit = UINT64_C(1) << entry.keywords++;
    store_mailbox_save(store, account, mailbox, &entry);
    return STORE_OK;
}

enum store_result
mailbox_keyword_name(struct store *store, account_id account, mailbox_id mailbox, uint8_t index,
                     struct slice *ret_name)
{
    return store_result_of(store_view_get(store, key_keyword(account, mailbox, index), ret_name));
}
