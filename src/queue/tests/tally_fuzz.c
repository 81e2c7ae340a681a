/* SPDX-License-Identifier: ISC */
/* Lines of the tally: what was made of any lines is put as lines that say the same. */
#include "queue/tally.h"

enum { OUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
take_all(struct tally *tally, struct slice lines)
{
    while (lines.len > 0) {
        size_t end = slice_find_byte(lines, '\n');
        (void)!tally_take(tally, slice_first(lines, end));
        lines = slice_skip(lines, end + 1);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tally first, second;
    struct buffer once, twice;

    tally_init(&first, 1);
    tally_init(&second, 2);
    buffer_init(&once, OUT_MAX);
    buffer_init(&twice, OUT_MAX);
    take_all(&first, slice_of(data, len));
    tally_put_all(&once, &first);
    take_all(&second, buffer_slice(&once));
    tally_put_all(&twice, &second);
    assert(buffer_overflowed(&once) || slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    tally_finish(&first);
    tally_finish(&second);
    buffer_finish(&once);
    buffer_finish(&twice);
    return 0;
}
