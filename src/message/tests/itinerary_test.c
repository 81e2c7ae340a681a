/* SPDX-License-Identifier: ISC */
#include "message/itinerary.h"
#include "base/buffer.h"
#include "text/tests/check.h"

#include <stdio.h>

struct reading {
    struct arena arena;
    struct header header;
    struct itinerary itinerary;
};

static void
read_way(struct reading *reading, struct slice message)
{
    arena_init(&reading->arena, 10 << 20);
    header_parse(&reading->arena, message, &reading->header);
    itinerary_read(&reading->arena, &reading->header, &reading->itinerary);
}

static void
the_way_from_truc_to_machin(void **state)
{
    struct reading reading;

    (void)state;
    read_way(&reading,
             SLICE("Received: from smtp.truc.fr (smtp.truc.fr [127.0.1.2])\r\n"
                   "\tby mx.machin.com with ESMTPS (TLS1_3 AES) id 77 for <marc@machin.com>;\r\n"
                   "\tMon, 1 Jan 2001 10:00:07 +0100\r\n"
                   "Received: from pc.truc.fr ([IPv6:2001:db8::7])\r\n"
                   "\tby smtp.truc.fr with ESMTPSA id 12; Mon, 1 Jan 2001 09:00:05 +0000\r\n"
                   "Date: Mon, 1 Jan 2001 09:00:02 +0000\r\n"
                   "\r\n"));
    const struct itinerary *way = &reading.itinerary;

    assert_int_equal(way->count, 2);
    assert_false(way->is_cut);
    assert_slice(way->hops[0].written.by, SLICE("smtp.truc.fr"));
    assert_slice(way->hops[0].address, SLICE("2001:db8::7"));
    assert_true(way->hops[0].is_authenticated);
    assert_int_equal(way->hops[0].tls, ITINERARY_TLS_YES);
    assert_int_equal(way->hops[0].delay.ns, duration_s(3).ns);
    assert_slice(way->hops[1].address, SLICE("127.0.1.2"));
    assert_slice(way->hops[1].tls_version, SLICE("1.3"));
    assert_false(way->hops[1].is_authenticated);
    assert_int_equal(way->hops[1].delay.ns, duration_s(2).ns);
    assert_true(way->has_total);
    assert_int_equal(way->total.ns, duration_s(5).ns);
    arena_finish(&reading.arena);
}

static void
clocks_that_differ_make_negative_delays(void **state)
{
    struct reading reading;

    (void)state;
    read_way(&reading, SLICE("Received: from b by c with SMTP; Mon, 1 Jan 2001 09:59:00 +0000\r\n"
                             "Received: from a by b; Mon, 1 Jan 2001 10:00:00 +0000\r\n\r\n"));
    assert_false(reading.itinerary.hops[0].has_delay);
    assert_int_equal(reading.itinerary.hops[0].tls, ITINERARY_TLS_UNKNOWN);
    assert_true(reading.itinerary.hops[1].has_delay);
    assert_int_equal(reading.itinerary.hops[1].delay.ns, -duration_s(60).ns);
    assert_int_equal(reading.itinerary.hops[1].tls, ITINERARY_TLS_NO);
    assert_int_equal(reading.itinerary.total.ns, -duration_s(60).ns);
    arena_finish(&reading.arena);
}

static void
stations_without_a_date_are_passed_over(void **state)
{
    struct reading reading;

    (void)state;
    read_way(&reading, SLICE("Received: from b by c; Mon, 1 Jan 2001 10:00:09 +0000\r\n"
                             "Received: (qmail 1 invoked by uid 0)\r\n"
                             "Received: from a by b; Mon, 1 Jan 2001 10:00:00 +0000\r\n\r\n"));
    assert_int_equal(reading.itinerary.count, 3);
    assert_false(reading.itinerary.hops[1].has_delay);
    assert_int_equal(reading.itinerary.hops[2].delay.ns, duration_s(9).ns);
    arena_finish(&reading.arena);
}

