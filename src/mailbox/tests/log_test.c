/* SPDX-License-Identifier: ISC */
/* The row of segments by itself: many of them, gaps in it, files that are not what their names
 * say. */
#include "mailbox/log.h"
#include "mailbox/tests/folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEGMENTS = LOG_OPEN_MAX + 6, TEXT_LEN = 200 };

static int
try_log(struct folder *folder, uint32_t shard, uint64_t segment_bytes, struct turn_log **ret_log)
{
    struct buffer why;

    buffer_init(&why, 1024);
    int result = turn_log_open(folder->host, folder->dir, shard, segment_bytes, &why, ret_log);
    assert_true(result == 0 || buffer_len(&why) > 0);
    buffer_finish(&why);
    return result;
}

static struct turn_log *
open_log(struct folder *folder)
{
    struct turn_log *log;

    assert_int_equal(try_log(folder, 0, 300, &log), 0);
    return log;
}

/* Appends turn `number`, whose text is its number all over; where the text lies. */
static struct place
append_text(struct turn_log *log, uint64_t number, size_t len)
{
    uint8_t *text = malloc(len);
    struct slice octets = slice_of(text, len);
    struct turn_body body = {.id = number, .refs = 1, .parts = {octets}, .record = SLICE("words")};
    struct turn turn = {.bodies = &body, .body_count = 1, .need = TURN_TAKES};
    struct place place;

    assert_non_null(text);
    memset(text, (int)number, len);
    body.hash = turn_body_hash(body.parts[0], SLICE(""));
    body.record_hash = turn_body_hash(body.record, SLICE(""));
    assert_int_equal(turn_log_append(log, &turn, 1, number, &place), 0);
    place.offset += TURN_HEADER_LEN + TURN_ROW_LEN;
    free(text);
    return place;
}

static struct place
append(struct turn_log *log, uint64_t number)
{
    return append_text(log, number, TEXT_LEN);
}

/* A log with so many segments, of one turn each. */
static struct turn_log *
make_log(struct folder *folder, uint64_t count, struct place *places)
{
    struct turn_log *log = open_log(folder);

    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    for (uint64_t i = 0; i < count; i++)
        places[i] = append(log, i + 1);
    assert_int_equal(turn_log_count(log), count);
    return log;
}

static void
assert_reads(struct turn_log *log, struct place place, uint64_t number)
{
    uint8_t text[TEXT_LEN];

    assert_int_equal(turn_log_read(log, place, text, sizeof(text)), 0);
    for (size_t i = 0; i < sizeof(text); i++)
        assert_int_equal(text[i], number);
}

static void
path_of(const struct folder *folder, const char *name, char path[300])
{
    snprintf(path, 300, "%s/%s", folder->path, name);
}

static void
rename_file(const struct folder *folder, const char *from, const char *to)
{
    char old[300], new[300];

    path_of(folder, from, old);
    path_of(folder, to, new);
    assert_int_equal(rename(old, new), 0);
}

static void
more_segments_than_are_kept_open_are_read(void **state)
{
    static struct place places[SEGMENTS];
    struct turn_log *log = make_log(*state, SEGMENTS, places);

    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < SEGMENTS; i++) {
            assert_reads(log, places[i], i + 1);
            assert_reads(log, places[0], 1); /* used all the time: it stays open */
        }
    }
    turn_log_close(&log);
}

