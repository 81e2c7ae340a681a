/* SPDX-License-Identifier: ISC */
#include "imap/grammar.h"

#include "text/unicode.h"
#include "text/utf7.h"
#include "text/utf8.h"

enum { NAME_MAX_OCTETS = 4096, QUOTED_MAX = 64 * 1024 };

bool
imap_is_atom_char(uint8_t byte)
{
    /* atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials /
     * resp-specials */
    static const char specials[] = "(){%*\"\\]";

    return byte > 0x20 && byte < 0x7F && !strchr(specials, byte);
}

/* Looks at one more than `max` octets at most: a tag is sought each time when more of it comes. */
static bool
take_while(struct cursor *cursor, bool (*is_member)(uint8_t), size_t max, struct slice *ret_bytes)
{
    const uint8_t *at = cursor->at;

    while (at < cursor->end && (size_t)(at - cursor->at) <= max && is_member(*at))
        at++;
    size_t len = (size_t)(at - cursor->at);
    if (len == 0 || len > max)
        return false;
    *ret_bytes = slice_of(cursor->at, len);
    cursor->at = at;
    return true;
}

static bool
is_astring_char(uint8_t byte)
{
    return imap_is_atom_char(byte) || byte == ']';
}

static bool
is_tag_char(uint8_t byte)
{
    return is_astring_char(byte) && byte != '+';
}

static bool
is_list_char(uint8_t byte)
{
    return is_astring_char(byte) || byte == '%' || byte == '*' || byte >= 0x80;
}

static bool
is_name_char(uint8_t byte)
{
    return is_astring_char(byte) || byte >= 0x80;
}

bool
imap_take_space(struct cursor *cursor)
{
    return cursor_take_byte(cursor, ' ');
}

bool
imap_take_tag(struct cursor *cursor, struct slice *ret_tag)
{
    return take_while(cursor, is_tag_char, IMAP_TAG_MAX, ret_tag);
}

bool
imap_take_atom(struct cursor *cursor, struct slice *ret_atom)
{
    return take_while(cursor, imap_is_atom_char, IMAP_ATOM_MAX, ret_atom);
}

bool
imap_take_word(struct cursor *cursor, struct slice word)
{
    struct cursor ahead = *cursor;

    if (!cursor_take_text_nocase(&ahead, word))
        return false;
    int next = cursor_peek(&ahead);
    if (next >= 0 && (byte_is_alpha((uint8_t)next) || byte_is_digit((uint8_t)next) || next == '-'))
        return false;
    *cursor = ahead;
    return true;
}

