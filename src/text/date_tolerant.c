/* SPDX-License-Identifier: ISC */
/* Dates in whatever form: obsolete ones (RFC 5322 §4.3), asctime, ISO 8601, and broken ones.
 *
 * The text is cut into words, numbers and marks, comments left out before. A word says what it is.
 * A number is part of a time if a ':' stands by it, of a zone if a sign stands before it and a time
 * was seen, else of the date; which part of the date is settled at the end, when all are known. */
#include "base/cursor.h"
#include "text/date_private.h"

enum { DATE_NUMBERS = 3, DIGITS_MAX = 14 };

struct number {
    int64_t value;
    unsigned digits;
};

struct reader {
    struct cursor cursor;
    struct date_parts parts;
    struct number numbers[DATE_NUMBERS]; /* of the date, in their order */
    size_t count;
    size_t count_before_month; /* numbers that stood before the month's name */
    bool has_time;
    bool has_zone;
    uint8_t mark;      /* the mark before this token, 0 for none */
    uint8_t date_mark; /* what stands between the numbers of the date */
};

struct word {
    const char *name; /* lower-case */
    int16_t value;
};

/* English first: a word is a month if it begins with one of these. Mailers that write dates in the
 * language of their user have been with us always. */
static const struct word months[] = {
    {"jan", 1},         {"feb", 2},  {"mar", 3},  {"apr", 4},        {"may", 5},  {"jun", 6},
    {"jul", 7},         {"aug", 8},  {"sep", 9},  {"oct", 10},       {"nov", 11}, {"dec", 12},
    {"mai", 5},         {"okt", 10}, {"dez", 12}, {"m\303\244r", 3}, {"mrz", 3},  {"fev", 2},
    {"f\303\251v", 2},  {"avr", 4},  {"juin", 6}, {"juil", 7},       {"aou", 8},  {"ao\303\273", 8},
    {"d\303\251c", 12}, {"ene", 1},  {"abr", 4},  {"ago", 8},        {"dic", 12}, {"gen", 1},
    {"mag", 5},         {"giu", 6},  {"lug", 7},  {"set", 9},        {"ott", 10}, {"mei", 5},
    {"mrt", 3},         {"out", 10}, {"maj", 5},
};

static const struct word weekdays[] = {
    {"sun", 0}, {"mon", 1}, {"tue", 2}, {"wed", 3}, {"thu", 4}, {"fri", 5}, {"sat", 6},
};

/* obs-zone (§4.3) and others in use, minutes east of UTC. Those that mean several places are left
 * out (IST, BST of Bangladesh …), but for what Europe and America mean by them. */
static const struct word zones[] = {
    {"ut", 0},      {"gmt", 0},     {"utc", 0},     {"z", 0},       {"zulu", 0},   {"wet", 0},
    {"est", -300},  {"edt", -240},  {"cst", -360},  {"cdt", -300},  {"mst", -420}, {"mdt", -360},
    {"pst", -480},  {"pdt", -420},  {"akst", -540}, {"akdt", -480}, {"hst", -600}, {"ast", -240},
    {"adt", -180},  {"nst", -210},  {"ndt", -150},  {"bst", 60},    {"west", 60},  {"cet", 60},
    {"met", 60},    {"mez", 60},    {"cest", 120},  {"mest", 120},  {"mesz", 120}, {"eet", 120},
    {"eest", 180},  {"msk", 180},   {"msd", 240},   {"sast", 120},  {"jst", 540},  {"kst", 540},
    {"hkt", 480},   {"sgt", 480},   {"awst", 480},  {"acst", 570},  {"aest", 600}, {"aedt", 660},
    {"nzst", 720},  {"nzdt", 780},  {"brt", -180},  {"art", -180},
};

static byte_set blanks = {[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true};

static bool
is_word_octet(uint8_t octet)
{
    return byte_is_alpha(octet) || octet >= 0x80;
}

static bool
word_begins(struct slice word, const char *name)
{
    return slice_starts_with_nocase(word, slice_of_string(name));
}

/* The entry that `word` begins with, or NULL. */
static const struct word *
find_prefix(const struct word *words, size_t count, struct slice word)
{
    for (size_t i = 0; i < count; i++) {
        if (word_begins(word, words[i].name))
            return &words[i];
    }
    return NULL;
}

static const struct word *
find_zone(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        if (slice_equal_nocase(word, slice_of_string(zones[i].name)))
            return &zones[i];
    }
    return NULL;
}

static bool
date_is_full(const struct reader *reader)
{
    return reader->count + (reader->parts.month != 0) >= DATE_NUMBERS;
}

