/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dsn/status.h"

static const struct wall arrival = {INT64_C(880102506) * 1000000000};

static void
assert_status(const struct dsn_facts *facts, const struct dsn_recipient *recipients, size_t count,
              const char *expected)
{
    struct buffer text;

    buffer_init(&text, 65536);
    dsn_status_put(&text, facts, recipients, count);
    if (!slice_equal(buffer_slice(&text), slice_of_string(expected)))
        fail_msg("expected:\n%s\nfound:\n%.*s", expected, (int)buffer_len(&text),
                 (const char *)buffer_slice(&text).at);
    buffer_finish(&text);
}

/* The example with several recipients of RFC 3464, appendix E. */
static void
groups_follow_the_fields_of_the_message(void **state)
{
    struct dsn_facts facts = {.hostname = SLICE("cs.utk.edu"),
                              .envelope_id = SLICE("QQ314159"),
                              .queue_id = SLICE("Q1"),
                              .arrival = arrival,
                              .deliver_by = arrival,
                              .hold = SLICE("for;3600")};
    struct dsn_recipient recipients[] = {
        {.address = SLICE("arathib@vnet.ibm.com"),
         .original = SLICE("arathib@ibm.com"),
         .original_type = SLICE("rfc822"),
         .action = DSN_FAILED,
         .status = ENVELOPE_STATUS(5, 1, 1),
         .host = SLICE("vnet.ibm.com"),
         .code = 550,
         .text = SLICE("'arathib' is not a registered gateway user")},
        {.address = SLICE("johnh@hpnjld.njd.hp.com"),
         .action = DSN_DELAYED,
         .text = SLICE("host name lookup failure"),
         .last_attempt = arrival,
         .retry_until = arrival},
    };

    (void)state;
    assert_status(&facts, recipients, COUNT_OF(recipients),
                  "Original-Envelope-Id: QQ314159\r\n"
                  "Reporting-MTA: dns; cs.utk.edu\r\n"
                  "Arrival-Date: Fri, 21 Nov 1997 08:55:06 +0000\r\n"
                  "Deliver-By-Date: Fri, 21 Nov 1997 08:55:06 +0000\r\n"
                  "Future-Release-Request: for;3600\r\n"
                  "\r\n"
                  "Original-Recipient: rfc822; arathib@ibm.com\r\n"
                  "Final-Recipient: rfc822; arathib@vnet.ibm.com\r\n"
                  "Action: failed\r\n"
                  "Status: 5.1.1\r\n"
                  "Remote-MTA: dns; vnet.ibm.com\r\n"
                  "Diagnostic-Code: smtp; 550 'arathib' is not a registered gateway user\r\n"
                  "Final-Log-ID: Q1\r\n"
                  "\r\n"
                  "Final-Recipient: rfc822; johnh@hpnjld.njd.hp.com\r\n"
                  "Action: delayed\r\n"
                  "Status: 4.0.0\r\n"
                  "Diagnostic-Code: x-facteur; host name lookup failure\r\n"
                  "Last-Attempt-Date: Fri, 21 Nov 1997 08:55:06 +0000\r\n"
                  "Final-Log-ID: Q1\r\n"
                  "Will-Retry-Until: Fri, 21 Nov 1997 08:55:06 +0000\r\n");
}

static void
what_others_say_ends_no_line(void **state)
{
    struct dsn_facts facts = {.hostname = SLICE("a.test")};
    struct dsn_recipient recipient = {.address = SLICE("x@b.test"),
                                      .action = DSN_FAILED,
                                      .host = SLICE("evil.test\r\nX: y"),
                                      .code = 554,
                                      .text = SLICE("no\r\nAction: delivered\r\n\r\n\xff\x01")};

    (void)state;
    assert_status(&facts, &recipient, 1,
                  "Reporting-MTA: dns; a.test\r\n"
                  "\r\n"
                  "Final-Recipient: rfc822; x@b.test\r\n"
                  "Action: failed\r\n"
                  "Status: 5.0.0\r\n"
                  "Remote-MTA: dns; evil.test  X: y\r\n"
                  "Diagnostic-Code: smtp; 554 no  Action: delivered    ?\r\n");
}

static void
addresses_beyond_ascii_have_two_forms(void **state)
{
    struct dsn_facts facts = {.hostname = SLICE("a.test")};
    struct dsn_recipient recipient = {.address = SLICE("\xc3\xa9mile@b.test"),
                                      .action = DSN_DELIVERED,
                                      .text = SLICE("re\xc3\xa7u")};

    (void)state;
    assert_status(&facts, &recipient, 1,
                  "Reporting-MTA: dns; a.test\r\n\r\n"
                  "Final-Recipient: utf-8; \\x{E9}mile@b.test\r\nAction: delivered\r\n"
                  "Status: 2.0.0\r\nDiagnostic-Code: x-facteur; re??u\r\n");
    facts.is_utf8 = true;
    assert_status(&facts, &recipient, 1,
                  "Reporting-MTA: dns; a.test\r\n\r\n"
                  "Final-Recipient: utf-8; \xc3\xa9mile@b.test\r\nAction: delivered\r\n"
                  "Status: 2.0.0\r\nDiagnostic-Code: x-facteur; re\xc3\xa7u\r\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_follow_the_fields_of_the_message),
        cmocka_unit_test(what_others_say_ends_no_line),
        cmocka_unit_test(addresses_beyond_ascii_have_two_forms),
    };

    return cmocka_run_group_tests_name("dsn/status", tests, NULL, NULL);
}
