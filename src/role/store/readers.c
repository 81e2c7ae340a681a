/* SPDX-License-Identifier: ISC */
/* auth says which session speaks for which account; access reads and empties maildrops for such
 * sessions, and for no others. */
#include "role/store/indexing.h"
#include "role/store/reach.h"
#include "role/store/store_role.h"

#include <stdlib.h>

enum {
    SIDE_ASKING = 0,
    GRANTS_MAX = 1 << 20,
    GRANT_UIDS_MAX = 4 * 1000000, /* octets of uids marked in one session */
    /* Where others have used up what a turn may change, a command that is new still has so many:
     * short ones do not wait for long ones. */
    PART_LEAST = 16,
};

/* ---- grants ---------------------------------------------------------------------------------- */

struct grant_key {
    uint64_t session;
    uint64_t access;
};

struct reader_key {
    account_id account;
    uint64_t access;
};

/* How many sessions of a process speak for an account. */
struct reader_count {
    struct reader_key key;
    size_t count;
    uint8_t user[STORE_USER_MAX];
    uint16_t user_len;
};

static struct grant *
find_grant(struct store_role *role, unsigned access, uint64_t session)
{
    struct grant_key key = {session, access};

    return map_find(&role->grants, slice_of(&key, sizeof(key)));
}

struct grant *
readers_find_grant(struct store_role *role, unsigned access, uint64_t session)
{
    return find_grant(role, access, session);
}

static void
count_in(struct store_role *role, const struct grant *grant)
{
    struct reader_key key = {grant->account, grant->access_index};
    struct reader_count *readers = map_find(&role->readers, slice_of(&key, sizeof(key)));

    if (!readers) {
        readers = calloc(1, sizeof(*readers));
        if (!readers)
            abort();
        readers->key = key;
        memcpy(readers->user, grant->user, grant->user_len);
        readers->user_len = grant->user_len;
        (void)!map_set(&role->readers, slice_of(&readers->key, sizeof(key)), readers);
    }
    readers->count++;
}

static bool
has_room(struct store_role *role, account_id account)
{
    size_t count = 0;

    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        struct reader_key key = {account, i};
        const struct reader_count *readers =
            role->access[i] ? map_find(&role->readers, slice_of(&key, sizeof(key))) : NULL;
        count += readers ? readers->count : 0;
    }
    return count < role->config->connections_per_account_max && role->grants.count < GRANTS_MAX;
}

/* With the last session of an account its watches end, too, if no other may have them. */
static void
count_out(struct store_role *role, const struct grant *grant)
{
    struct reader_key key = {grant->account, grant->access_index};
    struct reader_count *readers = map_find(&role->readers, slice_of(&key, sizeof(key)));

    if (!readers || --readers->count > 0)
        return;
    (void)!map_remove(&role->readers, slice_of(&key, sizeof(key)));
    free(readers);
    if (role->access[grant->access_index])
        watchings_leave(role->access[grant->access_index], grant->account);
}

bool
readers_next(struct store_role *role, unsigned access, size_t *place, account_id *ret_account,
             struct slice *ret_user)
{
    for (const struct map_item *item; (item = map_next(&role->readers, place));) {
        const struct reader_count *readers = item->value;
        if (readers->key.access != access)
            continue;
        *ret_account = readers->key.account;
        *ret_user = slice_of(readers->user, readers->user_len);
        return true;
    }
    return false;
}

static void
unlock(struct store_role *role, struct grant *grant)
{
    if (grant->has_maildrop)
        (void)!map_remove(&role->locks, map_key_u64(&grant->account));
    grant->has_maildrop = false;
}

/* The session goes on to another message, or ends. */
static void
let_go(struct store_role *role, struct grant *grant)
{
    if (grant->held.body != 0)
        mailbox_body_release(role->store, grant->held.body);
    grant->held = (struct held_message){0};
}

