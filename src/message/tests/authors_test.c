/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "message/authors.h"

enum { ARENA_MAX = 16 << 20 };

/* The addresses with commas between, "?" for what cannot be read; given in pieces of that size. */
static void
read_in_pieces(struct slice message, size_t piece_len, struct buffer *out)
{
    struct authors authors;
    struct authors_list list;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    authors_begin(&authors);
    for (size_t at = 0; at < message.len; at += piece_len)
        authors_take(&authors, slice_first(slice_skip(message, at), piece_len));
    if (!authors_read(&authors, &arena, &list)) {
        buffer_put_text(out, "?");
        list.count = 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            buffer_put_text(out, ", ");
        buffer_put(out, list.at[i]);
    }
    authors_finish(&authors);
    arena_finish(&arena);
}

static void
assert_read(const char *message, const char *expected)
{
    struct slice text = slice_of_string(message);
    size_t lens[] = {text.len, 1, 3};

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        struct buffer out;
        buffer_init(&out, 1 << 20);
        read_in_pieces(text, lens[i], &out);
        if (!slice_equal(buffer_slice(&out), slice_of_string(expected)))
            fail_msg("%s, by %zu: %.*s", message, lens[i], (int)buffer_len(&out),
                     (const char *)buffer_slice(&out).at);
        buffer_finish(&out);
    }
}

static void
whoever_is_named_is_found(void **state)
{
    (void)state;
    assert_read("From: a@x.fr\r\n\r\n", "a@x.fr");
    assert_read("fRoM : a@x.fr\r\nSENDER:b@x.fr\r\n\r\n", "a@x.fr, b@x.fr");
    assert_read("To: t@x.fr\r\nFrom: Jean\r\n <a@x.fr>\r\n\t, b@x.fr\r\nDate: x\r\n\r\n",
                "a@x.fr, b@x.fr");
    assert_read("From: a@x.fr, A@X.FR\r\nSender: a@x.fr\r\n\r\n", "a@x.fr");
    assert_read("From: Team:a@x.fr,b@x.fr;\r\n\r\n", "a@x.fr, b@x.fr");
    assert_read("From: undisclosed:;\r\n\r\n", "");
    assert_read("From: \"a b\"@x.fr (Jean)\r\n\r\n", "\"a b\"@x.fr");
    assert_read("From: J. Q. Public <a@x.fr>\r\n\r\n", "a@x.fr");
    assert_read("From: \"c@y.fr\" <a@x.fr>\r\n\r\n", "a@x.fr");
    assert_read("From: a@x.fr", "a@x.fr"); /* nothing behind it */
}

static void
what_is_no_author_is_passed_over(void **state)
{
    (void)state;
    assert_read("", "");
    assert_read("To: a@x.fr\r\nX-From: b@x.fr\r\nFrom2: c@x.fr\r\nSenders: d@x.fr\r\n\r\n", "");
    assert_read("Subject: x\r\n From: a@x.fr\r\n\r\nFrom: b@x.fr\r\n", "");
    assert_read("Resent-From: a@x.fr\r\nReply-To: b@x.fr\r\n\r\n", "");
    assert_read("From a@x.fr Sat\r\nFrom b: c@x.fr\r\n\r\n", "");
}

/* Another program may show another one of them. */
static void
all_that_a_reader_may_see_counts(void **state)
{
    (void)state;
    assert_read("From: a@x.fr\r\nFrom: b@x.fr\r\n\r\n", "a@x.fr, b@x.fr");
    assert_read("no field\r\nFrom: a@x.fr\r\n\r\n", "a@x.fr");
    assert_read(" \r\nFrom: a@x.fr\r\n\r\n", "a@x.fr");
    assert_read("From: b@y.fr <a@x.fr>\r\n\r\n", "a@x.fr, b@y.fr");
}

