/* SPDX-License-Identifier: ISC */
/* Reads parameters as they are written, then joins what RFC 2231 has taken apart. */
#include "mime/parameter.h"

#include "base/hex.h"
#include "mime/encoded_word.h"
#include "message/lexer.h"
#include "text/charset.h"
#include "text/utf8.h"

/* ---- as written ---------------------------------------------------------------------------- */

static void
complain(const struct mime_place *place, const struct cursor *cursor, enum mime_defect_kind kind)
{
    mime_defects_add(place->defects, kind, (size_t)(cursor->at - place->message));
}

/* Up to the next ';', which is left. */
static void
skip_to_semicolon(struct cursor *cursor)
{
    while (!cursor_is_done(cursor) && *cursor->at != ';') {
        struct slice inner;
        bool is_open;
        if (!lexer_take_quoted(cursor, &inner, &is_open))
            cursor->at++;
    }
}

/* attribute (RFC 2045 5.1, RFC 2231 7): whatever stands before '=', but no blanks. */
static struct slice
take_attribute(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;

    while (!cursor_is_done(cursor) && *cursor->at != '=' && *cursor->at != ';' &&
           *cursor->at != '"' && *cursor->at != '(' && !lexer_blanks[*cursor->at])
        cursor->at++;
    return slice_of(start, (size_t)(cursor->at - start));
}

/* Takes CFWS; true when the next ';' or the end stands behind it. */
static bool
take_end_of_value(struct cursor *cursor)
{
    lexer_skip_cfws(cursor);
    return cursor_is_done(cursor) || *cursor->at == ';';
}

/* A token, or what stands in its place: `name=annual report (final).doc` has no quotes, so the
 * value goes up to the ';' and keeps its blanks. A comment at the very end is a comment. */
static struct slice
take_bare_value(struct cursor *cursor, const struct mime_place *place)
{
    const uint8_t *start = cursor->at, *end = start;
    bool is_odd = false;

    while (!cursor_is_done(cursor) && *cursor->at != ';') {
        bool is_gap = *cursor->at == '(' || lexer_blanks[*cursor->at];
        /* What was passed over is not looked at again: fields of blanks or "(" stay cheap. */
        if (is_gap && take_end_of_value(cursor))
            break;
        is_odd = is_odd || is_gap || *cursor->at == '"';
        end = ++cursor->at;
    }
    if (is_odd || end == start)
        mime_defects_add(place->defects, MIME_DEFECT_PARAMETER, (size_t)(start - place->message));
    return slice_of(start, (size_t)(end - start));
}

/* Quoted, but the sender forgot to escape inner quotes: `"the "best" one.txt"`. Takes up to the
 * last quote before the ';' or end. `start` is behind the opening quote. */
static struct slice
take_badly_quoted(struct cursor *cursor, const uint8_t *start, const struct mime_place *place)
{
    complain(place, cursor, MIME_DEFECT_PARAMETER);
    while (!cursor_is_done(cursor) && *cursor->at != ';')
        cursor->at++;
    struct slice whole = slice_of(start, (size_t)(cursor->at - start));
    size_t quote = slice_find_last_byte(whole, '"');
    return slice_first(whole, quote);
}

/* value := token / quoted-string (RFC 2045 5.1). */
static struct slice
take_value(struct cursor *cursor, struct arena *arena, const struct mime_place *place)
{
    const uint8_t *start = cursor->at;
    struct slice value;
    bool is_open = false;

    if (lexer_take_quoted(cursor, &value, &is_open)) {
        if (is_open)
            mime_defects_add(place->defects, MIME_DEFECT_PARAMETER,
                             (size_t)(start - place->message));
        else if (!take_end_of_value(cursor))
            value = take_badly_quoted(cursor, start + 1, place);
    } else {
        value = take_bare_value(cursor, place);
    }
    return lexer_unquote(arena, value);
}

/* parameter := attribute "=" value. False when there is none; the cursor then stands at the next
 * ';' or at the end. */
static bool
take_parameter(struct cursor *cursor, struct arena *arena, const struct mime_place *place,
               struct mime_parameter *ret_parameter)
{
    struct cursor start = *cursor;
    struct slice name = take_attribute(cursor);

    lexer_skip_cfws(cursor);
    if (slice_is_empty(name) || !cursor_take_byte(cursor, '=')) {
        complain(place, &start, MIME_DEFECT_PARAMETER);
        skip_to_semicolon(cursor);
        return false;
    }
    lexer_skip_cfws(cursor);
    ret_parameter->name = name;
    ret_parameter->value = take_value(cursor, arena, place);
    ret_parameter->language = slice_of(NULL, 0);
    return true;
}

