/* SPDX-License-Identifier: ISC */
/* One folder: what both sides have is compared with what they had in common, then the steps. */
#include "sync/copy.h"
#include "sync/run.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { SENDING_S = 5, RENAME_MS = 50 };

/* What of one side's changes keeps a message that the other has deleted. */
enum { RESCUING = CLIENT_FLAGGED | CLIENT_ANSWERED | CLIENT_DRAFT | STATE_PASSED };

void
work_tell(struct work *work, enum sync_deed deed, uint32_t uid, const char *file, const char *why)
{
    work->run->done++;
    run_tell(work->run, work->item, deed, uid, file, why);
}

void
work_wait_for_the_last(const struct state *state)
{
    struct stat info;

    if ((state->sent_count == 0 && !state->has_dying) || state->is_sending || state->is_dry ||
        stat(state->path, &info) != 0)
        return;
    int64_t over = info.st_mtim.tv_sec + SENDING_S - time(NULL);
    if (over > 0 && over <= SENDING_S) {
        struct timespec pause = {.tv_sec = over};
        nanosleep(&pause, NULL);
    }
}

/* ---- what is where ------------------------------------------------------------------------- */

static size_t
count_missing(const struct work *work)
{
    size_t missing = 0;

    for (size_t i = 0; i < work->state->count; i++) {
        struct state_entry *entry = work->state->entries[i];
        missing += entry->uid != 0 && !scan_find(work->scan, entry->file);
    }
    return missing;
}

static size_t
count_live(const struct state *state)
{
    return state->count - state->forgotten;
}

/* Others rename files while we read the folder: what is missing is looked for twice. */
static bool
look_again(struct work *work)
{
    struct timespec pause = {.tv_nsec = RENAME_MS * 1000000L};

    if (!work->scan->is_there || count_missing(work) == 0)
        return true;
    nanosleep(&pause, NULL);
    return scan_again(work->scan, &work->problem);
}

bool
work_is_rescued(uint32_t now, uint32_t before)
{
    return (now & ~before & RESCUING) != 0;
}

/* What only one side has of a pair. */
static void
judge(struct work *work, struct state_entry *entry, struct scan_file *file)
{
    uint32_t uid = entry->uid;

    if (file && entry->is_dying) {
        /* It was being deleted there when a run was cut off, and is here again. If it has gone
         * there that was us: it is sent anew. */
        if (entry->is_there)
            entry->flags |= entry->there & CLIENT_DELETED; /* which is taken off */
        else
            state_forget(work->state, entry);
        file->is_taken = entry->uid != 0;
        work->run->whole++;
    } else if (!file && !entry->is_there) {
        state_forget(work->state, entry);
    } else if (!file && work_is_rescued(entry->there & work->mask, entry->flags) && !work->spares) {
        run_tell(work->run, work->item, SYNC_KEPT, uid, NULL, NULL);
        work_add_new(work, uid, entry->there);
        state_forget(work->state, entry);
    } else if (file && !entry->is_there && work_is_rescued(file->flags, entry->flags)) {
        run_tell(work->run, work->item, SYNC_KEPT, uid, file->unique, NULL);
        state_forget(work->state, entry);
        file->is_taken = false;
    } else {
        uint32_t there = (entry->there & work->mask) | (entry->flags & ~work->mask);
        bool is_alike =
            file && entry->is_there && file->flags == entry->flags && there == entry->flags;
        work->run->whole += !is_alike;
    }
}

static void
judge_all(struct work *work)
{
    struct state *state = work->state;
    size_t missing = count_missing(work);

    if (missing >= SYNC_MANY && missing == count_live(state) && !work->item->is_trash &&
        work->run->options->when_gone == SYNC_GONE_PASS_OVER) {
        work->spares = true;
        run_tell(work->run, work->item, SYNC_PASSED_OVER, 0, NULL,
                 "all messages have gone from this machine; those of the server are left alone");
    }
    for (size_t i = 0; i < state->count; i++) {
        struct state_entry *entry = state->entries[i];
        if (entry->uid == 0)
            continue;
        struct scan_file *file = scan_find(work->scan, entry->file);
        entry->is_here = file != NULL;
        if (file)
            file->is_taken = true;
        judge(work, entry, file);
    }
    work_tidy_news(work);
    for (size_t i = 0; i < work->scan->count; i++)
        work->run->whole += !work->scan->files[i]->is_taken;
    work->run->whole += work->news_count;
}

/* ---- nothing to do ------------------------------------------------------------------------- */

static bool
is_same_here(const struct work *work)
{
    const struct state *state = work->state;

    if (work->scan->count != count_live(state))
        return false;
    for (size_t i = 0; i < state->count; i++) {
        struct state_entry *entry = state->entries[i];
        struct scan_file *file = entry->uid ? scan_find(work->scan, entry->file) : NULL;
        if (entry->uid != 0 && (!file || file->flags != entry->flags))
            return false;
    }
    return true;
}

static void
take_status(void *context, const struct imap_client_event *event)
{
    struct imap_client_status *status = context;

    if (event->kind == IMAP_CLIENT_EVENT_STATUS)
        *status = event->status;
}

/* Neither here nor there: the folder need not be opened. */
static bool
is_unchanged(struct work *work)
{
    const struct state_end *end = &work->state->end;
    struct imap_client_question question = {
        .command = IMAP_CLIENT_STATUS,
        .mailbox = slice_of_string(work->item->name),
        .text = SLICE("MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ")};
    struct imap_client_status status = {0};
    struct client_problem unused = {0};

    if (!client_imap_facts(work->run->imap).has_condstore || end->modseq == 0 ||
        work->state->sent_count > 0 || work->state->has_dying || !is_same_here(work))
        return false;
    return client_imap_ask(work->run->imap, &question, take_status, &status, &unused) &&
           status.uid_validity == work->state->validity && status.uid_next == end->uid_next &&
           status.messages == end->messages && status.highest_modseq == end->modseq;
}

