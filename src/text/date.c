/* SPDX-License-Identifier: ISC */
/* The calendar, and the form that nine dates of ten have:
 * [day-name ","] day month year hour ":" minute ":" second zone (RFC 5322 §3.3). */
#include "text/date.h"
#include "base/cursor.h"
#include "text/date_private.h"

/* struct wall reaches from 1677-09-21 to 2262-04-11. */
enum { YEAR_MIN = 1678, YEAR_MAX = 2261, DAY_SECONDS = 86400 };

int64_t
date_days(int64_t year, int month, int day)
{
    /* Years begin in March, so that the leap day comes last (Fliegel, van Flandern). */
    int64_t shifted = year - (month <= 2);
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int
date_month_days(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

int
date_weekday(int64_t days)
{
    int64_t weekday = (days + 4) % 7;
    return (int)(weekday < 0 ? weekday + 7 : weekday);
}

/* 24:00 is the end of the day and :60 a leap second (§3.3); all beyond is cut down. */
static void
clamp_time(struct date_parts *parts)
{
    bool is_midnight = parts->hour == 24 && parts->minute == 0 && parts->second == 0;

    if (is_midnight)
        parts->defects |= DATE_CLAMPED;
    if ((parts->hour > 23 && !is_midnight) || parts->minute > 59 || parts->second > 60) {
        parts->defects |= DATE_CLAMPED;
        parts->hour = parts->hour > 23 ? 23 : parts->hour;
        parts->minute = parts->minute > 59 ? 59 : parts->minute;
        parts->second = parts->second > 59 ? 59 : parts->second;
    }
}

struct date
date_settle(struct date_parts parts)
{
    if (parts.year < YEAR_MIN || parts.year > YEAR_MAX) {
        parts.defects |= DATE_CLAMPED;
        parts.year = parts.year < YEAR_MIN ? YEAR_MIN : YEAR_MAX;
    }
    if (parts.day > date_month_days(parts.year, parts.month)) {
        parts.defects |= DATE_CLAMPED;
        parts.day = date_month_days(parts.year, parts.month);
    }
    clamp_time(&parts);
    int64_t days = date_days(parts.year, parts.month, parts.day);
    if (parts.weekday >= 0 && parts.weekday != date_weekday(days))
        parts.defects |= DATE_WEEKDAY_WRONG;
    int64_t seconds = days * DAY_SECONDS + parts.hour * 3600 + parts.minute * 60 + parts.second -
                      parts.zone_minutes * 60;
    return (struct date){
        .wall = {seconds * 1000000000 + parts.nanosecond},
        .zone_minutes = (int16_t)parts.zone_minutes,
        .is_zone_unknown = parts.is_zone_unknown,
        .defects = parts.defects,
    };
}

/* Three letters, in any case, as one number. */
#define WORD(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

static uint32_t
word_at(const uint8_t *at)
{
    return WORD(at[0] | 0x20, at[1] | 0x20, at[2] | 0x20);
}

static int
month_of(uint32_t word)
{
    switch (word) {
    case WORD('j', 'a', 'n'): return 1;
    case WORD('f', 'e', 'b'): return 2;
    case WORD('m', 'a', 'r'): return 3;
    case WORD('a', 'p', 'r'): return 4;
    case WORD('m', 'a', 'y'): return 5;
    case WORD('j', 'u', 'n'): return 6;
    case WORD('j', 'u', 'l'): return 7;
    case WORD('a', 'u', 'g'): return 8;
    case WORD('s', 'e', 'p'): return 9;
    case WORD('o', 'c', 't'): return 10;
    case WORD('n', 'o', 'v'): return 11;
    case WORD('d', 'e', 'c'): return 12;
    default: return 0;
    }
}

static int
weekday_of(uint32_t word)
{
    switch (word) {
    case WORD('s', 'u', 'n'): return 0;
    case WORD('m', 'o', 'n'): return 1;
    case WORD('t', 'u', 'e'): return 2;
    case WORD('w', 'e', 'd'): return 3;
    case WORD('t', 'h', 'u'): return 4;
    case WORD('f', 'r', 'i'): return 5;
    case WORD('s', 'a', 't'): return 6;
    default: return -1;
    }
}

/* Two digits, or -1. */
static int
two_digits(const uint8_t *at)
{
    return byte_is_digit(at[0]) && byte_is_digit(at[1]) ? (at[0] - '0') * 10 + at[1] - '0' : -1;
}

/* "+hhmm" at the end, or before a comment. */
static bool
take_zone(struct slice text, struct date_parts *parts)
{
    int hours = two_digits(text.at + 1), minutes = two_digits(text.at + 3);
    bool is_west = text.at[0] == '-';

    if ((!is_west && text.at[0] != '+') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return false;
    parts->zone_minutes = (is_west ? -1 : 1) * (hours * 60 + minutes);
    parts->is_zone_unknown = is_west && parts->zone_minutes == 0;
    struct slice behind = slice_trim(slice_skip(text, 5));
    return behind.len == 0 || (slice_starts_with(behind, SLICE("(")) &&
                               slice_find_byte(behind, ')') == behind.len - 1);
}

/* "yyyy hh:mm:ss +hhmm", 20 octets and perhaps a comment. */
static bool
take_year_and_time(struct slice text, struct date_parts *parts)
{
    const uint8_t *at = text.at;

    if (text.len < 19 || at[4] != ' ' || at[7] != ':' || at[10] != ':' || at[13] != ' ')
        return false;
    int century = two_digits(at), year = two_digits(at + 2);
    parts->hour = two_digits(at + 5);
    parts->minute = two_digits(at + 8);
    parts->second = two_digits(at + 11);
    if (century < 0 || year < 0 || parts->hour < 0 || parts->minute < 0 || parts->second < 0)
        return false;
    parts->year = century * 100 + year;
    return take_zone(slice_skip(text, 14), parts);
}

/* The usual form, to the letter; anything else is left to date_parse_tolerant. */
static bool
parse_usual(struct slice text, struct date_parts *ret_parts)
{
    struct date_parts parts = {.weekday = -1};
    const uint8_t *at = text.at;
    const uint8_t *end = text.at + text.len;

    if (text.len < 24)
        return false;
    if (at[3] == ',' && at[4] == ' ') {
        parts.weekday = weekday_of(word_at(at));
        if (parts.weekday < 0)
            return false;
        at += 5;
    }
    if (!byte_is_digit(at[0]))
        return false;
    parts.day = *at++ - '0';
    if (byte_is_digit(at[0]))
        parts.day = parts.day * 10 + *at++ - '0';
    if (end - at < 5 || at[0] != ' ' || at[4] != ' ' || parts.day == 0 || parts.day > 31)
        return false;
    parts.month = month_of(word_at(at + 1));
    at += 5;
    if (parts.month == 0 || !take_year_and_time(slice_of(at, (size_t)(end - at)), &parts))
        return false;
    *ret_parts = parts;
    return true;
}

bool
date_parse(struct slice text, struct date *ret_date)
{
    struct date_parts parts;

    text = slice_first(slice_trim(text), DATE_TEXT_MAX);
    if (!parse_usual(text, &parts) && !date_parse_tolerant(text, &parts))
        return false;
    *ret_date = date_settle(parts);
    return true;
}

/* ---- RFC 3339 ------------------------------------------------------------------------------ */

/* `digits` of them, between min and max. */
static bool
take_digits(struct cursor *cursor, size_t digits, int min, int max, int *ret_number)
{
    struct slice text;
    int number = 0;

    if (!cursor_take_bytes(cursor, digits, &text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_digit(text.at[i]))
            return false;
        number = number * 10 + (text.at[i] - '0');
    }
    *ret_number = number;
    return number >= min && number <= max;
}

/* time-secfrac: what is finer than nanoseconds is dropped. */
static bool
take_fraction(struct cursor *cursor, int64_t *ret_nanosecond)
{
    static byte_set digits = {['0' ... '9'] = true};
    int64_t unit = 100000000;
    struct slice fraction;

    if (!cursor_take_byte(cursor, '.'))
        return true;
    if (!cursor_take_set(cursor, digits, DATE_TEXT_MAX, &fraction))
        return false;
    for (size_t i = 0; i < fraction.len && unit > 0; i++, unit /= 10)
        *ret_nanosecond += (fraction.at[i] - '0') * unit;
    return true;
}

/* time-offset */
static bool
take_offset(struct cursor *cursor, int *ret_minutes)
{
    bool is_west = cursor_peek(cursor) == '-';
    int hours, minutes;

    if (cursor_take_byte(cursor, 'Z') || cursor_take_byte(cursor, 'z'))
        return true;
    if (!cursor_take_byte(cursor, is_west ? '-' : '+') || !take_digits(cursor, 2, 0, 23, &hours) ||
        !cursor_take_byte(cursor, ':') || !take_digits(cursor, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = (is_west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool
date_parse_iso8601(struct slice text, struct wall *ret_wall)
{
    struct cursor cursor = cursor_of(text);
    struct date_parts parts = {.weekday = -1};
    int year;

    if (!take_digits(&cursor, 4, YEAR_MIN, YEAR_MAX, &year) || !cursor_take_byte(&cursor, '-') ||
        !take_digits(&cursor, 2, 1, 12, &parts.month) || !cursor_take_byte(&cursor, '-') ||
        !take_digits(&cursor, 2, 1, date_month_days(year, parts.month), &parts.day) ||
        (!cursor_take_byte(&cursor, 'T') && !cursor_take_byte(&cursor, 't')) ||
        !take_digits(&cursor, 2, 0, 23, &parts.hour) || !cursor_take_byte(&cursor, ':') ||
        !take_digits(&cursor, 2, 0, 59, &parts.minute) || !cursor_take_byte(&cursor, ':') ||
        !take_digits(&cursor, 2, 0, 60, &parts.second) ||
        !take_fraction(&cursor, &parts.nanosecond) || !take_offset(&cursor, &parts.zone_minutes) ||
        !cursor_is_done(&cursor))
        return false;
    parts.year = year;
    *ret_wall = date_settle(parts).wall;
    return true;
}
