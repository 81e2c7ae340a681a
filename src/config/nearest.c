/* SPDX-License-Identifier: ISC */
#include "config/nearest.h"

static size_t
least(size_t a, size_t b, size_t c)
{
    size_t least_of_two = a < b ? a : b;

    return least_of_two < c ? least_of_two : c;
}

size_t
nearest_distance(struct slice left, struct slice right)
{
    /* Three rows of the classic table: the one before the previous is needed for swaps. */
    size_t rows[3][NEAREST_WORD_MAX + 1];

    if (left.len >= NEAREST_WORD_MAX || right.len >= NEAREST_WORD_MAX)
        return NEAREST_WORD_MAX;
    for (size_t j = 0; j <= right.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= left.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= right.len; j++) {
            size_t other = byte_to_lower(left.at[i - 1]) != byte_to_lower(right.at[j - 1]);
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + other);
            if (i > 1 && j > 1 && left.at[i - 1] == right.at[j - 2] &&
                left.at[i - 2] == right.at[j - 1] && two_above[j - 2] + 1 < row[j])
                row[j] = two_above[j - 2] + 1;
        }
    }
    return rows[left.len % 3][right.len];
}

bool
nearest_is_slip(size_t distance, size_t word_len)
{
    return distance <= 1 + word_len / 5;
}
