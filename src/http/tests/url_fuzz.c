/* SPDX-License-Identifier: ISC */
/* Any text as a URL: what is taken of it lies in it and holds nothing that a request must not. */
#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void
check_part(struct slice text, struct slice part)
{
    assert(part.len <= text.len);
    for (size_t i = 0; i < part.len; i++)
        assert(part.at[i] > ' ' && part.at[i] < 0x7F);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice text = slice_of(at, len);
    struct http_url url;

    if (!http_url_parse(text, &url))
        return 0;
    assert(len <= HTTP_URL_MAX && url.port > 0 && url.host.len > 0);
    check_part(text, url.host);
    check_part(text, url.authority);
    check_part(text, url.path);
    assert(url.path.at[0] == '/' && url.authority.len >= url.host.len);
    assert(slice_find_byte(url.authority, '/') == url.authority.len);
    return 0;
}
