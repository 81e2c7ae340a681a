/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/filled.h"
#include "dsn/tls_report.h"
#include "text/base64.h"

#include <zlib.h>

static const struct dsn_tls_failure failure = {
    .result = {(const uint8_t *)"certificate-expired", 19},
    .host = {(const uint8_t *)"mx.foo.com", 10},
    .address = {(const uint8_t *)"192.0.2.1", 9},
    .reason = {(const uint8_t *)"a \"quoted\" \\ text", 17},
    .count = 2,
};
static const struct dsn_tls_policy policies[] = {
    {.type = "sts",
     .text = {(const uint8_t *)"version: STSv1;mode: enforce;mx: mx.foo.com;mx: *.foo.net", 57},
     .successes = 5,
     .failures = 2,
     .details = &failure,
     .count = 1},
    {.type = "no-policy-found", .successes = 1},
};

static const char json[] =
    "{\"organization-name\":\"mail.bar.com\",\"date-range\":{"
    "\"start-datetime\":\"2016-04-01T00:00:00Z\",\"end-datetime\":\"2016-04-01T23:59:59Z\"},"
    "\"contact-info\":\"postmaster@mail.bar.com\",\"report-id\":\"1459468800x1\",\"policies\":["
    "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: enforce\","
    "\"mx: mx.foo.com\",\"mx: *.foo.net\"],\"policy-domain\":\"foo.com\","
    "\"mx-host\":[\"mx.foo.com\",\"*.foo.net\"]},"
    "\"summary\":{\"total-successful-session-count\":5,\"total-failure-session-count\":2},"
    "\"failure-details\":[{\"result-type\":\"certificate-expired\","
    "\"receiving-mx-hostname\":\"mx.foo.com\",\"receiving-ip\":\"192.0.2.1\","
    "\"failed-session-count\":2,\"failure-reason-code\":\"a \\\"quoted\\\" \\\\ text\"}]},"
    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"foo.com\"},"
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}\n";

static struct dsn_tls_report
report_of(void)
{
    return (struct dsn_tls_report){
        .domain = SLICE("foo.com"),
        .submitter = SLICE("mail.bar.com"),
        .id = SLICE("1459468800x1"),
        .recipient = SLICE("tls@foo.com"),
        .start_s = 1459468800,
        .end_s = 1459468800 + 86400,
        .policies = policies,
        .count = COUNT_OF(policies),
        .date = {INT64_C(1459558800) * 1000000000},
    };
}

static void
the_figures_are_json(void **state)
{
    struct dsn_tls_report report = report_of();
    struct buffer text;

    (void)state;
    buffer_init(&text, DSN_TLS_JSON_MAX);
    dsn_tls_report_put_json(&text, &report);
    buffer_put_byte(&text, 0);
    assert_string_equal((const char *)buffer_slice(&text).at, json);
    buffer_finish(&text);
}

static void
expect_unpacked(struct slice packed)
{
    uint8_t room[sizeof(json) + 100];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.at,
                       .avail_in = (uInt)packed.len,
                       .next_out = room,
                       .avail_out = sizeof(room)};

    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    memory_is_filled(room, stream.total_out);
    assert_true(slice_equal(slice_of(room, stream.total_out), slice_of_string(json)));
    inflateEnd(&stream);
}

static void
expect_line(struct slice text, const char *line)
{
    if (slice_find(text, slice_of_string(line)) == text.len)
        fail_msg("\"%s\" is not in: %.*s", line, (int)text.len, text.at);
}

/* RFC 8460 §5.3 */
static void
the_message_has_them_in_gzip(void **state)
{
    struct dsn_tls_report report = report_of();
    struct buffer text, packed;
    struct arena arena;

    (void)state;
    arena_init(&arena, 64 << 20);
    buffer_init(&text, DSN_TLS_MESSAGE_MAX);
    assert_true(dsn_tls_report_put(&text, &arena, &report));
    struct slice message = buffer_slice(&text);
    expect_line(message, "From: <postmaster@mail.bar.com>\r\n");
    expect_line(message, "To: <tls@foo.com>\r\n");
    expect_line(message, "Subject: Report Domain: foo.com Submitter: mail.bar.com");
    expect_line(message, "TLS-Report-Domain: foo.com\r\n");
    expect_line(message, "TLS-Report-Submitter: mail.bar.com\r\n");
    expect_line(message, "TLS-Required: No\r\n");
    expect_line(message, "report-type=tlsrpt");
    expect_line(message, "Content-Type: application/tlsrpt+gzip");
    expect_line(message, "mail.bar.com!foo.com!1459468800!1459555199!1459468800x1.json.gz");
    size_t at = slice_find(message, SLICE("application/tlsrpt+gzip"));
    struct slice body = slice_skip(message, at);
    body = slice_skip(body, slice_find(body, SLICE("\r\n\r\n")) + 4);
    body = slice_first(body, slice_find(body, SLICE("\r\n--")));
    buffer_init(&packed, 100000);
    (void)base64_decode(body, &packed);
    expect_unpacked(buffer_slice(&packed));
    buffer_finish(&packed);
    buffer_finish(&text);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_are_json),
        cmocka_unit_test(the_message_has_them_in_gzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
