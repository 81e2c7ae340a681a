/* SPDX-License-Identifier: ISC */
/* Turns and headers of segments as octets whose hashes are right: each limit and one past it. */
#include "mailbox/turn.h"
#include "base/hash.h"
#include "mailbox/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct turn_stamp stamp = {3, 4, 5, 0x1234567890, {6, 64}};

/* Places of fields in the header of a turn. */
enum {
    TURN_AT_VERSION = 4,
    TURN_AT_KIND = 6,
    TURN_AT_BODIES = 12,
    TURN_AT_TOTAL = 40,
    TURN_AT_CHANGES = 48,
    TURN_AT_META = 52,
    TURN_AT_HASH = TURN_HEADER_LEN - 8
};

static void
set(uint8_t *bytes, size_t at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[at + i] = (uint8_t)(value >> 8 * i);
}

/* ---- headers of turns ------------------------------------------------------------------------ */

static void
make_header(uint8_t bytes[TURN_HEADER_LEN])
{
    struct turn turn = {.kind = TURN_MOVED};
    struct buffer buffer;

    buffer_init(&buffer, TURN_HEADER_LEN);
    assert_true(turn_put(&turn, &stamp, &buffer));
    assert_int_equal(buffer_len(&buffer), TURN_HEADER_LEN);
    memcpy(bytes, buffer_slice(&buffer).at, TURN_HEADER_LEN);
    buffer_finish(&buffer);
}

static enum turn_reading
take(uint8_t bytes[TURN_HEADER_LEN], struct turn_header *ret_header)
{
    uint64_t seed = stamp.secret ^ (uint64_t)stamp.place.segment << 40 ^ stamp.place.offset;

    set(bytes, TURN_AT_HASH, hash64(slice_of(bytes, TURN_AT_HASH), seed), 8);
    return turn_take_header(slice_of(bytes, TURN_HEADER_LEN), stamp.secret, stamp.place,
                            ret_header);
}

/* What becomes of a header in which one field has another value. */
static enum turn_reading
take_with(size_t at, uint64_t value, size_t len)
{
    uint8_t bytes[TURN_HEADER_LEN];
    struct turn_header header;

    make_header(bytes);
    set(bytes, at, value, len);
    return take(bytes, &header);
}

static void
a_header_says_what_was_put_into_it(void **state)
{
    uint8_t bytes[TURN_HEADER_LEN];
    struct turn_header header;
    (void)state;

    make_header(bytes);
    assert_int_equal(take(bytes, &header), TURN_GOOD);
    assert_int_equal(header.kind, TURN_MOVED);
    assert_int_equal(header.shard, 3);
    assert_int_equal(header.epoch, 4);
    assert_int_equal(header.number, 5);
    assert_int_equal(header.total_len, TURN_HEADER_LEN);
}

static void
a_header_that_is_cut_or_of_something_else_is_bad(void **state)
{
    uint8_t bytes[TURN_HEADER_LEN];
    struct turn_header header;
    (void)state;

    make_header(bytes);
    for (size_t len = 0; len < TURN_HEADER_LEN; len++) {
        uint8_t *part = malloc(len + 1);
        assert_non_null(part);
        memcpy(part, bytes, len);
        assert_int_equal(turn_take_header(slice_of(part, len), stamp.secret, stamp.place, &header),
                         TURN_BAD);
        free(part);
    }
    assert_int_equal(take_with(0, 0x4E525447, 4), TURN_BAD);
}

static void
a_header_of_a_newer_version_is_told_from_a_bad_one(void **state)
{
    (void)state;
    assert_int_equal(take_with(TURN_AT_VERSION, 0, 2), TURN_BAD);
    assert_int_equal(take_with(TURN_AT_VERSION, TURN_VERSION, 2), TURN_GOOD);
    assert_int_equal(take_with(TURN_AT_VERSION, TURN_VERSION + 1, 2), TURN_NEWER);
}