struct mime_parameters
mime_parameters_take(struct cursor *cursor, struct arena *arena, const struct mime_place *place)
{
    NOT_ZEROED struct mime_parameter found[MIME_PARAMETERS_MAX];
    size_t count = 0;

    for (;;) {
        bool has_semicolon = false;
        while (lexer_skip_cfws(cursor) || cursor_peek(cursor) == ';')
            has_semicolon = cursor_take_byte(cursor, ';') || has_semicolon;
        if (cursor_is_done(cursor))
            break;
        if (count == MIME_PARAMETERS_MAX) {
            complain(place, cursor, MIME_DEFECT_PARAMETERS_LIMIT);
            cursor->at = cursor->end;
            break;
        }
        if (!has_semicolon)
            complain(place, cursor, MIME_DEFECT_PARAMETER);
        if (take_parameter(cursor, arena, place, &found[count]))
            count++;
    }
    struct mime_parameter *items = count ? ARENA_ARRAY(arena, struct mime_parameter, count) : NULL;
    if (!items)
        return (struct mime_parameters){NULL, 0};
    memcpy(items, found, count * sizeof(*items));
    return (struct mime_parameters){items, count};
}

/* ---- resolved (RFC 2231) ------------------------------------------------------------------- */

/* One written parameter, its name taken apart: base ["*" section] ["*"]. */
struct section {
    struct slice base;
    struct slice value;
    uint32_t number;   /* of the section; 0 also without one */
    bool is_sectioned; /* has a number */
    bool is_extended;  /* ends in '*': percent encoded, and the first one has charset'language' */
    bool is_used;
};

static struct section
section_of(const struct mime_parameter *written)
{
    struct section section = {.base = written->name, .value = written->value};
    size_t star = slice_find_byte(written->name, '*');

    if (star == written->name.len || star == 0)
        return section;
    struct cursor rest = cursor_of(slice_skip(written->name, star + 1));
    uint32_t number = 0;
    bool is_sectioned = cursor_take_u32(&rest, 0, MIME_PARAMETERS_MAX, &number);
    bool is_extended = !is_sectioned || cursor_take_byte(&rest, '*');
    if (!cursor_is_done(&rest))
        return section;
    section.base = slice_first(written->name, star);
    section.number = number;
    section.is_sectioned = is_sectioned;
    section.is_extended = is_extended;
    return section;
}

/* ext-octet := "%" 2(DIGIT / "A" … "F"). False when a '%' begins nothing; it stands for itself. */
static bool
put_percent_decoded(struct buffer *octets, struct slice text)
{
    bool is_good = true;

    for (size_t i = 0; i < text.len; i++) {
        bool is_escape = text.at[i] == '%';
        int value = is_escape ? slice_hex_byte(slice_skip(text, i + 1)) : -1;
        if (value >= 0) {
            buffer_put_byte(octets, (uint8_t)value);
            i += 2;
        } else {
            is_good = is_good && !is_escape;
            buffer_put_byte(octets, text.at[i]);
        }
    }
    return is_good;
}

struct resolving {
    struct arena *arena;
    struct mime_defects *defects;
    size_t offset;
    struct section sections[MIME_PARAMETERS_MAX];
    size_t count;
    struct buffer octets; /* of the value being joined */
    struct buffer text;   /* the same in UTF-8 */
};

static void
note_defect(struct resolving *resolving, enum mime_defect_kind kind)
{
    mime_defects_add(resolving->defects, kind, resolving->offset);
}

/* The text buffer as a slice of the arena, cut at the limit. */
static struct slice
finish_text(struct resolving *resolving)
{
    struct slice text = buffer_slice(&resolving->text);

    return arena_copy(resolving->arena, utf8_first(text, MIME_PARAMETER_VALUE_MAX));
}

/* A value that is not extended: may have encoded words (RFC 2047 5 forbids it, many do it) and
 * raw 8-bit octets. */
static struct slice
resolve_plain(struct resolving *resolving, struct slice value)
{
    if (!mime_encoded_words_present(value))
        return utf8_first(value, MIME_PARAMETER_VALUE_MAX);
    if (utf8_is_ascii(value) || !utf8_is_valid(value))
        note_defect(resolving, MIME_DEFECT_PARAMETER_ENCODING);
    buffer_clear(&resolving->text);
    mime_encoded_words_decode(&resolving->text, slice_first(value, MIME_PARAMETER_VALUE_MAX * 4));
    return finish_text(resolving);
}

/* Finds the section of that base and number that comes first; NULL without. */
static struct section *
find_section(struct resolving *resolving, struct slice base, uint32_t number, bool is_sectioned)
{
    for (size_t i = 0; i < resolving->count; i++) {
        struct section *section = &resolving->sections[i];
        if (section->number == number && section->is_sectioned == is_sectioned &&
            slice_equal_nocase(section->base, base) && (is_sectioned || section->is_extended))
            return section;
    }
    return NULL;
}

/* Takes charset'language' from the front of an extended initial value. */
static void
take_charset(struct slice *value, struct slice *ret_charset, struct slice *ret_language)
{
    size_t first = slice_find_byte(*value, '\'');
    struct slice rest = slice_skip(*value, first + 1);
    size_t second = slice_find_byte(rest, '\'');

    if (first == value->len || second == rest.len)
        return;
    *ret_charset = slice_first(*value, first);
    *ret_language = slice_first(rest, second);
    *value = slice_skip(rest, second + 1);
}

/* Joins the sections that begin with `initial` and converts them as one text: a character may be
 * divided between two. */
