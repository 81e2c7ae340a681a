/* SPDX-License-Identifier: ISC */
/* Which account is fed to the text index, and how far it has come. */
#include "role/store/indexing.h"

#include <stdlib.h>

enum {
    SIDE_INDEX = 1,
    BODIES_MAX = 512 << 20, /* octets of the numbers of one account's bodies */
    RETAIN_SLACK = 1000,    /* bodies that are not worth a clearing */
    PAGE_MAX = 8000,
};

void
indexing_send(struct indexing *indexing, bool is_put, host_handle handle)
{
    assert(is_put);
    host_channel_send(indexing->channel, buffer_slice(&indexing->role->note), handle);
}

void
indexing_step_in(struct indexing *indexing, int64_t ms)
{
    host_timer_set(indexing->timer, instant_after(host_now(indexing->role->host), duration_ms(ms)));
}

void
indexing_add(struct indexing *indexing, account_id account)
{
    if (!map_find(&indexing->searched, map_key_u64(&account)))
        (void)!map_set(&indexing->searched, map_key_u64(&account), indexing);
}

/* ---- which account --------------------------------------------------------------------------- */

void
indexing_touch(struct store_role *role, account_id account)
{
    struct indexing *indexing = role->indexing;

    /* While all are gone through it is not known yet which are indexed: the index will say. */
    bool may_be_indexed =
        indexing->is_walking || map_find(&indexing->searched, map_key_u64(&account));

    if (!indexing->channel || !may_be_indexed || map_find(&indexing->dirty, map_key_u64(&account)))
        return;
    if (indexing->dirty_count == INDEXING_DIRTY_MAX) {
        indexing->is_walking = true;
        indexing->walk_after = 0;
        return;
    }
    (void)!map_set(&indexing->dirty, map_key_u64(&account), indexing);
    indexing->dirty_count++;
    if (indexing->phase == INDEXING_IDLE && indexing->dirty_count == 1)
        indexing_step_in(indexing, INDEXING_DELAY_MS);
}

static bool
pick_next(void *context, account_id account, const struct account_entry *entry)
{
    (void)entry;
    *(account_id *)context = account;
    return false;
}

/* 0: none. Those that just got mail come before those that had some long ago. */
static account_id
next_account(struct indexing *indexing)
{
    account_id account = 0;
    size_t place = 0;

    if (indexing->dirty_count > 0) {
        memcpy(&account, map_next(&indexing->dirty, &place)->key.at, sizeof(account));
        (void)!map_remove(&indexing->dirty, map_key_u64(&account));
        indexing->dirty_count--;
    } else if (indexing->is_walking) {
        enum store_result result = mailbox_account_list(
            indexing->role->store, indexing->walk_after, pick_next, &account);
        if (result != STORE_OK) { /* the view is made anew: there may be more */
            indexing_step_in(indexing, INDEXING_DELAY_MS);
            return 0;
        }
        indexing->is_walking = account != 0;
        indexing->walk_after = account;
    }
    return account;
}

static void
begin_account(struct indexing *indexing, account_id account)
{
    struct account_entry entry = {0};
    struct store_index_ask note = {.id = ++indexing->ids, .account = account};

    if (mailbox_account_get(indexing->role->store, account, &entry) != STORE_OK) {
        indexing_step_in(indexing, 0);
        return;
    }
    indexing->account = account;
    indexing->modseq = entry.modseq;
    indexing->message_count = entry.messages;
    buffer_clear(&indexing->positions);
    buffer_clear(&indexing->mailboxes);
    indexing->mailbox_at = 0;
    indexing->next_uid = 0;
    indexing->phase = INDEXING_ASKED;
    buffer_clear(&indexing->role->note);
    indexing_send(indexing, store_index_put_ask(&indexing->role->note, &indexing->ledger, &note),
                  HOST_HANDLE_NONE);
}

