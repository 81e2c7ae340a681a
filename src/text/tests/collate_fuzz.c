/* SPDX-License-Identifier: ISC */
#include "text/collate.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first line is a pattern, the rest a text. A key is its own key (but title case of a
 * decomposed small letter may be another), is found in itself, and whether the pattern is in the
 * text is what the two keys say. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice all = slice_of(data, len);
    struct slice first = slice_first(all, slice_find_byte(all, '\n'));
    struct slice rest = slice_skip(all, first.len + 1);
    struct buffer left, right;
    struct collate_pattern pattern;

    buffer_init(&left, SIZE_MAX / 4);
    buffer_init(&right, SIZE_MAX / 4);
    for (int kind = COLLATION_UNICODE_CASEMAP; kind <= COLLATION_OCTET; kind++) {
        enum collation collation = (enum collation)kind;
        buffer_clear(&left);
        buffer_clear(&right);
        collate_put_key(&left, collation, first);
        collate_put_key(&right, collation, rest);
        assert(buffer_len(&right) <= rest.len * COLLATE_GROWTH_MAX);
        assert(!utf8_is_valid(rest) || utf8_is_valid(buffer_slice(&right)));
        int order = slice_compare(buffer_slice(&left), buffer_slice(&right));
        int said = collate_compare(collation, first, rest);
        assert((order > 0) == (said > 0) && (order < 0) == (said < 0));
        if (!collate_pattern_init(&pattern, collation, first))
            continue;
        struct slice key = buffer_slice(&right);
        bool is_in = buffer_len(&left) == 0 || slice_find(key, buffer_slice(&left)) < key.len;
        assert(collate_pattern_is_in(&pattern, rest) == is_in);
        assert(collate_pattern_is_in_key(&pattern, key) == is_in);
        collate_pattern_finish(&pattern);
    }
    buffer_finish(&left);
    buffer_finish(&right);
    return 0;
}
