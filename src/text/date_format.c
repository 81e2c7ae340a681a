/* SPDX-License-Identifier: ISC */
#include "text/date.h"
#include "text/date_private.h"

enum { DAY_SECONDS = 86400, ZONE_MINUTES_MAX = 1439 };

static const char month_names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekday_names[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* Rounds down, before 1970 too. */
static int64_t
divide_down(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

struct date_civil
date_civil_of(struct wall wall, int zone_minutes)
{
    assert(zone_minutes >= -ZONE_MINUTES_MAX && zone_minutes <= ZONE_MINUTES_MAX);
    int64_t seconds = divide_down(wall.ns, 1000000000) + zone_minutes * 60;
    int64_t days = divide_down(seconds, DAY_SECONDS);
    int64_t clock = seconds - days * DAY_SECONDS;
    /* Four hundred years have 146097 days; day 0 of an era is a 1st of March. */
    int64_t shifted = days + 719468;
    int64_t era = divide_down(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    return (struct date_civil){
        .year = (int)(year_of_era + era * 400 + (month >= 10)),
        .month = (uint8_t)(month < 10 ? month + 3 : month - 9),
        .day = (uint8_t)(day_of_year - (153 * month + 2) / 5 + 1),
        .weekday = (uint8_t)date_weekday(days),
        .hour = (uint8_t)(clock / 3600),
        .minute = (uint8_t)(clock / 60 % 60),
        .second = (uint8_t)(clock % 60),
    };
}

static void
put_clock(struct buffer *out, const struct date_civil *civil)
{
    buffer_put_padded(out, civil->hour, 2);
    buffer_put_byte(out, ':');
    buffer_put_padded(out, civil->minute, 2);
    buffer_put_byte(out, ':');
    buffer_put_padded(out, civil->second, 2);
}

static void
put_zone(struct buffer *out, int zone_minutes, const char *separator)
{
    unsigned minutes = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);

    buffer_put_byte(out, zone_minutes < 0 ? '-' : '+');
    buffer_put_padded(out, minutes / 60, 2);
    buffer_put_text(out, separator);
    buffer_put_padded(out, minutes % 60, 2);
}

void
date_format_rfc5322(struct wall wall, int zone_minutes, struct buffer *out)
{
    struct date_civil civil = date_civil_of(wall, zone_minutes);

    buffer_put_text(out, weekday_names[civil.weekday]);
    buffer_put(out, SLICE(", "));
    buffer_put_decimal(out, civil.day);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, month_names[civil.month - 1]);
    buffer_put_byte(out, ' ');
    buffer_put_padded(out, (unsigned)civil.year, 4);
    buffer_put_byte(out, ' ');
    put_clock(out, &civil);
    buffer_put_byte(out, ' ');
    put_zone(out, zone_minutes, "");
}

/* Two places, a blank in front of a single digit. */
static void
put_day(struct buffer *out, unsigned day)
{
    if (day < 10)
        buffer_put_byte(out, ' ');
    buffer_put_decimal(out, day);
}

void
date_format_imap(struct wall wall, int zone_minutes, struct buffer *out)
{
    struct date_civil civil = date_civil_of(wall, zone_minutes);

    put_day(out, civil.day);
    buffer_put_byte(out, '-');
    buffer_put_text(out, month_names[civil.month - 1]);
    buffer_put_byte(out, '-');
    buffer_put_padded(out, (unsigned)civil.year, 4);
    buffer_put_byte(out, ' ');
    put_clock(out, &civil);
    buffer_put_byte(out, ' ');
    put_zone(out, zone_minutes, "");
}

void
date_format_iso8601(struct wall wall, int zone_minutes, struct buffer *out)
{
    struct date_civil civil = date_civil_of(wall, zone_minutes);

    buffer_put_padded(out, (unsigned)civil.year, 4);
    buffer_put_byte(out, '-');
    buffer_put_padded(out, civil.month, 2);
    buffer_put_byte(out, '-');
    buffer_put_padded(out, civil.day, 2);
    buffer_put_byte(out, 'T');
    put_clock(out, &civil);
    if (zone_minutes == 0)
        buffer_put_byte(out, 'Z');
    else
        put_zone(out, zone_minutes, ":");
}

void
date_format_asctime(struct wall wall, struct buffer *out)
{
    struct date_civil civil = date_civil_of(wall, 0);

    buffer_put_text(out, weekday_names[civil.weekday]);
    buffer_put_byte(out, ' ');
    buffer_put_text(out, month_names[civil.month - 1]);
    buffer_put_byte(out, ' ');
    put_day(out, civil.day);
    buffer_put_byte(out, ' ');
    put_clock(out, &civil);
    buffer_put_byte(out, ' ');
    buffer_put_padded(out, (unsigned)civil.year, 4);
}