static void
what_may_be_read_in_two_ways_is_not_read(void **state)
{
    static const char *const rows[] = {
        "From:\xff\r\n\r\n",
        "From: jean\r\n\r\n",
        "From: <@x.fr>\r\n\r\n",
        "From: a@b@x.fr\r\n\r\n",
        "From: <a@x.fr\r\n\r\n",
        "From: <a@x.fr> b@y.fr\r\n\r\n",
        "From: <@y.fr:a@x.fr>\r\n\r\n",
        "From: a . b@x.fr\r\n\r\n",
        "From: a@x . fr\r\n\r\n",
        "From: a..b@x.fr\r\n\r\n",
        "From: b@y.fr; a@x.fr\r\n\r\n",
        "From: a@x.fr\nFrom: b@y.fr\r\n\r\n",
        "Subject: x\rFrom: b@y.fr\r\n\r\n",
        "Subject: x\r\n\nFrom: b@y.fr\r\n\r\n",
        "Subject: x\r\n\rFrom: b@y.fr\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_read(rows[i], "?");
}

/* Each who sends it on puts his fields in front. */
static void
who_has_sent_it_on_last_is_found(void **state)
{
    static const struct {
        const char *message, *resender;
    } rows[] = {
        {"From: a@x.fr\r\n\r\n", NULL},
        {"Resent-From: \r\nFrom: a@x.fr\r\n\r\n", NULL},
        {"Resent-From: b@x.fr\r\nresent-from: c@x.fr\r\nFrom: a@x.fr\r\n\r\n", "b@x.fr"},
        {"From: a@x.fr\r\nResent-From : B\r\n <b@x.fr>\r\n\r\nResent-From: c@x.fr\r\n", "b@x.fr"},
    };
    struct authors authors;
    struct authors_list list;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        arena_init(&arena, ARENA_MAX);
        authors_begin(&authors);
        authors_take(&authors, slice_of_string(rows[i].message));
        assert_true(authors_read_resent(&authors, &arena, &list));
        assert_int_equal(list.count, rows[i].resender != NULL);
        if (rows[i].resender)
            assert_true(slice_equal(list.at[0], slice_of_string(rows[i].resender)));
        assert_true(authors_read(&authors, &arena, &list));
        assert_int_equal(list.count, 1);
        assert_true(slice_equal(list.at[0], SLICE("a@x.fr")));
        authors_finish(&authors);
        arena_finish(&arena);
    }
    authors_begin(&authors);
    authors_take(&authors, SLICE("Resent-From: jean\r\nFrom: a@x.fr\r\n\r\n"));
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    assert_false(authors_read_resent(&authors, &arena, &list));
    assert_true(authors_read(&authors, &arena, &list));
    authors_finish(&authors);
    arena_finish(&arena);
}

static void
put_authors(struct buffer *message, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_put_text(message, "From: a");
        buffer_put_decimal(message, i);
        buffer_put_text(message, "@x.fr\r\n");
    }
    buffer_put_text(message, "\r\n");
}

static void
so_many_authors_are_read_and_no_more(void **state)
{
    struct authors authors;
    struct authors_list list;

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        struct arena arena;
        struct buffer message;
        arena_init(&arena, ARENA_MAX);
        buffer_init(&message, 1 << 20);
        put_authors(&message, AUTHORS_MAX + more);
        authors_begin(&authors);
        authors_take(&authors, buffer_slice(&message));
        assert_int_equal(authors_read(&authors, &arena, &list), more == 0);
        authors_finish(&authors);
        buffer_finish(&message);
        arena_finish(&arena);
    }
    assert_int_equal(list.count, AUTHORS_MAX);
}

/* A field whose body has `len` octets in all. */
static bool
reads_long_field(size_t len)
{
    const struct slice address = SLICE("<a@x.fr>");
    struct authors authors;
    struct authors_list list;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    authors_begin(&authors);
    authors_take(&authors, SLICE("From:"));
    for (size_t i = address.len; i < len; i++)
        authors_take(&authors, SLICE("x"));
    authors_take(&authors, address);
    authors_take(&authors, SLICE("\r\n\r\n"));
    bool is_read = authors_read(&authors, &arena, &list);
    authors_finish(&authors);
    arena_finish(&arena);
    return is_read;
}

static void
fields_of_that_length_are_read_and_no_longer_ones(void **state)
{
    (void)state;
    assert_true(reads_long_field(AUTHORS_OCTETS_MAX - 2)); /* and its kind, and what ends it */
    assert_false(reads_long_field(AUTHORS_OCTETS_MAX - 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_named_is_found),
        cmocka_unit_test(what_is_no_author_is_passed_over),
        cmocka_unit_test(all_that_a_reader_may_see_counts),
        cmocka_unit_test(what_may_be_read_in_two_ways_is_not_read),
        cmocka_unit_test(who_has_sent_it_on_last_is_found),
        cmocka_unit_test(so_many_authors_are_read_and_no_more),
        cmocka_unit_test(fields_of_that_length_are_read_and_no_longer_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
