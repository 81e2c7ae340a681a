/* SPDX-License-Identifier: ISC */
/* What IMAP sessions change of mailboxes themselves: names, annotations, and who may do what. */
#include "mailbox/annotation.h"
#include "mailbox/sharing.h"
#include "role/store/imap_change.h"

#include <stdlib.h>

/* ---- mailboxes ------------------------------------------------------------------------------- */

/* One level; it takes over the list of the mailbox above it (RFC 4314 §4), `parent`, if one was
 * there: lists are read as they are durable. */
static enum store_result
create_one(struct job *job, struct slice name, mailbox_id parent, mailbox_id *ret_mailbox)
{
    struct store *store = job->role->store;
    enum store_result result = mailbox_create(store, job->account, name, ret_mailbox);

    return result == STORE_OK && parent != 0
               ? mailbox_acl_copy(store, job->account, parent, *ret_mailbox)
               : result;
}

/* With superior levels (RFC 9051 §6.3.4); none of them for a name that cannot be. */
static enum store_result
create(struct job *job, struct slice name, uint8_t use)
{
    struct store *store = job->role->store;
    mailbox_id mailbox, parent = 0;

    if (!mailbox_name_is_valid(name) || !mailbox_name_is_free_of_controls(name))
        return STORE_INVALID;
    if (!reach_parent(store, job->account, name, &parent))
        parent = 0;
    for (size_t i = 1; i < name.len; i++) {
        if (name.at[i] != '/')
            continue;
        enum store_result result = create_one(job, slice_first(name, i), parent, &mailbox);
        if (result != STORE_OK && result != STORE_EXISTS)
            return result;
    }
    enum store_result result = create_one(job, name, parent, &mailbox);
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
    /* A name that cannot be is passed over. */
    return result == STORE_LIMIT || result == STORE_INVALID ? STORE_OK : result;
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
        imap_list_mailboxes(job->access, job->account, job->change->user,
                            &job->change->note.as.mailbox_list);
}

const struct job_kind imap_welcome_kind = {welcome_file, welcome_answer};

/* What names no mailbox of anybody cannot be made, whoever asks. */
static enum store_result
resolve_new(const struct reach *reach, struct slice name, account_id *ret_account,
            struct slice *ret_name)
{
    enum store_result result = reach_resolve(reach, name, ret_account, ret_name);

    return result == STORE_NOT_FOUND ? STORE_FORBIDDEN : result;
}

static enum store_result
create_named(struct job *job, const struct access_store_mailbox_edit *note)
{
    struct reach reach = imap_reach_for(job);
    struct slice name;

    enum store_result result = resolve_new(&reach, note->name, &job->account, &name);
    if (result == STORE_OK)
        result = reach_check_new(&reach, job->account, name);
    bool is_own = job->account == job->asker;
    return result == STORE_OK ? create(job, name, is_own ? note->use : 0) : result;
}

static enum store_result
remove_named(struct job *job, const struct access_store_mailbox_edit *note)
{
    struct reach reach = imap_reach_for(job);
    struct reached reached;
    struct slice name;
    enum store_result result = reach_find(&reach, note->name, RIGHT_REMOVE, &reached);

    if (result == STORE_OK)
        result = reach_resolve(&reach, note->name, &job->account, &name);
    return result == STORE_OK ? mailbox_remove(job->role->store, job->account, name) : result;
}

static enum store_result
rename_named(struct job *job, const struct access_store_mailbox_edit *note)
{
    struct reach reach = imap_reach_for(job);
    struct reached reached;
    account_id account;
    struct slice from, to;
    enum store_result result = reach_find(&reach, note->name, RIGHT_REMOVE, &reached);

    if (result == STORE_OK)
        result = reach_resolve(&reach, note->name, &job->account, &from);
    if (result != STORE_OK)
        return result;
    result = resolve_new(&reach, note->to, &account, &to);
    if (result != STORE_OK)
        return result;
    bool is_own = job->account == job->asker;
    if (account != job->account || (!is_own && slice_equal_nocase(from, SLICE("INBOX"))))
        return STORE_FORBIDDEN; /* from one owner to another go messages, not mailboxes */
    result = reach_check_new(&reach, account, to);
    return result == STORE_OK ? mailbox_rename(job->role->store, account, from, to) : result;
}

static enum store_result
subscribe(struct job *job, const struct access_store_mailbox_edit *note)
{
    bool is_wanted = note->edit == ACCESS_STORE_EDIT_SUBSCRIBE;
    struct store *store = job->role->store;
    struct reach reach = imap_reach_for(job);
    account_id account;
    mailbox_id mailbox;
    struct slice name;
    struct reached reached;
    enum store_result result = reach_resolve(&reach, note->name, &account, &name);

    if (result == STORE_OK)
        result = mailbox_find(store, account, name, &mailbox);
    if (result != STORE_OK || account == job->asker)
        return result == STORE_OK ? mailbox_set_subscribed(store, account, mailbox, is_wanted)
                                  : result;
    /* Who has subscribed may end that, whatever he may see now. */
    if (is_wanted || !mailbox_is_followed(store, job->asker, account, mailbox))
        result = reach_get(&reach, account, mailbox, RIGHT_LOOKUP, &reached);
    return result == STORE_OK ? mailbox_follow(store, job->asker, account, mailbox, is_wanted)
                              : result;
}

