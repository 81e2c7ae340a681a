/* SPDX-License-Identifier: ISC */
#include "message/address_private.h"

#include "message/lexer.h"

/* Where a piece is put together when it cannot be borrowed: never longer than its source. */
struct joint {
    uint8_t *at;
    size_t len;
};

static bool
is_control(uint8_t octet)
{
    return (octet < 32 && !lexer_blanks[octet]) || octet == 127;
}

static bool
has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (is_control(text.at[i]))
            return true;
    }
    return false;
}

static void
join(struct joint *joint, struct slice bytes)
{
    if (joint->at && bytes.len)
        memcpy(joint->at + joint->len, bytes.at, bytes.len);
    joint->len += joint->at ? bytes.len : 0;
}

/* The same without controls. */
static void
join_clean(struct words *words, struct joint *joint, struct slice bytes)
{
    if (!has_control(bytes)) {
        join(joint, bytes);
        return;
    }
    words->defects |= ADDRESS_CONTROL;
    for (size_t i = 0; i < bytes.len; i++) {
        if (!is_control(bytes.at[i]))
            join(joint, slice_of(bytes.at + i, 1));
    }
}

/* Passes over octets up to '?', which must come before a blank. */
static bool
skip_to_mark(struct cursor *cursor)
{
    while (!cursor_is_done(cursor) && !lexer_blanks[*cursor->at]) {
        if (*cursor->at++ == '?')
            return true;
    }
    return false;
}

bool
words_skip_encoded_word(struct cursor *cursor)
{
    struct cursor ahead = *cursor;

    if (!cursor_take_text(&ahead, SLICE("=?")) || !skip_to_mark(&ahead) ||
        (!cursor_take_text_nocase(&ahead, SLICE("q?")) &&
         !cursor_take_text_nocase(&ahead, SLICE("b?"))) ||
        !skip_to_mark(&ahead) || !cursor_take_byte(&ahead, '='))
        return false;
    *cursor = ahead;
    return true;
}

bool
words_is_encoded_word(struct slice word)
{
    struct cursor cursor = cursor_of(word);

    return words_skip_encoded_word(&cursor) && cursor_is_done(&cursor);
}

/* Whether one of the words is an encoded one. */
static bool
has_encoded_words(struct slice text)
{
    while (text.len) {
        size_t len = 0;
        while (len < text.len && !lexer_blanks[text.at[len]])
            len++;
        if (words_is_encoded_word(slice_first(text, len)))
            return true;
        text = slice_skip(text, len + 1);
    }
    return false;
}

/* Adds what a comment says; several become one text with blanks between. */
static void
add_comment(struct words *words, struct slice inner)
{
    struct slice text = slice_trim(lexer_unquote(words->arena, inner));

    if (has_control(text)) {
        struct joint joint = {.at = arena_new(words->arena, text.len)};
        join_clean(words, &joint, text);
        text = slice_trim(joint.at ? slice_of(joint.at, joint.len) : slice_first(text, 0));
    }
    if (text.len == 0)
        return;
    words->has_encoded_word |= has_encoded_words(text);
    if (words->comment.len == 0) {
        words->comment = text;
        return;
    }
    if (!words->comment_at) {
        words->comment_at = arena_new(words->arena, words->comment_size);
        if (!words->comment_at)
            return;
        memcpy(words->comment_at, words->comment.at, words->comment.len);
        words->comment.at = words->comment_at;
    }
    words->comment_at[words->comment.len++] = ' ';
    memcpy(words->comment_at + words->comment.len, text.at, text.len);
    words->comment.len += text.len;
}

/* Passes over blanks and comments, gathering these. True when there was anything. An octet that
 * opens a comment without end is left: it is text. */
static bool
skip_blanks_and_comments(struct words *words, struct cursor *cursor)
{
    const uint8_t *start = cursor->at;

    for (;;) {
        struct cursor ahead;
        struct slice inner;
        bool is_open;
        cursor_skip_set(cursor, lexer_blanks);
        ahead = *cursor;
        if (words->has_open_comment || !lexer_take_comment(&ahead, &inner, &is_open))
            return cursor->at != start;
        words->has_open_comment = is_open;
        if (is_open)
            return cursor->at != start;
        add_comment(words, inner);
        *cursor = ahead;
    }
}