static void
segments_that_go_leave_the_others_where_they_are(void **state)
{
    struct place places[6];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);
    uint8_t octet;

    for (uint64_t i = 0; i < COUNT_OF(places); i++)
        assert_reads(log, places[i], i + 1); /* all are open now */
    assert_int_equal(turn_log_remove(log, 3), 0);
    assert_int_equal(turn_log_remove(log, 3), -ENOENT);
    assert_int_equal(turn_log_remove(log, 1), 0);
    assert_int_equal(turn_log_remove(log, 6), -ENOENT);
    assert_int_equal(turn_log_remove(log, 7), -ENOENT);
    assert_int_equal(turn_log_count(log), 4);
    for (uint64_t i = 0; i < COUNT_OF(places); i++) {
        if (i == 0 || i == 2)
            assert_int_equal(turn_log_read(log, places[i], &octet, 1), -ENOENT);
        else
            assert_reads(log, places[i], i + 1);
    }
    turn_log_close(&log);
    log = open_log(*state);
    assert_int_equal(turn_log_count(log), 4);
    assert_int_equal(turn_log_segment(log, 0)->number, 2);
    assert_int_equal(turn_log_segment(log, 3)->number, 6);
    for (size_t i = 0; i < 4; i++) { /* header and twin stand there: nothing was mended */
        assert_false(turn_log_segment(log, i)->is_mended);
        assert_int_equal(turn_log_segment(log, i)->first_turn, turn_log_segment(log, i)->number);
    }
    turn_log_close(&log);
}

static void
the_end_of_a_sealed_segment_is_cut_off_and_no_others(void **state)
{
    struct place places[3];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);
    uint64_t len = turn_log_find(log, 1)->len;
    struct stat info;
    char path[300];

    assert_int_equal(turn_log_trim_end(log, 3, SEGMENT_HEADER_LEN), -ENOENT);
    assert_int_equal(turn_log_trim_end(log, 4, SEGMENT_HEADER_LEN), -ENOENT);
    assert_int_equal(turn_log_trim_end(log, 0, SEGMENT_HEADER_LEN), -ENOENT);
    assert_int_equal(turn_log_trim_end(log, 2, SEGMENT_HEADER_LEN), 0);
    assert_int_equal(turn_log_find(log, 1)->len, len);
    assert_int_equal(turn_log_find(log, 2)->len, SEGMENT_HEADER_LEN);
    assert_int_equal(turn_log_find(log, 3)->len, len);
    path_of(*state, "00000002.seg", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, SEGMENT_HEADER_LEN);
    assert_reads(log, places[0], 1);
    assert_reads(log, places[2], 3);
    turn_log_close(&log);
}

/* It was copied by hand, perhaps: a turn is good at one place of one segment only. */
static void
a_segment_under_the_name_of_another_is_damaged(void **state)
{
    struct place places[2];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);

    turn_log_close(&log);
    rename_file(*state, "00000002.seg", "00000005.seg");
    rename_file(*state, "00000002.twin", "00000005.twin");
    log = open_log(*state);
    assert_int_equal(turn_log_count(log), 2);
    assert_int_equal(turn_log_find(log, 1)->first_turn, 1);
    assert_int_equal(turn_log_find(log, 5)->first_turn, 0);
    assert_false(turn_log_find(log, 5)->is_unread);
    turn_log_close(&log);
}

static void
an_empty_file_is_damaged_and_not_waited_for(void **state)
{
    struct place places[2];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);
    char path[300];

    turn_log_close(&log);
    path_of(*state, "00000002.seg", path);
    assert_int_equal(truncate(path, 0), 0);
    log = open_log(*state); /* its twin has all that was in it */
    assert_int_equal(turn_log_find(log, 2)->first_turn, 2);
    assert_true(turn_log_find(log, 2)->is_mended);
    turn_log_close(&log);
    assert_int_equal(truncate(path, SEGMENT_HEADER_LEN - 1), 0);
    path_of(*state, "00000002.twin", path);
    assert_int_equal(truncate(path, 0), 0);
    log = open_log(*state);
    assert_int_equal(turn_log_find(log, 2)->first_turn, 0);
    assert_false(turn_log_find(log, 2)->is_unread);
    turn_log_close(&log);
}

