/* SPDX-License-Identifier: ISC */
/* A file that has left one folder of the copy and stands in another was moved there: the server is
 * asked to do the same, which is quicker than to send it anew, and keeps what it knows of it. What
 * cannot be done so is sent and deleted by the other steps. */
#include "base/cursor.h"
#include "sync/run.h"

#include <stdlib.h>

enum { MOVES_AT_ONCE = 100 };

struct move {
    struct run_item *from, *to;
    struct state_entry *entry; /* of `from` */
    struct scan_file *file;    /* of `to` */
    bool is_done;
};

struct moves {
    struct move *at; /* owned; by `from`, `to` and UID */
    size_t count, room;
};

struct lost { /* a pair whose file is not where it was */
    struct run_item *item;
    struct state_entry *entry;
};

/* ---- finding them -------------------------------------------------------------------------- */

static void
collect_lost(struct run *run, struct map *map, struct arena *arena)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        for (size_t k = 0; item->is_open && item->is_there && k < item->state.count; k++) {
            struct state_entry *entry = item->state.entries[k];
            /* What was being deleted there may be marked so: it is sent anew. */
            if (entry->uid == 0 || entry->is_dying || scan_find(&item->scan, entry->file))
                continue;
            struct lost *lost = ARENA_NEW(arena, struct lost);
            if (!lost)
                abort();
            *lost = (struct lost){.item = item, .entry = entry};
            map_set(map, slice_of_string(entry->file), lost);
        }
    }
}

static void
add_move(struct moves *moves, struct move move)
{
    if (moves->count == moves->room) {
        moves->room = moves->room ? moves->room * 2 : 64;
        struct move *at = realloc(moves->at, moves->room * sizeof(*at));
        if (!at)
            abort();
        moves->at = at;
    }
    moves->at[moves->count++] = move;
}

static int
by_folders(const void *left, const void *right)
{
    const struct move *l = left, *r = right;

    if (l->from != r->from)
        return l->from < r->from ? -1 : 1;
    if (l->to != r->to)
        return l->to < r->to ? -1 : 1;
    return l->entry->uid < r->entry->uid ? -1 : l->entry->uid > r->entry->uid;
}

static void
collect_moves(struct run *run, const struct map *lost_files, struct moves *moves)
{
    for (size_t i = 0; i < run->count; i++) {
        struct run_item *item = &run->items[i];
        bool is_place = item->is_open && (item->is_there || item->is_made);
        for (size_t k = 0; is_place && k < item->scan.count; k++) {
            struct scan_file *file = item->scan.files[k];
            struct lost *lost = map_find(lost_files, slice_of_string(file->unique));
            if (!lost || lost->item == item || state_of_file(&item->state, file->unique))
                continue;
            add_move(moves, (struct move){lost->item, item, lost->entry, file, false});
        }
    }
    if (moves->count > 0)
        qsort(moves->at, moves->count, sizeof(*moves->at), by_folders);
}

/* ---- what the server did ------------------------------------------------------------------- */

/* Takes the next UID of a set, "4,7:9"; *range is where a range is at, 0 outside of one. */
static bool
take_uid(struct cursor *set, uint32_t *range, uint32_t *last, uint32_t *ret_uid)
{
    if (*range != 0 && *range < *last) {
        *ret_uid = ++*range;
        return true;
    }
    if (*range != 0 && !cursor_take_byte(set, ','))
        return false;
    if (!cursor_take_u32(set, 1, UINT32_MAX, range))
        return false;
    *last = *range;
    if (cursor_take_byte(set, ':') && !cursor_take_u32(set, *range, UINT32_MAX, last))
        return false;
    *ret_uid = *range;
    return true;
}

struct moving {
    struct run *run;
    struct move *moves;
    size_t count;
};

static void
settle(struct moving *moving, uint32_t old, uint32_t new)
{
    for (size_t i = 0; i < moving->count; i++) {
        struct move *move = &moving->moves[i];
        if (move->is_done || move->entry->uid != old)
            continue;
        (void)state_pair(&move->to->state, new, move->entry->flags, move->file->unique);
        move->is_done = true;
        return;
    }
}

/* "COPYUID 38505 304,319:320 3956:3958" (RFC 4315 §3): both sets are in the same order. */
static void
take_code(struct moving *moving, struct slice code)
{
    struct state *state = &moving->moves[0].to->state;
    struct cursor cursor = cursor_of(code), olds, news;
    uint32_t validity, old, new, old_at = 0, old_last = 0, new_at = 0, new_last = 0;
    struct slice set;

    if (!cursor_take_text_nocase(&cursor, SLICE("COPYUID ")) ||
        !cursor_take_u32(&cursor, 1, UINT32_MAX, &validity) || !cursor_take_byte(&cursor, ' ') ||
        !cursor_take_until(&cursor, ' ', &set) || !cursor_take_byte(&cursor, ' '))
        return;
    olds = cursor_of(set);
    news = cursor_of(cursor_rest(&cursor));
    if (state->validity == 0)
        state_begin(state, validity);
    if (state->validity != validity)
        return;
    while (take_uid(&olds, &old_at, &old_last, &old) && take_uid(&news, &new_at, &new_last, &new))
        settle(moving, old, new);
}

