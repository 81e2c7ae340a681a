/* SPDX-License-Identifier: ISC */
/* What strangers write, made text for a terminal: no control octet passes, and nothing grows
 * without measure. */
#include "text/utf8.h"
#include "client/flowed.h"
#include "client/page.h"
#include "tool/mail/view.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_shown(struct slice text)
{
    if (!utf8_is_valid(text))
        abort();
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if ((byte < ' ' && byte != '\n' && byte != '\t') || byte == 127)
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct buffer out;
    struct view view;

    buffer_init(&out, size * 8 + 4096);
    page_put(input, &out);
    if (buffer_overflowed(&out))
        abort();
    buffer_clear(&out);
    flowed_put(input, &out);
    flowed_read(input, size % 2 != 0, &out);
    if (buffer_overflowed(&out))
        abort();
    buffer_finish(&out);
    buffer_init(&out, 64 << 20);
    view_init(&view);
    buffer_put(&view.content, input);
    if (view_parse(&view) == 0) {
        view_put_field(&view, FIELD_SUBJECT, &out);
        view_put_text(&view, &out);
        view_put_notices(&view, &out);
        for (uint32_t i = 0; i < view.tree.count; i++) {
            if (view_is_attachment(&view, i))
                view_put_name(&view, i, &out);
        }
        check_shown(buffer_slice(&out));
    }
    view_finish(&view);
    buffer_finish(&out);
    return 0;
}
