/* SPDX-License-Identifier: ISC */
/* Mailboxes that access processes watch: each turn's changes, told once to each process however
 * many of its sessions have the mailbox selected. */
#include "role/store/reach.h"
#include "role/store/store_role.h"

#include <stdlib.h>

enum {
    WATCHES_MAX = 200000, /* of one access process */
    ROWS_PER_NOTE = ACCESS_STORE_CHANGES_ROWS_MAX,
    RANGES_PER_NOTE = ACCESS_STORE_CHANGES_VANISHED_MAX,
};

struct watch {
    struct list link;    /* of its mailbox */
    struct list sibling; /* of its process */
    struct store_access *access;
    struct watched *watched;
    uint64_t id;
    account_id holder; /* has a session in the process, and may read the mailbox */
};

struct watched_key {
    account_id account;
    uint64_t mailbox;
};

struct watched {
    struct watched_key key;
    struct list watches;
    struct list touched;
    struct buffer rows;     /* struct access_store_column */
    struct buffer vanished; /* uint32_t */
    uint64_t modseq;
    uint32_t uid_next;
    bool has_keyword, is_gone, has_rights;
    /* Mailbox 0: that something of the account has changed is all that is told. */
    bool is_account;
    struct list account_link; /* in role->watched_accounts */
    uint8_t *user;            /* owned; what the account is called */
    size_t user_len;
};

static struct slice
user_of(const struct watched *watched)
{
    return slice_of(watched->user, watched->user_len);
}

static void
drop(struct watch *watch)
{
    struct watched *watched = watch->watched;
    struct store_role *role = watch->access->role;

    list_remove(&watch->link);
    list_remove(&watch->sibling);
    watch->access->watch_count--;
    free(watch);
    if (!list_is_empty(&watched->watches))
        return;
    (void)!map_remove(&role->watched, slice_of(&watched->key, sizeof(watched->key)));
    list_remove(&watched->touched);
    list_remove(&watched->account_link);
    buffer_finish(&watched->rows);
    buffer_finish(&watched->vanished);
    free(watched->user);
    free(watched);
}

void
watching_close(struct store_access *access, uint64_t id)
{
    LIST_EACH (link, &access->watches) {
        struct watch *watch = LIST_ITEM(link, struct watch, sibling);
        if (watch->id == id) {
            drop(watch);
            return;
        }
    }
}

void
watchings_drop(struct store_access *access)
{
    LIST_EACH (link, &access->watches)
        drop(LIST_ITEM(link, struct watch, sibling));
}

static bool
may_hold(struct store_role *role, const struct watched_key *key, account_id account,
         struct slice user)
{
    struct reach reach = reach_of(role, account, user);
    struct reached reached;

    return reach_get(&reach, key->account, (mailbox_id)key->mailbox, RIGHT_READ, &reached) ==
           STORE_OK;
}

/* Another account that speaks through the process takes the watch over, if one may. */
static bool
find_holder(struct watch *watch)
{
    const struct watched_key *key = &watch->watched->key;
    struct store_access *access = watch->access;
    account_id account;
    struct slice user;
    size_t place = 0;

    if (key->mailbox == 0)
        return false;
    if (watch->holder == key->account &&
        !reach_is_shared(access->role->store, key->account, (mailbox_id)key->mailbox))
        return false;
    while (readers_next(access->role, access->index, &place, &account, &user)) {
        if (may_hold(access->role, key, account, user)) {
            watch->holder = account;
            return true;
        }
    }
    return false;
}

void
watchings_leave(struct store_access *access, account_id account)
{
    LIST_EACH (link, &access->watches) {
        struct watch *watch = LIST_ITEM(link, struct watch, sibling);
        if (watch->holder == account && !find_holder(watch))
            drop(watch);
    }
}

static struct watched *
find_or_make(struct store_role *role, account_id account, mailbox_id mailbox)
{
    struct watched_key key = {account, mailbox};
    struct watched *watched = map_find(&role->watched, slice_of(&key, sizeof(key)));

    if (watched)
        return watched;
    watched = calloc(1, sizeof(*watched));
    if (!watched)
        abort();
    watched->key = key;
    watched->is_account = mailbox == 0;
    list_init(&watched->watches);
    list_init(&watched->touched);
    list_init(&watched->account_link);
    buffer_init(&watched->rows, SIZE_MAX / 2);
    buffer_init(&watched->vanished, SIZE_MAX / 2);
    (void)!map_set(&role->watched, slice_of(&watched->key, sizeof(key)), watched);
    return watched;
}

static void
name_account(struct store_role *role, struct watched *watched, struct slice user)
{
    watched->user = malloc(user.len + 1);
    if (!watched->user)
        abort();
    memcpy(watched->user, user.at, user.len);
    watched->user_len = user.len;
    list_append(&role->watched_accounts, &watched->account_link);
}

