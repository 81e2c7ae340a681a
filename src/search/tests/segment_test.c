/* SPDX-License-Identifier: ISC */
#include "search/find.h"
#include "search/gather.h"
#include "search/merge.h"
#include "text/tests/check.h"

#include <stdlib.h>

static bool
read_slice(void *context, uint64_t offset, void *to, size_t len)
{
    const struct slice *all = context;

    if (offset > all->len || len > all->len - offset)
        return false;
    memcpy(to, all->at + offset, len);
    return true;
}

static struct segment_source
source_of(struct slice *all)
{
    return (struct segment_source){read_slice, all, all->len};
}

static void
expect_places(struct segment *segment, uint64_t key, const uint32_t *places, size_t count)
{
    struct segment_cursor cursor;
    size_t at = 0;

    segment_cursor_open(&cursor, segment, key, key + 1);
    while (segment_cursor_entry(&cursor)) {
        assert_int_equal(cursor.key, key);
        for (size_t i = 0; i < cursor.count; i++) {
            assert_true(at < count);
            assert_int_equal(cursor.places[i], places[at++]);
        }
    }
    assert_false(cursor.is_damaged);
    assert_int_equal(at, count);
    segment_cursor_close(&cursor);
}

static void
write_segment(struct segment_writer *writer)
{
    segment_writer_init(writer);
    segment_put_place(writer, 5, 0);
    segment_put_place(writer, 5, 300);
    for (uint32_t i = 0; i < 200000; i++)
        segment_put_place(writer, 7, i * 1000);
    for (uint32_t i = 0; i < 50000; i++)
        segment_put_place(writer, 100 + i, SEGMENT_PLACES_MAX);
    segment_put_body(writer, &(struct segment_body){50, 0, 10, 1000});
    segment_put_body(writer, &(struct segment_body){UINT64_MAX, 2000, 2000, 300000000});
    segment_put_body(writer,
                     &(struct segment_body){3, 300000000, SEGMENT_PLACES_MAX - 1, UINT32_MAX});
    segment_end(writer);
}

static void
places_and_bodies_are_read_as_they_were_written(void **state)
{
    struct segment_writer writer;
    struct segment segment;
    uint32_t *places = calloc(200000, sizeof(*places));

    (void)state;
    assert_non_null(places);
    for (uint32_t i = 0; i < 200000; i++)
        places[i] = i * 1000;
    write_segment(&writer);
    struct slice all = buffer_slice(&writer.out);
    assert_true(segment_open(&segment, source_of(&all)));
    assert_true(segment.block_count > 10);
    expect_places(&segment, 4, NULL, 0);
    expect_places(&segment, 5, (const uint32_t[]){0, 300}, 2);
    expect_places(&segment, 6, NULL, 0);
    expect_places(&segment, 7, places, 200000);
    for (uint64_t key = 100; key < 50100; key += 777)
        expect_places(&segment, key, (const uint32_t[]){SEGMENT_PLACES_MAX}, 1);
    expect_places(&segment, 50100, NULL, 0);
    assert_true(segment_read_bodies(&segment));
    assert_int_equal(segment.body_count, 3);
    assert_int_equal(segment.bodies[0].body, 50);
    assert_true(segment.bodies[1].body == UINT64_MAX);
    assert_int_equal(segment.bodies[1].start, 2000);
    assert_int_equal(segment.bodies[2].body, 3);
    assert_int_equal(segment_body_of(&segment, 0), 0);
    assert_int_equal(segment_body_of(&segment, 999), 0);
    assert_int_equal(segment_body_of(&segment, 1000), 3); /* nobody's */
    assert_int_equal(segment_body_of(&segment, 2000), 1);
    assert_int_equal(segment_body_of(&segment, 299999999), 1);
    assert_int_equal(segment_body_of(&segment, 300000000), 2);
    assert_int_equal(segment_body_of(&segment, SEGMENT_PLACES_MAX), 2);
    segment_close(&segment);
    segment_writer_finish(&writer);
    free(places);
}

