/* SPDX-License-Identifier: ISC */
/* What IMAP sessions change of messages, and how a change is kept (of mailboxes: imap_edit.c). Each
 * is a job of the next turn, and is answered when that is durable.
 */
#include "role/store/imap_change.h"

#include <stdlib.h>

enum {
    RANGES_MAX = ACCESS_STORE_FLAGS_SET_RANGES_MAX,
    SOURCES_MAX = ACCESS_STORE_COPIED_SOURCES_MAX,
    PART_LOOKS = 8, /* to look at a message costs a part of what its change does */
};

/* ---- helpers --------------------------------------------------------------------------------- */

static void
send_note(struct store_access *access, bool is_put)
{
    assert(is_put);
    host_channel_send(access->channel, buffer_slice(&access->role->note), HOST_HANDLE_NONE);
}

enum access_store_result
imap_result_of(enum store_result result)
{
    return result == STORE_NOT_FOUND ? ACCESS_STORE_RESULT_NOT_FOUND : access_result_of(result);
}

struct reach
imap_reach_for(const struct job *job)
{
    return reach_of(job->role, job->asker, job->change->user);
}

/* A mailbox by number; job->account becomes its owner. */
static bool
reach_number(struct job *job, account_id owner, mailbox_id mailbox, unsigned needed,
             struct reached *ret_reached)
{
    struct reach reach = imap_reach_for(job);

    job->result = reach_get(&reach, owner, mailbox, needed, ret_reached);
    if (job->result == STORE_OK)
        job->account = ret_reached->account;
    return job->result == STORE_OK;
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

/* What a part of a command takes of the mailbox. */
struct walk {
    struct buffer uids;
    uint64_t bytes;
    uint32_t flags; /* all of these wanted */
    uint32_t last;
    uint32_t next; /* the first that there was no room for, or 0 */
    size_t most, left, looks; /* messages that may be taken: at first, yet; and be looked at */
};

static bool
add_uid(void *context, uint32_t uid, const struct message_entry *entry)
{
    struct walk *walk = context;

    if (uid > walk->last)
        return false;
    if (walk->left == 0 || walk->looks == 0) {
        walk->next = uid;
        return false;
    }
    walk->looks--;
    if ((entry->flags & walk->flags) == walk->flags) {
        buffer_put(&walk->uids, slice_of(&uid, sizeof(uid)));
        walk->bytes += entry->len;
        walk->left--;
    }
    return true;
}

/* The messages that are there (durable) among the ranges, from where the last part has ended. */
static enum store_result
gather(struct job *job, mailbox_id mailbox, const struct access_store_uid_range_list *ranges,
       struct walk *walk)
{
    struct imap_change *change = job->change;
    enum store_result result = STORE_OK;

