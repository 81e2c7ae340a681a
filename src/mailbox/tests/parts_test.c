/* SPDX-License-Identifier: ISC */
/* The parts of the store by themselves: log, engine, view, draft, keys, entries, places. */
#include "mailbox/tests/folder.h"
#include "mailbox/check.h"
#include "mailbox/entry.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/place.h"
#include "mailbox/reclaim.h"
#include "mailbox/segment.h"
#include "mailbox/tests/tree.h"
#include "mailbox/turn.h"
#include "mailbox/view.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct turn
one_body(struct turn_body *body, struct slice text, enum turn_need need)
{
    *body = (struct turn_body){
        .id = 1, .refs = 1, .parts = {text, slice_of("", 0)}, .record = slice_of("", 0)};
    body->hash = turn_body_hash(text, slice_of("", 0));
    body->record_hash = turn_body_hash(slice_of("", 0), slice_of("", 0));
    return (struct turn){.bodies = body, .body_count = 1, .need = need};
}

static struct turn_log *
open_log(struct folder *folder, uint64_t segment_bytes)
{
    struct turn_log *log;
    struct buffer why;

    buffer_init(&why, 1024);
    assert_int_equal(turn_log_open(folder->host, folder->dir, 0, segment_bytes, &why, &log), 0);
    buffer_finish(&why);
    return log;
}

static void
a_log_goes_to_a_new_segment_when_one_is_full(void **state)
{
    struct folder *folder = *state;
    struct turn_log *log = open_log(folder, 300);
    struct log_walk walk;
    struct log_found found;
    struct turn_body body;
    struct place place;
    uint8_t text[200] = {1};

    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    struct turn turn = one_body(&body, slice_of(text, sizeof(text)), TURN_TAKES);
    for (uint64_t number = 1; number <= 3; number++)
        assert_int_equal(turn_log_append(log, &turn, 1, number, &place), 0);
    assert_int_equal(turn_log_count(log), 3);
    assert_int_equal(turn_log_segment(log, 2)->first_turn, 3);
    assert_int_equal(place.segment, 3);
    uint64_t number = 0;
    log_walk_open(&walk, log, (struct place){0, 0}, true);
    while (log_walk_next(&walk, &found) > 0) {
        assert_int_equal(found.event, LOG_TURN);
        assert_int_equal(found.header.number, ++number);
        assert_false(found.is_body_damaged);
    }
    assert_int_equal(number, 3);
    log_walk_close(&walk);
    assert_int_equal(turn_log_remove(log, 3), -ENOENT); /* the last stays */
    assert_int_equal(turn_log_remove(log, 1), 0);
    assert_null(turn_log_find(log, 1));
    assert_int_equal(turn_log_read(log, (struct place){1, 64}, text, 1), -ENOENT);
    assert_int_equal(turn_log_read(log, (struct place){2, 1 << 20}, text, 1), -EIO);
    turn_log_close(&log);
}

static void
a_turn_over_its_bounds_is_refused(void **state)
{
    struct folder *folder = *state;
    struct turn_log *log = open_log(folder, 0);
    struct turn_body body;
    struct place place;
    static const uint8_t octet;

    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    struct turn turn = one_body(&body, slice_of(&octet, 1), TURN_TAKES);
    body.parts[0].len = (size_t)BODY_LEN_MAX + 1; /* never looked at */
    assert_int_equal(turn_log_append(log, &turn, 1, 1, &place), -EMSGSIZE);
    body.parts[0].len = BODY_LEN_MAX;
    assert_true(turn_len(&turn) > BODY_LEN_MAX);
    body.record = slice_of(&octet, BODY_RECORD_MAX + 1);
    assert_int_equal(turn_len(&turn), 0);
    assert_int_equal(turn_log_count(log), 0);
    turn_log_close(&log);
}

static void
the_image_of_a_turn_in_a_body_is_just_a_body(void **state)
{
    struct folder *folder = *state;
    struct turn_log *log = open_log(folder, 0);
    struct turn_stamp stamp = {0, 1, 2, 0, {1, SEGMENT_HEADER_LEN}};
    struct turn_body body, inner;
    struct buffer image;
    struct place place;
    struct log_walk walk;
    struct log_found found;
    int turns = 0;

    /* A stranger does not know the secret of the segment. */
    struct turn forged = one_body(&inner, SLICE("forged"), TURN_TAKES);
    buffer_init(&image, 4096);
    assert_true(turn_put(&forged, &stamp, &image));
    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    struct turn turn = one_body(&body, buffer_slice(&image), TURN_TAKES);
    assert_int_equal(turn_log_append(log, &turn, 1, 1, &place), 0);
    log_walk_open(&walk, log, (struct place){1, SEGMENT_HEADER_LEN + TURN_ALIGN}, false);
    while (log_walk_next(&walk, &found) > 0)
        turns += found.event == LOG_TURN;
    assert_int_equal(turns, 0);
    log_walk_close(&walk);
    buffer_finish(&image);
    turn_log_close(&log);
}

