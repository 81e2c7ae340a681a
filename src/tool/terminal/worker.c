/* SPDX-License-Identifier: ISC */
#include "tool/terminal/worker.h"

#include "tool/terminal/worker_private.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT_MS = 60 * 1000, COUNT_SOON_MS = 1000, WAIT_MS = 30 * 1000 };

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

void
worker_tell_state(struct worker *worker, const char *text, bool is_online)
{
    struct news *news = news_new(NEWS_STATE, worker->options.account);

    traffic_set(&news->text, slice_of_string(text));
    news->is_online = is_online;
    news->is_local = worker->is_local;
    worker_put(worker, news);
}

void
worker_send_changes(struct worker *worker)
{
    if (worker->changes)
        worker_put(worker, worker->changes);
    worker->changes = NULL;
}

/* Many changes of a kind travel together. */
void
worker_take_change(void *context, enum client_shelf_change change, struct client_shelf_item item)
{
    static const enum news_kind kinds[] = {[CLIENT_SHELF_ARRIVED] = NEWS_ARRIVED,
                                           [CLIENT_SHELF_GONE] = NEWS_GONE,
                                           [CLIENT_SHELF_FLAGS] = NEWS_FLAGS};
    struct worker *worker = context;

    if (worker->changes && worker->changes->kind != kinds[change])
        worker_send_changes(worker);
    if (!worker->changes)
        worker->changes = news_new(kinds[change], worker->options.account);
    news_add_item(worker->changes, (struct item){.id = item.id, .flags = item.flags});
    if (item.id == worker->open_id && change == CLIENT_SHELF_GONE)
        worker->open_id = 0;
}

void
worker_fail(struct worker *worker, enum wish_kind wish, const struct client_problem *problem)
{
    bool is_cut = problem->kind == CLIENT_PROBLEM_UNREACHABLE ||
                  (worker->shelf && !client_shelf_is_connected(worker->shelf));

    worker_send_changes(worker);
    worker->is_lost = worker->is_lost || (worker->is_trying && is_cut);
    if (!worker->is_lost) {
        struct news *news = news_new(NEWS_FAILED, worker->options.account);
        news->wish = wish;
        traffic_set(&news->text, slice_of_string(problem->text));
        worker_put(worker, news);
    }
    if (is_cut) {
        client_shelf_close(&worker->shelf);
        worker->retry = client_now();
        worker_tell_state(worker, "off line", false);
    }
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
        worker_send_changes(worker);
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
    if (worker->is_lost)
        news_free(news);
    else
        worker_put(worker, news);
}

static void
move(struct worker *worker, const struct wish *wish)
{
    struct news *news = news_new(NEWS_MOVED, worker->options.account);
    struct client_ids ids = {.ids = wish->ids, .count = wish->ids_count};
    struct client_problem problem = {0};

    char *to = worker_name_on_shelf(worker, wish->folder);

    traffic_set(&news->folder, slice_of_string(wish->folder));
    if (client_shelf_move(worker->shelf, ids, to, &news->first, &news->count, &problem))
        worker->counted = (struct instant){0};
    else
        worker_fail(worker, WISH_MOVE, &problem);
    free(to);
    if (worker->is_lost)
        news_free(news);
    else
        worker_put(worker, news);
}

static bool
bring(struct worker *worker, const struct wish *wish, struct client_problem *problem)
{
    char *from = worker_name_on_shelf(worker, wish->folder);
    bool is_good = client_shelf_bring(worker->shelf, from, wish->first, wish->count, problem);

    free(from);
    return is_good;
}

static void
change(struct worker *worker, const struct wish *wish)
{
    struct client_ids ids = {.ids = wish->ids, .count = wish->ids_count};
    struct client_problem problem = {0};
    bool is_good = wish->kind == WISH_FLAG
                       ? client_shelf_flag(worker->shelf, ids, wish->add, wish->remove, &problem)
                   : wish->kind == WISH_DELETE ? client_shelf_delete(worker->shelf, ids, &problem)
                                               : bring(worker, wish, &problem);

    if (!is_good)
        worker_fail(worker, wish->kind, &problem);
    worker->counted = wish->kind == WISH_FLAG ? worker->counted : (struct instant){0};
}

typedef void (*wish_fn)(struct worker *worker, const struct wish *wish);

static void
open_wished(struct worker *worker, const struct wish *wish)
{
    /* Once more what is open: the person wants to see what is new. */
    if (worker_is_off_line(worker) && worker->folder && strcmp(worker->folder, wish->folder) == 0)
        worker_try_server(worker);
    if (worker->shelf)
        worker_open_folder(worker, wish->folder);
}

static void
tell_wished_folders(struct worker *worker, const struct wish *wish)
{
    (void)wish;
    worker_tell_folders(worker);
}

static void
tell_wished_heads(struct worker *worker, const struct wish *wish)
{
    tell_heads(worker, (struct client_ids){.ids = wish->ids, .count = wish->ids_count});
}

