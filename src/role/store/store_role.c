/* SPDX-License-Identifier: ISC */
/* The role `store`: its channels to smtp, its turns, its life. */
#include "role/store/indexing.h"
#include "role/store/outgoing.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIDE_SMTP = 0, PATH_BYTES_MAX = 4096 };

/* Recipients that came ahead of their submit. */
struct recipients_ahead {
    struct list link;
    uint64_t id;
    struct arena arena;
    struct parcel_recipient *at;
    size_t count;
};

void
store_role_bad_note(struct store_role *role, host_handle handle, const char *from)
{
    host_handle_close(role->host, handle);
    log_event(role->host, HOST_LEVEL_ERROR, "bad_note", "from", slice_of_string(from));
}

/* ---- back-pressure --------------------------------------------------------------------------- */

/* Before start there is no store to ask: what comes waits in its channel. */
static void
unpause_readers(struct store_role *role)
{
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (role->access[i] && role->access[i]->channel)
            host_channel_pause(role->access[i]->channel, false);
    }
    if (role->auth)
        host_channel_pause(role->auth, false);
}

static void
pause_senders(struct store_role *role, bool is_paused)
{
    role->is_paused = is_paused;
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (role->smtp[i] && role->smtp[i]->channel)
            host_channel_pause(role->smtp[i]->channel, is_paused);
    }
    LIST_EACH (link, &role->tools) {
        host_channel_pause(LIST_ITEM(link, struct store_tool, link)->channel, is_paused);
    }
}

void
store_role_wait(struct store_role *role, struct parcel *parcel)
{
    role->waiting_parcels++;
    role->waiting_bytes += parcel_len(parcel);
    if (!role->is_paused && (role->waiting_parcels > STORE_WAITING_PARCELS_MAX ||
                             role->waiting_bytes > STORE_WAITING_BYTES_MAX))
        pause_senders(role, true);
}

void
store_role_unwait(struct store_role *role, struct parcel *parcel)
{
    role->waiting_parcels--;
    role->waiting_bytes -= parcel_len(parcel);
    if (role->is_paused && role->waiting_parcels <= STORE_WAITING_PARCELS_MAX / 2 &&
        role->waiting_bytes <= STORE_WAITING_BYTES_MAX / 2)
        pause_senders(role, false);
}

/* ---- smtp ------------------------------------------------------------------------------------ */

static bool
copy_recipients(struct arena *arena, const struct smtp_store_recipient_list *list,
                struct parcel_recipient *at)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct smtp_store_recipient *from = &list->at[i];
        at[i] = (struct parcel_recipient){
            .account = from->account,
            .box = from->box,
            .address = arena_copy(arena, from->address),
            .path = arena_copy(arena, from->path),
            .user = arena_copy(arena, from->user),
            .original_type = arena_copy(arena, from->original_type),
            .original = arena_copy(arena, from->original),
            .notify = from->notify,
            .group = from->group,
            .quota_bytes = from->quota_bytes,
            .quota_messages = from->quota_messages,
        };
    }
    return !arena_failed(arena);
}

static struct recipients_ahead *
find_ahead(struct store_smtp *smtp, uint64_t id)
{
    LIST_EACH (link, &smtp->ahead) {
        struct recipients_ahead *ahead = LIST_ITEM(link, struct recipients_ahead, link);
        if (ahead->id == id)
            return ahead;
    }
    return NULL;
}

static void
drop_ahead(struct store_smtp *smtp, struct recipients_ahead *ahead)
{
    list_remove(&ahead->link);
    arena_finish(&ahead->arena);
    free(ahead);
    smtp->ahead_count--;
}

