/* SPDX-License-Identifier: ISC */
#include "http/url.h"

#include "base/cursor.h"

static bool
is_host_octet(uint8_t octet, bool is_bracketed)
{
    return byte_is_alpha(octet) || byte_is_digit(octet) || octet == '.' || octet == '-' ||
           (is_bracketed && octet == ':');
}

static bool
take_host(struct cursor *cursor, struct slice *ret_host)
{
    bool is_bracketed = cursor_take_byte(cursor, '[');
    struct slice rest = cursor_rest(cursor);
    size_t len = 0;

    while (len < rest.len && is_host_octet(rest.at[len], is_bracketed))
        len++;
    cursor->at += len;
    *ret_host = slice_first(rest, len);
    return len > 0 && (!is_bracketed || cursor_take_byte(cursor, ']'));
}

static bool
is_visible(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return true;
}

bool
http_url_parse(struct slice text, struct http_url *ret_url)
{
    struct cursor cursor = cursor_of(text);
    struct http_url url = {.port = HTTP_PORT};
    uint32_t port = HTTP_PORT;

    if (text.len > HTTP_URL_MAX || !is_visible(text) ||
        !cursor_take_text_nocase(&cursor, SLICE("https://")))
        return false;
    struct slice rest = cursor_rest(&cursor);
    if (!take_host(&cursor, &url.host) ||
        (cursor_take_byte(&cursor, ':') && !cursor_take_u32(&cursor, 1, UINT16_MAX, &port)))
        return false;
    url.authority = slice_first(rest, rest.len - cursor_left(&cursor));
    url.port = (uint16_t)port;
    url.path = cursor_rest(&cursor);
    if (url.path.len == 0)
        url.path = SLICE("/");
    if (url.path.at[0] != '/' || slice_find_byte(url.path, '#') < url.path.len)
        return false;
    *ret_url = url;
    return true;
}
