/* SPDX-License-Identifier: ISC */
/* Dates as mail writes them: RFC 5322 §3.3, its obsolete forms §4.3, and the broken forms that
 * occur. Parsing succeeds when year, month and day can be made out; defects tell what had to be
 * guessed. Formatting for header fields, IMAP, ISO 8601 and the mbox "From " line. */
#ifndef TEXT_DATE_H
#define TEXT_DATE_H

#include "base/buffer.h"
#include "base/time.h"

enum date_defect {
    DATE_YEAR_SHORT = 1 << 0,     /* two or three digits (§4.3 says how to read them) */
    DATE_NO_TIME = 1 << 2,        /* midnight was assumed */
    DATE_NO_SECONDS = 1 << 3,     /* allowed by RFC 5322, but rare */
    DATE_NO_ZONE = 1 << 4,        /* UTC was assumed */
    DATE_ZONE_NAMED = 1 << 5,     /* obs-zone: GMT, EST, …; or one that RFC 5322 does not have */
    DATE_ZONE_UNKNOWN = 1 << 6,   /* a name or number that means nothing: taken as -0000 */
    DATE_WEEKDAY_WRONG = 1 << 7,  /* not the weekday of that day */
    DATE_ORDER = 1 << 8,          /* month before day, year first, time before date */
    DATE_SYNTAX = 1 << 9,         /* commas, dots, dashes, full names … where they do not belong */
    DATE_CLAMPED = 1 << 10,       /* a day 31 of a 30-day month, hour 24, second 60 …, or a year
                                     beyond struct wall: the nearest that exists was taken */
    DATE_TWELVE_HOURS = 1 << 11,  /* AM or PM */
    DATE_TRAILING = 1 << 12,      /* something not understood stood behind */
};

struct date {
    struct wall wall;      /* the instant */
    int16_t zone_minutes;  /* east of UTC, within ±1439: how the writer's clock stood */
    bool is_zone_unknown;  /* "-0000" (§3.3): UTC, and nothing said of the writer's place */
    uint16_t defects;      /* of enum date_defect */
};

/* Only this much of a text is looked at. */
enum { DATE_TEXT_MAX = 256 };

/* False, *ret_date untouched, when no date can be made out. Comments and folds are passed over. */
MUST_USE bool date_parse(struct slice text, struct date *ret_date);

/* "Fri, 21 Nov 1997 09:55:06 -0600" (RFC 5322 §3.3). zone_minutes within ±1439. */
void date_format_rfc5322(struct wall wall, int zone_minutes, struct buffer *out);

/* " 7-Feb-1994 21:52:25 -0800" (RFC 9051 date-time, without its quotes). */
void date_format_imap(struct wall wall, int zone_minutes, struct buffer *out);

/* "1997-11-21T09:55:06-06:00", "…Z" for UTC (RFC 3339). */
void date_format_iso8601(struct wall wall, int zone_minutes, struct buffer *out);

/* Takes what that puts, and fractions of a second, which are cut; nothing else (RFC 3339 §5.6). */
MUST_USE bool date_parse_iso8601(struct slice text, struct wall *ret_wall);

/* "Fri Nov 21 15:55:06 1997", in UTC: RFC 4155's From line. */
void date_format_asctime(struct wall wall, struct buffer *out);

/* A day on the calendar and a time on the clock, in some zone. */
struct date_civil {
    int year;
    uint8_t month;   /* 1 to 12 */
    uint8_t day;     /* 1 to 31 */
    uint8_t weekday; /* 0 = Sunday */
    uint8_t hour, minute, second;
};

/* What calendar and clock showed `zone_minutes` east of UTC. */
struct date_civil date_civil_of(struct wall wall, int zone_minutes);

#endif