/* Distances of each length, short and long by turns: most are told in full. */
static void
places_at_any_distance_are_read(void **state)
{
    struct segment_writer writer;
    struct segment segment;
    uint32_t places[3000], place = 0;
    size_t count = 0;

    (void)state;
    segment_writer_init(&writer);
    for (unsigned shift = 0; shift < 31; shift++) {
        for (unsigned i = 0; i < 100 && place < SEGMENT_PLACES_MAX / 2; i++) {
            places[count++] = place;
            place += i % 7 ? 1 + i % 3 : UINT32_C(1) << shift;
        }
    }
    places[count++] = SEGMENT_PLACES_MAX - 1;
    places[count++] = SEGMENT_PLACES_MAX;
    assert_true(count > 2000);
    for (size_t i = 0; i < count; i++)
        segment_put_place(&writer, 9, places[i]);
    /* as many as an entry has, and one more */
    for (size_t i = 0; i < SEGMENT_CHUNK_PLACES; i++)
        segment_put_place(&writer, 10, places[i]);
    for (size_t i = 0; i <= SEGMENT_CHUNK_PLACES; i++)
        segment_put_place(&writer, 11, places[i]);
    segment_end(&writer);
    struct slice all = buffer_slice(&writer.out);
    assert_true(segment_open(&segment, source_of(&all)));
    expect_places(&segment, 9, places, count);
    expect_places(&segment, 10, places, SEGMENT_CHUNK_PLACES);
    expect_places(&segment, 11, places, SEGMENT_CHUNK_PLACES + 1);
    segment_close(&segment);
    segment_writer_finish(&writer);
}

/* Each octet, one after another, is another one: nobody is told what is wrong. */
static void
damage_is_met(void **state)
{
    struct segment_writer writer;
    struct segment segment;
    struct segment_cursor cursor;

    (void)state;
    segment_writer_init(&writer);
    for (uint32_t i = 0; i < 50; i++)
        segment_put_place(&writer, i, i * 7);
    segment_put_body(&writer, &(struct segment_body){1, 0, 1, 1000});
    segment_end(&writer);
    struct slice all = buffer_slice(&writer.out);
    for (size_t i = 0; i < all.len; i++) {
        uint8_t *octet = (uint8_t *)(uintptr_t)&all.at[i];
        *octet ^= 0x10;
        bool is_good = segment_open(&segment, source_of(&all));
        if (is_good) {
            is_good = segment_read_bodies(&segment);
            segment_cursor_open(&cursor, &segment, 0, UINT64_MAX);
            while (segment_cursor_entry(&cursor))
                continue;
            is_good = is_good && !cursor.is_damaged;
            segment_cursor_close(&cursor);
            segment_close(&segment);
        }
        assert_false(is_good);
        *octet ^= 0x10;
    }
    /* and what is missing */
    struct slice cut = slice_first(all, all.len - 1), none = slice_first(all, 10);
    assert_false(segment_open(&segment, source_of(&cut)));
    assert_false(segment_open(&segment, source_of(&none)));
    segment_writer_finish(&writer);
}

/* ---- finding --------------------------------------------------------------------------------- */

static const char *const texts[] = {
    "THE MEETING IS AT NOON",
    "MEET ME",
    "BANANA BANANA",
    "去中国旅行 ABC",
    "国中AB去",
    "AAAAAAAAAAAAAAAA",
    "",
    "X",
};

/* Which texts are found, "0 2 ". */
static const char *
find_in(struct segment *segment, const char *sought)
{
    static char list[100];
    struct gram_term terms[100];
    uint8_t *hits = NULL;
    size_t len = 0, count = gram_plan(slice_of_string(sought), terms);

    assert_true(find_in_segment(segment, terms, count, true, &hits));
    list[0] = '\0';
    for (size_t i = 0; hits && i < segment->body_count; i++) {
        if (hits[i])
            len += (size_t)snprintf(list + len, sizeof(list) - len, "%zu ", i);
    }
    free(hits);
    return list;
}