static void
a_twin_that_is_missing_or_damaged_is_written_again(void **state)
{
    struct place places[2];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);
    struct stat info;
    char path[300];

    turn_log_close(&log);
    path_of(*state, "00000001.twin", path);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(round == 0 ? unlink(path) : truncate(path, 10), 0);
        log = open_log(*state);
        /* A release that did not write it left none: that is no damage. */
        assert_int_equal(turn_log_find(log, 1)->is_mended, round == 1);
        assert_int_equal(turn_log_find(log, 1)->first_turn, 1);
        assert_false(turn_log_find(log, 2)->is_mended);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, SEGMENT_HEADER_LEN);
        assert_reads(log, places[0], 1);
        turn_log_close(&log);
    }
    log = open_log(*state);
    assert_false(turn_log_find(log, 1)->is_mended);
    turn_log_close(&log);
}

static void
files_of_others_are_passed_over_and_numbers_never_used_again(void **state)
{
    static const char *const names[] = {"00000009.new", "00000008.twin", "note.txt", "7.seg",
                                        "00000004.segment"};
    struct place places[2], place;
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);
    char path[300];

    turn_log_close(&log);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        path_of(*state, names[i], path);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    log = open_log(*state);
    assert_int_equal(turn_log_count(log), 2);
    assert_int_equal(turn_log_cut(log, turn_log_find(log, 2)->len, turn_log_find(log, 2)->len), 0);
    place = append(log, 3);
    assert_int_equal(place.segment, 10); /* 9 was begun once */
    assert_reads(log, place, 3);
    assert_reads(log, places[1], 2);
    turn_log_close(&log);
}

static void
a_log_of_another_shard_is_refused(void **state)
{
    struct place places[2];
    struct turn_log *log = make_log(*state, COUNT_OF(places), places);

    turn_log_close(&log);
    assert_int_equal(try_log(*state, 1, 300, &log), -EINVAL);
    assert_null(log);
    log = open_log(*state);
    turn_log_close(&log);
}

/* ---- walks ----------------------------------------------------------------------------------- */

enum { CHUNK = 1 << 20, TURN_BYTES = (TURN_HEADER_LEN + TURN_ROW_LEN + TEXT_LEN + 5 + 7) / 8 * 8 };

/* A log of three turns in its only segment, closed again. */
static void
make_three(struct folder *folder, size_t second_len)
{
    struct turn_log *log;

    assert_int_equal(try_log(folder, 0, 1 << 30, &log), 0);
    assert_int_equal(turn_log_cut(log, 0, 0), 0);
    (void)append(log, 1);
    (void)append_text(log, 2, second_len);
    (void)append(log, 3);
    turn_log_close(&log);
    char path[300];
    path_of(folder, "00000001.seg", path); /* without what was set aside */
    uint64_t second = (TURN_HEADER_LEN + TURN_ROW_LEN + second_len + 5 + 7) / 8 * 8;
    assert_int_equal(truncate(path, (off_t)(SEGMENT_HEADER_LEN + 2 * TURN_BYTES + second)), 0);
}

/* Writes octets over a segment's, or behind its end. */
static void
write_over(const struct folder *folder, const char *name, uint64_t offset, struct slice octets)
{
    char path[300];

    path_of(folder, name, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fwrite(octets.at, 1, octets.len, file), octets.len);
    assert_int_equal(fclose(file), 0);
}

/* What a walk meets, as words: "1 2 damaged(264,304) 3". */
static const char *
walk_of(struct folder *folder, bool is_thorough)
{
    static char text[500];
    struct turn_log *log = open_log(folder);
    struct log_walk walk;
    struct log_found found;
    size_t len = 0;
    int result;

    text[0] = '\0';
    log_walk_open(&walk, log, (struct place){0, 0}, is_thorough);
    while ((result = log_walk_next(&walk, &found)) > 0) {
        const char *gap = len > 0 ? " " : "";
        if (found.event == LOG_TURN)
            len +=
                (size_t)snprintf(text + len, sizeof(text) - len, "%s%u%s", gap,
                                 (unsigned)found.header.number, found.is_body_damaged ? "!" : "");
        else
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s(%u,%u)", gap,
                                    found.event == LOG_DAMAGED  ? "damaged"
                                    : found.event == LOG_UNREAD ? "unread"
                                    : found.is_blank            ? "blank"
                                                                : "tail",
                                    (unsigned)found.place.offset, (unsigned)found.len);
    }
    assert_int_equal(result, 0);
    log_walk_close(&walk);
    turn_log_close(&log);
    return text;
}

