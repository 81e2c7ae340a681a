/* SPDX-License-Identifier: ISC */
/* A run: which folders there are on both sides, then one after another. */
#include "sync/sync.h"

#include "sync/copy.h"
#include "sync/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- telling ------------------------------------------------------------------------------- */

const char *
sync_deed_name(enum sync_deed deed)
{
    static const char *const names[SYNC_DEEDS_COUNT] = {
        [SYNC_FETCHED] = "fetched",
        [SYNC_SENT] = "sent",
        [SYNC_PAIRED] = "paired",
        [SYNC_MOVED] = "moved",
        [SYNC_FLAGGED_HERE] = "flagged_here",
        [SYNC_FLAGGED_THERE] = "flagged_there",
        [SYNC_DELETED_HERE] = "deleted_here",
        [SYNC_DELETED_THERE] = "deleted_there",
        [SYNC_KEPT] = "kept",
        [SYNC_FOLDER_HERE] = "folder_here",
        [SYNC_FOLDER_THERE] = "folder_there",
        [SYNC_FOLDER_GONE_HERE] = "folder_gone_here",
        [SYNC_FOLDER_GONE_THERE] = "folder_gone_there",
        [SYNC_PASSED_OVER] = "passed_over",
    };

    return names[deed];
}

void
run_tell(struct run *run, const struct run_item *item, enum sync_deed deed, uint32_t uid,
         const char *file, const char *why)
{
    struct sync_event event = {.deed = deed,
                               .folder = item->name,
                               .uid = uid,
                               .file = file,
                               .why = why,
                               .done = run->done,
                               .whole = run->whole};

    run->tally->deeds[deed]++;
    if (run->options->on_event)
        run->options->on_event(run->options->context, &event);
}

bool
run_pass_over(struct run *run, const struct run_item *item, const struct client_problem *why)
{
    if (!client_imap_is_open(run->imap) || why->kind == CLIENT_PROBLEM_FILE)
        return client_problem_set(run->problem, why->kind, "%s: %s", item->name, why->text);
    run_tell(run, item, SYNC_PASSED_OVER, 0, NULL, why->text);
    return true;
}

/* ---- sets of UIDs -------------------------------------------------------------------------- */

void
run_uids_add(struct run_uids *uids, uint32_t uid)
{
    if (uids->count == uids->room) {
        uids->room = uids->room ? uids->room * 2 : 64;
        uint32_t *at = realloc(uids->at, uids->room * sizeof(*at));
        if (!at)
            abort();
        uids->at = at;
    }
    uids->at[uids->count++] = uid;
}

void
run_uids_finish(struct run_uids *uids)
{
    free(uids->at);
    *uids = (struct run_uids){0};
}

static int
by_number(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;

    return l < r ? -1 : l > r;
}

/* Puts the first of them, runs as ranges; returns how many. */
static size_t
put_set(const struct run_uids *uids, size_t i, struct buffer *out)
{
    size_t start = i;

    while (i < uids->count && buffer_len(out) < RUN_SET_MAX) {
        uint32_t first = uids->at[i], last = first;
        while (++i < uids->count && uids->at[i] <= last + 1)
            last = uids->at[i];
        buffer_put_text(out, buffer_len(out) > 0 ? "," : "");
        buffer_put_decimal(out, first);
        if (last > first) {
            buffer_put_byte(out, ':');
            buffer_put_decimal(out, last);
        }
    }
    return i - start;
}

bool
run_ask_of_each(struct run *run, struct run_uids *uids, struct imap_client_question question,
                client_imap_fn fn, void *context, struct client_problem *problem)
{
    bool is_good = true;
    struct buffer set;

    if (uids->count > 0)
        qsort(uids->at, uids->count, sizeof(*uids->at), by_number);
    buffer_init(&set, (size_t)2 * RUN_SET_MAX);
    for (size_t i = 0; i < uids->count && is_good;) {
        buffer_clear(&set);
        i += put_set(uids, i, &set);
        question.uids = buffer_slice(&set);
        is_good = client_imap_ask(run->imap, &question, fn, context, problem);
    }
    buffer_finish(&set);
    return is_good;
}

/* ---- the list of folders ------------------------------------------------------------------- */

