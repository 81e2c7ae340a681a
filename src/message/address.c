/* SPDX-License-Identifier: ISC */
/* Reads address lists in two steps. The first goes over the text once and finds where an item ends
 * and where its '<', '>' and last '@' stand, with quoted strings, comments, literals and encoded
 * words passed over. The second reads the pieces between them, which only one rule applies to. */
#include "message/address.h"

#include "message/address_private.h"
#include "message/lexer.h"
#include "text/domain.h"
#include "text/utf8.h"

/* What the first step knows of one item. */
struct outline {
    const uint8_t *start;
    const uint8_t *end;        /* behind the item: at the separator or the end of the text */
    const uint8_t *name_end;   /* the first '<' */
    const uint8_t *angle;      /* the '<' that counts: the last */
    const uint8_t *angle_end;  /* '>', or `end` when it is missing */
    const uint8_t *sign;       /* the last '@' that counts */
    uint16_t defects;
    uint8_t separator;         /* ',' ';' ':', or 0: the text ends, or the comma was forgotten */
    bool had_open_quote;       /* what the list parser knew before this item */
    bool had_open_comment;
};

struct list_parser {
    struct arena *arena;
    struct slice text;
    struct cursor cursor;
    struct address_list *list;
    uint16_t pending;      /* defects to be noted at the next address */
    bool is_in_group;
    bool is_behind_comma;
    bool has_open_quote;   /* a quote that nothing closes was met: the next are plain octets, */
    bool has_open_comment; /* or each would be searched for to the end of the text */
};

/* ---- first step ---------------------------------------------------------------------------- */

/* Octets that mean something to the outline. */
static byte_set is_special = {
    ['"'] = true, ['('] = true, ['<'] = true, ['>'] = true, ['@'] = true, [','] = true,
    [';'] = true, [':'] = true, ['['] = true, ['='] = true,
};

/* Passes over a quoted string or a comment. False when it has no end. */
static bool
skip_enclosed(struct list_parser *parser, struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    struct slice inner;
    bool is_open = false;

    if (cursor_peek(cursor) == '"') {
        if (parser->has_open_quote || !lexer_take_quoted(&ahead, &inner, &is_open) || is_open) {
            parser->has_open_quote = true;
            return false;
        }
    } else if (parser->has_open_comment || !lexer_take_comment(&ahead, &inner, &is_open) ||
               is_open) {
        parser->has_open_comment = true;
        return false;
    }
    *cursor = ahead;
    return true;
}

/* "[192.0.2.1]" behind '@'; false when ']' does not come before a separator. */
static bool
skip_literal(struct cursor *cursor)
{
    for (const uint8_t *at = cursor->at + 1; at < cursor->end; at++) {
        if (*at == ']') {
            cursor->at = at + 1;
            return true;
        }
        if (*at == ',' || *at == ';' || *at == '<' || *at == '>' || *at == '[')
            return false;
    }
    return false;
}

/* Whether ',' or ':' belongs to an obs-route: "<@a,@b:c@d>". */
static bool
is_in_route(const struct outline *outline)
{
    if (!outline->angle || outline->angle_end)
        return false;
    const uint8_t *at = outline->angle + 1;
    while (at < outline->end && lexer_blanks[*at])
        at++;
    return at < outline->end && (*at == '@' || *at == ',');
}

static void
open_angle(struct outline *outline, const uint8_t *at)
{
    if (!outline->angle)
        outline->name_end = at;
    else
        outline->defects |= ADDRESS_STRAY;
    outline->angle = at;
    outline->sign = NULL;
}

/* Looks at one special octet; true when it ends the item. Behind '>' only comments and a separator
 * should come: what looks like one more address is the next item, its comma forgotten. */
static bool
outline_special(struct list_parser *parser, struct outline *outline, struct cursor *cursor)
{
    uint8_t octet = *cursor->at;

    switch (octet) {
    case '"':
    case '(':
        if (skip_enclosed(parser, cursor))
            return false;
        outline->defects |= ADDRESS_UNCLOSED;
        break;
    case '[':
        if (outline->sign && skip_literal(cursor))
            return false;
        break;
    case '=':
        if (words_skip_encoded_word(cursor))
            return false;
        break;
    case '@':
    case '<':
        if (outline->angle_end) {
            cursor->at = outline->angle_end + 1;
            outline->defects |= ADDRESS_STRAY;
            return true;
        }
        if (octet == '@')
            outline->sign = cursor->at;
        else
            open_angle(outline, cursor->at);
        break;
    case '>':
        if (outline->angle && !outline->angle_end)
            outline->angle_end = cursor->at;
        break;
    case ':':
        if (outline->angle || outline->sign || parser->is_in_group)
            break;
        outline->separator = ':';
        return true;
    default:
        if (octet == ',' && is_in_route(outline))
            break;
        outline->separator = octet;
        return true;
    }
    cursor->at++;
    return false;
}

