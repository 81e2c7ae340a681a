/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/received.h"

static void
assert_text(const struct buffer *found, const char *expected)
{
    struct slice text = buffer_slice(found);

    if (!slice_equal(text, slice_of_string(expected)))
        fail_msg("expected:\n%s\nfound:\n%.*s", expected, (int)text.len, (const char *)text.at);
}

static void
a_trace_line_has_all_its_clauses(void **state)
{
    struct envelope_received received = {
        .helo = SLICE("client.example"),
        .client_name = SLICE("host.example"),
        .client_ip = SLICE("2001:db8::1"),
        .by = SLICE("foo.com"),
        .id = SLICE("Q1"),
        .recipient = SLICE("\"a b\"@foo.com"),
        .tls = SLICE("TLS1.3 TLS_AES_256_GCM_SHA384"),
        .auth_name = SLICE("alice@example.test"),
        .date = {INT64_C(880127706) * 1000000000},
        .zone_minutes = -360,
        .is_extended = true,
        .is_secure = true,
        .is_authenticated = true,
    };
    struct buffer line;

    (void)state;
    buffer_init(&line, 2000);
    envelope_received_put(&line, &received);
    assert_text(&line, "Received: from client.example (host.example [IPv6:2001:db8::1])\r\n"
                       "\t(authenticated as alice@example.test)\r\n"
                       "\tby foo.com with ESMTPSA\r\n"
                       "\t(TLS1.3 TLS_AES_256_GCM_SHA384) id Q1\r\n"
                       "\tfor <\"a b\"@foo.com>;\r\n"
                       "\tFri, 21 Nov 1997 09:55:06 -0600\r\n");
    buffer_finish(&line);
}

static void
what_is_not_known_is_left_out(void **state)
{
    struct envelope_received received = {
        .by = SLICE("foo.com"), .date = {INT64_C(880127706) * 1000000000}, .zone_minutes = -360};
    struct buffer line;

    (void)state;
    buffer_init(&line, 2000);
    envelope_received_put(&line, &received);
    assert_text(&line, "Received: from unknown\r\n\tby foo.com with SMTP;\r\n"
                       "\tFri, 21 Nov 1997 09:55:06 -0600\r\n");
    buffer_clear(&line);
    received.helo = SLICE("#\xC3\xA9'");
    received.client_name = SLICE("host.example");
    received.has_priority = true;
    envelope_received_put(&line, &received);
    assert_text(&line, "Received: from #\xC3\xA9' (host.example)\r\n\tby foo.com with SMTP\r\n"
                       "\tPRIORITY 0;\r\n\tFri, 21 Nov 1997 09:55:06 -0600\r\n");
    buffer_clear(&line);
    received.client_name = SLICE("");
    received.client_ip = SLICE("192.0.2.1");
    received.priority = -9;
    envelope_received_put(&line, &received);
    assert_text(&line, "Received: from #\xC3\xA9' ([192.0.2.1])\r\n\tby foo.com with SMTP\r\n"
                       "\tPRIORITY -9;\r\n\tFri, 21 Nov 1997 09:55:06 -0600\r\n");
    buffer_finish(&line);
}

static void
what_a_client_says_cannot_leave_its_place(void **state)
{
    struct envelope_received received = {
        .helo = SLICE("evil)\r\nX-Evil: (\\"),
        .client_ip = SLICE("192.0.2.1"),
        .by = SLICE("foo.com"),
        .recipient = SLICE("a\r\nb@c"),
        .tls = SLICE("x)\r\n"),
    };
    struct buffer line;

    (void)state;
    buffer_init(&line, 2000);
    envelope_received_put(&line, &received);
    assert_text(&line, "Received: from evil?\?\?X-Evil:?\?\? ([192.0.2.1])\r\n"
                       "\tby foo.com with SMTP\r\n\t(x?\?\?)\r\n\tfor <a?\?b@c>;\r\n"
                       "\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
    buffer_finish(&line);
}

static void
protocol_names_are_those_of_rfc_3848_and_6531(void **state)
{
    static const struct {
        const char *name;
        struct envelope_received received;
    } rows[] = {
        {.name = "SMTP"},
        {.name = "SMTP", .received.is_secure = true},
        {.name = "ESMTP", .received.is_extended = true},
        {.name = "ESMTPS", .received.is_extended = true, .received.is_secure = true},
        {.name = "ESMTPA", .received.is_extended = true, .received.is_authenticated = true},
        {.name = "ESMTPSA",
         .received.is_extended = true,
         .received.is_secure = true,
         .received.is_authenticated = true},
        {.name = "UTF8SMTP", .received.is_extended = true, .received.is_utf8 = true},
        {.name = "UTF8SMTPS",
         .received.is_extended = true,
         .received.is_utf8 = true,
         .received.is_secure = true},
        {.name = "LMTP", .received.is_lmtp = true, .received.is_extended = true},
        {.name = "LMTPS",
         .received.is_lmtp = true,
         .received.is_extended = true,
         .received.is_secure = true},
        {.name = "UTF8LMTPA",
         .received.is_lmtp = true,
         .received.is_extended = true,
         .received.is_utf8 = true,
         .received.is_authenticated = true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(envelope_received_protocol(&rows[i].received), rows[i].name);
}

static void
the_return_path_is_one_line(void **state)
{
    struct buffer line;

    (void)state;
    buffer_init(&line, 100);
    envelope_return_path_put(&line, SLICE(""));
    envelope_return_path_put(&line, SLICE("a@b"));
    assert_text(&line, "Return-Path: <>\r\nReturn-Path: <a@b>\r\n");
    buffer_finish(&line);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_trace_line_has_all_its_clauses),
    cmocka_unit_test(what_is_not_known_is_left_out),
    cmocka_unit_test(what_a_client_says_cannot_leave_its_place),
    cmocka_unit_test(protocol_names_are_those_of_rfc_3848_and_6531),
    cmocka_unit_test(the_return_path_is_one_line),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
