/* SPDX-License-Identifier: ISC */
/* Where the messages are: on the server, or, when it cannot be reached, in the copy that `facteur
 * sync` keeps on this machine. What is changed there goes to the server when it is back, before
 * anything else is asked of it. Messages have the same ids in both, so that a list stays what it is
 * when the line is cut. */
#include "sync/copy.h"
#include "sync/sync.h"
#include "tool/terminal/worker_private.h"

#include <stdlib.h>

enum { RETRY_MS = 30 * 1000, NAME_MAX_OCTETS = 4096 };

bool
worker_is_off_line(const struct worker *worker)
{
    return worker->shelf && worker->is_local && worker->options.name;
}

/* ---- names of folders ---------------------------------------------------------------------- */

/* In the copy folders have places (sync/copy.h). */
static char *
rename_folder(const struct worker *worker, const char *name,
              bool (*put)(struct buffer *, struct slice, uint8_t))
{
    struct buffer text;
    char *other = NULL;

    if (worker_is_off_line(worker)) {
        buffer_init(&text, NAME_MAX_OCTETS);
        if (put(&text, slice_of_string(name), copy_delimiter(worker->root)))
            other = traffic_copy(buffer_slice(&text));
        buffer_finish(&text);
    }
    return other ? other : traffic_copy(slice_of_string(name));
}

char *
worker_name_on_shelf(const struct worker *worker, const char *name)
{
    return rename_folder(worker, name, copy_put_place);
}

/* ---- what was changed off-line ------------------------------------------------------------- */

static void
take_event(void *context, const struct sync_event *event)
{
    struct worker *worker = context;

    if (event->deed == SYNC_PASSED_OVER)
        worker_say(worker, true, "%s: %s", event->folder, event->why);
}

/* False when the server cannot be reached. What else goes wrong is told, and tried again with the
 * next connection. */
static bool
send_copy(struct worker *worker, struct client_problem *problem)
{
    struct sync_options options = {.login = &worker->options.desk->login,
                                   .root = worker->root,
                                   .on_event = take_event,
                                   .context = worker};
    struct sync_tally tally;

    if (!worker->root || !copy_is_changed(worker->root))
        return true;
    worker_tell_state(worker, "taking changes to the server…", false);
    if (sync_run(&options, &tally, problem))
        return true;
    if (problem->kind == CLIENT_PROBLEM_UNREACHABLE || problem->kind == CLIENT_PROBLEM_TEMPORARY)
        return false;
    worker_say(worker, true, "What was changed off line waits still: %s", problem->text);
    *problem = (struct client_problem){0};
    return true;
}

/* ---- connecting ---------------------------------------------------------------------------- */

static bool
open_place(struct worker *worker, const struct client_folder_place *place,
           struct client_problem *problem)
{
    worker->shelf = client_shelf_open(place, worker_take_change, worker, problem);
    return worker->shelf != NULL;
}

/* What is done there from now on is known to have been done, whatever becomes of this process. */
static bool
open_copy(struct worker *worker)
{
    struct client_folder_place place = {.path = worker->root};
    struct client_problem problem = {0};

    worker->is_local = worker->root && copy_mark_changed(worker->root, &problem) &&
                       open_place(worker, &place, &problem);
    if (worker->is_local)
        worker_tell_state(worker, "off line: local copy", true);
    else
        worker_tell_state(worker, "off line", false);
    return worker->is_local;
}

/* The server, else the copy on this machine, else nothing for a while. */
static bool
connect_shelf(struct worker *worker, struct client_problem *problem)
{
    const struct worker_options *options = &worker->options;
    struct client_folder_place place = {.login = options->name ? &options->desk->login : NULL,
                                        .folder = "INBOX",
                                        .path = options->path};

    worker->is_local = options->name == NULL;
    if (options->name) {
        worker_tell_state(worker, "connecting…", false);
        free(worker->root);
        worker->root = desk_copy_root(options->desk->login.account);
        if (worker->root && !copy_is_there(worker->root)) {
            free(worker->root);
            worker->root = NULL;
        }
    }
    if (send_copy(worker, problem) && open_place(worker, &place, problem)) {
        worker_tell_state(worker, options->name ? "on line" : "on this machine", true);
        return true;
    }
    worker->retry = instant_after(client_now(), duration_ms(RETRY_MS));
    if (!open_copy(worker))
        return false;
    if (problem->kind != CLIENT_PROBLEM_UNREACHABLE) /* a wrong password does not pass by itself */
        worker_say(worker, true, "%s", problem->text);
    *problem = (struct client_problem){0};
    return true;
}

