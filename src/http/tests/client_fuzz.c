/* SPDX-License-Identifier: ISC */
/* Any answer, whole and octet by octet: the same comes of it, within the limits. */
#include "http/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice input = slice_of(at, len);
    struct http whole, pieces;

    http_init(&whole, &(struct http_request){.host = SLICE("a.test"), .path = SLICE("/")});
    http_init(&pieces, &(struct http_request){.host = SLICE("a.test"), .path = SLICE("/")});
    (void)!http_feed(&whole, input);
    for (size_t i = 0; i < len; i++)
        (void)!http_feed(&pieces, slice_of(at + i, 1));
    http_end(&whole, true);
    http_end(&pieces, true);
    assert(whole.state == pieces.state);
    assert(whole.state == HTTP_DONE || (whole.state == HTTP_FAILED && whole.problem));
    if (whole.state == HTTP_DONE)
        assert(slice_equal(buffer_slice(&whole.body), buffer_slice(&pieces.body)));
    http_finish(&whole);
    http_finish(&pieces);
    return 0;
}