/* Takes a quoted string that has an end; unquoted. */
static bool
take_quoted(struct words *words, struct cursor *cursor, struct slice *ret_text)
{
    struct cursor ahead = *cursor;
    struct slice inner;
    bool is_open;

    if (words->has_open_quote || !lexer_take_quoted(&ahead, &inner, &is_open))
        return false;
    words->has_open_quote = is_open;
    if (is_open)
        return false;
    *cursor = ahead;
    *ret_text = lexer_unquote(words->arena, inner);
    return true;
}

/* Takes octets up to a blank, quote or comment; at least one. */
static struct slice
take_run(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;

    if (words_skip_encoded_word(cursor))
        return slice_of(start, (size_t)(cursor->at - start));
    do
        cursor->at++;
    while (cursor->at < cursor->end && !lexer_blanks[*cursor->at] && *cursor->at != '"' &&
           *cursor->at != '(');
    return slice_of(start, (size_t)(cursor->at - start));
}

/* Notes what an unquoted word of a phrase has that it should not have. */
static void
judge_phrase_word(struct words *words, struct slice word)
{
    if (words_is_encoded_word(word)) {
        words->has_encoded_word = true;
        return;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '.')
            words->defects |= ADDRESS_OBS_PHRASE;
        else if (!lexer_atext[word.at[i]] && !is_control(word.at[i]))
            words->defects |= ADDRESS_UNQUOTED_SPECIAL;
    }
}

/* The phrase as it stands, when it is words of US-ASCII or UTF-8 with single blanks between. */
static bool
borrow_phrase(struct words *words, struct slice text, struct slice *ret_phrase)
{
    bool was_blank = true;
    size_t marks = 0;

    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = text.at[i] == ' ';
        if ((is_blank && was_blank) || (!is_blank && !lexer_atext[text.at[i]]))
            return false;
        was_blank = is_blank;
        marks += text.at[i] == '?';
    }
    if (marks) {
        struct slice rest = text;
        while (rest.len) {
            size_t len = slice_find_byte(rest, ' ');
            judge_phrase_word(words, slice_first(rest, len));
            rest = slice_skip(rest, len + 1);
        }
    }
    *ret_phrase = text;
    return true;
}

/* A quoted string alone, the commonest name of all. */
static bool
take_lone_quoted(struct words *words, struct slice text, struct slice *ret_text)
{
    struct cursor cursor = cursor_of(text);
    struct slice inner;
    bool is_open;

    if (words->has_open_quote || !lexer_take_quoted(&cursor, &inner, &is_open) || is_open ||
        !cursor_is_done(&cursor) || has_control(inner))
        return false;
    *ret_text = lexer_unquote(words->arena, inner);
    return true;
}

static void
note_quoted_word(struct words *words, struct slice text)
{
    if (has_encoded_words(text))
        words->defects |= ADDRESS_QUOTED_WORD;
}

struct slice
words_take_phrase(struct words *words, struct slice text)
{
    struct slice phrase, word;

    text = slice_trim(text);
    if (borrow_phrase(words, text, &phrase))
        return phrase;
    if (take_lone_quoted(words, text, &phrase)) {
        note_quoted_word(words, phrase);
        return slice_trim(phrase);
    }
    struct cursor cursor = cursor_of(text);
    struct joint joint = {.at = arena_new(words->arena, text.len)};
    while (!cursor_is_done(&cursor)) {
        bool was_blank = skip_blanks_and_comments(words, &cursor);
        if (cursor_is_done(&cursor))
            break;
        if (was_blank && joint.len)
            join(&joint, SLICE(" "));
        if (take_quoted(words, &cursor, &word)) {
            note_quoted_word(words, word);
        } else {
            word = take_run(&cursor);
            judge_phrase_word(words, word);
        }
        join_clean(words, &joint, word);
    }
    return slice_trim(joint.at ? slice_of(joint.at, joint.len) : slice_first(text, 0));
}

/* Dots at the ends or side by side: told of what is not quoted. */
static void
judge_dots(struct words *words, struct slice local)
{
    if (local.len && (local.at[0] == '.' || local.at[local.len - 1] == '.' ||
                      slice_find(local, SLICE("..")) < local.len))
        words->defects |= ADDRESS_BAD_DOTS;
}

static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!lexer_atext[text.at[i]] && text.at[i] != '.')
            return false;
    }
    return true;
}

static void
judge_local_word(struct words *words, struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.at[i] == '@')
            words->defects |= ADDRESS_MULTIPLE_AT;
        else if (!lexer_atext[word.at[i]] && !is_control(word.at[i]) && word.at[i] != '.')
            words->defects |= ADDRESS_UNQUOTED_SPECIAL;
    }
}