    while (result == STORE_OK && walk->next == 0 && change->range_at < ranges->count) {
        const struct access_store_uid_range *range = &ranges->at[change->range_at];
        uint32_t from = range->first > change->uid_from ? range->first : change->uid_from;
        walk->last = range->last;
        result = mailbox_message_list(job->role->store, job->account, mailbox, from, add_uid, walk);
        change->uid_from = walk->next;
        change->range_at += walk->next == 0;
    }
    job->has_more = walk->next > 0;
    return result;
}

static void
walk_init(struct walk *walk, uint32_t flags, size_t most)
{
    *walk = (struct walk){.flags = flags, .most = most, .left = most, .looks = most * PART_LOOKS};
    buffer_init(&walk->uids, SIZE_MAX / 2);
}

/* Of a part: what is left of the turn. */
static void
walk_init_part(struct walk *walk, uint32_t flags, const struct job *job)
{
    walk_init(walk, flags, job_part_max(job));
}

static const uint32_t *
walk_uids(const struct walk *walk, size_t *ret_count)
{
    struct slice bytes = buffer_slice(&walk->uids);

    *ret_count = bytes.len / sizeof(uint32_t);
    return (const void *)bytes.at;
}

static void
walk_finish(struct walk *walk, struct job *job)
{
    size_t taken = walk->most - walk->left, looked = walk->most - walk->looks / PART_LOOKS;

    job_part_end(job, taken > looked ? taken : looked, taken);
    buffer_finish(&walk->uids);
}

/* ---- flags ----------------------------------------------------------------------------------- */

/* The bits of the named keywords; new names are made unless flags are only taken away. */
static enum store_result
keyword_bits(struct job *job, const struct access_store_flags_set *note, uint64_t *ret_bits)
{
    bool is_removal = note->mode == ACCESS_STORE_MODE_REMOVE;
    uint64_t bits = 0, bit = 0;

    for (size_t i = 0; i < note->keywords.count; i++) {
        enum store_result result = (is_removal ? mailbox_keyword_find : mailbox_keyword)(
            job->role->store, job->account, note->mailbox, note->keywords.at[i].name, &bit);
        if (result != STORE_OK)
            return result;
        bits |= bit;
    }
    *ret_bits = bits;
    return STORE_OK;
}

/* What the rights allow of it. */
static struct message_change
change_of(const struct access_store_flags_set *note, uint64_t keywords, unsigned rights)
{
    uint32_t flags = reach_flags(rights);
    uint64_t words = rights & RIGHT_WRITE ? UINT64_MAX : 0;

    keywords &= words;
    switch (note->mode) {
    case ACCESS_STORE_MODE_ADD:
        return (struct message_change){.flags_set = note->flags & flags, .keywords_set = keywords};
    case ACCESS_STORE_MODE_REMOVE:
        return (struct message_change){.flags_cleared = note->flags & flags,
                                       .keywords_cleared = keywords};
    case ACCESS_STORE_MODE_REPLACE:
    case ACCESS_STORE_MODE_COUNT:
        break;
    }
    return (struct message_change){.flags_set = note->flags & flags,
                                   .flags_cleared = flags,
                                   .keywords_set = keywords,
                                   .keywords_cleared = words};
}

/* STORE fails only when nothing of what was asked for is allowed (RFC 4314 §4). */
static bool
may_change(const struct access_store_flags_set *note, unsigned rights)
{
    bool is_allowed =
        note->flags & reach_flags(rights) || (note->keywords.count > 0 && rights & RIGHT_WRITE);

    return is_allowed || (note->flags == 0 && note->keywords.count == 0);
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
        if (before > note->told)
            tell_uid(&job->change->raced, RANGES_MAX, uids[i]);
    }
}

static void
flags_file(struct job *job)
{
    const struct access_store_flags_set *note = &job->change->note.as.flags_set;
    struct reached reached;
    struct walk walk;
    uint64_t keywords = 0;
    size_t count;

    job->change->modseq_first = job->change->modseq_last = 0;
    buffer_clear(&job->change->told);
    buffer_clear(&job->change->raced);
    if (!reach_number(job, note->owner, note->mailbox, RIGHT_SEEN | RIGHT_WRITE | RIGHT_DELETE,
                      &reached))
        return;
    if (!may_change(note, reached.rights)) {
        job->result = STORE_FORBIDDEN;
        return;
    }
    if (reached.rights & RIGHT_WRITE)
        job->result = keyword_bits(job, note, &keywords);
    struct message_change change = change_of(note, keywords, reached.rights);
    walk_init_part(&walk, 0, job);
    if (job->result == STORE_OK)
        job->result = gather(job, note->mailbox, &note->ranges, &walk);
    const uint32_t *uids = walk_uids(&walk, &count);
    if (job->result == STORE_OK)
        set_flags(job, uids, count, &change);
    walk_finish(&walk, job);
}

static void
flags_tell_part(struct job *job)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_flags_were_set_in_part note = {
        .id = job->id,
        .modseq_first = job->change->modseq_first,
        .modseq_last = job->change->modseq_last,
        .modified = told_list(&job->change->told),
        .raced = told_list(&job->change->raced),
    };

    buffer_clear(buffer);
    send_note(job->access,
              access_store_put_flags_were_set_in_part(buffer, &job->access->ledger, &note));
}

/* The lists have room: a part is no more than they hold. */
static void
flags_answer(struct job *job, enum store_result result)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_flags_were_set note = {
        .id = job->id,
        .result = imap_result_of(result),
        .modseq_first = job->change->modseq_first,
        .modseq_last = job->change->modseq_last,
        .modified = told_list(&job->change->told),
        .raced = told_list(&job->change->raced),
    };

    buffer_clear(buffer);
    send_note(job->access, access_store_put_flags_were_set(buffer, &job->access->ledger, &note));
}

