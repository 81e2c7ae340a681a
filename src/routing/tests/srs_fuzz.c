/* SPDX-License-Identifier: ISC */
/* Any local part backwards, any sender forwards and back again. */
#include "routing/srs.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice key = SLICE("0123456789abcdef"), text = slice_of(at, len);
    struct buffer out, back;

    buffer_init(&out, 4096);
    buffer_init(&back, 4096);
    (void)routing_srs_reverse(key, 20000, text, &back);
    buffer_clear(&back);
    if (routing_srs_forward(key, 20000, SLICE("ours.example"), text, &out)) {
        size_t end = slice_find_last_byte(buffer_slice(&out), '@');
        enum routing_srs_verdict verdict =
            routing_srs_reverse(key, 20000, slice_first(buffer_slice(&out), end), &back);
        /* Our own proof always holds; what it is about may be nonsense of another's making. */
        assert(verdict != ROUTING_SRS_NONE);
        assert(slice_starts_with_nocase(text, SLICE("SRS")) ||
               slice_find_byte(text, '=') < text.len || verdict == ROUTING_SRS_GOOD);
        /* No domain has a '=', by which the parts are told apart. */
        bool is_plain = !slice_starts_with_nocase(text, SLICE("SRS")) &&
                        slice_find_byte(slice_skip(text, slice_find_last_byte(text, '@')), '=') +
                                slice_find_last_byte(text, '@') ==
                            text.len;
        assert(!is_plain || slice_equal(buffer_slice(&back), text));
    }
    buffer_finish(&back);
    buffer_finish(&out);
    return 0;
}