static void
resolve_sections(struct resolving *resolving, struct section *initial,
                 struct mime_parameter *ret_parameter)
{
    struct slice charset = slice_of(NULL, 0), language = slice_of(NULL, 0);
    struct section *section = initial;
    bool is_extended = initial->is_extended;

    buffer_clear(&resolving->octets);
    if (is_extended)
        take_charset(&section->value, &charset, &language);
    for (uint32_t number = 0; section; number++) {
        section->is_used = true;
        if (!section->is_extended)
            buffer_put(&resolving->octets, section->value);
        else if (!put_percent_decoded(&resolving->octets, section->value))
            note_defect(resolving, MIME_DEFECT_PARAMETER_ENCODING);
        section =
            initial->is_sectioned ? find_section(resolving, initial->base, number + 1, true) : NULL;
    }
    ret_parameter->language = language;
    struct slice octets = buffer_slice(&resolving->octets);
    if (!is_extended) {
        ret_parameter->value = resolve_plain(resolving, arena_copy(resolving->arena, octets));
        return;
    }
    buffer_clear(&resolving->text);
    struct charset_report report = charset_to_utf8(charset_find(charset), octets, &resolving->text);
    if (report.bad_count > 0 || (report.is_unknown && !slice_is_empty(charset)))
        note_defect(resolving, MIME_DEFECT_PARAMETER_ENCODING);
    ret_parameter->value = finish_text(resolving);
}

/* The best form that the name has: extended, else in sections, else plain (RFC 2231 leaves the
 * order open; senders put the plain one beside the others for old readers). */
static bool
resolve_name(struct resolving *resolving, const struct section *first,
             struct mime_parameter *ret_parameter)
{
    struct section *initial = find_section(resolving, first->base, 0, false);

    if (!initial)
        initial = find_section(resolving, first->base, 0, true);
    ret_parameter->name = first->base;
    ret_parameter->language = slice_of(NULL, 0);
    if (initial) {
        resolve_sections(resolving, initial, ret_parameter);
        return true;
    }
    for (size_t i = 0; i < resolving->count; i++) {
        struct section *section = &resolving->sections[i];
        if (!section->is_sectioned && slice_equal_nocase(section->base, first->base)) {
            section->is_used = true;
            ret_parameter->value = resolve_plain(resolving, section->value);
            return true;
        }
    }
    return false;
}

static bool
name_was_resolved(const struct mime_parameter *items, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(items[i].name, name))
            return true;
    return false;
}

/* Says what of the written list was of no use. */
static void
note_leftovers(struct resolving *resolving)
{
    for (size_t i = 0; i < resolving->count; i++) {
        const struct section *section = &resolving->sections[i];
        if (section->is_used)
            continue;
        /* A plain form beside a better one is for old readers: no defect. */
        if (section->is_sectioned)
            note_defect(resolving, MIME_DEFECT_PARAMETER_SECTION);
        else if (section->is_extended || (!find_section(resolving, section->base, 0, false) &&
                                          !find_section(resolving, section->base, 0, true)))
            note_defect(resolving, MIME_DEFECT_PARAMETER_REPEATED);
    }
}

/* True when the written form is the resolved form. */
static bool
is_resolved(struct mime_parameters written)
{
    for (size_t i = 0; i < written.count; i++) {
        const struct mime_parameter *item = &written.items[i];
        if (slice_find_byte(item->name, '*') < item->name.len ||
            item->value.len > MIME_PARAMETER_VALUE_MAX || mime_encoded_words_present(item->value) ||
            name_was_resolved(written.items, i, item->name))
            return false;
    }
    return true;
}

struct mime_parameters
mime_parameters_resolve(struct mime_parameters written, struct arena *arena,
                        struct mime_defects *defects, size_t offset)
{
    if (is_resolved(written))
        return written;
    struct resolving resolving = {.arena = arena, .defects = defects, .offset = offset};
    struct mime_parameter *items = ARENA_ARRAY(arena, struct mime_parameter, written.count);
    if (!items)
        return written;
    buffer_init(&resolving.octets, MIME_PARAMETER_VALUE_MAX * 4);
    buffer_init(&resolving.text, MIME_PARAMETER_VALUE_MAX * 16);
    for (size_t i = 0; i < written.count; i++)
        resolving.sections[resolving.count++] = section_of(&written.items[i]);
    size_t count = 0;
    for (size_t i = 0; i < resolving.count; i++) {
        const struct section *section = &resolving.sections[i];
        if (!section->is_used && !name_was_resolved(items, count, section->base) &&
            resolve_name(&resolving, section, &items[count]))
            count++;
    }
    note_leftovers(&resolving);
    buffer_finish(&resolving.octets);
    buffer_finish(&resolving.text);
    return (struct mime_parameters){items, count};
}

struct slice
mime_parameters_find(struct mime_parameters parameters, struct slice name)
{
    for (size_t i = 0; i < parameters.count; i++)
        if (slice_equal_nocase(parameters.items[i].name, name))
            return parameters.items[i].value;
    return slice_of(NULL, 0);
}
