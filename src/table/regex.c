/* SPDX-License-Identifier: ISC */
/* Lines "/PATTERN/ VALUE": the one file that knows PCRE2. */
#include "table/table_private.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    ROWS_MAX = 10000,
    PATTERN_MAX = 2048,
    PIECES_MAX = 10,    /* $0 is the whole */
    STEPS_MAX = 100000, /* of one pattern on one key: far below a second */
    HEAP_KIB_MAX = 4 * 1024
};

struct row {
    pcre2_code *pattern;
    struct slice value; /* as written, in the arena */
};

struct regex {
    struct arena arena;
    struct row *rows;
    size_t count;
    pcre2_match_context *bounds;
    pcre2_match_data *match;
};

/* ---- rows ---------------------------------------------------------------------------------- */

/* Pieces that the value names must be there: "$1" to "$9", "$$" for a dollar. */
static bool
is_value_sound(struct slice value, uint32_t pieces)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] != '$')
            continue;
        if (++i == value.len)
            return false;
        if (value.at[i] != '$' &&
            (value.at[i] < '1' || value.at[i] > '9' || (uint32_t)(value.at[i] - '0') > pieces))
            return false;
    }
    return true;
}

/* Where the pattern ends: at the first slash with a blank behind it, because values have slashes,
 * too (lmtp:unix:/run/lmtp). The line's length: nowhere. */
static size_t
end_of_pattern(struct slice line)
{
    for (size_t i = 1; i + 1 < line.len; i++) {
        if (line.at[i] == '\\')
            i++;
        else if (line.at[i] == '/' && (line.at[i + 1] == ' ' || line.at[i + 1] == '\t'))
            return i;
    }
    return line.len;
}

/* NULL, or what was expected. */
static const char *
add_row(struct regex *regex, struct slice line)
{
    /* Subject and pattern may be any octets: without PCRE2_UTF nothing is ill-formed. */
    const uint32_t options = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    size_t end = end_of_pattern(line);
    struct slice pattern = slice_between(line, 1, end);
    struct slice value = slice_trim(slice_skip(line, end + 1));
    uint32_t pieces = 0;
    PCRE2_SIZE offset;
    int error;

    if (line.at[0] != '/' || end == line.len || value.len == 0)
        return "expected /PATTERN/, a blank and a value";
    if (pattern.len > PATTERN_MAX || value.len > TABLE_VALUE_MAX || regex->count == ROWS_MAX)
        return "expected a shorter pattern or value, or fewer rows";
    pcre2_code *code = pcre2_compile(pattern.at, pattern.len, options, &error, &offset, NULL);
    if (!code)
        return "expected a regular expression of PCRE2 (pcre2pattern(3))";
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &pieces);
    if (!is_value_sound(value, pieces)) {
        pcre2_code_free(code);
        return "expected $ and the number of a group of the pattern, or $$";
    }
    regex->rows[regex->count++] = (struct row){code, arena_copy(&regex->arena, value)};
    return NULL;
}

static bool
open_regex(struct table *table, const struct table_spec *spec, struct slice bytes,
           const struct table_login *login)
{
    struct regex *regex = calloc(1, sizeof(*regex));
    struct table_lines lines = {bytes, 0};
    struct slice line;

    (void)spec;
    (void)login;
    if (!regex || !(regex->rows = calloc(ROWS_MAX, sizeof(*regex->rows))) ||
        !(regex->bounds = pcre2_match_context_create(NULL)) ||
        !(regex->match = pcre2_match_data_create(PIECES_MAX, NULL)))
        abort();
    pcre2_set_match_limit(regex->bounds, STEPS_MAX);
    pcre2_set_depth_limit(regex->bounds, STEPS_MAX);
    pcre2_set_heap_limit(regex->bounds, HEAP_KIB_MAX);
    arena_init(&regex->arena, bytes.len * 32 + PATTERN_MAX);
    while (table_next_line(&lines, &line)) {
        const char *what = add_row(regex, line);
        if (what)
            table_add_problem(table, lines.number, what);
    }
    table->state = regex;
    return true;
}

static void
close_regex(void *state)
{
    struct regex *regex = state;

    for (size_t i = 0; i < regex->count; i++)
        pcre2_code_free(regex->rows[i].pattern);
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->bounds);
    arena_finish(&regex->arena);
    free(regex->rows);
    free(regex);
}

/* ---- looking up ---------------------------------------------------------------------------- */

/* Harmless in an address list and in a next hop, whatever stands around it. */
static bool
is_harmless(struct slice piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        uint8_t c = piece.at[i];
        if (c < 0x80 && !byte_is_alpha(c) && !byte_is_digit(c) && !strchr(".-_+=", c))
            return false;
    }
    return true;
}

/* False when the key's pieces must not stand in a value. */
static bool
put_value(const struct regex *regex, struct slice value, struct slice key, struct buffer *out)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(regex->match);

    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] != '$' || value.at[++i] == '$') {
            buffer_put_byte(out, value.at[i]);
            continue;
        }
        size_t piece = (size_t)(value.at[i] - '0');
        if (ends[2 * piece] == PCRE2_UNSET)
            continue;
        struct slice caught = slice_between(key, ends[2 * piece], ends[2 * piece + 1]);
        if (!is_harmless(caught))
            return false;
        buffer_put(out, caught);
    }
    return true;
}

static enum table_outcome
look_up_regex(struct table *table, struct slice key, struct buffer *ret_value)
{
    struct regex *regex = table->state;

    for (size_t i = 0; i < regex->count; i++) {
        int count =
            pcre2_match(regex->rows[i].pattern, key.at, key.len, 0, 0, regex->match, regex->bounds);
        if (count == PCRE2_ERROR_NOMATCH)
            continue;
        if (count < 0) {
            /* Its bound: going on to the next row could lead another way than the operator wants.
             */
            table_say_why(table, "a pattern takes too long for this key", "");
            return TABLE_TEMPORARY;
        }
        if (put_value(regex, regex->rows[i].value, key, ret_value))
            return TABLE_FOUND;
        buffer_clear(ret_value);
    }
    return TABLE_NOT_FOUND;
}

const struct table_driver table_driver_regex = {
    .open = open_regex, .look_up = look_up_regex, .close = close_regex};
