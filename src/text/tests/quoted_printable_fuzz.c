/* SPDX-License-Identifier: ISC */
#include "text/quoted_printable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
split_gives_the_same(struct slice text, struct slice whole)
{
    struct quoted_printable_decoder decoder;
    struct buffer out;

    buffer_init(&out, SIZE_MAX / 4);
    quoted_printable_decoder_init(&decoder);
    for (size_t at = 0, step = 1; at < text.len; at += step, step = step * 2 + 1)
        quoted_printable_decoder_feed(&decoder, slice_between(text, at, at + step), &out);
    quoted_printable_decoder_finish(&decoder, &out);
    assert(slice_equal(buffer_slice(&out), whole));
    buffer_finish(&out);
}

/* Decoding does not depend on splits and never grows; whatever octets there are survive encoding,
 * in lines that are short enough. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct buffer decoded, encoded, back;

    buffer_init(&decoded, SIZE_MAX / 4);
    buffer_init(&encoded, SIZE_MAX / 4);
    buffer_init(&back, SIZE_MAX / 4);
    quoted_printable_decode(text, &decoded);
    assert(buffer_len(&decoded) <= len);
    split_gives_the_same(text, buffer_slice(&decoded));
    quoted_printable_encode(text, &encoded);
    struct quoted_printable_report report = quoted_printable_decode(buffer_slice(&encoded), &back);
    assert(slice_equal(buffer_slice(&back), text));
    assert(!report.bad_count && !report.raw_count && !report.has_long_line && !report.is_cut);
    buffer_finish(&decoded);
    buffer_finish(&encoded);
    buffer_finish(&back);
    return 0;
}
