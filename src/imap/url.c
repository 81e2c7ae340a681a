/* SPDX-License-Identifier: ISC */
#include "imap/url.h"

#include "base/cursor.h"

static int
hex_value(uint8_t byte)
{
    byte = byte_to_lower(byte);
    return byte_is_digit(byte) ? byte - '0' : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

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
        int high = i + 2 < text.len ? hex_value(text.at[i + 1]) : -1;
        int low = i + 2 < text.len ? hex_value(text.at[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        at[len] = (uint8_t)(high << 4 | low);
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
