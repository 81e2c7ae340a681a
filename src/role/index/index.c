/* SPDX-License-Identifier: ISC */
/* The role that keeps the text index. See README.md. */
#include "host/log.h"
#include "note/store_index.h"
#include "role/role.h"
#include "search/index.h"
#include "search/key.h"

#include <stdlib.h>

enum {
    SIDE_STORE = 0,
    NOTE_ARENA_MAX = 1 << 20,
    WHY_MAX = 1000,
    PATH_BYTES_MAX = 4096,
    COMMIT_MS = 2000,             /* after a change */
    REST_MS = 1500,               /* after the last note: SQLite is closed until the next */
    COMMIT_BYTES_MAX = 16 << 20,  /* of texts: then at once */
    TEND_MS = 1,                  /* between pieces of work that nobody waits for */
    RETAIN_BYTES_MAX = 512 << 20, /* numbers of bodies of one account */
    FIND_PAGE = 8000,
    FOUND_MAX = 3000000, /* of one search: what the channel can hold */
};

struct index_role {
    struct role_start start;
    struct search_index *index;
    struct host_channel *store;
    struct note_ledger ledger;
    struct host_timer *commit_timer, *rest_timer, *tend_timer;
    bool is_started, is_commit_due, is_tending, was_open;
    bool is_behind; /* what the store has fed since it asked may be lost: it must ask again */
    struct arena note_arena;
    struct buffer note;
    struct search_stats search_stats; /* when it was closed last */
    struct buffer retained;           /* numbers of bodies, of `retained_account` */
    uint64_t retained_account;
    uint64_t puts, finds, finds_found, losses;
};

static void
forget_store(struct index_role *role)
{
    host_channel_close(&role->store);
    note_ledger_finish(&role->ledger);
    buffer_finish(&role->retained);
}

static void
send(struct index_role *role, bool is_put)
{
    assert(is_put);
    host_channel_send(role->store, buffer_slice(&role->note), HOST_HANDLE_NONE);
    buffer_clear(&role->note);
}

static enum store_index_result
result_of(enum search_result result)
{
    switch (result) {
    case SEARCH_OK:
        return STORE_INDEX_RESULT_OK;
    case SEARCH_LOST:
        return STORE_INDEX_RESULT_LOST;
    case SEARCH_FAILED:
        break;
    }
    return STORE_INDEX_RESULT_FAILED;
}

/* Says so when something went wrong: what the store believes to be in is not. */
static void
settle(struct index_role *role, enum search_result result)
{
    if (result == SEARCH_OK)
        return;
    struct store_index_behind behind = {result_of(result)};
    role->is_behind = true;
    role->losses++;
    log_event(role->start.host, HOST_LEVEL_ERROR, "index_behind", "why",
              slice_of_string(search_result_name(result)));
    if (role->store)
        send(role, store_index_put_behind(&role->note, &role->ledger, &behind));
}

static void
tend_soon(struct index_role *role)
{
    role->is_tending = true;
    host_timer_set(role->tend_timer,
                   instant_after(host_now(role->start.host), duration_ms(TEND_MS)));
}

/* A piece of work, then whoever waits has a turn. */
static void
tend(void *context)
{
    struct index_role *role = context;
    bool is_done = true;

    role->is_tending = false;
    if (!role->index)
        return;
    settle(role, search_index_tend(role->index, &is_done));
    if (!is_done)
        tend_soon(role);
}

static void
commit(void *context)
{
    struct index_role *role = context;

    role->is_commit_due = false;
    if (!role->index)
        return;
    settle(role, search_index_commit(role->index));
    if (!role->is_tending)
        tend_soon(role);
}

static void
commit_soon(struct index_role *role)
{
    if (search_index_pending(role->index) > COMMIT_BYTES_MAX) {
        commit(role);
    } else if (!role->is_commit_due) {
        role->is_commit_due = true;
        host_timer_set(role->commit_timer,
                       instant_after(host_now(role->start.host), duration_ms(COMMIT_MS)));
    }
}

