/* SPDX-License-Identifier: ISC */
/* What IMAP sessions change: each is a job of the next turn, and is answered when that is durable.
 */
#include "mailbox/annotation.h"
#include "role/store/store_role.h"

#include <stdlib.h>

enum {
    RANGES_MAX = ACCESS_STORE_FLAGS_SET_RANGES_MAX,
    SOURCES_MAX = ACCESS_STORE_COPIED_SOURCES_MAX
};

/* A request, kept until its turn is durable. */
struct imap_change {
    struct access_store_note note; /* its slices and lists lie in the arena */
    struct arena arena;
    mailbox_id mailbox; /* that was made, or copied to */
    uint64_t modseq_first, modseq_last;
    uint32_t number; /* messages that went; uid of the first copy */
    uint32_t uid_validity;
    struct buffer told; /* struct access_store_uid_range: modified, or sources */
};

/* ---- helpers --------------------------------------------------------------------------------- */

static void
send_note(struct store_access *access, bool is_put)
{
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&access->role->note), HOST_HANDLE_NONE);
}

static enum access_store_result
result_of(enum store_result result)
{
    return result == STORE_NOT_FOUND ? ACCESS_STORE_RESULT_NOT_FOUND : access_result_of(result);
}

static void
tell_uid(struct buffer *ranges, size_t max, uint32_t uid)
{
    size_t count = buffer_len(ranges) / sizeof(struct access_store_uid_range);
    struct access_store_uid_range *all = (void *)(ranges->at + (count ? ranges->start : 0));

    if (count > 0 && all[count - 1].last + 1 == uid) {
        all[count - 1].last = uid;
    } else if (count < max) {
        struct access_store_uid_range range = {uid, uid};
        buffer_put(ranges, slice_of(&range, sizeof(range)));
    }
}

static struct access_store_uid_range_list
told_list(const struct buffer *ranges)
{
    struct slice bytes = buffer_slice(ranges);

    return (struct access_store_uid_range_list){(const void *)bytes.at,
                                                bytes.len / sizeof(struct access_store_uid_range)};
}

struct walk {
    uint32_t last;
    struct buffer *uids;
    uint64_t bytes;
    uint32_t flags; /* all of these wanted */
};

static bool
add_uid(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct walk *walk = context;

    if (uid > walk->last)
        return false;
    if ((entry->flags & walk->flags) == walk->flags) {
        buffer_put(walk->uids, slice_of(&uid, sizeof(uid)));
        walk->bytes += entry->len;
    }
    return true;
}

