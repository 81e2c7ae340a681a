/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/address.h"
#include "role/haproxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Feeds it in pieces of at most `step`, never more than is wanted; what is wrong, or NULL. */
static const char *
feed(struct haproxy *header, struct slice bytes, size_t step, size_t *ret_used)
{
    size_t used = 0;

    *header = (struct haproxy){0};
    while (used < bytes.len && !header->is_done) {
        size_t len = haproxy_wanted(header) < step ? haproxy_wanted(header) : step;
        assert_true(len > 0);
        struct slice piece = slice_first(slice_skip(bytes, used), len);
        used += piece.len;
        const char *why = haproxy_take(header, piece);
        if (why)
            return why;
    }
    *ret_used = used;
    return NULL;
}

static void
expect_client(struct slice bytes, const char *client)
{
    struct haproxy header;
    size_t used = 0;

    for (size_t step = 1; step <= 128; step++) {
        struct buffer text;
        assert_null(feed(&header, bytes, step, &used));
        assert_true(header.is_done);
        assert_int_equal(haproxy_wanted(&header), 0);
        assert_true(slice_equal(slice_skip(bytes, used), SLICE("EHLO")));
        assert_int_equal(header.has_client, client != NULL);
        if (!client)
            continue;
        buffer_init(&text, 128);
        host_address_put_with_port(&text, &header.client);
        assert_true(slice_equal(buffer_slice(&text), slice_of_string(client)));
        buffer_finish(&text);
    }
}

static void
a_line_names_the_client(void **state)
{
    (void)state;
    expect_client(SLICE("PROXY TCP4 192.0.2.1 198.51.100.7 4711 25\r\nEHLO"), "192.0.2.1:4711");
    expect_client(SLICE("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\nEHLO"),
                  "[2001:db8::1]:65535");
    expect_client(SLICE("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\nEHLO"), "192.0.2.1:1");
    expect_client(SLICE("PROXY UNKNOWN\r\nEHLO"), NULL);
    expect_client(SLICE("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nEHLO"), NULL);
}

static void
octets_name_the_client(void **state)
{
    (void)state;
    expect_client(SLICE(SIGNATURE "\x21\x11\0\x0C"
                                  "\xC0\0\x02\x01\xC6\x33\x64\x07\x12\x67\0\x19"
                                  "EHLO"),
                  "192.0.2.1:4711");
    expect_client(SLICE(SIGNATURE "\x21\x21\0\x24"
                                  "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                  "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\0\x19"
                                  "EHLO"),
                  "[2001:db8::1]:4711");
    expect_client(SLICE(SIGNATURE "\x21\x21\0\x24"
                                  "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\x02\x01"
                                  "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\x02\x02\x12\x67\0\x19"
                                  "EHLO"),
                  "192.0.2.1:4711");
    /* With additions, which are passed over. */
    expect_client(SLICE(SIGNATURE "\x21\x11\0\x2C"
                                  "\xC0\0\x02\x01\xC6\x33\x64\x07\x12\x67\0\x19"
                                  "\x01\0\x1D"
                                  "12345678901234567890123456789"
                                  "EHLO"),
                  "192.0.2.1:4711");
    /* It looks whether we live; a family that we do not believe. */
    expect_client(SLICE(SIGNATURE "\x20\0\0\0EHLO"), NULL);
    expect_client(SLICE(SIGNATURE "\x20\x11\0\x03"
                                  "abcEHLO"),
                  NULL);
    expect_client(SLICE(SIGNATURE "\x21\x31\0\x02"
                                  "/xEHLO"),
                  NULL);
}

static void
what_is_no_header_is_refused(void **state)
{
    static const struct {
        const char *at;
        size_t len;
    } bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
        BAD("EHLO client.test\r\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 4711 25\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 4711 25 \r\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 04711 25\r\n"),
        BAD("PROXY TCP4 192.0.2.1 198.51.100.7 -1 25\r\n"),
        BAD("PROXY TCP4 192.0.2.256 198.51.100.7 4711 25\r\n"),
        BAD("PROXY TCP4 2001:db8::1 2001:db8::2 4711 25\r\n"),
        BAD("PROXY TCP6 192.0.2.1 198.51.100.7 4711 25\r\n"),
        BAD("PROXY TCP4  192.0.2.1 198.51.100.7 4711 25\r\n"),
        BAD("PROXY UDP4 192.0.2.1 198.51.100.7 4711 25\r\n"),
        BAD("PROXY unknown\r\n"),
        BAD("proxy UNKNOWN\r\n"),
        BAD("\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0C"),
        BAD(SIGNATURE "\x11\x11\0\x0C"),
        BAD(SIGNATURE "\x22\x11\0\x0C"),
        BAD(SIGNATURE "\x21\x11\0\x0B"
                      "12345678901"),
        BAD(SIGNATURE "\x21\x21\0\x0C"
                      "123456789012"),
        BAD(SIGNATURE "\x21\x11\x10\x01"),
#undef BAD
    };
    struct haproxy header;
    size_t used = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        for (size_t step = 1; step < 128; step++)
            assert_non_null(feed(&header, slice_of(bad[i].at, bad[i].len), step, &used));
    }
}

static void
a_line_has_a_hundred_and_seven_octets_and_no_more(void **state)
{
    struct buffer line;
    struct haproxy header;
    size_t used = 0;

    (void)state;
    for (size_t len = HAPROXY_LINE_MAX; len <= HAPROXY_LINE_MAX + 1; len++) {
        buffer_init(&line, 256);
        buffer_put_text(&line, "PROXY UNKNOWN ");
        while (buffer_len(&line) < len - 2)
            buffer_put_byte(&line, 'x');
        buffer_put_text(&line, "\r\n");
        const char *why = feed(&header, buffer_slice(&line), 64, &used);
        assert_int_equal(why == NULL, len == HAPROXY_LINE_MAX);
        buffer_finish(&line);
    }
}

static void
what_is_said_is_understood(void **state)
{
    struct host_address from = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 1}, .port = 4711};
    struct host_address to = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 2}, .port = 25};
    struct host_address six = {.family = HOST_FAMILY_IPV6, .bytes = {0x20, 1}, .port = 1};
    struct host_address local = {.family = HOST_FAMILY_UNIX};
    struct buffer out;

    (void)state;
    buffer_init(&out, 256);
    for (int version = HAPROXY_1; version <= HAPROXY_2; version++) {
        buffer_clear(&out);
        haproxy_put(&out, (enum haproxy_version)version, &from, &to);
        buffer_put_text(&out, "EHLO");
        expect_client(buffer_slice(&out), "192.0.2.1:4711");
        buffer_clear(&out);
        haproxy_put(&out, (enum haproxy_version)version, &six, &six);
        buffer_put_text(&out, "EHLO");
        expect_client(buffer_slice(&out), "[2001::]:1");
        buffer_clear(&out);
        haproxy_put(&out, (enum haproxy_version)version, &from, &six);
        buffer_put_text(&out, "EHLO");
        expect_client(buffer_slice(&out), NULL);
        buffer_clear(&out);
        haproxy_put(&out, (enum haproxy_version)version, &local, &local);
        buffer_put_text(&out, "EHLO");
        expect_client(buffer_slice(&out), NULL);
    }
    buffer_finish(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_the_client),
        cmocka_unit_test(octets_name_the_client),
        cmocka_unit_test(what_is_no_header_is_refused),
        cmocka_unit_test(a_line_has_a_hundred_and_seven_octets_and_no_more),
        cmocka_unit_test(what_is_said_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
