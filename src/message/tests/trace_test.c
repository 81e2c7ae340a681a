/* SPDX-License-Identifier: ISC */
#include "message/trace.h"
#include "base/buffer.h"
#include "text/tests/check.h"

/* from|(…)|by|(…)|via|with|(…)|id|for|date. RFC 5322 appendix A.4, RFC 5321 appendix D, and what
 * widely used servers write. */
static const struct {
    const char *body, *stations;
    unsigned defects;
} received[] = {
    {"from x.y.test\r\n   by example.net\r\n   via TCP\r\n   with ESMTP\r\n   id ABC12345\r\n"
     "   for <mary@example.net>;  21 Nov 1997 10:05:43 -0600",
     "x.y.test||example.net||TCP|ESMTP||ABC12345|mary@example.net|1997-11-21T10:05:43-06:00", 0},
    {"from node.example by x.y.test; 21 Nov 1997 10:01:22 -0600",
     "node.example||x.y.test||||||| 1997-11-21T10:01:22-06:00", 0},
    {"from mail.a.org (mail.a.org [192.0.2.1])\r\n\tby b.org (Postfix) with ESMTPS id 4Xyz\r\n"
     "\tfor <u@b.org>; Mon,  1 Jan 2001 00:00:00 +0100 (CET)",
     "mail.a.org|mail.a.org "
     "[192.0.2.1]|b.org|Postfix||ESMTPS||4Xyz|u@b.org|2001-01-01T00:00:00+01:00",
     0},
    {"from [192.0.2.1] (helo=x)\r\n by y.org with esmtpsa (TLS1.3) tls TLS_AES\r\n (Exim 4.96)\r\n"
     " (envelope-from <a@b>)\r\n id 1a-2b; Mon, 1 Jan 2001 00:00:00 +0000",
     "[192.0.2.1]|helo=x|y.org|||esmtpsa|TLS1.3|1a-2b|| 2001-01-01T00:00:00Z", TRACE_UNKNOWN},
    {"(qmail 1234 invoked by uid 0); 1 Jan 2001 00:00:00 -0000", "||||||||| 2001-01-01T00:00:00Z",
     TRACE_NO_BY},
    {"by 10.0.0.1 with SMTP id x; Mon, 01 Jan 2001 00:00:00 -0800 (PST)",
     "||10.0.0.1|||SMTP||x|| 2001-01-01T00:00:00-08:00", 0},
    {"from a by b by c; Mon, 1 Jan 2001 00:00:00 +0000", "a||b||||||| 2001-01-01T00:00:00Z",
     TRACE_REPEATED},
    {"from by by b; 1 Jan 2001 00:00:00 +0000", "by||b||||||| 2001-01-01T00:00:00Z", 0},
    {"from a by b", "a||b|||||||", TRACE_NO_DATE},
    {"from a by b; never", "a||b|||||||", TRACE_NO_DATE},
    {"from a (open by b; 1 Jan 2001 00:00:00 +0000",
     "a|open by b; 1 Jan 2001 00:00:00 +0000||||||||",
     TRACE_NO_DATE | TRACE_NO_BY | TRACE_UNCLOSED},
    {"from a (x; y) by b for \"a;b\"@c; 1 Jan 2001 00:00:00 +0000",
     "a|x; y|b||||||\"a;b\"@c|2001-01-01T00:00:00Z", 0},
    {"", "|||||||||", TRACE_NO_DATE | TRACE_NO_BY},
};

static void
put_station(struct buffer *out, const struct trace_received *station)
{
    const struct slice parts[] = {
        station->from, station->from_comment, station->by, station->by_comment, station->via,
        station->with, station->with_comment, station->id, station->recipient,
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buffer_put(out, parts[i]);
        buffer_put_byte(out, '|');
    }
    if (!(station->defects & TRACE_NO_DATE))
        date_format_iso8601(station->date.wall, station->date.zone_minutes, out);
}

static void
stations_are_read_clause_by_clause(void **state)
{
    struct arena arena;
    struct buffer out, expected;

    (void)state;
    arena_init(&arena, 100000);
    buffer_init(&out, 1000);
    buffer_init(&expected, 1000);
    for (size_t i = 0; i < COUNT_OF(received); i++) {
        struct trace_received station;
        struct slice stations = slice_of_string(received[i].stations);
        size_t blank = slice_find(stations, SLICE("| "));
        buffer_clear(&out);
        buffer_clear(&expected);
        /* "| " before a date keeps the table's columns readable. */
        buffer_put(&expected, slice_first(stations, blank < stations.len ? blank + 1 : blank));
        buffer_put(&expected, slice_skip(stations, blank + 2));
        trace_received_parse(&arena, slice_of_string(received[i].body), &station);
        put_station(&out, &station);
        assert_slice(buffer_slice(&out), buffer_slice(&expected));
        assert_int_equal(station.defects, received[i].defects);
    }
    buffer_finish(&out);
    buffer_finish(&expected);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stations_are_read_clause_by_clause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
