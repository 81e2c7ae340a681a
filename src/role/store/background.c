/* SPDX-License-Identifier: ISC */
/* What the store does when nobody asks: write the view, remove what was dropped, give space back,
 * and the operator's check. A bounded piece at a time, between turns. */
#include "mailbox/purge.h"
#include "role/store/store_role.h"

enum {
    REST_MS = 2000, /* between looks for work when there was none */
    PAUSE_MS = 20,  /* between two pieces of purging and reclaiming: turns come first */
    CHECK_PAUSE_MS = 1,
    WATCH_MS = 5000,
    QUIET_MS = 20,          /* without a turn: who comes next will not wait for the view */
    VIEW_INTERVALS_MAX = 5, /* then it is written although they come without a pause */
    REST_LOOKS = 2,         /* with nothing done between them: a pause */
};

static void
rest(struct store_role *role, int64_t ms)
{
    host_timer_set(role->background_timer, instant_after(host_now(role->host), duration_ms(ms)));
}

static void
on_purged(void *context, enum store_result result)
{
    struct store_role *role = context;

    role->quiet_looks = 0;
    rest(role, result == STORE_OK ? PAUSE_MS : REST_MS);
    if (!list_is_empty(&role->ready) || !list_is_empty(&role->jobs))
        store_role_turn_soon(role);
}

static void
on_reclaimed(void *context, enum store_result result, bool is_idle)
{
    struct store_role *role = context;

    role->is_reclaiming = false;
    role->quiet_looks = is_idle ? role->quiet_looks : 0;
    rest(role, result == STORE_OK && !is_idle ? PAUSE_MS : REST_MS);
    if (!list_is_empty(&role->ready) || !list_is_empty(&role->jobs))
        store_role_turn_soon(role);
}

static void
do_check(struct store_role *role)
{
    bool has_more = check_step(role->check);

    if (store_has_pending(role->store))
        store_role_turn_soon(role); /* marks of damaged bodies */
    tool_tell_check(role);
    if (!has_more)
        check_close(&role->check);
    rest(role, has_more ? CHECK_PAUSE_MS : PAUSE_MS);
}

static void
on_background(void *context)
{
    struct store_role *role = context;
    size_t count;

    if (role->is_stopping)
        return;
    if (store_is_busy(role->store) || role->is_reclaiming || store_has_pending(role->store)) {
        rest(role, PAUSE_MS);
        return;
    }
    if (role->check) {
        do_check(role);
        return;
    }
    if (store_purge(role->store, &count) == STORE_OK && count > 0) {
        store_commit(role->store, on_purged, role);
        return;
    }
    role->is_reclaiming = true;
    reclaim_step(role->reclaim, on_reclaimed, role);
}

static void
on_view_time(void *context)
{
    struct store_role *role = context;
    struct instant now = host_now(role->host);
    bool is_quiet = role->turns == role->view_turns && list_is_empty(&role->ready) &&
                    list_is_empty(&role->jobs) && !store_has_pending(role->store);

    role->view_turns = role->turns;
    role->quiet_looks = is_quiet ? role->quiet_looks : 0;
    /* It takes as long as some turns, and all that comes meanwhile waits. */
    if (store_is_busy(role->store) || (!is_quiet && instant_is_before(now, role->view_due))) {
        host_timer_set(role->view_timer, instant_after(now, duration_ms(QUIET_MS)));
        return;
    }
    store_sync_view(role->store);
    if (is_quiet && ++role->quiet_looks >= REST_LOOKS)
        store_rest(role->store);
    now = host_now(role->host);
    role->view_due = now;
    for (size_t i = 0; i < VIEW_INTERVALS_MAX; i++)
        role->view_due = instant_after(role->view_due, role->config->store_view_interval);
    host_timer_set(role->view_timer, instant_after(now, role->config->store_view_interval));
}

static void
on_watch_time(void *context)
{
    struct store_role *role = context;

    parsers_watch(role);
    host_timer_set(role->watch_timer, instant_after(host_now(role->host), duration_ms(WATCH_MS)));
}

void
background_start(struct store_role *role)
{
    role->reclaim = reclaim_open(role->store);
    role->view_timer = host_timer_open(role->host, on_view_time, role);
    role->background_timer = host_timer_open(role->host, on_background, role);
    role->watch_timer = host_timer_open(role->host, on_watch_time, role);
    on_view_time(role);
    on_watch_time(role);
    rest(role, REST_MS);
}

void
background_close(struct store_role *role)
{
    check_close(&role->check);
    reclaim_close(&role->reclaim);
    host_timer_close(&role->view_timer);
    host_timer_close(&role->background_timer);
    host_timer_close(&role->watch_timer);
}

static void
on_finding(void *context, struct slice text)
{
    struct store_role *role = context;

    log_event(role->host, HOST_LEVEL_ERROR, "damaged", "what", text);
    tool_tell_finding(role, text);
}

void
background_check(struct store_role *role)
{
    if (!role->check)
        role->check = check_open(role->store, on_finding, role);
    rest(role, CHECK_PAUSE_MS);
}
