/* SPDX-License-Identifier: ISC */
#include "client/invitation.h"
#include "client/notice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ARENA_MAX = 1 << 20, OCTETS_MAX = 1 << 20 };

static void
assert_told(const char *message, const char *wanted)
{
    struct mime_tree tree;
    struct buffer out;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    buffer_init(&out, OCTETS_MAX);
    mime_tree_parse(slice_of_string(message), &arena, &tree);
    notice_put(&tree, &out);
    buffer_put_byte(&out, '\0');
    assert_string_equal((const char *)buffer_slice(&out).at, wanted);
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
a_letter_tells_nothing_besides(void **state)
{
    (void)state;
    assert_told("Subject: x\r\n\r\nAction: failed\r\n", "");
}

#define REPORT(type, fields)                                                                       \
    "Content-Type: multipart/report; boundary=b\r\n\r\n"                                           \
    "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"                                            \
    "--b\r\nContent-Type: message/" type "\r\n\r\n" fields "\r\n"                                  \
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"                                             \
    "Subject: =?utf-8?q?D=C3=AEner?=\r\nDate: Fri, 27 Nov 2026 10:00:00 +0100\r\n"                 \
    "--b--\r\n"
#define ABOUT "About:    your message \"Dîner\" of Fri, 27 Nov 2026 10:00:00 +0100\n"

static void
a_report_of_delivery_is_told_in_plain_words(void **state)
{
    (void)state;
    assert_told(
        REPORT(
            "delivery-status",
            "Reporting-MTA: dns; mx.example.org\r\n\r\n"
            "Original-Recipient: rfc822;bob@example.org\r\n"
            "Final-Recipient: rfc822; robert@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            "Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 no\x1b such user\r\n\r\n"
            "Final-Recipient: rfc822;eve@example.org\r\nAction: delayed\r\nStatus: 4.4.1\r\n"
            "Will-Retry-Until: Sat, 28 Nov 2026 10:00:00 +0100\r\n\r\n"
            "Final-Recipient: rfc822;carl@example.org\r\nAction: delivered\r\nStatus: 2.0.0\r\n"),
        "Report:   NOT delivered to robert@example.net (you wrote to bob@example.org): there is no "
        "such mailbox: 550 no  such user (said by mx.example.net)\n"
        "Report:   not delivered yet to eve@example.org, and tried again until Sat, 28 Nov 2026 "
        "10:00:00 +0100: no answer from the server (4.4.1)\n"
        "Report:   delivered to carl@example.org\n" ABOUT);
}

static void
recipients_of_a_report_have_a_limit(void **state)
{
    struct mime_tree tree;
    struct buffer message, out;
    struct arena arena;

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        arena_init(&arena, ARENA_MAX);
        buffer_init(&out, OCTETS_MAX);
        buffer_init(&message, OCTETS_MAX);
        buffer_put_text(&message, "Content-Type: message/delivery-status\r\n\r\n");
        for (size_t i = 0; i < NOTICE_RECIPIENTS_MAX + more; i++)
            buffer_put_text(&message, "Final-Recipient: rfc822;a@b\r\nAction: failed\r\n\r\n");
        mime_tree_parse(buffer_slice(&message), &arena, &tree);
        notice_put(&tree, &out);
        size_t lines = 0;
        for (size_t i = 0; i < buffer_len(&out); i++)
            lines += buffer_slice(&out).at[i] == '\n';
        assert_int_equal(lines, NOTICE_RECIPIENTS_MAX + more);
        assert_int_equal(slice_ends_with(buffer_slice(&out), SLICE("and 1 more\n")), more);
        buffer_finish(&message);
        buffer_finish(&out);
        arena_finish(&arena);
    }
}

static void
a_receipt_says_no_more_than_it_means(void **state)
{
    (void)state;
    assert_told(REPORT("disposition-notification",
                       "Final-Recipient: rfc822;bob@example.org\r\nOriginal-Message-ID: <1@b>\r\n"
                       "Disposition: manual-action/MDN-sent-manually; displayed\r\n"),
                "Receipt:  it was shown to bob@example.org; whether it was read, nobody "
                "knows\n" ABOUT);
    assert_told(REPORT("disposition-notification",
                       "Final-Recipient: rfc822;bob@example.org\r\n"
                       "Disposition: automatic-action/MDN-sent-automatically; deleted/error\r\n"),
                "Receipt:  it was deleted without having been shown, by bob@example.org\n" ABOUT);
}

static void
who_asks_for_a_receipt_is_told(void **state)
{
    (void)state;
    assert_told("Disposition-Notification-To: =?utf-8?q?Zo=C3=A9?= <zoe@example.org>\r\n\r\nx\r\n",
                "Asks:     for a receipt, to be sent to Zoé <zoe@example.org>\n");
}

