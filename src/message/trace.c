/* SPDX-License-Identifier: ISC */
#include "message/trace.h"

#include "message/address.h"
#include "message/lexer.h"

/* Goes over quoted strings, comments and angle brackets as over one word. */
static struct slice
take_word(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    struct slice inner;
    bool is_open;
    bool is_angle = cursor_peek(cursor) == '<';

    while (!cursor_is_done(cursor)) {
        uint8_t octet = *cursor->at;
        if (octet == ';' || octet == '(' || (lexer_blanks[octet] && !is_angle))
            break;
        if (lexer_take_quoted(cursor, &inner, &is_open))
            continue;
        cursor->at++;
        if (octet == '>')
            is_angle = false;
    }
    return slice_of(start, (size_t)(cursor->at - start));
}

/* One clause: where its value and its comment go. */
struct clause {
    struct slice keyword;
    struct slice *value;
    struct slice *comment; /* NULL: nobody asks for it */
};

enum { CLAUSES = 6 };

static struct clause *
find_clause(struct clause clauses[CLAUSES], struct slice word)
{
    for (size_t i = 0; i < CLAUSES; i++) {
        if (slice_equal_nocase(clauses[i].keyword, word))
            return &clauses[i];
    }
    return NULL;
}

/* Where a value or comment may still go; a clause that comes again has no place. */
static void
set_once(struct slice *place, struct slice value)
{
    if (place && place->len == 0)
        *place = value;
}

/* Reads the clauses up to ';'. */
static void
read_clauses(struct arena *arena, struct cursor *cursor, struct clause clauses[CLAUSES],
             uint16_t *defects)
{
    struct clause *current = NULL;
    bool has_value = true;
    struct slice inner;
    bool is_open = false;

    for (;;) {
        cursor_skip_set(cursor, lexer_blanks);
        if (cursor_is_done(cursor) || *cursor->at == ';')
            return;
        if (lexer_take_comment(cursor, &inner, &is_open)) {
            *defects |= is_open ? TRACE_UNCLOSED : 0;
            if (current)
                set_once(current->comment, lexer_unquote(arena, slice_trim(inner)));
            continue;
        }
        struct slice word = take_word(cursor);
        struct clause *next = find_clause(clauses, word);
        if (next && (has_value || !current)) {
            if (next->value->len)
                *defects |= TRACE_REPEATED;
            current = next;
            has_value = false;
        } else if (current && !has_value) {
            set_once(current->value, lexer_unquote(arena, word));
            has_value = true;
        } else {
            *defects |= TRACE_UNKNOWN;
        }
    }
}

/* "<user@example.org>" without its brackets. */
static struct slice
without_brackets(struct slice path)
{
    if (slice_starts_with(path, SLICE("<")) && slice_ends_with(path, SLICE(">")))
        return slice_trim(slice_between(path, 1, path.len - 1));
    return path;
}

void
trace_received_parse(struct arena *arena, struct slice body, struct trace_received *ret_received)
{
    const struct slice none = slice_first(body, 0);
    struct trace_received received = {
        .from = none, .from_comment = none, .by = none, .by_comment = none, .via = none,
        .with = none, .with_comment = none, .id = none, .recipient = none,
    };
    struct clause clauses[CLAUSES] = {
        {SLICE("from"), &received.from, &received.from_comment},
        {SLICE("by"), &received.by, &received.by_comment},
        {SLICE("via"), &received.via, NULL},
        {SLICE("with"), &received.with, &received.with_comment},
        {SLICE("id"), &received.id, NULL},
        {SLICE("for"), &received.recipient, NULL},
    };
    struct cursor cursor = cursor_of(body);

    read_clauses(arena, &cursor, clauses, &received.defects);
    received.recipient = without_brackets(received.recipient);
    if (!cursor_take_byte(&cursor, ';') || !date_parse(cursor_rest(&cursor), &received.date))
        received.defects |= TRACE_NO_DATE;
    if (received.by.len == 0)
        received.defects |= TRACE_NO_BY;
    *ret_received = received;
}
