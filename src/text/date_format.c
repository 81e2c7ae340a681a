/* SPDX-License-Identifier: ISC */
#include "text/date.h"
#include "text/date_private.h"

enum { DAY_SECONDS = 86400, ZONE_MINUTES_MAX = 1439, DATE_IMAP_LEN = 26 };

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

static void
set_two(uint8_t *at, unsigned number)
{
    at[0] = (uint8_t)('0' + number / 10);
    at[1] = (uint8_t)('0' + number % 10);
}

/* Each message of a FETCH has one: it is made in one piece. Years have four digits, since wall
 * times are nanoseconds in 64 bits. */
void
date_format_imap(struct wall wall, int zone_minutes, struct buffer *out)
{
    struct date_civil civil = date_civil_of(wall, zone_minutes);
    unsigned minutes = (unsigned)(zone_minutes < 0 ? -zone_minutes : zone_minutes);
    uint8_t *at = buffer_reserve(out, DATE_IMAP_LEN);

    if (!at)
        return;
    memcpy(at, "00-Mon-0000 00:00:00 +0000", DATE_IMAP_LEN);
    set_two(at, civil.day);
    if (civil.day < 10)
        at[0] = ' ';
    memcpy(at + 3, month_names[civil.month - 1], 3);
    set_two(at + 7, (unsigned)civil.year / 100);
    set_two(at + 9, (unsigned)civil.year % 100);
    set_two(at + 12, civil.hour);
    set_two(at + 15, civil.minute);
    set_two(at + 18, civil.second);
    at[21] = zone_minutes < 0 ? '-' : '+';
    set_two(at + 22, minutes / 60);
    set_two(at + 24, minutes % 60);
    buffer_commit(out, DATE_IMAP_LEN);
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