static void
segment_names_are_read_back(void **state)
{
    char name[SEGMENT_NAME_SIZE];
    uint32_t number;
    bool is_new;
    (void)state;

    segment_name(4000000000u, true, name);
    assert_true(segment_name_parse(slice_of_string(name), &number, &is_new));
    assert_true(number == 4000000000u && is_new);
    assert_false(segment_name_parse(SLICE("1.seg"), &number, &is_new));
    assert_false(segment_name_parse(SLICE("00000000.seg"), &number, &is_new));
    assert_false(segment_name_parse(SLICE("00000001.bad"), &number, &is_new));
}

static void
places_and_keys_keep_their_order(void **state)
{
    (void)state;
    assert_true(place_is_before((struct place){1, 9}, (struct place){2, 0}));
    assert_false(place_is_before((struct place){2, 0}, (struct place){2, 0}));
    struct key low = key_message(5, 1, 255), high = key_message(5, 1, 256);
    assert_true(slice_compare(key_slice(&low), key_slice(&high)) < 0);
    struct key next = key_account(6);
    assert_true(slice_compare(key_slice(&high), key_slice(&next)) < 0);
    struct key_parts parts;
    assert_true(key_parse(key_slice(&high), &parts));
    assert_int_equal(parts.item, 256);
    assert_false(key_parse(slice_first(key_slice(&high), high.len - 1u), &parts));
}

static void
entries_of_a_newer_version_are_not_taken(void **state)
{
    struct message_entry message = {.body = 1, .len = 2};
    struct meta_entry meta = {.version = VIEW_VERSION + 1};
    struct buffer buffer;
    (void)state;

    buffer_init(&buffer, 1024);
    message_entry_put(&buffer, &message);
    assert_true(message_entry_take(buffer_slice(&buffer), &message));
    buffer.at[buffer.start]++;
    assert_false(message_entry_take(buffer_slice(&buffer), &message));
    buffer_clear(&buffer);
    meta_entry_put(&buffer, &meta);
    assert_true(meta_entry_take(buffer_slice(&buffer), &meta)); /* so that it can be named */
    buffer_finish(&buffer);
}

static void
a_draft_hides_the_view_until_it_is_cleared(void **state)
{
    struct folder *folder = *state;
    struct view *view;
    struct draft draft;
    struct slice value;

    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    assert_int_equal(view_put(view, SLICE("a"), SLICE("old")), 0);
    draft_init(&draft, view, 1);
    assert_false(draft_has(&draft, SLICE("a")));
    for (uint32_t i = 0; i < 5000; i++)
        draft_put(&draft, slice_of(&i, sizeof(i)), slice_of(&i, sizeof(i)));
    draft_put(&draft, SLICE("a"), SLICE("newer"));
    assert_int_equal(draft_get(&draft, SLICE("a"), &value), 0);
    assert_true(slice_equal(value, SLICE("newer")));
    draft_del(&draft, SLICE("a"));
    assert_int_equal(draft_get(&draft, SLICE("a"), &value), -ENOENT);
    assert_int_equal(draft.count, 5001);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(draft_get(&draft, slice_of(&i, sizeof(i)), &value), 0);
        assert_true(slice_equal(value, slice_of(&i, sizeof(i))));
    }
    draft_clear(&draft);
    assert_int_equal(draft_get(&draft, SLICE("a"), &value), 0);
    assert_true(slice_equal(value, SLICE("old")));
    draft_finish(&draft);
    view_close(&view);
}