static void
step(void *context)
{
    struct indexing *indexing = context;

    if (!indexing->channel || indexing->role->is_stopping || indexing->is_reading)
        return;
    if (!indexing->role->is_started) {
        indexing_step_in(indexing, INDEXING_DELAY_MS);
        return;
    }
    if (indexing->phase == INDEXING_BUSY) {
        indexing_next_text(indexing);
        return;
    }
    account_id account = indexing->phase == INDEXING_IDLE ? next_account(indexing) : 0;
    if (account != 0)
        begin_account(indexing, account);
}

/* ---- mailbox after mailbox ------------------------------------------------------------------- */

static bool
note_mailbox(void *context, mailbox_id mailbox, const struct mailbox_entry *entry)
{
    struct indexing *indexing = context;

    (void)entry;
    buffer_put(&indexing->mailboxes, slice_of(&mailbox, sizeof(mailbox)));
    return true;
}

static mailbox_id
mailbox_at_hand(const struct indexing *indexing)
{
    mailbox_id mailbox = 0;
    size_t at = indexing->mailbox_at * sizeof(mailbox);

    if (at < buffer_len(&indexing->mailboxes))
        memcpy(&mailbox, buffer_slice(&indexing->mailboxes).at + at, sizeof(mailbox));
    return mailbox;
}

static uint32_t
position_of(const struct indexing *indexing, mailbox_id mailbox)
{
    struct slice rest = buffer_slice(&indexing->positions);
    struct store_index_position position;

    for (; rest.len > 0; rest = slice_skip(rest, sizeof(position))) {
        memcpy(&position, rest.at, sizeof(position));
        if (position.mailbox == mailbox)
            return position.uid > 0 ? position.uid : 1;
    }
    return 1;
}

static bool
note_message(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct indexing *indexing = context;

    indexing->batch[indexing->batch_count++] =
        (struct indexing_message){.uid = uid, .len = entry->len, .body = entry->body};
    return indexing->batch_count < INDEXING_BATCH_MAX;
}

static void
offer(struct indexing *indexing)
{
    NOT_ZEROED struct store_index_entry bodies[INDEXING_BATCH_MAX];
    struct store_index_offer note = {.id = ++indexing->ids,
                                     .account = indexing->account,
                                     .bodies = {bodies, indexing->batch_count}};

    for (size_t i = 0; i < indexing->batch_count; i++)
        bodies[i].body = indexing->batch[i].body;
    indexing->phase = INDEXING_OFFERED;
    buffer_clear(&indexing->role->note);
    indexing_send(indexing, store_index_put_offer(&indexing->role->note, &indexing->ledger, &note),
                  HOST_HANDLE_NONE);
}

static void
tell_reached(struct indexing *indexing, uint64_t modseq, mailbox_id mailbox, uint32_t uid)
{
    struct store_index_position row = {mailbox, uid};
    struct store_index_reached note = {
        .account = indexing->account, .modseq = modseq, .rows = {&row, mailbox != 0}};

    buffer_clear(&indexing->role->note);
    indexing_send(indexing,
                  store_index_put_reached(&indexing->role->note, &indexing->ledger, &note),
                  HOST_HANDLE_NONE);
}

/* ---- what has gone --------------------------------------------------------------------------- */

static bool
note_body(void *context, uint32_t uid, const struct message_entry *entry)
{
    (void)uid;
    buffer_put(context, slice_of(&entry->body, sizeof(entry->body)));
    return true;
}

