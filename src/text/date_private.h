/* SPDX-License-Identifier: ISC */
/* What date.c (the usual form), date_tolerant.c (all others) and date_format.c share.
 * Private to the room. */
#ifndef TEXT_DATE_PRIVATE_H
#define TEXT_DATE_PRIVATE_H

#include "text/date.h"

/* What was read, before it is checked. */
struct date_parts {
    int64_t year;
    int month;   /* 1 to 12, 0: none */
    int day;
    int weekday; /* 0 = Sunday, -1: none */
    int hour, minute, second;
    int64_t nanosecond;
    int zone_minutes;
    bool is_zone_unknown;
    uint16_t defects;
};

/* Days from 1970-01-01 in the Gregorian calendar; the day of the month need not exist. */
int64_t date_days(int64_t year, int month, int day);
int date_month_days(int64_t year, int month);
int date_weekday(int64_t days);

/* Brings what was read into bounds, noting what did not fit. */
struct date date_settle(struct date_parts parts);

/* Reads any form whatever. */
bool date_parse_tolerant(struct slice text, struct date_parts *ret_parts);

#endif