static struct run_item *
find_item(struct run *run, const char *place)
{
    for (size_t i = 0; i < run->count; i++) {
        if (strcmp(run->items[i].place, place) == 0)
            return &run->items[i];
    }
    return NULL;
}

static bool
is_chosen(const struct sync_options *options, const char *name)
{
    for (size_t i = 0; i < options->folders_count; i++) {
        if (strcmp(options->folders[i], name) == 0)
            return true;
    }
    return options->folders_count == 0;
}

/* The item of a folder, which may be new. */
static struct run_item *
add_item(struct run *run, const char *name, const char *place)
{
    struct run_item *item = find_item(run, place);
    char *path = NULL;

    if (item)
        return item;
    if (run->count == run->room) {
        run->room = run->room ? run->room * 2 : 64;
        struct run_item *items = realloc(run->items, run->room * sizeof(*items));
        if (!items)
            abort();
        run->items = items;
    }
    if (asprintf(&path, "%s/%s", run->options->root, place) < 0)
        abort();
    item = &run->items[run->count++];
    *item = (struct run_item){.name = arena_copy_string(&run->arena, slice_of_string(name)),
                              .place = arena_copy_string(&run->arena, slice_of_string(place)),
                              .path = arena_copy_string(&run->arena, slice_of_string(path)),
                              .is_chosen = is_chosen(run->options, name)};
    free(path);
    if (!item->name || !item->place || !item->path)
        abort();
    return item;
}

/* Views of all messages are no folders: each of them would be here twice. */
static void
take_folder(void *context, const struct imap_client_event *event)
{
    struct run *run = context;
    const uint32_t views = IMAP_CLIENT_ALL | IMAP_CLIENT_FLAGGED;
    struct buffer name, place;

    if (event->kind != IMAP_CLIENT_EVENT_LIST)
        return;
    if (!run->has_delimiter)
        run->delimiter = event->delimiter;
    run->has_delimiter = true;
    if ((event->attributes & (IMAP_CLIENT_NOSELECT | views)) || run->count >= COPY_FOLDERS_MAX)
        return;
    buffer_init(&name, IMAP_CLIENT_NAME_MAX + 1);
    buffer_init(&place, (size_t)4 * IMAP_CLIENT_NAME_MAX);
    bool is_inbox = slice_equal_nocase(event->name, SLICE("INBOX"));
    buffer_put(&name, is_inbox ? SLICE("INBOX") : event->name);
    bool is_good = copy_put_place(&place, buffer_slice(&name), run->delimiter);
    buffer_put_byte(&name, '\0');
    buffer_put_byte(&place, '\0');
    const char *text = (const char *)buffer_slice(&name).at;
    if (is_good) {
        struct run_item *item = add_item(run, text, (const char *)buffer_slice(&place).at);
        item->is_there = true;
        item->is_trash = event->attributes & (IMAP_CLIENT_TRASH | IMAP_CLIENT_JUNK);
    } else {
        run_tell(run, &(struct run_item){.name = text}, SYNC_PASSED_OVER, 0, NULL,
                 "the name is too long for a folder here");
    }
    buffer_finish(&name);
    buffer_finish(&place);
}

static bool
list_there(struct run *run)
{
    struct imap_client_question question = {
        .command = IMAP_CLIENT_LIST, .mailbox = SLICE(""), .other = SLICE("*")};

    if (client_imap_facts(run->imap).has_special_use &&
        client_imap_facts(run->imap).has_list_extended)
        question.text = SLICE("SPECIAL-USE");
    return client_imap_ask(run->imap, &question, take_folder, run, run->problem);
}