bool
imap_take_literal(struct cursor *cursor, struct slice *ret_octets, bool *ret_is_binary)
{
    struct cursor ahead = *cursor;
    uint64_t len;
    bool is_binary = cursor_take_byte(&ahead, '~');

    if (!cursor_take_byte(&ahead, '{') || !cursor_take_u64(&ahead, 0, UINT32_MAX, &len))
        return false;
    (void)!cursor_take_byte(&ahead, '+');
    if (!cursor_take_byte(&ahead, '}'))
        return false;
    (void)!cursor_take_byte(&ahead, '\r');
    if (!cursor_take_byte(&ahead, '\n') || !cursor_take_bytes(&ahead, (size_t)len, ret_octets))
        return false;
    *cursor = ahead;
    if (ret_is_binary)
        *ret_is_binary = is_binary;
    return true;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE */
static bool
take_quoted(struct cursor *cursor, struct arena *arena, struct slice *ret_string)
{
    struct cursor ahead = *cursor;
    bool has_escape = false;

    if (!cursor_take_byte(&ahead, '"'))
        return false;
    const uint8_t *start = ahead.at;
    while (ahead.at < ahead.end && *ahead.at != '"') {
        if (*ahead.at == '\r' || *ahead.at == '\n' || *ahead.at == 0)
            return false;
        if (*ahead.at == '\\') {
            has_escape = true;
            ahead.at++;
            if (ahead.at == ahead.end || (*ahead.at != '"' && *ahead.at != '\\'))
                return false;
        }
        ahead.at++;
    }
    struct slice raw = slice_of(start, (size_t)(ahead.at - start));
    if (!cursor_take_byte(&ahead, '"') || raw.len > QUOTED_MAX)
        return false;
    if (has_escape) {
        uint8_t *copy = arena_new(arena, raw.len + 1);
        size_t len = 0;
        if (!copy)
            return false;
        for (size_t i = 0; i < raw.len; i++) {
            i += raw.at[i] == '\\';
            copy[len++] = raw.at[i];
        }
        raw = slice_of(copy, len);
    }
    *ret_string = raw;
    *cursor = ahead;
    return true;
}

bool
imap_take_string(struct cursor *cursor, struct arena *arena, struct slice *ret_string)
{
    return take_quoted(cursor, arena, ret_string) || imap_take_literal(cursor, ret_string, NULL);
}

bool
imap_take_astring(struct cursor *cursor, struct arena *arena, struct slice *ret_string)
{
    return imap_take_string(cursor, arena, ret_string) ||
           take_while(cursor, is_name_char, IMAP_ATOM_MAX, ret_string);
}

bool
imap_take_nstring(struct cursor *cursor, struct arena *arena, struct slice *ret_string)
{
    if (imap_take_string(cursor, arena, ret_string))
        return true;
    if (!imap_take_word(cursor, SLICE("NIL")))
        return false;
    *ret_string = slice_of(NULL, 0);
    return true;
}

bool
imap_take_list_mailbox(struct cursor *cursor, struct arena *arena, struct slice *ret_pattern)
{
    return imap_take_string(cursor, arena, ret_pattern) ||
           take_while(cursor, is_list_char, IMAP_ATOM_MAX, ret_pattern);
}

bool
imap_take_nz_number(struct cursor *cursor, uint32_t *ret_number)
{
    return cursor_peek(cursor) != '0' && cursor_take_u32(cursor, 1, UINT32_MAX, ret_number);
}

bool
imap_take_number64(struct cursor *cursor, uint64_t *ret_number)
{
    return cursor_take_u64(cursor, 0, INT64_MAX, ret_number);
}

/* ---- dates ----------------------------------------------------------------------------------- */

static bool
take_month(struct cursor *cursor, unsigned *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned i = 0; i < 12; i++) {
        if (cursor_take_text_nocase(cursor, slice_of(names + (size_t)i * 3, 3))) {
            *ret_month = i + 1;
            return true;
        }
    }
    return false;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int32_t
days_of(int year, int month, int day)
{
    int shifted = year - (month <= 2);
    int era = shifted / 400, of_era = shifted - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool
take_digits(struct cursor *cursor, unsigned count, uint32_t max, uint32_t *ret_number)
{
    struct cursor ahead = *cursor;
    struct slice digits;
    uint32_t number;

    if (!cursor_take_bytes(&ahead, count, &digits))
        return false;
    struct cursor inside = cursor_of(digits);
    if (!cursor_take_u32(&inside, 0, max, &number) || !cursor_is_done(&inside))
        return false;
    *ret_number = number;
    *cursor = ahead;
    return true;
}

/* date-month "-" date-year behind the day */
static bool
take_month_and_year(struct cursor *cursor, uint32_t day, int32_t *ret_day)
{
    unsigned month;
    uint32_t year;

    if (day < 1 || day > 31 || !cursor_take_byte(cursor, '-') || !take_month(cursor, &month) ||
        !cursor_take_byte(cursor, '-') || !take_digits(cursor, 4, 9999, &year))
        return false;
    *ret_day = days_of((int)year, (int)month, (int)day);
    return true;
}

bool
imap_take_date(struct cursor *cursor, int32_t *ret_day)
{
    struct cursor ahead = *cursor;
    bool is_quoted = cursor_take_byte(&ahead, '"');
    uint32_t number;
    int32_t day;

    if (!cursor_take_u32(&ahead, 1, 31, &number) || !take_month_and_year(&ahead, number, &day) ||
        (is_quoted && !cursor_take_byte(&ahead, '"')))
        return false;
    *ret_day = day;
    *cursor = ahead;
    return true;
}

static bool
take_time(struct cursor *cursor, int64_t *ret_seconds)
{
    uint32_t hour, minute, second;

    if (!take_digits(cursor, 2, 23, &hour) || !cursor_take_byte(cursor, ':') ||
        !take_digits(cursor, 2, 59, &minute) || !cursor_take_byte(cursor, ':') ||
        !take_digits(cursor, 2, 60, &second))
        return false;
    *ret_seconds = (int64_t)hour * 3600 + minute * 60 + second;
    return true;
}

static bool
take_zone(struct cursor *cursor, int64_t *ret_seconds)
{
    uint32_t hours, minutes;
    bool is_west = cursor_take_byte(cursor, '-');

    if ((!is_west && !cursor_take_byte(cursor, '+')) || !take_digits(cursor, 2, 23, &hours) ||
        !take_digits(cursor, 2, 59, &minutes))
        return false;
    int64_t seconds = (int64_t)hours * 3600 + minutes * 60;
    *ret_seconds = is_west ? -seconds : seconds;
    return true;
}

bool
imap_take_date_time(struct cursor *cursor, struct wall *ret_wall)
{
    struct cursor ahead = *cursor;
    uint32_t number;
    int32_t day;
    int64_t time, zone;

    if (!cursor_take_byte(&ahead, '"'))
        return false;
    (void)!cursor_take_byte(&ahead, ' '); /* date-day-fixed = (SP DIGIT) / 2DIGIT */
    if (!cursor_take_u32(&ahead, 1, 31, &number) || !take_month_and_year(&ahead, number, &day) ||
        !imap_take_space(&ahead) || !take_time(&ahead, &time) || !imap_take_space(&ahead) ||
        !take_zone(&ahead, &zone) || !cursor_take_byte(&ahead, '"'))
        return false;
    int64_t seconds = (int64_t)day * 86400 + time - zone;
    if (seconds > INT64_MAX / 1000000000 || seconds < INT64_MIN / 1000000000)
        return false;
    ret_wall->ns = seconds * 1000000000;
    *cursor = ahead;
    return true;
}

/* ---- flags ----------------------------------------------------------------------------------- */

static bool
take_system_flag(struct cursor *cursor, struct imap_flags *flags)
{
    static const struct {
        struct slice name;
        uint8_t bit;
    } names[] = {
        {{(const uint8_t *)"\\Seen", 5}, IMAP_SEEN},
        {{(const uint8_t *)"\\Answered", 9}, IMAP_ANSWERED},
        {{(const uint8_t *)"\\Flagged", 8}, IMAP_FLAGGED},
        {{(const uint8_t *)"\\Deleted", 8}, IMAP_DELETED},
        {{(const uint8_t *)"\\Draft", 6}, IMAP_DRAFT},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (imap_take_word(cursor, names[i].name)) {
            flags->bits |= names[i].bit;
            return true;
        }
    }
    if (!imap_take_word(cursor, SLICE("\\Recent")))
        return false;
    flags->has_recent = true; /* servers ignore it (RFC 3501 §6.4.6 lets no client change it) */
    return true;
}

bool
imap_take_flag(struct cursor *cursor, struct imap_flags *flags)
{
    struct slice keyword;

    if (cursor_peek(cursor) == '\\')
        return take_system_flag(cursor, flags);
    if (!imap_take_atom(cursor, &keyword))
        return false;
    flags->is_over_limit = flags->keyword_count == IMAP_FLAGS_MAX || keyword.len > IMAP_KEYWORD_MAX;
    if (flags->is_over_limit)
        return false;
    flags->keywords[flags->keyword_count++] = keyword;
    return true;
}

bool
imap_take_flag_list(struct cursor *cursor, struct imap_flags *ret_flags)
{
    struct cursor ahead = *cursor;

    *ret_flags = (struct imap_flags){0};
    if (!cursor_take_byte(&ahead, '('))
        return false;
    if (!cursor_take_byte(&ahead, ')')) {
        do {
            if (!imap_take_flag(&ahead, ret_flags))
                return false;
        } while (imap_take_space(&ahead));
        if (!cursor_take_byte(&ahead, ')'))
            return false;
    }
    *cursor = ahead;
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* INBOX, and INBOX as first level, in capitals (RFC 9051 §5.1). */
static struct slice
with_inbox(struct slice name, struct arena *arena)
{
    struct slice inbox = SLICE("INBOX");

    if (!slice_starts_with_nocase(name, inbox) || slice_starts_with(name, inbox) ||
        (name.len > inbox.len && name.at[inbox.len] != '/'))
        return name;
    uint8_t *copy = arena_new(arena, name.len);
    if (!copy)
        return name;
    memcpy(copy, name.at, name.len);
    memcpy(copy, inbox.at, inbox.len);
    return slice_of(copy, name.len);
}

bool
imap_pattern_decode(struct slice sent, bool is_utf8, struct arena *arena, struct slice *ret_pattern)
{
    struct buffer decoded;
    bool is_good;

    if (sent.len > NAME_MAX_OCTETS)
        return false;
    buffer_init(&decoded, (size_t)4 * NAME_MAX_OCTETS);
    is_good = is_utf8 ? utf8_is_valid(sent) : utf7_decode(sent, &decoded);
    if (!is_good && !is_utf8 && utf8_is_valid(sent) && !utf8_is_ascii(sent)) {
        is_good = true; /* programs that send UTF-8 unasked are understood */
        is_utf8 = true;
    }
    if (is_good) {
        struct buffer normal;
        buffer_init(&normal, (size_t)16 * NAME_MAX_OCTETS);
        unicode_put_nfc(&normal, is_utf8 ? sent : buffer_slice(&decoded));
        *ret_pattern = arena_copy(arena, buffer_slice(&normal));
        is_good = !buffer_overflowed(&normal) && !arena_failed(arena);
        buffer_finish(&normal);
    }
    buffer_finish(&decoded);
    return is_good;
}

bool
imap_name_decode(struct slice sent, bool is_utf8, struct arena *arena, struct slice *ret_name)
{
    if (!imap_pattern_decode(sent, is_utf8, arena, ret_name))
        return false;
    /* "A/" may be created: a name that will have inferiors (§6.3.4). */
    if (ret_name->len > 1 && ret_name->at[ret_name->len - 1] == '/')
        ret_name->len--;
    *ret_name = with_inbox(*ret_name, arena);
    return true;
}

/* Which octets of a name can be those that a pattern has matched: reached[n], the first n. */
struct matching {
    struct slice name;
    bool is_inbox;
    bool reached[IMAP_LISTED_NAME_MAX + 1];
};

/* From where nothing is reached, nothing can be. */
static bool
match_octet(struct matching *matching, uint8_t want)
{
    bool has_any = false;

    for (size_t n = matching->name.len; n > 0; n--) {
        uint8_t octet = matching->name.at[n - 1];
        bool is_it =
            matching->is_inbox ? byte_to_lower(want) == byte_to_lower(octet) : want == octet;
        matching->reached[n] = is_it && matching->reached[n - 1];
        has_any = has_any || matching->reached[n];
    }
    matching->reached[0] = false;
    return has_any;
}

static void
match_wildcard(struct matching *matching, bool is_star)
{
    for (size_t n = 1; n <= matching->name.len; n++) {
        bool can_pass = is_star || matching->name.at[n - 1] != '/';
        matching->reached[n] = matching->reached[n] || (can_pass && matching->reached[n - 1]);
    }
}

/* Linear in the pattern: trying again behind each wildcard would be the square of the name for
 * each pair of "*" and "%". */
bool
imap_pattern_matches(struct slice pattern, struct slice name)
{
    struct matching matching = {.name = name, .is_inbox = slice_equal_nocase(name, SLICE("INBOX"))};
    bool has_any = name.len <= IMAP_LISTED_NAME_MAX;

    matching.reached[0] = true;
    for (size_t at = 0; at < pattern.len && has_any;) {
        uint8_t want = pattern.at[at++];
        if (want != '*' && want != '%') {
            has_any = match_octet(&matching, want);
            continue;
        }
        bool is_star = want == '*';
        for (; at < pattern.len && (pattern.at[at] == '*' || pattern.at[at] == '%'); at++)
            is_star = is_star || pattern.at[at] == '*';
        match_wildcard(&matching, is_star);
    }
    return has_any && matching.reached[name.len];
}