static void
take_notice(void *context, const struct imap_client_event *event)
{
    if (event->kind == IMAP_CLIENT_EVENT_NOTICE) /* RFC 6851 §4.3 */
        take_code(context, event->code);
}

/* ---- moving -------------------------------------------------------------------------------- */

/* As messages that are sent: see state.h. A file that cannot be read is not announced. */
static bool
announce(const struct move *move, struct client_problem *problem)
{
    struct state_sent sent = {.flags = move->entry->flags, .file = move->file->unique};
    struct client_problem unused = {0};
    struct buffer message;
    struct wall received;
    bool is_gone, is_good = true;

    buffer_init(&message, CLIENT_MESSAGE_MAX);
    if (scan_read(&move->to->scan, move->file, &message, &received, &is_gone, &unused)) {
        struct scan_mark mark = scan_mark(buffer_slice(&message));
        sent.size = mark.size;
        sent.header = mark.header;
        is_good = state_sending(&move->to->state, &sent, problem);
    }
    buffer_finish(&message);
    return is_good;
}

/* Some of them, all from one folder to one other. */
static bool
move_some(struct run *run, struct moving *moving, struct client_problem *problem)
{
    struct run_item *from = moving->moves[0].from, *to = moving->moves[0].to;
    bool has_move = client_imap_facts(run->imap).has_move;
    struct imap_client_question question = {.command =
                                                has_move ? IMAP_CLIENT_MOVE : IMAP_CLIENT_COPY,
                                            .mailbox = slice_of_string(to->name)};
    struct run_uids uids = {0};
    bool is_good = true;

    for (size_t i = 0; i < moving->count && is_good; i++) {
        if (moving->moves[i].entry->uid == 0) /* it has gone to another place already */
            continue;
        run_uids_add(&uids, moving->moves[i].entry->uid);
        is_good = announce(&moving->moves[i], problem);
    }
    bool is_asked = is_good && uids.count > 0;
    is_good = is_good && run_ask_of_each(run, &uids, question, take_notice, moving, problem);
    run_uids_finish(&uids);
    if (is_good && is_asked)
        take_code(moving, client_imap_code(run->imap));
    if (!is_good || !state_commit(&to->state, problem))
        return false;
    for (size_t i = 0; i < moving->count; i++) {
        struct move *move = &moving->moves[i];
        if (!move->is_done)
            continue;
        run_tell(run, from, SYNC_MOVED, move->entry->uid, move->file->unique, NULL);
        if (has_move) /* else the other steps find that it has gone from here */
            state_forget(&from->state, move->entry);
    }
    return state_commit(&from->state, problem);
}

static bool
select_source(struct run *run, struct run_item *item, struct client_problem *problem)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_SELECT,
                                            .mailbox = slice_of_string(item->name)};

    if (!client_imap_ask(run->imap, &question, NULL, NULL, problem))
        return false;
    struct imap_client_mailbox mailbox = client_imap_mailbox(run->imap);
    return (!mailbox.is_read_only && mailbox.status.uid_validity == item->state.validity) ||
           client_problem_set(problem, CLIENT_PROBLEM_REFUSED, "nothing can be moved from it");
}

/* All from one folder. */
static bool
move_from(struct run *run, struct move *moves, size_t count)
{
    struct client_problem problem = {0};
    bool is_good = select_source(run, moves[0].from, &problem);

    for (size_t i = 0; i < count && is_good;) {
        struct moving moving = {.run = run, .moves = moves + i};
        while (i < count && moves[i].to == moving.moves[0].to && moving.count < MOVES_AT_ONCE) {
            moving.count++;
            i++;
        }
        is_good = move_some(run, &moving, &problem);
    }
    /* What was not moved is sent and deleted: that is no failure. */
    return is_good || client_imap_is_open(run->imap) ||
           client_problem_set(run->problem, problem.kind, "%s", problem.text);
}

static bool
move_each(struct run *run, struct moves *moves)
{
    bool is_good = true;

    for (size_t i = 0; i < moves->count && is_good;) {
        size_t first = i;
        while (i < moves->count && moves->at[i].from == moves->at[first].from)
            i++;
        is_good = move_from(run, moves->at + first, i - first);
    }
    return is_good;
}

static void
tell_only(struct run *run, struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        struct move *move = &moves->at[i];
        move->entry->is_moved = move->file->is_taken = true;
        run_tell(run, move->from, SYNC_MOVED, move->entry->uid, move->file->unique, NULL);
    }
}

bool
move_all(struct run *run)
{
    struct moves moves = {0};
    struct arena arena;
    struct map lost;
    uint64_t seed;
    bool is_good = true;

    client_random(&seed, sizeof(seed));
    map_init(&lost, seed);
    arena_init(&arena, (size_t)1 << 33);
    collect_lost(run, &lost, &arena);
    if (lost.count > 0)
        collect_moves(run, &lost, &moves);
    if (run->options->is_dry)
        tell_only(run, &moves);
    else
        is_good = move_each(run, &moves);
    free(moves.at);
    map_finish(&lost);
    arena_finish(&arena);
    return is_good;
}
