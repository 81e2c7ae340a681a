/* SPDX-License-Identifier: ISC */
#include "imap/fetch.h"

#include "imap/grammar.h"

struct word {
    const char *text;
    enum imap_fetch_kind kind;
};

void
imap_fetch_items_add(struct imap_fetch_items *items, enum imap_fetch_kind kind)
{
    for (size_t i = 0; i < items->count; i++) {
        if (items->at[i].kind == kind)
            return;
    }
    if (items->count < IMAP_FETCH_ITEMS_MAX)
        items->at[items->count++] = (struct imap_fetch_item){.kind = kind, .is_peek = true};
}

/* ---- sections -------------------------------------------------------------------------------- */

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static bool
take_fields(struct cursor *cursor, struct arena *arena, struct imap_fetch_item *item)
{
    struct slice *fields = ARENA_ARRAY(arena, struct slice, IMAP_FETCH_FIELDS_MAX);

    if (!fields || !imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    do {
        item->is_over_limit = item->field_count == IMAP_FETCH_FIELDS_MAX;
        if (item->is_over_limit ||
            !imap_take_astring(cursor, arena, &fields[item->field_count++]))
            return false;
    } while (imap_take_space(cursor));
    item->fields = fields;
    return cursor_take_byte(cursor, ')');
}

/* section-msgtext / "MIME" */
static bool
take_text(struct cursor *cursor, struct arena *arena, struct imap_fetch_item *item)
{
    if (cursor_take_text_nocase(cursor, SLICE("HEADER.FIELDS.NOT"))) {
        item->section = IMAP_SECTION_FIELDS_NOT;
        return take_fields(cursor, arena, item);
    }
    if (cursor_take_text_nocase(cursor, SLICE("HEADER.FIELDS"))) {
        item->section = IMAP_SECTION_FIELDS;
        return take_fields(cursor, arena, item);
    }
    if (cursor_take_text_nocase(cursor, SLICE("HEADER"))) {
        item->section = IMAP_SECTION_HEADER;
        return true;
    }
    if (cursor_take_text_nocase(cursor, SLICE("TEXT"))) {
        item->section = IMAP_SECTION_TEXT;
        return true;
    }
    item->section = IMAP_SECTION_MIME;
    return item->path.depth > 0 && cursor_take_text_nocase(cursor, SLICE("MIME"));
}

/* section-spec = section-msgtext / (section-part ["." section-text]) */
static bool
take_spec(struct cursor *cursor, struct arena *arena, struct imap_fetch_item *item)
{
    int next = cursor_peek(cursor);

    item->section = IMAP_SECTION_WHOLE;
    if (next == ']')
        return true;
    while (next >= '1' && next <= '9') {
        if (item->path.depth == IMAP_PART_DEPTH_MAX ||
            !imap_take_nz_number(cursor, &item->path.numbers[item->path.depth++]))
            return false;
        if (!cursor_take_byte(cursor, '.'))
            return true;
        next = cursor_peek(cursor);
    }
    return take_text(cursor, arena, item);
}

/* "[" section-spec "]" ["<" number "." nz-number ">"] */
static bool
take_section(struct cursor *cursor, struct arena *arena, struct slice word,
             struct imap_fetch_item *item)
{
    const uint8_t *start = cursor->at;

    if (!cursor_take_byte(cursor, '[') || !take_spec(cursor, arena, item) ||
        !cursor_take_byte(cursor, ']'))
        return false;
    bool is_binary = item->kind != IMAP_FETCH_SECTION;
    if (is_binary && item->section != IMAP_SECTION_WHOLE)
        return false;
    size_t len = (size_t)(cursor->at - start);
    uint8_t *name = arena_new(arena, word.len + len);
    if (!name)
        return false;
    memcpy(name, word.at, word.len);
    memcpy(name + word.len, start, len);
    item->name = slice_of(name, word.len + len);
    if (item->kind == IMAP_FETCH_BINARY_SIZE || !cursor_take_byte(cursor, '<'))
        return true;
    item->is_partial = true;
    return cursor_take_u32(cursor, 0, UINT32_MAX, &item->partial_start) &&
           cursor_take_byte(cursor, '.') && imap_take_nz_number(cursor, &item->partial_len) &&
           cursor_take_byte(cursor, '>');
}

/* What has a section behind its name. */
static bool
take_with_section(struct cursor *cursor, struct arena *arena, struct imap_fetch_item *item,
                  bool *ret_is_good)
{
    static const struct {
        struct slice word, shown;
        enum imap_fetch_kind kind;
        bool is_peek;
    } words[] = {
        {{(const uint8_t *)"BODY.PEEK[", 10},
         {(const uint8_t *)"BODY", 4},
         IMAP_FETCH_SECTION,
         true},
        {{(const uint8_t *)"BODY[", 5}, {(const uint8_t *)"BODY", 4}, IMAP_FETCH_SECTION, false},
        {{(const uint8_t *)"BINARY.PEEK[", 12},
         {(const uint8_t *)"BINARY", 6},
         IMAP_FETCH_BINARY,
         true},
        {{(const uint8_t *)"BINARY.SIZE[", 12},
         {(const uint8_t *)"BINARY.SIZE", 11},
         IMAP_FETCH_BINARY_SIZE,
         true},
        {{(const uint8_t *)"BINARY[", 7}, {(const uint8_t *)"BINARY", 6}, IMAP_FETCH_BINARY, false},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!cursor_take_text_nocase(cursor, words[i].word))
            continue;
        cursor->at--; /* the bracket belongs to the section */
        item->kind = words[i].kind;
        item->is_peek = words[i].is_peek;
        *ret_is_good = take_section(cursor, arena, words[i].shown, item);
        return true;
    }
    return false;
}

