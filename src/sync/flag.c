/* SPDX-License-Identifier: ISC */
/* Flags, and what one side has no more. A flag that one side has changed since both were alike is
 * changed on the other; both cannot have changed it to different things. */
#include "sync/run.h"

enum { FLAGS_COUNT = 6 };

static const struct {
    uint32_t flag;
    const char *name;
} flag_rows[FLAGS_COUNT] = {{CLIENT_SEEN, "\\Seen"},       {CLIENT_ANSWERED, "\\Answered"},
                            {CLIENT_FLAGGED, "\\Flagged"}, {CLIENT_DELETED, "\\Deleted"},
                            {CLIENT_DRAFT, "\\Draft"},     {STATE_PASSED, "$Forwarded"}};

void
run_put_flags(struct buffer *out, uint32_t flags)
{
    for (size_t i = 0; i < COUNT_OF(flag_rows); i++) {
        if (!(flags & flag_rows[i].flag))
            continue;
        buffer_put_text(out, buffer_len(out) > 0 ? " " : "");
        buffer_put_text(out, flag_rows[i].name);
    }
}

/* ---- flags --------------------------------------------------------------------------------- */

struct wish { /* flags of one message */
    uint32_t here, there, both;
};

static struct wish
wish_of(const struct work *work, const struct state_entry *entry, const struct scan_file *file)
{
    uint32_t base = entry->flags, here = file->flags;
    uint32_t there = (entry->there & work->mask) | (base & ~work->mask);
    uint32_t both = base ^ ((here ^ base) | (there ^ base));

    if (!work->can_write) /* only what has changed there */
        return (struct wish){
            .here = here ^ ((there ^ base) & (here ^ there)), .there = entry->there, .both = there};
    return (struct wish){
        .here = both, .there = (both & work->mask) | (entry->there & ~work->mask), .both = both};
}

struct changes {
    struct run_uids add[FLAGS_COUNT], remove[FLAGS_COUNT];
};

static bool
store(struct work *work, struct run_uids *uids, const char *sign, const char *flag)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_STORE,
                                            .text = slice_of_string(sign),
                                            .flags = slice_of_string(flag)};

    return run_ask_of_each(work->run, uids, question, NULL, NULL, &work->problem);
}

/* Sets what the server lacks: for each flag, the messages that get and lose it. */
static bool
change_there(struct work *work)
{
    struct changes changes = {0};
    bool is_good = true;

    for (size_t i = 0; i < work->state->count; i++) {
        struct state_entry *entry = work->state->entries[i];
        if (entry->uid == 0 || !entry->is_here || !entry->is_there)
            continue;
        struct scan_file *file = scan_find(work->scan, entry->file);
        struct wish wish = wish_of(work, entry, file);
        for (size_t k = 0; k < FLAGS_COUNT; k++) {
            uint32_t flag = flag_rows[k].flag;
            if ((wish.there & flag) && !(entry->there & flag))
                run_uids_add(&changes.add[k], entry->uid);
            if (!(wish.there & flag) && (entry->there & flag))
                run_uids_add(&changes.remove[k], entry->uid);
        }
    }
    for (size_t k = 0; k < FLAGS_COUNT; k++) {
        is_good = is_good && store(work, &changes.add[k], "+", flag_rows[k].name) &&
                  store(work, &changes.remove[k], "-", flag_rows[k].name);
        run_uids_finish(&changes.add[k]);
        run_uids_finish(&changes.remove[k]);
    }
    return is_good;
}

static bool
change_here(struct work *work, struct state_entry *entry)
{
    struct scan_file *file = scan_find(work->scan, entry->file);
    struct wish wish = wish_of(work, entry, file);
    bool is_done = true;

    if (wish.here == file->flags && wish.there == entry->there && wish.both == entry->flags)
        return true;
    if (wish.here != file->flags && !work->run->options->is_dry &&
        !scan_set_flags(work->scan, file, wish.here, &is_done, &work->problem))
        return false;
    if (wish.there != entry->there)
        work_tell(work, SYNC_FLAGGED_THERE, entry->uid, file->unique, NULL);
    if (wish.here != file->flags && is_done)
        work_tell(work, SYNC_FLAGGED_HERE, entry->uid, file->unique, NULL);
    if (is_done) /* else the file was renamed meanwhile: the next run looks at it */
        (void)state_pair(work->state, entry->uid, wish.both, entry->file);
    return true;
}

