/* SPDX-License-Identifier: ISC */
/* Content on its way out: RFC 5321 §4.5.2 (dots), §2.3.8 (line ends), RFC 3030 (BDAT). */
#include "smtp/client_private.h"

/* One pass; whatever is told here decides how the content may travel. */
struct client_content
smtp_content_look(struct slice bytes)
{
    struct client_content content = {.bytes = bytes, .is_clean = true, .is_ended = true};
    bool is_header = true;
    size_t at = 0;

    content.wire_len = bytes.len;
    while (at < bytes.len) {
        struct slice line = slice_skip(bytes, at);
        size_t end = slice_find_byte(line, '\n');
        bool is_ended = end < line.len;
        line = slice_first(line, end);
        bool has_cr = line.len > 0 && line.at[line.len - 1] == '\r';
        if (line.len > 0 && line.at[0] == '.')
            content.has_dots = true;
        if (line.len == (has_cr ? 1 : 0))
            is_header = false;
        uint8_t bits = 0;
        for (size_t i = 0; i < line.len; i++)
            bits |= line.at[i];
        content.is_8bit |= bits >= 0x80;
        content.is_header_8bit |= is_header && bits >= 0x80;
        content.has_nul |= slice_find_byte(line, 0) < line.len;
        if (is_ended && !has_cr) {
            content.is_clean = false;
            content.wire_len++; /* a lone LF becomes CRLF */
        }
        struct slice inner = is_ended && has_cr ? slice_first(line, line.len - 1) : line;
        for (size_t cr = slice_find_byte(inner, '\r'); cr < inner.len;
             inner = slice_skip(inner, cr + 1), cr = slice_find_byte(inner, '\r')) {
            content.is_clean = false;
            content.wire_len++; /* so does a lone CR */
        }
        content.is_ended = is_ended;
        at += end + (is_ended ? 1 : 0);
    }
    if (!content.is_ended)
        content.wire_len += 2;
    return content;
}

/* Puts one line's octets up to `left`, mending lone CRs; the line's end is the caller's. */
static void
put_inner(struct buffer *output, struct slice inner)
{
    for (;;) {
        size_t cr = slice_find_byte(inner, '\r');
        buffer_put(output, slice_first(inner, cr));
        if (cr == inner.len)
            return;
        buffer_put_text(output, "\r\n");
        inner = slice_skip(inner, cr + 1);
        /* What follows begins a line of its own. */
        if (inner.len > 0 && inner.at[0] == '.')
            buffer_put_byte(output, '.');
    }
}

/* Puts whole lines until a piece is full; a line longer than a piece goes out in one. */
static void
fill_text(struct smtp_client *client)
{
    struct slice bytes = client->content.bytes;

    while (client->body_at < bytes.len && buffer_len(&client->output) < SMTP_CLIENT_PIECE) {
        struct slice rest = slice_skip(bytes, client->body_at);
        bool is_start = client->body_at == 0 || bytes.at[client->body_at - 1] == '\n';
        if (is_start && rest.at[0] == '.')
            buffer_put_byte(&client->output, '.');
        struct slice window = slice_first(rest, SMTP_CLIENT_PIECE);
        size_t end = slice_find_byte(window, '\n');
        bool is_ended = end < window.len;
        struct slice line = slice_first(window, end);
        /* A CR at the window's end is decided when what is behind it is seen. */
        if (!is_ended && window.len < rest.len && line.at[line.len - 1] == '\r')
            line.len--;
        client->body_at += line.len + (is_ended ? 1 : 0);
        if (is_ended && line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        put_inner(&client->output, line);
        if (is_ended)
            buffer_put_text(&client->output, "\r\n");
    }
}

/* NUL is no text, whatever the sender has said (RFC 6152 §3 with RFC 2045 §2.8): a host that throws
 * it away would see the end of the message in "CRLF NUL . CRLF". */
bool
smtp_content_is_binary(const struct smtp_client *client)
{
    return client->content.has_nul || (client->message->is_binary && !client->content.is_clean);
}

bool
smtp_client_is_binary(const struct smtp_client *client)
{
    return client->is_chunk && smtp_content_is_binary(client);
}

void
smtp_client_fill(struct smtp_client *client)
{
    struct slice bytes = client->content.bytes;
    bool is_copied =
        client->body == BODY_RAW && client->body_at == 0 && bytes.len <= SMTP_CLIENT_PIECE;

    if (client->body == BODY_NONE || (buffer_len(&client->output) > 0 && !is_copied))
        return;
    /* A copy is less than a second system call and packet, for which the server wakes once more. */
    if (is_copied) {
        buffer_put(&client->output, bytes);
        client->body_at = bytes.len;
    }
    if (client->body == BODY_TEXT)
        fill_text(client);
    if (client->body_at < bytes.len)
        return;
    client->body = BODY_NONE;
    if (!client->content.is_ended && !smtp_client_is_binary(client))
        buffer_put_text(&client->output, "\r\n");
    if (!client->is_chunk)
        buffer_put_text(&client->output, ".\r\n");
}
