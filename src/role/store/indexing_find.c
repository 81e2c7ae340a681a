/* SPDX-License-Identifier: ISC */
/* Questions of sessions to the text index. It answers with bodies; which messages of the mailbox
 * they are is looked up here. */
#include "role/store/indexing.h"

#include <stdlib.h>

struct find {
    struct list link;
    struct indexing *indexing;
    struct store_access *access; /* NULL: gone */
    uint64_t id;                 /* access's number for it */
    uint64_t asked;              /* ours */
    account_id account;
    mailbox_id mailbox;
    struct buffer bodies; /* of body_id */
    uint32_t position;    /* of the index in this mailbox */
    uint32_t uid;         /* the next to look at */
    size_t looked_at;
    struct access_store_uid_range ranges[ACCESS_STORE_TEXT_FOUND_RANGES_MAX];
    size_t range_count;
};

enum { BODIES_MAX = 64 << 20 /* octets of their numbers */ };

static void
answer(struct store_access *access, bool is_put)
{
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&access->role->note), HOST_HANDLE_NONE);
}

static void
tell_end(struct store_access *access, uint64_t id, enum access_store_result result, uint32_t uid)
{
    struct access_store_text_searched note = {id, result, uid};

    buffer_clear(&access->role->note);
    answer(access, access_store_put_text_searched(&access->role->note, &access->ledger, &note));
}

static void
close_find(struct find *find, enum access_store_result result)
{
    if (find->access)
        tell_end(find->access, find->id, result, find->position);
    list_remove(&find->link);
    find->indexing->find_count--;
    buffer_finish(&find->bodies);
    free(find);
}

static struct find *
find_of(struct indexing *indexing, uint64_t asked)
{
    LIST_EACH (link, &indexing->finds) {
        struct find *find = LIST_ITEM(link, struct find, link);
        if (find->asked == asked)
            return find;
    }
    return NULL;
}

void
indexing_find(struct store_access *access, account_id account,
              const struct access_store_text_search *note)
{
    struct indexing *indexing = access->role->indexing;
    struct store_index_find question = {
        .id = indexing->ids + 1,
        .account = account,
        .mailbox = note->mailbox,
        .scope = note->scope == ACCESS_STORE_TEXT_SCOPE_TEXT ? STORE_INDEX_SCOPE_TEXT
                                                             : STORE_INDEX_SCOPE_BODY,
        .text = note->text,
    };

    if (!indexing->channel || host_channel_is_full(indexing->channel) ||
        indexing->find_count == INDEXING_FINDS_MAX) {
        tell_end(access, note->id, ACCESS_STORE_RESULT_TEMPORARY, 1);
        return;
    }
    if (!map_find(&indexing->searched, map_key_u64(&account))) {
        indexing_add(indexing, account);
        indexing_touch(access->role, account);
    }
    struct find *find = calloc(1, sizeof(*find));
    if (!find)
        abort();
    find->indexing = indexing;
    find->access = access;
    find->id = note->id;
    find->asked = ++indexing->ids;
    find->account = account;
    find->mailbox = note->mailbox;
    find->position = 1;
    buffer_init(&find->bodies, BODIES_MAX);
    list_append(&indexing->finds, &find->link);
    indexing->find_count++;
    indexing->searches++;
    buffer_clear(&access->role->note);
    indexing_send(indexing, store_index_put_find(&access->role->note, &indexing->ledger, &question),
                  HOST_HANDLE_NONE);
}

void
indexing_on_found(struct indexing *indexing, const struct store_index_found *note)
{
    struct find *find = find_of(indexing, note->id);

    assert(find); /* the ledger knows the number */
    for (size_t i = 0; i < note->bodies.count; i++)
        buffer_put(&find->bodies,
                   slice_of(&note->bodies.at[i].body, sizeof(note->bodies.at[i].body)));
}

/* ---- which messages they are ----------------------------------------------------------------- */

static int
compare_bodies(const void *left, const void *right)
{
    body_id a, b;

    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

static void
tell_ranges(struct find *find)
{
    struct store_access *access = find->access;
    struct access_store_text_found note = {find->id, {find->ranges, find->range_count}};

    if (find->range_count == 0)
        return;
    buffer_clear(&access->role->note);
    answer(access, access_store_put_text_found(&access->role->note, &access->ledger, &note));
    find->range_count = 0;
}

static void
add_uid(struct find *find, uint32_t uid)
{
    if (find->range_count > 0 && find->ranges[find->range_count - 1].last + 1 == uid) {
        find->ranges[find->range_count - 1].last = uid;
        return;
    }
    if (find->range_count == COUNT_OF(find->ranges))
        tell_ranges(find);
    find->ranges[find->range_count++] = (struct access_store_uid_range){uid, uid};
}

static bool
look_at(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct find *find = context;
    struct slice bodies = buffer_slice(&find->bodies);

    if (uid >= find->position || find->looked_at == INDEXING_STEP)
        return false;
    find->looked_at++;
    find->uid = uid + 1;
    if (bsearch(&entry->body, bodies.at, bodies.len / sizeof(body_id), sizeof(body_id),
                compare_bodies))
        add_uid(find, uid);
    return true;
}

/* Some messages, then others have their turn. */
static void
look_on(void *context)
{
    struct find *find = context;
    struct store_role *role = find->indexing->role;

    find->looked_at = 0;
    enum store_result result = find->access && buffer_len(&find->bodies) > 0
                                   ? mailbox_message_list(role->store, find->account, find->mailbox,
                                                          find->uid, look_at, find)
                                   : STORE_OK;
    if (result == STORE_OK && find->looked_at == INDEXING_STEP) {
        host_defer(role->host, look_on, find);
        return;
    }
    if (find->access)
        tell_ranges(find);
    close_find(find, access_result_of(result));
}

void
indexing_on_find_done(struct indexing *indexing, const struct store_index_find_done *note)
{
    struct find *find = find_of(indexing, note->id);

    assert(find);
    find->asked = 0;
    if (note->result != STORE_INDEX_RESULT_OK || buffer_overflowed(&find->bodies)) {
        close_find(find, ACCESS_STORE_RESULT_TEMPORARY);
        return;
    }
    struct slice bodies = buffer_slice(&find->bodies);
    if (bodies.len > 0)
        qsort((void *)(uintptr_t)bodies.at, bodies.len / sizeof(body_id), sizeof(body_id),
              compare_bodies);
    find->position = note->uid;
    find->uid = 1;
    look_on(find);
}

void
indexing_fail_finds(struct indexing *indexing)
{
    LIST_EACH (link, &indexing->finds) {
        struct find *find = LIST_ITEM(link, struct find, link);
        if (find->asked != 0)
            close_find(find, ACCESS_STORE_RESULT_TEMPORARY);
    }
}

void
indexing_lose_access(struct store_role *role, const struct store_access *access)
{
    LIST_EACH (link, &role->indexing->finds) {
        struct find *find = LIST_ITEM(link, struct find, link);
        if (find->access == access)
            find->access = NULL;
    }
}

void
indexing_drop_finds(struct indexing *indexing)
{
    LIST_EACH (link, &indexing->finds) {
        struct find *find = LIST_ITEM(link, struct find, link);
        find->access = NULL;
        close_find(find, ACCESS_STORE_RESULT_TEMPORARY);
    }
}
