/* SPDX-License-Identifier: ISC */
/* Names that others gave their files, and what stands in them. */
#include "delivery/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
try_name(struct slice name)
{
    struct slice unique, unique_again;
    unsigned flags, flags_again;
    struct buffer out;

    maildir_parse_name(name, &unique, &flags);
    assert(unique.len <= name.len && flags < MAILDIR_TRASHED * 2);
    (void)maildir_name_time(name);
    buffer_init(&out, SIZE_MAX);
    buffer_put(&out, unique);
    maildir_put_flags(&out, flags);
    maildir_parse_name(buffer_slice(&out), &unique_again, &flags_again);
    assert(slice_equal(unique, unique_again) && flags == flags_again);
    buffer_finish(&out);
}

/* To LF and back it is what it was, but that each line ends in CRLF. (Of two CR before a line's end
 * a file with LF cannot tell.) */
static void
try_content(struct slice content)
{
    struct buffer crlf, lf, again;

    if (slice_find(content, SLICE("\r\r\n")) < content.len)
        return;

    buffer_init(&crlf, SIZE_MAX);
    buffer_init(&lf, SIZE_MAX);
    buffer_init(&again, SIZE_MAX);
    maildir_put_crlf(&crlf, content);
    maildir_put_lf(&lf, buffer_slice(&crlf));
    maildir_put_crlf(&again, buffer_slice(&lf));
    assert(slice_equal(buffer_slice(&crlf), buffer_slice(&again)));
    buffer_finish(&again);
    buffer_finish(&lf);
    buffer_finish(&crlf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try_name(slice_of(data, len));
    try_content(slice_of(data, len));
    return 0;
}