static void
drop_grant(struct store_role *role, struct grant *grant)
{
    struct grant_key key = {grant->session, grant->access_index};

    unlock(role, grant);
    let_go(role, grant);
    imap_append_forget(grant);
    count_out(role, grant);
    (void)!map_remove(&role->grants, slice_of(&key, sizeof(key)));
    buffer_finish(&grant->uids);
    free(grant);
}

static void
drop_grants_of(struct store_role *role, unsigned access)
{
    struct buffer found;
    size_t place = 0;

    /* The map must not change while it is walked. */
    buffer_init(&found, GRANTS_MAX * sizeof(struct grant *));
    for (const struct map_item *item; (item = map_next(&role->grants, &place));) {
        struct grant *grant = item->value;
        if (grant->access_index == access)
            buffer_put(&found, slice_of(&grant, sizeof(grant)));
    }
    struct slice rest = buffer_slice(&found);
    for (; rest.len > 0; rest = slice_skip(rest, sizeof(struct grant *))) {
        struct grant *grant;
        memcpy(&grant, rest.at, sizeof(grant));
        drop_grant(role, grant);
    }
    buffer_finish(&found);
}

static void
quota_file(struct job *job)
{
    job->result = mailbox_account_set_quota(job->role->store, job->account, job->quota_bytes,
                                            job->quota_messages);
}

/* Deliveries bring the quotas along; who only appends brings them by logging in. They are in the
 * turn of the session's first change, or before it. */
static void
keep_quotas(struct store_role *role, const struct auth_store_grant *note)
{
    static const struct job_kind kind = {quota_file, NULL};
    struct account_entry entry = {0};

    if (mailbox_account_get(role->store, note->account, &entry) != STORE_OK &&
        note->quota_bytes == 0 && note->quota_messages == 0)
        return;
    if (entry.quota_bytes == note->quota_bytes && entry.quota_messages == note->quota_messages)
        return;
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        abort();
    job->role = role;
    job->kind = &kind;
    job->account = note->account;
    job->quota_bytes = note->quota_bytes;
    job->quota_messages = note->quota_messages;
    list_append(&role->jobs, &job->link);
    store_role_turn_soon(role);
}

static void
on_grant(struct store_role *role, const struct auth_store_grant *note)
{
    struct grant *grant = find_grant(role, note->access_index, note->session);
    struct auth_store_granted granted = {.id = note->id};

    if (grant)
        drop_grant(role, grant);
    granted.is_granted = has_room(role, note->account);
    if (granted.is_granted) {
        struct grant_key key = {note->session, note->access_index};
        grant = calloc(1, sizeof(*grant));
        if (!grant)
            abort();
        grant->access_index = note->access_index;
        grant->session = note->session;
        grant->account = note->account;
        grant->user_len = (uint16_t)note->name.len;
        memcpy(grant->user, note->name.at, note->name.len);
        buffer_init(&grant->uids, GRANT_UIDS_MAX);
        list_init(&grant->appends);
        count_in(role, grant);
        (void)!map_set(&role->grants, slice_of(&key, sizeof(key)), grant);
        keep_quotas(role, note);
    }
    buffer_clear(&role->note);
    bool is_put = auth_store_put_granted(&role->note, &role->auth_ledger, &granted);
    assert(is_put);
    host_channel_send(role->auth, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
lose_auth(struct store_role *role)
{
    host_channel_close(&role->auth);
    note_ledger_finish(&role->auth_ledger);
}

static void
on_auth_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_role *role = context;
    struct auth_store_note note;

    arena_reset(&role->note_arena);
    if (!auth_store_take(bytes, handle, SIDE_ASKING, &role->auth_ledger, &role->note_arena,
                         &note) ||
        note.kind != AUTH_STORE_GRANT) {
        store_role_bad_note(role, handle, "auth");
        lose_auth(role);
        return;
    }
    on_grant(role, &note.as.grant);
}

static void
on_auth_closed(void *context)
{
    lose_auth(context);
}

static const struct host_channel_handler auth_handler = {on_auth_note, on_auth_closed, NULL};

void
readers_attach_auth(struct store_role *role, host_handle handle)
{
    if (role->auth)
        lose_auth(role);
    role->auth = host_channel_open(role->host, handle, &auth_handler, role);
    if (!role->is_started)
        host_channel_pause(role->auth, true);
}

/* ---- maildrops ------------------------------------------------------------------------------- */

enum access_store_result
access_result_of(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return ACCESS_STORE_RESULT_OK;
    case STORE_NOT_FOUND:
        return ACCESS_STORE_RESULT_EXPUNGED;
    case STORE_EXISTS:
        return ACCESS_STORE_RESULT_EXISTS;
    case STORE_QUOTA:
        return ACCESS_STORE_RESULT_QUOTA;
    case STORE_LIMIT:
        return ACCESS_STORE_RESULT_LIMIT;
    case STORE_INVALID:
        return ACCESS_STORE_RESULT_INVALID;
    case STORE_NO_SPACE:
        return ACCESS_STORE_RESULT_NO_SPACE;
    case STORE_DAMAGED:
        return ACCESS_STORE_RESULT_DAMAGED;
    case STORE_FORBIDDEN:
        return ACCESS_STORE_RESULT_NO_PERMISSION;
    case STORE_BUSY:
    case STORE_FENCED:
    case STORE_TEMPORARY:
        break;
    }
    return ACCESS_STORE_RESULT_TEMPORARY;
}

