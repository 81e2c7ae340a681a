/* SPDX-License-Identifier: ISC */
#include "message/header.h"
#include "text/tests/check.h"

/* Case D1 of the courses: all fields, any order, folded. */
static const struct slice message = SLICE(
    "Return-Path: <paul@uvsq.fr>\r\n"
    "Received: from a by b;\r\n Mon, 1 Jan 2001 00:00:00 +0000\r\n"
    "Resent-From: x@y\r\nResent-Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nResent-Bcc: q@r\r\n"
    "Resent-To: z@y\r\nResent-From: v@w\r\nResent-To: u@w\r\n"
    "Subject: a\r\nBcc: secret@x\r\n secret2@x\r\nX-Own: 1\r\nbcc: third@x\r\n"
    "Resent-Cc: old@w\r\n"
    "To: b\r\n\r\nBcc: in the body\r\n");

static void
fields_are_found_by_id_and_by_name(void **state)
{
    struct arena arena;
    struct header header;

    (void)state;
    arena_init(&arena, 100000);
    header_parse(&arena, message, &header);
    assert_int_equal(header.count, 14);
    assert_int_equal(header.defects, 0);
    assert_false(header.is_cut);
    const struct field *bcc = header_find(&header, FIELD_BCC, NULL);
    assert_non_null(bcc);
    assert_slice(bcc->body, SLICE("secret@x\r\n secret2@x"));
    bcc = header_find(&header, FIELD_BCC, bcc);
    assert_non_null(bcc);
    assert_slice(bcc->body, SLICE("third@x"));
    assert_null(header_find(&header, FIELD_BCC, bcc));
    assert_null(header_find(&header, FIELD_SENDER, NULL));
    assert_slice(header_find_name(&header, SLICE("x-own"), NULL)->body, SLICE("1"));
    assert_null(header_find_name(&header, SLICE("x-other"), NULL));
    assert_slice(slice_skip(message, header.body_offset), SLICE("Bcc: in the body\r\n"));
    arena_finish(&arena);
}

static void
blind_copies_are_removed_and_all_else_stays(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 10000);
    header_put_without(&out, message, header_is_blind);
    assert_slice(buffer_slice(&out), SLICE(
        "Return-Path: <paul@uvsq.fr>\r\n"
        "Received: from a by b;\r\n Mon, 1 Jan 2001 00:00:00 +0000\r\n"
        "Resent-From: x@y\r\nResent-Date: Mon, 1 Jan 2001 00:00:00 +0000\r\n"
        "Resent-To: z@y\r\nResent-From: v@w\r\nResent-To: u@w\r\n"
        "Subject: a\r\nX-Own: 1\r\nResent-Cc: old@w\r\nTo: b\r\n"));
    buffer_finish(&out);
}

static void
resent_blocks_are_told_apart(void **state)
{
    struct arena arena;
    struct header header;
    struct header_resent resent, older;

    (void)state;
    arena_init(&arena, 100000);
    header_parse(&arena, message, &header);
    assert_true(header_next_resent(&header, NULL, &resent));
    assert_slice(resent.from->body, SLICE("x@y"));
    assert_slice(resent.to->body, SLICE("z@y"));
    assert_slice(resent.bcc->body, SLICE("q@r"));
    assert_true(resent.is_complete);
    assert_true(header_next_resent(&header, &resent, &older));
    assert_slice(older.from->body, SLICE("v@w"));
    assert_slice(older.to->body, SLICE("u@w"));
    assert_null(older.cc);
    assert_false(older.is_complete);
    assert_true(header_next_resent(&header, &older, &resent));
    assert_slice(resent.cc->body, SLICE("old@w"));
    assert_false(header_next_resent(&header, &resent, &older));
    arena_finish(&arena);
}