static void
a_view_keeps_what_was_committed(void **state)
{
    struct folder *folder = *state;
    struct view_snapshot *snapshot;
    struct view_scan scan;
    struct view *view;
    struct slice key, value;
    int seen = 0;

    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    assert_int_equal(view_put(view, SLICE("b1"), SLICE("1")), 0);
    assert_int_equal(view_put(view, SLICE("b2"), SLICE("2")), 0);
    assert_int_equal(view_put(view, SLICE("c"), SLICE("3")), 0);
    assert_int_equal(view_commit(view), 0);
    assert_int_equal(view_del(view, SLICE("b1")), 0);
    assert_int_equal(view_del(view, SLICE("none")), 0);
    assert_int_equal(view_snapshot_open(view, &snapshot), 0);
    assert_int_equal(view_scan_open(view, snapshot, SLICE("b"), SLICE("b"), &scan), 0);
    while (view_scan_next(&scan, &key, &value))
        seen++;
    view_scan_close(&scan);
    assert_int_equal(seen, 2);
    view_snapshot_close(&snapshot);
    assert_int_equal(view_get(view, SLICE("b1"), &value), -ENOENT);
    assert_int_equal(view_rollback(view), 0);
    assert_int_equal(view_get(view, SLICE("b1"), &value), 0);
    view_close(&view);
    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    assert_int_equal(view_get(view, SLICE("c"), &value), 0);
    view_close(&view);
}

enum { ROWS = 4000, ROW_BYTES = 700 };

/* What a view has asked for of its map. */
struct wanted {
    struct slice last;
    size_t count, bytes;
};

static void
note_wanted(void *context, struct slice map)
{
    struct wanted *wanted = context;

    wanted->last = map;
    wanted->count++;
    wanted->bytes += map.len;
}

static struct slice
get_row(struct view *view, unsigned row)
{
    struct slice value;
    char key[16];

    snprintf(key, sizeof(key), "r%06u", row);
    assert_int_equal(view_get(view, slice_of_string(key), &value), 0);
    assert_int_equal(value.len, ROW_BYTES);
    return value;
}

static void
fill_rows(struct view *view)
{
    uint8_t row[ROW_BYTES] = {0};
    char key[16];

    for (unsigned i = 0; i < ROWS; i++) {
        snprintf(key, sizeof(key), "r%06u", i);
        assert_int_equal(view_put(view, slice_of_string(key), slice_of(row, sizeof(row))), 0);
    }
    assert_int_equal(view_commit(view), 0);
}

static void
what_is_read_in_a_row_is_asked_for_ahead(void **state)
{
    struct folder *folder = *state;
    struct wanted wanted = {0};
    struct slice key, value;
    struct view_scan scan;
    struct view *view;

    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    fill_rows(view);
    view_set_map(view, NULL, note_wanted, &wanted);
    for (unsigned i = 0; i < ROWS; i++) {
        value = get_row(view, i);
        assert_true(i < 32 || value.at < wanted.last.at + wanted.last.len);
    }
    assert_in_range(wanted.count, 4, 20);
    assert_in_range(wanted.bytes, ROWS * ROW_BYTES, 2 * ROWS * ROW_BYTES);
    wanted = (struct wanted){0};
    assert_int_equal(view_scan_open(view, NULL, SLICE("r"), SLICE("r"), &scan), 0);
    for (unsigned i = 0; view_scan_next(&scan, &key, &value); i++)
        assert_true(i < 32 || value.at < wanted.last.at + wanted.last.len);
    view_scan_close(&scan);
    assert_in_range(wanted.count, 4, 20);
    view_close(&view);
}

static void
what_is_read_here_and_there_is_not(void **state)
{
    struct folder *folder = *state;
    struct wanted wanted = {0};
    struct view *view;

    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    fill_rows(view);
    view_set_map(view, NULL, note_wanted, &wanted);
    for (unsigned i = ROWS; i > 0; i--)
        get_row(view, i - 1);
    for (unsigned i = 0; i < ROWS; i++)
        get_row(view, i * 1009 % ROWS);
    for (unsigned i = 0; i < 100; i++) /* two pages and no more */
        get_row(view, i % 8);
    assert_int_equal(wanted.count, 0);
    view_close(&view);
}

/* So many changes that there is something to give back. */
static void
change_much(struct view *view, unsigned first, unsigned count)
{
    char key[16];

    for (unsigned i = first; i < first + count; i++) {
        snprintf(key, sizeof(key), "k%06u", i);
        assert_int_equal(view_put(view, slice_of_string(key), slice_of_string(key)), 0);
    }
    assert_int_equal(view_commit(view), 0);
}

