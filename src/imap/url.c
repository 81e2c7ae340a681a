/* SPDX-License-Identifier: ISC */
#include "imap/url.h"

#include "base/cursor.h"
#include "base/hex.h"

/* Takes "%20" back. */
static bool
unescape(struct slice text, struct arena *arena, struct slice *ret_text)
{
    uint8_t *at = arena_new(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; at && i < text.len; i++, len++) {
        at[len] = text.at[i];
        if (text.at[i] != '%')
            continue;
        int value = slice_hex_byte(slice_skip(text, i + 1));
        if (value <= 0)
            return false;
        at[len] = (uint8_t)value;
        i += 2;
    }
    *ret_text = slice_of(at, len);
    return at != NULL;
}

/* Up to the next "/;" or the end. */
static struct slice
take_segment(struct cursor *cursor)
{
    struct slice rest = cursor_rest(cursor);
    struct slice segment = slice_first(rest, slice_find(rest, SLICE("/;")));

    cursor->at += segment.len;
    return segment;
}

/* imailbox-ref = enc-mailbox [";UIDVALIDITY=" nz-number] */
static bool
take_mailbox(struct slice segment, struct arena *arena, struct imap_url *url)
{
    static const struct slice word = {(const uint8_t *)";UIDVALIDITY=", 13};
    size_t end = slice_find_byte(segment, ';');

    if (!unescape(slice_first(segment, end), arena, &url->mailbox) || url->mailbox.len == 0)
        return false;
    struct cursor cursor = cursor_of(slice_skip(segment, end));
    return cursor_is_done(&cursor) ||
           (cursor_take_text_nocase(&cursor, word) &&
            cursor_take_u32(&cursor, 1, UINT32_MAX, &url->uid_validity) && cursor_is_done(&cursor));
}

/* partial-range = number ["." nz-number] */
static bool
take_partial(struct cursor *cursor, struct imap_url *url)
{
    url->is_partial = true;
    return cursor_take_u32(cursor, 0, UINT32_MAX, &url->partial_start) &&
           (!cursor_take_byte(cursor, '.') ||
            cursor_take_u32(cursor, 1, UINT32_MAX, &url->partial_len));
}

bool
imap_url_parse(struct slice text, struct arena *arena, struct imap_url *ret_url)
{
    struct cursor cursor = cursor_of(text);

    *ret_url = (struct imap_url){.mailbox = slice_of("", 0), .section = slice_of("", 0)};
    bool is_absolute = cursor_take_byte(&cursor, '/');
    if (cursor_peek(&cursor) == '/')
        return false; /* another server */
    if (cursor_peek(&cursor) != ';') {
        struct slice segment = take_segment(&cursor);
        if (slice_find(segment, SLICE("://")) < segment.len || /* with a scheme */
            !take_mailbox(segment, arena, ret_url) || !cursor_take_byte(&cursor, '/'))
            return false;
    }
    if ((is_absolute && ret_url->mailbox.len == 0) ||
        !cursor_take_text_nocase(&cursor, SLICE(";UID=")) ||
        !cursor_take_u32(&cursor, 1, UINT32_MAX, &ret_url->uid))
        return false;
    if (cursor_take_text_nocase(&cursor, SLICE("/;SECTION=")) &&
        (!unescape(take_segment(&cursor), arena, &ret_url->section) || ret_url->section.len == 0))
        return false;
    if (cursor_take_text_nocase(&cursor, SLICE("/;PARTIAL=")) && !take_partial(&cursor, ret_url))
        return false;
    return cursor_is_done(&cursor);
}

/* ---- URLs that carry a permission (RFC 4467 §9) ---------------------------------------------- */

static size_t
find_word(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (slice_equal_nocase(slice_between(text, i, i + word.len), word))
            return i;
    }
    return text.len;
}

static bool
take_number(struct cursor *cursor, size_t digits, int64_t max, int64_t *ret_number)
{
    int64_t number = 0;

    for (size_t i = 0; i < digits; i++) {
        int byte = cursor_peek(cursor);
        if (byte < '0' || byte > '9')
            return false;
        cursor->at++;
        number = number * 10 + (byte - '0');
    }
    *ret_number = number;
    return number <= max;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years count from March. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t century = year / 400, of_century = year - century * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return century * 146097 + of_century * 365 + of_century / 4 - of_century / 100 + of_year -
           719468;
}

/* time-offset of RFC 3339 §5.6, in seconds east. */
static bool
take_offset(struct cursor *cursor, int64_t *ret_offset_s)
{
    int64_t hours, minutes;

    *ret_offset_s = 0;
    if (cursor_take_byte(cursor, 'Z') || cursor_take_byte(cursor, 'z'))
        return true;
    bool is_west = cursor_take_byte(cursor, '-');
    if ((!is_west && !cursor_take_byte(cursor, '+')) || !take_number(cursor, 2, 23, &hours) ||
        !cursor_take_byte(cursor, ':') || !take_number(cursor, 2, 59, &minutes))
        return false;
    *ret_offset_s = (hours * 60 + minutes) * (is_west ? -60 : 60);
    return true;
}