static void
headers_are_cut_at_their_limit_and_say_so(void **state)
{
    struct arena arena;
    struct buffer text;
    struct header header;

    (void)state;
    arena_init(&arena, 100000000);
    buffer_init(&text, 1000000);
    for (int i = 0; i < HEADER_FIELDS_MAX; i++)
        buffer_put_text(&text, "X: y\r\n");
    header_parse(&arena, buffer_slice(&text), &header);
    assert_int_equal(header.count, HEADER_FIELDS_MAX);
    assert_false(header.is_cut);
    buffer_put_text(&text, "X: y\r\n\r\nbody");
    header_parse(&arena, buffer_slice(&text), &header);
    assert_int_equal(header.count, HEADER_FIELDS_MAX);
    assert_true(header.is_cut);
    assert_slice(slice_skip(buffer_slice(&text), header.body_offset), SLICE("body"));
    arena_finish(&arena);
    arena_init(&arena, 100);
    header_parse(&arena, buffer_slice(&text), &header);
    assert_int_equal(header.count, 0);
    assert_true(header.is_cut);
    arena_finish(&arena);
    buffer_finish(&text);
}

static void
what_comes_once_is_found_behind_the_limit(void **state)
{
    struct arena arena;
    struct buffer text;
    struct header header;

    (void)state;
    arena_init(&arena, 100000000);
    buffer_init(&text, 1000000);
    buffer_put_text(&text, "Subject: first\r\n");
    for (int i = 1; i < HEADER_FIELDS_MAX; i++)
        buffer_put_text(&text, "X: y\r\n");
    buffer_put_text(&text, "From: a@b\r\nSubject: second\r\nFrom: c@d\r\nX: y\r\n");
    for (int i = FIELD_OTHER + 1; i < FIELD_ID_COUNT; i++) {
        buffer_put(&text, field_name((enum field_id)i));
        buffer_put_text(&text, ": z\r\n");
    }
    header_parse(&arena, buffer_slice(&text), &header);
    assert_true(header.is_cut);
    assert_int_equal(header.count, HEADER_INDEX_MAX - 2); /* X has no id, and Subject came before */
    const struct field *from = header_find(&header, FIELD_FROM, NULL);
    assert_non_null(from);
    assert_slice(from->body, SLICE("a@b"));
    assert_null(header_find(&header, FIELD_FROM, from));
    const struct field *subject = header_find(&header, FIELD_SUBJECT, NULL);
    assert_slice(subject->body, SLICE("first"));
    assert_null(header_find(&header, FIELD_SUBJECT, subject));
    assert_slice(header_find(&header, FIELD_X_SPAM_STATUS, NULL)->body, SLICE("z"));
    arena_finish(&arena);
    buffer_finish(&text);
}

/* The memory behind it may still have those of another message. */
static void
nothing_is_found_behind_the_last_field(void **state)
{
    struct arena arena;
    struct header header;
    struct header_resent resent, older;

    (void)state;
    arena_init(&arena, 100000);
    header_parse(&arena, SLICE("Resent-From: a@b\r\nSubject: x\r\nResent-To: c@d\r\n\r\n"),
                 &header);
    assert_int_equal(header.count, 3);
    arena_reset(&arena);
    header_parse(&arena, SLICE("Resent-From: a@b\r\n\r\n"), &header);
    assert_int_equal(header.count, 1);
    assert_null(header_find(&header, FIELD_SUBJECT, NULL));
    assert_null(header_find_name(&header, SLICE("subject"), NULL));
    arena_reset(&arena);
    header_parse(&arena, SLICE("Resent-From: a@b\r\nResent-To: c@d\r\n\r\n"), &header);
    arena_reset(&arena);
    header_parse(&arena, SLICE("Resent-From: a@b\r\n\r\n"), &header);
    assert_true(header_next_resent(&header, NULL, &resent));
    assert_ptr_equal(resent.last, resent.from);
    assert_null(resent.to);
    assert_false(header_next_resent(&header, &resent, &older));
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_id_and_by_name),
        cmocka_unit_test(blind_copies_are_removed_and_all_else_stays),
        cmocka_unit_test(resent_blocks_are_told_apart),
        cmocka_unit_test(nothing_is_found_behind_the_last_field),
        cmocka_unit_test(headers_are_cut_at_their_limit_and_say_so),
        cmocka_unit_test(what_comes_once_is_found_behind_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
