/* SPDX-License-Identifier: ISC */
#include "tool/terminal/behind.h"

#include "client/wire.h"
#include "screen/traffic.h"
#include "sync/sync.h"
#include "text/utf8.h"
#include "tool/terminal/inbox.h"

#include <pthread.h>
#include <stdlib.h>

enum { RING_MS = 200, TEXT_MAX = 64 * 1024 };

struct behind {
    const struct client_login *login;
    const char *root;
    int bell;
    pthread_t thread;
    /* of the thread, until it is done */
    struct instant rung;
    struct client_problem problem;
    bool is_good;
    /* under the lock */
    pthread_mutex_t lock;
    struct buffer progress, passed;
    bool is_done;
};

static void
put_progress(const struct sync_event *event, struct buffer *out)
{
    buffer_clear(out);
    utf8_put_printable(out, slice_of_string(event->folder));
    if (event->whole == 0)
        return;
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, event->done);
    buffer_put_text(out, " of ");
    buffer_put_decimal(out, event->whole);
}

static void
take_event(void *context, const struct sync_event *event)
{
    struct behind *behind = context;
    struct instant now = client_now();

    pthread_mutex_lock(&behind->lock);
    put_progress(event, &behind->progress);
    if (event->deed == SYNC_PASSED_OVER && buffer_len(&behind->passed) < TEXT_MAX / 2) {
        utf8_put_printable(&behind->passed, slice_of_string(event->folder));
        buffer_put_text(&behind->passed, ": ");
        utf8_put_printable(&behind->passed, slice_of_string(event->why));
        buffer_put_byte(&behind->passed, '\n');
    }
    pthread_mutex_unlock(&behind->lock);
    if (instant_is_before(instant_after(behind->rung, duration_ms(RING_MS)), now)) {
        behind->rung = now;
        bell_ring(behind->bell);
    }
}

static void *
run(void *context)
{
    struct behind *behind = context;
    struct sync_options options = {
        .login = behind->login, .root = behind->root, .on_event = take_event, .context = behind};
    struct sync_tally tally;

    behind->is_good = sync_run(&options, &tally, &behind->problem);
    pthread_mutex_lock(&behind->lock);
    behind->is_done = true;
    pthread_mutex_unlock(&behind->lock);
    bell_ring(behind->bell);
    return NULL;
}

/* Signals are blocked in the thread that starts it, and so in it. */
struct behind *
behind_start(const struct client_login *login, const char *root, int bell)
{
    struct behind *behind = traffic_array(1, sizeof(*behind));

    *behind = (struct behind){.login = login, .root = root, .bell = bell};
    buffer_init(&behind->progress, TEXT_MAX);
    buffer_init(&behind->passed, TEXT_MAX);
    if (pthread_mutex_init(&behind->lock, NULL) != 0 ||
        pthread_create(&behind->thread, NULL, run, behind) != 0)
        abort();
    return behind;
}

void
behind_put(struct behind *behind, struct buffer *progress, struct buffer *passed)
{
    pthread_mutex_lock(&behind->lock);
    buffer_put(progress, buffer_slice(&behind->progress));
    buffer_put(passed, buffer_slice(&behind->passed));
    buffer_clear(&behind->passed);
    pthread_mutex_unlock(&behind->lock);
}

bool
behind_is_done(struct behind *behind)
{
    pthread_mutex_lock(&behind->lock);
    bool is_done = behind->is_done;
    pthread_mutex_unlock(&behind->lock);
    return is_done;
}

bool
behind_end(struct behind **behind, struct client_problem *problem)
{
    struct behind *b = *behind;

    (void)pthread_join(b->thread, NULL);
    bool is_good =
        b->is_good || client_problem_set(problem, b->problem.kind, "%s", b->problem.text);
    pthread_mutex_destroy(&b->lock);
    buffer_finish(&b->progress);
    buffer_finish(&b->passed);
    free(b);
    *behind = NULL;
    return is_good;
}