static void
a_view_that_rests_has_all_that_was_committed(void **state)
{
    struct folder *folder = *state;
    struct view_snapshot *snapshot;
    struct view *view;
    struct slice value;

    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    change_much(view, 0, 5000);
    assert_int_equal(view_rest(view), 0);
    assert_int_equal(view_get(view, SLICE("k000000"), &value), 0);
    assert_true(slice_equal(value, SLICE("k000000")));
    assert_int_equal(view_get(view, SLICE("k004999"), &value), 0);
    /* While somebody reads it, it stays as it is. */
    change_much(view, 5000, 5000);
    assert_int_equal(view_snapshot_open(view, &snapshot), 0);
    assert_int_equal(view_rest(view), 0);
    assert_int_equal(view_snapshot_get(snapshot, SLICE("k009999"), &value), 0);
    view_snapshot_close(&snapshot);
    assert_int_equal(view_rest(view), 0);
    change_much(view, 10000, 10);
    assert_int_equal(view_rest(view), 0);
    view_close(&view);
    assert_int_equal(view_open(folder->path, 1 << 24, &view), 0);
    assert_int_equal(view_get(view, SLICE("k010009"), &value), 0);
    assert_true(slice_equal(value, SLICE("k010009")));
    view_close(&view);
}

/* The folder is gone: it says so, and answers nothing more. */
static void
a_view_that_cannot_be_opened_again_is_damaged(void **state)
{
    struct folder *folder = *state;
    char path[300], other[300];
    struct view *view;
    struct slice value;

    snprintf(path, sizeof(path), "%s/view", folder->path);
    snprintf(other, sizeof(other), "%s/elsewhere", folder->path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(view_open(path, 1 << 24, &view), 0);
    change_much(view, 0, 1000);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(view_rest(view), -ENOENT);
    assert_true(view_is_damaged(view));
    assert_int_equal(view_get(view, SLICE("k000000"), &value), -EBADMSG);
    assert_int_equal(view_put(view, SLICE("k000000"), SLICE("")), -EBADMSG);
    assert_int_equal(view_commit(view), -EBADMSG);
    view_close(&view);
}

#if !HAS_ADDRESS_SANITIZER
/* Puts until that fails, while the process may have only a little more memory than it has. */
static int
put_until_it_fails(struct view *view)
{
    struct rlimit limit, little;
    char key[16];
    int result = 0;
    uint64_t pages;

    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%" SCNu64, &pages), 1);
    fclose(file);
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    little = limit;
    little.rlim_cur = pages * (uint64_t)sysconf(_SC_PAGESIZE) + (2 << 20);
    assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
    for (unsigned i = 0; result == 0 && i < 1000000; i++) {
        snprintf(key, sizeof(key), "m%06u", i);
        result = view_put(view, slice_of_string(key), SLICE("some text that fills pages sooner"));
    }
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    return result;
}

/* That is no damage: as soon as there is memory, all goes on. */
static void
a_view_that_gets_no_memory_is_not_damaged(void **state)
{
    struct folder *folder = *state;
    struct view *view;
    struct slice value;

    assert_int_equal(view_open(folder->path, 1 << 28, &view), 0);
    change_much(view, 0, 1000);
    assert_int_equal(put_until_it_fails(view), -ENOMEM);
    assert_false(view_is_damaged(view));
    assert_int_equal(view_rollback(view), 0);
    assert_int_equal(view_get(view, SLICE("m000000"), &value), -ENOENT);
    assert_int_equal(view_get(view, SLICE("k000999"), &value), 0);
    change_much(view, 1000, 1000);
    assert_int_equal(view_get(view, SLICE("k001999"), &value), 0);
    view_close(&view);
}
#endif

/* The address space ends before the map does: it is said, and the view stays as it is. */
static void
a_view_for_which_there_is_no_room_is_not_put_aside(void **state)
{
    struct folder *folder = *state;
    struct host_file_info info;
    struct store *store = NULL;
    struct buffer why;

    folder_open_store(folder);
    assert_true(folder_deliver(folder, 7, "Subject: x\r\n\r\nbody\r\n") > 0);
    store_close(&folder->store);
    buffer_init(&why, 1024);
    folder->options.map_bytes = (uint64_t)1 << 47;
    assert_int_equal(store_open(&folder->options, &why, &store), -ENOMEM);
    buffer_put_byte(&why, 0);
    assert_non_null(strstr((const char *)why.at, "no room in memory for the map"));
    buffer_finish(&why);
    assert_int_equal(host_dir_find(folder->dir, "view.damaged", &info), -ENOENT);
    assert_int_equal(host_dir_find(folder->dir, "view.trial", &info), -ENOENT);
    folder->options.map_bytes = 0;
    folder_open_store(folder);
    struct store_stats stats;
    store_stats_get(folder->store, &stats);
    assert_int_equal(stats.replayed, 0);
    assert_null(strstr(folder->reports, "damaged"));
    store_close(&folder->store);
}

static void
an_engine_raises_its_epoch(void **state)
{
    struct folder *folder = *state;
    struct engine *engine;
    struct buffer why;
    uint64_t epoch = 0;

    buffer_init(&why, 1024);
    assert_int_equal(engine_file_open(folder->host, folder->dir, 0, 0, &why, &engine), 0);
    assert_int_equal(engine->ops->acquire(engine, 4, 9, &epoch), 0);
    assert_int_equal(epoch, 5);
    engine->ops->close(&engine);
    buffer_finish(&why);
}

static void
keep_idle(void *context, enum store_result result, bool is_idle)
{
    *(bool *)context = result == STORE_OK && is_idle;
}

static void
young_segments_are_not_reclaimed(void **state)
{
    struct folder *folder = *state;
    bool is_idle = false;

    folder->options.segment_bytes = 100;
    folder->options.retain = duration_s(3600);
    folder_open_store(folder);
    for (int i = 0; i < 3; i++)
        folder_deliver(folder, 7, "a message");
    store_sync_view(folder->store);
    struct reclaim *reclaim = reclaim_open(folder->store);
    reclaim_step(reclaim, keep_idle, &is_idle);
    assert_true(is_idle);
    reclaim_close(&reclaim);
}

static body_id
body_of(struct folder *folder, uint32_t uid, mailbox_id *ret_inbox)
{
    struct message_entry entry;

    assert_int_equal(mailbox_find(folder->store, 7, SLICE("INBOX"), ret_inbox), STORE_OK);
    assert_int_equal(mailbox_message_get(folder->store, 7, *ret_inbox, uid, &entry), STORE_OK);
    return entry.body;
}

static void
keep_reading(void *context, enum store_result result, struct slice bytes)
{
    *(enum store_result *)context = result;
    if (result == STORE_OK)
        assert_true(slice_equal(bytes, SLICE("message")));
}

static enum store_result
read_piece(struct folder *folder, body_id body)
{
    enum store_result result;

    mailbox_body_read(folder->store, body, 2, 7, keep_reading, &result);
    return result;
}

/* Until nothing is left to reclaim; how many segments are left. */
static uint64_t
reclaim_all(struct folder *folder)
{
    struct reclaim *reclaim = reclaim_open(folder->store);
    struct store_stats stats;
    bool is_idle = false;

    store_sync_view(folder->store);
    for (unsigned step = 0; step < 100 && !is_idle; step++) {
        store_prepare(folder->store);
        reclaim_step(reclaim, keep_idle, &is_idle);
        store_sync_view(folder->store);
    }
    assert_true(is_idle);
    reclaim_close(&reclaim);
    store_stats_get(folder->store, &stats);
    return stats.segments;
}

static void
zeros_go_ahead_once_for_many_turns(void **state)
{
    struct folder *folder = *state;
    unsigned prepared = 0;

    folder_open_store(folder);
    for (unsigned turn = 0; turn < 2000; turn++) {
        assert_int_equal(folder_deliver(folder, 7, "a message"), turn + 1);
        prepared += store_is_unprepared(folder->store);
        store_prepare(folder->store);
        assert_false(store_is_unprepared(folder->store));
    }
    assert_in_range(prepared, 2, 20); /* a turn has some 300 octets, and a step is 256 KiB */
}

static void
a_body_that_is_held_is_read_to_its_end(void **state)
{
    struct folder *folder = *state;
    uint32_t uids[] = {1, 2, 3, 4};
    char text[3000] = "a message"; /* each fills most of a segment */
    mailbox_id inbox;
    body_id bodies[4];
    size_t gone;

    memset(text + 9, '.', sizeof(text) - 10);
    folder->options.segment_bytes = 4096;
    folder_open_store(folder);
    for (int i = 0; i < 4; i++)
        assert_int_equal(folder_deliver(folder, 7, text), i + 1);
    for (int i = 0; i < 4; i++)
        bodies[i] = body_of(folder, uids[i], &inbox);
    mailbox_body_hold(folder->store, bodies[0]);
    mailbox_body_hold(folder->store, bodies[0]);
    mailbox_body_hold(folder->store, bodies[2]);
    assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, uids, 3, &gone), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(read_piece(folder, bodies[0]), STORE_OK);
        assert_int_equal(read_piece(folder, bodies[1]), STORE_NOT_FOUND);
        assert_int_equal(read_piece(folder, bodies[2]), STORE_OK);
        assert_int_equal(read_piece(folder, bodies[3]), STORE_OK);
        (void)reclaim_all(folder);
    }
    uint64_t with_both = reclaim_all(folder);
    mailbox_body_release(folder->store, bodies[0]);
    assert_int_equal(read_piece(folder, bodies[0]), STORE_OK); /* one of two holds */
    mailbox_body_release(folder->store, bodies[0]);
    assert_int_equal(read_piece(folder, bodies[0]), STORE_NOT_FOUND);
    uint64_t with_one = reclaim_all(folder);
    assert_true(with_one < with_both);
    mailbox_body_release(folder->store, bodies[2]);
    assert_true(reclaim_all(folder) < with_one);
    assert_int_equal(read_piece(folder, bodies[3]), STORE_OK);
}