/* SQLite and what it keeps in memory are there while there is something to do. */
static bool
open_index(struct index_role *role)
{
    struct slice data = role->start.config->data_dir;
    char path[PATH_BYTES_MAX];
    struct buffer why;
    bool is_new;

    host_timer_set(role->rest_timer,
                   instant_after(host_now(role->start.host), duration_ms(REST_MS)));
    if (role->index)
        return true;
    snprintf(path, sizeof(path), "%.*s/index", (int)data.len, (const char *)data.at);
    buffer_init(&why, WHY_MAX);
    if (search_index_open(path, &why, &is_new, &role->index) < 0) {
        log_event(role->start.host, HOST_LEVEL_ERROR, "index_not_opened", "why",
                  buffer_slice(&why));
        forget_store(role); /* who searches reads messages instead, until the next start */
    } else if (is_new && role->was_open) {
        settle(role, SEARCH_LOST); /* while it was closed */
    } else if (is_new) {
        log_event(role->start.host, HOST_LEVEL_INFO, "index_new", "folder", slice_of_string(path));
    }
    buffer_finish(&why);
    role->was_open = role->index;
    return role->index;
}

static void
rest(void *context)
{
    struct index_role *role = context;

    if (!role->index)
        return;
    if (role->is_commit_due)
        commit(role);
    if (role->is_tending) {
        host_timer_set(role->rest_timer,
                       instant_after(host_now(role->start.host), duration_ms(REST_MS)));
        return;
    }
    (void)!search_index_stats(role->index, &role->search_stats);
    search_index_close(&role->index);
    arena_finish(&role->note_arena);
    buffer_finish(&role->note);
    host_rest_again(role->start.host);
}

/* ---- feeding --------------------------------------------------------------------------------- */

/* Positions of one account, sent when the page is full. */
struct position_page {
    struct index_role *role;
    uint64_t id;
    size_t count;
    struct store_index_position rows[STORE_INDEX_POSITIONS_ROWS_MAX];
};

static void
send_positions(struct position_page *page)
{
    struct store_index_positions note = {.id = page->id,
                                         .rows = {.at = page->rows, .count = page->count}};

    if (page->count)
        send(page->role, store_index_put_positions(&page->role->note, &page->role->ledger, &note));
    page->count = 0;
}

static void
on_position(void *context, const struct search_position *position)
{
    struct position_page *page = context;

    if (page->count == COUNT_OF(page->rows))
        send_positions(page);
    page->rows[page->count++] = (struct store_index_position){position->mailbox, position->uid};
}

static void
on_ask(struct index_role *role, const struct store_index_ask *note)
{
    struct position_page *page = malloc(sizeof(*page));
    struct store_index_state state = {.id = note->id};

    if (!page)
        abort();
    page->role = role;
    page->id = note->id;
    page->count = 0;
    role->is_behind = false; /* it goes on from what it is told now */
    enum search_result result =
        search_index_positions(role->index, note->account, on_position, page);
    if (result == SEARCH_OK)
        send_positions(page);
    if (result == SEARCH_OK)
        result = search_index_modseq(role->index, note->account, &state.modseq, &state.bodies);
    free(page);
    settle(role, result);
    send(role, store_index_put_state(&role->note, &role->ledger, &state));
}

static void
on_offer(struct index_role *role, const struct store_index_offer *note)
{
    struct store_index_entry *wanted =
        calloc(note->bodies.count ? note->bodies.count : 1, sizeof(*wanted));
    struct store_index_wanted answer = {.id = note->id, .bodies = {.at = wanted}};
    enum search_result result = SEARCH_OK;

    if (!wanted)
        abort();
    for (size_t i = 0; i < note->bodies.count; i++) {
        bool is_there = false;
        if (result == SEARCH_OK)
            result =
                search_index_offer(role->index, note->account, note->bodies.at[i].body, &is_there);
        if (!is_there)
            wanted[answer.bodies.count++] = note->bodies.at[i];
    }
    settle(role, result);
    send(role, store_index_put_wanted(&role->note, &role->ledger, &answer));
    free(wanted);
    commit_soon(role);
}

static enum search_result
put_text(struct index_role *role, const struct store_index_put *note, struct slice text)
{
    role->puts++;
    return search_index_put(role->index, note->account, note->body,
                            slice_first(text, note->head_len), slice_skip(text, note->head_len));
}