static void
answer_open(struct store_access *access, uint64_t id, enum access_store_result result)
{
    struct store_role *role = access->role;
    struct access_store_maildrop_opened note = {id, result};

    buffer_clear(&role->note);
    bool is_put = access_store_put_maildrop_opened(&role->note, &access->ledger, &note);
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static bool
has_update(const struct list *jobs, account_id account)
{
    LIST_EACH (link, jobs) {
        const struct job *job = LIST_ITEM(link, struct job, link);
        if (!job->kind && job->uids && job->account == account)
            return true;
    }
    return false;
}

/* Who has said QUIT and gone has asked for all of it: nobody lists what is still to go. */
static bool
is_being_updated(const struct store_role *role, account_id account)
{
    return has_update(&role->jobs, account) || has_update(&role->jobs_filing, account) ||
           has_update(&role->jobs_held, account);
}

static void
on_open(struct store_access *access, const struct access_store_maildrop_open *note)
{
    struct store_role *role = access->role;
    struct grant *grant = find_grant(role, access->index, note->session);
    struct mailbox_entry entry;
    mailbox_id inbox;

    if (!grant) {
        answer_open(access, note->id, ACCESS_STORE_RESULT_NO_PERMISSION);
        return;
    }
    struct grant *holder = map_find(&role->locks, map_key_u64(&grant->account));
    if ((holder && holder != grant) || is_being_updated(role, grant->account)) {
        answer_open(access, note->id, ACCESS_STORE_RESULT_IN_USE);
        return;
    }
    (void)!map_set(&role->locks, map_key_u64(&grant->account), grant);
    grant->has_maildrop = true;
    enum store_result result = mailbox_find(role->store, grant->account, SLICE("INBOX"), &inbox);
    if (result == STORE_OK)
        result = mailbox_get(role->store, grant->account, inbox, &entry);
    if (result != STORE_OK) {
        if (result != STORE_NOT_FOUND)
            unlock(role, grant);
        /* Nobody has written to it yet: it is empty. */
        answer_open(access, note->id,
                    result == STORE_NOT_FOUND ? ACCESS_STORE_RESULT_OK
                                              : ACCESS_STORE_RESULT_TEMPORARY);
        return;
    }
    struct reading *reading = reading_new(role, access, NULL, READING_MAILDROP, note->id);
    reading->account = grant->account;
    reading->mailbox = inbox;
    reading->uid_validity = entry.uid_validity;
    reading_start(reading);
}

static void
answer_read(struct store_access *access, uint64_t id, enum access_store_result result)
{
    struct store_role *role = access->role;
    struct access_store_read_done note = {id, result};

    buffer_clear(&role->note);
    bool is_put = access_store_put_read_done(&role->note, &access->ledger, &note);
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

/* The mailbox, and the account that it belongs to. */
static enum store_result
find_mailbox(const struct reach *reach, const struct access_store_read *note,
             struct reached *ret_reached)
{
    mailbox_id inbox;

    if (note->mailbox != 0)
        return reach_get(reach, note->owner, note->mailbox, RIGHT_READ, ret_reached);
    enum store_result result = mailbox_find(reach->store, reach->account, SLICE("INBOX"), &inbox);
    if (result == STORE_OK)
        *ret_reached = (struct reached){reach->account, inbox, RIGHTS_ALL};
    return result;
}

static bool
is_held(const struct held_message *held, const struct reached *reached, uint32_t uid)
{
    return held->body != 0 && held->account == reached->account &&
           held->mailbox == reached->mailbox && held->uid == uid;
}

/* The message, or what is held of it when it is gone. What takes more than one note, or is asked
 * for in parts, is held. */
static enum store_result
find_message(struct store_role *role, struct grant *grant, const struct reached *reached,
             const struct access_store_read *note, struct message_entry *ret_entry)
{
    struct held_message *held = &grant->held;
    enum store_result result =
        mailbox_message_get(role->store, reached->account, reached->mailbox, note->uid, ret_entry);

    if (is_held(held, reached, note->uid)) {
        if (result == STORE_NOT_FOUND)
            *ret_entry = (struct message_entry){.body = held->body, .len = held->len};
        return result == STORE_NOT_FOUND ? STORE_OK : result;
    }
    let_go(role, grant);
    if (result == STORE_OK &&
        (note->len < ret_entry->len || ret_entry->len > READ_NOTE_OCTETS)) {
        *held = (struct held_message){reached->account, reached->mailbox, note->uid, ret_entry->len,
                                      ret_entry->body};
        mailbox_body_hold(role->store, ret_entry->body);
    }
    return result;
}

static void
on_read(struct store_access *access, const struct access_store_read *note)
{
    struct store_role *role = access->role;
    struct grant *grant = find_grant(role, access->index, note->session);
    struct message_entry entry;
    struct reached reached;

    if (!grant) {
        answer_read(access, note->id, ACCESS_STORE_RESULT_NO_PERMISSION);
        return;
    }
    struct reach reach = reach_of(role, grant->account, grant_user(grant));
    enum store_result result = find_mailbox(&reach, note, &reached);
    if (result == STORE_OK)
        result = find_message(role, grant, &reached, note, &entry);
    if (result != STORE_OK) {
        answer_read(access, note->id, access_result_of(result));
        return;
    }
    struct reading *reading = reading_new(role, access, NULL, READING_OCTETS, note->id);
    reading->body = entry.body;
    reading->offset = note->offset < entry.len ? note->offset : entry.len;
    reading->left = entry.len - reading->offset;
    if (reading->left > note->len)
        reading->left = note->len;
    reading->is_done = reading->left == 0;
    reading_start(reading);
}

/* ---- updates --------------------------------------------------------------------------------- */

static void
answer_update(struct store_access *access, uint64_t id, enum access_store_result result)
{
    struct store_role *role = access->role;
    struct access_store_maildrop_updated note = {id, result};

    buffer_clear(&role->note);
    bool is_put = access_store_put_maildrop_updated(&role->note, &access->ledger, &note);
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static int
compare_uids(const void *left, const void *right)
{
    uint32_t a, b;

    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return a < b ? -1 : a > b;
}

static void
queue_update(struct store_access *access, struct grant *grant, uint64_t id)
{
    struct store_role *role = access->role;
    struct slice uids = buffer_slice(&grant->uids);
    struct job *job = calloc(1, sizeof(*job));

    if (!job || !(job->uids = malloc(uids.len + 1)))
        abort();
    memcpy(job->uids, uids.at, uids.len);
    job->count = uids.len / sizeof(uint32_t);
    qsort(job->uids, job->count, sizeof(uint32_t), compare_uids);
    job->role = role;
    job->access = access;
    job->id = id;
    job->account = grant->account;
    job->session = grant->session;
    buffer_finish(&grant->uids);
    list_append(&role->jobs, &job->link);
    store_role_turn_soon(role);
}

static void
on_update(struct store_access *access, const struct access_store_maildrop_update *note)
{
    struct grant *grant = find_grant(access->role, access->index, note->session);

    if (!grant || !grant->has_maildrop) {
        answer_update(access, note->id, ACCESS_STORE_RESULT_NO_PERMISSION);
        return;
    }
    for (size_t i = 0; i < note->uids.count; i++)
        buffer_put(&grant->uids, slice_of(&note->uids.at[i].uid, sizeof(uint32_t)));
    if (buffer_overflowed(&grant->uids)) {
        buffer_finish(&grant->uids);
        answer_update(access, note->id, ACCESS_STORE_RESULT_TEMPORARY);
    } else if (!note->is_last) {
        answer_update(access, note->id, ACCESS_STORE_RESULT_OK);
    } else if (buffer_len(&grant->uids) == 0) {
        unlock(access->role, grant);
        answer_update(access, note->id, ACCESS_STORE_RESULT_OK);
    } else {
        queue_update(access, grant, note->id);
    }
}

size_t
job_part_max(const struct job *job)
{
    size_t left = job->role->part_left, most = job->role->config->store_part_messages;
    size_t least = most < PART_LEAST ? most : (size_t)PART_LEAST;

    return job->has_begun || left > least ? left : least;
}

void
job_part_end(struct job *job, size_t used, size_t changed)
{
    size_t left = job->role->part_left;

    job->role->part_left = used < left ? left - used : 0;
    job->role->part_changes += job->has_more || job->has_begun ? changed : 0;
}

/* A part of an updated maildrop. Busy: the same part, in the next turn. */
static void
update_file(struct job *job)
{
    struct store *store = job->role->store;
    size_t some = job->count - job->filed, most = job_part_max(job), gone = 0;
    mailbox_id inbox;

    if (some > most)
        some = most;
    job->result = mailbox_find(store, job->account, SLICE("INBOX"), &inbox);
    if (job->result == STORE_OK)
        job->result = mailbox_message_expunge(store, job->account, inbox, job->uids + job->filed,
                                              some, &gone);
    if (job->result == STORE_OK) {
        job->filed += some;
        job->has_more = job->filed < job->count;
        job_part_end(job, some, gone);
    }
    /* What is not there any more need not go. */
    if (job->result == STORE_NOT_FOUND)
        job->result = STORE_OK;
}

void
job_file(struct job *job)
{
    if (job->kind)
        job->kind->file(job);
    else if (job->uids)
        update_file(job);
    else
        job->result = mailbox_account_remove(job->role->store, job->account);
}

bool
job_goes_on(struct job *job, enum store_result result)
{
    if (result != STORE_OK || job->result != STORE_OK || !job->has_more)
        return false;
    if (!job->access || job->role->is_stopping) {
        job->result = STORE_TEMPORARY; /* what is done stays done */
        return false;
    }
    if (job->kind) {
        indexing_touch(job->role, job->filed_to ? job->filed_to : job->account);
        job->kind->tell_part(job);
    }
    job->has_more = false;
    job->has_begun = true;
    return true;
}

void
job_answer(struct job **job, enum store_result result)
{
    struct job *old = *job;
    struct store_role *role = old->role;
    enum store_result told = result == STORE_OK ? old->result : result;

    bool is_removal = !old->kind && !old->uids; /* the index forgets the account */
    if (told == STORE_OK && (old->kind || is_removal))
        indexing_touch(role, old->filed_to ? old->filed_to : old->account); /* a copy, maybe */

    list_remove(&old->link);
    if (old->kind && old->access) {
        old->kind->answer(old, told);
    } else if (old->access) {
        struct grant *grant = find_grant(role, old->access->index, old->session);
        if (grant)
            unlock(role, grant);
        answer_update(old->access, old->id, access_result_of(told));
    }
    if (old->tool) {
        struct tool_store_done note = {old->id, tool_result_of(told)};
        buffer_clear(&role->note);
        bool is_put = tool_store_put_done(&role->note, &old->tool->ledger, &note);
        assert(is_put);
        host_channel_send(old->tool->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
    }
    imap_change_close(&old->change);
    free(old->make);
    free(old->uids);
    free(old);
    *job = NULL;
}

/* ---- access ---------------------------------------------------------------------------------- */

static void
forget_asker(struct list *jobs, const struct store_access *access)
{
    LIST_EACH (link, jobs) {
        struct job *job = LIST_ITEM(link, struct job, link);
        if (job->access == access)
            job->access = NULL;
    }
}

static void
lose_access(struct store_access *access)
{
    struct store_role *role = access->role;

    readings_abandon(&access->readings);
    indexing_lose_access(role, access);
    forget_asker(&role->jobs, access);
    forget_asker(&role->jobs_filing, access);
    forget_asker(&role->jobs_held, access);
    LIST_EACH (link, &access->parcels) {
        LIST_ITEM(link, struct parcel, sender_link)->sender = NULL;
        list_remove(link);
    }
    watchings_drop(access);
    drop_grants_of(role, access->index);
    host_channel_close(&access->channel);
    note_ledger_finish(&access->ledger);
}

static void
on_access_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_access *access = context;
    struct store_role *role = access->role;
    struct access_store_note note;

    arena_reset(&role->note_arena);
    if (!access_store_take(bytes, handle, SIDE_ASKING, &access->ledger, &role->note_arena, &note)) {
        store_role_bad_note(role, handle, "access");
        lose_access(access);
        store_role_release_jobs(role);
        return;
    }
    if (note.kind == ACCESS_STORE_MAILDROP_OPEN) {
        on_open(access, &note.as.maildrop_open);
    } else if (note.kind == ACCESS_STORE_READ) {
        on_read(access, &note.as.read);
    } else if (note.kind == ACCESS_STORE_MAILDROP_UPDATE) {
        on_update(access, &note.as.maildrop_update);
    } else if (note.kind == ACCESS_STORE_SESSION_END) {
        struct grant *grant = find_grant(role, access->index, note.as.session_end.session);
        if (grant)
            drop_grant(role, grant);
    } else {
        (void)!imap_on_note(access, &note, handle);
    }
}

static void
on_access_closed(void *context)
{
    struct store_access *access = context;

    lose_access(access);
    store_role_release_jobs(access->role);
}

static void
on_access_room(void *context)
{
    struct store_access *access = context;

    readings_go_on(&access->readings);
    store_role_release_jobs(access->role);
}

static const struct host_channel_handler access_handler = {on_access_note, on_access_closed,
                                                           on_access_room};

void
readers_attach_access(struct store_role *role, unsigned index, host_handle handle)
{
    struct store_access *access = role->access[index];

    if (!access) {
        access = calloc(1, sizeof(*access));
        if (!access)
            abort();
        access->role = role;
        access->index = index;
        list_init(&access->readings);
        list_init(&access->watches);
        list_init(&access->parcels);
        role->access[index] = access;
    }
    if (access->channel)
        lose_access(access);
    access->channel = host_channel_open(role->host, handle, &access_handler, access);
    if (!role->is_started)
        host_channel_pause(access->channel, true);
}

void
readers_close(struct store_role *role)
{
    lose_auth(role);
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (!role->access[i])
            continue;
        lose_access(role->access[i]);
        free(role->access[i]);
        role->access[i] = NULL;
    }
}