static const struct job_kind flags_kind = {flags_file, flags_answer, flags_tell_part};

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
    size_t range_at = job->change->range_at, count;
    uint32_t uid_from = job->change->uid_from;
    struct reached reached;
    struct walk walk;

    if (!reach_number(job, note->owner, note->mailbox, RIGHT_EXPUNGE, &reached))
        return;
    walk_init_part(&walk, MESSAGE_DELETED, job);
    job->result = gather(job, note->mailbox, &note->ranges, &walk);
    const uint32_t *uids = walk_uids(&walk, &count);
    if (job->result == STORE_OK)
        job->result = expunge(job, note->mailbox, uids, count);
    if (job->result == STORE_BUSY) { /* the same part, in the next turn */
        job->change->range_at = range_at;
        job->change->uid_from = uid_from;
    }
    walk_finish(&walk, job);
}

static void
expunge_tell_part(struct job *job)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_expunged_in_part note = {.id = job->id};

    buffer_clear(buffer);
    send_note(job->access, access_store_put_expunged_in_part(buffer, &job->access->ledger, &note));
}

static const struct job_kind expunge_kind = {expunge_file, imap_done_answer, expunge_tell_part};

/* ---- copy and move --------------------------------------------------------------------------- */

static void
on_copied(void *context, uint32_t uid, uint32_t copy_uid)
{
    struct job *job = context;

    if (job->change->number == 0)
        job->change->number = copy_uid;
    tell_uid(&job->change->told, SOURCES_MAX, uid);
}

/* There is room for all of them: copy_file has looked. */
static void
copy_all(struct job *job, const struct reached *target, const uint32_t *uids, size_t count)
{
    const struct access_store_copy *note = &job->change->note.as.copy;
    const struct message_copy copy = {
        .from_account = job->account,
        .to_account = target->account,
        .from = note->mailbox,
        .to = target->mailbox,
        .flags = reach_flags(target->rights),
        .has_keywords = target->rights & RIGHT_WRITE,
    };

    job->result = mailbox_message_copy_all(job->role->store, &copy, uids, count, on_copied, job);
    if (note->is_move && job->result == STORE_OK) {
        uint32_t first = job->change->number;
        job->result = expunge(job, note->mailbox, uids, count);
        job->change->number = first;
    }
}

/* Both mailboxes, and what may be done there: MOVE also takes messages away (RFC 6851 §4.4). */
static bool
reach_both(struct job *job, struct reached *ret_target)
{
    const struct access_store_copy *note = &job->change->note.as.copy;
    const unsigned to_move = RIGHT_DELETE | RIGHT_EXPUNGE;
    struct reach reach = imap_reach_for(job);
    struct reached source;

    if (!reach_number(job, note->owner, note->mailbox, RIGHT_READ, &source))
        return false;
    if (note->is_move && (source.rights & to_move) != to_move)
        job->result = STORE_FORBIDDEN;
    else
        job->result = reach_find(&reach, note->to, RIGHT_INSERT, ret_target);
    return job->result == STORE_OK;
}

/* All of what is copied, or a part of what is moved. */
static void
file_copies(struct job *job, const struct reached *target, struct walk *walk)
{
    const struct access_store_copy *note = &job->change->note.as.copy;
    struct store *store = job->role->store;
    bool is_kept = note->is_move && target->account == job->account;
    size_t count;

    job->result = gather(job, note->mailbox, &note->ranges, walk);
    const uint32_t *uids = walk_uids(walk, &count);
    const struct account_growth growth = {.messages = count, .bytes = walk->bytes};
    if (job->result == STORE_OK && !is_kept)
        job->result = mailbox_account_has_room_for(store, target->account, &growth);
    if (job->result == STORE_OK)
        copy_all(job, target, uids, count);
    if (job->result == STORE_OK)
        job->result =
            mailbox_modseq(store, target->account, target->mailbox, &job->change->modseq_last);
}

