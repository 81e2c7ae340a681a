/* SPDX-License-Identifier: ISC */
/* The columns of a text are those of its clusters, and its beginnings fit where they shall. */
#include "text/width.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len), cluster;
    struct cursor cursor = cursor_of(text);
    unsigned columns;
    size_t all = 0, octets = 0;

    while (width_take(&cursor, &cluster, &columns)) {
        assert(cluster.len > 0 && cluster.len <= WIDTH_CLUSTER_MAX && columns <= 2);
        all += columns;
        octets += cluster.len;
    }
    assert(octets == len && all == width_of(text));
    for (size_t limit = 0; limit <= all + 1 && limit < 20; limit++)
        assert(width_of(width_first(text, limit)) <= limit);
    return 0;
}
