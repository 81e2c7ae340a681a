/* SPDX-License-Identifier: ISC */
/* Bodies as the embedded engine reads them: in order, in large pieces; in any order, right. What
 * came from memory is told from what came from the disk by changing the file underneath. */
#include "mailbox/engine.h"
#include "mailbox/tests/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { BODY = 1024, BODIES = 600, RUN = 4, GAP = 16, WINDOW = 128 };

struct bench {
    struct folder *folder;
    struct engine *engine;
    struct place places[BODIES]; /* of the bodies in the first segment */
};

static void
keep_place(void *context, enum engine_result result, struct place place)
{
    assert_int_equal(result, ENGINE_DURABLE);
    *(struct place *)context = place;
}

static bool
pass_over(void *context, const struct log_found *found)
{
    (void)context, (void)found;
    return true;
}

static uint8_t
octet_of(size_t number, size_t at)
{
    return (uint8_t)(number * 7 + at % 251);
}

/* A turn with `count` bodies of `len` octets, the first of which is `number`. */
static struct place
commit(struct bench *bench, uint64_t turn_number, size_t number, size_t count, size_t len)
{
    static struct turn_body bodies[BODIES];
    uint8_t *octets = malloc(count * len);
    struct place place;

    assert_non_null(octets);
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < len; at++)
            octets[i * len + at] = octet_of(number + i, at);
        bodies[i] = (struct turn_body){.id = number + i + 1,
                                       .refs = 1,
                                       .parts = {slice_of(octets + i * len, len), SLICE("")},
                                       .record = SLICE("")};
        bodies[i].hash = turn_body_hash(bodies[i].parts[0], SLICE(""));
        bodies[i].record_hash = turn_body_hash(SLICE(""), SLICE(""));
    }
    struct turn turn = {.bodies = bodies, .body_count = count, .need = TURN_TAKES};
    bench->engine->ops->commit(bench->engine, &turn, turn_number, keep_place, &place);
    place.offset += TURN_HEADER_LEN + count * TURN_ROW_LEN;
    free(octets);
    return place;
}

/* The bodies lie side by side in the first segment, which is full. */
static void
open_bench(struct bench *bench, void **state)
{
    struct buffer why;
    uint64_t epoch;

    bench->folder = *state;
    buffer_init(&why, 1024);
    assert_int_equal(engine_file_open(bench->folder->host, bench->folder->dir, 0, BODIES * BODY,
                                      &why, &bench->engine),
                     0);
    buffer_finish(&why);
    const struct engine_ops *ops = bench->engine->ops;
    assert_int_equal(ops->replay(bench->engine, (struct place){0}, 0, true, pass_over, NULL), 0);
    assert_int_equal(ops->acquire(bench->engine, 0, 0, &epoch), 0);
    struct place place = commit(bench, 1, 0, BODIES, BODY);
    for (size_t i = 0; i < BODIES; i++)
        bench->places[i] = (struct place){place.segment, place.offset + i * BODY};
}

static void
close_bench(struct bench *bench)
{
    bench->engine->ops->close(&bench->engine);
}

struct reading {
    size_t number;
    size_t len;
    int result;
    bool is_right;
};

static void
on_octets(void *context, int result, struct slice bytes)
{
    struct reading *reading = context;

    reading->result = result;
    reading->is_right = result == 0 && bytes.len == reading->len;
    for (size_t i = 0; reading->is_right && i < bytes.len; i++)
        reading->is_right = bytes.at[i] == octet_of(reading->number, i);
}

static bool
reads_at(struct bench *bench, struct place place, size_t number, size_t len)
{
    struct reading reading = {.number = number, .len = len};

    bench->engine->ops->body_read(bench->engine, place, len, on_octets, &reading);
    return reading.is_right;
}

static bool
reads(struct bench *bench, size_t number)
{
    return reads_at(bench, bench->places[number], number, BODY);
}

static void
turn_over(const struct bench *bench, struct place place)
{
    char path[300];
    uint8_t octet;

    snprintf(path, sizeof(path), "%s/log/%08u.seg", bench->folder->path, place.segment);
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &octet, 1, (off_t)place.offset), 1);
    octet ^= 0xFF;
    assert_int_equal(pwrite(file, &octet, 1, (off_t)place.offset), 1);
    assert_int_equal(close(file), 0);
}

/* Reads it; whether the disk was asked. It is right either way. */
static bool
comes_from_disk(struct bench *bench, size_t number)
{
    turn_over(bench, bench->places[number]);
    bool is_right = reads(bench, number);
    turn_over(bench, bench->places[number]);
    return !is_right;
}

static void
bodies_are_right_in_whatever_order_they_are_read(void **state)
{
    struct bench bench;

    open_bench(&bench, state);
    for (size_t i = 0; i < BODIES; i++)
        assert_true(reads(&bench, i));
    for (size_t i = BODIES; i-- > 0;)
        assert_true(reads(&bench, i));
    for (size_t step = 1; step < 40; step += 3) {
        for (size_t i = step; i < BODIES; i += step) {
            assert_true(reads(&bench, i));
            assert_true(reads(&bench, i)); /* once more */
        }
    }
    close_bench(&bench);
}