static void
copy_file(struct job *job)
{
    struct store *store = job->role->store;
    struct mailbox_entry entry;
    struct reached target;
    struct walk walk;

    buffer_clear(&job->change->told);
    job->change->number = 0;
    if (!reach_both(job, &target))
        return;
    if (mailbox_get(store, target.account, target.mailbox, &entry) == STORE_OK)
        job->change->uid_validity = entry.uid_validity;
    job->result = mailbox_modseq(store, target.account, target.mailbox, &job->change->modseq_first);
    if (job->result != STORE_OK)
        return;
    job->filed_to = target.account;
    if (job->change->note.as.copy.is_move)
        walk_init_part(&walk, 0, job);
    else
        walk_init(&walk, 0, SIZE_MAX / PART_LOOKS);
    file_copies(job, &target, &walk);
    walk_finish(&walk, job);
}

static void
copy_tell_part(struct job *job)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_moved_in_part note = {
        .id = job->id,
        .uid_validity = job->change->uid_validity,
        .uid_first = job->change->number,
        .modseq_before = job->change->modseq_first,
        .modseq = job->change->modseq_last,
        .sources = told_list(&job->change->told),
    };

    buffer_clear(buffer);
    send_note(job->access, access_store_put_moved_in_part(buffer, &job->access->ledger, &note));
}

static void
copy_answer(struct job *job, enum store_result result)
{
    struct buffer *buffer = &job->role->note;
    struct access_store_copied note = {
        .id = job->id,
        .result = imap_result_of(result),
        .uid_validity = job->change->uid_validity,
        .uid_first = job->change->number,
        .modseq_before = job->change->modseq_first,
        .modseq = job->change->modseq_last,
        .sources = told_list(&job->change->told),
    };

    buffer_clear(buffer);
    send_note(job->access, access_store_put_copied(buffer, &job->access->ledger, &note));
}

static const struct job_kind copy_kind = {copy_file, copy_answer, copy_tell_part};

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
    } else if (note->kind == ACCESS_STORE_ACL_SET) {
        struct access_store_acl_set *set = &change->note.as.acl_set;
        set->name = arena_copy(arena, set->name);
        set->identifier = arena_copy(arena, set->identifier);
    } else if (note->kind == ACCESS_STORE_URL_SIGN) {
        struct access_store_url_sign *sign = &change->note.as.url_sign;
        sign->owner = arena_copy(arena, sign->owner);
        sign->name = arena_copy(arena, sign->name);
        sign->user = arena_copy(arena, sign->user);
        sign->rump = arena_copy(arena, sign->rump);
    } else if (note->kind == ACCESS_STORE_URL_RESET) {
        change->note.as.url_reset.name = arena_copy(arena, note->as.url_reset.name);
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
    buffer_init(&job->change->raced, RANGES_MAX * sizeof(struct access_store_uid_range));
    keep(job->change, note);
    job->role = access->role;
    job->access = access;
    job->account = job->asker = grant->account;
    job->change->user = arena_copy(&job->change->arena, grant_user(grant));
    if (note->kind == ACCESS_STORE_MAILBOX_LIST) {
        job->kind = &imap_welcome_kind;
        job->id = note->as.mailbox_list.id;
    } else if (note->kind == ACCESS_STORE_MAILBOX_EDIT) {
        job->kind = &imap_edit_kind;
        job->id = note->as.mailbox_edit.id;
    } else if (note->kind == ACCESS_STORE_FLAGS_SET) {
        job->kind = &flags_kind;
        job->id = note->as.flags_set.id;
    } else if (note->kind == ACCESS_STORE_ANNOTATIONS_SET) {
        job->kind = &imap_annotations_kind;
        job->id = note->as.annotations_set.id;
    } else if (note->kind == ACCESS_STORE_ACL_SET) {
        job->kind = &imap_acl_kind;
        job->id = note->as.acl_set.id;
    } else if (note->kind == ACCESS_STORE_URL_SIGN) {
        job->kind = &imap_url_sign_kind;
        job->id = note->as.url_sign.id;
    } else if (note->kind == ACCESS_STORE_URL_RESET) {
        job->kind = &imap_url_reset_kind;
        job->id = note->as.url_reset.id;
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
    buffer_finish(&(*change)->raced);
    free(*change);
    *change = NULL;
}