static struct outline
take_outline(struct list_parser *parser)
{
    struct cursor cursor = parser->cursor;
    struct outline outline = {
        .start = cursor.at,
        .end = cursor.end,
        .had_open_quote = parser->has_open_quote,
        .had_open_comment = parser->has_open_comment,
    };

    while (!cursor_is_done(&cursor)) {
        if (!is_special[*cursor.at])
            cursor.at++;
        else if (outline_special(parser, &outline, &cursor))
            break;
    }
    outline.end = cursor.at;
    if (outline.angle && !outline.angle_end) {
        outline.angle_end = outline.end;
        outline.defects |= ADDRESS_UNCLOSED;
    }
    parser->cursor.at = cursor.at + (outline.separator != 0);
    return outline;
}

/* ---- second step --------------------------------------------------------------------------- */

static struct slice
slice_from_to(const uint8_t *start, const uint8_t *end)
{
    return slice_of(start, end > start ? (size_t)(end - start) : 0);
}

/* "<route:local@domain>", or what is found of it. */
static void
parse_angle(struct words *words, const struct outline *outline, struct address *address)
{
    const uint8_t *start = outline->angle + 1;
    const uint8_t *sign = outline->sign;

    while (start < outline->angle_end && lexer_blanks[*start])
        start++;
    if (start < outline->angle_end && (*start == '@' || *start == ',')) {
        const uint8_t *colon = memchr(start, ':', (size_t)(outline->angle_end - start));
        if (colon) {
            address->route = words_take_route(words, slice_from_to(start, colon));
            address->defects |= ADDRESS_ROUTE;
            start = colon + 1;
        }
    }
    if (!sign || sign < start) {
        address->local = words_take_local(words, slice_from_to(start, outline->angle_end));
        return;
    }
    address->local = words_take_local(words, slice_from_to(start, sign));
    address->domain = words_take_domain(words, slice_from_to(sign + 1, outline->angle_end));
}

/* Where the last word before `end` begins, if blanks stand before it: what comes before is a name
 * that lacks its brackets. A word is joined to the next by a dot. */
static const uint8_t *
last_word(const uint8_t *start, const uint8_t *end)
{
    struct cursor cursor = cursor_of(slice_from_to(start, end));
    const uint8_t *word = start;
    bool was_dot = true;

    while (!cursor_is_done(&cursor)) {
        struct slice inner;
        bool is_open;
        bool was_blank = lexer_skip_cfws(&cursor);
        if (cursor_is_done(&cursor))
            break;
        bool is_dot = *cursor.at == '.';
        if (was_blank && !was_dot && !is_dot)
            word = cursor.at;
        was_dot = is_dot;
        if (!lexer_take_quoted(&cursor, &inner, &is_open))
            cursor.at++;
    }
    return word;
}

/* "name local@domain (comment)", "local@domain", "name". */
static void
parse_bare(struct words *words, const struct outline *outline, struct address *address)
{
    const uint8_t *start = outline->start;

    if (!outline->sign) {
        struct slice whole = slice_from_to(start, outline->end);
        if (last_word(start, outline->end) == start)
            address->local = words_take_local(words, whole);
        else
            address->name = words_take_phrase(words, whole);
        return;
    }
    const uint8_t *local = last_word(start, outline->sign);
    if (local != start) {
        address->name = words_take_phrase(words, slice_from_to(start, local));
        address->defects |= ADDRESS_UNQUOTED_SPECIAL;
    }
    address->local = words_take_local(words, slice_from_to(local, outline->sign));
    address->domain = words_take_domain(words, slice_from_to(outline->sign + 1, outline->end));
}

/* What stands behind '>': comments; or a name, if there was none before. */
static void
parse_tail(struct words *words, const struct outline *outline, struct address *address)
{
    const uint8_t *start = outline->angle_end;

    if (start < outline->end)
        start++;
    struct slice tail = words_take_phrase(words, slice_from_to(start, outline->end));
    if (tail.len == 0)
        return;
    address->defects |= ADDRESS_STRAY;
    for (size_t i = 0; i < tail.len && address->name.len == 0; i++) {
        if (lexer_atext[tail.at[i]])
            address->name = tail;
    }
}

static void
append(struct list_parser *parser, struct address *address)
{
    struct address_list *list = parser->list;

    address->defects |= parser->pending;
    parser->pending = 0;
    list->defects |= address->defects;
    list->count++;
    *(list->first ? &list->last->next : &list->first) = address;
    list->last = address;
}

/* A new address, or NULL when the list is full. A place is kept for the end of a group. */
static struct address *
new_address(struct list_parser *parser, enum address_kind kind)
{
    bool is_grouped = kind == ADDRESS_GROUP_START ||
                      (kind == ADDRESS_MAILBOX && parser->is_in_group);
    bool is_full = parser->list->count + is_grouped >= ADDRESSES_MAX;
    struct address *address = is_full ? NULL : ARENA_NEW(parser->arena, struct address);

    if (!address) {
        parser->list->is_cut = true;
        return NULL;
    }
    const struct slice none = slice_first(parser->text, 0);
    *address = (struct address){
        .kind = kind, .name = none, .route = none, .local = none, .domain = none, .comment = none,
        .raw = none,
    };
    return address;
}

