/* SPDX-License-Identifier: ISC */
/* Where the messages are: on the server, or, when it cannot be reached, in the copy that `facteur
 * sync` keeps on this machine. What is changed there goes to the server when it is back: until that
 * has been done, the copy goes on serving. Messages have the same ids in both, so that a list stays
 * what it is when the line is cut. */
#include "sync/copy.h"
#include "tool/terminal/worker_private.h"

#include <stdlib.h>

enum {
    RETRY_MS = 30 * 1000,
    NAME_MAX_OCTETS = 4096,
    PROGRESS_MAX = 256 * 1024,
    COPY_MAX = 64 << 20
};

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

/* While it goes to the server, the copy serves: nobody waits for it. */
static void
begin_behind(struct worker *worker)
{
    if (!worker->behind)
        worker->behind = behind_start(&worker->options.desk->login, worker->root, worker->bell);
    worker_tell_state(worker, "local copy, asking the server", true);
}

static void
tell_behind(struct worker *worker)
{
    struct buffer text, passed;

    buffer_init(&text, PROGRESS_MAX);
    buffer_init(&passed, PROGRESS_MAX);
    buffer_put_text(&text, "local copy, taking changes to the server: ");
    size_t before = buffer_len(&text);
    behind_put(worker->behind, &text, &passed);
    bool is_far = buffer_len(&text) > before;
    buffer_put_byte(&text, '\0');
    if (is_far)
        worker_tell_state(worker, (const char *)buffer_slice(&text).at, true);
    for (struct slice rest = buffer_slice(&passed); rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        worker_say(worker, true, "%.*s", CLIENT_TEXT(line));
    }
    buffer_finish(&text);
    buffer_finish(&passed);
}

static void
wait_for_retry(struct worker *worker)
{
    worker->retry = instant_after(client_now(), duration_ms(RETRY_MS));
}

/* The server takes the place of the copy, unless that was changed meanwhile. */
static void
end_behind(struct worker *worker)
{
    struct client_problem problem = {0};
    bool is_good = behind_end(&worker->behind, &problem);

    if (!is_good &&
        (problem.kind == CLIENT_PROBLEM_UNREACHABLE || problem.kind == CLIENT_PROBLEM_TEMPORARY)) {
        wait_for_retry(worker);
        worker_tell_state(worker, "off line: local copy", true);
        return;
    }
    if (!is_good)
        worker_say(worker, true, "What was changed off line waits still: %s", problem.text);
    worker->waits_still = !is_good;
    worker_try_server(worker);
}

bool
worker_look_behind(struct worker *worker)
{
    if (!worker->behind)
        return false;
    tell_behind(worker);
    if (!behind_is_done(worker->behind))
        return false;
    end_behind(worker);
    return true;
}

bool
worker_may_change(struct worker *worker, struct client_problem *problem)
{
    if (!worker_is_off_line(worker))
        return true;
    if (!copy_is_there(worker->root))
        return client_problem_set(problem, CLIENT_PROBLEM_REFUSED,
                                  "Nothing was changed: 'facteur sync' has never compared these "
                                  "Maildirs with the server.");
    /* What is done from now on is known to have been done, whatever becomes of this process. */
    return copy_mark_changed(worker->root, problem);
}

/* ---- connecting ---------------------------------------------------------------------------- */

static bool
open_place(struct worker *worker, const struct client_folder_place *place,
           struct client_problem *problem)
{
    worker->shelf = client_shelf_open(place, worker_take_change, worker, problem);
    return worker->shelf != NULL;
}

static bool
open_copy(struct worker *worker, const char *state)
{
    struct client_folder_place place = {.path = worker->root};
    struct client_problem problem = {0};

    worker->is_local = worker->root && open_place(worker, &place, &problem);
    worker_tell_state(worker, worker->is_local ? state : "off line: no copy here",
                      worker->is_local);
    return worker->is_local;
}

/* Also Maildirs of another program: they can be read. */
static void
find_copy(struct worker *worker)
{
    struct client_problem problem = {0};
    struct copy_folders folders = {0};
    struct arena arena;

    arena_init(&arena, COPY_MAX);
    free(worker->root);
    worker->root = desk_copy_root(worker->options.desk->login.account);
    if (worker->root && !copy_is_there(worker->root) &&
        (!copy_list(&arena, worker->root, &folders, &problem) || folders.count == 0)) {
        free(worker->root);
        worker->root = NULL;
    }
    arena_finish(&arena);
}

/* The server, else the copy on this machine, else nothing for a while. What was changed in the copy
 * goes to the server first, while the copy serves. */
static bool
connect_shelf(struct worker *worker, struct client_problem *problem)
{
    const struct worker_options *options = &worker->options;
    struct client_folder_place place = {.login = options->name ? &options->desk->login : NULL,
                                        .folder = "INBOX",
                                        .path = options->path};

    worker->is_local = options->name == NULL;
    if (options->name && !worker->behind)
        find_copy(worker);
    if (options->name && worker->root && !worker->waits_still &&
        (worker->behind || copy_is_changed(worker->root)) &&
        open_copy(worker, "local copy, asking the server")) {
        begin_behind(worker);
        return true;
    }
    worker->waits_still = false; /* it is tried again with the next connection */
    worker_tell_state(worker, options->name ? "connecting…" : "opening…", false);
    if (open_place(worker, &place, problem)) {
        worker_tell_state(worker, options->name ? "on line" : "on this machine", true);
        return true;
    }
    wait_for_retry(worker);
    if (!options->name || !open_copy(worker, "off line: local copy"))
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
    if (worker->behind)
        return; /* it is being asked */
    if (worker_is_off_line(worker) && !worker->waits_still && copy_is_changed(worker->root)) {
        begin_behind(worker);
        return;
    }
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
