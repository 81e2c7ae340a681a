/* SPDX-License-Identifier: ISC */
#include "http/client.h"

#include "base/hex.h"
#include "text/base64.h"

#include <string.h>

enum {
    STATUS_OK = 200,
    STATUS_LEN = 12, /* "HTTP/1.1 200" */
    SIZE_DIGITS_MAX = 15,
    BASIC_MAX = 8 * 1024
};

/* ---- the request --------------------------------------------------------------------------- */

static void
put_field(struct buffer *output, const char *name, struct slice value)
{
    buffer_put_text(output, name);
    buffer_put_text(output, ": ");
    buffer_put(output, value);
    buffer_put_text(output, "\r\n");
}

void
http_init(struct http *http, const struct http_request *request)
{
    *http = (struct http){.state = HTTP_STATUS, .type = request->type};
    buffer_init(&http->output, HTTP_REQUEST_MAX);
    buffer_init(&http->line, HTTP_LINE_MAX);
    buffer_init(&http->body, HTTP_BODY_MAX);
    buffer_put_text(&http->output, request->form.len > 0 ? "POST " : "GET ");
    buffer_put(&http->output, request->path);
    buffer_put_text(&http->output, " HTTP/1.1\r\n");
    put_field(&http->output, "Host", request->host);
    put_field(&http->output, "Accept", request->accept);
    if (request->authorization.len > 0)
        put_field(&http->output, "Authorization", request->authorization);
    if (request->form.len > 0) {
        put_field(&http->output, "Content-Type", SLICE("application/x-www-form-urlencoded"));
        buffer_put_text(&http->output, "Content-Length: ");
        buffer_put_decimal(&http->output, request->form.len);
        buffer_put_text(&http->output, "\r\n");
    }
    buffer_put_text(&http->output, "Connection: close\r\n\r\n");
    buffer_put(&http->output, request->form);
    if (buffer_overflowed(&http->output)) {
        buffer_clear(&http->output);
        http->state = HTTP_FAILED;
        http->problem = "the question is too long";
    }
}

void
http_finish(struct http *http)
{
    buffer_wipe(&http->output);
    buffer_wipe(&http->line);
    buffer_wipe(&http->body);
}

void
http_form_put_text(struct buffer *form, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t octet = text.at[i];
        if (byte_is_alpha(octet) || byte_is_digit(octet) || octet == '*' || octet == '-' ||
            octet == '.' || octet == '_') {
            buffer_put_byte(form, octet);
        } else if (octet == ' ') {
            buffer_put_byte(form, '+');
        } else {
            buffer_put_byte(form, '%');
            buffer_put_byte(form, (uint8_t) "0123456789ABCDEF"[octet >> 4]);
            buffer_put_byte(form, (uint8_t) "0123456789ABCDEF"[octet & 15]);
        }
    }
}

void
http_form_put(struct buffer *form, const char *name, struct slice value)
{
    if (buffer_len(form) > 0)
        buffer_put_byte(form, '&');
    http_form_put_text(form, slice_of_string(name));
    buffer_put_byte(form, '=');
    http_form_put_text(form, value);
}

void
http_basic_put(struct buffer *authorization, struct slice user, struct slice password)
{
    struct buffer plain;

    buffer_init(&plain, BASIC_MAX);
    http_form_put_text(&plain, user);
    buffer_put_byte(&plain, ':');
    http_form_put_text(&plain, password);
    buffer_put_text(authorization, "Basic ");
    base64_format(buffer_slice(&plain), authorization);
    buffer_wipe(&plain);
}

static void
fail(struct http *http, const char *problem)
{
    http->state = HTTP_FAILED;
    http->problem = problem;
}

/* ---- the head ------------------------------------------------------------------------------ */

static bool
take_number(struct slice text, int base, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > SIZE_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int digit = byte_hex_value(text.at[i]);
        if (digit < 0 || digit >= base)
            return false;
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    *ret_number = number;
    return true;
}

/* RFC 9112 §4: interim answers (1xx) come before the one that counts. */
static void
take_status(struct http *http, struct slice line)
{
    if (line.len < STATUS_LEN || !slice_starts_with(line, SLICE("HTTP/1.")) || line.at[8] != ' ') {
        fail(http, "the answer is not HTTP");
        return;
    }
    uint64_t code;
    if (!take_number(slice_between(line, 9, STATUS_LEN), 10, &code)) {
        fail(http, "the answer is not HTTP");
        return;
    }
    http->status = (unsigned)code;
    http->is_interim = code / 100 == 1;
    if (http->is_interim || code == STATUS_OK)
        http->state = HTTP_FIELDS;
    else
        fail(http, "the answer is not 200");
}

static void
end_head(struct http *http)
{
    if (http->is_interim) {
        http->state = HTTP_STATUS;
        http->has_type = false;
        return;
    }
    /* RFC 9112 §6.3: whoever says both is up to something. */
    if (http->is_chunked && http->has_length)
        fail(http, "the answer has two lengths");
    else if (http->type.len > 0 && !http->has_type)
        fail(http, "the answer is of another type");
    else if (http->is_chunked)
        http->state = HTTP_CHUNK_SIZE;
    else if (!http->has_length)
        http->state = HTTP_UNTIL_END;
    else
        http->state = http->left > 0 ? HTTP_COUNTED : HTTP_DONE;
}

/* RFC 9110 §8.3.1; the parameters say nothing that we want to know. */
static bool
is_type(const struct http *http, struct slice value)
{
    return slice_equal_nocase(slice_trim(slice_first(value, slice_find_byte(value, ';'))),
                              http->type);
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
    } else if (slice_equal_nocase(name, SLICE("Content-Type"))) {
        http->has_type = is_type(http, value);
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
http_end(struct http *http, bool is_told)
{
    if (http->state == HTTP_UNTIL_END && is_told)
        http->state = HTTP_DONE;
    else if (http->state < HTTP_DONE)
        fail(http, "the answer is cut short");
}