/* date-time of RFC 3339 §5.6; fractions of a second do not count. */
static bool
parse_time(struct slice text, int64_t *ret_s)
{
    struct cursor cursor = cursor_of(text);
    int64_t year, month, day, hour, minute, second, offset_s;

    if (!take_number(&cursor, 4, 9999, &year) || !cursor_take_byte(&cursor, '-') ||
        !take_number(&cursor, 2, 12, &month) || !cursor_take_byte(&cursor, '-') ||
        !take_number(&cursor, 2, 31, &day) || month == 0 || day == 0 ||
        !(cursor_take_byte(&cursor, 'T') || cursor_take_byte(&cursor, 't')) ||
        !take_number(&cursor, 2, 23, &hour) || !cursor_take_byte(&cursor, ':') ||
        !take_number(&cursor, 2, 59, &minute) || !cursor_take_byte(&cursor, ':') ||
        !take_number(&cursor, 2, 60, &second))
        return false;
    if (cursor_take_byte(&cursor, '.')) {
        while (byte_is_digit((uint8_t)cursor_peek(&cursor)))
            cursor.at++;
    }
    if (!take_offset(&cursor, &offset_s) || !cursor_is_done(&cursor))
        return false;
    *ret_s = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    return *ret_s > 0;
}

/* access = ("submit+" enc-user) / ("user+" enc-user) / "authuser" / "anonymous" */
static bool
take_access(struct slice text, struct arena *arena, struct imap_url *url)
{
    struct cursor cursor = cursor_of(text);

    url->user = slice_of("", 0);
    if (slice_equal_nocase(text, SLICE("authuser")) ||
        slice_equal_nocase(text, SLICE("anonymous"))) {
        url->access = text.len == 8 ? IMAP_URL_AUTHUSER : IMAP_URL_ANONYMOUS;
        return true;
    }
    url->access = IMAP_URL_USER;
    if (!cursor_take_text_nocase(&cursor, SLICE("user+"))) {
        url->access = IMAP_URL_SUBMIT;
        if (!cursor_take_text_nocase(&cursor, SLICE("submit+")))
            return false;
    }
    return unescape(cursor_rest(&cursor), arena, &url->user) && url->user.len > 0;
}

/* mechanism ":" enc-urlauth */
static bool
take_token(struct slice text, struct arena *arena, struct imap_url *url)
{
    struct cursor cursor = cursor_of(text);
    uint8_t *token = arena_new(arena, IMAP_URL_TOKEN);

    if (!token || !cursor_take_text_nocase(&cursor, SLICE("INTERNAL:")))
        return false;
    struct slice digits = cursor_rest(&cursor);
    if (digits.len != (size_t)2 * IMAP_URL_TOKEN)
        return false;
    for (size_t i = 0; i < digits.len; i += 2) {
        int value = slice_hex_byte(slice_skip(digits, i));
        if (value < 0)
            return false;
        token[i / 2] = (uint8_t)value;
    }
    url->token = slice_of(token, IMAP_URL_TOKEN);
    return true;
}

/* "imap://" enc-user [iauth] "@" hostport; *ret_path begins with the slash behind it. */
static bool
take_server(struct slice text, struct arena *arena, struct slice *ret_owner, struct slice *ret_path)
{
    struct cursor cursor = cursor_of(text);

    if (!cursor_take_text_nocase(&cursor, SLICE("imap://")))
        return false;
    struct slice rest = cursor_rest(&cursor);
    struct slice server = slice_first(rest, slice_find_byte(rest, '/'));
    size_t at = slice_find_last_byte(server, '@');
    if (at + 1 >= server.len)
        return false;
    struct slice user = slice_first(server, at);
    *ret_path = slice_skip(rest, server.len);
    return unescape(slice_first(user, slice_find_byte(user, ';')), arena, ret_owner) &&
           ret_owner->len > 0;
}

bool
imap_url_parse_authorized(struct slice text, bool has_token, struct arena *arena,
                          struct imap_url *ret_url)
{
    static const struct slice urlauth = {(const uint8_t *)";URLAUTH=", 9},
                              expire = {(const uint8_t *)";EXPIRE=", 8};
    struct slice owner, path;

    if (!take_server(text, arena, &owner, &path))
        return false;
    size_t end = find_word(path, urlauth), head = find_word(path, expire);
    struct slice access = slice_skip(path, end + urlauth.len);
    if (end == path.len)
        return false;
    bool has_expire = head < end;
    if (!has_expire)
        head = end;
    if (!imap_url_parse(slice_first(path, head), arena, ret_url))
        return false;
    ret_url->is_authorized = true;
    ret_url->owner = owner;
    if (has_expire && !parse_time(slice_between(path, head + expire.len, end), &ret_url->expires_s))
        return false;
    size_t colon = has_token ? slice_find_byte(access, ':') : access.len;
    ret_url->rump = slice_first(text, text.len - access.len + colon);
    if (ret_url->rump.len > IMAP_URL_RUMP_MAX)
        return false;
    return take_access(slice_first(access, colon), arena, ret_url) &&
           (!has_token || take_token(slice_skip(access, colon + 1), arena, ret_url));
}