static bool
write_delimiter(struct run *run)
{
    char text[2] = {(char)(run->delimiter ? run->delimiter : '\n'), '\n'}, *path = NULL;

    if (run->options->is_dry || copy_delimiter(run->options->root) == run->delimiter)
        return true;
    if (asprintf(&path, "%s/.facteur/delimiter", run->options->root) < 0)
        abort();
    FILE *file = fopen(path, "we");
    bool is_good = file && fwrite(text, 1, sizeof(text), file) == sizeof(text);
    is_good = (!file || fclose(file) == 0) && is_good;
    if (!is_good)
        client_problem_set(run->problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    free(path);
    return is_good;
}

static bool
list_here(struct run *run)
{
    struct copy_folders folders;
    struct state_places places;

    if (!copy_list(&run->arena, run->options->root, &folders, run->problem) ||
        !state_list(&run->arena, run->options->root, &places, run->problem))
        return false;
    for (size_t i = 0; i < folders.count; i++)
        add_item(run, folders.folders[i].name, folders.folders[i].place)->is_here = true;
    for (size_t i = 0; i < places.count; i++) {
        struct buffer name;
        buffer_init(&name, (size_t)2 * IMAP_CLIENT_NAME_MAX);
        if (copy_put_name(&name, slice_of_string(places.places[i]), run->delimiter)) {
            buffer_put_byte(&name, '\0');
            (void)add_item(run, (const char *)buffer_slice(&name).at, places.places[i]);
        }
        buffer_finish(&name);
    }
    return true;
}

/* A file that a run has written, and perhaps not moved to its place. What is a pair gets there; of
 * what is none the server is asked again. */
static bool
recover_file(struct run *run, const char *path, const char *name)
{
    bool is_wanted = false;

    for (size_t i = 0; i < run->count && !is_wanted; i++) {
        struct run_item *item = &run->items[i];
        struct state_entry *entry = item->is_open ? state_of_file(&item->state, name) : NULL;
        if (!entry)
            continue;
        char *to = work_path(item, name, entry->flags);
        bool is_done = rename(path, to) == 0;
        if (!is_done && errno != ENOENT)
            client_problem_set(run->problem, CLIENT_PROBLEM_FILE, "%s: %s", to, strerror(errno));
        else if (!is_done) /* the folder has gone: it was not seen there */
            state_forget(&item->state, entry);
        free(to);
        is_wanted = is_done || run->problem->kind != CLIENT_PROBLEM_NONE;
    }
    if (!is_wanted && run->options->folders_count == 0)
        (void)unlink(path);
    return run->problem->kind == CLIENT_PROBLEM_NONE;
}

static bool
recover(struct run *run)
{
    char *folder = NULL;
    bool is_good = true;

    if (asprintf(&folder, "%s/.facteur/tmp", run->options->root) < 0)
        abort();
    DIR *dir = run->options->is_dry ? NULL : opendir(folder);
    for (struct dirent *entry; dir && is_good && (entry = readdir(dir));) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            abort();
        if (entry->d_name[0] != '.')
            is_good = recover_file(run, path, entry->d_name);
        free(path);
    }
    if (dir)
        closedir(dir);
    free(folder);
    return is_good;
}

static bool
open_items(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        item->is_open = item->is_chosen;
        if (item->is_open && !state_open(&item->state, run->options->root, item->place,
                                         run->options->is_dry, run->problem))
            return false;
    }
    if (!recover(run))
        return false;
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        if (item->is_open && !scan_open(&item->scan, item->path, run->problem))
            return false;
    }
    return true;
}

/* ---- folders of one side ------------------------------------------------------------------- */

static bool
make_here(struct run *run, struct run_item *item)
{
    const char *path;

    item->is_here = true;
    run_tell(run, item, SYNC_FOLDER_HERE, 0, NULL, NULL);
    if (run->options->is_dry)
        return true;
    return copy_make_folder(&run->arena, run->options->root, item->name, &path, run->problem);
}

static bool
make_there(struct run *run, struct run_item *item)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_CREATE,
                                            .mailbox = slice_of_string(item->name)};
    struct client_problem found = {0}, unused = {0};

    item->is_made = run->options->is_dry;
    if (!item->is_made && !client_imap_ask(run->imap, &question, NULL, NULL, &found))
        return run_pass_over(run, item, &found);
    run_tell(run, item, SYNC_FOLDER_THERE, 0, NULL, NULL);
    if (item->is_made)
        return true;
    item->is_there = true;
    state_begin(&item->state, 0);
    question.command = IMAP_CLIENT_SUBSCRIBE;
    return client_imap_ask(run->imap, &question, NULL, NULL, &unused) ||
           client_imap_is_open(run->imap) ||
           client_problem_set(run->problem, unused.kind, "%s", unused.text);
}

/* Not in the list: but is it sure that it has gone? A refusal with a reason of its own (RFC 5530:
 * a damaged mailbox, a fault of the server, a right that is missing) does not say so. */