static void
what_lies_behind_the_last_turn_is_blank_or_a_tail(void **state)
{
    static const uint8_t zeros[2 * TURN_HEADER_LEN];
    const uint64_t end = SEGMENT_HEADER_LEN + 3 * TURN_BYTES;
    char wanted[100];

    make_three(*state, TEXT_LEN);
    assert_string_equal(walk_of(*state, false), "1 2 3");
    write_over(*state, "00000001.seg", end, slice_of(zeros, 8));
    snprintf(wanted, sizeof(wanted), "1 2 3 blank(%u,8)", (unsigned)end);
    assert_string_equal(walk_of(*state, false), wanted);
    write_over(*state, "00000001.seg", end, slice_of(zeros, sizeof(zeros)));
    snprintf(wanted, sizeof(wanted), "1 2 3 blank(%u,144)", (unsigned)end);
    assert_string_equal(walk_of(*state, false), wanted);
    write_over(*state, "00000001.seg", end + 136, SLICE("x"));
    snprintf(wanted, sizeof(wanted), "1 2 3 tail(%u,144)", (unsigned)end);
    assert_string_equal(walk_of(*state, false), wanted);
}

/* Headers are looked for in chunks: the next one may lie on their edge, or across it. */
static void
a_turn_behind_damage_is_found_wherever_chunks_end(void **state)
{
    static const int edges[] = {
        -TURN_HEADER_LEN - 8, -TURN_HEADER_LEN, 8 - TURN_HEADER_LEN, -8, 0, 8, TURN_BYTES};
    const uint64_t second = SEGMENT_HEADER_LEN + TURN_BYTES;
    char wanted[100];

    for (size_t i = 0; i < COUNT_OF(edges); i++) {
        struct folder folder;
        folder_open(&folder);
        size_t len = (size_t)(CHUNK + edges[i]);
        make_three(&folder, len - TURN_HEADER_LEN - TURN_ROW_LEN - 5);
        write_over(&folder, "00000001.seg", second + 20, SLICE("?"));
        snprintf(wanted, sizeof(wanted), "1 damaged(%u,%zu) 3", (unsigned)second, len);
        assert_string_equal(walk_of(&folder, false), wanted);
        folder_close(&folder);
    }
    (void)state;
}

static void
bodies_and_their_records_are_looked_at_when_it_is_asked(void **state)
{
    const uint64_t second = SEGMENT_HEADER_LEN + TURN_BYTES;
    const uint64_t text = second + TURN_HEADER_LEN + TURN_ROW_LEN;

    make_three(*state, TEXT_LEN);
    write_over(*state, "00000001.seg", text + TEXT_LEN - 1, SLICE("?"));
    assert_string_equal(walk_of(*state, true), "1 2! 3");
    write_over(*state, "00000001.seg", text + TEXT_LEN - 1, SLICE("\002"));
    assert_string_equal(walk_of(*state, true), "1 2 3");
    write_over(*state, "00000001.seg", text + TEXT_LEN + 4, SLICE("?")); /* its record */
    assert_string_equal(walk_of(*state, true), "1 2! 3");
}

/* Nobody was told that the last turn is durable, until the log was opened once more. */
static void
a_last_turn_whose_body_is_not_whole_is_the_tail(void **state)
{
    const uint64_t third = SEGMENT_HEADER_LEN + 2 * TURN_BYTES;
    char wanted[100];

    make_three(*state, TEXT_LEN);
    write_over(*state, "00000001.seg", third + TURN_HEADER_LEN + TURN_ROW_LEN + 3, SLICE("?"));
    snprintf(wanted, sizeof(wanted), "1 2 tail(%u,%u)", (unsigned)third, (unsigned)TURN_BYTES);
    assert_string_equal(walk_of(*state, false), wanted);
}

