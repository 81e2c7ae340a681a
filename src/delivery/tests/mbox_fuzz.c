/* SPDX-License-Identifier: ISC */
/* Any file is taken apart; what comes out, put into a box again, comes out the same. */
#include "delivery/mbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_again(struct slice content)
{
    struct buffer box, back;
    struct mbox_item item;
    size_t offset = 0;

    /* A CR before a line end cannot be told from one: SMTP refuses such messages. */
    if (slice_find(content, SLICE("\r\r")) < content.len)
        return;
    buffer_init(&box, content.len * 2 + 256);
    buffer_init(&back, content.len * 3 + 256);
    mbox_put_message(&box, SLICE("a@b"), (struct wall){0}, content);
    bool is_there = mbox_next(buffer_slice(&box), &offset, &item);
    assert(is_there && offset == buffer_len(&box));
    mbox_put_content(&back, &item, MBOX_RD);
    assert(slice_equal(buffer_slice(&back), content));
    buffer_finish(&box);
    buffer_finish(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice file = slice_of(data, len);
    struct mbox_item item;
    size_t offset = 0, last = 0;

    while (mbox_next(file, &offset, &item)) {
        struct buffer content;
        assert(offset > last && offset <= len);
        last = offset;
        buffer_init(&content, item.content.len * 2 + 16);
        mbox_put_content(&content, &item, MBOX_RD);
        check_again(buffer_slice(&content));
        buffer_finish(&content);
    }
    return 0;
}