/* Writes the text with one blank for each comment: comments may stand between any two tokens of an
 * obsolete date, even before a ':' (RFC 5322 appendix A.6.3). */
static struct slice
strip_comments(struct slice text, uint8_t stripped[DATE_TEXT_MAX])
{
    size_t depth = 0, len = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        if (depth && octet == '\\') {
            i++;
        } else if (octet == '(') {
            if (depth++ == 0)
                stripped[len++] = ' ';
        } else if (depth) {
            depth -= octet == ')';
        } else {
            stripped[len++] = octet;
        }
    }
    return slice_of(stripped, len);
}

static void
set_twelve_hours(struct reader *reader, bool is_afternoon)
{
    int *hour = &reader->parts.hour;

    reader->parts.defects |= DATE_TWELVE_HOURS;
    if (is_afternoon && *hour < 12)
        *hour += 12;
    else if (!is_afternoon && *hour == 12)
        *hour = 0;
}

static void
set_zone(struct reader *reader, int minutes, bool is_unknown)
{
    reader->parts.zone_minutes = minutes;
    reader->parts.is_zone_unknown = is_unknown;
    reader->has_zone = true;
}

/* A word behind the time that is neither month nor weekday: a zone, or nothing that we know. */
static void
take_zone_word(struct reader *reader, struct slice word)
{
    const struct word *zone = find_zone(word);

    if (reader->has_zone) {
        /* "MET DST": the zone before it, in summer. */
        if (slice_equal_nocase(word, SLICE("dst")) && reader->parts.zone_minutes < 23 * 60)
            reader->parts.zone_minutes += 60;
        else if (!zone)
            reader->parts.defects |= DATE_TRAILING;
        return;
    }
    set_zone(reader, zone ? zone->value : 0, zone == NULL);
    reader->parts.defects |= DATE_ZONE_NAMED | (zone ? 0 : DATE_ZONE_UNKNOWN);
}

static void
take_month(struct reader *reader, int month)
{
    /* "mar. 3 févr.": what came first was a Tuesday. */
    bool was_weekday = reader->parts.month && reader->count_before_month == 0 && reader->count > 0;

    if (reader->parts.month)
        reader->parts.defects |= DATE_SYNTAX;
    if (reader->parts.month && !was_weekday)
        return;
    reader->parts.month = month;
    reader->count_before_month = reader->count;
    if (reader->has_time)
        reader->parts.defects |= DATE_ORDER;
}

static void
take_word(struct reader *reader)
{
    const uint8_t *start = reader->cursor.at;

    while (reader->cursor.at < reader->cursor.end && is_word_octet(*reader->cursor.at))
        reader->cursor.at++;
    struct slice word = slice_of(start, (size_t)(reader->cursor.at - start));
    const struct word *month = find_prefix(months, COUNT_OF(months), word);
    const struct word *weekday = find_prefix(weekdays, COUNT_OF(weekdays), word);

    if (reader->has_time && (slice_equal_nocase(word, SLICE("am")) ||
                             slice_equal_nocase(word, SLICE("pm")))) {
        set_twelve_hours(reader, byte_to_lower(word.at[0]) == 'p');
    } else if (reader->has_time && find_zone(word)) {
        take_zone_word(reader, word);
    } else if (weekday && reader->parts.weekday < 0) {
        reader->parts.weekday = weekday->value;
        if (word.len != 3)
            reader->parts.defects |= DATE_SYNTAX;
    } else if (month && !(reader->has_time && date_is_full(reader))) {
        take_month(reader, month->value);
        if (word.len != 3)
            reader->parts.defects |= DATE_SYNTAX;
    } else if (reader->has_time && date_is_full(reader)) {
        take_zone_word(reader, word);
    } else if (!slice_equal_nocase(word, SLICE("t"))) {
        reader->parts.defects |= DATE_SYNTAX;
    }
}

/* Takes digits, all of them; the value of more than DIGITS_MAX is no number of a date. */
static struct number
take_digits(struct cursor *cursor)
{
    struct number number = {0};

    while (cursor->at < cursor->end && byte_is_digit(*cursor->at)) {
        if (++number.digits <= DIGITS_MAX)
            number.value = number.value * 10 + (*cursor->at - '0');
        cursor->at++;
    }
    return number;
}

static bool
next_is_digit(const struct cursor *cursor, size_t ahead)
{
    return cursor_left(cursor) > ahead && byte_is_digit(cursor->at[ahead]);
}

/* A fraction of a second, behind '.' or ','. */
static void
take_fraction(struct reader *reader)
{
    int64_t unit = 100000000;

    reader->cursor.at++;
    while (next_is_digit(&reader->cursor, 0)) {
        reader->parts.nanosecond += (*reader->cursor.at++ - '0') * unit;
        unit /= 10;
    }
    reader->parts.defects |= DATE_SYNTAX;
}