/* ---- the whole ----------------------------------------------------------------------------- */

bool
work_select(struct work *work)
{
    struct run *run = work->run;
    bool has_condstore = client_imap_facts(run->imap).has_condstore;
    struct imap_client_question question = {.command = run->options->is_dry ? IMAP_CLIENT_EXAMINE
                                                                            : IMAP_CLIENT_SELECT,
                                            .mailbox = slice_of_string(work->item->name),
                                            .text = has_condstore ? SLICE("CONDSTORE") : SLICE("")};

    if (!client_imap_ask(run->imap, &question, NULL, NULL, &work->problem))
        return false;
    struct imap_client_mailbox mailbox = client_imap_mailbox(run->imap);
    if (mailbox.status.uid_validity == 0)
        return client_problem_set(&work->problem, CLIENT_PROBLEM_PROTOCOL,
                                  "the server does not keep UIDs for it");
    work->can_write = !mailbox.is_read_only || run->options->is_dry;
    work->mask = mailbox.allows_keywords ? STATE_FLAGS : STATE_FLAGS & ~(uint32_t)STATE_PASSED;
    work->end = (struct state_end){.modseq = mailbox.status.highest_modseq,
                                   .uid_next = mailbox.status.uid_next,
                                   .messages = mailbox.status.messages};
    if (work->state->validity != mailbox.status.uid_validity)
        state_begin(work->state, mailbox.status.uid_validity);
    return true;
}

/* A folder that was removed here, and has got new messages there since, is there again. */
static bool
make_room(struct work *work)
{
    struct run *run = work->run;
    struct run_item *item = work->item;
    const char *path;

    if (item->is_here || work->news_count == 0)
        return true;
    item->is_here = true;
    run_tell(run, item, SYNC_FOLDER_HERE, 0, NULL, NULL);
    return run->options->is_dry ||
           copy_make_folder(&run->arena, run->options->root, item->name, &path, &work->problem);
}

static bool
take_steps(struct work *work)
{
    work_wait_for_the_last(work->state);
    if (!work_select(work) || !look_again(work) || !work_list(work))
        return false;
    judge_all(work);
    if (!work->can_write)
        run_tell(work->run, work->item, SYNC_PASSED_OVER, 0, NULL,
                 "the folder is read-only: changes made here do not go there");
    return make_room(work) && work_pair(work) && (!work->can_write || work_send(work)) &&
           work_fetch(work) && work_flag(work) && work_delete(work) &&
           state_done(work->state, work->end, &work->problem);
}

/* What the last run was sending may be there, and may have been moved or deleted here since: that
 * is known before anything else is decided. */
static bool
resolve(struct run *run, struct run_item *item)
{
    struct work work = {.run = run, .item = item, .state = &item->state, .scan = &item->scan};

    work_wait_for_the_last(&item->state);
    bool is_good = work_select(&work) && work_list(&work) && work_pair_sent(&work);
    if (is_good)
        state_resolved(&item->state);
    is_good = is_good && state_commit(&item->state, &work.problem);
    free(work.news);
    return is_good || run_pass_over(run, item, &work.problem);
}

bool
resolve_all(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        if (item->is_open && item->is_there && item->state.sent_count > 0 &&
            !run->options->is_dry && !resolve(run, item))
            return false;
    }
    return true;
}

/* ---- moves that were cut off --------------------------------------------------------------- */

static void
mark_doubles(struct run *run, struct run_item *item, struct state_entry *entry)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *other = &run->items[i];
        struct state_entry *same =
            other != item && other->is_open ? state_of_file(&other->state, entry->file) : NULL;
        if (!same)
            continue;
        same->is_double = entry->is_double = true;
        other->has_doubles = item->has_doubles = true;
    }
}

static bool
forget_doubles(struct run *run, struct run_item *item)
{
    struct work work = {.run = run, .item = item, .state = &item->state, .scan = &item->scan};
    bool is_good = work_select(&work) && work_list(&work);

    for (size_t i = 0; is_good && i < item->state.count; i++) {
        struct state_entry *entry = item->state.entries[i];
        if (entry->uid != 0 && entry->is_double && !entry->is_there)
            state_forget(&item->state, entry);
    }
    is_good = is_good && state_commit(&item->state, &work.problem);
    free(work.news);
    return is_good || run_pass_over(run, item, &work.problem);
}

/* Else a file that has come back to where it was would look as if the server had deleted it there,
 * and as if it had been deleted here where it was moved to: it would be lost. A file is in one
 * place only, so that one of the two pairs has none. */
bool
settle_doubles(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        for (size_t k = 0; item->is_open && item->is_there && k < item->state.count; k++) {
            struct state_entry *entry = item->state.entries[k];
            if (entry->uid != 0 && !scan_find(&item->scan, entry->file))
                mark_doubles(run, item, entry);
        }
    }
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        if (item->has_doubles && item->is_there && !run->options->is_dry &&
            !forget_doubles(run, item))
            return false;
    }
    return true;
}

bool
work_on(struct run *run, struct run_item *item)
{
    struct work work = {.run = run, .item = item, .state = &item->state, .scan = &item->scan};
    struct client_problem unused = {0};

    run->done = run->whole = 0;
    if (is_unchanged(&work))
        return true;
    bool is_good = take_steps(&work);
    if (!is_good) {
        (void)!state_commit(work.state, &unused);
        is_good = run_pass_over(run, item, &work.problem);
    }
    free(work.news);
    return is_good;
}
