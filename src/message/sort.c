/* SPDX-License-Identifier: ISC */
/* Each message has one string: for every term either eight octets, big-endian, or a collation key
 * that ends in 0; complemented for REVERSE. The strings are sorted by merging, the first eight
 * octets of each at hand. */
#include "message/sort.h"

#include "base/buffer.h"
#include "text/collate.h"
#include "text/utf8.h"

enum { PREFIX_LEN = 8, KEY_LEN_MAX = SORT_TERMS_MAX * (SORT_TEXT_MAX * COLLATE_GROWTH_MAX + 1) };

struct row {
    uint64_t prefix; /* the first octets of the key as a number */
    uint32_t index;  /* of the message, as they were added */
};

struct sort_string {
    const uint8_t *at; /* behind the prefix */
    uint32_t len;
    uint32_t number;
};

struct sorter {
    struct arena *arena;
    struct sort_term terms[SORT_TERMS_MAX];
    size_t terms_count;
    struct row *rows;
    struct sort_string *strings;
    size_t count, max;
};

static const char *const key_names[SORT_KEYS] = {
    [SORT_ARRIVAL] = "ARRIVAL",
    [SORT_CC] = "CC",
    [SORT_DATE] = "DATE",
    [SORT_FROM] = "FROM",
    [SORT_SIZE] = "SIZE",
    [SORT_SUBJECT] = "SUBJECT",
    [SORT_TO] = "TO",
    [SORT_DISPLAYFROM] = "DISPLAYFROM",
    [SORT_DISPLAYTO] = "DISPLAYTO",
};

bool
sort_key_find(struct slice name, enum sort_key *ret_key)
{
    for (size_t i = 0; i < SORT_KEYS; i++) {
        if (slice_equal_nocase(name, slice_of_string(key_names[i]))) {
            *ret_key = (enum sort_key)i;
            return true;
        }
    }
    return false;
}

struct sorter *
sorter_new(struct arena *arena, const struct sort_term *terms, size_t terms_count,
           size_t messages_max)
{
    struct sorter *sorter = ARENA_NEW(arena, struct sorter);

    if (!sorter || terms_count == 0 || terms_count > SORT_TERMS_MAX)
        return NULL;
    *sorter = (struct sorter){
        .arena = arena,
        .terms_count = terms_count,
        .rows = ARENA_ARRAY(arena, struct row, messages_max),
        .strings = ARENA_ARRAY(arena, struct sort_string, messages_max),
        .max = messages_max,
    };
    memcpy(sorter->terms, terms, terms_count * sizeof(*terms));
    return sorter->rows && sorter->strings ? sorter : NULL;
}

