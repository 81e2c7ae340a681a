/* SPDX-License-Identifier: ISC */
#include "mime/partial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ARENA_MAX = 1 << 24, OCTETS_MAX = 1 << 22, PIECES = 4 };

static const char message[] =
    "Received: from a by b\r\nFrom: alice@example.org\r\nSubject: long\r\n one\r\n"
    "Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed;\r\n boundary=x\r\nTo: bob@example.org\r\n\r\n"
    "--x\r\n\r\nfirst\r\n--x\r\nContent-Type: application/x\r\n\r\nsecond\r\n\r\nthird\r\n--x--";

static void
what_is_cut_is_joined_again(void **state)
{
    struct mime_partial partial = {.message = slice_of_string(message),
                                   .id = SLICE("7@example.org")};

    (void)state;
    for (partial.piece_max = 64; partial.piece_max < 300; partial.piece_max++) {
        size_t count = mime_partial_count(&partial);
        struct buffer pieces[PIECES], whole;
        struct mime_tree trees[PIECES];
        const struct mime_tree *order[PIECES];
        struct arena arena;
        assert_in_range(count, 1, PIECES);
        arena_init(&arena, ARENA_MAX);
        buffer_init(&whole, OCTETS_MAX);
        for (size_t i = 0; i < count; i++) {
            struct slice id;
            uint32_t number, total;
            buffer_init(&pieces[i], OCTETS_MAX);
            mime_partial_put(&partial, i + 1, &pieces[i]);
            mime_tree_parse(buffer_slice(&pieces[i]), &arena, &trees[i]);
            assert_true(mime_partial_is_piece(&trees[i], &id, &number, &total));
            assert_true(slice_equal(id, partial.id));
            assert_int_equal(number, i + 1);
            assert_int_equal(total, count);
            order[i] = &trees[i];
        }
        mime_partial_join(order, count, &whole);
        /* The same fields, those of the journey first; the same content. */
        assert_true(slice_starts_with(
            buffer_slice(&whole),
            SLICE("Received: from a by b\r\nFrom: alice@example.org\r\nTo: bob@example.org\r\n"
                  "Subject: long\r\n one\r\nMessage-ID: <1@example.org>\r\n")));
        assert_true(
            slice_ends_with(buffer_slice(&whole), slice_of_string(strstr(message, "\r\n\r\n--x"))));
        for (size_t i = 0; i < count; i++)
            buffer_finish(&pieces[i]);
        buffer_finish(&whole);
        arena_finish(&arena);
    }
}

static void
a_piece_says_which_it_is(void **state)
{
    struct mime_partial partial = {
        .message = slice_of_string(message), .id = SLICE("7@example.org"), .piece_max = 150};
    struct buffer piece;

    (void)state;
    buffer_init(&piece, OCTETS_MAX);
    mime_partial_put(&partial, 2, &piece);
    struct slice text = buffer_slice(&piece);
    assert_true(slice_find(text, SLICE("Subject: long\r\n one (2/")) < text.len);
    assert_true(slice_find(text, SLICE("Message-ID: <2.7@example.org>\r\n")) < text.len);
    assert_true(slice_find(text, SLICE("multipart/mixed")) == text.len);
    buffer_finish(&piece);
}

static void
what_cannot_be_cut_is_told(void **state)
{
    struct mime_partial partial = {
        .message = slice_of_string(message), .id = SLICE("x"), .piece_max = 10};

    (void)state;
    assert_int_equal(mime_partial_count(&partial), 0); /* a line is longer than a piece */
}

static void
pieces_have_a_limit(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct mime_partial partial = {.id = SLICE("x"), .piece_max = 6};
        struct buffer many;
        buffer_init(&many, OCTETS_MAX);
        buffer_put_text(&many, "\r\n12\r\n"); /* both lines are one piece */
        for (size_t i = 1; i < MIME_PARTIAL_PIECES_MAX + more; i++)
            buffer_put_text(&many, "1234\r\n");
        partial.message = buffer_slice(&many);
        assert_int_equal(mime_partial_count(&partial), more ? 0 : MIME_PARTIAL_PIECES_MAX);
        buffer_finish(&many);
    }
}

static void
what_is_no_piece_is_none(void **state)
{
    static const char *const others[] = {
        "Content-Type: text/plain\r\n\r\n",
        "Content-Type: message/partial; number=1; total=2\r\n\r\n",
        "Content-Type: message/partial; id=x; number=0\r\n\r\n",
        "Content-Type: message/partial; id=x; number=99999999999\r\n\r\n",
        "Content-Type: message/partial; id=x; number=1x\r\n\r\n",
    };
    struct mime_tree tree;
    struct arena arena;
    struct slice id;
    uint32_t number, total;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        mime_tree_parse(slice_of_string(others[i]), &arena, &tree);
        assert_false(mime_partial_is_piece(&tree, &id, &number, &total));
    }
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_is_joined_again), cmocka_unit_test(a_piece_says_which_it_is),
        cmocka_unit_test(what_cannot_be_cut_is_told),  cmocka_unit_test(pieces_have_a_limit),
        cmocka_unit_test(what_is_no_piece_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
