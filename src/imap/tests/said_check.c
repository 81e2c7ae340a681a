/* SPDX-License-Identifier: ISC */
#include "imap/tests/said_check.h"

#include "base/cursor.h"
#include "text/utf8.h"

enum { NODES_MAX = 60000, DEPTH_MAX = 300, NUMBER_DIGITS = 20 };

enum kind { ATOM, QUOTED, LITERAL, LIST };

struct node {
    enum kind kind;
    struct slice text;    /* without quotes; of a quoted string with its backslashes */
    uint32_t next, child; /* 0: none */
    bool is_glued;        /* no space before it */
};

struct check {
    struct cursor cursor;
    struct node nodes[NODES_MAX];
    uint32_t count;
    bool is_utf8;
    uint64_t messages; /* of the selected mailbox, as the client knows it */
    bool is_smaller;   /* EXISTS fell: a new mailbox must be told of */
    bool may_stop;     /* the last response may be cut off */
};

/* ---- values ---------------------------------------------------------------------------------- */

static void
take_quoted(struct check *check, struct node *node)
{
    struct cursor *cursor = &check->cursor;
    const uint8_t *start = cursor->at;
    uint8_t octet = 0;

    for (;;) {
        bool is_there = cursor_take_any(cursor, &octet);
        assert(is_there && octet != '\r' && octet != '\n' && octet != 0);
        assert(octet < 0x80 || check->is_utf8);
        if (octet == '"')
            break;
        if (octet == '\\') {
            is_there = cursor_take_any(cursor, &octet);
            assert(is_there && (octet == '"' || octet == '\\'));
        }
    }
    node->kind = QUOTED;
    node->text = slice_of(start, (size_t)(cursor->at - start) - 1);
    assert(utf8_is_valid(node->text));
}

/* Behind "{"; literal8 may have NUL. */
static void
take_literal(struct check *check, struct node *node, bool is_binary)
{
    uint64_t len = 0;

    bool is_there = cursor_take_u64(&check->cursor, 0, SIZE_MAX / 2, &len) &&
                    cursor_take_text(&check->cursor, SLICE("}\r\n"));
    assert(is_there);
    if (check->may_stop && len > cursor_left(&check->cursor))
        len = cursor_left(&check->cursor);
    is_there = cursor_take_bytes(&check->cursor, (size_t)len, &node->text);
    assert(is_there);
    assert(is_binary || slice_find_byte(node->text, 0) == node->text.len);
    node->kind = LITERAL;
}

/* Of "BODY[HEADER.FIELDS (a "b c")]<0>", too: what is in brackets may have spaces and strings. */
static void
take_atom(struct check *check, struct node *node)
{
    struct cursor *cursor = &check->cursor;
    const uint8_t *start = cursor->at;
    bool is_inside = false;
    struct node inner;

    while (!cursor_is_done(cursor)) {
        uint8_t octet = *cursor->at;
        if (octet == '\r' || (!is_inside && (octet == ' ' || octet == '(' || octet == ')')))
            break;
        assert(octet >= ' ' && octet < 0x7F);
        cursor->at++;
        assert(is_inside || octet != '"');
        if (octet == '"')
            take_quoted(check, &inner);
        else if (octet == '{')
            take_literal(check, &inner, false);
        else if (octet == '[')
            is_inside = true;
        else if (octet == ']')
            is_inside = false;
    }
    node->kind = ATOM;
    node->text = slice_of(start, (size_t)(cursor->at - start));
    assert(node->text.len > 0 && !is_inside);
}

static void
take_simple(struct check *check, struct node *node)
{
    if (cursor_take_byte(&check->cursor, '"'))
        take_quoted(check, node);
    else if (cursor_take_text(&check->cursor, SLICE("~{")))
        take_literal(check, node, true);
    else if (cursor_take_byte(&check->cursor, '{'))
        take_literal(check, node, false);
    else
        take_atom(check, node);
}

static uint32_t
add(struct check *check)
{
    assert(check->count < NODES_MAX);
    check->nodes[check->count] = (struct node){.kind = LIST, .text = SLICE("")};
    return check->count++;
}

/* Values up to the line's end, which stays; returns the first, 0 when there is none. Two values
 * without a space between them must both be lists. */
