/* SPDX-License-Identifier: ISC */
/* The framer: makes lines, text and chunks out of octets that come in any pieces. All other files
 * see whole things. CRLF is the only line end here (RFC 5321 §2.3.8, §4.1.1.4): whoever lets a bare
 * LF or CR pass lets mail be smuggled behind mail. */
#include "smtp/server_private.h"

/* Ends the session, whatever is behind in the pipeline. */
static void
refuse_line_end(struct smtp_server *server, unsigned code, struct instant now)
{
    smtp_say(server, code, ENVELOPE_STATUS(5, 5, 2), "Bare CR or LF is refused: lines end in CRLF",
             now);
    smtp_server_shut(server, SMTP_CLOSE_LINE_END);
}

/* AUTH may carry an initial response (RFC 4954 §4), everything else is short. */
static size_t
line_max(const struct smtp_server *server, struct slice line)
{
    return server->state != STATE_COMMAND || smtp_line_is_secret(line) ? SMTP_SASL_LINE_MAX
                                                                       : SMTP_COMMAND_LINE_MAX;
}

/* A line that was too long has come to its end. */
static void
refuse_long_line(struct smtp_server *server, struct instant now)
{
    if (server->state == STATE_COMMAND)
        smtp_say(server, 500, ENVELOPE_STATUS(5, 5, 2), "Line too long", now);
    else
        smtp_auth_line_long(server, now);
}

/* Reads on in a line that is too long already, keeping nothing of it. */
static size_t
pass_long_line(struct smtp_server *server, struct slice input, struct instant now)
{
    size_t len = slice_find_byte(input, '\n');

    if (len == input.len) {
        server->has_line_cr = input.at[len - 1] == '\r';
        return len;
    }
    bool has_cr = len > 0 ? input.at[len - 1] == '\r' : server->has_line_cr;
    server->is_line_long = false;
    if (has_cr)
        refuse_long_line(server, now);
    else
        refuse_line_end(server, 500, now);
    return len + 1;
}

/* A whole line with its LF. */
static void
handle_line(struct smtp_server *server, struct slice line, struct instant now)
{
    if (line.len > line_max(server, line)) {
        if (line.at[line.len - 2] == '\r')
            refuse_long_line(server, now);
        else
            refuse_line_end(server, 500, now);
        return;
    }
    if (line.len < 2 || slice_find_byte(line, '\r') != line.len - 2) {
        refuse_line_end(server, 500, now);
        return;
    }
    line = slice_first(line, line.len - 2);
    if (server->state == STATE_COMMAND)
        smtp_command_handle(server, line, now);
    else
        smtp_auth_response(server, line, now);
}

size_t
smtp_frame_line(struct smtp_server *server, struct slice input, struct instant now)
{
    if (server->is_line_long)
        return pass_long_line(server, input, now);

    size_t end = slice_find_byte(input, '\n');
    bool is_whole = end < input.len;
    size_t len = is_whole ? end + 1 : input.len;
    struct slice line = slice_first(input, len);
    if (buffer_len(&server->line) > 0 || !is_whole) {
        /* What does not fit makes the line longer than any may be. */
        buffer_put(&server->line, slice_first(line, buffer_room(&server->line)));
        line = buffer_slice(&server->line);
    }
    if (is_whole && line.at[line.len - 1] == '\n') {
        handle_line(server, line, now);
    } else if (line.len > line_max(server, line)) {
        /* The rest of it, its LF at the latest, comes to pass_long_line. */
        size_t passed = is_whole ? end : len;
        server->is_line_long = true;
        server->has_line_cr = input.at[passed - 1] == '\r';
        buffer_finish(&server->line);
        return passed;
    } else {
        return len;
    }
    /* It may have been a password. */
    buffer_wipe(&server->line);
    if (server->state != STATE_CLOSED)
        smtp_server_touch(server, now);
    return len;
}

