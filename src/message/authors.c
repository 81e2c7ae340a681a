/* SPDX-License-Identifier: ISC */
#include "message/authors.h"

#include "message/address.h"

enum {
    LINE_START,
    NAME,
    NAME_BLANK, /* blanks between name and colon (RFC 5322 §4.5) */
    REST,       /* of a line */
    REST_CR,    /* a CR in it, or its end */
    EMPTY,      /* the CR of an empty line: the header is over */
    DONE,
};

enum { OF_AUTHOR = 'a', OF_RESENDER = 'r' };

void
authors_begin(struct authors *authors)
{
    *authors = (struct authors){.state = LINE_START};
    buffer_init(&authors->fields, AUTHORS_OCTETS_MAX);
}

void
authors_finish(struct authors *authors)
{
    buffer_finish(&authors->fields);
}

static void
end_field(struct authors *authors)
{
    if (authors->is_kept)
        buffer_put_byte(&authors->fields, '\0');
    authors->is_kept = false;
}

static uint8_t
begin_line(struct authors *authors, uint8_t octet)
{
    authors->name_len = 0;
    if (octet == ' ' || octet == '\t') {
        if (authors->is_kept)
            buffer_put_byte(&authors->fields, ' ');
        return REST;
    }
    end_field(authors);
    if (octet == '\r')
        return EMPTY;
    authors->name[authors->name_len++] = byte_to_lower(octet);
    return NAME;
}

static void
begin_field(struct authors *authors)
{
    struct slice name = slice_of(authors->name, authors->name_len);
    bool is_author = slice_equal(name, SLICE("from")) || slice_equal(name, SLICE("sender"));
    bool is_resender = !authors->has_resent && slice_equal(name, SLICE("resent-from"));

    authors->has_resent |= is_resender;
    authors->is_kept = is_author || is_resender;
    if (authors->is_kept)
        buffer_put_byte(&authors->fields, is_author ? OF_AUTHOR : OF_RESENDER);
}

static uint8_t
take_name(struct authors *authors, uint8_t octet)
{
    if (octet == ':') {
        begin_field(authors);
        return REST;
    }
    if (octet == ' ' || octet == '\t')
        return NAME_BLANK;
    if (octet == '\r')
        return REST_CR;
    if (authors->state == NAME_BLANK || authors->name_len == AUTHORS_NAME_MAX)
        return REST;
    authors->name[authors->name_len++] = byte_to_lower(octet);
    return NAME;
}

static uint8_t
step(struct authors *authors, uint8_t octet)
{
    bool is_behind_cr = authors->state == REST_CR || authors->state == EMPTY;

    if (is_behind_cr != (octet == '\n')) {
        authors->is_unclear = true;
        return DONE;
    }
    if (authors->state == EMPTY)
        return DONE;
    if (authors->state == REST_CR)
        return LINE_START;
    if (authors->state == LINE_START)
        return begin_line(authors, octet);
    if (authors->state != REST)
        return take_name(authors, octet);
    if (authors->is_kept && octet != '\r')
        buffer_put_byte(&authors->fields, octet == '\0' ? '\x7f' : octet);
    return octet == '\r' ? REST_CR : REST;
}

void
authors_take(struct authors *authors, struct slice piece)
{
    for (size_t i = 0; i < piece.len && authors->state != DONE; i++)
        authors->state = step(authors, piece.at[i]);
}

/* False when there are too many. */
static bool
add(struct authors_list *list, struct slice address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equal_nocase(list->at[i], address))
            return true;
    }
    if (list->count == AUTHORS_MAX)
        return false;
    list->at[list->count++] = address;
    return true;
}

/* A name with "@" that should stand in quotes is taken for the address by some programs: then it
 * must be one that he may use, too. */
static bool
add_author(const struct address *author, struct arena *arena, struct authors_list *list)
{
    struct buffer text;

    if (author->kind != ADDRESS_MAILBOX)
        return true;
    if (author->local.len == 0 || author->domain.len == 0)
        return false;
    buffer_init(&text, AUTHORS_OCTETS_MAX);
    address_put_spec(&text, author);
    bool is_good = !buffer_overflowed(&text) && add(list, arena_copy(arena, buffer_slice(&text)));
    buffer_finish(&text);
    if (is_good && author->defects & ADDRESS_UNQUOTED_SPECIAL &&
        slice_find_byte(author->name, '@') < author->name.len)
        is_good = add(list, author->name);
    return is_good;
}

static bool
read_field(struct slice body, struct arena *arena, struct authors_list *list)
{
    const unsigned harmless = ADDRESS_OBS_PHRASE | ADDRESS_EMPTY_ITEM | ADDRESS_QUOTED_WORD |
                              ADDRESS_NOT_UTF8 | ADDRESS_UNQUOTED_SPECIAL;
    struct address_list found;

    address_list_parse(arena, body, &found);
    if (found.is_cut || (found.defects & ~harmless))
        return false;
    for (const struct address *author = found.first; author; author = author->next) {
        if (!add_author(author, arena, list))
            return false;
    }
    return true;
}

static bool
read_kind(const struct authors *authors, uint8_t kind, struct arena *arena,
          struct authors_list *ret_list)
{
    struct slice fields = buffer_slice(&authors->fields);
    struct authors_list list = {0};

    if (authors->is_unclear || buffer_overflowed(&authors->fields))
        return false;
    while (fields.len > 0) {
        struct slice field = slice_first(fields, slice_find_byte(fields, '\0'));
        if (field.at[0] == kind && !read_field(slice_skip(field, 1), arena, &list))
            return false;
        fields = slice_skip(fields, field.len + 1);
    }
    *ret_list = list;
    return !arena_failed(arena);
}

bool
authors_read(const struct authors *authors, struct arena *arena, struct authors_list *ret_list)
{
    return read_kind(authors, OF_AUTHOR, arena, ret_list);
}

bool
authors_read_resent(const struct authors *authors, struct arena *arena,
                    struct authors_list *ret_list)
{
    return read_kind(authors, OF_RESENDER, arena, ret_list);
}
