/* SPDX-License-Identifier: ISC */
#include "text/utf7.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every name has one form: what decodes encodes to itself, and the other way round. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct buffer out, back;

    buffer_init(&out, SIZE_MAX / 4);
    buffer_init(&back, SIZE_MAX / 4);
    if (utf7_decode(text, &out)) {
        assert(utf8_is_valid(buffer_slice(&out)));
        assert(utf7_encode(buffer_slice(&out), &back));
        assert(slice_equal(buffer_slice(&back), text));
    }
    buffer_clear(&out);
    buffer_clear(&back);
    if (utf7_encode(text, &out)) {
        assert(utf8_is_ascii(buffer_slice(&out)));
        assert(utf7_decode(buffer_slice(&out), &back));
        assert(slice_equal(buffer_slice(&back), text));
    }
    buffer_finish(&out);
    buffer_finish(&back);
    return 0;
}