static const struct {
    wish_fn fn;
    bool needs_shelf;
    bool has_ids;       /* of the open folder */
    bool is_repeatable; /* twice does what once does */
    bool is_change;     /* of messages */
} rows[] = {
    [WISH_FOLDERS] = {tell_wished_folders, true, false, true},
    [WISH_OPEN] = {open_wished, true, false, true},
    [WISH_HEADS] = {tell_wished_heads, true, true, true},
    [WISH_READ] = {worker_read, true, true, true},
    [WISH_FLAG] = {change, true, true, true, true},
    [WISH_DELETE] = {change, true, true, true, true},
    [WISH_MOVE] = {move, true, true, true, true},
    [WISH_BRING] = {change, true, false, false, true},
    [WISH_SEARCH] = {search, true, false, true},
    [WISH_SAVE] = {worker_save, true, true, true},
    [WISH_SHOW] = {worker_show, true, true, true},
    [WISH_ANSWER] = {worker_answer, true, true, true},
    [WISH_RECEIPT] = {worker_receipt, true, true, false},
    [WISH_RESUME] = {worker_resume, true, true, true},
    [WISH_RESEND] = {worker_resend, true, true, false},
    [WISH_KEEP] = {worker_keep, true, false, false},
    [WISH_SEND] = {worker_send, false, false, false},
    [WISH_COMPLETE] = {worker_complete, false, false, false},
    [WISH_FILES] = {worker_files, false, false, false},
};

/* The list has changed behind a wish: its ids may mean other messages now. */
static bool
is_stale(const struct worker *worker, const struct wish *wish)
{
    return rows[wish->kind].has_ids && wish->generation != worker->generation;
}

static void
refuse(struct worker *worker, const struct wish *wish)
{
    struct client_problem problem = {0};

    (void)client_problem_set(&problem, CLIENT_PROBLEM_MISSING,
                             "The list of messages is another one now; look, and say it again.");
    if (wish->kind == WISH_HEADS) /* it will ask for those of the new one */
        worker_put(worker, news_new(NEWS_HEADS, worker->options.account));
    else
        worker_fail(worker, wish->kind, &problem);
}

/* False when the wish must not change anything there. That a message was read is not worth a word.
 */
static bool
may_change(struct worker *worker, const struct wish *wish)
{
    struct client_problem problem = {0};

    if (!rows[wish->kind].is_change || worker_may_change(worker, &problem))
        return true;
    if (wish->kind != WISH_FLAG || wish->add != CLIENT_SEEN)
        worker_fail(worker, wish->kind, &problem);
    return false;
}

/* A line that was cut is seen when something is wished: then the server is asked anew, or the copy
 * serves, and the wish is granted there. */
static void
grant(struct worker *worker, const struct wish *wish)
{
    if (wish->kind >= COUNT_OF(rows) || !rows[wish->kind].fn)
        return;
    for (int turn = 0; turn < 2; turn++) {
        worker->is_lost = false;
        if (rows[wish->kind].needs_shelf && !worker_have_shelf(worker, wish->kind)) {
            if (wish->kind == WISH_KEEP)
                worker_keep(worker, wish); /* a draft is not lost */
            return;
        }
        if (is_stale(worker, wish)) {
            refuse(worker, wish);
            return;
        }
        if (!may_change(worker, wish))
            return;
        worker->is_trying = turn == 0 && rows[wish->kind].is_repeatable;
        rows[wish->kind].fn(worker, wish);
        worker->is_trying = false;
        worker_send_changes(worker);
        if (!worker->is_lost)
            return;
    }
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

    bool may_try = !instant_is_before(client_now(), worker->retry);
    if (worker_look_behind(worker))
        return;
    if (!worker->shelf && worker->root && may_try) { /* the line was cut: the copy serves */
        if (worker_have_shelf(worker, WISH_FOLDERS))
            worker_tell_folders(worker);
        return;
    }
    if (!worker->shelf) { /* off line */
        if (poll(&poller, 1, WAIT_MS) == 0 && worker_have_shelf(worker, WISH_FOLDERS))
            worker_tell_folders(worker);
        return;
    }
    if (worker_is_off_line(worker) && may_try && !worker->behind) {
        worker_try_server(worker);
        return;
    }
    if (instant_is_before(count, client_now())) {
        worker_tell_folders(worker);
        return;
    }
    if (!worker->folder) { /* nobody looks at this account: its INBOX tells of new mail */
        worker->folder = traffic_copy(SLICE("INBOX"));
        char *name = worker_name_on_shelf(worker, worker->folder);
        if (!client_shelf_select(worker->shelf, name, &problem))
            worker_fail(worker, WISH_FOLDERS, &problem);
        free(name);
        return;
    }
    worker_fill_book(worker);
    if (!client_shelf_wait(worker->shelf, count, worker->bell, &problem))
        worker_fail(worker, WISH_FOLDERS, &problem);
    if (worker->changes) /* soon, but not for each of many */
        worker->counted = instant_after(client_now(), duration_ms(COUNT_SOON_MS - COUNT_MS));
    worker_send_changes(worker);
}

static void
finish(struct worker *worker)
{
    struct client_problem problem = {0};

    client_shelf_close(&worker->shelf);
    worker_send_changes(worker);
    if (worker->behind) /* what it has not done, the next run does */
        (void)!behind_end(&worker->behind, &problem);
    view_finish(&worker->view);
    book_close(&worker->book);
    free(worker->folder);
    free(worker->root);
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