/* The messages that are there (durable) among the ranges. */
static enum store_result
gather(struct job *job, mailbox_id mailbox, const struct access_store_uid_range_list *ranges,
       uint32_t flags, struct walk *ret_walk)
{
    enum store_result result = STORE_OK;

    for (size_t i = 0; result == STORE_OK && i < ranges->count; i++) {
        ret_walk->last = ranges->at[i].last;
        ret_walk->flags = flags;
        result = mailbox_message_list(job->role->store, job->account, mailbox, ranges->at[i].first,
                                      add_uid, ret_walk);
    }
    return result;
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

/* With superior levels (RFC 9051 §6.3.4). */
static enum store_result
create(struct job *job, struct slice name, uint8_t use)
{
    struct store *store = job->role->store;
    mailbox_id mailbox;

    for (size_t i = 1; i < name.len; i++) {
        if (name.at[i] != '/')
            continue;
        enum store_result result =
            mailbox_open(store, job->account, slice_first(name, i), &mailbox);
        if (result != STORE_OK)
            return result;
    }
    enum store_result result = mailbox_create(store, job->account, name, &mailbox);
    if (result == STORE_OK && use != 0)
        result = mailbox_set_use(store, job->account, mailbox, use);
    job->change->number = result == STORE_OK ? mailbox : 0;
    return result;
}

/* ---- a new account --------------------------------------------------------------------------- */

/* The numbers are those of imap/use.h. */
enum { USE_ARCHIVE = 1, USE_DRAFTS, USE_JUNK, USE_SENT, USE_TRASH };

bool
imap_is_account_new(struct store_role *role, account_id account)
{
    struct account_entry entry;
    mailbox_id inbox;

    /* Nothing but INBOX was ever made, or not even that. */
    if (mailbox_account_get(role->store, account, &entry) != STORE_OK ||
        mailbox_find(role->store, account, SLICE("INBOX"), &inbox) != STORE_OK)
        return true;
    return entry.next_mailbox <= 2 && role->config->mailbox_drafts.len > 0;
}

static enum store_result
provide(struct job *job, struct slice name, uint8_t use)
{
    struct store *store = job->role->store;
    mailbox_id mailbox;

    if (slice_is_empty(name))
        return STORE_OK;
    enum store_result result = mailbox_open(store, job->account, name, &mailbox);
    if (result == STORE_OK)
        result = mailbox_set_use(store, job->account, mailbox, use);
    if (result == STORE_OK)
        result = mailbox_set_subscribed(store, job->account, mailbox, true);
    return result == STORE_LIMIT ? STORE_OK : result; /* a name that cannot be is passed over */
}

static void
welcome_file(struct job *job)
{
    const struct config *config = job->role->config;
    const struct {
        struct slice name;
        uint8_t use;
    } mailboxes[] = {
        {SLICE("INBOX"), 0},
        {config->mailbox_archive, USE_ARCHIVE},
        {config->mailbox_drafts, USE_DRAFTS},
        {config->mailbox_junk, USE_JUNK},
        {config->mailbox_sent, USE_SENT},
        {config->mailbox_trash, USE_TRASH},
    };

    job->result = STORE_OK;
    for (size_t i = 0; job->result == STORE_OK && i < COUNT_OF(mailboxes); i++)
        job->result = provide(job, mailboxes[i].name, mailboxes[i].use);
}

/* The list that was asked for, if one was, is told when its mailboxes are there. */
static void
welcome_answer(struct job *job, enum store_result result)
{
    (void)result;
    if (job->id != 0)
        imap_list_mailboxes(job->access, job->account, &job->change->note.as.mailbox_list);
}

static const struct job_kind welcome_kind = {welcome_file, welcome_answer};

static void
edit_file(struct job *job)
{
    const struct access_store_mailbox_edit *note = &job->change->note.as.mailbox_edit;
    struct store *store = job->role->store;
    mailbox_id mailbox;

    switch (note->edit) {
    case ACCESS_STORE_EDIT_CREATE:
        job->result = create(job, note->name, note->use);
        break;
    case ACCESS_STORE_EDIT_REMOVE:
        job->result = mailbox_remove(store, job->account, note->name);
        break;
    case ACCESS_STORE_EDIT_RENAME:
        job->result = mailbox_rename(store, job->account, note->name, note->to);
        break;
    case ACCESS_STORE_EDIT_SUBSCRIBE:
    case ACCESS_STORE_EDIT_UNSUBSCRIBE:
        job->result = mailbox_find(store, job->account, note->name, &mailbox);
        if (job->result == STORE_OK)
            job->result = mailbox_set_subscribed(store, job->account, mailbox,
                                                 note->edit == ACCESS_STORE_EDIT_SUBSCRIBE);
        break;
    case ACCESS_STORE_EDIT_COUNT:
        break;
    }
}

static void
done_answer(struct job *job, enum store_result result)
{
    imap_answer_done(job->access, job->id, result_of(result), job->change->number);
}

static void
edit_answer(struct job *job, enum store_result result)
{
    struct mailbox_entry entry;

    if (result == STORE_OK && job->change->number != 0 &&
        mailbox_get(job->role->store, job->account, job->change->number, &entry) == STORE_OK)
        job->change->number = entry.uid_validity;
    done_answer(job, result);
}

static const struct job_kind edit_kind = {edit_file, edit_answer};

/* ---- flags ----------------------------------------------------------------------------------- */

/* The bits of the named keywords; new names are made unless flags are only taken away. */
static enum store_result
keyword_bits(struct job *job, mailbox_id mailbox, const struct access_store_keyword_list *names,
             uint64_t *ret_bits)
{
    uint64_t bits = 0, bit;

    for (size_t i = 0; i < names->count; i++) {
        enum store_result result =
            mailbox_keyword(job->role->store, job->account, mailbox, names->at[i].name, &bit);
        if (result != STORE_OK)
            return result;
        bits |= bit;
    }
    *ret_bits = bits;
    return STORE_OK;
}

static struct message_change
change_of(const struct access_store_flags_set *note, uint64_t keywords)
{
    switch (note->mode) {
    case ACCESS_STORE_MODE_ADD:
        return (struct message_change){.flags_set = note->flags, .keywords_set = keywords};
    case ACCESS_STORE_MODE_REMOVE:
        return (struct message_change){.flags_cleared = note->flags, .keywords_cleared = keywords};
    case ACCESS_STORE_MODE_REPLACE:
    case ACCESS_STORE_MODE_COUNT:
        break;
    }
    return (struct message_change){.flags_set = note->flags,
                                   .flags_cleared = MESSAGE_FLAGS,
                                   .keywords_set = keywords,
                                   .keywords_cleared = UINT64_MAX};
}

static void
set_flags(struct job *job, const uint32_t *uids, size_t count, const struct message_change *change)
{
    const struct access_store_flags_set *note = &job->change->note.as.flags_set;
    struct store *store = job->role->store;
    uint64_t modseq, before;

    for (size_t i = 0; job->result == STORE_OK && i < count; i++) {
        if (mailbox_message_modseq(store, job->account, note->mailbox, uids[i], &before) !=
            STORE_OK)
            continue; /* it went in this very turn */
        if (before > note->unchanged_since) {
            tell_uid(&job->change->told, RANGES_MAX, uids[i]);
            continue;
        }
        job->result =
            mailbox_message_change(store, job->account, note->mailbox, uids[i], change, &modseq);
        if (job->result != STORE_OK || modseq == before)
            continue;
        if (job->change->modseq_first == 0)
            job->change->modseq_first = modseq;
        job->change->modseq_last = modseq;
    }
}

static void
flags_file(struct job *job)
{
    const struct access_store_flags_set *note = &job->change->note.as.flags_set;
    struct buffer uids;
    struct walk walk = {.uids = &uids};
    uint64_t keywords = 0;

    buffer_init(&uids, SIZE_MAX / 2);
    buffer_clear(&job->change->told);
    job->result = keyword_bits(job, note->mailbox, &note->keywords, &keywords);
    struct message_change change = change_of(note, keywords);
    if (job->result == STORE_OK)
        job->result = gather(job, note->mailbox, &note->ranges, 0, &walk);
    struct slice bytes = buffer_slice(&uids);
    if (job->result == STORE_OK)
        set_flags(job, (const void *)bytes.at, bytes.len / sizeof(uint32_t), &change);
    buffer_finish(&uids);
}

static void
flags_answer(struct job *job, enum store_result result)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_flags_were_set note = {
        .id = job->id,
        .result = result_of(result),
        .modseq_first = job->change->modseq_first,
        .modseq_last = job->change->modseq_last,
        .modified = told_list(&job->change->told),
    };

    buffer_clear(buffer);
    send_note(job->access, access_store_put_flags_were_set(buffer, &job->access->ledger, &note));
}