static void
ignore_finding(void *context, struct slice text)
{
    (void)context, (void)text;
}

/* Changes an octet of the only body there is, and lets check find it. */
static void
damage_and_mark(struct folder *folder)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/log/00000001.seg", folder->path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    for (unsigned dots = 0; dots < 100;) /* so many stand in a row in the body only */
        dots = fgetc(file) == '.' ? dots + 1 : 0;
    assert_int_equal(fseek(file, 0, SEEK_CUR), 0);
    assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fclose(file), 0);
    struct check *check = check_open(folder->store, ignore_finding, NULL);
    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    assert_true(store_has_pending(folder->store)); /* the mark, in the segment of the body */
    assert_int_equal(folder_commit(folder), STORE_OK);
}

static void
a_body_that_is_damaged_stays_so_when_its_segment_goes_and_the_view_is_lost(void **state)
{
    struct folder *folder = *state;
    char text[3000] = "a message", path[300];
    uint32_t uid = 2;
    mailbox_id inbox;
    size_t gone;

    memset(text + 9, '.', sizeof(text) - 10);
    folder->options.segment_bytes = 4096;
    folder_open_store(folder);
    assert_int_equal(folder_deliver(folder, 7, text), 1);
    damage_and_mark(folder);
    for (uint32_t i = 2; i <= 4; i++)
        assert_int_equal(folder_deliver(folder, 7, text), i);
    body_id body = body_of(folder, 1, &inbox);
    assert_int_equal(mailbox_message_expunge(folder->store, 7, inbox, &uid, 1, &gone), STORE_OK);
    assert_int_equal(folder_commit(folder), STORE_OK);
    (void)reclaim_all(folder);
    snprintf(path, sizeof(path), "%s/log/00000001.seg", folder->path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(read_piece(folder, body), STORE_DAMAGED);
    store_close(&folder->store);
    snprintf(path, sizeof(path), "%s/view", folder->path);
    tree_remove(path);
    folder_open_store(folder);
    assert_int_equal(read_piece(folder, body), STORE_DAMAGED);
    assert_int_equal(read_piece(folder, body_of(folder, 4, &inbox)), STORE_OK);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_set_up, folder_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_log_goes_to_a_new_segment_when_one_is_full),
        IN_FOLDER(a_turn_over_its_bounds_is_refused),
        IN_FOLDER(the_image_of_a_turn_in_a_body_is_just_a_body),
        IN_FOLDER(segment_names_are_read_back),
        IN_FOLDER(places_and_keys_keep_their_order),
        IN_FOLDER(entries_of_a_newer_version_are_not_taken),
        IN_FOLDER(a_draft_hides_the_view_until_it_is_cleared),
        IN_FOLDER(a_view_keeps_what_was_committed),
        IN_FOLDER(what_is_read_in_a_row_is_asked_for_ahead),
        IN_FOLDER(what_is_read_here_and_there_is_not),
        IN_FOLDER(a_view_that_rests_has_all_that_was_committed),
        IN_FOLDER(a_view_that_cannot_be_opened_again_is_damaged),
#if !HAS_ADDRESS_SANITIZER
        IN_FOLDER(a_view_that_gets_no_memory_is_not_damaged),
#endif
        IN_FOLDER(a_view_for_which_there_is_no_room_is_not_put_aside),
        IN_FOLDER(an_engine_raises_its_epoch),
        IN_FOLDER(young_segments_are_not_reclaimed),
        IN_FOLDER(zeros_go_ahead_once_for_many_turns),
        IN_FOLDER(a_body_that_is_held_is_read_to_its_end),
        IN_FOLDER(a_body_that_is_damaged_stays_so_when_its_segment_goes_and_the_view_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
