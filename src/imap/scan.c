/* SPDX-License-Identifier: ISC */
/* Messages of a command, told by the store a batch at a time. A batch is so large that what comes
 * is about BATCH_BYTES; so a session whose client does not read holds little. */
#include "imap/server_private.h"

#include <stdlib.h>

enum {
    BATCH_FIRST = 16,
    BATCH_BYTES = 256 * 1024,
    /* Octets of rows that wait: many of the longest. What comes beyond is asked for again. */
    BATCH_KEPT_MAX = 16 << 20,
    BATCH_ARENA_MAX = BATCH_KEPT_MAX + (4 << 20), /* with the lists of them */
    ROW_BYTES = 48,
    PROGRESS_S = 10, /* between two INPROGRESS */
    /* Who needs more of a message in memory at once waits until no other session of the process
     * does: so large messages take memory once, however many are looking through them. */
    GATHER_FREE = 256 * 1024,
};

static bool step(struct imap_server *server);

static int64_t
now_s(struct imap_server *server)
{
    return wall_seconds(server->options.wall(server->options.wake_context));
}

void
imap_scan_begin(struct imap_server *server, const struct imap_set *places, bool wants_records,
                uint32_t octets_max,
                bool (*take)(struct imap_server *server, const struct imap_row *row),
                void (*end)(struct imap_server *server))
{
    struct imap_scan *scan = calloc(1, sizeof(*scan));

    if (!scan)
        abort();
    scan->places = *places;
    imap_walk_init(&scan->walk, &server->view, &scan->places);
    scan->wants_records = wants_records;
    scan->octets_max = octets_max;
    scan->take = take;
    scan->end = end;
    scan->batch = BATCH_FIRST;
    for (size_t i = 0; i < places->count; i++)
        scan->goal += places->at[i].last - places->at[i].first + 1;
    scan->told_s = now_s(server);
    arena_init(&scan->arena, BATCH_ARENA_MAX);
    buffer_init(&scan->octets, (size_t)UINT32_MAX);
    list_init(&scan->gatherer);
    scan->server = server;
    server->scan = scan;
    server->more = step;
}

static struct list *
gatherers_of(const struct imap_scan *scan)
{
    return &scan->server->options.mailboxes->gatherers;
}

static bool
is_gathering(const struct imap_scan *scan)
{
    return !list_is_empty(&scan->gatherer);
}

static bool
is_first_gatherer(const struct imap_scan *scan)
{
    return gatherers_of(scan)->next == &scan->gatherer;
}

/* Gives the memory back, and lets the next one go on. */
static void
end_gathering(struct imap_scan *scan)
{
    struct list *all = gatherers_of(scan);

    if (!is_gathering(scan))
        return;
    bool was_first = is_first_gatherer(scan);
    list_remove(&scan->gatherer);
    buffer_finish(&scan->octets);
    if (!was_first || list_is_empty(all))
        return;
    struct imap_server *next = LIST_ITEM(all->next, struct imap_scan, gatherer)->server;
    next->options.wake(next->options.wake_context);
}