static void
what_lies_elsewhere_is_told_and_not_fetched(void **state)
{
    (void)state;
    assert_told("Content-Type: message/external-body; access-type=URL;\r\n"
                " URL=\"https://example.org/a.pdf\"\r\n\r\nContent-Type: application/pdf\r\n\r\n",
                "Absent:   part 1 (application/pdf) is not in the message, but to be had by URL "
                "https://example.org/a.pdf; it was not fetched\n");
    assert_told("Content-Type: message/external-body; access-type=anon-ftp; name=a.ps;\r\n"
                " site=example.org; directory=pub; size=1234; expiration=\"Fri, 14 Jun 2030\"\r\n"
                "\r\nContent-Type: application/postscript; name=b.ps\r\n\r\n",
                "Absent:   part 1 (b.ps, application/postscript, 1234 octets) is not in the "
                "message, but to be had by anon-ftp example.org pub a.ps, until Fri, 14 Jun 2030; "
                "it was not fetched\n");
    assert_told("Content-Type: message/partial; id=\"x@y\"; number=2; total=3\r\n\r\nx\r\n",
                "Piece:    this is piece 2 of 3 of a message that was cut; with all of them, "
                "'facteur mime join' makes it whole\n");
}

static const char invitation[] =
    "Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n"
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    "BEGIN:VEVENT\r\nUID:42@example.org\r\nSEQUENCE:1\r\nSUMMARY:D\xC3\xAEner\\, chez\r\n"
    "  Paul\x1b[2J\r\nDTSTART;TZID=\"Europe/Paris\":20261127T190000\r\n"
    "DTEND;TZID=Europe/Paris:20261127T220000\r\nLOCATION:12\\, rue Haute\r\n"
    "ORGANIZER;CN=\"Paul; Ochon\":mailto:paul@uvsq.fr\r\n"
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:jean@jussieu.fr\r\n"
    "ATTENDEE;CN=Eve;PARTSTAT=ACCEPTED:mailto:eve@example.org\r\n"
    "BEGIN:VALARM\r\nSUMMARY:not this\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

static void
an_invitation_says_what_when_where_and_who(void **state)
{
    (void)state;
    assert_told(invitation, "Invited:  Dîner, chez Paul [2J, by Paul; Ochon <paul@uvsq.fr>\n"
                            "When:     2026-11-27 19:00 (Europe/Paris) to 22:00\n"
                            "Where:    12, rue Haute\n"
                            "Who:      jean@jussieu.fr, Eve <eve@example.org> (comes)\n");
    assert_told(
        "Content-Type: text/calendar; method=CANCEL\r\n\r\nBEGIN:VEVENT\r\n"
        "SUMMARY:Pause\r\nDTSTART;VALUE=DATE:20261127\r\nDTEND;VALUE=DATE:20261128\r\n"
        "RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART:tomorrow\r\nEND:VEVENT\r\n",
        "Cancels:  Pause\nWhen:     2026-11-27, and again\n"
        "Cancels:  (no name)\nWhen:     tomorrow\n");
}

static void
an_invitation_is_answered_to_its_organizer(void **state)
{
    struct slice organizer;
    struct mime_tree tree;
    struct buffer out;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_MAX);
    buffer_init(&out, OCTETS_MAX);
    mime_tree_parse(slice_of_string(invitation), &arena, &tree);
    assert_true(invitation_put_answer(&tree, "DECLINED", SLICE("jean@jussieu.fr"),
                                      (struct wall){1795000000000000000}, &arena, &organizer,
                                      &out));
    assert_true(slice_equal(organizer, SLICE("paul@uvsq.fr")));
    struct slice answer = buffer_slice(&out);
    static const char *const lines[] = {"METHOD:REPLY\r\n",
                                        "UID:42@example.org\r\n",
                                        "SEQUENCE:1\r\n",
                                        "DTSTAMP:20261118T",
                                        "ATTENDEE;PARTSTAT=DECLINED:mailto:jean@jussieu.fr\r\n",
                                        "ORGANIZER;CN=\"Paul; Ochon\":mailto:paul@uvsq.fr\r\n"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_true(slice_find(answer, slice_of_string(lines[i])) < answer.len);
    mime_tree_parse(SLICE("Subject: x\r\n\r\nx\r\n"), &arena, &tree);
    buffer_clear(&out);
    assert_false(invitation_put_answer(&tree, "DECLINED", SLICE("jean@jussieu.fr"),
                                       (struct wall){0}, &arena, &organizer, &out));
    assert_int_equal(buffer_len(&out), 0);
    buffer_finish(&out);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_tells_nothing_besides),
        cmocka_unit_test(a_report_of_delivery_is_told_in_plain_words),
        cmocka_unit_test(recipients_of_a_report_have_a_limit),
        cmocka_unit_test(a_receipt_says_no_more_than_it_means),
        cmocka_unit_test(who_asks_for_a_receipt_is_told),
        cmocka_unit_test(what_lies_elsewhere_is_told_and_not_fetched),
        cmocka_unit_test(an_invitation_says_what_when_where_and_who),
        cmocka_unit_test(an_invitation_is_answered_to_its_organizer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