/* A piece of content goes to the caller; `len` octets of input are done with. */
static size_t
hand_over(struct smtp_server *server, struct slice piece, size_t len, struct instant now)
{
    if (piece.len > 0)
        smtp_body_count(server, piece.len, now);
    if (piece.len > 0 && server->transaction.refused_code == 0 && server->state != STATE_CLOSED) {
        smtp_server_raise(server, SMTP_EVENT_BODY_PIECE);
        server->event.body = piece;
    }
    return len;
}

/* Counts octets of the current line, its CRLF included, the stuffed dot not. */
static void
count_line(struct smtp_server *server, size_t len)
{
    server->text_line_len += len;
    if (server->text_line_len > smtp_limit_text_line(server))
        smtp_body_refuse(server, 500, ENVELOPE_STATUS(5, 5, 2), "Line too long in the message");
}

/* Within a line, from `at`: moves behind its LF, or to the end of input. False: a bare CR or LF. */
static bool
pass_line(struct smtp_server *server, struct slice input, size_t *at)
{
    struct slice rest = slice_skip(input, *at);
    size_t end = slice_find_byte(rest, '\n');
    struct slice body = slice_first(rest, end);
    size_t cr = slice_find_byte(body, '\r');

    if (end == rest.len) {
        /* No LF yet: a CR can only be the last octet here. */
        if (cr + 1 < body.len)
            return false;
        server->text_state = cr < body.len ? TEXT_CR : TEXT_MIDDLE;
        count_line(server, rest.len);
        *at = input.len;
        return true;
    }
    if (end == 0 || cr != end - 1)
        return false;
    count_line(server, end + 1);
    server->text_line_len = 0;
    server->text_state = TEXT_START;
    *at += end + 1;
    return true;
}

/* One octet in one of the states that look at single octets. False: a bare CR. */
static bool
pass_octet(struct smtp_server *server, uint8_t octet, size_t *at)
{
    switch (server->text_state) {
    case TEXT_CR:
        if (octet != '\n')
            return false;
        count_line(server, 1);
        server->text_line_len = 0;
        server->text_state = TEXT_START;
        ++*at;
        return true;
    case TEXT_DOT:
        server->text_state = octet == '\r' ? TEXT_DOT_CR : TEXT_MIDDLE;
        if (octet == '\r')
            ++*at;
        return true;
    case TEXT_START:
        server->text_state = octet == '.' ? TEXT_DOT : TEXT_MIDDLE;
        if (octet == '.')
            ++*at;
        return true;
    case TEXT_MIDDLE:
    case TEXT_DOT_CR:
        break;
    }
    return octet == '\n';
}

size_t
smtp_frame_text(struct smtp_server *server, struct slice input, struct instant now)
{
    size_t start = 0, at = 0; /* content since start; read up to at */

    smtp_server_touch(server, now);
    while (at < input.len) {
        enum smtp_text_state was = server->text_state;
        bool is_good;
        /* A dot that begins a line ends the piece; it is looked at again without one. */
        if (was == TEXT_START && input.at[at] == '.' && at > start)
            break;
        if (was == TEXT_DOT_CR && input.at[at] == '\n') {
            smtp_body_ended(server, now);
            return at + 1;
        }
        if (was == TEXT_MIDDLE || (was == TEXT_START && input.at[at] != '.'))
            is_good = pass_line(server, input, &at);
        else
            is_good = pass_octet(server, input.at[at], &at);
        if (!is_good) {
            refuse_line_end(server, 554, now);
            return input.len;
        }
        /* Neither the dot nor the CR behind it is content. */
        if (server->text_state == TEXT_DOT || server->text_state == TEXT_DOT_CR)
            start = at;
    }
    return hand_over(server, slice_between(input, start, at), at, now);
}

size_t
smtp_frame_chunk(struct smtp_server *server, struct slice input, struct instant now)
{
    struct slice piece =
        server->chunk_left < input.len ? slice_first(input, (size_t)server->chunk_left) : input;

    smtp_server_touch(server, now);
    server->chunk_left -= piece.len;
    return hand_over(server, piece, piece.len, now);
}
