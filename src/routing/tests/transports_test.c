/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/transports.h"

static void
next_hops_are_read(void **state)
{
    static const struct {
        const char *text;
        enum routing_carrier carrier;
        const char *host;
        bool is_host;
        uint16_t port;
    } rows[] = {
        {"smtp:", ROUTING_SMTP, "", false, 0},
        {"smtp:hub.Example.net", ROUTING_SMTP, "hub.example.net", false, 0},
        {"smtp:hub.example.net:2525", ROUTING_SMTP, "hub.example.net", false, 2525},
        {"smtp:[hub.example.net]", ROUTING_SMTP, "hub.example.net", true, 0},
        {"smtp:[192.168.23.56]:20025", ROUTING_SMTP, "192.168.23.56", true, 20025},
        {"smtp:[IPv6:2001:db8::1]:25", ROUTING_SMTP, "IPv6:2001:db8::1", true, 25},
        {"lmtp:[127.0.0.1]:24", ROUTING_LMTP, "127.0.0.1", true, 24},
        {"lmtp:unix:/run/x", ROUTING_LMTP, "", false, 0},
        {"pipe:fax-2", ROUTING_PIPE, "", false, 0},
        {"discard:", ROUTING_DISCARD, "", false, 0},
        {"local:", ROUTING_LOCAL, "", false, 0},
        {"error:gone away", ROUTING_ERROR, "", false, 0},
    };
    struct routing_transport transport;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what =
            routing_transport_parse(slice_of_string(rows[i].text), &arena, &transport);
        if (what)
            fail_msg("%s: %s", rows[i].text, what);
        assert_int_equal(transport.carrier, rows[i].carrier);
        assert_true(slice_equal(transport.host, slice_of_string(rows[i].host)));
        assert_int_equal(transport.is_host, rows[i].is_host);
        assert_int_equal(transport.port, rows[i].port);
    }
    assert_string_equal(transport.status, "5.7.1");
    assert_true(slice_equal(transport.text, SLICE("gone away")));
    arena_finish(&arena);
}

static void
what_is_no_next_hop_is_named(void **state)
{
    static const char *const rows[] = {
        "",           "hub.example.net", "smtp:[",        "smtp:[]",
        "smtp:x:0",   "smtp:x:65536",    "smtp:x:25y",    "smtp:a b",
        "uucp:x",     "pipe:",           "pipe:/bin/sh",  "pipe:a;b",
        "discard:x",  "lmtp:",           "lmtp:unix:rel", "error:5.x.1 y",
        "smtp: tls=", "smtp: tls=maybe", "smtp: auth=",   "smtp: source=1.2.3",
        "smtp: proxy=3", "smtp: proxy=",
        "smtp: x=y",  "smtp:[a b]:25",   "smtp:[-]:25x",
    };
    struct routing_transport transport;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!routing_transport_parse(slice_of_string(rows[i]), &arena, &transport))
            fail_msg("'%s' was taken", rows[i]);
    }
    arena_finish(&arena);
}

/* It has to fit into a note. */
static void
a_path_may_have_so_many_octets(void **state)
{
    struct routing_transport transport;
    struct buffer row;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&row, ROUTING_LINE_MAX);
    buffer_put_text(&row, "lmtp:unix:/");
    for (size_t i = 1; i < ROUTING_PATH_MAX; i++)
        buffer_put_byte(&row, 'p');
    assert_null(routing_transport_parse(buffer_slice(&row), &arena, &transport));
    assert_int_equal(transport.path.len, ROUTING_PATH_MAX);
    buffer_put_byte(&row, 'p');
    assert_non_null(routing_transport_parse(buffer_slice(&row), &arena, &transport));
    buffer_finish(&row);
    arena_finish(&arena);
}

static const char *
find(const char *table, const char *sender, const char *recipient)
{
    static char text[200];
    struct routing_transports *transports = routing_transports_parse(slice_of_string(table), 1);
    struct slice pattern;
    const struct routing_transport *found = routing_transports_find(
        transports, slice_of_string(sender), slice_of_string(recipient), &pattern);

    snprintf(text, sizeof(text), "%.*s", found ? (int)pattern.len : 4,
             found ? (const char *)pattern.at : "none");
    routing_transports_close(&transports);
    return text;
}

