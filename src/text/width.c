/* SPDX-License-Identifier: ISC */
#include "text/width.h"

#include "text/utf8.h"

#include <uniwidth.h>

static int
columns_of(uint32_t character)
{
    return uc_width(character, "UTF-8");
}

bool
width_take(struct cursor *cursor, struct slice *ret_cluster, unsigned *ret_columns)
{
    const uint8_t *start = cursor->at;
    uint32_t character;

    if (cursor_is_done(cursor))
        return false;
    if (*cursor->at >= 0x20 && *cursor->at < 0x7F && cursor_left(cursor) > 1 &&
        cursor->at[1] < 0x80) { /* what most text is */
        *ret_cluster = slice_of(cursor->at++, 1);
        *ret_columns = 1;
        return true;
    }
    int columns = utf8_take(cursor, &character) ? columns_of(character) : -1;
    if (columns < 0) {
        cursor->at = start + 1;
        *ret_cluster = slice_of(start, 1);
        *ret_columns = 1;
        return true;
    }
    for (struct cursor ahead = *cursor; utf8_take(&ahead, &character) && character >= 0x300 &&
                                        columns_of(character) == 0 &&
                                        ahead.at - start <= WIDTH_CLUSTER_MAX;)
        *cursor = ahead;
    *ret_cluster = slice_of(start, (size_t)(cursor->at - start));
    *ret_columns = (unsigned)columns;
    return true;
}

size_t
width_of(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    struct slice cluster;
    unsigned columns;
    size_t sum = 0;

    while (width_take(&cursor, &cluster, &columns))
        sum += columns;
    return sum;
}

struct slice
width_first(struct slice text, size_t columns)
{
    struct cursor cursor = cursor_of(text);
    struct slice cluster;
    unsigned width;
    size_t len = 0;

    while (width_take(&cursor, &cluster, &width) && width <= columns) {
        columns -= width;
        len += cluster.len;
    }
    return slice_first(text, len);
}