static int
small(int64_t value)
{
    return value > 99 ? 99 : (int)value;
}

/* hour ":" minute [":" second], the hour taken already; blanks may stand round the colons (§4.3).
 */
static void
take_time(struct reader *reader, struct number hour, uint8_t separator)
{
    struct cursor *cursor = &reader->cursor;

    reader->has_time = true;
    reader->parts.hour = small(hour.value);
    if (separator != ':')
        reader->parts.defects |= DATE_SYNTAX;
    cursor_skip_set(cursor, blanks);
    cursor->at++;
    cursor_skip_set(cursor, blanks);
    reader->parts.minute = small(take_digits(cursor).value);
    struct cursor ahead = *cursor;
    cursor_skip_set(&ahead, blanks);
    if (cursor_peek(&ahead) != separator) {
        reader->parts.defects |= DATE_NO_SECONDS;
        return;
    }
    ahead.at++;
    cursor_skip_set(&ahead, blanks);
    if (!next_is_digit(&ahead, 0)) {
        reader->parts.defects |= DATE_NO_SECONDS | DATE_SYNTAX;
        return;
    }
    *cursor = ahead;
    reader->parts.second = small(take_digits(cursor).value);
    if ((cursor_peek(cursor) == '.' || cursor_peek(cursor) == ',') && next_is_digit(cursor, 1))
        take_fraction(reader);
}

/* A sign and a number behind the time: "+0100", "+01:00", "+1", "-100", "GMT+2". */
static void
take_zone_number(struct reader *reader, struct number number)
{
    struct cursor *cursor = &reader->cursor;
    int64_t hours = number.value, minutes = 0;
    bool is_west = reader->mark == '-';

    if (number.digits <= 2 && cursor_peek(cursor) == ':' && next_is_digit(cursor, 1)) {
        cursor->at++;
        minutes = take_digits(cursor).value;
        reader->parts.defects |= DATE_SYNTAX;
    } else if (number.digits > 2) {
        hours = number.value / 100;
        minutes = number.value % 100;
    }
    if (number.digits != 4 || reader->mark == 0)
        reader->parts.defects |= DATE_SYNTAX;
    if (number.digits > 4 || hours > 23 || minutes > 59) {
        reader->parts.defects |= DATE_ZONE_UNKNOWN;
        hours = minutes = 0;
        is_west = true;
    }
    int east = (int)(hours * 60 + minutes);
    set_zone(reader, is_west ? -east : east, is_west && east == 0);
}

/* Digits that stand together: "20011231", "0955", "095500". */
static bool
take_compact(struct reader *reader, struct number number)
{
    if (number.digits == 8 && reader->count == 0 && !reader->parts.month) {
        reader->numbers[0] = (struct number){number.value / 10000, 4};
        reader->numbers[1] = (struct number){number.value / 100 % 100, 2};
        reader->numbers[2] = (struct number){number.value % 100, 2};
        reader->count = DATE_NUMBERS;
        reader->date_mark = '-';
        reader->parts.defects |= DATE_SYNTAX;
        return true;
    }
    if (!date_is_full(reader) || reader->has_time || (number.digits != 4 && number.digits != 6))
        return false;
    int64_t clock = number.digits == 4 ? number.value * 100 : number.value;
    reader->has_time = true;
    reader->parts.hour = (int)(clock / 10000);
    reader->parts.minute = (int)(clock / 100 % 100);
    reader->parts.second = (int)(clock % 100);
    reader->parts.defects |= DATE_SYNTAX | (number.digits == 4 ? DATE_NO_SECONDS : 0);
    return true;
}

/* What separates hours from minutes behind this number, or 0 when it is no hour. */
static uint8_t
time_separator(const struct reader *reader, struct number number)
{
    struct cursor ahead = reader->cursor;

    if (reader->has_time || number.digits > 2)
        return 0;
    cursor_skip_set(&ahead, blanks);
    int separator = cursor_peek(&ahead);
    if (separator != ':' && !(separator == '.' && date_is_full(reader)))
        return 0;
    ahead.at++;
    cursor_skip_set(&ahead, blanks);
    return next_is_digit(&ahead, 0) ? (uint8_t)separator : 0;
}

static void
take_date_number(struct reader *reader, struct number number)
{
    if (reader->has_time)
        reader->parts.defects |= DATE_ORDER;
    if (reader->count && reader->mark)
        reader->date_mark = reader->mark;
    reader->numbers[reader->count++] = number;
}