static void
tls_is_told_in_many_ways(void **state)
{
    static const struct {
        const char *station, *version;
        enum itinerary_tls tls;
        bool is_authenticated;
    } stations[] = {
        {"from a (a [1.2.3.4]) (using TLSv1.2 with cipher X) by b with ESMTPS", "1.2",
         ITINERARY_TLS_YES, false},
        {"from a by b with SMTPS (version=TLS1_3 cipher=Y)", "1.3", ITINERARY_TLS_YES, false},
        {"from a by b with UTF8SMTPSA", "", ITINERARY_TLS_YES, true},
        {"from a by b with LMTPA", "", ITINERARY_TLS_NO, true},
        {"from a by b with HTTPS", "", ITINERARY_TLS_YES, false},
        {"from a by b with local", "", ITINERARY_TLS_NO, false},
        {"from tls (TLS) by b with SMTP", "", ITINERARY_TLS_NO, false},
        {"from a by b", "", ITINERARY_TLS_UNKNOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(stations); i++) {
        char message[200];
        struct reading reading;
        snprintf(message, sizeof(message), "Received: %s\r\n\r\n", stations[i].station);
        read_way(&reading, slice_of_string(message));
        const struct itinerary_hop *hop = &reading.itinerary.hops[0];
        assert_slice(hop->tls_version, slice_of_string(stations[i].version));
        assert_int_equal(hop->tls, stations[i].tls);
        assert_int_equal(hop->is_authenticated, stations[i].is_authenticated);
        arena_finish(&reading.arena);
    }
}

/* As the mail servers of this world write it. */
static void
stations_of_many_makes_are_understood(void **state)
{
    static const struct {
        const char *station, *by, *address, *version;
        enum itinerary_tls tls;
    } stations[] = {
        {"from a.example (2001:db8:1::19) by b.example (2001:db8:2::7) with Microsoft SMTP Server "
         "(version=TLS1_2, cipher=X) id 15.20.1",
         "b.example", "2001:db8:1::19", "1.2", ITINERARY_TLS_YES},
        {"from EXCH01.example (10.1.2.3) by EDGE.example (10.1.2.4) with Microsoft SMTP Server "
         "(TLS) "
         "id 14.3",
         "EDGE.example", "10.1.2.3", "", ITINERARY_TLS_YES},
        {"from unknown (HELO mail.truc.fr) (192.0.2.9)\r\n  by mx.machin.com with SMTP",
         "mx.machin.com", "192.0.2.9", "", ITINERARY_TLS_NO},
        {"from mail.truc.fr ([192.0.2.9]:51514 helo=mail)\r\n\tby mx.machin.com with esmtps  "
         "(TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)",
         "mx.machin.com", "192.0.2.9", "1.3", ITINERARY_TLS_YES},
        {"by 2002:a05:6a10::77b1 with SMTP id k4", "2002:a05:6a10::77b1", "", "", ITINERARY_TLS_NO},
        {"from localhost (fred@localhost) by mail.truc.fr (8.12.9/8.12.9/Submit) with ESMTP",
         "mail.truc.fr", "", "", ITINERARY_TLS_NO},
        {"from smtp.truc.fr (smtp.truc.fr [192.0.2.25])\r\n\t(using TLSv1.3 with cipher X)\r\n\t"
         "by mx.machin.com (Postfix) with ESMTPS",
         "mx.machin.com", "192.0.2.25", "1.3", ITINERARY_TLS_YES},
        {"(qmail 28012 invoked by uid 1002)", "", "", "", ITINERARY_TLS_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(stations); i++) {
        char message[400];
        struct reading reading;
        snprintf(message, sizeof(message), "Received: %s; 3 Mar 2026 10:00:00 -0000\r\n\r\n",
                 stations[i].station);
        read_way(&reading, slice_of_string(message));
        const struct itinerary_hop *hop = &reading.itinerary.hops[0];
        assert_slice(hop->written.by, slice_of_string(stations[i].by));
        assert_slice(hop->address, slice_of_string(stations[i].address));
        assert_slice(hop->tls_version, slice_of_string(stations[i].version));
        assert_int_equal(hop->tls, stations[i].tls);
        arena_finish(&reading.arena);
    }
}

static void
years_that_no_clock_shows_make_no_delay(void **state)
{
    struct reading reading;

    (void)state;
    read_way(&reading, SLICE("Received: from b by c; Tue, 3 Mar 2026 10:00:12 +0000\r\n"
                             "Received: from a by b; Tue, 3 Mar 2250 10:00:12 +0000\r\n"
                             "Received: from a by b; Tue, 3 Mar 1690 10:00:12 +0000\r\n"
                             "Date: Tue, 3 Mar 2026 10:00:10 +0000\r\n\r\n"));
    assert_int_equal(reading.itinerary.count, 3);
    assert_true(reading.itinerary.has_total);
    assert_int_equal(reading.itinerary.total.ns, duration_s(2).ns);
    arena_finish(&reading.arena);
}

static void
of_a_loop_the_newest_stations_are_kept(void **state)
{
    struct buffer message;
    struct reading reading;

    (void)state;
    buffer_init(&message, 1 << 20);
    for (size_t i = ITINERARY_HOPS_MAX + 1; i-- > 0;) {
        buffer_put_text(&message, "Received: from a by h");
        buffer_put_decimal(&message, i);
        buffer_put_text(&message, "\r\n");
    }
    buffer_put_text(&message, "\r\n");
    read_way(&reading, buffer_slice(&message));
    assert_int_equal(reading.itinerary.count, ITINERARY_HOPS_MAX);
    assert_true(reading.itinerary.is_cut);
    assert_slice(reading.itinerary.hops[0].written.by, SLICE("h1"));
    arena_finish(&reading.arena);
    buffer_finish(&message);
}

static void
a_message_that_never_travelled_has_no_stations(void **state)
{
    struct reading reading;

    (void)state;
    read_way(&reading, SLICE("Subject: draft\r\n\r\n"));
    assert_int_equal(reading.itinerary.count, 0);
    assert_false(reading.itinerary.is_cut);
    assert_false(reading.itinerary.has_total);
    arena_finish(&reading.arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_from_truc_to_machin),
        cmocka_unit_test(clocks_that_differ_make_negative_delays),
        cmocka_unit_test(stations_without_a_date_are_passed_over),
        cmocka_unit_test(tls_is_told_in_many_ways),
        cmocka_unit_test(stations_of_many_makes_are_understood),
        cmocka_unit_test(years_that_no_clock_shows_make_no_delay),
        cmocka_unit_test(of_a_loop_the_newest_stations_are_kept),
        cmocka_unit_test(a_message_that_never_travelled_has_no_stations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