static void
expect_found(struct segment *segment)
{
    static const struct {
        const char *sought, *found;
    } cases[] = {
        {"MEET", "0 1 "},
        {"EETIN", "0 "},
        {"MEETING", "0 "},
        {"NANA", "2 "},
        {"ANANAN", ""},
        {"NANA BAN", "2 "},
        {"A", "0 2 3 4 5 "},
        {"AB", "3 4 "},
        {"AAA", "5 "},
        {"AAAA", "5 "},
        {"AAAAAAAAAAAAAAAAA", ""},
        {"国", "3 4 "},
        {"中国", "3 "},
        {"国中A", "4 "},
        {"国中AB", "4 "},
        {"国中ABC", ""},
        {"中AB去", "4 "},
        {"中A去", ""},
        {"行 A", "3 "},
        {"X", "7 "},
        {"Y", ""},
        {"HEAD", ""},
        {"N THE", ""},
        {"ME MEET", ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(find_in(segment, cases[i].sought), cases[i].found);
}

static void
write_texts(struct segment_writer *writer, size_t first, size_t end)
{
    struct gather gather;

    gather_init(&gather);
    assert_true(gather_is_empty(&gather));
    for (size_t i = first; i < end; i++)
        gather_put(&gather, i + 1, SLICE("HEAD"), slice_of_string(texts[i]));
    segment_writer_init(writer);
    gather_write(&gather, writer);
    segment_end(writer);
    gather_clear(&gather);
}

static void
what_is_gathered_is_found(void **state)
{
    struct segment_writer writer;
    struct segment segment;

    (void)state;
    write_texts(&writer, 0, COUNT_OF(texts));
    struct slice all = buffer_slice(&writer.out);
    assert_true(segment_open(&segment, source_of(&all)));
    expect_found(&segment);
    segment_close(&segment);
    segment_writer_finish(&writer);
}

/* In steps as small as can be. */
static void
segments_become_one_without_what_was_removed(void **state)
{
    struct segment_writer writers[COUNT_OF(texts)];
    struct merge_input inputs[COUNT_OF(texts)] = {0};
    struct slice octets[COUNT_OF(texts)];
    struct merge merge;
    struct segment segment;
    uint32_t shift = 0;

    (void)state;
    for (int has_removed = 0; has_removed < 2; has_removed++) {
        memset(inputs, 0, sizeof(inputs));
        shift = 0;
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            write_texts(&writers[i], i, i + 1);
            octets[i] = buffer_slice(&writers[i].out);
            assert_true(segment_open(&inputs[i].segment, source_of(&octets[i])));
            assert_true(segment_read_bodies(&inputs[i].segment));
            inputs[i].shift = shift;
            shift += inputs[i].segment.bodies[0].end + 10;
        }
        if (has_removed) {
            inputs[1].removed = calloc(2, 1);
            assert_non_null(inputs[1].removed);
            inputs[1].removed[0] = 1;
        }
        merge_open(&merge, inputs, COUNT_OF(texts));
        while (!merge.is_done)
            assert_true(merge_step(&merge, buffer_len(&merge.writer.out) + 1));
        struct slice all = buffer_slice(&merge.writer.out);
        assert_true(segment_open(&segment, source_of(&all)));
        if (has_removed)
            assert_string_equal(find_in(&segment, "MEET"), "0 ");
        else
            expect_found(&segment);
        segment_close(&segment);
        merge_close(&merge);
        for (size_t i = 0; i < COUNT_OF(texts); i++)
            segment_writer_finish(&writers[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_and_bodies_are_read_as_they_were_written),
        cmocka_unit_test(places_at_any_distance_are_read),
        cmocka_unit_test(damage_is_met),
        cmocka_unit_test(what_is_gathered_is_found),
        cmocka_unit_test(segments_become_one_without_what_was_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