static const struct job_kind flags_kind = {flags_file, flags_answer};

/* ---- expunge --------------------------------------------------------------------------------- */

static enum store_result
expunge(struct job *job, mailbox_id mailbox, const uint32_t *uids, size_t count)
{
    enum store_result result = STORE_OK;

    for (size_t at = 0; result == STORE_OK && at < count;) {
        size_t some = count - at < EXPUNGE_UIDS_MAX ? count - at : (size_t)EXPUNGE_UIDS_MAX, gone;
        result = mailbox_message_expunge(job->role->store, job->account, mailbox, uids + at, some,
                                         &gone);
        at += some;
        job->change->number += result == STORE_OK ? (uint32_t)gone : 0;
    }
    return result;
}

static void
expunge_file(struct job *job)
{
    const struct access_store_expunge *note = &job->change->note.as.expunge;
    struct buffer uids;
    struct walk walk = {.uids = &uids};

    buffer_init(&uids, SIZE_MAX / 2);
    job->result = gather(job, note->mailbox, &note->ranges, MESSAGE_DELETED, &walk);
    struct slice bytes = buffer_slice(&uids);
    if (job->result == STORE_OK)
        job->result =
            expunge(job, note->mailbox, (const void *)bytes.at, bytes.len / sizeof(uint32_t));
    buffer_finish(&uids);
}