static void
on_put(struct index_role *role, const struct store_index_put *note, host_handle handle)
{
    struct store_index_put_done done = {note->id};
    enum search_result result = SEARCH_FAILED;
    struct host_mapping mapping;

    if (handle == HOST_HANDLE_NONE) {
        result = put_text(role, note, note->text);
    } else if (host_blob_map(role->start.host, handle, &mapping) == 0) {
        result = put_text(role, note, mapping.bytes);
        host_blob_unmap(role->start.host, &mapping);
    }
    settle(role, result);
    send(role, store_index_put_put_done(&role->note, &role->ledger, &done));
    commit_soon(role);
}

static void
on_reached(struct index_role *role, const struct store_index_reached *note)
{
    enum search_result result = SEARCH_OK;

    if (role->is_behind)
        return; /* it does not know yet that some of it is lost */
    for (size_t i = 0; i < note->rows.count && result == SEARCH_OK; i++) {
        struct search_position position = {note->rows.at[i].mailbox, note->rows.at[i].uid};
        result = search_index_set_position(role->index, note->account, position);
    }
    if (note->modseq && result == SEARCH_OK)
        result = search_index_set_modseq(role->index, note->account, note->modseq);
    settle(role, result);
    commit_soon(role);
}

static void
on_retain(struct index_role *role, const struct store_index_retain *note)
{
    if (note->account != role->retained_account)
        buffer_clear(&role->retained);
    role->retained_account = note->account;
    for (size_t i = 0; i < note->bodies.count; i++)
        buffer_put(&role->retained,
                   slice_of(&note->bodies.at[i].body, sizeof(note->bodies.at[i].body)));
    if (!note->is_last)
        return;
    if (!buffer_overflowed(&role->retained)) {
        size_t count = buffer_len(&role->retained) / sizeof(uint64_t);
        const void *bodies = buffer_slice(&role->retained).at;
        settle(role, search_index_retain(role->index, note->account, bodies, count));
    }
    role->retained_account = 0;
    buffer_finish(&role->retained);
    commit_soon(role);
}

/* ---- searching ------------------------------------------------------------------------------- */

struct find_page {
    struct index_role *role;
    uint64_t id;
    size_t count, total;
    struct store_index_entry bodies[FIND_PAGE];
};

static void
send_found(struct find_page *page)
{
    struct store_index_found note = {.id = page->id,
                                     .bodies = {.at = page->bodies, .count = page->count}};

    if (page->count)
        send(page->role, store_index_put_found(&page->role->note, &page->role->ledger, &note));
    page->role->finds_found += page->count;
    page->count = 0;
}

static bool
on_found(void *context, uint64_t body)
{
    struct find_page *page = context;

    if (page->count == FIND_PAGE)
        send_found(page);
    page->bodies[page->count++].body = body;
    return ++page->total < FOUND_MAX;
}

static void
on_find(struct index_role *role, const struct store_index_find *note)
{
    struct find_page *page = malloc(sizeof(*page));
    struct store_index_find_done done = {.id = note->id};
    enum search_scope scope =
        note->scope == STORE_INDEX_SCOPE_TEXT ? SEARCH_IN_TEXT : SEARCH_IN_BODY;
    size_t pending = search_index_pending(role->index);
    struct buffer key;

    if (!page)
        abort();
    page->role = role;
    page->id = note->id;
    page->count = page->total = 0;
    role->finds++;
    enum search_result result =
        search_index_position(role->index, note->account, note->mailbox, &done.uid);
    buffer_init(&key, SEARCH_SOUGHT_MAX);
    search_key_put(&key, note->text);
    bool is_too_long = buffer_overflowed(&key);
    if (result == SEARCH_OK && !is_too_long)
        result = search_index_find(role->index, note->account, scope, buffer_slice(&key), on_found,
                                   page);
    buffer_finish(&key);
    if (result == SEARCH_OK)
        send_found(page);
    /* A search that fails takes what was put since the last commit with it. */
    if (result == SEARCH_LOST || (result == SEARCH_FAILED && pending > 0))
        settle(role, result);
    if (result == SEARCH_OK && (is_too_long || page->total >= FOUND_MAX))
        result = SEARCH_FAILED; /* who asks reads for itself */
    done.result = result_of(result);
    free(page);
    send(role, store_index_put_find_done(&role->note, &role->ledger, &done));
}