bool
work_flag(struct work *work)
{
    if (work->can_write && !work->run->options->is_dry && !change_there(work))
        return false;
    for (size_t i = 0; i < work->state->count; i++) {
        struct state_entry *entry = work->state->entries[i];
        if (entry->uid != 0 && entry->is_here && entry->is_there && !change_here(work, entry))
            return false;
    }
    if (buffer_len(&work->state->lines) > 0 && !work->run->options->is_dry)
        scan_sync(work->scan);
    return state_commit(work->state, &work->problem);
}

/* ---- deletions ----------------------------------------------------------------------------- */

struct marked {
    struct work *work;
    bool has_others;
};

static void
take_marked(void *context, const struct imap_client_event *event)
{
    struct marked *marked = context;

    if (event->kind != IMAP_CLIENT_EVENT_NUMBERS || marked->has_others)
        return;
    for (uint64_t uid = event->first; uid <= event->last && !marked->has_others; uid++) {
        struct state_entry *entry = state_of_uid(marked->work->state, (uint32_t)uid);
        marked->has_others = !entry || entry->is_here;
    }
}

/* Without UIDPLUS all that is \Deleted goes at once: only when all of it is ours. */
static bool
expunge(struct work *work, struct run_uids *uids, bool *ret_done)
{
    struct imap_client_term term = {.key = SLICE("DELETED")};
    struct imap_client_question search = {
        .command = IMAP_CLIENT_SEARCH, .terms = &term, .terms_count = 1};
    struct imap_client_question question = {.command = IMAP_CLIENT_EXPUNGE};
    struct marked marked = {.work = work};

    *ret_done = true;
    if (client_imap_facts(work->run->imap).has_uidplus)
        return run_ask_of_each(work->run, uids, question, NULL, NULL, &work->problem);
    if (!client_imap_ask(work->run->imap, &search, take_marked, &marked, &work->problem))
        return false;
    *ret_done = !marked.has_others;
    return marked.has_others ||
           client_imap_ask(work->run->imap, &question, NULL, NULL, &work->problem);
}

static bool
delete_there(struct work *work)
{
    struct run_uids uids = {0};
    bool is_done = true, is_good = true;

    for (size_t i = 0; i < work->state->count; i++) {
        struct state_entry *entry = work->state->entries[i];
        if (entry->uid != 0 && !entry->is_here && entry->is_there && !entry->is_moved)
            run_uids_add(&uids, entry->uid);
    }
    for (size_t i = 0; i < uids.count; i++) /* judge in work.c says why */
        state_deleting(work->state, state_of_uid(work->state, uids.at[i]));
    if (uids.count > 0 && !work->run->options->is_dry)
        is_good = state_commit(work->state, &work->problem) &&
                  store(work, &uids, "+", "\\Deleted") && expunge(work, &uids, &is_done);
    for (size_t i = 0; i < uids.count && is_good; i++) {
        struct state_entry *entry = state_of_uid(work->state, uids.at[i]);
        if (is_done && entry) {
            work_tell(work, SYNC_DELETED_THERE, entry->uid, entry->file, NULL);
            state_forget(work->state, entry);
        }
    }
    if (is_good && !is_done)
        work_tell(work, SYNC_PASSED_OVER, 0, NULL,
                  "the server deletes only together what is marked as deleted, and others have "
                  "marked messages too");
    run_uids_finish(&uids);
    return is_good;
}

static bool
delete_here(struct work *work)
{
    for (size_t i = 0; i < work->state->count; i++) {
        struct state_entry *entry = work->state->entries[i];
        struct scan_file *file = entry->uid ? scan_find(work->scan, entry->file) : NULL;
        bool is_done = true;
        if (!file || !entry->is_here || entry->is_there)
            continue;
        if (!work->run->options->is_dry && !scan_remove(work->scan, file, &is_done, &work->problem))
            return false;
        if (is_done) {
            work_tell(work, SYNC_DELETED_HERE, entry->uid, entry->file, NULL);
            state_forget(work->state, entry);
        }
    }
    return true;
}

bool
work_delete(struct work *work)
{
    if (work->can_write && !work->spares && !delete_there(work))
        return false;
    return delete_here(work) && state_commit(work->state, &work->problem);
}
