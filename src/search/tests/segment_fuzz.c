/* SPDX-License-Identifier: ISC */
/* A segment whose hashes are right and whose octets are anything: it is read and looked into, and
 * nothing is read beside it. */
#include "base/hash.h"
#include "search/find.h"
#include "search/merge.h"
#include "search/segment_private.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
read_slice(void *context, uint64_t offset, void *to, size_t len)
{
    const struct slice *all = context;

    if (offset > all->len || len > all->len - offset)
        return false;
    memcpy(to, all->at + offset, len);
    return true;
}

static void
put_hash(struct buffer *out, struct slice bytes)
{
    buffer_put_le64(out, hash64(bytes, SEGMENT_SEED));
}

/* One block, a table with one row and whatever else there is, bodies; as long as the first octets
 * say. */
static void
make_segment(struct buffer *out, struct slice data)
{
    size_t block_len = data.at[0] + data.at[1] * 256U, table_len = data.at[2];
    struct slice left = slice_skip(data, 4);
    struct slice block = slice_first(left, block_len);
    struct slice rest = slice_skip(left, block_len);
    struct slice more = slice_first(rest, table_len), bodies = slice_skip(rest, table_len);
    uint8_t row[3 * VARINT_MAX];
    size_t row_len = varint_put(row, data.at[3]), foot_at;

    row[row_len++] = 0;
    row_len += varint_put(row + row_len, block.len);
    buffer_put(out, block);
    put_hash(out, block);
    size_t table_at = buffer_len(out);
    buffer_put(out, slice_of(row, row_len));
    buffer_put(out, more);
    buffer_put(out, bodies);
    foot_at = buffer_len(out);
    buffer_put_le64(out, SEGMENT_MAGIC);
    buffer_put_le64(out, table_at);
    buffer_put_le64(out, row_len + more.len);
    buffer_put_le64(out, bodies.len);
    buffer_put_le64(out, UINT64_C(1) << 32 | bodies.len / 4);
    put_hash(out, slice_between(buffer_slice(out), table_at, table_at + row_len + more.len));
    put_hash(out, bodies);
    put_hash(out, slice_skip(buffer_slice(out), foot_at));
}

static void
look_into(struct segment_source source)
{
    static const struct gram_term terms[] = {{0, UINT64_MAX, 0}, {65, 66, 3}};
    struct merge_input *input = calloc(1, sizeof(*input));
    struct merge merge;
    uint8_t *hits;

    assert(input);
    if (!segment_open(&input->segment, source)) {
        free(input);
        return;
    }
    for (size_t count = 1; count <= COUNT_OF(terms); count++) {
        hits = NULL;
        if (find_in_segment(&input->segment, terms, count, true, &hits))
            free(hits);
    }
    if (segment_read_bodies(&input->segment)) {
        merge_open(&merge, input, 1);
        while (!merge.is_done && merge_step(&merge, SIZE_MAX))
            continue;
        merge_close(&merge);
    } else {
        segment_close(&input->segment);
    }
    free(input);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buffer out;

    if (len < 4)
        return 0;
    buffer_init(&out, 1 << 20);
    make_segment(&out, slice_of(data, len));
    struct slice all = buffer_slice(&out);
    look_into((struct segment_source){read_slice, &all, all.len});
    buffer_finish(&out);
    return 0;
}
