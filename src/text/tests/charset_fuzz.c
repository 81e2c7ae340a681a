/* SPDX-License-Identifier: ISC */
#include "text/charset.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first line names the set. Whatever follows becomes valid UTF-8, in pieces as in a whole. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    size_t name_len = slice_find_byte(input, '\n');
    const struct charset *charset = charset_find(slice_first(input, name_len));
    struct slice text = slice_skip(input, name_len + 1);
    struct charset_decoder decoder;
    struct buffer whole, pieces;

    buffer_init(&whole, SIZE_MAX / 4);
    buffer_init(&pieces, SIZE_MAX / 4);
    struct charset_report report = charset_to_utf8(charset, text, &whole);
    assert(utf8_is_valid(buffer_slice(&whole)));
    assert(report.is_unknown || charset);
    charset_decoder_init(&decoder, charset);
    for (size_t at = 0, step = 1; at < text.len; at += step, step = step % 7 + 1)
        charset_decoder_feed(&decoder, slice_between(text, at, at + step), &pieces);
    charset_decoder_finish(&decoder, &pieces);
    assert(utf8_is_valid(buffer_slice(&pieces)));
    /* A guess depends on what was seen first. */
    if (!report.is_unknown && !report.is_mislabelled) {
        assert(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
        assert(decoder.report.bad_count == report.bad_count);
    }
    charset = charset_narrowest(buffer_slice(&whole));
    buffer_clear(&pieces);
    assert(charset_from_utf8(charset, buffer_slice(&whole), &pieces, &report));
    assert(report.bad_count == 0);
    buffer_finish(&whole);
    buffer_finish(&pieces);
    return 0;
}