static void
fields_that_cannot_be_true_make_a_header_bad(void **state)
{
    uint8_t bytes[TURN_HEADER_LEN];
    struct turn_header header;
    (void)state;

    assert_int_equal(take_with(TURN_AT_KIND, TURN_ORDINARY, 2), TURN_GOOD);
    assert_int_equal(take_with(TURN_AT_KIND, TURN_MOVED + 1, 2), TURN_BAD);
    assert_int_equal(take_with(TURN_AT_BODIES, TURN_BODIES_MAX, 4), TURN_GOOD);
    assert_int_equal(take_with(TURN_AT_BODIES, TURN_BODIES_MAX + 1, 4), TURN_BAD);
    assert_int_equal(take_with(TURN_AT_TOTAL, TURN_HEADER_LEN - TURN_ALIGN, 8), TURN_BAD);
    assert_int_equal(take_with(TURN_AT_TOTAL, TURN_HEADER_LEN + 1, 8), TURN_BAD);
    assert_int_equal(take_with(TURN_AT_META, TURN_ALIGN, 4), TURN_BAD); /* longer than the turn */
    make_header(bytes);
    set(bytes, TURN_AT_TOTAL, (uint64_t)TURN_HEADER_LEN + TURN_META_MAX + TURN_ALIGN, 8);
    set(bytes, TURN_AT_META, TURN_META_MAX, 4);
    assert_int_equal(take(bytes, &header), TURN_GOOD);
    set(bytes, TURN_AT_META, TURN_META_MAX + 1, 4);
    assert_int_equal(take(bytes, &header), TURN_BAD);
}

/* ---- metas ----------------------------------------------------------------------------------- */

/* A meta with one row; what it says of the lengths. */
static bool
opens_with_row(uint64_t id, uint32_t len, uint32_t record_len)
{
    uint8_t meta[TURN_ROW_LEN] = {0};
    struct turn_header header = {.body_count = 1, .meta_len = sizeof(meta)};
    struct turn_reader reader;
    uint64_t total = TURN_HEADER_LEN + sizeof(meta) + (uint64_t)len + record_len;

    set(meta, 0, id, 8);
    set(meta, 12, len, 4);
    set(meta, 16, record_len, 4);
    header.total_len = (total + TURN_ALIGN - 1) / TURN_ALIGN * TURN_ALIGN;
    return turn_open_meta(slice_of(meta, sizeof(meta)), &header, &reader);
}

static void
rows_are_taken_up_to_their_limits(void **state)
{
    (void)state;
    assert_true(opens_with_row(1, BODY_LEN_MAX, BODY_RECORD_MAX));
    assert_false(opens_with_row(0, 1, 1));
    assert_false(opens_with_row(1, BODY_LEN_MAX + 1, 1));
    assert_false(opens_with_row(1, 1, BODY_RECORD_MAX + 1));
}

/* A meta with one change; the octets that it says and those that are there. */
static bool
opens_with_change(size_t key_len, uint32_t value_len, size_t there)
{
    size_t len = 6 + there;
    uint8_t *meta = calloc(len, 1);
    uint64_t total = TURN_HEADER_LEN + len;
    struct turn_header header = {.change_count = 1, .meta_len = (uint32_t)len};
    struct turn_reader reader;

    assert_non_null(meta);
    set(meta, 0, key_len, 2);
    set(meta, 2, value_len, 4);
    header.total_len = (total + TURN_ALIGN - 1) / TURN_ALIGN * TURN_ALIGN;
    bool is_open = turn_open_meta(slice_of(meta, len), &header, &reader);
    free(meta);
    return is_open;
}