static void
edit_file(struct job *job)
{
    const struct access_store_mailbox_edit *note = &job->change->note.as.mailbox_edit;

    switch (note->edit) {
    case ACCESS_STORE_EDIT_CREATE:
        job->result = create_named(job, note);
        break;
    case ACCESS_STORE_EDIT_REMOVE:
        job->result = remove_named(job, note);
        break;
    case ACCESS_STORE_EDIT_RENAME:
        job->result = rename_named(job, note);
        break;
    case ACCESS_STORE_EDIT_SUBSCRIBE:
    case ACCESS_STORE_EDIT_UNSUBSCRIBE:
        job->result = subscribe(job, note);
        break;
    case ACCESS_STORE_EDIT_COUNT:
        break;
    }
}

void
imap_done_answer(struct job *job, enum store_result result)
{
    imap_answer_done(job->access, job->id, imap_result_of(result), job->change->number);
}

static void
edit_answer(struct job *job, enum store_result result)
{
    account_id owner = job->account == job->asker ? 0 : job->account;
    struct mailbox_entry entry;

    if (result == STORE_OK && job->change->number != 0 &&
        mailbox_get(job->role->store, job->account, job->change->number, &entry) == STORE_OK)
        job->change->number = entry.uid_validity;
    imap_answer_made(job->access, job->id, imap_result_of(result), job->change->number, owner);
}

const struct job_kind imap_edit_kind = {edit_file, edit_answer};

/* ---- annotations ----------------------------------------------------------------------------- */

static bool
has_private(const struct access_store_annotations_set *note)
{
    for (size_t i = 0; i < note->rows.count; i++) {
        if (!slice_starts_with(note->rows.at[i].name, SLICE("/shared/")))
            return true;
    }
    return false;
}

/* Of a mailbox of somebody else only what all share can be set, by who may write there. */
static void
annotations_file(struct job *job)
{
    const struct access_store_annotations_set *note = &job->change->note.as.annotations_set;
    struct annotation rows[ACCESS_STORE_ANNOTATIONS_SET_ROWS_MAX];
    struct reach reach = imap_reach_for(job);
    struct reached reached = {.account = job->asker};

    job->result =
        note->name.len > 0 ? reach_find(&reach, note->name, RIGHT_WRITE, &reached) : STORE_OK;
    if (job->result == STORE_OK && reached.account != job->asker && has_private(note))
        job->result = STORE_FORBIDDEN;
    for (size_t i = 0; i < note->rows.count; i++) {
        const struct access_store_annotation *row = &note->rows.at[i];
        rows[i] = (struct annotation){row->name, row->has_value ? row->value : slice_of(NULL, 0)};
    }
    if (job->result == STORE_OK)
        job->result = mailbox_annotations_set(job->role->store, reached.account, reached.mailbox,
                                              rows, note->rows.count);
}

const struct job_kind imap_annotations_kind = {annotations_file, imap_done_answer};

/* ---- rights ---------------------------------------------------------------------------------- */

static unsigned
rights_after(unsigned before, const struct access_store_acl_set *note)
{
    switch (note->mode) {
    case ACCESS_STORE_MODE_ADD:
        return before | note->rights;
    case ACCESS_STORE_MODE_REMOVE:
        return before & ~(unsigned)note->rights;
    case ACCESS_STORE_MODE_REPLACE:
    case ACCESS_STORE_MODE_COUNT:
        break;
    }
    return note->rights;
}

/* Others find the mailbox below its owner's name: the owner tells it by sharing something. */
static enum store_result
set_rights(struct job *job, const struct access_store_acl_set *note, const struct reached *reached,
           struct slice identifier)
{
    struct store *store = job->role->store;
    enum store_result result = reached->account == job->asker
                                   ? mailbox_owner_set(store, job->asker, job->change->user)
                                   : STORE_OK;

    if (result != STORE_OK)
        return result;
    unsigned before = mailbox_acl_get(store, reached->account, reached->mailbox, identifier);
    return mailbox_acl_set(store, reached->account, reached->mailbox, identifier,
                           rights_after(before, note));
}

static void
acl_file(struct job *job)
{
    const struct access_store_acl_set *note = &job->change->note.as.acl_set;
    struct reach reach = imap_reach_for(job);
    struct reached reached;
    struct buffer identifier;
    struct slice owner;

    job->result = reach_find(&reach, note->name, RIGHT_ADMINISTER, &reached);
    if (job->result != STORE_OK)
        return;
    owner = job->change->user;
    if (reached.account != job->asker)
        job->result = mailbox_owner_name(job->role->store, reached.account, &owner);
    if (job->result != STORE_OK)
        return;
    buffer_init(&identifier, (size_t)2 * IDENTIFIER_MAX);
    if (reach_put_identifier(&reach, note->identifier, owner, &identifier))
        job->result = set_rights(job, note, &reached, buffer_slice(&identifier));
    else
        job->result = STORE_INVALID;
    buffer_finish(&identifier);
}

const struct job_kind imap_acl_kind = {acl_file, imap_done_answer};