/* Puts the next word of a local part together with what is there: a blank stays only between two
 * words without a dot. */
static void
join_local(struct words *words, struct joint *joint, struct slice word, bool was_blank)
{
    bool at_dot = word.len && word.at[0] == '.';
    bool behind_dot = joint->len && joint->at[joint->len - 1] == '.';

    if (joint->len)
        words->defects |= ADDRESS_OBS_LOCAL;
    if (was_blank && joint->len && !at_dot && !behind_dot)
        join(joint, SLICE(" "));
    join_clean(words, joint, word);
}

struct slice
words_take_local(struct words *words, struct slice text)
{
    struct slice word;

    text = slice_trim(text);
    if (is_plain(text)) {
        judge_dots(words, text);
        return text;
    }
    if (take_lone_quoted(words, text, &word))
        return word;
    struct cursor cursor = cursor_of(text);
    struct joint joint = {.at = arena_new(words->arena, text.len)};
    bool has_quoted = false;
    while (joint.at && !cursor_is_done(&cursor)) {
        bool was_blank = skip_blanks_and_comments(words, &cursor);
        if (cursor_is_done(&cursor))
            break;
        if (take_quoted(words, &cursor, &word)) {
            has_quoted = true;
        } else {
            word = take_run(&cursor);
            judge_local_word(words, word);
        }
        join_local(words, &joint, word, was_blank);
    }
    struct slice local = joint.at ? slice_of(joint.at, joint.len) : slice_first(text, 0);
    if (!has_quoted)
        judge_dots(words, local);
    return local;
}

/* Octets that end a literal whose ']' is missing; address.c looks for them too. */
static byte_set ends_literal = {
    [']'] = true, ['['] = true, [','] = true, [';'] = true, ['<'] = true, ['>'] = true,
};

/* Takes "[…]" without the blanks in it. */
static void
take_literal(struct words *words, struct cursor *cursor, struct joint *joint)
{
    do {
        if (!lexer_blanks[*cursor->at] && !is_control(*cursor->at))
            join(joint, slice_of(cursor->at, 1));
        cursor->at++;
    } while (!cursor_is_done(cursor) && !ends_literal[*cursor->at]);
    if (cursor_take_byte(cursor, ']'))
        join(joint, SLICE("]"));
    else
        words->defects |= ADDRESS_UNCLOSED;
}

/* Octets between the domains of a route. */
static bool
is_route_mark(uint8_t octet)
{
    return octet == '@' || octet == ',';
}

/* A domain, or several with the marks of a route between them. What does not belong ends it. */
static struct slice
take_domains(struct words *words, struct slice text, bool is_route)
{
    text = slice_trim(text);
    if (is_plain(text))
        return text;
    struct cursor cursor = cursor_of(text);
    struct joint joint = {.at = arena_new(words->arena, text.len)};
    while (joint.at && !cursor_is_done(&cursor)) {
        bool was_blank = skip_blanks_and_comments(words, &cursor);
        if (cursor_is_done(&cursor))
            break;
        uint8_t octet = *cursor.at;
        uint8_t before = joint.len ? joint.at[joint.len - 1] : '.';
        bool is_mark = is_route && is_route_mark(octet);
        bool is_joined = octet == '.' || before == '.' || is_mark || is_route_mark(before);
        bool is_domain = lexer_atext[octet] || octet == '.' || octet == '[' || is_mark;
        if ((was_blank && !is_joined) || !is_domain) {
            words->defects |= ADDRESS_STRAY;
            break;
        }
        if (was_blank && joint.len)
            words->defects |= ADDRESS_OBS_DOMAIN;
        if (octet == '[' && before != ']')
            take_literal(words, &cursor, &joint);
        else
            join(&joint, slice_of(cursor.at++, 1));
    }
    /* Comments that stand behind what was passed over are still comments. */
    while (!cursor_is_done(&cursor)) {
        skip_blanks_and_comments(words, &cursor);
        if (!cursor_is_done(&cursor))
            cursor.at++;
    }
    return joint.at ? slice_of(joint.at, joint.len) : slice_first(text, 0);
}

struct slice
words_take_domain(struct words *words, struct slice text)
{
    return take_domains(words, text, false);
}

struct slice
words_take_route(struct words *words, struct slice text)
{
    return take_domains(words, text, true);
}