/* False when it is more than the notes allow. */
static bool
on_recipients(struct store_smtp *smtp, const struct smtp_store_recipients *note)
{
    struct recipients_ahead *ahead = find_ahead(smtp, note->id);

    if (!ahead) {
        if (smtp->ahead_count == STORE_AHEAD_MAX)
            return false;
        ahead = calloc(1, sizeof(*ahead));
        if (!ahead)
            abort();
        ahead->id = note->id;
        arena_init(&ahead->arena, STORE_NOTE_ARENA_MAX);
        list_append(&smtp->ahead, &ahead->link);
        smtp->ahead_count++;
        ahead->at = ARENA_ARRAY(&ahead->arena, struct parcel_recipient, STORE_RECIPIENTS_MAX);
    }
    if (!ahead->at || note->recipients.count > STORE_RECIPIENTS_MAX - ahead->count ||
        !copy_recipients(&ahead->arena, &note->recipients, ahead->at + ahead->count))
        return false;
    ahead->count += note->recipients.count;
    return true;
}

/* Those who came ahead, then those of the submit. */
static bool
gather_recipients(struct store_smtp *smtp, struct parcel *parcel,
                  const struct smtp_store_submit *note)
{
    struct recipients_ahead *ahead = find_ahead(smtp, note->id);
    size_t before = ahead ? ahead->count : 0, count = before + note->recipients.count;

    if (count == 0 || count > STORE_RECIPIENTS_MAX)
        return false;
    struct parcel_recipient *all = ARENA_ARRAY(&parcel->arena, struct parcel_recipient, count);
    if (!all)
        return false;
    for (size_t i = 0; i < before; i++) {
        all[i] = ahead->at[i];
        all[i].address = arena_copy(&parcel->arena, ahead->at[i].address);
        all[i].path = arena_copy(&parcel->arena, ahead->at[i].path);
        all[i].user = arena_copy(&parcel->arena, ahead->at[i].user);
        all[i].original_type = arena_copy(&parcel->arena, ahead->at[i].original_type);
        all[i].original = arena_copy(&parcel->arena, ahead->at[i].original);
    }
    if (ahead)
        drop_ahead(smtp, ahead);
    parcel->recipients = all;
    parcel->recipient_count = count;
    return copy_recipients(&parcel->arena, &note->recipients, all + before);
}

