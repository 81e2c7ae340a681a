/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/address.h"
#include "message/header.h"
#include "tool/sendmail/outgoing.h"

static const struct outgoing_facts facts = {
    .sender = {(const uint8_t *)"root@host.test", 14},
    .full_name = {(const uint8_t *)"Anne R\xc3\xa9my", 10},
    .origin = {(const uint8_t *)"host.test", 9},
};

static void
messages_are_completed(void **state)
{
    static const struct {
        const char *message, *content;
    } cases[] = {
        {"From: a@b.test\nSubject: x\n\nbody\n", "From: a@b.test\nSubject: x\n\r\nbody\n"},
        {"Subject: x\r\n\r\nbody\r\n",
         "Subject: x\r\nFrom: =?iso-8859-1?Q?Anne_R=E9my?= <root@host.test>\r\n\r\nbody\r\n"},
        {"just text\n", "From: =?iso-8859-1?Q?Anne_R=E9my?= <root@host.test>\r\n\r\njust text\n"},
        {"", "From: =?iso-8859-1?Q?Anne_R=E9my?= <root@host.test>\r\n\r\n"},
        {"From: root (Cron Daemon)\nTo: root\n\nx\n",
         "From: Cron Daemon <root@host.test>\r\nTo: root@host.test\r\n\r\nx\n"},
        {"From root@x Sat Jan  1\nFrom: a@b.test\nBcc: secret@c.test,\n more@c.test\n"
         "Return-Path: <x@y>\nResent-Bcc: d@e\n\nx\n",
         "From: a@b.test\n\r\nx\n"},
        {"From: a@b.test\nTo: undisclosed:;\n\n", "From: a@b.test\nTo: undisclosed:;\n\r\n"},
        {"From: a@b.test\nSubject: cut off", "From: a@b.test\nSubject: cut off\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outgoing outgoing;
        outgoing_init(&outgoing, 4096);
        assert_true(outgoing_complete(&outgoing, slice_of_string(cases[i].message), &facts));
        if (!slice_equal(buffer_slice(&outgoing.content), slice_of_string(cases[i].content)))
            fail_msg("case %zu: %.*s", i, (int)buffer_len(&outgoing.content),
                     (const char *)buffer_slice(&outgoing.content).at);
        outgoing_finish(&outgoing);
    }
}

static void
assert_recipients(struct outgoing *outgoing, const char *expected)
{
    struct buffer text;

    buffer_init(&text, 4096);
    for (size_t i = 0; i < outgoing->count; i++) {
        buffer_put(&text, outgoing->recipients[i]);
        buffer_put_byte(&text, ' ');
    }
    if (!slice_equal(buffer_slice(&text), slice_of_string(expected)))
        fail_msg("expected %s, found %.*s", expected, (int)buffer_len(&text),
                 (const char *)buffer_slice(&text).at);
    buffer_finish(&text);
    outgoing_finish(outgoing);
}

static void
recipients_are_found_in_words_and_fields(void **state)
{
    struct outgoing outgoing;
    struct slice bad;

    (void)state;
    outgoing_init(&outgoing, 0);
    assert_true(outgoing_add(&outgoing, SLICE("root"), facts.origin, &bad));
    assert_true(outgoing_add(&outgoing, SLICE("A <a@B.test>, \"b c\"@d.test"), facts.origin, &bad));
    assert_true(outgoing_add(&outgoing, SLICE("a@b.test"), facts.origin, &bad));
    assert_false(outgoing_add(&outgoing, SLICE("good@b.test, <@>"), facts.origin, &bad));
    assert_false(outgoing_add(&outgoing, SLICE(""), facts.origin, &bad));
    assert_recipients(&outgoing, "root@host.test a@b.test \"b c\"@d.test good@b.test ");

    outgoing_init(&outgoing, 0);
    assert_true(
        outgoing_add_from_header(&outgoing,
                                 SLICE("To: g: a@b.test, x;, www-data\nCc: (only a comment)\n"
                                       "Bcc: a@b.test, secret@c.test\nReply-To: no@no.test\n\n"
                                       "To: body@b.test\n"),
                                 facts.origin));
    assert_recipients(&outgoing, "a@b.test x@host.test www-data@host.test secret@c.test ");

    outgoing_init(&outgoing, 0);
    assert_true(outgoing_add_from_header(
        &outgoing,
        SLICE("Resent-To: new@b.test\nResent-From: me@b.test\n"
              "Resent-Date: Sat, 21 Nov 2026 11:00:00 +0000\nTo: old@b.test\n\n"),
        facts.origin));
    assert_recipients(&outgoing, "new@b.test ");
}

/* "To:" with that many names, of which the last is another one; and a body. */
static void
put_crowd(struct buffer *out, size_t count)
{
    buffer_init(out, 1 << 20);
    buffer_put_text(out, "From: a@b.test\nTo: x");
    for (size_t i = 2; i < count; i++)
        buffer_put_text(out, ",\n x");
    buffer_put_text(out, ",\n last\n\nbody\n");
}

/* Nobody is left out of a message that goes to the others. */
static void
a_crowd_is_taken_whole_or_not_at_all(void **state)
{
    struct outgoing outgoing;
    struct buffer message;

    (void)state;
    for (size_t surplus = 0; surplus < 2; surplus++) {
        put_crowd(&message, ADDRESSES_MAX + surplus);
        outgoing_init(&outgoing, 1 << 20);
        bool is_taken = outgoing_add_from_header(&outgoing, buffer_slice(&message), facts.origin);
        assert_int_equal(is_taken, surplus == 0);
        assert_int_equal(outgoing.count, 2 - surplus);
        /* What was not read stays as it was. */
        assert_true(outgoing_complete(&outgoing, buffer_slice(&message), &facts));
        struct slice content = buffer_slice(&outgoing.content);
        assert_true(slice_find(content, SLICE(" last")) < content.len);
        assert_int_equal(slice_find(content, SLICE("last@host.test")) < content.len, surplus == 0);
        assert_true(slice_ends_with(content, SLICE("\r\nbody\n")));
        outgoing_finish(&outgoing);
        buffer_finish(&message);
    }
}

static void
what_does_not_fit_is_not_whole(void **state)
{
    struct slice message = SLICE("From: a\nTo: b\n\nbody\n");
    struct outgoing outgoing;
    struct buffer fields;

    (void)state;
    outgoing_init(&outgoing, 43);
    assert_true(outgoing_complete(&outgoing, message, &facts));
    assert_int_equal(buffer_len(&outgoing.content), 43);
    outgoing_finish(&outgoing);
    outgoing_init(&outgoing, 42);
    assert_false(outgoing_complete(&outgoing, message, &facts));
    outgoing_finish(&outgoing);

    buffer_init(&fields, 1 << 20);
    for (size_t i = 0; i <= HEADER_FIELDS_MAX; i++)
        buffer_put_text(&fields, "To: a\n");
    outgoing_init(&outgoing, 1 << 24);
    assert_false(outgoing_complete(&outgoing, buffer_slice(&fields), &facts));
    assert_false(outgoing_add_from_header(&outgoing, buffer_slice(&fields), facts.origin));
    outgoing_finish(&outgoing);
    buffer_finish(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_completed),
        cmocka_unit_test(recipients_are_found_in_words_and_fields),
        cmocka_unit_test(a_crowd_is_taken_whole_or_not_at_all),
        cmocka_unit_test(what_does_not_fit_is_not_whole),
    };

    return cmocka_run_group_tests_name("tool/sendmail/outgoing", tests, NULL, NULL);
}
