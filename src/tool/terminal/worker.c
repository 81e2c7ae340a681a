/* SPDX-License-Identifier: ISC */
#include "tool/terminal/worker.h"

#include "tool/files.h"
#include "tool/terminal/worker_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT_MS = 60 * 1000, COUNT_SOON_MS = 1000, RETRY_MS = 30 * 1000 };

/* ---- news ---------------------------------------------------------------------------------- */

void
worker_put(struct worker *worker, struct news *news)
{
    inbox_put(worker->options.inbox, news);
}

void
worker_say(struct worker *worker, bool is_alert, const char *format, ...)
{
    struct news *news = news_new(NEWS_SAID, worker->options.account);
    char text[1000];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    traffic_set(&news->text, slice_of_string(text));
    news->is_alert = is_alert;
    worker_put(worker, news);
}

static void
tell_state(struct worker *worker, const char *text, bool is_online)
{
    struct news *news = news_new(NEWS_STATE, worker->options.account);

    traffic_set(&news->text, slice_of_string(text));
    news->is_online = is_online;
    news->is_local = worker->is_local;
    worker_put(worker, news);
}

static void
send_changes(struct worker *worker)
{
    if (worker->changes)
        worker_put(worker, worker->changes);
    worker->changes = NULL;
}

/* Many changes of a kind travel together. */
static void
take_change(void *context, enum client_shelf_change change, struct client_shelf_item item)
{
    static const enum news_kind kinds[] = {[CLIENT_SHELF_ARRIVED] = NEWS_ARRIVED,
                                           [CLIENT_SHELF_GONE] = NEWS_GONE,
                                           [CLIENT_SHELF_FLAGS] = NEWS_FLAGS};
    struct worker *worker = context;

    if (worker->changes && worker->changes->kind != kinds[change])
        send_changes(worker);
    if (!worker->changes)
        worker->changes = news_new(kinds[change], worker->options.account);
    news_add_item(worker->changes, (struct item){.id = item.id, .flags = item.flags});
    if (item.id == worker->open_id && change == CLIENT_SHELF_GONE)
        worker->open_id = 0;
}

void
worker_fail(struct worker *worker, enum wish_kind wish, const struct client_problem *problem)
{
    struct news *news = news_new(NEWS_FAILED, worker->options.account);

    news->wish = wish;
    traffic_set(&news->text, slice_of_string(problem->text));
    send_changes(worker);
    worker_put(worker, news);
    if (problem->kind == CLIENT_PROBLEM_UNREACHABLE) {
        client_shelf_close(&worker->shelf);
        worker->retry = client_now();
        tell_state(worker, "off line", false);
    }
}

/* ---- the shelf ----------------------------------------------------------------------------- */

static bool
open_place(struct worker *worker, const struct client_folder_place *place,
           struct client_problem *problem)
{
    worker->shelf = client_shelf_open(place, take_change, worker, problem);
    return worker->shelf != NULL;
}

/* The server, else the copy on this machine, else nothing for a while. */
static bool
connect_shelf(struct worker *worker, struct client_problem *problem)
{
    const struct worker_options *options = &worker->options;
    struct client_folder_place place = {.login = options->name ? &options->desk->login : NULL,
                                        .folder = "INBOX",
                                        .path = options->path};
    struct client_problem unused = {0};

    worker->is_local = options->name == NULL;
    if (options->name)
        tell_state(worker, "connecting…", false);
    if (open_place(worker, &place, problem)) {
        tell_state(worker, options->name ? "on line" : "on this machine", true);
        return true;
    }
    worker->retry = instant_after(client_now(), duration_ms(RETRY_MS));
    char *copy = options->name ? desk_copy_root(options->desk->login.account) : NULL;
    struct client_folder_place local = {.path = copy};
    worker->is_local = copy && files_is_folder(copy) && open_place(worker, &local, &unused);
    free(copy);
    if (worker->is_local) {
        *problem = (struct client_problem){0};
        tell_state(worker, "off line: local copy", true);
    } else {
        tell_state(worker, "off line", false);
    }
    return worker->is_local;
}

static void
tell_folders(struct worker *worker)
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
        struct folder *folder = news_add_folder(news, from->name);
        folder->use = (enum folder_use)from->use;
        folder->delimiter = from->delimiter;
        folder->is_counted = from->is_counted;
        folder->messages = from->messages;
        folder->unseen = from->unseen;
    }
    client_shelf_list_finish(&list);
    worker_put(worker, news);
}

static void
open_folder(struct worker *worker, const char *name)
{
    struct client_problem problem = {0};
    size_t count;

    if (name != worker->folder)
        traffic_set(&worker->folder, slice_of_string(name));
    worker->open_id = 0;
    if (!client_shelf_select(worker->shelf, worker->folder, &problem)) {
        worker_fail(worker, WISH_OPEN, &problem);
        return;
    }
    const struct client_shelf_item *items = client_shelf_items(worker->shelf, &count);
    struct news *news = news_new(NEWS_OPENED, worker->options.account);
    traffic_set(&news->folder, slice_of_string(worker->folder));
    news->is_local = worker->is_local;
    for (size_t i = 0; i < count; i++)
        news_add_item(news, (struct item){.id = items[i].id, .flags = items[i].flags});
    worker_put(worker, news);
}