static const struct job_kind expunge_kind = {expunge_file, done_answer};

/* ---- copy and move --------------------------------------------------------------------------- */

static void
copy_all(struct job *job, mailbox_id target, const uint32_t *uids, size_t count)
{
    const struct access_store_copy *note = &job->change->note.as.copy;
    struct store *store = job->role->store;
    uint32_t uid;

    for (size_t i = 0; job->result == STORE_OK && i < count; i++) {
        enum store_result result =
            mailbox_message_copy(store, job->account, note->mailbox, uids[i], target, &uid);
        if (result == STORE_NOT_FOUND)
            continue; /* it went in this very turn */
        job->result = result;
        if (result != STORE_OK)
            return;
        if (job->change->number == 0)
            job->change->number = uid;
        tell_uid(&job->change->told, SOURCES_MAX, uids[i]);
    }
    if (note->is_move && job->result == STORE_OK) {
        uint32_t first = job->change->number;
        job->result = expunge(job, note->mailbox, uids, count);
        job->change->number = first;
    }
}

static void
copy_file(struct job *job)
{
    const struct access_store_copy *note = &job->change->note.as.copy;
    struct store *store = job->role->store;
    struct mailbox_entry entry;
    struct buffer uids;
    struct walk walk = {.uids = &uids};
    mailbox_id target;

    buffer_init(&uids, SIZE_MAX / 2);
    buffer_clear(&job->change->told);
    job->change->number = 0;
    job->result = mailbox_find(store, job->account, note->to, &target);
    if (job->result == STORE_OK && mailbox_get(store, job->account, target, &entry) == STORE_OK)
        job->change->uid_validity = entry.uid_validity;
    if (job->result == STORE_OK)
        job->result = gather(job, note->mailbox, &note->ranges, 0, &walk);
    if (job->result == STORE_OK && !note->is_move && walk.bytes > 0)
        job->result = mailbox_account_has_room(store, job->account, walk.bytes);
    struct slice bytes = buffer_slice(&uids);
    if (job->result == STORE_OK)
        copy_all(job, target, (const void *)bytes.at, bytes.len / sizeof(uint32_t));
    buffer_finish(&uids);
}

static void
copy_answer(struct job *job, enum store_result result)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_copied note = {
        .id = job->id,
        .result = result_of(result),
        .uid_validity = job->change->uid_validity,
        .uid_first = job->change->number,
        .sources = told_list(&job->change->told),
    };

    buffer_clear(buffer);
    send_note(job->access, access_store_put_copied(buffer, &job->access->ledger, &note));
}

static const struct job_kind copy_kind = {copy_file, copy_answer};

/* ---- annotations ----------------------------------------------------------------------------- */

static void
annotations_file(struct job *job)
{
    const struct access_store_annotations_set *note = &job->change->note.as.annotations_set;
    struct annotation rows[ACCESS_STORE_ANNOTATIONS_SET_ROWS_MAX];
    struct store *store = job->role->store;
    mailbox_id mailbox = 0;

    job->result =
        note->name.len > 0 ? mailbox_find(store, job->account, note->name, &mailbox) : STORE_OK;
    for (size_t i = 0; i < note->rows.count; i++) {
        const struct access_store_annotation *row = &note->rows.at[i];
        rows[i] = (struct annotation){row->name, row->has_value ? row->value : slice_of(NULL, 0)};
    }
    if (job->result == STORE_OK)
        job->result = mailbox_annotations_set(store, job->account, mailbox, rows, note->rows.count);
}

static const struct job_kind annotations_kind = {annotations_file, done_answer};