/* ---- items ----------------------------------------------------------------------------------- */

static const struct word words[] = {
    {"RFC822.HEADER", IMAP_FETCH_RFC822_HEADER},
    {"RFC822.SIZE", IMAP_FETCH_SIZE},
    {"RFC822.TEXT", IMAP_FETCH_RFC822_TEXT},
    {"RFC822", IMAP_FETCH_RFC822},
    {"UID", IMAP_FETCH_UID},
    {"FLAGS", IMAP_FETCH_FLAGS},
    {"MODSEQ", IMAP_FETCH_MODSEQ},
    {"INTERNALDATE", IMAP_FETCH_INTERNALDATE},
    {"SAVEDATE", IMAP_FETCH_SAVEDATE},
    {"EMAILID", IMAP_FETCH_EMAILID},
    {"THREADID", IMAP_FETCH_THREADID},
    {"ENVELOPE", IMAP_FETCH_ENVELOPE},
    {"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE},
    {"BODY", IMAP_FETCH_BODY},
    {"PREVIEW", IMAP_FETCH_PREVIEW},
};

static bool
take_item(struct cursor *cursor, struct arena *arena, struct imap_fetch_item *item)
{
    bool is_good;

    if (take_with_section(cursor, arena, item, &is_good))
        return is_good;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!imap_take_word(cursor, slice_of_string(words[i].text)))
            continue;
        item->kind = words[i].kind;
        item->is_peek = item->kind != IMAP_FETCH_RFC822 && item->kind != IMAP_FETCH_RFC822_TEXT;
        item->section = item->kind == IMAP_FETCH_RFC822_HEADER ? IMAP_SECTION_HEADER
                        : item->kind == IMAP_FETCH_RFC822_TEXT ? IMAP_SECTION_TEXT
                                                               : IMAP_SECTION_WHOLE;
        item->name = slice_of_string(words[i].text);
        if (item->kind == IMAP_FETCH_PREVIEW) /* RFC 8970 §3.1: ready at once, LAZY or not */
            (void)!cursor_take_text_nocase(cursor, SLICE(" (LAZY)"));
        return true;
    }
    return false;
}

static bool
take_macro(struct cursor *cursor, struct imap_fetch_items *items)
{
    static const enum imap_fetch_kind kinds[] = {IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE,
                                                 IMAP_FETCH_SIZE, IMAP_FETCH_ENVELOPE,
                                                 IMAP_FETCH_BODY};
    size_t count = imap_take_word(cursor, SLICE("FAST"))   ? 3
                   : imap_take_word(cursor, SLICE("ALL"))  ? 4
                   : imap_take_word(cursor, SLICE("FULL")) ? 5
                                                           : 0;

    for (size_t i = 0; i < count; i++)
        imap_fetch_items_add(items, kinds[i]);
    return count > 0;
}

bool
imap_take_fetch_items(struct cursor *cursor, struct arena *arena,
                      struct imap_fetch_items *ret_items)
{
    struct imap_fetch_items items = {
        ARENA_ARRAY(arena, struct imap_fetch_item, IMAP_FETCH_ITEMS_MAX), 0, false};
    bool is_list;

    ret_items->is_over_limit = false;
    if (!items.at)
        return false;
    if (!take_macro(cursor, &items)) {
        is_list = cursor_take_byte(cursor, '(');
        do {
            ret_items->is_over_limit = items.count == IMAP_FETCH_ITEMS_MAX - 3;
            if (ret_items->is_over_limit)
                return false;
            struct imap_fetch_item *item = &items.at[items.count++];
            bool is_good = take_item(cursor, arena, item);
            ret_items->is_over_limit = item->is_over_limit;
            if (!is_good)
                return false;
        } while (is_list && imap_take_space(cursor));
        if (is_list && !cursor_take_byte(cursor, ')'))
            return false;
    }
    *ret_items = items;
    return true;
}