static void
set_raw(struct list_parser *parser, const struct outline *outline, struct address *address)
{
    address->raw = slice_trim(slice_from_to(outline->start, outline->end));
    address->offset = (size_t)(address->raw.at - parser->text.at);
    if (!utf8_is_valid(address->raw))
        address->defects |= ADDRESS_NOT_UTF8;
}

static void
add_item(struct list_parser *parser, const struct outline *outline)
{
    bool is_group = outline->separator == ':';
    struct address *address =
        new_address(parser, is_group ? ADDRESS_GROUP_START : ADDRESS_MAILBOX);
    struct words words = {
        .arena = parser->arena,
        .comment = slice_first(parser->text, 0),
        .has_open_quote = outline->had_open_quote,
        .has_open_comment = outline->had_open_comment,
    };

    if (!address)
        return;
    set_raw(parser, outline, address);
    words.comment_size = address->raw.len;
    if (is_group) {
        address->name = words_take_phrase(&words, address->raw);
    } else if (outline->angle) {
        address->name = words_take_phrase(&words, slice_from_to(outline->start, outline->name_end));
        parse_angle(&words, outline, address);
        parse_tail(&words, outline, address);
    } else {
        parse_bare(&words, outline, address);
    }
    address->comment = words.comment;
    address->has_encoded_word = words.has_encoded_word;
    address->defects |= outline->defects | words.defects;
    if (!is_group)
        address->defects |= (uint16_t)((address->local.len ? 0 : ADDRESS_NO_LOCAL) |
                                       (address->domain.len ? 0 : ADDRESS_NO_DOMAIN));
    append(parser, address);
    parser->is_in_group |= is_group;
}

static void
end_group(struct list_parser *parser)
{
    struct address *address = new_address(parser, ADDRESS_GROUP_END);

    parser->is_in_group = false;
    if (address) {
        address->offset = (size_t)(parser->cursor.at - parser->text.at);
        append(parser, address);
    }
}

/* Between items: an empty one is a defect, but not behind a group's end. */
static void
take_separator(struct list_parser *parser, const struct outline *outline, bool is_empty)
{
    if (outline->separator == ';' && parser->is_in_group) {
        end_group(parser);
        struct cursor ahead = parser->cursor;
        lexer_skip_cfws(&ahead);
        if (cursor_take_byte(&ahead, ','))
            parser->cursor = ahead;
    } else if (outline->separator == ';') {
        parser->pending |= ADDRESS_SEMICOLON;
    }
    if (is_empty && (outline->separator == ',' || parser->is_behind_comma))
        parser->pending |= ADDRESS_EMPTY_ITEM;
    parser->is_behind_comma = outline->separator == ',';
}

/* Nothing but comments and blanks: a bare ':' or '<' is something. */
static bool
outline_is_empty(const struct outline *outline)
{
    struct cursor cursor = cursor_of(slice_from_to(outline->start, outline->end));

    lexer_skip_cfws(&cursor);
    return cursor_is_done(&cursor) && outline->separator != ':';
}

void
address_list_parse(struct arena *arena, struct slice text, struct address_list *ret_list)
{
    struct address_list list = {0};
    struct list_parser parser = {
        .arena = arena,
        .text = text,
        .cursor = cursor_of(text),
        .list = &list,
    };

    while (!cursor_is_done(&parser.cursor) && !list.is_cut) {
        struct outline outline = take_outline(&parser);
        bool is_empty = outline_is_empty(&outline);
        if (is_empty)
            parser.pending |= outline.defects;
        else
            add_item(&parser, &outline);
        take_separator(&parser, &outline, is_empty);
    }
    if (parser.is_in_group) {
        end_group(&parser);
        list.defects |= ADDRESS_UNCLOSED;
    }
    if (parser.is_behind_comma && !list.is_cut)
        parser.pending |= ADDRESS_EMPTY_ITEM;
    list.defects |= parser.pending;
    list.is_cut |= arena_failed(arena);
    *ret_list = list;
}

void
address_list_append(struct address_list *list, struct address_list *more)
{
    list->defects |= more->defects;
    list->is_cut |= more->is_cut || list->count + more->count > ADDRESSES_MAX;
    if (list->count + more->count > ADDRESSES_MAX)
        return;
    if (!more->first)
        return;
    *(list->first ? &list->last->next : &list->first) = more->first;
    list->last = more->last;
    list->count += more->count;
}

bool
address_equal(const struct address *left, const struct address *right)
{
    return left->kind == right->kind && slice_equal(left->local, right->local) &&
           domain_equal(left->domain, right->domain);
}