static void
keep_annotations(struct arena *arena, struct access_store_annotations_set *set)
{
    struct access_store_annotation *rows =
        ARENA_ARRAY(arena, struct access_store_annotation, set->rows.count + 1);

    set->name = arena_copy(arena, set->name);
    for (size_t i = 0; rows && i < set->rows.count; i++) {
        rows[i] = set->rows.at[i];
        rows[i].name = arena_copy(arena, rows[i].name);
        rows[i].value = arena_copy(arena, rows[i].value);
    }
    set->rows.at = rows;
}

/* ---- all ------------------------------------------------------------------------------------- */

static void
keep_ranges(struct arena *arena, struct access_store_uid_range_list *list)
{
    struct slice copy = arena_copy(arena, slice_of(list->at, list->count * sizeof(*list->at)));

    list->at = (const void *)copy.at;
}

static void
keep(struct imap_change *change, const struct access_store_note *note)
{
    struct arena *arena = &change->arena;

    change->note = *note;
    if (note->kind == ACCESS_STORE_MAILBOX_LIST) {
        change->note.as.mailbox_list.name = arena_copy(arena, note->as.mailbox_list.name);
    } else if (note->kind == ACCESS_STORE_MAILBOX_EDIT) {
        struct access_store_mailbox_edit *edit = &change->note.as.mailbox_edit;
        edit->name = arena_copy(arena, edit->name);
        edit->to = arena_copy(arena, edit->to);
    } else if (note->kind == ACCESS_STORE_FLAGS_SET) {
        struct access_store_flags_set *set = &change->note.as.flags_set;
        struct access_store_keyword *names =
            ARENA_ARRAY(arena, struct access_store_keyword, set->keywords.count + 1);
        for (size_t i = 0; names && i < set->keywords.count; i++)
            names[i].name = arena_copy(arena, set->keywords.at[i].name);
        set->keywords.at = names;
        keep_ranges(arena, &set->ranges);
    } else if (note->kind == ACCESS_STORE_ANNOTATIONS_SET) {
        keep_annotations(arena, &change->note.as.annotations_set);
    } else if (note->kind == ACCESS_STORE_COPY) {
        change->note.as.copy.to = arena_copy(arena, note->as.copy.to);
        keep_ranges(arena, &change->note.as.copy.ranges);
    } else {
        keep_ranges(arena, &change->note.as.expunge.ranges);
    }
    assert(!arena_failed(arena)); /* a note is smaller than the arena */
}

void
imap_job_start(struct store_access *access, const struct grant *grant,
               const struct access_store_note *note)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job || !(job->change = calloc(1, sizeof(*job->change))))
        abort();
    arena_init(&job->change->arena, (size_t)1 << 20);
    buffer_init(&job->change->told, SOURCES_MAX * sizeof(struct access_store_uid_range));
    keep(job->change, note);
    job->role = access->role;
    job->access = access;
    job->account = grant->account;
    if (note->kind == ACCESS_STORE_MAILBOX_LIST) {
        job->kind = &welcome_kind;
        job->id = note->as.mailbox_list.id;
    } else if (note->kind == ACCESS_STORE_MAILBOX_EDIT) {
        job->kind = &edit_kind;
        job->id = note->as.mailbox_edit.id;
    } else if (note->kind == ACCESS_STORE_FLAGS_SET) {
        job->kind = &flags_kind;
        job->id = note->as.flags_set.id;
    } else if (note->kind == ACCESS_STORE_ANNOTATIONS_SET) {
        job->kind = &annotations_kind;
        job->id = note->as.annotations_set.id;
    } else if (note->kind == ACCESS_STORE_COPY) {
        job->kind = &copy_kind;
        job->id = note->as.copy.id;
    } else {
        job->kind = &expunge_kind;
        job->id = note->as.expunge.id;
    }
    list_append(&access->role->jobs, &job->link);
    store_role_turn_soon(access->role);
}

void
imap_job_welcome(struct store_access *access, const struct grant *grant)
{
    imap_job_start(access, grant, &(struct access_store_note){.kind = ACCESS_STORE_MAILBOX_LIST});
}

void
imap_change_close(struct imap_change **change)
{
    if (!*change)
        return;
    arena_finish(&(*change)->arena);
    buffer_finish(&(*change)->told);
    free(*change);
    *change = NULL;
}