static void
changes_are_taken_up_to_their_limits(void **state)
{
    (void)state;
    assert_true(opens_with_change(1, 0, 1));
    assert_false(opens_with_change(0, 1, 1));
    assert_true(opens_with_change(TURN_KEY_MAX, TURN_VALUE_MAX, TURN_KEY_MAX + TURN_VALUE_MAX));
    assert_false(opens_with_change(TURN_KEY_MAX + 1, 1, TURN_KEY_MAX + 2));
    assert_false(opens_with_change(1, TURN_VALUE_MAX + 1, TURN_VALUE_MAX + 2));
    assert_true(opens_with_change(1, UINT32_MAX, 1)); /* removes */
    assert_false(opens_with_change(1, UINT32_MAX, 2));
    assert_false(opens_with_change(2, 0, 1));
    assert_false(opens_with_change(1, 2, 2));
    assert_false(opens_with_change(1, 1, 1)); /* nothing is left of it */
    assert_false(opens_with_change(1, TURN_VALUE_MAX + 1, 1));
}

static uint64_t
len_with_body(size_t first, size_t second, size_t record)
{
    const uint8_t *nowhere = (const uint8_t *)""; /* lengths alone are looked at */
    struct turn_body body = {.parts = {slice_of(nowhere, first), slice_of(nowhere, second)},
                             .record = slice_of(nowhere, record)};
    struct turn turn = {.bodies = &body, .body_count = 1};

    return turn_len(&turn);
}

static uint64_t
len_with_change(size_t value_len)
{
    struct turn_change change = {
        .is_put = true, .key = SLICE("k"), .value = slice_of((const uint8_t *)"", value_len)};
    struct turn turn = {.changes = &change, .change_count = 1};

    return turn_len(&turn);
}

static void
turns_are_as_long_as_they_may_be_and_no_longer(void **state)
{
    const uint64_t head = TURN_HEADER_LEN + TURN_ROW_LEN;
    struct turn_body *bodies = calloc(TURN_BODIES_MAX + 1, sizeof(*bodies));
    struct turn turn = {.bodies = bodies, .body_count = TURN_BODIES_MAX};
    (void)state;

    assert_non_null(bodies);
    assert_in_range(len_with_body(BODY_LEN_MAX, 0, 0), head + BODY_LEN_MAX,
                    head + BODY_LEN_MAX + TURN_ALIGN - 1);
    assert_int_not_equal(len_with_body(0, BODY_LEN_MAX, BODY_RECORD_MAX), 0);
    assert_int_not_equal(len_with_body(BODY_LEN_MAX - 1, 1, 0), 0);
    assert_int_equal(len_with_body(BODY_LEN_MAX + 1, 0, 0), 0);
    assert_int_equal(len_with_body(0, BODY_LEN_MAX + 1, 0), 0);
    assert_int_equal(len_with_body(BODY_LEN_MAX, 1, 0), 0);
    assert_int_equal(len_with_body(SIZE_MAX, 2, 0), 0); /* their sum is 1 */
    assert_int_equal(len_with_body(2, SIZE_MAX, 0), 0);
    assert_int_equal(len_with_body(0, 0, BODY_RECORD_MAX + 1), 0);
    assert_int_equal(len_with_body(4, 0, 0) % TURN_ALIGN, 0);
    assert_int_equal(len_with_body(4, 0, 0), head + 4); /* 112: nothing is to be filled up */
    assert_int_equal(len_with_change(TURN_META_MAX - 7), TURN_HEADER_LEN + (uint64_t)TURN_META_MAX);
    assert_int_equal(len_with_change(TURN_META_MAX - 6), 0);
    assert_int_equal(turn_len(&turn), TURN_HEADER_LEN + (uint64_t)TURN_BODIES_MAX * TURN_ROW_LEN);
    turn.body_count++;
    assert_int_equal(turn_len(&turn), 0);
    free(bodies);
}