void
watching_open(struct store_access *access, uint64_t id, const struct grant *grant,
              account_id account, mailbox_id mailbox)
{
    if (access->watch_count == WATCHES_MAX)
        return; /* it will not be told of changes; it asked for more than it can want */
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        abort();
    watch->access = access;
    watch->id = id;
    watch->holder = grant->account;
    watch->watched = find_or_make(access->role, account, mailbox);
    if (watch->watched->is_account && !watch->watched->user)
        name_account(access->role, watch->watched, grant_user(grant));
    list_append(&watch->watched->watches, &watch->link);
    list_prepend(&access->watches, &watch->sibling);
    access->watch_count++;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
send_note(struct store_access *access, bool is_put)
{
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&access->role->note), HOST_HANDLE_NONE);
}

void
watching_tell_keywords(struct store_access *access, uint64_t id, account_id account,
                       mailbox_id mailbox)
{
    struct store_role *role = access->role;
    struct access_store_keyword names[KEYWORDS_MAX];
    struct access_store_keywords note = {.watch = id, .names = {names, 0}};
    struct mailbox_entry entry;

    if (mailbox_get(role->store, account, mailbox, &entry) != STORE_OK)
        return;
    for (uint8_t i = 0; i < entry.keywords; i++) {
        struct slice name;
        if (mailbox_keyword_name(role->store, account, mailbox, i, &name) != STORE_OK)
            name = slice_of("", 0);
        names[note.names.count++].name = name;
    }
    buffer_clear(&role->note);
    send_note(access, access_store_put_keywords(&role->note, &access->ledger, &note));
}

static void
tell_changes(struct watched *watched, const struct access_store_column *rows, size_t row_count,
             const struct access_store_uid_range *ranges, size_t range_count)
{
    LIST_EACH (link, &watched->watches) {
        struct watch *watch = LIST_ITEM(link, struct watch, link);
        struct buffer *buffer = &watch->access->role->note;
        struct access_store_changes note = {
            .watch = watch->id,
            .modseq = watched->modseq,
            .uid_next = watched->uid_next,
            .rows = {rows, row_count},
            .vanished = {ranges, range_count},
            .is_gone = watched->is_gone,
            .are_rights = watched->has_rights,
        };
        if (!watch->access->channel)
            continue;
        buffer_clear(buffer);
        send_note(watch->access, access_store_put_changes(buffer, &watch->access->ledger, &note));
    }
}