static int
compare_bodies(const void *left, const void *right)
{
    body_id a, b;

    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

static void
tell_retain(struct indexing *indexing, struct slice bodies)
{
    struct store_index_entry *page = calloc(PAGE_MAX, sizeof(*page));
    struct store_index_retain note = {.account = indexing->account};

    if (!page)
        abort();
    note.bodies.at = page;
    while (!note.is_last) {
        note.bodies.count = 0;
        while (bodies.len > 0 && note.bodies.count < PAGE_MAX) {
            memcpy(&page[note.bodies.count].body, bodies.at, sizeof(body_id));
            note.bodies.count++;
            bodies = slice_skip(bodies, sizeof(body_id));
        }
        note.is_last = bodies.len == 0;
        buffer_clear(&indexing->role->note);
        indexing_send(indexing,
                      store_index_put_retain(&indexing->role->note, &indexing->ledger, &note),
                      HOST_HANDLE_NONE);
    }
    free(page);
}

/* What an account had that was removed. */
static bool
is_left_behind(const struct indexing *indexing)
{
    return buffer_len(&indexing->mailboxes) == 0 && indexing->indexed_count > 0;
}

/* The index keeps what was expunged until that is much: it is not found, it only takes space. Of an
 * account that was removed it keeps nothing. */
static void
clear_out(struct indexing *indexing)
{
    struct store *store = indexing->role->store;
    struct buffer bodies;
    bool is_good = true;

    if (!is_left_behind(indexing) && indexing->indexed_count <= indexing->message_count +
                                                                    indexing->message_count / 4 +
                                                                    RETAIN_SLACK)
        return;
    buffer_init(&bodies, BODIES_MAX);
    for (indexing->mailbox_at = 0; is_good && mailbox_at_hand(indexing); indexing->mailbox_at++) {
        enum store_result result = mailbox_message_list(
            store, indexing->account, mailbox_at_hand(indexing), 1, note_body, &bodies);
        is_good = result == STORE_OK || result == STORE_NOT_FOUND;
    }
    struct slice all = buffer_slice(&bodies);
    if (all.len > 0)
        qsort(bodies.at + bodies.start, all.len / sizeof(body_id), sizeof(body_id), compare_bodies);
    if (is_good && !buffer_overflowed(&bodies))
        tell_retain(indexing, all);
    buffer_finish(&bodies);
}

/* ---- on and on ------------------------------------------------------------------------------- */

static void
end_account(struct indexing *indexing)
{
    indexing->phase = INDEXING_IDLE;
    indexing_step_in(indexing, 0);
}

/* The view is made anew; what of the account the index has not seen is not known until then. */
static void
put_off(struct indexing *indexing)
{
    if (!map_find(&indexing->dirty, map_key_u64(&indexing->account))) {
        (void)!map_set(&indexing->dirty, map_key_u64(&indexing->account), indexing);
        indexing->dirty_count++;
    }
    indexing->phase = INDEXING_IDLE;
    indexing_step_in(indexing, INDEXING_DELAY_MS);
}

/* The next messages that the index has not seen, or the next account. */
static void
next_batch(struct indexing *indexing)
{
    mailbox_id mailbox;

    indexing->batch_count = indexing->batch_at = 0;
    while ((mailbox = mailbox_at_hand(indexing)) != 0) {
        if (indexing->next_uid == 0)
            indexing->next_uid = position_of(indexing, mailbox);
        (void)!mailbox_message_list(indexing->role->store, indexing->account, mailbox,
                                    indexing->next_uid, note_message, indexing);
        if (indexing->batch_count > 0) {
            offer(indexing);
            return;
        }
        if (!store_is_readable(indexing->role->store)) {
            put_off(indexing);
            return;
        }
        indexing->mailbox_at++;
        indexing->next_uid = 0;
    }
    clear_out(indexing);
    tell_reached(indexing, indexing->modseq, 0, 0);
    end_account(indexing);
}

void
indexing_batch_done(struct indexing *indexing)
{
    indexing->next_uid = indexing->batch[indexing->batch_count - 1].uid + 1;
    tell_reached(indexing, 0, mailbox_at_hand(indexing), indexing->next_uid);
    next_batch(indexing);
}

static void
on_positions(struct indexing *indexing, const struct store_index_positions *note)
{
    for (size_t i = 0; i < note->rows.count; i++)
        buffer_put(&indexing->positions, slice_of(&note->rows.at[i], sizeof(note->rows.at[i])));
}

static void
on_state(struct indexing *indexing, const struct store_index_state *note)
{
    if (note->modseq > 0 || buffer_len(&indexing->positions) > 0)
        indexing_add(indexing, indexing->account);
    bool is_searched = map_find(&indexing->searched, map_key_u64(&indexing->account));
    indexing->indexed_count = note->bodies;
    if (!is_searched ||
        mailbox_list(indexing->role->store, indexing->account, note_mailbox, indexing) !=
            STORE_OK ||
        (note->modseq == indexing->modseq && !is_left_behind(indexing)))
        end_account(indexing);
    else
        next_batch(indexing);
}

static void
on_wanted(struct indexing *indexing, const struct store_index_wanted *note)
{
    size_t at = 0;

    /* In the order in which they were offered. */
    for (size_t i = 0; i < indexing->batch_count; i++) {
        indexing->batch[i].is_wanted =
            at < note->bodies.count && note->bodies.at[at].body == indexing->batch[i].body;
        at += indexing->batch[i].is_wanted;
    }
    indexing_next_text(indexing);
}

/* ---- the channel ----------------------------------------------------------------------------- */

/* What was under way is given up; when there is an index again, all accounts are gone through. */
static void
begin_anew(struct indexing *indexing)
{
    indexing_drop_text(indexing);
    indexing->phase = INDEXING_IDLE;
    indexing->is_walking = true;
    indexing->walk_after = 0;
}

static void
lose(struct indexing *indexing)
{
    host_channel_close(&indexing->channel);
    note_ledger_finish(&indexing->ledger);
    begin_anew(indexing);
    indexing_fail_finds(indexing);
}

static void
take(struct indexing *indexing, const struct store_index_note *note)
{
    switch ((int)note->kind) {
    case STORE_INDEX_POSITIONS:
        on_positions(indexing, &note->as.positions);
        break;
    case STORE_INDEX_STATE:
        on_state(indexing, &note->as.state);
        break;
    case STORE_INDEX_WANTED:
        on_wanted(indexing, &note->as.wanted);
        break;
    case STORE_INDEX_PUT_DONE:
        indexing->batch_at++;
        indexing->phase = INDEXING_OFFERED;
        indexing_next_text(indexing);
        break;
    case STORE_INDEX_FOUND:
        indexing_on_found(indexing, &note->as.found);
        break;
    case STORE_INDEX_FIND_DONE:
        indexing_on_find_done(indexing, &note->as.find_done);
        break;
    default: /* behind: what it said is true no more */
        indexing->is_walking = true;
        indexing->walk_after = 0;
        indexing_step_in(indexing, INDEXING_DELAY_MS);
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct indexing *indexing = context;
    struct store_role *role = indexing->role;
    struct store_index_note note;

    arena_reset(&role->note_arena);
    if (!store_index_take(bytes, handle, SIDE_INDEX, &indexing->ledger, &role->note_arena, &note)) {
        store_role_bad_note(role, handle, "index");
        lose(indexing);
        return;
    }
    take(indexing, &note);
    host_handle_close(role->host, handle);
}

static void
on_closed(void *context)
{
    lose(context);
}

void
indexing_attach(struct store_role *role, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct indexing *indexing = role->indexing;

    if (indexing->channel)
        lose(indexing);
    indexing->channel = host_channel_open(role->host, handle, &handler, indexing);
    begin_anew(indexing);
    indexing_step_in(indexing, INDEXING_DELAY_MS);
}

void
indexing_open(struct store_role *role)
{
    struct indexing *indexing = calloc(1, sizeof(*indexing));
    uint64_t seed;

    if (!indexing)
        abort();
    host_random(role->host, &seed, sizeof(seed));
    indexing->role = role;
    indexing->body_handle = HOST_HANDLE_NONE;
    indexing->timer = host_timer_open(role->host, step, indexing);
    map_init(&indexing->searched, seed);
    map_init(&indexing->dirty, seed);
    list_init(&indexing->finds);
    buffer_init(&indexing->positions, 16 << 20);
    buffer_init(&indexing->mailboxes, 16 << 20);
    role->indexing = indexing;
}

void
indexing_close(struct store_role *role)
{
    struct indexing *indexing = role->indexing;

    host_channel_close(&indexing->channel);
    note_ledger_finish(&indexing->ledger);
    indexing_drop_finds(indexing);
    indexing_drop_text(indexing);
    host_timer_close(&indexing->timer);
    map_finish(&indexing->searched);
    map_finish(&indexing->dirty);
    buffer_finish(&indexing->positions);
    buffer_finish(&indexing->mailboxes);
    free(indexing);
    role->indexing = NULL;
}