static void
a_meta_is_what_its_header_says_it_is(void **state)
{
    uint8_t meta[TURN_ROW_LEN + 7] = {[0] = 1, [TURN_ROW_LEN] = 1};
    uint64_t total = (TURN_HEADER_LEN + sizeof(meta) + TURN_ALIGN - 1) / TURN_ALIGN * TURN_ALIGN;
    struct turn_header good = {
        .body_count = 1, .change_count = 1, .meta_len = sizeof(meta), .total_len = total};
    struct turn_reader reader;
    struct slice bytes = slice_of(meta, sizeof(meta));
    struct turn_header header = good;
    (void)state;

    assert_true(turn_open_meta(bytes, &header, &reader));
    header.meta_len--;
    assert_false(turn_open_meta(bytes, &header, &reader));
    header = good, header.total_len += TURN_ALIGN;
    assert_false(turn_open_meta(bytes, &header, &reader));
    header = good, header.body_count = 2;
    assert_false(turn_open_meta(bytes, &header, &reader));
    header = good, header.change_count = 0;
    assert_false(turn_open_meta(bytes, &header, &reader));
    header = good, header.change_count = 2;
    assert_false(turn_open_meta(bytes, &header, &reader));
}

/* ---- headers of segments --------------------------------------------------------------------- */

enum { SEGMENT_AT_LEN = 10, SEGMENT_AT_NUMBER = 16, SEGMENT_AT_FIRST = 32 };

/* Whether a header is taken in which one field has another value. */
static bool
takes_segment(uint16_t version, size_t at, uint64_t value, size_t len,
              struct segment_header *ret_header)
{
    struct segment_header header = {.version = version, .number = 9, .epoch = 2, .first_turn = 7};
    uint8_t bytes[SEGMENT_HEADER_LEN];
    struct buffer buffer;

    buffer_init(&buffer, SEGMENT_HEADER_LEN);
    segment_header_put(&buffer, &header);
    memcpy(bytes, buffer_slice(&buffer).at, sizeof(bytes));
    buffer_finish(&buffer);
    set(bytes, at, value, len);
    uint64_t magic = 0x4D47455354434146;
    set(bytes, sizeof(bytes) - 8, hash64(slice_of(bytes, sizeof(bytes) - 8), magic), 8);
    return segment_header_take(slice_of(bytes, sizeof(bytes)), ret_header);
}

static void
the_header_of_a_segment_is_taken_within_its_limits(void **state)
{
    struct segment_header header;
    (void)state;

    assert_true(takes_segment(1, SEGMENT_AT_NUMBER, UINT32_MAX, 8, &header));
    assert_int_equal(header.number, UINT32_MAX);
    assert_int_equal(header.first_turn, 7);
    assert_false(takes_segment(1, SEGMENT_AT_NUMBER, (uint64_t)UINT32_MAX + 1, 8, &header));
    assert_false(takes_segment(1, SEGMENT_AT_NUMBER, 0, 8, &header));
    assert_false(takes_segment(1, SEGMENT_AT_FIRST, 0, 8, &header));
    assert_false(takes_segment(1, SEGMENT_AT_LEN, SEGMENT_HEADER_LEN + 8, 2, &header));
    assert_false(takes_segment(0, SEGMENT_AT_FIRST, 7, 8, &header));
}

static void
the_header_of_a_segment_of_a_newer_version_is_known_as_such(void **state)
{
    struct segment_header header;
    (void)state;

    assert_true(takes_segment(SEGMENT_VERSION + 1, SEGMENT_AT_LEN, 80, 2, &header));
    assert_int_equal(header.version, SEGMENT_VERSION + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_what_was_put_into_it),
        cmocka_unit_test(a_header_that_is_cut_or_of_something_else_is_bad),
        cmocka_unit_test(a_header_of_a_newer_version_is_told_from_a_bad_one),
        cmocka_unit_test(fields_that_cannot_be_true_make_a_header_bad),
        cmocka_unit_test(rows_are_taken_up_to_their_limits),
        cmocka_unit_test(changes_are_taken_up_to_their_limits),
        cmocka_unit_test(turns_are_as_long_as_they_may_be_and_no_longer),
        cmocka_unit_test(a_meta_is_what_its_header_says_it_is),
        cmocka_unit_test(the_header_of_a_segment_is_taken_within_its_limits),
        cmocka_unit_test(the_header_of_a_segment_of_a_newer_version_is_known_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