bool
worker_have_shelf(struct worker *worker, enum wish_kind wish)
{
    struct client_problem problem = {0};

    if (worker->shelf)
        return true;
    if (!connect_shelf(worker, &problem)) {
        worker_fail(worker, wish, &problem);
        return false;
    }
    if (worker->folder && wish != WISH_OPEN)
        worker_open_folder(worker, worker->folder);
    return worker->shelf != NULL;
}

void
worker_try_server(struct worker *worker)
{
    client_shelf_close(&worker->shelf);
    if (worker_have_shelf(worker, WISH_FOLDERS))
        worker_tell_folders(worker);
}

/* ---- folders ------------------------------------------------------------------------------- */

void
worker_tell_folders(struct worker *worker)
{
    struct client_problem problem = {0};
    struct client_shelf_list list;

    worker->counted = client_now();
    if (!client_shelf_folders(worker->shelf, true, &list, &problem)) {
        worker_fail(worker, WISH_FOLDERS, &problem);
        return;
    }
    struct news *news = news_new(NEWS_FOLDERS, worker->options.account);
    for (size_t i = 0; i < list.count; i++) {
        const struct client_shelf_folder *from = &list.folders[i];
        char *name = rename_folder(worker, from->name, copy_put_name);
        struct folder *folder = news_add_folder(news, name);
        folder->use = (enum folder_use)from->use;
        folder->delimiter = from->delimiter;
        folder->is_counted = from->is_counted;
        folder->messages = from->messages;
        folder->unseen = from->unseen;
        free(name);
    }
    client_shelf_list_finish(&list);
    worker_put(worker, news);
}

static uint32_t
find_uid(void *context, const char *unique)
{
    return copy_uids_find(context, unique);
}

/* Opens it on the shelf. *ret_validity says what the ids are worth. */
static bool
select_folder(struct worker *worker, uint32_t *ret_validity, struct client_problem *problem)
{
    char *name = worker_name_on_shelf(worker, worker->folder);
    struct copy_uids *uids = worker_is_off_line(worker) ? copy_uids_open(worker->root, name) : NULL;

    client_shelf_set_ids(worker->shelf, uids ? find_uid : NULL, uids);
    bool is_good = client_shelf_select(worker->shelf, name, problem);
    client_shelf_set_ids(worker->shelf, NULL, NULL);
    *ret_validity = uids ? copy_uids_validity(uids) : client_shelf_validity(worker->shelf);
    copy_uids_close(&uids);
    free(name);
    return is_good;
}

void
worker_open_folder(struct worker *worker, const char *name)
{
    struct client_problem problem = {0};
    uint32_t validity;
    size_t count;
    bool is_same = worker->folder && strcmp(worker->folder, name) == 0;

    if (name != worker->folder)
        traffic_set(&worker->folder, slice_of_string(name));
    worker->open_id = 0;
    if (!select_folder(worker, &validity, &problem)) {
        worker->generation++;
        worker->validity = 0;
        worker_fail(worker, WISH_OPEN, &problem);
        return;
    }
    if (!is_same || validity == 0 || validity != worker->validity)
        worker->generation++;
    worker->validity = validity;
    const struct client_shelf_item *items = client_shelf_items(worker->shelf, &count);
    struct news *news = news_new(NEWS_OPENED, worker->options.account);
    traffic_set(&news->folder, slice_of_string(worker->folder));
    news->generation = worker->generation;
    for (size_t i = 0; i < count; i++)
        news_add_item(news, (struct item){.id = items[i].id, .flags = items[i].flags});
    worker_put(worker, news);
}