static int
compare_columns(const void *left, const void *right)
{
    const struct access_store_column *a = left, *b = right;

    return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static int
compare_numbers(const void *left, const void *right)
{
    const uint32_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

static void
tell_rows(struct watched *watched)
{
    size_t count = buffer_len(&watched->rows) / sizeof(struct access_store_column);
    struct access_store_column *rows =
        (void *)(watched->rows.at + (count ? watched->rows.start : 0));

    if (count > 0)
        qsort(rows, count, sizeof(*rows), compare_columns);
    for (size_t at = 0; at < count; at += ROWS_PER_NOTE)
        tell_changes(watched, rows + at,
                     count - at < ROWS_PER_NOTE ? count - at : (size_t)ROWS_PER_NOTE, NULL, 0);
    buffer_finish(&watched->rows);
}

static void
tell_vanished(struct watched *watched)
{
    size_t count = buffer_len(&watched->vanished) / sizeof(uint32_t), ranges_count = 0;
    uint32_t *uids = (void *)(watched->vanished.at + (count ? watched->vanished.start : 0));
    struct access_store_uid_range *ranges = calloc(RANGES_PER_NOTE, sizeof(*ranges));

    if (!ranges)
        abort();
    if (count > 0)
        qsort(uids, count, sizeof(*uids), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        if (ranges_count > 0 && ranges[ranges_count - 1].last + 1 == uids[i]) {
            ranges[ranges_count - 1].last = uids[i];
            continue;
        }
        if (ranges_count == RANGES_PER_NOTE) {
            tell_changes(watched, NULL, 0, ranges, ranges_count);
            ranges_count = 0;
        }
        ranges[ranges_count++] = (struct access_store_uid_range){uids[i], uids[i]};
    }
    if (ranges_count > 0 || watched->is_gone || watched->is_account || watched->has_rights)
        tell_changes(watched, NULL, 0, ranges, ranges_count);
    free(ranges);
    buffer_finish(&watched->vanished);
}

/* All processes have been told; those in which nobody may read the mailbox any more hear no more.
 * With its last watch `watched` goes. */
static void
review_holders(struct watched *watched)
{
    size_t left = 0;

    LIST_EACH (link, &watched->watches)
        left++;
    for (; left > 0; left--) {
        struct watch *watch = LIST_ITEM(watched->watches.next, struct watch, link);
        list_remove(&watch->link);
        list_append(&watched->watches, &watch->link);
        if (watch->holder != watched->key.account && !find_holder(watch))
            drop(watch);
    }
}

static void
tell(struct watched *watched)
{
    if (watched->has_keyword) {
        LIST_EACH (link, &watched->watches) {
            struct watch *watch = LIST_ITEM(link, struct watch, link);
            if (watch->access->channel)
                watching_tell_keywords(watch->access, watch->id, watched->key.account,
                                       (mailbox_id)watched->key.mailbox);
        }
    }
    tell_rows(watched);
    tell_vanished(watched);
    bool has_rights = watched->has_rights;
    watched->has_keyword = watched->is_gone = watched->has_rights = false;
    if (has_rights)
        review_holders(watched);
}

/* ---- what a turn did ------------------------------------------------------------------------- */

static void
take_message(struct watched *watched, uint32_t uid, const struct turn_change *change)
{
    struct message_entry entry;

    if (!change->is_put) {
        buffer_put(&watched->vanished, slice_of(&uid, sizeof(uid)));
    } else if (message_entry_take(change->value, &entry)) {
        struct access_store_column row = {
            .uid = uid,
            .flags = (uint8_t)entry.flags,
            .keywords = entry.keywords,
            .modseq = entry.modseq,
        };
        buffer_put(&watched->rows, slice_of(&row, sizeof(row)));
    }
}

static void
take_change(struct watched *watched, const struct key_parts *parts,
            const struct turn_change *change)
{
    struct mailbox_entry entry;

    if (parts->kind == KEY_MESSAGE) {
        take_message(watched, (uint32_t)parts->item, change);
    } else if (parts->kind == KEY_KEYWORD) {
        watched->has_keyword = true;
    } else if (parts->kind == KEY_ACL) {
        watched->has_rights = true;
    } else if (!change->is_put) {
        watched->is_gone = true;
    } else if (mailbox_entry_take(change->value, &entry)) {
        watched->modseq = entry.modseq;
        watched->uid_next = entry.uid_next;
    }
}

static void
touch(struct store_role *role, struct watched *watched)
{
    list_remove(&watched->touched);
    list_append(&role->watched_touched, &watched->touched);
}

/* What others share with the account is among what it may want to hear of. */
static void
touch_friends(struct store_role *role, const struct key_parts *parts)
{
    mailbox_id mailbox = (mailbox_id)parts->number;

    if (list_is_empty(&role->watched_accounts) ||
        !reach_is_shared(role->store, parts->account, mailbox))
        return;
    LIST_EACH (link, &role->watched_accounts) {
        struct watched *watched = LIST_ITEM(link, struct watched, account_link);
        if (watched->key.account != parts->account &&
            mailbox_rights(role->store, parts->account, mailbox, user_of(watched)) != 0)
            touch(role, watched);
    }
}

/* Those whose rights have changed. */
static void
touch_named(struct store_role *role, struct slice identifier)
{
    if (slice_starts_with(identifier, SLICE("-")))
        identifier = slice_skip(identifier, 1);
    bool is_anyone = slice_equal(identifier, SLICE("anyone"));
    LIST_EACH (link, &role->watched_accounts) {
        struct watched *watched = LIST_ITEM(link, struct watched, account_link);
        if (is_anyone || slice_equal(user_of(watched), identifier))
            touch(role, watched);
    }
}

/* Names, counts, subscriptions and annotations; each message that comes or goes changes a count. */
static void
touch_account(struct store_role *role, const struct key_parts *parts)
{
    struct watched_key key = {parts->account, 0};
    bool is_telling = parts->kind == KEY_MAILBOX || parts->kind == KEY_NAME ||
                      parts->kind == KEY_ANNOTATION || parts->kind == KEY_FOLLOWED;
    struct watched *watched =
        is_telling ? map_find(&role->watched, slice_of(&key, sizeof(key))) : NULL;

    if (watched)
        touch(role, watched);
    if (parts->kind == KEY_MAILBOX)
        touch_friends(role, parts);
    else if (parts->kind == KEY_ACL)
        touch_named(role, parts->text);
}

static void
on_turn(void *context, const struct turn_change *changes, size_t count)
{
    struct store_role *role = context;
    struct key_parts parts;

    if (role->watched.count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!key_parse(changes[i].key, &parts))
            continue;
        touch_account(role, &parts);
        if (parts.kind != KEY_MESSAGE && parts.kind != KEY_KEYWORD && parts.kind != KEY_MAILBOX &&
            parts.kind != KEY_ACL)
            continue;
        struct watched_key key = {parts.account, parts.number};
        struct watched *watched = map_find(&role->watched, slice_of(&key, sizeof(key)));
        if (!watched)
            continue;
        take_change(watched, &parts, &changes[i]);
        touch(role, watched);
    }
    LIST_EACH (link, &role->watched_touched) {
        list_remove(link);
        tell(LIST_ITEM(link, struct watched, touched));
    }
}

void
watchings_start(struct store_role *role)
{
    store_set_watcher(role->store, on_turn, role);
}

void
watchings_close(struct store_role *role)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (role->access[i])
            watchings_drop(role->access[i]);
    }
    map_finish(&role->watched);
}