static void
the_narrowest_pattern_wins(void **state)
{
    static const char table[] = "* smtp:[a]\n"
                                "# remark\n"
                                "\n"
                                "Example.COM smtp:[b]\r\n"
                                "*.example.com smtp:[c]\n"
                                "*.deep.example.com smtp:[c]\n"
                                "User@example.com smtp:[d]\n"
                                "from:@boss.test smtp:[e]\n"
                                "from:ann@boss.test smtp:[f]\n"
                                "[192.0.2.1] smtp:[g]\n";

    (void)state;
    assert_string_equal(find(table, "", "user@example.com"), "User@example.com");
    assert_string_equal(find(table, "", "other@example.com"), "Example.COM");
    assert_string_equal(find(table, "", "x@a.b.example.com"), "*.example.com");
    assert_string_equal(find(table, "", "x@a.deep.example.com"), "*.deep.example.com");
    assert_string_equal(find(table, "", "x@notexample.com"), "*");
    assert_string_equal(find(table, "bob@boss.test", "x@y.test"), "from:@boss.test");
    assert_string_equal(find(table, "ann@boss.test", "x@y.test"), "from:ann@boss.test");
    assert_string_equal(find(table, "ann@boss.test", "x@example.com"), "Example.COM");
    assert_string_equal(find(table, "", "x@[192.0.2.1]"), "[192.0.2.1]");
    assert_string_equal(find("a.test smtp:\n", "", "x@b.test"), "none");
}

static void
domains_whose_mail_goes_one_way_are_known(void **state)
{
    static const struct {
        const char *table, *domain;
        bool is_one_way;
    } rows[] = {
        {"", "a.test", true},
        {"a.test smtp:[x.test]\n* smtp:[y.test]\n", "a.test", true},
        {"boss@A.test smtp:[x.test]\na.test smtp:[y.test]\n", "a.test", false},
        {"boss@a.test smtp:[x.test]\n", "b.test", true},
        {"from:@b.test smtp:[x.test]\n", "a.test", false},
        {"from:@a.test smtp:[x.test]\na.test smtp:\n", "a.test", true},
        {"from:<> smtp:[x.test]\n*.test smtp:\n", "a.test", true},
        {"from:<> smtp:[x.test]\n* smtp:\n", "a.test", false},
        {"from:<> nothing\nboss@a.test nothing\n", "a.test", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct routing_transports *transports =
            routing_transports_parse(slice_of_string(rows[i].table), i);
        if (routing_transports_are_by_domain(transports, slice_of_string(rows[i].domain)) !=
            rows[i].is_one_way)
            fail_msg("row %zu", i);
        routing_transports_close(&transports);
    }
}

static void
damaged_lines_are_named_and_the_others_stand(void **state)
{
    struct routing_transports *transports = routing_transports_parse(
        SLICE("a.test smtp:[x]\nb..test smtp:\nc.test nonsense\nfrom:d.test smtp:\ne.test smtp:\n"
              "\"a@g.test smtp:\nfrom: smtp:"),
        1);
    struct slice pattern;

    (void)state;
    assert_int_equal(routing_transports_problem_count(transports), 5);
    assert_int_equal(routing_transports_problem(transports, 0)->line, 2);
    assert_int_equal(routing_transports_problem(transports, 1)->line, 3);
    assert_int_equal(routing_transports_problem(transports, 2)->line, 4);
    assert_null(routing_transports_problem(transports, 5));
    assert_non_null(routing_transports_find(transports, SLICE(""), SLICE("x@e.test"), &pattern));
    routing_transports_close(&transports);
    routing_transports_close(&transports);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_hops_are_read),
        cmocka_unit_test(what_is_no_next_hop_is_named),
        cmocka_unit_test(a_path_may_have_so_many_octets),
        cmocka_unit_test(the_narrowest_pattern_wins),
        cmocka_unit_test(domains_whose_mail_goes_one_way_are_known),
        cmocka_unit_test(damaged_lines_are_named_and_the_others_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