/* A shelf, with the folder open that was open; false after having told why not. */
static bool
have_shelf(struct worker *worker, enum wish_kind wish)
{
    struct client_problem problem = {0};

    if (worker->shelf)
        return true;
    if (!connect_shelf(worker, &problem)) {
        worker_fail(worker, wish, &problem);
        return false;
    }
    if (worker->folder && wish != WISH_OPEN)
        open_folder(worker, worker->folder);
    return worker->shelf != NULL;
}

/* ---- wishes -------------------------------------------------------------------------------- */

static void
take_head(void *context, const struct client_shelf_head *from)
{
    void **both = context;
    const struct worker *worker = both[0];
    struct news *news = both[1];
    struct head *head = news_add_head(news);

    head->id = from->id;
    head->flags = from->flags;
    head->size = from->size;
    head->received = from->received;
    head_parse(from->head,
               worker->options.name ? worker->options.desk->login.account->address : NULL, head);
}

static void
tell_heads(struct worker *worker, struct client_ids ids)
{
    struct news *news = news_new(NEWS_HEADS, worker->options.account);
    struct client_problem problem = {0};
    void *both[] = {worker, news};

    if (client_shelf_heads(worker->shelf, ids, take_head, both, &problem)) {
        send_changes(worker);
        worker_put(worker, news);
    } else {
        news_free(news);
        worker_fail(worker, WISH_HEADS, &problem);
    }
}

static void
take_found(void *context, uint32_t id)
{
    news_add_item(context, (struct item){.id = id});
}

static void
search(struct worker *worker, const struct wish *wish)
{
    struct news *news = news_new(NEWS_FOUND, worker->options.account);
    struct client_problem problem = {0};

    news->serial = wish->serial;
    if (!client_shelf_search(worker->shelf, slice_of_string(wish->text), take_found, news,
                             &problem))
        worker_fail(worker, WISH_SEARCH, &problem);
    worker_put(worker, news);
}

static void
move(struct worker *worker, const struct wish *wish)
{
    struct news *news = news_new(NEWS_MOVED, worker->options.account);
    struct client_ids ids = {.ids = wish->ids, .count = wish->ids_count};
    struct client_problem problem = {0};

    traffic_set(&news->folder, slice_of_string(wish->folder));
    if (client_shelf_move(worker->shelf, ids, wish->folder, &news->first, &news->count, &problem))
        worker->counted = (struct instant){0};
    else
        worker_fail(worker, WISH_MOVE, &problem);
    worker_put(worker, news);
}

static void
change(struct worker *worker, const struct wish *wish)
{
    struct client_ids ids = {.ids = wish->ids, .count = wish->ids_count};
    struct client_problem problem = {0};
    bool is_good =
        wish->kind == WISH_FLAG
            ? client_shelf_flag(worker->shelf, ids, wish->add, wish->remove, &problem)
        : wish->kind == WISH_DELETE
            ? client_shelf_delete(worker->shelf, ids, &problem)
            : client_shelf_bring(worker->shelf, wish->folder, wish->first, wish->count, &problem);

    if (!is_good)
        worker_fail(worker, wish->kind, &problem);
    worker->counted = wish->kind == WISH_FLAG ? worker->counted : (struct instant){0};
}

typedef void (*wish_fn)(struct worker *worker, const struct wish *wish);

static void
open_wished(struct worker *worker, const struct wish *wish)
{
    open_folder(worker, wish->folder);
}

static void
tell_wished_folders(struct worker *worker, const struct wish *wish)
{
    (void)wish;
    tell_folders(worker);
}

static void
tell_wished_heads(struct worker *worker, const struct wish *wish)
{
    tell_heads(worker, (struct client_ids){.ids = wish->ids, .count = wish->ids_count});
}

static const struct {
    wish_fn fn;
    bool needs_shelf;
} rows[] = {
    [WISH_FOLDERS] = {tell_wished_folders, true},
    [WISH_OPEN] = {open_wished, true},
    [WISH_HEADS] = {tell_wished_heads, true},
    [WISH_READ] = {worker_read, true},
    [WISH_FLAG] = {change, true},
    [WISH_DELETE] = {change, true},
    [WISH_MOVE] = {move, true},
    [WISH_BRING] = {change, true},
    [WISH_SEARCH] = {search, true},
    [WISH_SAVE] = {worker_save, true},
    [WISH_SHOW] = {worker_show, true},
    [WISH_ANSWER] = {worker_answer, true},
    [WISH_RESUME] = {worker_resume, true},
    [WISH_RESEND] = {worker_resend, true},
    [WISH_KEEP] = {worker_keep, true},
    [WISH_SEND] = {worker_send, false},
    [WISH_COMPLETE] = {worker_complete, false},
    [WISH_FILES] = {worker_files, false},
};