static void
the_rest_of_a_turn_that_was_written_again_is_no_damage(void **state)
{
    struct turn_log *log;

    make_three(*state, TEXT_LEN);
    assert_int_equal(try_log(*state, 0, 300, &log), 0); /* its segment is full */
    uint64_t end = turn_log_segment(log, 0)->len;
    assert_int_equal(turn_log_cut(log, end, end), 0);
    (void)append(log, 3); /* the third is void now */
    (void)append(log, 4);
    turn_log_close(&log);
    char path[300];
    path_of(*state, "00000003.seg", path); /* without what was set aside */
    assert_int_equal(truncate(path, SEGMENT_HEADER_LEN + TURN_BYTES), 0);
    assert_string_equal(walk_of(*state, false), "1 2 3 4");
    /* Nothing is missing between the second and the new third. */
    write_over(*state, "00000001.seg", SEGMENT_HEADER_LEN + 2 * TURN_BYTES + 20, SLICE("?"));
    assert_string_equal(walk_of(*state, false), "1 2 3 4");
    /* But the second is. */
    write_over(*state, "00000001.seg", SEGMENT_HEADER_LEN + TURN_BYTES + 20, SLICE("?"));
    char wanted[100];
    snprintf(wanted, sizeof(wanted), "1 damaged(%u,%u) 3 4",
             (unsigned)(SEGMENT_HEADER_LEN + TURN_BYTES), 2 * (unsigned)TURN_BYTES);
    assert_string_equal(walk_of(*state, false), wanted);
}

/* A file system that was repaired may have cut it: what comes next must not be written where the
 * header belongs, which would be mended over it when the log is opened once more. */
static void
a_turn_behind_a_header_that_was_cut_off_stays(void **state)
{
    static const int lens[] = {0, 8, SEGMENT_HEADER_LEN - 1, SEGMENT_HEADER_LEN};
    char path[300];

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        struct folder folder;
        folder_open(&folder);
        make_three(&folder, TEXT_LEN);
        path_of(&folder, "00000001.seg", path);
        assert_int_equal(truncate(path, lens[i]), 0);
        struct turn_log *log;
        assert_int_equal(try_log(&folder, 0, 1 << 30, &log), 0);
        uint64_t end = turn_log_segment(log, 0)->len;
        assert_int_equal(turn_log_cut(log, end, end), 0);
        struct place place = append(log, 4);
        assert_reads(log, place, 4);
        turn_log_close(&log);
        assert_int_equal(truncate(path, SEGMENT_HEADER_LEN + TURN_BYTES), 0);
        assert_string_equal(walk_of(&folder, true), "4");
        folder_close(&folder);
    }
    (void)state;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_set_up, folder_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(more_segments_than_are_kept_open_are_read),
        IN_FOLDER(segments_that_go_leave_the_others_where_they_are),
        IN_FOLDER(the_end_of_a_sealed_segment_is_cut_off_and_no_others),
        IN_FOLDER(a_segment_under_the_name_of_another_is_damaged),
        IN_FOLDER(an_empty_file_is_damaged_and_not_waited_for),
        IN_FOLDER(a_twin_that_is_missing_or_damaged_is_written_again),
        IN_FOLDER(files_of_others_are_passed_over_and_numbers_never_used_again),
        IN_FOLDER(a_log_of_another_shard_is_refused),
        IN_FOLDER(what_lies_behind_the_last_turn_is_blank_or_a_tail),
        IN_FOLDER(a_turn_behind_damage_is_found_wherever_chunks_end),
        IN_FOLDER(bodies_and_their_records_are_looked_at_when_it_is_asked),
        IN_FOLDER(a_last_turn_whose_body_is_not_whole_is_the_tail),
        IN_FOLDER(a_turn_behind_a_header_that_was_cut_off_stays),
        IN_FOLDER(the_rest_of_a_turn_that_was_written_again_is_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
