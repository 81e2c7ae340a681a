/* SPDX-License-Identifier: ISC */
#include "message/summary.h"
#include "message/thread.h"
#include "text/tests/check.h"

static void
gather(struct arena *arena, struct slice message, struct summary *ret_summary)
{
    struct header header;

    header_parse(arena, message, &header);
    summary_gather(arena, &header, ret_summary);
}

/* RFC 5322 appendix A.2, the reply. */
static void
the_ten_fields_are_gathered(void **state)
{
    struct arena arena;
    struct summary summary;

    (void)state;
    arena_init(&arena, 100000);
    gather(&arena, SLICE(
        "From: Mary Smith <mary@example.net>\r\n"
        "To: John Doe <jdoe@machine.example>\r\n"
        "Reply-To: \"Mary Smith: Personal Account\" <smith@home.example>\r\n"
        "Subject: Re: Saying\r\n Hello\r\n"
        "Date: Fri, 21 Nov 1997 10:01:10 -0600\r\n"
        "Message-ID: <3456@example.net>\r\n"
        "In-Reply-To: <1234@local.machine.example>\r\n"
        "References: <1234@local.machine.example>\r\n"
        "\r\nThis is a reply to your hello.\r\n"), &summary);
    assert_slice(summary.from.first->local, SLICE("mary"));
    assert_slice(summary.to.first->domain, SLICE("machine.example"));
    assert_slice(summary.reply_to.first->name, SLICE("Mary Smith: Personal Account"));
    assert_slice(summary.subject, SLICE("Re: Saying Hello"));
    assert_slice(summary.date_text, SLICE("Fri, 21 Nov 1997 10:01:10 -0600"));
    assert_true(summary.has_date && wall_seconds(summary.date.wall) == 880128070);
    assert_slice(summary.message_id, SLICE("<3456@example.net>"));
    assert_slice(summary.in_reply_to, SLICE("<1234@local.machine.example>"));
    assert_slice(summary.references, SLICE("<1234@local.machine.example>"));
    assert_ptr_equal(summary_sender(&summary), &summary.from);
    assert_ptr_equal(summary_reply_to(&summary), &summary.reply_to);
    assert_true(summary_has(&summary, FIELD_TO) && !summary_has(&summary, FIELD_CC));
    assert_int_equal(summary.repeated, 0);
    arena_finish(&arena);
}

static void
a_message_without_fields_has_an_empty_summary(void **state)
{
    struct arena arena;
    struct summary summary;

    (void)state;
    arena_init(&arena, 100000);
    gather(&arena, SLICE("\r\nbody"), &summary);
    assert_false(summary.has_date || summary.seen || summary.from.count || summary.subject.len);
    gather(&arena, SLICE("Date: never\r\nTo: \r\nSubject:\r\n\r\n"), &summary);
    assert_false(summary.has_date);
    assert_true(summary_has(&summary, FIELD_DATE) && summary_has(&summary, FIELD_TO));
    assert_slice(summary.date_text, SLICE("never"));
    assert_int_equal(summary.to.count, 0);
    arena_finish(&arena);
}

static void
repeated_fields_are_joined_or_the_first_counts(void **state)
{
    struct arena arena;
    struct summary summary;

    (void)state;
    arena_init(&arena, 100000);
    gather(&arena,
           SLICE("To: a@b\r\nSubject: one\r\nTo: c@d, e@f\r\nSubject: two\r\nSender: s@t\r\n"
                 "Sender: u@v\r\nDate: 1 Jan 2001 00:00 +0000\r\nDate: x\r\n\r\n"),
           &summary);
    assert_int_equal(summary.to.count, 3);
    assert_slice(summary.to.first->next->local, SLICE("c"));
    assert_slice(summary.subject, SLICE("one"));
    assert_int_equal(summary.sender.count, 1);
    assert_ptr_equal(summary_sender(&summary), &summary.sender);
    assert_true(summary.has_date);
    uint32_t twice = 1U << (FIELD_TO - FIELD_DATE) | 1U << (FIELD_SUBJECT - FIELD_DATE) |
                     1U << (FIELD_SENDER - FIELD_DATE) | 1U;
    assert_int_equal(summary.repeated, twice);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ten_fields_are_gathered),
        cmocka_unit_test(a_message_without_fields_has_an_empty_summary),
        cmocka_unit_test(repeated_fields_are_joined_or_the_first_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
