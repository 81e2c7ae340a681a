/* SPDX-License-Identifier: ISC */
/* The role `letterbox`: puts messages that the store hands it into classic letter boxes. */
#include "delivery/put.h"
#include "host/log.h"
#include "note/store_letterbox.h"
#include "role/role.h"

#include "base/list.h"

#include <stdlib.h>

enum {
    NOTE_ARENA_MAX = 1024 * 1024,
    PROBLEM_MAX = STORE_LETTERBOX_PUT_DONE_TEXT_MAX,
    RETRY_MS = 500, /* while another program has the lock of a box */
    RETRY_S = 30,   /* and no longer: then the sender tries again */
    WAITING_MAX = 1000,
};

/* A message whose box was locked. */
struct waiting {
    struct list link;
    struct buffer note;
    host_handle blob;
    struct instant give_up;
};

struct letterbox_role {
    struct role_start start;
    struct host *host;
    struct host_channel *store;
    struct note_ledger ledger;
    struct arena arena;
    struct buffer note;
    struct list waiting;
    size_t waiting_count;
    struct host_timer *retry;
    uint64_t done, failed;
};

static void
answer(struct letterbox_role *role, uint64_t id, enum put_result result, struct slice problem)
{
    static const enum store_letterbox_put_result results[] = {
        [PUT_DONE] = STORE_LETTERBOX_PUT_RESULT_DONE,
        [PUT_BUSY] = STORE_LETTERBOX_PUT_RESULT_TEMPORARY,
        [PUT_TEMPORARY] = STORE_LETTERBOX_PUT_RESULT_TEMPORARY,
        [PUT_NO_SPACE] = STORE_LETTERBOX_PUT_RESULT_NO_SPACE,
        [PUT_MISPLACED] = STORE_LETTERBOX_PUT_RESULT_MISPLACED,
    };
    struct store_letterbox_put_done note = {.id = id, .result = results[result], .text = problem};

    if (role->store && store_letterbox_put_put_done(&role->note, &role->ledger, &note))
        host_channel_send(role->store, buffer_slice(&role->note), HOST_HANDLE_NONE);
    buffer_clear(&role->note);
}

static void
log_put(struct letterbox_role *role, const struct store_letterbox_put *put, enum put_result result,
        struct slice problem)
{
    struct log_line line;
    bool is_done = result == PUT_DONE;

    log_begin(&line, role->host, is_done ? HOST_LEVEL_INFO : HOST_LEVEL_WARNING,
              is_done ? "delivered" : "not_delivered");
    log_text(&line, "id", put->queue_id);
    log_string(&line, "kind", put->kind == STORE_LETTERBOX_BOX_KIND_MBOX ? "mbox" : "maildir");
    log_text(&line, "path", put->path);
    if (!is_done)
        log_text(&line, "problem", problem);
    log_end(&line);
}

/* False when the box is locked and it is worth to come back. */
static bool
put_message(struct letterbox_role *role, const struct store_letterbox_put *put, struct slice whole,
            bool is_last_try)
{
    char path[STORE_LETTERBOX_PUT_PATH_MAX + 1], user[STORE_LETTERBOX_PUT_USER_MAX + 1];
    struct buffer problem;
    struct put_message message = {
        .path = path,
        .user = user,
        .sender = put->reverse_path,
        .message = whole,
        .hostname = role->start.config->hostname,
        .received = {put->received_ns},
    };

    memcpy(path, put->path.at, put->path.len);
    path[put->path.len] = 0;
    memcpy(user, put->user.at, put->user.len);
    user[put->user.len] = 0;
    buffer_init(&problem, PROBLEM_MAX);
    enum put_result result = put->kind == STORE_LETTERBOX_BOX_KIND_MBOX
                                 ? put_mbox(role->host, &message, &problem)
                                 : put_maildir(role->host, &message, &problem);
    bool is_over = result != PUT_BUSY || is_last_try;
    if (is_over) {
        *(result == PUT_DONE ? &role->done : &role->failed) += 1;
        log_put(role, put, result, buffer_slice(&problem));
        answer(role, put->id, result, buffer_slice(&problem));
    }
    buffer_finish(&problem);
    return is_over;
}

/* The message is what stands in the note and behind it the bytes of the blob. */
static bool
try_put(struct letterbox_role *role, const struct store_letterbox_put *put, bool is_last_try)
{
    struct host_mapping mapping;
    struct buffer whole;

    if (put->body_blob == HOST_HANDLE_NONE)
        return put_message(role, put, put->body, is_last_try);
    if (host_blob_map(role->host, put->body_blob, &mapping) < 0) {
        answer(role, put->id, PUT_TEMPORARY, SLICE("the body could not be mapped"));
        return true;
    }
    buffer_init(&whole, put->body.len + mapping.bytes.len);
    buffer_put(&whole, put->body);
    buffer_put(&whole, mapping.bytes);
    host_blob_unmap(role->host, &mapping);
    bool is_over = put_message(role, put, buffer_slice(&whole), is_last_try);
    buffer_finish(&whole);
    return is_over;
}

