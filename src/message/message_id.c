/* SPDX-License-Identifier: ISC */
#include "message/message_id.h"

#include "message/lexer.h"

/* What takes one id out of the text after the other. */
struct walk {
    struct cursor cursor;
    bool has_brackets;   /* '<' occurs: then only what is in brackets is an id */
    bool has_open_quote; /* a quote that nothing closes was met: no other is looked for */
    uint16_t defects;
};

static struct walk
walk_of(struct slice text)
{
    return (struct walk){
        .cursor = cursor_of(text),
        .has_brackets = slice_find_byte(text, '<') < text.len,
    };
}

/* Behind '<': up to '>', or, when that is missing, up to the next '<', a comma or the end. */
static struct slice
take_bracketed(struct walk *walk)
{
    const uint8_t *start = walk->cursor.at;
    const uint8_t *at = start;
    bool is_quoted = false;

    for (; at < walk->cursor.end; at++) {
        if (*at == '"')
            is_quoted = !is_quoted;
        else if (*at == '\\' && is_quoted && at + 1 < walk->cursor.end)
            at++;
        else if (*at == '>' || (*at == '<' && !is_quoted))
            break;
    }
    struct slice inner = slice_of(start, (size_t)(at - start));
    if (at < walk->cursor.end && *at == '>')
        at++;
    else
        walk->defects |= MESSAGE_ID_UNCLOSED;
    walk->cursor.at = at;
    return slice_trim(inner);
}

/* Takes a word up to a blank, comma, bracket or comment; only "a@b" is an id. */
static bool
take_bare(struct walk *walk, struct slice *ret_inner)
{
    const uint8_t *start = walk->cursor.at;
    const uint8_t *at = start;

    while (at < walk->cursor.end && !lexer_blanks[*at] && !strchr("<(,;\"", *at))
        at++;
    at += at == start;
    struct slice word = slice_of(start, (size_t)(at - start));
    walk->cursor.at = at;
    size_t sign = slice_find_byte(word, '@');
    if (walk->has_brackets || sign == 0 || sign + 1 >= word.len) {
        if (word.at[0] != ',')
            walk->defects |= MESSAGE_ID_JUNK;
        return false;
    }
    walk->defects |= MESSAGE_ID_NO_BRACKETS;
    *ret_inner = word;
    return true;
}

/* Passes over a quoted string: part of a phrase of obs-in-reply-to. */
static bool
skip_quoted(struct walk *walk)
{
    struct cursor ahead = walk->cursor;
    struct slice inner;

    if (walk->has_open_quote || !lexer_take_quoted(&ahead, &inner, &walk->has_open_quote))
        return false;
    walk->defects |= MESSAGE_ID_JUNK;
    if (!walk->has_open_quote)
        walk->cursor = ahead;
    return !walk->has_open_quote;
}

/* The next id as it stands; false at the end. */
static bool
next_raw(struct walk *walk, struct slice *ret_inner)
{
    for (;;) {
        lexer_skip_cfws(&walk->cursor);
        if (cursor_is_done(&walk->cursor))
            return false;
        if (cursor_take_byte(&walk->cursor, '<')) {
            *ret_inner = take_bracketed(walk);
            if (ret_inner->len)
                return true;
            walk->defects |= MESSAGE_ID_JUNK;
        } else if (!skip_quoted(walk) && take_bare(walk, ret_inner)) {
            return true;
        }
    }
}

/* Without blanks and line ends; the quotes of a left side that needs none are taken off. */
static struct slice
clean(struct arena *arena, struct slice inner, uint16_t *defects)
{
    bool has_blanks = false, is_quoted = inner.at[0] == '"', has_sign = false;

    for (size_t i = 0; i < inner.len; i++) {
        has_blanks |= lexer_blanks[inner.at[i]] || inner.at[i] == '\0';
        has_sign |= inner.at[i] == '@';
        if (inner.at[i] >= 0x80)
            *defects |= MESSAGE_ID_8BIT;
    }
    if (!has_sign)
        *defects |= MESSAGE_ID_NO_AT;
    if (!has_blanks && !is_quoted)
        return inner;
    *defects |= (has_blanks ? MESSAGE_ID_BLANKS : 0) | (is_quoted ? MESSAGE_ID_QUOTED : 0);
    uint8_t *text = arena_new(arena, inner.len);
    if (!text)
        return slice_of(inner.at, 0);
    struct cursor cursor = cursor_of(inner);
    struct slice left = slice_of(inner.at, 0);
    bool is_open;
    size_t len = 0;
    if (lexer_take_quoted(&cursor, &left, &is_open) && !is_open && lexer_is_dot_atom(left)) {
        memcpy(text, left.at, left.len);
        len = left.len;
        inner = cursor_rest(&cursor);
    }
    for (size_t i = 0; i < inner.len; i++) {
        if (!lexer_blanks[inner.at[i]] && inner.at[i] != '\0')
            text[len++] = inner.at[i];
    }
    return slice_of(text, len);
}

static size_t
count_ids(struct slice text)
{
    struct walk walk = walk_of(text);
    struct slice inner;
    size_t count = 0;

    while (next_raw(&walk, &inner))
        count++;
    return count;
}

void
message_id_list_parse(struct arena *arena, struct slice text, struct message_id_list *ret_list)
{
    struct message_id_list list = {0};
    struct walk walk = walk_of(text);
    struct slice inner;
    size_t total = count_ids(text);
    size_t kept = total < MESSAGE_IDS_MAX ? total : MESSAGE_IDS_MAX;

    list.ids = ARENA_ARRAY(arena, struct slice, kept ? kept : 1);
    list.is_cut = total > kept || !list.ids;
    for (size_t index = 0; list.ids && next_raw(&walk, &inner); index++) {
        if (index == 0 || index > total - kept)
            list.ids[list.count++] = clean(arena, inner, &list.defects);
    }
    list.defects |= walk.defects;
    *ret_list = list;
}

struct slice
message_id_parse(struct arena *arena, struct slice text)
{
    struct walk walk = walk_of(text);
    struct slice inner;
    uint16_t defects = 0;

    return next_raw(&walk, &inner) ? clean(arena, inner, &defects) : slice_first(text, 0);
}
