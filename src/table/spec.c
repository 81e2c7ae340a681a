/* SPDX-License-Identifier: ISC */
/* What the configuration says of a table. Apart from what opens one: who only reads the
 * configuration links no library of a kind. */
#include "table/table_private.h"

/* Like the paths of options: well below what the kernel takes, so that none is cut. */
enum { PLACE_BYTES_MAX = 2048 };

static const struct kind {
    const char *name;
    bool takes_bytes, is_remote, wants_query;
} kinds[] = {
    [TABLE_FILE] = {.name = "file", .takes_bytes = true},
    [TABLE_REGEX] = {.name = "regex", .takes_bytes = true},
    [TABLE_CDB] = {.name = "cdb", .takes_bytes = true},
    [TABLE_SQLITE] = {.name = "sqlite", .wants_query = true},
    [TABLE_LMDB] = {.name = "lmdb"},
    [TABLE_LDAP] = {.name = "ldap", .is_remote = true},
    [TABLE_POSTGRESQL] = {.name = "postgresql", .is_remote = true, .wants_query = true},
};

static_assert(COUNT_OF(kinds) == TABLE_KINDS, "each kind has a name");

struct slice
table_take_word(struct slice *line)
{
    size_t len = 0;

    while (len < line->len && line->at[len] != ' ' && line->at[len] != '\t')
        len++;
    struct slice word = slice_first(*line, len);
    *line = slice_trim(slice_skip(*line, len));
    return word;
}

static bool
is_name(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.at[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return word.len > 0 && word.len <= TABLE_NAME_MAX;
}

static bool
find_kind(struct slice word, enum table_kind *ret_kind)
{
    for (size_t i = 0; i < TABLE_KINDS; i++) {
        if (slice_equal(word, slice_of_string(kinds[i].name))) {
            *ret_kind = (enum table_kind)i;
            return true;
        }
    }
    return false;
}

const char *
table_spec_parse(struct slice text, struct table_spec *ret_spec)
{
    struct slice rest = slice_trim(text);

    *ret_spec = (struct table_spec){.name = table_take_word(&rest)};
    if (!is_name(ret_spec->name))
        return "expected a name of letters, digits, - and _ first: \"NAME KIND PLACE [QUERY]\"";
    if (!find_kind(table_take_word(&rest), &ret_spec->kind))
        return "expected file, regex, cdb, sqlite, lmdb, ldap or postgresql behind the name";
    const struct kind *kind = &kinds[ret_spec->kind];
    ret_spec->place = table_take_word(&rest);
    ret_spec->query = rest;
    if (slice_find_byte(text, 0) < text.len)
        return "expected text without NUL";
    if (kind->is_remote ? ret_spec->place.len == 0
                        : ret_spec->place.len < 2 || ret_spec->place.len > PLACE_BYTES_MAX ||
                              ret_spec->place.at[0] != '/')
        return kind->is_remote ? "expected a URL behind the kind"
                               : "expected an absolute path of at most 2048 bytes behind the kind";
    if (kind->wants_query != (ret_spec->query.len > 0))
        return kind->wants_query ? "expected a query at the end, SELECT …"
                                 : "expected nothing behind the place";
    return NULL;
}

bool
table_takes_bytes(enum table_kind kind)
{
    return kinds[kind].takes_bytes;
}

bool
table_is_remote(enum table_kind kind)
{
    return kinds[kind].is_remote;
}