static void
refuse_submit(struct store_smtp *smtp, uint64_t id, size_t count)
{
    struct store_role *role = smtp->role;
    struct smtp_store_outcome *outcomes =
        ARENA_ARRAY(&role->note_arena, struct smtp_store_outcome, count);
    struct smtp_store_filed filed = {id, {outcomes, count}};

    assert(outcomes);
    for (size_t i = 0; i < count; i++)
        outcomes[i] = (struct smtp_store_outcome){SMTP_STORE_OUTCOME_KIND_TEMPORARY,
                                                  SLICE("the message could not be read")};
    buffer_clear(&role->note);
    bool is_put = smtp_store_put_filed(&role->note, &smtp->ledger, &filed);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

/* What the queue wants to know. False when it does not hold together. */
static bool
keep_envelope(struct parcel *parcel, const struct smtp_store_submit *note)
{
    struct wall now = host_wall(parcel->role->host);

    if (note->prefix_return_path_len > note->prefix.len || note->priority < -9 ||
        note->priority > 9 || note->deliver_by_s > 1000000000 || note->deliver_by_s < -2000000000)
        return false;
    parcel->envelope_id = arena_copy(&parcel->arena, note->envelope_id);
    parcel->skip = note->prefix_return_path_len;
    parcel->priority = (int8_t)note->priority;
    parcel->hold_until_s = note->hold_until_s;
    parcel->hold = arena_copy(&parcel->arena, note->hold);
    parcel->deliver_by.ns = now.ns + note->deliver_by_s * 1000000000;
    parcel->queue_flags =
        (note->ret == SMTP_STORE_RET_FULL ? QUEUE_RETURN_FULL : 0) |
        (note->ret == SMTP_STORE_RET_HEADERS ? QUEUE_RETURN_HDRS : 0) |
        (note->is_utf8 ? QUEUE_UTF8 : 0) | (note->requires_tls ? QUEUE_REQUIRETLS : 0) |
        (note->content == SMTP_STORE_CONTENT_EIGHT ? QUEUE_EIGHT : 0) |
        (note->content == SMTP_STORE_CONTENT_BINARY ? QUEUE_BINARY : 0) |
        (note->has_deliver_by ? QUEUE_DELIVER_BY : 0) |
        (note->deliver_by_returns ? QUEUE_BY_RETURNS : 0) |
        (note->deliver_by_traces ? QUEUE_BY_TRACES : 0) | (note->has_priority ? QUEUE_PRIORITY : 0);
    parcel->group_count = note->groups.count;
    parcel->groups = ARENA_ARRAY(&parcel->arena, struct parcel_group, note->groups.count);
    for (size_t i = 0; parcel->groups && i < note->groups.count; i++)
        parcel->groups[i] = (struct parcel_group){
            .has_sender = note->groups.at[i].has_sender,
            .sender = arena_copy(&parcel->arena, note->groups.at[i].sender),
            .fields = arena_copy(&parcel->arena, note->groups.at[i].fields),
        };
    for (size_t i = 0; i < parcel->recipient_count; i++) {
        if (parcel->recipients[i].group > parcel->group_count)
            return false;
    }
    return !arena_failed(&parcel->arena);
}

/* False when the note is not to be believed. Takes the handle. */
static bool
on_submit(struct store_smtp *smtp, const struct smtp_store_submit *note, host_handle handle)
{
    struct store_role *role = smtp->role;
    struct recipients_ahead *ahead = find_ahead(smtp, note->id);
    size_t count = note->recipients.count + (ahead ? ahead->count : 0);
    struct parcel *parcel = parcel_open(role, PARCEL_SUBMITTED, note->prefix, note->body, handle);

    if (!parcel) {
        if (ahead)
            drop_ahead(smtp, ahead);
        refuse_submit(smtp, note->id, count <= STORE_RECIPIENTS_MAX ? count : 0);
        return true;
    }
    parcel->sender = smtp;
    parcel->id = note->id;
    parcel->is_atomic = note->is_atomic;
    parcel->queue_id = arena_copy(&parcel->arena, note->queue_id);
    parcel->reverse_path = arena_copy(&parcel->arena, note->reverse_path);
    if (!gather_recipients(smtp, parcel, note) || !keep_envelope(parcel, note)) {
        parcel_close(&parcel);
        return false;
    }
    list_append(&smtp->parcels, &parcel->sender_link);
    role->submitted++;
    store_role_wait(role, parcel);
    parsers_take(role, parcel);
    return true;
}

/* Read only, and against the quotas as they are now: what the store was told with the last message
 * may have been changed since. What cannot be read is another question's affair. */
static void
on_room(struct store_smtp *smtp, const struct smtp_store_room *note)
{
    struct store_role *role = smtp->role;
    struct account_entry entry;
    struct smtp_store_has_room answer = {.id = note->id, .has_room = true};

    if (mailbox_account_get(role->store, note->account, &entry) == STORE_OK)
        answer.has_room = (!note->quota_messages || entry.messages < note->quota_messages) &&
                          (!note->quota_bytes || (entry.bytes < note->quota_bytes &&
                                                  note->bytes <= note->quota_bytes - entry.bytes));
    buffer_clear(&role->note);
    bool is_put = smtp_store_put_has_room(&role->note, &smtp->ledger, &answer);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
on_flush(struct store_smtp *smtp, const struct smtp_store_flush *note)
{
    struct store_role *role = smtp->role;
    struct smtp_store_flushed answer = {.id = note->id};
    bool is_busy = false;

    answer.result = asking_retry(role, note->domain, &is_busy) ? SMTP_STORE_FLUSH_RESULT_STARTED
                    : is_busy                                  ? SMTP_STORE_FLUSH_RESULT_BUSY
                                                               : SMTP_STORE_FLUSH_RESULT_NONE;
    buffer_clear(&role->note);
    bool is_put = smtp_store_put_flushed(&role->note, &smtp->ledger, &answer);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
lose_smtp(struct store_smtp *smtp)
{
    /* What it submitted is filed all the same; nobody will hear of it. */
    LIST_EACH (link, &smtp->parcels) {
        LIST_ITEM(link, struct parcel, sender_link)->sender = NULL;
        list_remove(link);
    }
    burls_forget(smtp);
    turns_lose_smtp(smtp);
    probes_lose_smtp(smtp);
    LIST_EACH (link, &smtp->ahead) {
        drop_ahead(smtp, LIST_ITEM(link, struct recipients_ahead, link));
    }
    host_channel_close(&smtp->channel);
    note_ledger_finish(&smtp->ledger);
}

static void
on_smtp_note(void *context, struct slice bytes, host_handle handle)
{
    struct store_smtp *smtp = context;
    struct store_role *role = smtp->role;
    struct smtp_store_note note;
    bool is_good = false;

    arena_reset(&role->note_arena);
    if (smtp_store_take(bytes, handle, SIDE_SMTP, &smtp->ledger, &role->note_arena, &note)) {
        if (note.kind == SMTP_STORE_SUBMIT) {
            is_good = on_submit(smtp, &note.as.submit, handle);
            handle = HOST_HANDLE_NONE;
        } else if (note.kind == SMTP_STORE_RECIPIENTS) {
            is_good = on_recipients(smtp, &note.as.recipients);
        } else if (note.kind == SMTP_STORE_ROOM) {
            on_room(smtp, &note.as.room);
            is_good = true;
        } else if (note.kind == SMTP_STORE_FETCH) {
            burl_fetch(smtp, &note.as.fetch);
            is_good = true;
        } else if (note.kind == SMTP_STORE_FLUSH) {
            on_flush(smtp, &note.as.flush);
            is_good = true;
        } else if (note.kind == SMTP_STORE_TURN) {
            turns_begin(smtp, &note.as.turn);
            is_good = true;
        } else if (note.kind == SMTP_STORE_PROBE) {
            probes_open(smtp, &note.as.probe);
            is_good = true;
        } else if (note.kind == SMTP_STORE_ARRIVED) {
            outgoing_arrived(smtp->role, note.as.arrived.address);
            is_good = true;
        }
    }
    if (!is_good) {
        store_role_bad_note(role, handle, "smtp");
        lose_smtp(smtp);
    }
}

static void
on_smtp_closed(void *context)
{
    lose_smtp(context);
}

static const struct host_channel_handler smtp_handler = {on_smtp_note, on_smtp_closed, NULL};

static void
attach_smtp(struct store_role *role, unsigned index, host_handle handle)
{
    struct store_smtp *smtp = role->smtp[index];

    if (!smtp) {
        smtp = calloc(1, sizeof(*smtp));
        if (!smtp)
            abort();
        smtp->role = role;
        list_init(&smtp->parcels);
        list_init(&smtp->ahead);
        list_init(&smtp->burls);
        role->smtp[index] = smtp;
    }
    if (smtp->channel)
        lose_smtp(smtp);
    smtp->channel = host_channel_open(role->host, handle, &smtp_handler, smtp);
    if (role->is_paused || !role->is_started)
        host_channel_pause(smtp->channel, true);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void *
role_open(const struct role_start *start)
{
    struct store_role *role = calloc(1, sizeof(*role));
    uint64_t seed;

    if (!role)
        abort();
    role->start = *start;
    role->host = start->host;
    role->config = start->config;
    role->admin_handle = HOST_HANDLE_NONE;
    host_random(role->host, &seed, sizeof(seed));
    list_init(&role->tools);
    list_init(&role->unparsed);
    list_init(&role->appended);
    list_init(&role->parsed);
    list_init(&role->boxing);
    list_init(&role->leads);
    list_init(&role->ready);
    list_init(&role->filing);
    list_init(&role->jobs);
    list_init(&role->jobs_filing);
    list_init(&role->jobs_held);
    map_init(&role->parcels, seed);
    map_init(&role->grants, seed);
    map_init(&role->locks, seed);
    map_init(&role->readers, seed);
    map_init(&role->watched, seed);
    list_init(&role->watched_touched);
    list_init(&role->watched_accounts);
    arena_init(&role->note_arena, STORE_NOTE_ARENA_MAX);
    buffer_init(&role->note, HOST_NOTE_MAX);
    turns_open(role);
    outgoing_open(role);
    indexing_open(role);
    return role;
}

static void
role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    struct store_role *role = state;

    assert(peer_index < STORE_PEERS_MAX);
    switch (peer) {
    case ROLE_SMTP:
        attach_smtp(role, peer_index, handle);
        break;
    case ROLE_ACCESS:
        readers_attach_access(role, peer_index, handle);
        break;
    case ROLE_AUTH:
        readers_attach_auth(role, handle);
        break;
    case ROLE_DELIVER:
        parsers_attach(role, peer_index, handle);
        break;
    case ROLE_LETTERBOX:
        letterbox_attach(role, handle);
        break;
    case ROLE_ROUTE:
        outgoing_attach_route(role, handle);
        break;
    case ROLE_TRANSPORT:
        outgoing_attach_transport(role, peer_index, handle);
        break;
    case ROLE_INDEX:
        indexing_attach(role, handle);
        break;
    case ROLE_HAND:
        outgoing_attach_transport(role, OUTGOING_HAND, handle);
        break;
    case ROLE_PARENT:
    case ROLE_STORE:
    case ROLE_RESOLVE:
    case ROLE_TABLE:
    case ROLE_ISSUER:
    case ROLE_KEYS:
    case ROLE_KINDS:
        host_handle_close(role->host, handle);
        break;
    }
}

static void
role_listen(void *state, enum role_service service, host_handle handle)
{
    struct store_role *role = state;

    if (service == SERVICE_ADMIN && role->admin_handle == HOST_HANDLE_NONE && !role->admin)
        role->admin_handle = handle;
    else
        host_handle_close(role->host, handle);
}

static void
on_report(void *context, const char *event, struct slice text)
{
    struct store_role *role = context;

    log_event(role->host, HOST_LEVEL_ERROR, event, "what", text);
}

static int
open_store(struct store_role *role, struct buffer *why)
{
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof(path), "%.*s/store", (int)role->config->data_dir.len,
             (const char *)role->config->data_dir.at);
    int result = host_dir_open(role->host, path, &role->dir);
    if (result < 0) {
        buffer_put_text(why, "cannot open the folder ");
        buffer_put_text(why, path);
        return result;
    }
    struct store_options options = {
        .host = role->host,
        .dir = role->dir,
        /* LMDB believes its pages, and may fall over one that the disk has changed. */
        .is_view_suspect = role->start.falls > 0 && role->start.falls % 2 == 0,
        .segment_bytes = role->config->store_segment_size,
        .map_bytes = role->config->store_map_size,
        .retain = role->config->store_retain,
        .report = on_report,
        .report_context = role,
    };
    return store_open(&options, why, &role->store);
}

static void
log_start(struct store_role *role)
{
    struct store_stats stats;
    struct log_line line;

    store_stats_get(role->store, &stats);
    log_begin(&line, role->host, HOST_LEVEL_INFO, "store_open");
    log_number(&line, "last_turn", stats.last_turn);
    log_number(&line, "replayed", stats.replayed);
    log_number(&line, "segments", stats.segments);
    log_number(&line, "log_bytes", stats.log_bytes);
    log_number(&line, "damaged", stats.damaged);
    log_end(&line);
}

static bool
role_start(void *state)
{
    struct store_role *role = state;
    struct buffer why;

    buffer_init(&why, 1024);
    int result = open_store(role, &why);
    if (result < 0) {
        struct log_line line;
        log_begin(&line, role->host, HOST_LEVEL_ERROR, "store_not_open");
        log_text(&line, "why", buffer_slice(&why));
        log_error(&line, "error", result);
        log_end(&line);
        buffer_put_byte(&why, 0);
        role->start.fail(role->start.fail_context, (const char *)buffer_slice(&why).at);
        buffer_finish(&why);
        return false;
    }
    buffer_finish(&why);
    log_start(role);
    watchings_start(role);
    background_start(role);
    outgoing_start(role);
    if (role->admin_handle != HOST_HANDLE_NONE)
        tool_listen(role, role->admin_handle);
    role->admin_handle = HOST_HANDLE_NONE;
    role->is_started = true;
    pause_senders(role, false);
    unpause_readers(role);
    return true;
}

static void
role_reload(void *state, const struct config *config)
{
    struct store_role *role = state;

    role->config = config;
    if (role->store)
        store_set_retain(role->store, config->store_retain);
    tls_reports_reload(role);
    feeds_reload(role);
}

static void
role_stats(void *state, struct role_stats *stats)
{
    struct store_role *role = state;
    struct store_stats store;

    if (!role->store)
        return;
    store_stats_get(role->store, &store);
    role_stats_add(stats, "submitted", role->submitted);
    role_stats_add(stats, "delivered", role->delivered);
    role_stats_add(stats, "not_delivered", role->rejected);
    role_stats_add(stats, "filed_unparsed", role->unparsed_filed);
    role_stats_add(stats, "queued", role->outgoing->taken);
    role_stats_add(stats, "carried", role->outgoing->carried);
    role_stats_add(stats, "delayed", role->outgoing->delayed);
    role_stats_add(stats, "failed", role->outgoing->failed);
    role_stats_add(stats, "reported", role->outgoing->told);
    tls_results_stats(role, stats);
    role_stats_add(stats, "on_their_way", role->outgoing->batch_count);
    role_stats_add(stats, "waiting", role->waiting_parcels);
    role_stats_add(stats, "waiting_bytes", role->waiting_bytes);
    role_stats_add(stats, "sessions", role->grants.count);
    role_stats_add(stats, "read_bytes", role->read_bytes);
    role_stats_add(stats, "turns", store.turns);
    role_stats_add(stats, "turn_failures", store.turn_failures);
    role_stats_add(stats, "segments", store.segments);
    role_stats_add(stats, "log_bytes", store.log_bytes);
    role_stats_add(stats, "live_bytes", store.live_bytes);
    role_stats_add(stats, "view_bytes", store.view_bytes);
    role_stats_add(stats, "disk_free", store.disk_free);
}

static void
role_stop(void *state)
{
    struct store_role *role = state;

    role->is_stopping = true;
    store_role_release_jobs(role);
    if (outgoing_wants_turn(role))
        store_role_turn_soon(role);
    store_role_finish_if_stopping(role);
}

static void
close_list(struct list *parcels)
{
    LIST_EACH (link, parcels) {
        struct parcel *parcel = LIST_ITEM(link, struct parcel, link);
        parcel_close(&parcel);
    }
}

static void
role_close(void *state)
{
    struct store_role *role = state;
    struct list *waiting[] = {&role->unparsed, &role->parsed, &role->leads,
                              &role->boxing,   &role->ready,  &role->filing};

    background_close(role);
    readers_close(role);
    tool_close(role);
    store_role_drop_turn(role, STORE_TEMPORARY);
    outgoing_close(role);
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        close_list(waiting[i]);
    parsers_close(role);
    letterbox_close(role);
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (role->smtp[i])
            lose_smtp(role->smtp[i]);
        free(role->smtp[i]);
    }
    struct list *jobs[] = {&role->jobs, &role->jobs_held};
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        LIST_EACH (link, jobs[i]) {
            struct job *job = LIST_ITEM(link, struct job, link);
            job_answer(&job, STORE_TEMPORARY);
        }
    }
    store_close(&role->store);
    indexing_close(role);
    turns_close(role);
    host_dir_close(&role->dir);
    host_handle_close(role->host, role->admin_handle);
    map_finish(&role->parcels);
    map_finish(&role->grants);
    map_finish(&role->locks);
    map_finish(&role->readers);
    watchings_close(role);
    arena_finish(&role->note_arena);
    buffer_finish(&role->note);
    free(role);
}

const struct role role_store = {
    .kind = ROLE_STORE,
    .open = role_open,
    .attach = role_attach,
    .listen = role_listen,
    .start = role_start,
    .reload = role_reload,
    .stats = role_stats,
    .stop = role_stop,
    .close = role_close,
};