static void
from_the_fifth_in_order_on_bodies_are_read_ahead(void **state)
{
    struct bench bench;

    open_bench(&bench, state);
    for (size_t i = 0; i <= RUN; i++)
        assert_true(comes_from_disk(&bench, 10 + i));
    for (size_t i = 10 + RUN + 1; i < 10 + RUN + WINDOW; i++)
        assert_false(comes_from_disk(&bench, i));
    assert_true(comes_from_disk(&bench, 10 + RUN + WINDOW)); /* the next piece */
    assert_false(comes_from_disk(&bench, 10 + RUN + WINDOW + 1));
    close_bench(&bench);
}

static void
what_is_passed_over_may_be_as_long_as_the_gap(void **state)
{
    struct bench bench;

    open_bench(&bench, state);
    for (size_t i = 0; i <= RUN; i++)
        assert_true(comes_from_disk(&bench, i * (GAP + 1)));
    size_t next = RUN * (GAP + 1) + GAP + 1;
    assert_false(comes_from_disk(&bench, next));
    next += GAP + 2;
    assert_true(comes_from_disk(&bench, next)); /* too far: the run is over */
    for (size_t i = 1; i <= RUN; i++)
        assert_true(comes_from_disk(&bench, next + i));
    assert_false(comes_from_disk(&bench, next + RUN + 1));
    assert_true(comes_from_disk(&bench, next + RUN)); /* backwards: so it is */
    assert_true(comes_from_disk(&bench, next + RUN + 1));
    close_bench(&bench);
}

/* The other one's octets lie at the same places. */
static void
a_run_in_one_segment_says_nothing_of_another(void **state)
{
    struct bench bench;

    open_bench(&bench, state);
    struct place other = commit(&bench, 2, BODIES, BODIES, BODY);
    assert_int_not_equal(other.segment, bench.places[0].segment);
    for (size_t i = 0; i < 20; i++)
        assert_true(reads(&bench, i));
    for (size_t i = 20; i < 40; i++) {
        struct place place = {other.segment, other.offset + i * BODY};
        assert_true(reads_at(&bench, place, BODIES + i, BODY));
        assert_true(reads(&bench, i));
    }
    for (size_t i = 40; i < 60; i++) {
        struct place place = {other.segment, other.offset + i * BODY};
        assert_true(reads_at(&bench, place, BODIES + i, BODY));
    }
    for (size_t i = 60; i < 80; i++)
        assert_true(reads(&bench, i));
    close_bench(&bench);
}

static void
a_segment_that_went_is_not_read_on(void **state)
{
    struct bench bench;
    struct reading reading = {.len = BODY};

    open_bench(&bench, state);
    (void)commit(&bench, 2, BODIES, 1, BODY);
    for (size_t i = 0; i <= RUN; i++)
        assert_true(reads(&bench, i));
    assert_int_equal(bench.engine->ops->trim(bench.engine, bench.places[0].segment), 0);
    for (size_t i = RUN + 1; i < RUN + WINDOW; i++)
        assert_true(reads(&bench, i)); /* was there when it was read */
    bench.engine->ops->body_read(bench.engine, bench.places[RUN + WINDOW], BODY, on_octets,
                                 &reading);
    assert_int_equal(reading.result, -ENOENT);
    close_bench(&bench);
}

static void
bodies_of_any_length_are_read_in_order_and_none_behind_the_end(void **state)
{
    static const size_t lens[] = {
        1, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 5};
    struct place places[COUNT_OF(lens)];
    struct bench bench;
    struct reading reading = {.len = BODY};

    open_bench(&bench, state);
    for (size_t i = 0; i < COUNT_OF(lens); i++)
        places[i] = commit(&bench, 2 + i, BODIES + i, 1, lens[i]);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < RUN + 1; i++)
            assert_true(reads(&bench, i));
        for (size_t i = 0; i < COUNT_OF(lens); i++)
            assert_true(reads_at(&bench, places[i], BODIES + i, lens[i]));
    }
    /* The last body, in order, and octets that no turn has. */
    for (size_t i = BODIES - RUN - 2; i < BODIES; i++)
        assert_true(reads(&bench, i));
    struct place behind = bench.places[BODIES - 1];
    behind.offset += BODY - 8;
    bench.engine->ops->body_read(bench.engine, behind, BODY, on_octets, &reading);
    assert_int_equal(reading.result, -EIO);
    assert_true(reads_at(&bench, bench.places[3], 3, 0)); /* nothing */
    close_bench(&bench);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_set_up, folder_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(bodies_are_right_in_whatever_order_they_are_read),
        IN_FOLDER(from_the_fifth_in_order_on_bodies_are_read_ahead),
        IN_FOLDER(what_is_passed_over_may_be_as_long_as_the_gap),
        IN_FOLDER(a_run_in_one_segment_says_nothing_of_another),
        IN_FOLDER(a_segment_that_went_is_not_read_on),
        IN_FOLDER(bodies_of_any_length_are_read_in_order_and_none_behind_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