/* ---- waiting for locks ----------------------------------------------------------------------- */

static void
forget(struct letterbox_role *role, struct waiting *waiting)
{
    list_remove(&waiting->link);
    role->waiting_count--;
    host_handle_close(role->host, waiting->blob);
    buffer_finish(&waiting->note);
    free(waiting);
}

static void
keep_waiting(struct letterbox_role *role, struct slice bytes, host_handle blob)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    struct instant now = host_now(role->host);

    if (!waiting)
        abort();
    buffer_init(&waiting->note, HOST_NOTE_MAX);
    buffer_put(&waiting->note, bytes);
    waiting->blob = blob;
    waiting->give_up = instant_after(now, duration_s(RETRY_S));
    list_append(&role->waiting, &waiting->link);
    /* Those that come meanwhile must not put off the turn of those that wait. */
    if (role->waiting_count++ == 0)
        host_timer_set(role->retry, instant_after(now, duration_ms(RETRY_MS)));
}

static void
on_retry(void *context)
{
    struct letterbox_role *role = context;
    struct note_ledger lenient = {.is_lenient = true};
    struct store_letterbox_note note;

    LIST_EACH (link, &role->waiting) {
        struct waiting *waiting = LIST_ITEM(link, struct waiting, link);
        bool is_last_try = instant_is_before(waiting->give_up, host_now(role->host));
        arena_reset(&role->arena);
        /* It was read once and is in the ledger: this time only its fields are wanted. */
        bool is_read = store_letterbox_take(buffer_slice(&waiting->note), waiting->blob, 0,
                                            &lenient, &role->arena, &note);
        assert(is_read);
        if (try_put(role, &note.as.put, is_last_try))
            forget(role, waiting);
    }
    if (!list_is_empty(&role->waiting))
        host_timer_set(role->retry, instant_after(host_now(role->host), duration_ms(RETRY_MS)));
}

/* ---- the role's functions -------------------------------------------------------------------- */

static void
lose_store(struct letterbox_role *role)
{
    host_channel_close(&role->store);
    note_ledger_finish(&role->ledger);
    LIST_EACH (link, &role->waiting) {
        forget(role, LIST_ITEM(link, struct waiting, link));
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct letterbox_role *role = context;
    struct store_letterbox_note note;

    arena_reset(&role->arena);
    if (!store_letterbox_take(bytes, handle, 0, &role->ledger, &role->arena, &note)) {
        host_handle_close(role->host, handle);
        log_event(role->host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
        lose_store(role);
        return;
    }
    if (try_put(role, &note.as.put, role->waiting_count >= WAITING_MAX))
        host_handle_close(role->host, handle);
    else
        keep_waiting(role, bytes, handle);
}

static void
on_closed(void *context)
{
    lose_store(context);
}

static const struct host_channel_handler store_handler = {.on_note = on_note,
                                                          .on_closed = on_closed};

static void *
role_open(const struct role_start *start)
{
    struct letterbox_role *role = calloc(1, sizeof(*role));

    if (!role)
        abort();
    role->start = *start;
    role->host = start->host;
    list_init(&role->waiting);
    arena_init(&role->arena, NOTE_ARENA_MAX);
    buffer_init(&role->note, HOST_NOTE_MAX);
    role->retry = host_timer_open(role->host, on_retry, role);
    return role;
}

static void
role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    struct letterbox_role *role = state;

    assert(peer == ROLE_STORE && peer_index == 0);
    if (role->store)
        lose_store(role);
    role->store = host_channel_open(role->host, handle, &store_handler, role);
}

static void
role_reload(void *state, const struct config *config)
{
    (void)state;
    (void)config;
}

static void
role_stats(void *state, struct role_stats *stats)
{
    const struct letterbox_role *role = state;

    role_stats_add(stats, "delivered", role->done);
    role_stats_add(stats, "failed", role->failed);
    role_stats_add(stats, "waiting_for_locks", role->waiting_count);
}

static void
role_stop(void *state)
{
    struct letterbox_role *role = state;
    host_stop(role->host);
}

static void
role_close(void *state)
{
    struct letterbox_role *role = state;

    lose_store(role);
    host_timer_close(&role->retry);
    arena_finish(&role->arena);
    buffer_finish(&role->note);
    free(role);
}

const struct role role_letterbox = {
    .kind = ROLE_LETTERBOX,
    .open = role_open,
    .attach = role_attach,
    .reload = role_reload,
    .stats = role_stats,
    .stop = role_stop,
    .close = role_close,
};
