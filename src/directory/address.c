/* SPDX-License-Identifier: ISC */
/* RFC 5321 §4.1.2 (Path, Mailbox, Local-part), §4.1.3 (literals), RFC 6531 §3.3, RFC 5891. */
#include "directory/address.h"

#include "base/cursor.h"
#include "text/domain.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* atext (RFC 5322 §3.2.3) and the dot, by octet; what is above 127 is looked at as UTF-8. */
static bool
is_local_octet(uint8_t octet)
{
    static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

    return byte_is_alpha(octet) || byte_is_digit(octet) || octet >= 0x80 ||
           (octet != 0 && memchr(others, octet, sizeof(others) - 1) != NULL);
}

static bool
has_upper(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] >= 'A' && text.at[i] <= 'Z')
            return true;
    }
    return false;
}

static struct slice
to_lower(struct arena *arena, struct slice text)
{
    if (!has_upper(text))
        return text;
    uint8_t *copy = arena_new(arena, text.len);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = byte_to_lower(text.at[i]);
    return slice_of(copy, copy ? text.len : 0);
}

/* Folded and in normal form C, so that each keyboard reaches the same account. */
static bool
fold_local(struct arena *arena, struct slice text, struct slice *ret_local)
{
    struct buffer folded, composed;

    if (text.len == 0 || text.len > DIRECTORY_LOCAL_MAX || !utf8_is_valid(text))
        return false;
    if (utf8_is_ascii(text)) {
        *ret_local = to_lower(arena, text);
        return !arena_failed(arena);
    }
    buffer_init(&folded, 64 * DIRECTORY_LOCAL_MAX);
    buffer_init(&composed, DIRECTORY_LOCAL_MAX);
    unicode_put_search_key(&folded, text);
    unicode_put_nfc(&composed, buffer_slice(&folded));
    bool is_good =
        !buffer_overflowed(&folded) && !buffer_overflowed(&composed) && buffer_len(&composed) > 0;
    if (is_good)
        *ret_local = arena_copy(arena, buffer_slice(&composed));
    buffer_finish(&composed);
    buffer_finish(&folded);
    return is_good && !arena_failed(arena);
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE: takes it and gives what it means. */
static bool
take_quoted(struct cursor *cursor, struct arena *arena, struct slice *ret_text)
{
    uint8_t *text = arena_new(arena, cursor_left(cursor) + 1);
    size_t len = 0;
    uint8_t octet;

    if (!text || !cursor_take_byte(cursor, '"'))
        return false;
    while (cursor_take_any(cursor, &octet) && octet != '"') {
        if (octet == '\\' && !cursor_take_any(cursor, &octet))
            return false;
        if (octet < 0x20 || octet == 0x7F)
            return false;
        text[len++] = octet;
        octet = 0;
    }
    *ret_text = slice_of(text, len);
    return octet == '"';
}

static bool
take_local(struct cursor *cursor, struct arena *arena, struct slice *ret_local)
{
    struct slice text = cursor_rest(cursor);
    size_t len = 0;

    if (cursor_peek(cursor) == '"') {
        if (!take_quoted(cursor, arena, &text))
            return false;
    } else {
        while (len < text.len && is_local_octet(text.at[len]))
            len++;
        if (!cursor_take_bytes(cursor, len, &text))
            return false;
    }
    return fold_local(arena, text, ret_local);
}

/* address-literal: looked up as it stands, never connected to. */
static bool
literal_is_sound(struct slice text)
{
    if (text.len < 3 || text.at[text.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7F || text.at[i] == '[' || text.at[i] == ']' ||
            text.at[i] == '\\')
            return false;
    }
    return true;
}

bool
directory_domain_parse(struct arena *arena, struct slice text, struct slice *ret_domain)
{
    struct buffer ascii;

    if (text.len > 4 * DIRECTORY_DOMAIN_MAX)
        return false;
    if (text.len > 0 && text.at[0] == '[') {
        if (text.len > DIRECTORY_DOMAIN_MAX || !literal_is_sound(text))
            return false;
        *ret_domain = to_lower(arena, text);
        return !arena_failed(arena);
    }
    if (domain_is_valid(text)) {
        *ret_domain = to_lower(arena, text);
        return !arena_failed(arena);
    }
    buffer_init(&ascii, DIRECTORY_DOMAIN_MAX);
    bool is_domain = domain_to_ascii(text, &ascii) && buffer_len(&ascii) > 0;
    if (is_domain)
        *ret_domain = arena_copy(arena, buffer_slice(&ascii));
    buffer_finish(&ascii);
    return is_domain && !arena_failed(arena);
}

/* A-d-l ":" in front of the mailbox: passed over, as RFC 5321 §4.1.1.3 wants it. */
static bool
skip_source_route(struct cursor *cursor)
{
    struct slice route;

    return cursor_peek(cursor) != '@' ||
           (cursor_take_until(cursor, ':', &route) && cursor_take_byte(cursor, ':'));
}

bool
directory_address_parse(struct arena *arena, struct slice text,
                        struct directory_address *ret_address)
{
    struct directory_address address = {0};

    if (text.len >= 2 && text.at[0] == '<' && text.at[text.len - 1] == '>')
        text = slice_between(text, 1, text.len - 1);
    struct cursor cursor = cursor_of(text);
    if (text.len > 4096 || !skip_source_route(&cursor) ||
        !take_local(&cursor, arena, &address.local))
        return false;
    if (cursor_is_done(&cursor)) {
        if (!slice_equal(address.local, SLICE("postmaster")))
            return false;
        *ret_address = address;
        return true;
    }
    if (!cursor_take_byte(&cursor, '@') ||
        !directory_domain_parse(arena, cursor_rest(&cursor), &address.domain))
        return false;
    *ret_address = address;
    return true;
}

/* Dot-string = Atom *("." Atom): what needs no quotes. */
static bool
is_dot_string(struct slice local)
{
    bool was_dot = true;

    for (size_t i = 0; i < local.len; i++) {
        bool is_dot = local.at[i] == '.';
        if (!is_local_octet(local.at[i]) || (is_dot && was_dot))
            return false;
        was_dot = is_dot;
    }
    return !was_dot;
}

void
directory_address_format(struct buffer *buffer, const struct directory_address *address)
{
    if (is_dot_string(address->local)) {
        buffer_put(buffer, address->local);
    } else {
        buffer_put_byte(buffer, '"');
        for (size_t i = 0; i < address->local.len; i++) {
            if (address->local.at[i] == '"' || address->local.at[i] == '\\')
                buffer_put_byte(buffer, '\\');
            buffer_put_byte(buffer, address->local.at[i]);
        }
        buffer_put_byte(buffer, '"');
    }
    if (address->domain.len > 0) {
        buffer_put_byte(buffer, '@');
        buffer_put(buffer, address->domain);
    }
}