static void
grant(struct worker *worker, const struct wish *wish)
{
    if (wish->kind >= COUNT_OF(rows) || !rows[wish->kind].fn)
        return;
    if (rows[wish->kind].needs_shelf && !have_shelf(worker, wish->kind)) {
        if (wish->kind == WISH_KEEP)
            worker_keep(worker, wish); /* a draft is not lost */
        return;
    }
    rows[wish->kind].fn(worker, wish);
    send_changes(worker);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static struct wish *
take_wish(struct worker *worker, bool *ret_is_ending)
{
    pthread_mutex_lock(&worker->lock);
    struct wish *wish = worker->first;
    if (wish) {
        worker->first = wish->next;
        wish->next = NULL;
    }
    if (!worker->first) {
        worker->last = NULL;
        bell_quiet(worker->bell);
    }
    *ret_is_ending = worker->is_ending;
    pthread_mutex_unlock(&worker->lock);
    return wish;
}

/* Nobody wishes for anything: look what others do, now and then count. */
static void
rest(struct worker *worker)
{
    struct client_problem problem = {0};
    struct instant count = instant_after(worker->counted, duration_ms(COUNT_MS));
    struct pollfd poller = {.fd = worker->bell, .events = POLLIN};

    if (!worker->shelf) { /* off line */
        if (poll(&poller, 1, RETRY_MS) == 0 && have_shelf(worker, WISH_FOLDERS))
            tell_folders(worker);
        return;
    }
    if (worker->is_local && worker->options.name &&
        !instant_is_before(client_now(), worker->retry)) {
        client_shelf_close(&worker->shelf); /* back to the server, if it is there again */
        if (!have_shelf(worker, WISH_FOLDERS))
            return;
        tell_folders(worker);
    }
    if (instant_is_before(count, client_now())) {
        tell_folders(worker);
        return;
    }
    if (!worker->folder) { /* nobody looks at this account: its INBOX tells of new mail */
        worker->folder = traffic_copy(SLICE("INBOX"));
        if (!client_shelf_select(worker->shelf, worker->folder, &problem))
            worker_fail(worker, WISH_FOLDERS, &problem);
        return;
    }
    worker_fill_book(worker);
    if (!client_shelf_wait(worker->shelf, count, worker->bell, &problem))
        worker_fail(worker, WISH_FOLDERS, &problem);
    if (worker->changes) /* soon, but not for each of many */
        worker->counted = instant_after(client_now(), duration_ms(COUNT_SOON_MS - COUNT_MS));
    send_changes(worker);
}

static void
finish(struct worker *worker)
{
    client_shelf_close(&worker->shelf);
    send_changes(worker);
    view_finish(&worker->view);
    book_close(&worker->book);
    free(worker->folder);
}

static void *
run(void *context)
{
    struct worker *worker = context;
    bool is_ending = false;

    for (;;) {
        struct wish *wish = take_wish(worker, &is_ending);
        if (wish) {
            grant(worker, wish);
            wish_free(wish);
        } else if (is_ending) {
            break;
        } else {
            rest(worker);
        }
    }
    finish(worker);
    pthread_mutex_lock(&worker->lock);
    worker->is_ended = true;
    pthread_cond_signal(&worker->ended);
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* ---- beginning and end --------------------------------------------------------------------- */

struct worker *
worker_open(const struct worker_options *options)
{
    struct worker *worker = traffic_array(1, sizeof(*worker));
    pthread_condattr_t clock;
    sigset_t all, before;

    worker->options = *options;
    worker->bell = bell_open();
    worker->counted = client_now();
    view_init(&worker->view);
    worker->book = book_open();
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    /* Signals are the main thread's: it has the terminal. */
    sigfillset(&all);
    if (pthread_mutex_init(&worker->lock, NULL) != 0 ||
        pthread_cond_init(&worker->ended, &clock) != 0 ||
        pthread_sigmask(SIG_SETMASK, &all, &before) != 0 ||
        pthread_create(&worker->thread, NULL, run, worker) != 0 ||
        pthread_sigmask(SIG_SETMASK, &before, NULL) != 0)
        abort();
    pthread_condattr_destroy(&clock);
    return worker;
}

void
worker_wish(struct worker *worker, struct wish *wish)
{
    pthread_mutex_lock(&worker->lock);
    if (worker->last)
        worker->last->next = wish;
    else
        worker->first = wish;
    worker->last = wish;
    bell_ring(worker->bell);
    pthread_mutex_unlock(&worker->lock);
}

bool
worker_close(struct worker **worker, int wait_ms)
{
    struct worker *w = *worker;
    struct timespec late;

    clock_gettime(CLOCK_MONOTONIC, &late);
    late.tv_sec += wait_ms / 1000;
    pthread_mutex_lock(&w->lock);
    w->is_ending = true;
    bell_ring(w->bell);
    while (!w->is_ended && pthread_cond_timedwait(&w->ended, &w->lock, &late) == 0) {
    }
    bool is_ended = w->is_ended;
    pthread_mutex_unlock(&w->lock);
    if (!is_ended)
        return false;
    (void)pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->ended);
    close(w->bell);
    free(w);
    *worker = NULL;
    return true;
}
