/* SPDX-License-Identifier: ISC */
#include "text/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
split_gives_the_same(struct slice text, struct slice whole)
{
    struct base64_decoder decoder;
    struct buffer out;
    size_t split = text.len ? text.at[0] % (text.len + 1) : 0;

    buffer_init(&out, SIZE_MAX / 4);
    base64_decoder_init(&decoder);
    base64_decoder_feed(&decoder, slice_first(text, split), &out);
    base64_decoder_feed(&decoder, slice_skip(text, split), &out);
    base64_decoder_finish(&decoder, &out);
    assert(slice_equal(buffer_slice(&out), whole));
    buffer_finish(&out);
}

/* What is strictly right decodes to the same tolerantly, without complaint; and what was decoded
 * survives both encoders. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct buffer tolerant, strict, again;
    struct base64_encoder encoder;

    buffer_init(&tolerant, SIZE_MAX / 4);
    buffer_init(&strict, SIZE_MAX / 4);
    buffer_init(&again, SIZE_MAX / 4);
    struct base64_report report = base64_decode(text, &tolerant);
    split_gives_the_same(text, buffer_slice(&tolerant));
    if (base64_parse(text, &strict)) {
        assert(slice_equal(buffer_slice(&strict), buffer_slice(&tolerant)));
        assert(!report.has_late && !report.is_cut && report.stray_count == 0);
        base64_format(buffer_slice(&strict), &again);
        assert(slice_equal(buffer_slice(&again), text));
        buffer_clear(&again);
    }
    base64_encoder_init(&encoder);
    base64_encoder_feed(&encoder, buffer_slice(&tolerant), &again);
    base64_encoder_finish(&encoder, &again);
    assert(buffer_len(&again) == base64_lines_len(buffer_len(&tolerant)));
    buffer_clear(&strict);
    report = base64_decode(buffer_slice(&again), &strict);
    assert(slice_equal(buffer_slice(&strict), buffer_slice(&tolerant)) && !report.is_cut);
    buffer_finish(&tolerant);
    buffer_finish(&strict);
    buffer_finish(&again);
    return 0;
}