/* ---- the role -------------------------------------------------------------------------------- */

static void
answer(struct index_role *role, const struct store_index_note *note, host_handle handle)
{
    switch (note->kind) {
    case STORE_INDEX_ASK:
        on_ask(role, &note->as.ask);
        break;
    case STORE_INDEX_OFFER:
        on_offer(role, &note->as.offer);
        break;
    case STORE_INDEX_PUT:
        on_put(role, &note->as.put, handle);
        break;
    case STORE_INDEX_REACHED:
        on_reached(role, &note->as.reached);
        break;
    case STORE_INDEX_RETAIN:
        on_retain(role, &note->as.retain);
        break;
    case STORE_INDEX_FIND:
        on_find(role, &note->as.find);
        break;
    case STORE_INDEX_POSITIONS:
    case STORE_INDEX_STATE:
    case STORE_INDEX_WANTED:
    case STORE_INDEX_PUT_DONE:
    case STORE_INDEX_BEHIND:
    case STORE_INDEX_FOUND:
    case STORE_INDEX_FIND_DONE:
        break; /* ours to say: never taken */
    }
}

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct index_role *role = context;
    struct store_index_note note;

    arena_reset(&role->note_arena);
    if (!store_index_take(bytes, handle, SIDE_STORE, &role->ledger, &role->note_arena, &note)) {
        host_handle_close(role->start.host, handle);
        log_event(role->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("store"));
        forget_store(role);
        return;
    }
    if (open_index(role))
        answer(role, &note, handle);
    host_handle_close(role->start.host, handle);
}

static void
on_closed(void *context)
{
    forget_store(context);
}

static void *
role_open(const struct role_start *start)
{
    struct index_role *role = calloc(1, sizeof(*role));

    if (!role)
        abort();
    role->start = *start;
    arena_init(&role->note_arena, NOTE_ARENA_MAX);
    buffer_init(&role->note, HOST_NOTE_MAX);
    buffer_init(&role->retained, RETAIN_BYTES_MAX);
    return role;
}

static void
role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note, .on_closed = on_closed};
    struct index_role *role = state;

    (void)peer_index;
    if (peer != ROLE_STORE) {
        host_handle_close(role->start.host, handle);
        return;
    }
    forget_store(role);
    role->store = host_channel_open(role->start.host, handle, &handler, role);
    if (!role->is_started)
        host_channel_pause(role->store, true);
}

static bool
role_start(void *state)
{
    struct index_role *role = state;

    role->commit_timer = host_timer_open(role->start.host, commit, role);
    role->rest_timer = host_timer_open(role->start.host, rest, role);
    role->tend_timer = host_timer_open(role->start.host, tend, role);
    role->is_started = true;
    if (role->store)
        host_channel_pause(role->store, false);
    return true;
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
    struct index_role *role = state;
    struct search_stats search = role->search_stats;

    if (role->index)
        (void)!search_index_stats(role->index, &search);
    role_stats_add(stats, "bodies", search.bodies);
    role_stats_add(stats, "segments", search.segments);
    role_stats_add(stats, "file_bytes", search.file_octets);
    role_stats_add(stats, "put", role->puts);
    role_stats_add(stats, "searches", role->finds);
    role_stats_add(stats, "found", role->finds_found);
    role_stats_add(stats, "losses", role->losses);
}

static void
role_stop(void *state)
{
    struct index_role *role = state;

    if (role->index)
        commit(role);
    host_stop(role->start.host);
}

static void
role_close(void *state)
{
    struct index_role *role = state;

    forget_store(role);
    search_index_close(&role->index);
    host_timer_close(&role->commit_timer);
    host_timer_close(&role->rest_timer);
    host_timer_close(&role->tend_timer);
    arena_finish(&role->note_arena);
    buffer_finish(&role->note);
    free(role);
}

const struct role role_index = {
    .kind = ROLE_INDEX,
    .open = role_open,
    .attach = role_attach,
    .start = role_start,
    .reload = role_reload,
    .stats = role_stats,
    .stop = role_stop,
    .close = role_close,
};
