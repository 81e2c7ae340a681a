/* SPDX-License-Identifier: ISC */
#include "text/date.h"
#include "text/date_private.h"
#include "text/tests/check.h"

enum { ZONE_DASH = 9999 }; /* -0000: the zone is not known */

/* RFC 5322's own dates, and one of each broken form that occurs. `iso` is in the writer's zone. */
static const struct {
    const char *text, *iso;
    int zone;
    unsigned defects;
} dates[] = {
    /* RFC 5322 appendix A */
    {"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00", 120, 0},
    {"Thu, 13 Feb 1969 23:32:54 -0330", "1969-02-13T23:32:54-03:30", -210, 0},
    {"Mon, 24 Nov 1997 14:22:01 -0800", "1997-11-24T14:22:01-08:00", -480, 0},
    {"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z", 0, DATE_YEAR_SHORT | DATE_ZONE_NAMED},
    {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
     "(Newfoundland Time)",
     "1969-02-13T23:32:00-03:30", -210, DATE_NO_SECONDS},
    /* legal, less usual */
    {"1 Jan 2026 00:00:00 +0000", "2026-01-01T00:00:00Z", 0, 0},
    {"Thu, 1 Jan 2026 00:00:00 -0000", "2026-01-01T00:00:00Z", ZONE_DASH, 0},
    {"Sat, 30 Jun 2012 23:59:60 +0000", "2012-07-01T00:00:00Z", 0, 0},
    {"Fri, 21 Nov 1997 09:55:06 -0600 (CST)", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Fri, 21 Nov 1997 09:55:06 -0600 (a (nested) comment)", "1997-11-21T09:55:06-06:00", -360, 0},
    {"fri, 21 NOV 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Fri,21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Fri, 21  Nov  1997  09:55:06  -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Fri, 21 Nov 1997 09 : 55 : 06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    /* obs-zone */
    {"21 Nov 1997 09:55:06 EST", "1997-11-21T09:55:06-05:00", -300, DATE_ZONE_NAMED},
    {"21 Nov 1997 09:55:06 PDT", "1997-11-21T09:55:06-07:00", -420, DATE_ZONE_NAMED},
    {"21 Nov 1997 09:55:06 CEST", "1997-11-21T09:55:06+02:00", 120, DATE_ZONE_NAMED},
    {"21 Nov 1997 09:55:06 MET DST", "1997-11-21T09:55:06+02:00", 120, DATE_ZONE_NAMED},
    {"21 Nov 1997 09:55:06 Q", "1997-11-21T09:55:06Z", ZONE_DASH,
     DATE_ZONE_NAMED | DATE_ZONE_UNKNOWN},
    {"21 Nov 1997 09:55:06 GMT+0100", "1997-11-21T09:55:06+01:00", 60, DATE_ZONE_NAMED},
    {"21 Nov 1997 09:55:06 GMT-5", "1997-11-21T09:55:06-05:00", -300,
     DATE_ZONE_NAMED | DATE_SYNTAX},
    /* years */
    {"21 Nov 49 09:55:06 +0000", "2049-11-21T09:55:06Z", 0, DATE_YEAR_SHORT},
    {"21 Nov 50 09:55:06 +0000", "1950-11-21T09:55:06Z", 0, DATE_YEAR_SHORT},
    {"21 Nov 102 09:55:06 +0000", "2002-11-21T09:55:06Z", 0, DATE_YEAR_SHORT},
    {"21 Nov 19100 09:55:06 +0000", "2000-11-21T09:55:06Z", 0, DATE_SYNTAX},
    {"21 Nov 9999 09:55:06 +0000", "2261-11-21T09:55:06Z", 0, DATE_CLAMPED},
    {"21 Nov 0001 09:55:06 +0000", "1678-11-21T09:55:06Z", 0, DATE_CLAMPED},
    /* times */
    {"Fri, 21 Nov 1997 09:55 -0600", "1997-11-21T09:55:00-06:00", -360, DATE_NO_SECONDS},
    {"Fri, 21 Nov 1997", "1997-11-21T00:00:00Z", ZONE_DASH, DATE_NO_TIME | DATE_NO_ZONE},
    {"Fri, 21 Nov 1997 09:55:06", "1997-11-21T09:55:06Z", ZONE_DASH, DATE_NO_ZONE},
    {"21 Nov 1997 9:55:06 PM -0600", "1997-11-21T21:55:06-06:00", -360, DATE_TWELVE_HOURS},
    {"21 Nov 1997 12:05:06 AM -0600", "1997-11-21T00:05:06-06:00", -360, DATE_TWELVE_HOURS},
    {"21 Nov 1997 12:05:06PM -0600", "1997-11-21T12:05:06-06:00", -360, DATE_TWELVE_HOURS},
    {"21 Nov 1997 24:00:00 +0000", "1997-11-22T00:00:00Z", 0, DATE_CLAMPED},
    {"21 Nov 1997 25:61:99 +0000", "1997-11-21T23:59:59Z", 0, DATE_CLAMPED},
    {"31 Nov 1997 09:55:06 +0000", "1997-11-30T09:55:06Z", 0, DATE_CLAMPED},
    {"29 Feb 2000 09:55:06 +0000", "2000-02-29T09:55:06Z", 0, 0},
    {"29 Feb 1900 09:55:06 +0000", "1900-02-28T09:55:06Z", 0, DATE_CLAMPED},
    {"21 Nov 1997 0955 GMT", "1997-11-21T09:55:00Z", 0,
     DATE_NO_SECONDS | DATE_SYNTAX | DATE_ZONE_NAMED},
    {"Mon, 24 Nov 1997 14.22.01 +0100", "1997-11-24T14:22:01+01:00", 60, DATE_SYNTAX},
    /* zones */
    {"21 Nov 1997 09:55:06 +01:00", "1997-11-21T09:55:06+01:00", 60, DATE_SYNTAX},
    {"21 Nov 1997 09:55:06 +1", "1997-11-21T09:55:06+01:00", 60, DATE_SYNTAX},
    {"21 Nov 1997 09:55:06 -100", "1997-11-21T09:55:06-01:00", -60, DATE_SYNTAX},
    {"21 Nov 1997 09:55:06 0100", "1997-11-21T09:55:06+01:00", 60, DATE_SYNTAX},
    {"21 Nov 1997 09:55:06+0100", "1997-11-21T09:55:06+01:00", 60, 0},
    {"21 Nov 1997 09:55:06 +9999", "1997-11-21T09:55:06Z", ZONE_DASH, DATE_ZONE_UNKNOWN},
    {"21 Nov 1997 09:55:06 +123456", "1997-11-21T09:55:06Z", ZONE_DASH,
     DATE_ZONE_UNKNOWN | DATE_SYNTAX},
    /* weekdays and words */
    {"Mon, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_WEEKDAY_WRONG},
    {"Friday, 21 November 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"Fri 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, 0},
    {"Fri, 21, Nov, 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"Fri., 21. Nov. 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"21st of November 1997 at 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"lun., 3 févr. 2014 10:00:00 +0100", "2014-02-03T10:00:00+01:00", 60, DATE_SYNTAX},
    {"mar., 4 févr. 2014 10:00:00 +0100", "2014-02-04T10:00:00+01:00", 60, DATE_SYNTAX},
    {"Do, 5 Dez 2002 10:00:00 +0100", "2002-12-05T10:00:00+01:00", 60, DATE_SYNTAX},
    /* order */
    {"Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06Z", ZONE_DASH, DATE_ORDER | DATE_NO_ZONE},
    {"Fri Nov 21 09:55:06 EST 1997", "1997-11-21T09:55:06-05:00", -300,
     DATE_ORDER | DATE_ZONE_NAMED},
    {"Fri Nov 21 09:55:06 1997 -0500", "1997-11-21T09:55:06-05:00", -300, DATE_ORDER},
    {"Nov 21, 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_ORDER | DATE_SYNTAX},
    {"09:55:06 21 Nov 1997 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_ORDER},
    {"1997 Nov 21 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_ORDER},
    {"21-Nov-1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {" 7-Feb-94 21:52:25 -0800", "1994-02-07T21:52:25-08:00", -480, DATE_SYNTAX | DATE_YEAR_SHORT},
    /* numbers */
    {"1997-11-21T09:55:06Z", "1997-11-21T09:55:06Z", 0, DATE_ORDER | DATE_SYNTAX | DATE_ZONE_NAMED},
    {"1997-11-21T09:55:06.25-06:00", "1997-11-21T09:55:06-06:00", -360, DATE_ORDER | DATE_SYNTAX},
    {"1997-11-21 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_ORDER | DATE_SYNTAX},
    {"19971121T095506Z", "1997-11-21T09:55:06Z", 0, DATE_SYNTAX | DATE_ZONE_NAMED | DATE_ORDER},
    {"11/21/1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"21/11/1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00", -360, DATE_SYNTAX},
    {"21.11.1997 09:55:06 +0100", "1997-11-21T09:55:06+01:00", 60, DATE_SYNTAX},
    {"03-04-2005 10:00:00 +0000", "2005-04-03T10:00:00Z", 0, DATE_SYNTAX},
    {"Fri, 21 Nov 1997 09:55:06 -0600 trailing words", "1997-11-21T09:55:06-06:00", -360,
     DATE_TRAILING},
    {"Fri, 21 Nov 1997 09:55:06 -0600 (open comment", "1997-11-21T09:55:06-06:00", -360, 0},
};

static void
every_form_is_read(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        struct date date = {0};
        int zone = dates[i].zone == ZONE_DASH ? 0 : dates[i].zone;
        if (!date_parse(slice_of_string(dates[i].text), &date))
            fail_msg("not read: %s", dates[i].text);
        buffer_clear(&out);
        date_format_iso8601(date.wall, date.zone_minutes, &out);
        if (!slice_equal(buffer_slice(&out), slice_of_string(dates[i].iso)) ||
            date.zone_minutes != zone || date.is_zone_unknown != (dates[i].zone == ZONE_DASH) ||
            date.defects != dates[i].defects)
            fail_msg("%s: %.*s, zone %d%s, defects %x instead of %x", dates[i].text,
                     (int)buffer_len(&out), (const char *)buffer_slice(&out).at, date.zone_minutes,
                     date.is_zone_unknown ? " unknown" : "", date.defects, dates[i].defects);
    }
    buffer_finish(&out);
}

static void
fractions_of_a_second_are_kept(void **state)
{
    struct date date;

    (void)state;
    assert_true(date_parse(SLICE("1970-01-01T00:00:01.25Z"), &date));
    assert_true(date.wall.ns == 1250000000);
    assert_true(date_parse(SLICE("1970-01-01T00:00:01.1234567891Z"), &date));
    assert_true(date.wall.ns == 1123456789);
}

static void
what_is_no_date_is_refused(void **state)
{
    static const struct slice bad[] = {
        SLICE(""),
        SLICE("   "),
        SLICE("yesterday"),
        SLICE("Fri, Nov 1997"),
        SLICE("10:00:00 +0100"),
        SLICE("0 Nov 1997 10:00:00"),
        SLICE("32 33 1997"),
        SLICE("13/13/1997"),
        SLICE("Fri"),
        SLICE("(21 Nov 1997)"),
        SLICE("99999999999999999999 Nov 1997"),
        SLICE("Nov Nov Nov"),
        SLICE("\0\0\0"),
        SLICE("1 2"),
        SLICE("00000000"),
    };
    struct date date = {.zone_minutes = 42};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (date_parse(bad[i], &date))
            fail_msg("accepted: %.*s", (int)bad[i].len, (const char *)bad[i].at);
    }
    assert_int_equal(date.zone_minutes, 42);
}

static void
formats_are_exact(void **state)
{
    struct wall first = {INT64_C(880127706) * 1000000000};
    struct wall second = {INT64_C(-1) * 1000000000};
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    date_format_rfc5322(first, -360, &out);
    assert_slice(buffer_slice(&out), SLICE("Fri, 21 Nov 1997 09:55:06 -0600"));
    buffer_clear(&out);
    date_format_imap(first, 90, &out);
    assert_slice(buffer_slice(&out), SLICE("21-Nov-1997 17:25:06 +0130"));
    buffer_clear(&out);
    date_format_imap((struct wall){INT64_C(760686745) * 1000000000}, -480, &out);
    assert_slice(buffer_slice(&out), SLICE(" 7-Feb-1994 21:52:25 -0800"));
    buffer_clear(&out);
    date_format_asctime(first, &out);
    assert_slice(buffer_slice(&out), SLICE("Fri Nov 21 15:55:06 1997"));
    buffer_clear(&out);
    date_format_asctime((struct wall){INT64_C(1767225600) * 1000000000}, &out);
    assert_slice(buffer_slice(&out), SLICE("Thu Jan  1 00:00:00 2026"));
    buffer_clear(&out);
    date_format_iso8601(second, 0, &out);
    assert_slice(buffer_slice(&out), SLICE("1969-12-31T23:59:59Z"));
    buffer_finish(&out);
}

/* Day by day over the whole range of struct wall, against counting. */
static void
calendar_and_day_numbers_agree(void **state)
{
    int year = 1678, month = 1, day = 1;

    (void)state;
    for (int64_t days = date_days(1678, 1, 1); days <= date_days(2261, 12, 31); days++) {
        struct wall wall = {(days * 86400 + 43200) * 1000000000};
        struct date_civil civil = date_civil_of(wall, 0);
        if (civil.year != year || civil.month != month || civil.day != day || civil.hour != 12 ||
            civil.weekday != (((days + 4) % 7) + 7) % 7)
            fail_msg("day %lld is %d-%d-%d", (long long)days, civil.year, civil.month, civil.day);
        assert_true(date_days(year, month, day) == days);
        if (++day > date_month_days(year, month)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    assert_int_equal(date_days(1970, 1, 1), 0);
}

static void
what_is_formatted_parses_to_the_same(void **state)
{
    struct buffer out;
    struct date date;

    (void)state;
    buffer_init(&out, 100);
    for (int64_t seconds = -9000000000; seconds < 9000000000; seconds += 12345677) {
        int zone = (int)(seconds % 1440);
        struct wall wall = {seconds * 1000000000};
        buffer_clear(&out);
        date_format_rfc5322(wall, zone, &out);
        assert_true(date_parse(buffer_slice(&out), &date));
        assert_true(date.wall.ns == wall.ns && date.zone_minutes == zone && date.defects == 0);
        buffer_clear(&out);
        date_format_imap(wall, zone, &out);
        assert_true(date_parse(buffer_slice(&out), &date));
        assert_true(date.wall.ns == wall.ns && date.zone_minutes == zone);
        buffer_clear(&out);
        date_format_asctime(wall, &out);
        assert_true(date_parse(buffer_slice(&out), &date));
        assert_true(date.wall.ns == wall.ns);
        buffer_clear(&out);
        date_format_iso8601(wall, zone, &out);
        assert_true(date_parse(buffer_slice(&out), &date));
        assert_true(date.wall.ns == wall.ns && date.zone_minutes == zone);
    }
    buffer_finish(&out);
}

/* The fast path and the tolerant reader must agree on what both read. */
static void
both_readers_agree_on_the_usual_form(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    for (int64_t seconds = -9000000000; seconds < 9000000000; seconds += 98765431) {
        struct date_parts parts;
        struct date fast, slow;
        buffer_clear(&out);
        date_format_rfc5322((struct wall){seconds * 1000000000}, (int)(seconds % 1440), &out);
        assert_true(date_parse(buffer_slice(&out), &fast));
        assert_true(date_parse_tolerant(buffer_slice(&out), &parts));
        slow = date_settle(parts);
        assert_true(fast.wall.ns == slow.wall.ns && fast.zone_minutes == slow.zone_minutes &&
                    fast.defects == slow.defects && fast.is_zone_unknown == slow.is_zone_unknown);
    }
    buffer_finish(&out);
}

static void
internet_dates_are_read_strictly(void **state)
{
    static const struct {
        const char *text, *again; /* NULL: refused */
    } rows[] = {
        {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50Z"},
        {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"},
        {"1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"},
        {"2024-02-29t00:00:00z", "2024-02-29T00:00:00Z"},
        {"2004-10-01T15:18:00.123456789012+10:00", "2004-10-01T05:18:00Z"},
        {"2023-02-29T00:00:00Z", NULL},
        {"2023-13-01T00:00:00Z", NULL},
        {"2023-01-01T24:00:00Z", NULL},
        {"2023-01-01T00:60:00Z", NULL},
        {"2023-01-01T00:00:61Z", NULL},
        {"2023-01-01T00:00:00", NULL},
        {"2023-01-01T00:00:00.Z", NULL},
        {"2023-01-01T00:00:00+1:00", NULL},
        {"2023-01-01T00:00:00+24:00", NULL},
        {"2023-01-01 00:00:00Z", NULL},
        {"2023-1-01T00:00:00Z", NULL},
        {"2023-01-01T00:00:00Z ", NULL},
        {"23-01-01T00:00:00Z", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wall wall = {7};
        struct buffer out;
        if (date_parse_iso8601(slice_of_string(rows[i].text), &wall) != (rows[i].again != NULL))
            fail_msg("%s", rows[i].text);
        if (!rows[i].again) {
            assert_int_equal(wall.ns, 7);
            continue;
        }
        buffer_init(&out, 100);
        date_format_iso8601(wall, 0, &out);
        if (!slice_equal(buffer_slice(&out), slice_of_string(rows[i].again)))
            fail_msg("%s became %.*s", rows[i].text, (int)buffer_len(&out), buffer_slice(&out).at);
        buffer_finish(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(fractions_of_a_second_are_kept),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(formats_are_exact),
        cmocka_unit_test(calendar_and_day_numbers_agree),
        cmocka_unit_test(what_is_formatted_parses_to_the_same),
        cmocka_unit_test(both_readers_agree_on_the_usual_form),
        cmocka_unit_test(internet_dates_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