bool
sorter_wants(const struct sorter *sorter, enum sort_key key)
{
    for (size_t i = 0; i < sorter->terms_count; i++) {
        if (sorter->terms[i].key == key)
            return true;
    }
    return false;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void
put_number(struct buffer *key, uint64_t number)
{
    for (unsigned shift = 64; shift > 0; shift -= 8)
        buffer_put_byte(key, (uint8_t)(number >> (shift - 8)));
}

/* Times before 1970 stand before those behind. */
static void
put_time(struct buffer *key, struct wall time)
{
    put_number(key, (uint64_t)time.ns ^ (UINT64_C(1) << 63));
}

/* A NUL inside would be taken for the end. */
static void
put_text(struct buffer *key, struct slice text)
{
    uint8_t *end;
    size_t start = buffer_len(key);

    collate_put_key(key, COLLATION_UNICODE_CASEMAP, utf8_first(text, SORT_TEXT_MAX));
    struct slice put = slice_skip(buffer_slice(key), start);
    uint8_t *at = key->at + key->start + start;
    while (put.len && (end = memchr(at, 0, put.len))) {
        *end++ = 1;
        put.len -= (size_t)(end - at);
        at = end;
    }
    buffer_put_byte(key, 0);
}

static void
put_term(struct buffer *key, enum sort_key term, const struct sort_values *values)
{
    switch (term) {
    case SORT_ARRIVAL:
        put_time(key, values->arrival);
        break;
    case SORT_DATE:
        put_time(key, values->date);
        break;
    case SORT_SIZE:
        put_number(key, values->size);
        break;
    case SORT_CC:
        put_text(key, values->cc);
        break;
    case SORT_FROM:
        put_text(key, values->from);
        break;
    case SORT_TO:
        put_text(key, values->to);
        break;
    case SORT_SUBJECT:
        put_text(key, values->subject);
        break;
    case SORT_DISPLAYFROM:
        put_text(key, values->display_from);
        break;
    case SORT_DISPLAYTO:
        put_text(key, values->display_to);
        break;
    case SORT_KEYS:
        break;
    }
}

static void
complement(struct buffer *key, size_t from)
{
    uint8_t *at = key->at + key->start;

    for (size_t i = from; i < buffer_len(key); i++)
        at[i] = (uint8_t)~at[i];
}

/* Eight octets, or fewer with zeros behind: no key is a prefix of another that differs. */
static uint64_t
prefix_of(struct slice key)
{
    uint64_t prefix = 0;

    for (size_t i = 0; i < PREFIX_LEN; i++)
        prefix = prefix << 8 | (i < key.len ? key.at[i] : 0);
    return prefix;
}

static bool
add_key(struct sorter *sorter, uint32_t number, struct slice key)
{
    struct slice rest = slice_skip(key, PREFIX_LEN);
    struct slice kept = rest.len ? arena_copy(sorter->arena, rest) : rest;

    if (kept.len != rest.len)
        return false;
    sorter->rows[sorter->count] =
        (struct row){.prefix = prefix_of(key), .index = (uint32_t)sorter->count};
    sorter->strings[sorter->count++] = (struct sort_string){
        .at = rest.len ? kept.at : NULL, .len = (uint32_t)kept.len, .number = number};
    return true;
}

bool
sorter_add(struct sorter *sorter, uint32_t number, const struct sort_values *values)
{
    struct buffer key;

    if (sorter->count >= sorter->max)
        return false;
    buffer_init(&key, KEY_LEN_MAX);
    for (size_t i = 0; i < sorter->terms_count; i++) {
        size_t from = buffer_len(&key);
        put_term(&key, sorter->terms[i].key, values);
        if (sorter->terms[i].is_reverse)
            complement(&key, from);
    }
    assert(!buffer_overflowed(&key));
    bool is_added = add_key(sorter, number, buffer_slice(&key));
    buffer_finish(&key);
    return is_added;
}

/* ---- order ----------------------------------------------------------------------------------- */

/* True when `right` must stand before `left`, which was added earlier. */
static inline bool
is_after(const struct sorter *sorter, const struct row *left, const struct row *right)
{
    if (LIKELY(left->prefix != right->prefix))
        return left->prefix > right->prefix;
    const struct sort_string *a = &sorter->strings[left->index];
    const struct sort_string *b = &sorter->strings[right->index];
    return slice_compare(slice_of(a->at, a->len), slice_of(b->at, b->len)) > 0;
}

/* Merges [start, middle) and [middle, end) of `from` into the same place of `to`. */
static void
merge(const struct sorter *sorter, const struct row *from, struct row *to, size_t start,
      size_t middle, size_t end)
{
    size_t left = start, right = middle;

    for (size_t at = start; at < end; at++) {
        if (left < middle && (right == end || !is_after(sorter, &from[left], &from[right])))
            to[at] = from[left++];
        else
            to[at] = from[right++];
    }
}

static size_t
least(size_t left, size_t right)
{
    return left < right ? left : right;
}

const uint32_t *
sorter_finish(struct sorter *sorter, size_t *ret_count)
{
    size_t count = sorter->count;
    struct row *from = sorter->rows, *to = ARENA_ARRAY(sorter->arena, struct row, count);
    uint32_t *numbers = ARENA_ARRAY(sorter->arena, uint32_t, count);

    if (!to || !numbers)
        return NULL;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width)
            merge(sorter, from, to, start, least(start + width, count),
                  least(start + 2 * width, count));
        struct row *swapped = from;
        from = to;
        to = swapped;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = sorter->strings[from[i].index].number;
    sorter->max = 0;
    *ret_count = count;
    return numbers;
}
