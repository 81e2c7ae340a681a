/* SPDX-License-Identifier: ISC */
#include "role/transport/http.h"

enum { STATUS_LEN = 12 /* "HTTP/1.1 200" */, SIZE_DIGITS_MAX = 15 };

void
http_init(struct http *http, struct slice host, struct slice path)
{
    *http = (struct http){.state = HTTP_STATUS};
    buffer_init(&http->output, 2048);
    buffer_init(&http->line, HTTP_LINE_MAX);
    buffer_init(&http->body, HTTP_BODY_MAX);
    buffer_put_text(&http->output, "GET ");
    buffer_put(&http->output, path);
    buffer_put_text(&http->output, " HTTP/1.1\r\nHost: ");
    buffer_put(&http->output, host);
    buffer_put_text(&http->output, "\r\nAccept: text/plain\r\nConnection: close\r\n\r\n");
}

void
http_finish(struct http *http)
{
    buffer_finish(&http->output);
    buffer_finish(&http->line);
    buffer_finish(&http->body);
}

static void
fail(struct http *http, const char *problem)
{
    http->state = HTTP_FAILED;
    http->problem = problem;
}

/* ---- the head ------------------------------------------------------------------------------ */

/* RFC 9112 §4: interim answers (1xx) come before the one that counts. */
static void
take_status(struct http *http, struct slice line)
{
    if (line.len < STATUS_LEN || !slice_starts_with(line, SLICE("HTTP/1.")) || line.at[8] != ' ') {
        fail(http, "the answer is not HTTP");
        return;
    }
    struct slice code = slice_between(line, 9, STATUS_LEN);
    http->is_interim = code.at[0] == '1';
    if (http->is_interim || slice_equal(code, SLICE("200")))
        http->state = HTTP_FIELDS;
    else
        fail(http, "the answer is not 200");
}

static int
digit_of(uint8_t byte)
{
    if (byte_is_digit(byte))
        return byte - '0';
    byte = byte_to_lower(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : 99;
}

static bool
take_number(struct slice text, int base, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > SIZE_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.at[i]);
        if (digit >= base)
            return false;
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

static void
end_head(struct http *http)
{
    if (http->is_interim) {
        http->state = HTTP_STATUS;
        return;
    }
    /* RFC 9112 §6.3: whoever says both is up to something. */
    if (http->is_chunked && http->has_length)
        fail(http, "the answer has two lengths");
    else if (http->is_chunked)
        http->state = HTTP_CHUNK_SIZE;
    else if (!http->has_length)
        http->state = HTTP_UNTIL_END;
    else
        http->state = http->left > 0 ? HTTP_COUNTED : HTTP_DONE;
}

static void
take_field(struct http *http, struct slice line)
{
    size_t colon = slice_find_byte(line, ':');
    struct slice name = slice_first(line, colon);
    struct slice value = slice_trim(slice_skip(line, colon + 1));
    uint64_t length;

    if (line.len == 0) {
        end_head(http);
    } else if (colon == line.len || colon == 0) {
        fail(http, "the answer is not HTTP");
    } else if (slice_equal_nocase(name, SLICE("Content-Length"))) {
        if (!take_number(value, 10, &length) || (http->has_length && length != http->left))
            fail(http, "the answer has no sound length");
        else if (length > HTTP_BODY_MAX)
            fail(http, "the answer is too long");
        else
            http->left = length;
        http->has_length = true;
    } else if (slice_equal_nocase(name, SLICE("Transfer-Encoding"))) {
        if (!slice_equal_nocase(value, SLICE("chunked")))
            fail(http, "the answer is encoded");
        http->is_chunked = true;
    } else if (slice_equal_nocase(name, SLICE("Content-Encoding"))) {
        if (!slice_equal_nocase(value, SLICE("identity")))
            fail(http, "the answer is encoded");
    }
}

/* RFC 9112 §7.1 */
static void
take_chunk_size(struct http *http, struct slice line)
{
    struct slice size = slice_trim(slice_first(line, slice_find_byte(line, ';')));

    if (!take_number(size, 16, &http->left))
        fail(http, "the answer is not HTTP");
    else if (http->left > HTTP_BODY_MAX - buffer_len(&http->body))
        fail(http, "the answer is too long");
    else
        http->state = http->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
}

static void
take_line(struct http *http, struct slice line)
{
    switch (http->state) {
    case HTTP_STATUS:
        take_status(http, line);
        break;
    case HTTP_FIELDS:
        take_field(http, line);
        break;
    case HTTP_CHUNK_SIZE:
        take_chunk_size(http, line);
        break;
    case HTTP_CHUNK_END:
        if (line.len > 0)
            fail(http, "the answer is not HTTP");
        else
            http->state = HTTP_CHUNK_SIZE;
        break;
    case HTTP_TRAILER:
        if (line.len == 0)
            http->state = HTTP_DONE;
        break;
    case HTTP_COUNTED:
    case HTTP_UNTIL_END:
    case HTTP_CHUNK:
    case HTTP_DONE:
    case HTTP_FAILED:
        break;
    }
}

/* ---- octets -------------------------------------------------------------------------------- */

/* Lines end with CRLF; a lone LF is taken too (RFC 9112 §2.2). */
static size_t
feed_line(struct http *http, struct slice input)
{
    size_t end = slice_find_byte(input, '\n');
    struct slice piece = slice_first(input, end);

    http->head_len += piece.len + 1;
    if (http->head_len > HTTP_HEAD_MAX || buffer_len(&http->line) + piece.len > HTTP_LINE_MAX) {
        fail(http, "the answer is too long");
        return input.len;
    }
    buffer_put(&http->line, piece);
    if (end == input.len)
        return input.len;
    struct slice line = buffer_slice(&http->line);
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    take_line(http, line);
    buffer_clear(&http->line);
    return end + 1;
}

static size_t
feed_body(struct http *http, struct slice input)
{
    bool is_counted = http->state != HTTP_UNTIL_END;
    struct slice piece = is_counted ? slice_first(input, (size_t)http->left) : input;

    if (piece.len > HTTP_BODY_MAX - buffer_len(&http->body)) {
        fail(http, "the answer is too long");
        return input.len;
    }
    buffer_put(&http->body, piece);
    if (is_counted) {
        http->left -= piece.len;
        if (http->left == 0)
            http->state = http->state == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_DONE;
    }
    return piece.len;
}

size_t
http_feed(struct http *http, struct slice input)
{
    size_t taken = 0;

    while (taken < input.len && http->state < HTTP_DONE) {
        struct slice rest = slice_skip(input, taken);
        bool is_body = http->state == HTTP_COUNTED || http->state == HTTP_UNTIL_END ||
                       http->state == HTTP_CHUNK;
        taken += is_body ? feed_body(http, rest) : feed_line(http, rest);
    }
    return input.len;
}

void
http_end(struct http *http)
{
    if (http->state == HTTP_UNTIL_END)
        http->state = HTTP_DONE;
    else if (http->state < HTTP_DONE)
        fail(http, "the answer is cut short");
}