void
imap_scan_finish(struct imap_server *server)
{
    if (!server->scan)
        return;
    arena_finish(&server->scan->arena);
    end_gathering(server->scan);
    buffer_finish(&server->scan->octets);
    free(server->scan);
    server->scan = NULL;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Finds out where the message stands in the view; false for one that was not asked for. */
static bool
place_row(struct imap_scan *scan, const struct access_store_message *message,
          struct imap_row *ret_row)
{
    while (scan->asked_next < scan->asked_count &&
           scan->asked[scan->asked_next].message.uid < message->uid) {
        scan->is_gone = true;
        scan->asked_next++;
    }
    if (scan->asked_next == scan->asked_count ||
        scan->asked[scan->asked_next].message.uid != message->uid)
        return false;
    *ret_row = scan->asked[scan->asked_next++];
    ret_row->message = *message;
    return true;
}

static void
keep_row(struct imap_scan *scan, const struct imap_row *row)
{
    if (!scan->rows)
        scan->rows = ARENA_ARRAY(&scan->arena, struct imap_row, IMAP_BATCH_MAX);
    if (!scan->rows)
        return;
    struct imap_row *kept = &scan->rows[scan->row_count++];
    *kept = *row;
    scan->kept += row->message.record.len + row->message.octets.len;
    kept->message.record = arena_copy(&scan->arena, row->message.record);
    kept->message.octets = arena_copy(&scan->arena, row->message.octets);
}

static void
on_row(struct imap_server *server, const struct access_store_message *message)
{
    struct imap_scan *scan = server->scan;
    size_t len = message->record.len + message->octets.len;
    struct imap_row row;

    if (scan->is_cut || !place_row(scan, message, &row))
        return;
    if (scan->row_count > 0 && scan->kept + len > BATCH_KEPT_MAX) {
        scan->asked_next--;
        scan->is_cut = true;
        return;
    }
    scan->bytes += ROW_BYTES + len;
    /* One question is open at a time: rows about which the store may be asked again wait. What has
     * come whole is taken where it lies. */
    bool is_whole = scan->octets_max == 0 || message->octets.len == message->len;
    bool is_next = is_whole && scan->row_next == scan->row_count;
    if (!is_next || !imap_has_room(server) || !scan->take(server, &row))
        keep_row(scan, &row);
}

static void
on_rows(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_scan *scan = server->scan;

    if (note->kind == ACCESS_STORE_MESSAGES) {
        for (size_t i = 0; i < note->as.messages.rows.count; i++)
            on_row(server, &note->as.messages.rows.at[i]);
    } else if (note->kind == ACCESS_STORE_MESSAGE_BIG) {
        const struct access_store_message_big *big = &note->as.message_big;
        struct access_store_message message = {
            .uid = big->uid,
            .len = big->len,
            .body = big->body,
            .internal_ns = big->internal_ns,
            .saved_ns = big->saved_ns,
            .record = blob,
            .octets = slice_of("", 0),
        };
        on_row(server, &message);
    } else if (note->kind == ACCESS_STORE_DONE) {
        scan->result = note->as.done.result;
        scan->is_asked = false;
        scan->is_gone =
            scan->is_gone || (!scan->is_cut && scan->asked_next < scan->asked_count);
    }
}

/* ---- octets ---------------------------------------------------------------------------------- */

static void
on_octets(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_scan *scan = server->scan;

    (void)blob;
    if (note->kind == ACCESS_STORE_BYTES) {
        struct slice bytes =
            slice_first(note->as.bytes.bytes,
                        (size_t)(scan->octets_left < SIZE_MAX ? scan->octets_left : SIZE_MAX));
        buffer_put(scan->is_streamed ? &server->output : &scan->octets, bytes);
        scan->octets_left -= bytes.len;
        return;
    }
    scan->is_waiting = false;
    server->on_note = NULL;
    if (note->as.read_done.result == ACCESS_STORE_RESULT_OK && scan->octets_left == 0)
        return;
    scan->is_broken = true;
    scan->broken_by = note->as.read_done.result;
    if (scan->broken_by == ACCESS_STORE_RESULT_OK) /* it has given too little */
        scan->broken_by = ACCESS_STORE_RESULT_DAMAGED;
    if (scan->is_streamed) /* the literal that was begun cannot be ended */
        imap_shut(server, IMAP_CLOSE_ERRORS, "[EXPUNGEISSUED] a message went while it was sent");
}

/* Nothing while others gather. */
static void
ask_in_turn(struct imap_server *server)
{
    struct imap_scan *scan = server->scan;

    if (!scan->is_queued || (is_gathering(scan) && !is_first_gatherer(scan)))
        return;
    scan->is_queued = false;
    server->note.as.read = scan->queued;
    imap_ask(server, ACCESS_STORE_READ, on_octets);
}

void
imap_scan_ask(struct imap_server *server, uint32_t uid, uint64_t offset, uint64_t len,
              enum imap_ask ask)
{
    struct imap_scan *scan = server->scan;

    scan->is_waiting = true;
    scan->is_streamed = ask == IMAP_ASK_STREAM;
    scan->is_broken = false;
    scan->octets_left = len;
    scan->queued = (struct access_store_read){.owner = server->mailbox_owner,
                                              .mailbox = server->mailbox_id,
                                              .uid = uid,
                                              .offset = offset,
                                              .len = len};
    scan->is_queued = true;
    if (!scan->is_streamed)
        buffer_clear(&scan->octets);
    if (ask == IMAP_ASK_WHOLE && len > GATHER_FREE && !is_gathering(scan))
        list_append(gatherers_of(scan), &scan->gatherer);
    ask_in_turn(server);
}

/* ---- batches --------------------------------------------------------------------------------- */

static void
ask_batch(struct imap_server *server)
{
    struct imap_scan *scan = server->scan;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct access_store_uid_range *ranges =
        ARENA_ARRAY(&scan->arena, struct access_store_uid_range, scan->asked_count);
    size_t count = 0;

    assert(ranges);
    for (size_t i = 0; i < scan->asked_count; i++) {
        struct imap_row *row = &scan->asked[i];
        row->message.uid = mailbox->uids[row->place];
        if (count > 0 && scan->asked[i - 1].place + 1 == row->place)
            ranges[count - 1].last = row->message.uid;
        else
            ranges[count++] = (struct access_store_uid_range){row->message.uid, row->message.uid};
    }
    scan->is_asked = true;
    server->note.as.messages_ask = (struct access_store_messages_ask){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .has_records = scan->wants_records,
        .octets_max = scan->octets_max,
        .ranges = {ranges, count},
    };
    imap_ask(server, ACCESS_STORE_MESSAGES_ASK, on_rows);
}

/* RFC 9585: who waits long hears how far it is. */
static void
tell_progress(struct imap_server *server)
{
    struct imap_scan *scan = server->scan;
    struct slice tag = slice_of(server->tag, server->tag_len);
    struct buffer *out = &server->output;
    int64_t now = now_s(server);

    if (scan->done == 0 || scan->done >= scan->goal || now < scan->told_s + PROGRESS_S)
        return;
    scan->told_s = now;
    buffer_put_text(out, "* OK [INPROGRESS (");
    if (slice_find_byte(tag, ']') < tag.len)
        buffer_put_text(out, "NIL");
    else
        imap_put_string(out, tag);
    imap_put_number(out, " ", scan->done, "");
    imap_put_number(out, " ", scan->goal, ")] it takes its time\r\n");
}

static void
next_batch(struct imap_server *server)
{
    struct imap_scan *scan = server->scan;
    size_t ended = scan->is_cut ? scan->asked_next : scan->asked_count;

    scan->done += (uint32_t)ended;
    tell_progress(server);
    if (scan->is_cut)
        scan->batch = ended > 1 ? ended / 2 : 1;
    else if (scan->bytes < BATCH_BYTES / 2 && scan->batch < IMAP_BATCH_MAX)
        scan->batch *= 2;
    else if (scan->bytes > BATCH_BYTES && scan->batch > 1)
        scan->batch /= 2;
    arena_reset(&scan->arena);
    scan->rows = NULL;
    scan->row_count = scan->row_next = scan->asked_next = scan->bytes = scan->kept = 0;
    scan->is_cut = false;
    scan->found -= ended;
    memmove(scan->asked, scan->asked + ended, scan->found * sizeof(*scan->asked));
    while (scan->found < scan->batch &&
           imap_walk_next(&scan->walk, &scan->asked[scan->found].place,
                          &scan->asked[scan->found].number))
        scan->found++;
    scan->asked_count = scan->found < scan->batch ? scan->found : scan->batch;
    if (scan->asked_count > 0) {
        ask_batch(server);
        return;
    }
    server->more = NULL; /* the end may ask the store: it comes once */
    scan->end(server);
}

static bool
step(struct imap_server *server)
{
    struct imap_scan *scan = server->scan;

    ask_in_turn(server);
    if (scan->is_waiting || (scan->is_asked && scan->octets_max > 0))
        return false;
    if (scan->row_next < scan->row_count) {
        if (scan->take(server, &scan->rows[scan->row_next])) {
            end_gathering(scan);
            scan->row_next++;
        }
        return !scan->is_waiting;
    }
    if (scan->is_asked)
        return false;
    if (scan->result != ACCESS_STORE_RESULT_OK || arena_failed(&scan->arena)) {
        imap_end_result(
            server,
            scan->result != ACCESS_STORE_RESULT_OK ? scan->result : ACCESS_STORE_RESULT_LIMIT, "");
        return true;
    }
    next_batch(server);
    return true;
}

/* ---- sets ------------------------------------------------------------------------------------ */

bool
imap_take_places(struct imap_server *server, struct cursor *cursor, struct imap_set *ret_places,
                 bool *ret_is_outside)
{
    const struct imap_view *view = &server->view;
    struct imap_set set;

    if (cursor_take_byte(cursor, '$')) { /* RFC 5182 */
        set = server->saved;
        return imap_view_places(view, &set, true, &server->arena, ret_places, NULL);
    }
    if (imap_over(server, imap_set_is_over(cursor), IMAP_SET_LIMIT) ||
        !imap_take_set(cursor, &server->arena, &set))
        return false;
    uint32_t star = imap_view_count(view);
    if (server->is_uid && star > 0)
        star = view->mailbox->uids[imap_view_place_of_number(view, star)];
    return imap_set_resolve(&set, star, &server->arena) &&
           imap_view_places(view, &set, server->is_uid, &server->arena, ret_places, ret_is_outside);
}

struct access_store_uid_range_list
imap_uid_ranges(struct imap_server *server, const struct imap_set *places, size_t max,
                bool *ret_is_all)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct access_store_uid_range *ranges =
        ARENA_ARRAY(&server->arena, struct access_store_uid_range, places->count + 1);

    *ret_is_all = ranges && places->count <= max;
    if (!*ret_is_all)
        return (struct access_store_uid_range_list){NULL, 0};
    for (size_t i = 0; i < places->count; i++)
        ranges[i] = (struct access_store_uid_range){mailbox->uids[places->at[i].first],
                                                    mailbox->uids[places->at[i].last]};
    return (struct access_store_uid_range_list){ranges, places->count};
}
