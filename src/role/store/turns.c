/* SPDX-License-Identifier: ISC */
/* Turns: what is ready shares one append and one sync, then all are answered. */
#include "role/store/outgoing.h"

/* Each part is told to whoever watches the mailbox: long commands go on as fast as that is read. */
static bool
is_access_full(const struct store_role *role)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        const struct store_access *access = role->access[i];
        if (access && access->channel && host_channel_is_full(access->channel))
            return true;
    }
    return false;
}

void
store_role_drop_turn(struct store_role *role, enum store_result result)
{
    LIST_EACH (link, &role->filing) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
        parcel_answer(&parcel, result);
    }
    bool are_held = is_access_full(role);
    LIST_EACH (link, &role->jobs_filing) {
        struct job *job = LIST_ITEM(link, struct job, link);
        if (!job_goes_on(job, result)) {
            job_answer(&job, result);
            continue;
        }
        list_remove(&job->link);
        list_append(are_held ? &role->jobs_held : &role->jobs, &job->link);
    }
}

void
store_role_release_jobs(struct store_role *role)
{
    if (list_is_empty(&role->jobs_held) || (is_access_full(role) && !role->is_stopping))
        return;
    LIST_EACH (link, &role->jobs_held) {
        list_remove(link);
        list_append(&role->jobs, link);
    }
    store_role_turn_soon(role);
}

void
store_role_finish_if_stopping(struct store_role *role)
{
    bool is_done = list_is_empty(&role->ready) && list_is_empty(&role->jobs) &&
                   list_is_empty(&role->jobs_held) && list_is_empty(&role->filing) &&
                   list_is_empty(&role->jobs_filing) && !outgoing_has_results(role);

    if (role->is_stopping && is_done && !role->is_reclaiming && !store_is_busy(role->store))
        host_stop(role->host);
}

static bool
has_ready(const struct store_role *role)
{
    return !list_is_empty(&role->ready) || !list_is_empty(&role->jobs);
}

/* A turn of the loop later than the answers. */
static void
prepare_turn(void *context)
{
    struct store_role *role = context;

    store_prepare(role->store);
}

static void
on_turn(void *context, enum store_result result)
{
    struct store_role *role = context;

    role->is_turn_on_its_way = false;
    role->turns++;
    store_role_drop_turn(role, result);
    if (role->part_changes >= STORE_VIEW_CHANGES_MAX) {
        role->part_changes = 0;
        store_sync_view(role->store);
    }
    outgoing_filed(role, result == STORE_OK);
    if (result == STORE_FENCED) {
        role->start.fail(role->start.fail_context, "another process owns the store now");
        return;
    }
    if (has_ready(role) || (result == STORE_OK && outgoing_wants_turn(role)))
        store_role_turn_soon(role);
    if (store_is_unprepared(role->store)) /* not often: it costs a turn of the loop */
        host_defer(role->host, prepare_turn, role);
    store_role_finish_if_stopping(role);
}

/* Takes what is ready into the turn, up to its bounds. False when the view failed. */
static bool
file_ready(struct store_role *role)
{
    size_t count = 0;
    bool is_good = true;

    LIST_EACH (link, &role->ready) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
        if (!is_good || count == STORE_TURN_PARCELS_MAX ||
            (count > 0 &&
             store_pending_bytes(role->store) + parcel_len(parcel) > STORE_TURN_BYTES_MAX))
            break;
        is_good = parcel_file(parcel);
        list_remove(&parcel->link);
        list_append(&role->filing, &parcel->link);
        count++;
    }
    return is_good;
}

/* Those that have begun take what new ones leave, one after another: who did a part is behind. */
static void
file_jobs(struct store_role *role)
{
    role->part_left = role->config->store_part_messages;
    LIST_EACH (link, &role->jobs) {
        struct job *job = LIST_ITEM(link, struct job, link);
        if (job->has_begun && role->part_left == 0)
            continue;
        job_file(job);
        if (job->result == STORE_BUSY)
            continue; /* the next turn */
        list_remove(&job->link);
        list_append(&role->jobs_filing, &job->link);
    }
}

/* Messages that came together are parsed one after another: a turn that left with the first would
 * have the others wait for two syncs. */
static bool
is_more_coming(const struct store_role *role)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        const struct store_deliver *deliver = role->deliver[i];
        if (deliver && !list_is_empty(&deliver->parcels) &&
            parcel_len(LIST_ITEM(deliver->parcels.next, struct parcel, link)) <=
                STORE_GATHER_BYTES_MAX)
            return true;
    }
    return false;
}

/* True: the turn is put off. */
static bool
gather(struct store_role *role)
{
    if (role->has_gathered || role->is_stopping || !list_is_empty(&role->jobs) ||
        !is_more_coming(role)) {
        role->is_gathering = role->has_gathered = false;
        return false;
    }
    if (!role->is_gathering)
        host_timer_set(role->gather_timer,
                       instant_after(host_now(role->host), duration_ms(STORE_GATHER_MS)));
    role->is_gathering = true;
    return true;
}

static void
on_gather_timer(void *context)
{
    struct store_role *role = context;

    if (!role->is_gathering)
        return;
    role->has_gathered = true;
    store_role_turn_soon(role);
}

static void
do_turn(void *context)
{
    struct store_role *role = context;

    role->is_turn_due = false;
    if (!role->is_started || role->is_turn_on_its_way || role->is_reclaiming ||
        store_is_busy(role->store))
        return; /* whoever is on the way calls again */
    if (gather(role))
        return;
    file_jobs(role);
    bool has_results = outgoing_file(role);
    if (!has_results || !file_ready(role)) {
        store_drop(role->store);
        store_role_drop_turn(role, STORE_TEMPORARY);
        outgoing_filed(role, false);
        /* The parcel that could not be filed is answered: those behind it wait for nobody. */
        if (has_results && has_ready(role))
            store_role_turn_soon(role);
        store_role_finish_if_stopping(role);
        return;
    }
    role->is_turn_on_its_way = true;
    store_commit(role->store, on_turn, role);
}

void
store_role_turn_soon(struct store_role *role)
{
    if (role->is_turn_due)
        return;
    role->is_turn_due = true;
    host_defer(role->host, do_turn, role);
}

void
turns_open(struct store_role *role)
{
    role->gather_timer = host_timer_open(role->host, on_gather_timer, role);
}

void
turns_close(struct store_role *role)
{
    host_timer_close(&role->gather_timer);
}
