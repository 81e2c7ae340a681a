/* SPDX-License-Identifier: ISC */
#include "base/slice.h"

bool
slice_equal_nocase(struct slice left, struct slice right)
{
    if (left.len != right.len)
        return false;
    size_t i = 0;
    /* Most names are written as they are known. */
    for (uint64_t words[2]; left.len - i >= sizeof(words[0]); i += sizeof(words[0])) {
        memcpy(&words[0], left.at + i, sizeof(words[0]));
        memcpy(&words[1], right.at + i, sizeof(words[1]));
        if (words[0] != words[1])
            break;
    }
    for (; i < left.len; i++) {
        if (byte_to_lower(left.at[i]) != byte_to_lower(right.at[i]))
            return false;
    }
    return true;
}

bool
slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal(slice_first(s, prefix.len), prefix);
}

bool
slice_starts_with_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal_nocase(slice_first(s, prefix.len), prefix);
}

bool
slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal(slice_skip(s, s.len - suffix.len), suffix);
}

bool
slice_ends_with_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal_nocase(slice_skip(s, s.len - suffix.len), suffix);
}

int
slice_compare(struct slice left, struct slice right)
{
    size_t shared = left.len < right.len ? left.len : right.len;
    int order = shared ? memcmp(left.at, right.at, shared) : 0;

    if (order != 0)
        return order;
    return (left.len > right.len) - (left.len < right.len);
}

size_t
slice_find_byte(struct slice s, uint8_t byte)
{
    const uint8_t *found = s.len ? memchr(s.at, byte, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

size_t
slice_find_last_byte(struct slice s, uint8_t byte)
{
    const uint8_t *found = s.len ? memrchr(s.at, byte, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

/* memmem looks at each octet, memchr at dozens at a time; but it must not stop at every few. */
static const uint8_t *
find_pair(struct slice s, const uint8_t *pair)
{
    enum { STOPS_FEW = 64, STEP_MIN = 16 };
    const uint8_t *at = s.at, *last = s.at + s.len - 1;

    for (size_t stops = 0; at < last && stops < STOPS_FEW + (size_t)(at - s.at) / STEP_MIN;
         stops++) {
        at = memchr(at, pair[0], (size_t)(last - at));
        if (!at || at[1] == pair[1])
            return at;
        at++;
    }
    return memmem(at, (size_t)(last - at) + 1, pair, 2);
}

size_t
slice_find(struct slice s, struct slice needle)
{
    const uint8_t *found = NULL;

    if (needle.len == 2 && s.len >= 2)
        found = find_pair(s, needle.at);
    else if (s.len)
        found = memmem(s.at, s.len, needle.at, needle.len);
    return found ? (size_t)(found - s.at) : s.len;
}

static bool
is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice
slice_trim(struct slice s)
{
    while (s.len && is_blank(s.at[0]))
        s = slice_skip(s, 1);
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}
