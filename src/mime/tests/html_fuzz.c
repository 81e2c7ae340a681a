/* SPDX-License-Identifier: ISC */
/* Valid UTF-8 gives valid UTF-8, no longer than itself, the same wherever it is cut. */
#include "mime/html.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
put_text(struct slice html, size_t cut, struct buffer *out)
{
    struct mime_html state = {0};

    mime_html_feed(&state, slice_first(html, cut), out);
    mime_html_feed(&state, slice_skip(html, cut), out);
    mime_html_finish(&state, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buffer html, whole, parts;

    buffer_init(&html, SIZE_MAX / 4);
    buffer_init(&whole, SIZE_MAX / 4);
    buffer_init(&parts, SIZE_MAX / 4);
    utf8_put_repaired(&html, slice_of(data, len));
    struct slice text = buffer_slice(&html);
    put_text(text, text.len, &whole);
    assert(utf8_is_valid(buffer_slice(&whole)));
    assert(buffer_len(&whole) <= text.len);
    put_text(text, len ? data[0] % (text.len + 1) : 0, &parts);
    assert(slice_equal(buffer_slice(&whole), buffer_slice(&parts)));
    buffer_finish(&html);
    buffer_finish(&whole);
    buffer_finish(&parts);
    return 0;
}