static bool
is_gone_there(struct run *run, const struct run_item *item)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_STATUS,
                                            .mailbox = slice_of_string(item->name),
                                            .text = SLICE("UIDVALIDITY")};
    struct client_problem found = {0};

    return !client_imap_ask(run->imap, &question, NULL, NULL, &found) &&
           (found.kind == CLIENT_PROBLEM_MISSING ||
            (found.kind == CLIENT_PROBLEM_REFUSED && client_imap_code(run->imap).len == 0));
}

static void
remove_maildir(const struct run_item *item)
{
    static const char *const parts[] = {"tmp", "new", "cur", ""};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", item->path, parts[i]) < 0)
            abort();
        (void)rmdir(path); /* what is not empty stays */
        free(path);
    }
}

/* The server has deleted it: so do we with what has not changed since; the rest makes it anew. */
static bool
drop_here(struct run *run, struct run_item *item)
{
    struct work work = {.run = run, .item = item, .state = &item->state, .scan = &item->scan};

    run->done = run->whole = 0;
    for (size_t i = 0; i < item->state.count; i++) {
        struct state_entry *entry = item->state.entries[i];
        struct scan_file *file = entry->uid ? scan_find(&item->scan, entry->file) : NULL;
        entry->is_there = false;
        entry->is_here = file && !work_is_rescued(file->flags, entry->flags);
        run->whole += entry->is_here;
    }
    if (!work_delete(&work))
        return client_problem_set(run->problem, work.problem.kind, "%s", work.problem.text);
    state_begin(&item->state, 0);
    if (run->options->is_dry)
        return true;
    struct scan *scan = &item->scan;
    const char *path = scan->path;
    scan_finish(scan);
    if (!scan_open(scan, path, run->problem))
        return false;
    state_remove(&item->state);
    if (scan->count > 0)
        return make_there(run, item) && (!item->is_there || work_on(run, item));
    remove_maildir(item);
    item->is_here = false;
    run_tell(run, item, SYNC_FOLDER_GONE_HERE, 0, NULL, NULL);
    return true;
}

/* Its messages have gone from the server with the other steps; the empty folder goes too. One that
 * the server wants to keep comes back. */
static bool
drop_there(struct run *run, struct run_item *item)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_EXAMINE,
                                            .mailbox = slice_of_string(item->name)};
    struct client_problem found = {0};

    if (run->options->is_dry)
        return true;
    if (!client_imap_ask(run->imap, &question, NULL, NULL, &found))
        return run_pass_over(run, item, &found);
    if (client_imap_mailbox(run->imap).status.messages > 0)
        return true;
    question = (struct imap_client_question){.command = IMAP_CLIENT_CLOSE};
    if (!client_imap_ask(run->imap, &question, NULL, NULL, &found))
        return run_pass_over(run, item, &found);
    question = (struct imap_client_question){.command = IMAP_CLIENT_DELETE,
                                             .mailbox = slice_of_string(item->name)};
    if (!client_imap_ask(run->imap, &question, NULL, NULL, &found))
        return client_imap_is_open(run->imap) ? make_here(run, item)
                                              : run_pass_over(run, item, &found);
    run_tell(run, item, SYNC_FOLDER_GONE_THERE, 0, NULL, NULL);
    state_remove(&item->state);
    return true;
}

/* ---- the steps of a run -------------------------------------------------------------------- */

/* Folders that one side does not know yet. */
static bool
make_folders(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        bool is_inbox = strcmp(item->name, "INBOX") == 0;
        if (!item->is_chosen)
            continue;
        if (item->is_there && !item->is_here &&
            (is_inbox || !item->state.is_known || run->options->when_gone == SYNC_GONE_FETCH)) {
            state_begin(&item->state, item->state.validity);
            if (!make_here(run, item))
                return false;
        } else if (!item->is_there && item->is_here && !item->state.is_known &&
                   !make_there(run, item)) {
            return false;
        }
    }
    return true;
}