static void
take_number(struct reader *reader)
{
    struct number number = take_digits(&reader->cursor);
    bool is_signed = reader->mark == '+' || reader->mark == '-';
    uint8_t separator = time_separator(reader, number);

    if (number.digits > DIGITS_MAX)
        reader->parts.defects |= DATE_TRAILING;
    else if (separator)
        take_time(reader, number, separator);
    else if (is_signed && reader->has_time && (date_is_full(reader) || number.digits >= 4))
        take_zone_number(reader, number);
    else if (take_compact(reader, number))
        return;
    else if (!date_is_full(reader))
        take_date_number(reader, number);
    else if (reader->has_time && !reader->has_zone && number.digits == 4)
        take_zone_number(reader, number);
    else
        reader->parts.defects |= DATE_TRAILING;
}

static bool
is_legal_mark(const struct reader *reader, uint8_t mark)
{
    if (mark == ',')
        return reader->parts.weekday >= 0 && reader->count == 0 && !reader->has_time;
    return (mark == '+' || mark == '-') && reader->has_time;
}

static void
read_tokens(struct reader *reader)
{
    while (!cursor_is_done(&reader->cursor)) {
        uint8_t octet = *reader->cursor.at;
        if (byte_is_digit(octet)) {
            take_number(reader);
            reader->mark = 0;
        } else if (is_word_octet(octet)) {
            take_word(reader);
            reader->mark = 0;
        } else {
            if (!blanks[octet] && !is_legal_mark(reader, octet))
                reader->parts.defects |= DATE_SYNTAX;
            if (!blanks[octet])
                reader->mark = octet;
            reader->cursor.at++;
        }
    }
}

/* §4.3: 00 to 49 is this century, 50 to 99 and three digits count from 1900. "19100" is a program
 * that put 19 before the years since 1900. */
static void
set_year(struct reader *reader, struct number number)
{
    reader->parts.year = number.value;
    if (number.digits <= 3) {
        reader->parts.defects |= DATE_YEAR_SHORT;
        reader->parts.year += number.digits <= 2 && number.value < 50 ? 2000 : 1900;
    } else if (number.digits == 5 && number.value >= 19100 && number.value < 19200) {
        reader->parts.defects |= DATE_SYNTAX;
        reader->parts.year = number.value - 17100;
    }
}

static bool
can_only_be_year(struct number number)
{
    return number.digits > 2 || number.value > 31;
}

/* A month by name and two numbers. */
static bool
settle_named(struct reader *reader)
{
    size_t year = can_only_be_year(reader->numbers[0]) ? 0 : 1;

    if (reader->count < 2 || can_only_be_year(reader->numbers[1 - year]))
        return false;
    reader->parts.day = (int)reader->numbers[1 - year].value;
    set_year(reader, reader->numbers[year]);
    if (year == 0 || reader->count_before_month != 1)
        reader->parts.defects |= DATE_ORDER;
    return reader->parts.day > 0;
}

/* Three numbers: year first (ISO 8601), or month before day where slashes stand between (America),
 * day before month else; what cannot be a month is none. */
static bool
settle_numbers(struct reader *reader)
{
    const struct number *numbers = reader->numbers;

    if (reader->count < DATE_NUMBERS)
        return false;
    bool is_year_first = can_only_be_year(numbers[0]);
    struct number month = numbers[1];
    struct number day = is_year_first ? numbers[2] : numbers[0];
    if (!is_year_first && reader->date_mark == '/') {
        month = numbers[0];
        day = numbers[1];
    }
    if (month.value > 12 && day.value <= 12) {
        struct number other = month;
        month = day;
        day = other;
    }
    if (month.value < 1 || month.value > 12 || day.value < 1 || day.value > 31)
        return false;
    reader->parts.month = (int)month.value;
    reader->parts.day = (int)day.value;
    reader->parts.defects |= DATE_SYNTAX;
    if (is_year_first)
        reader->parts.defects |= DATE_ORDER;
    set_year(reader, numbers[is_year_first ? 0 : 2]);
    return true;
}

bool
date_parse_tolerant(struct slice text, struct date_parts *ret_parts)
{
    uint8_t stripped[DATE_TEXT_MAX];
    struct reader reader = {.parts = {.weekday = -1}};

    reader.cursor = cursor_of(strip_comments(slice_first(text, DATE_TEXT_MAX), stripped));
    read_tokens(&reader);
    if (!(reader.parts.month ? settle_named(&reader) : settle_numbers(&reader)))
        return false;
    if (!reader.has_time)
        reader.parts.defects |= DATE_NO_TIME;
    if (!reader.has_zone) {
        reader.parts.is_zone_unknown = true;
        reader.parts.defects |= DATE_NO_ZONE;
    }
    *ret_parts = reader.parts;
    return true;
}
