/* SPDX-License-Identifier: ISC */
#include "message/lexer.h"

/* RFC 5322 §3.2.3; octets above 127 by RFC 6532 §3.2. */
byte_set lexer_atext = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true, ['#'] = true,
    ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
    ['-'] = true, ['/'] = true, ['='] = true, ['?'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['{'] = true, ['|'] = true, ['}'] = true, ['~'] = true, [128 ... 255] = true,
};

byte_set lexer_blanks = {[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true};

bool
lexer_skip_cfws(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    struct slice inner;
    bool is_open;

    do
        cursor_skip_set(cursor, lexer_blanks);
    while (lexer_take_comment(cursor, &inner, &is_open));
    return cursor->at != start;
}

bool
lexer_take_quoted(struct cursor *cursor, struct slice *ret_inner, bool *ret_is_open)
{
    if (cursor_peek(cursor) != '"')
        return false;
    const uint8_t *start = cursor->at + 1;
    const uint8_t *at = start;
    while (at < cursor->end && *at != '"')
        at += *at == '\\' && at + 1 < cursor->end ? 2 : 1;
    *ret_inner = slice_of(start, (size_t)(at - start));
    *ret_is_open = at == cursor->end;
    cursor->at = at == cursor->end ? at : at + 1;
    return true;
}

bool
lexer_take_comment(struct cursor *cursor, struct slice *ret_inner, bool *ret_is_open)
{
    unsigned depth = 0;

    if (cursor_peek(cursor) != '(')
        return false;
    const uint8_t *start = cursor->at + 1;
    const uint8_t *at = start;
    for (; at < cursor->end; at++) {
        if (*at == '\\' && at + 1 < cursor->end)
            at++;
        else if (*at == '(' && depth < LEXER_COMMENT_DEPTH_MAX - 1)
            depth++;
        else if (*at == ')' && depth-- == 0)
            break;
    }
    *ret_inner = slice_of(start, (size_t)(at - start));
    *ret_is_open = at == cursor->end;
    cursor->at = at == cursor->end ? at : at + 1;
    return true;
}

struct slice
lexer_unquote(struct arena *arena, struct slice inner)
{
    static byte_set unwanted = {['\\'] = true, ['\r'] = true, ['\n'] = true, ['\0'] = true};
    struct cursor cursor = cursor_of(inner);
    size_t len = 0;

    while (len < inner.len && !unwanted[inner.at[len]])
        len++;
    if (len == inner.len)
        return inner;
    uint8_t *text = arena_new(arena, inner.len);
    if (!text)
        return slice_of(inner.at, 0);
    len = 0;
    while (!cursor_is_done(&cursor)) {
        uint8_t octet = *cursor.at++;
        if (octet == '\\' && !cursor_is_done(&cursor))
            octet = *cursor.at++;
        if (octet != '\r' && octet != '\n' && octet != '\0')
            text[len++] = octet;
    }
    return slice_of(text, len);
}

bool
lexer_is_atom(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!lexer_atext[text.at[i]])
            return false;
    }
    return text.len > 0;
}

bool
lexer_is_dot_atom(struct slice text)
{
    bool was_dot = true;

    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.at[i] == '.';
        if ((is_dot && was_dot) || (!is_dot && !lexer_atext[text.at[i]]))
            return false;
        was_dot = is_dot;
    }
    return !was_dot;
}

void
lexer_put_quoted(struct buffer *buffer, struct slice text)
{
    buffer_put_byte(buffer, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        if (octet == '\r' || octet == '\n' || octet == '\0')
            continue;
        if (octet == '"' || octet == '\\')
            buffer_put_byte(buffer, '\\');
        buffer_put_byte(buffer, octet);
    }
    buffer_put_byte(buffer, '"');
}