static bool
drop_folder(struct run *run, struct run_item *item)
{
    if (item->is_there && !item->is_here)
        return drop_there(run, item);
    if (item->is_there || !item->state.is_known)
        return true;
    if (!is_gone_there(run, item)) {
        run_tell(run, item, SYNC_PASSED_OVER, 0, NULL, "the server does not list it");
        return client_imap_is_open(run->imap);
    }
    if (item->is_here)
        return drop_here(run, item);
    state_remove(&item->state);
    return true;
}

/* What would be sent to a folder that would have been made. */
static void
tell_sent(struct run *run, const struct run_item *item)
{
    for (size_t i = 0; i < item->scan.count; i++) {
        if (!item->scan.files[i]->is_taken)
            run_tell(run, item, SYNC_SENT, 0, item->scan.files[i]->unique, NULL);
    }
}

static bool
work_on_all(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        if (item->is_made)
            tell_sent(run, item);
        if (item->is_chosen && item->is_there && !work_on(run, item))
            return false;
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->items[i].is_chosen && !drop_folder(run, &run->items[i]))
            return false;
    }
    return true;
}

static bool
enable(struct run *run)
{
    struct imap_client_facts facts = client_imap_facts(run->imap);
    struct imap_client_question question = {.command = IMAP_CLIENT_ENABLE,
                                            .text = facts.has_qresync ? SLICE("QRESYNC")
                                                                      : SLICE("CONDSTORE")};

    return !facts.has_enable || !(facts.has_qresync || facts.has_condstore) ||
           client_imap_ask(run->imap, &question, NULL, NULL, run->problem);
}

/* ---- beginning and end --------------------------------------------------------------------- */

static bool
prepare(struct run *run)
{
    static const char *const folders[] = {"", "/.facteur", "/.facteur/state", "/.facteur/tmp"};
    const char *root = run->options->root;
    char *path = NULL;

    for (size_t i = 0; i < COUNT_OF(folders) && !run->options->is_dry; i++) {
        free(path);
        if (asprintf(&path, "%s%s", root, folders[i]) < 0)
            abort();
        if (!copy_make_path(path, run->problem)) {
            free(path);
            return false;
        }
    }
    if (run->options->is_dry)
        return true;
    free(path);
    if (asprintf(&path, "%s/.facteur/lock", root) < 0)
        abort();
    run->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (run->lock >= 0 && flock(run->lock, LOCK_EX) != 0 && errno == EINTR) {
    }
    if (run->lock < 0)
        client_problem_set(run->problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    free(path);
    return run->lock >= 0;
}

/* What was changed before this run is done with it (copy_mark_changed); what comes later is not. */
static void
take_mark(const struct run *run, bool is_done)
{
    char *changed = NULL, *changing = NULL;

    if (run->options->is_dry || run->options->folders_count > 0)
        return;
    if (asprintf(&changed, "%s/.facteur/changed", run->options->root) < 0 ||
        asprintf(&changing, "%s/.facteur/changing", run->options->root) < 0)
        abort();
    if (is_done)
        (void)unlink(changing);
    else
        (void)rename(changed, changing);
    free(changed);
    free(changing);
}

static void
finish(struct run *run)
{
    client_imap_close(&run->imap);
    for (size_t i = 0; i < run->count; i++) {
        if (!run->items[i].is_open)
            continue;
        state_finish(&run->items[i].state);
        scan_finish(&run->items[i].scan);
    }
    free(run->items);
    arena_finish(&run->arena);
    if (run->lock >= 0)
        close(run->lock);
}

bool
sync_run(const struct sync_options *options, struct sync_tally *ret_tally,
         struct client_problem *problem)
{
    struct run run = {
        .options = options, .tally = ret_tally, .lock = -1, .delimiter = '/', .problem = problem};

    *ret_tally = (struct sync_tally){0};
    arena_init(&run.arena, (size_t)1 << 30);
    bool is_good = prepare(&run);
    if (is_good) {
        take_mark(&run, false);
        run.imap = client_imap_open(options->login, problem);
        is_good = run.imap && enable(&run) && list_there(&run) && write_delimiter(&run) &&
                  list_here(&run) && open_items(&run) && make_folders(&run) && resolve_all(&run) &&
                  settle_doubles(&run) && move_all(&run) && work_on_all(&run);
    }
    if (is_good && ret_tally->deeds[SYNC_PASSED_OVER] == 0)
        take_mark(&run, true);
    finish(&run);
    return is_good;
}