static uint32_t
take_values(struct check *check)
{
    uint32_t open[DEPTH_MAX], depth = 0, first = 0, *link = &first;
    bool is_space = true, is_start = true; /* just behind a space; just behind a bracket */
    enum kind last = LIST;

    check->count = 1;
    while (cursor_peek(&check->cursor) >= 0 && cursor_peek(&check->cursor) != '\r') {
        if (cursor_peek(&check->cursor) == ')') {
            assert(depth > 0 && (!is_space || is_start));
            check->cursor.at++;
            link = &check->nodes[open[--depth]].next;
            last = LIST;
            is_space = is_start = false;
            continue;
        }
        if (cursor_peek(&check->cursor) == ' ') {
            assert(!is_space && !is_start);
            check->cursor.at++;
            is_space = true;
            continue;
        }
        uint32_t index = add(check);
        struct node *node = &check->nodes[index];
        *link = index;
        link = &node->next;
        node->is_glued = !is_space && !is_start;
        bool is_list = cursor_take_byte(&check->cursor, '(');
        assert(!node->is_glued || (is_list && last == LIST));
        is_space = is_start = is_list;
        last = is_list ? LIST : ATOM;
        if (is_list) {
            assert(depth < DEPTH_MAX);
            open[depth++] = index;
            link = &node->child;
        } else {
            take_simple(check, node);
        }
    }
    bool is_cut = check->may_stop && cursor_is_done(&check->cursor);
    assert(is_cut || (depth == 0 && (!is_space || first == 0)));
    return is_cut ? 0 : first;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static const struct node *
at(const struct check *check, uint32_t index)
{
    assert(index != 0);
    return &check->nodes[index];
}

static bool
is_atom(const struct node *node, const char *text)
{
    return node->kind == ATOM && slice_equal_nocase(node->text, slice_of_string(text));
}

static bool
is_nil(const struct node *node)
{
    return is_atom(node, "NIL");
}

static bool
is_string(const struct node *node)
{
    return node->kind == QUOTED || node->kind == LITERAL;
}

static bool
is_number(const struct node *node)
{
    bool is_good = node->kind == ATOM && node->text.len <= NUMBER_DIGITS;

    for (size_t i = 0; is_good && i < node->text.len; i++)
        is_good = node->text.at[i] >= '0' && node->text.at[i] <= '9';
    return is_good;
}

static unsigned
count_of(const struct check *check, uint32_t first)
{
    unsigned count = 0;

    for (; first != 0; first = check->nodes[first].next)
        count++;
    return count;
}

/* "(" *(string SP string) ")" or NIL */
static void
check_parameters(const struct check *check, uint32_t index)
{
    const struct node *node = at(check, index);

    if (is_nil(node))
        return;
    assert(node->kind == LIST && node->child != 0 && count_of(check, node->child) % 2 == 0);
    for (uint32_t i = node->child; i != 0; i = check->nodes[i].next)
        assert(is_string(&check->nodes[i]));
}

static void
check_addresses(const struct check *check, const struct node *node)
{
    if (is_nil(node))
        return;
    assert(node->kind == LIST && node->child != 0);
    for (uint32_t i = node->child; i != 0; i = check->nodes[i].next) {
        const struct node *address = &check->nodes[i];
        assert(address->kind == LIST && count_of(check, address->child) == 4);
        for (uint32_t j = address->child; j != 0; j = check->nodes[j].next)
            assert(is_string(&check->nodes[j]) || is_nil(&check->nodes[j]));
        /* RFC 9051 §7.5.2: without a host it is the beginning or the end of a group. */
    }
}

static void
check_envelope(const struct check *check, uint32_t index)
{
    const struct node *node = at(check, index);
    unsigned place = 0;

    assert(node->kind == LIST && count_of(check, node->child) == 10);
    for (uint32_t i = node->child; i != 0; i = check->nodes[i].next, place++) {
        if (place >= 2 && place < 8)
            check_addresses(check, &check->nodes[i]);
        else
            assert(is_string(&check->nodes[i]) || is_nil(&check->nodes[i]));
    }
}

/* body-fld-md5 or nothing, then disposition, language, location; `index` may be 0. */
static void
check_tail(const struct check *check, uint32_t index)
{
    if (index == 0)
        return;
    const struct node *disposition = at(check, index);
    if (!is_nil(disposition)) {
        assert(disposition->kind == LIST && is_string(at(check, disposition->child)));
        check_parameters(check, check->nodes[disposition->child].next);
    }
    const struct node *languages = at(check, disposition->next);
    assert(is_nil(languages) || is_string(languages) || languages->child != 0);
    const struct node *location = at(check, languages->next);
    assert((is_nil(location) || is_string(location)) && location->next == 0);
}

struct bodies {
    uint32_t at[NODES_MAX];
    size_t count;
};

/* Six fields of every part, then what its type has; bodies inside are left for later. */
static void
check_single(const struct check *check, uint32_t first, bool is_extensible, struct bodies *later)
{
    const struct node *type = at(check, first), *subtype = at(check, type->next);
    const struct node *parameters = at(check, subtype->next), *id = at(check, parameters->next);
    const struct node *description = at(check, id->next);
    const struct node *encoding = at(check, description->next);
    const struct node *octets = at(check, encoding->next);
    uint32_t rest = octets->next;

    assert(is_string(type) && is_string(subtype) && is_string(encoding) && is_number(octets));
    check_parameters(check, subtype->next);
    assert((is_nil(id) || is_string(id)) && (is_nil(description) || is_string(description)));
    bool is_message = slice_equal_nocase(type->text, SLICE("message")) &&
                      (slice_equal_nocase(subtype->text, SLICE("rfc822")) ||
                       slice_equal_nocase(subtype->text, SLICE("global")));
    if (is_message) {
        check_envelope(check, rest);
        later->at[later->count++] = check->nodes[rest].next;
        rest = at(check, at(check, rest)->next)->next;
    }
    if (is_message || slice_equal_nocase(type->text, SLICE("text"))) {
        assert(is_number(at(check, rest)));
        rest = check->nodes[rest].next;
    }
    assert((rest != 0) == is_extensible);
    if (rest == 0)
        return;
    assert(is_nil(at(check, rest)) || is_string(at(check, rest)));
    assert(check->nodes[rest].next != 0);
    check_tail(check, check->nodes[rest].next);
}

static void
check_body(const struct check *check, uint32_t index, bool is_extensible)
{
    static struct bodies later;

    later.count = 0;
    later.at[later.count++] = index;
    while (later.count > 0) {
        const struct node *body = at(check, later.at[--later.count]);
        uint32_t part = body->child;
        assert(body->kind == LIST && part != 0);
        if (check->nodes[part].kind != LIST) {
            check_single(check, part, is_extensible, &later);
            continue;
        }
        for (; part != 0 && check->nodes[part].kind == LIST; part = check->nodes[part].next) {
            assert(part == body->child || check->nodes[part].is_glued);
            later.at[later.count++] = part;
        }
        assert(is_string(at(check, part)));
        uint32_t rest = check->nodes[part].next;
        assert((rest != 0) == is_extensible);
        if (rest != 0) {
            check_parameters(check, rest);
            check_tail(check, check->nodes[rest].next);
        }
    }
}

/* ---- FETCH ----------------------------------------------------------------------------------- */

static void
check_flags(const struct check *check, const struct node *node)
{
    assert(node->kind == LIST);
    for (uint32_t i = node->child; i != 0; i = check->nodes[i].next)
        assert(check->nodes[i].kind == ATOM && !check->nodes[i].is_glued);
}

/* "(" number or identifier ")" */
static void
check_bracketed(const struct check *check, const struct node *node, bool is_numeric)
{
    assert(node->kind == LIST && count_of(check, node->child) == 1);
    const struct node *inner = at(check, node->child);
    assert(is_numeric ? is_number(inner) : inner->kind == ATOM);
}

static void
check_item(const struct check *check, const struct node *name, uint32_t index)
{
    const struct node *value = at(check, index);

    assert(name->kind == ATOM && !value->is_glued);
    if (is_atom(name, "FLAGS"))
        check_flags(check, value);
    else if (is_atom(name, "UID") || is_atom(name, "RFC822.SIZE") ||
             slice_starts_with(name->text, SLICE("BINARY.SIZE[")))
        assert(is_number(value));
    else if (is_atom(name, "ENVELOPE"))
        check_envelope(check, index);
    else if (is_atom(name, "BODY") || is_atom(name, "BODYSTRUCTURE"))
        check_body(check, index, is_atom(name, "BODYSTRUCTURE"));
    else if (is_atom(name, "MODSEQ"))
        check_bracketed(check, value, true);
    else if (is_atom(name, "EMAILID"))
        check_bracketed(check, value, false);
    else if (is_atom(name, "THREADID"))
        assert(is_nil(value) || value->kind == LIST);
    else if (is_atom(name, "INTERNALDATE"))
        assert(value->kind == QUOTED && value->text.len == 26);
    else if (is_atom(name, "SAVEDATE"))
        assert(is_nil(value) || (value->kind == QUOTED && value->text.len == 26));
    else if (slice_starts_with(name->text, SLICE("BODYPARTSTRUCTURE[")))
        assert(is_nil(value) || value->kind == LIST);
    else
        assert((is_nil(value) || is_string(value)) &&
               (is_atom(name, "PREVIEW") || is_atom(name, "RFC822") ||
                is_atom(name, "RFC822.HEADER") || is_atom(name, "RFC822.TEXT") ||
                slice_starts_with(name->text, SLICE("BODY[")) ||
                slice_starts_with(name->text, SLICE("BINARY["))));
}

static void
check_fetch(const struct check *check, uint32_t index)
{
    const struct node *list = at(check, index);

    assert(list->kind == LIST && list->next == 0 && list->child != 0);
    for (uint32_t i = list->child; i != 0;) {
        const struct node *name = &check->nodes[i];
        check_item(check, name, name->next);
        i = check->nodes[name->next].next;
        assert(i == 0 || !check->nodes[i].is_glued);
    }
}

/* ---- responses ------------------------------------------------------------------------------- */

/* resp-text: [ "[" code "]" SP ] text */
static void
check_text(struct check *check, struct slice line)
{
    size_t at = 0;

    for (size_t i = 0; i < line.len; i++)
        assert(line.at[i] >= ' ' && line.at[i] != 0x7F && (line.at[i] < 0x80 || check->is_utf8));
    if (line.len > 0 && line.at[0] == '[') {
        bool is_quoted = false;
        while (++at < line.len && (is_quoted || line.at[at] != ']')) {
            if (is_quoted && line.at[at] == '\\')
                at++;
            else if (line.at[at] == '"')
                is_quoted = !is_quoted;
        }
        assert(at + 2 < line.len && line.at[at + 1] == ' ');
    }
    if (slice_starts_with(line, SLICE("[UIDVALIDITY ")))
        check->is_smaller = false;
}

static uint64_t
set_size(struct slice set)
{
    struct cursor cursor = cursor_of(set);
    uint64_t first = 0, last = 0, size = 0;

    do {
        bool is_there = cursor_take_u64(&cursor, 1, UINT32_MAX, &first);
        last = first;
        if (is_there && cursor_take_byte(&cursor, ':'))
            is_there = cursor_take_u64(&cursor, first, UINT32_MAX, &last);
        assert(is_there);
        size += last - first + 1;
    } while (cursor_take_byte(&cursor, ','));
    assert(cursor_is_done(&cursor));
    return size;
}

static void
check_numbered(struct check *check, const struct node *number)
{
    const struct node *word = at(check, number->next);
    uint64_t value = 0;
    struct cursor cursor = cursor_of(number->text);

    assert(cursor_take_u64(&cursor, 0, UINT32_MAX, &value));
    if (is_atom(word, "EXISTS")) {
        check->is_smaller |= value < check->messages;
        check->messages = value;
    } else if (is_atom(word, "EXPUNGE")) {
        assert(value >= 1 && value <= check->messages);
        check->messages--;
    } else if (is_atom(word, "FETCH")) {
        assert(value >= 1 && value <= check->messages);
        check_fetch(check, word->next);
    } else if (is_atom(word, "UIDFETCH")) {
        assert(value >= 1);
        check_fetch(check, word->next);
    } else {
        assert(is_atom(word, "RECENT"));
    }
}

/* LIST and LSUB: "(" flags ")" SP delimiter SP mailbox [SP "(" extended ")"] */
static void
check_list(const struct check *check, const struct node *word)
{
    const struct node *flags = at(check, word->next), *delimiter = at(check, flags->next);
    const struct node *name = at(check, delimiter->next);

    check_flags(check, flags);
    assert(delimiter->kind == QUOTED || is_nil(delimiter));
    assert(name->kind != LIST);
    assert(name->next == 0 || (is_atom(word, "LIST") && check->nodes[name->next].kind == LIST));
}

static void
check_vanished(struct check *check, const struct node *word)
{
    const struct node *set = at(check, word->next);
    bool is_earlier = set->kind == LIST;

    if (is_earlier)
        set = at(check, set->next);
    assert(set->kind == ATOM && set->next == 0);
    uint64_t size = set_size(set->text);
    assert(is_earlier || size <= check->messages);
    check->messages -= is_earlier ? 0 : size;
}

static void
check_numbers(const struct check *check, const struct node *word)
{
    for (uint32_t i = word->next; i != 0; i = check->nodes[i].next) {
        const struct node *node = &check->nodes[i];
        assert(is_number(node) || (node->kind == LIST && node->next == 0));
    }
}

static void
check_data(struct check *check, uint32_t first)
{
    static const char *const others[] = {
        "CAPABILITY", "ENABLED", "ESEARCH",  "THREAD",     "NAMESPACE", "ID",       "QUOTA",
        "QUOTAROOT",  "ACL",     "MYRIGHTS", "LISTRIGHTS", "METADATA",  "URLFETCH", "GENURLAUTH"};
    const struct node *word = at(check, first);
    bool is_known = false;

    if (is_number(word)) {
        check_numbered(check, word);
    } else if (is_atom(word, "LIST") || is_atom(word, "LSUB")) {
        check_list(check, word);
    } else if (is_atom(word, "VANISHED")) {
        check_vanished(check, word);
    } else if (is_atom(word, "FLAGS")) {
        check_flags(check, at(check, word->next));
    } else if (is_atom(word, "STATUS")) {
        const struct node *list = at(check, at(check, word->next)->next);
        assert(list->kind == LIST && list->next == 0 && count_of(check, list->child) % 2 == 0);
    } else if (is_atom(word, "SEARCH") || is_atom(word, "SORT")) {
        check_numbers(check, word);
    } else {
        for (size_t i = 0; i < COUNT_OF(others); i++)
            is_known |= is_atom(word, others[i]);
        assert(is_known);
    }
    if (is_atom(word, "ENABLED")) {
        for (uint32_t i = word->next; i != 0; i = check->nodes[i].next)
            check->is_utf8 |=
                is_atom(&check->nodes[i], "UTF8=ACCEPT") || is_atom(&check->nodes[i], "IMAP4REV2");
    }
}

static bool
takes_state(struct cursor *cursor)
{
    return cursor_take_text(cursor, SLICE("OK ")) || cursor_take_text(cursor, SLICE("NO ")) ||
           cursor_take_text(cursor, SLICE("BAD ")) || cursor_take_text(cursor, SLICE("BYE ")) ||
           cursor_take_text(cursor, SLICE("PREAUTH "));
}

static void
check_response(struct check *check)
{
    struct cursor *cursor = &check->cursor;
    struct slice tag, line;
    bool is_text = true, is_tagged = false, is_question = false;

    if (cursor_take_text(cursor, SLICE("* "))) {
        is_text = takes_state(cursor);
    } else if (cursor_take_text(cursor, SLICE("+ "))) {
        is_question = true;
    } else {
        is_tagged = cursor_take_until(cursor, ' ', &tag) && cursor_take_byte(cursor, ' ');
        assert(is_tagged && tag.len > 0 && takes_state(cursor));
        for (size_t i = 0; i < tag.len; i++)
            assert(tag.at[i] > ' ' && tag.at[i] < 0x7F && !strchr("+(){%*\"\\", tag.at[i]));
    }
    if (is_text) {
        line = slice_first(cursor_rest(cursor), slice_find(cursor_rest(cursor), SLICE("\r\n")));
        cursor->at += line.len;
        assert(line.len > 0 || is_question); /* an empty challenge */
        check_text(check, line);
    } else {
        uint32_t first = take_values(check);
        if (!check->may_stop || !cursor_is_done(cursor))
            check_data(check, first);
    }
    bool is_ended = cursor_take_text(cursor, SLICE("\r\n"));
    assert(is_ended || (check->may_stop && cursor_is_done(cursor)));
    assert(!is_tagged || !check->is_smaller);
}

void
said_check(struct slice said, bool may_stop)
{
    static struct check check;

    check.cursor = cursor_of(said);
    check.is_utf8 = check.is_smaller = false;
    check.messages = 0;
    check.may_stop = may_stop;
    while (!cursor_is_done(&check.cursor))
        check_response(&check);
}
