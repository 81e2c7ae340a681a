/* SPDX-License-Identifier: ISC */
/* Replies as a client reads them: RFC 5321 §4.2, enhanced codes RFC 2034 §4. */
#include "smtp/client_private.h"

#include "text/utf8.h"

void
smtp_words_init(struct client_words *words)
{
    *words = (struct client_words){0};
    buffer_init(&words->text, SMTP_CLIENT_TEXT_MAX);
}

void
smtp_words_finish(struct client_words *words)
{
    buffer_finish(&words->text);
}

void
smtp_words_copy(struct client_words *to, const struct client_words *from)
{
    to->code = from->code;
    to->status = from->status;
    buffer_clear(&to->text);
    buffer_put(&to->text, buffer_slice(&from->text));
}

void
smtp_words_say(struct client_words *words, struct envelope_status status, const char *text)
{
    words->code = 0;
    words->status = status;
    buffer_clear(&words->text);
    buffer_put(&words->text, slice_first(slice_of_string(text), SMTP_CLIENT_TEXT_MAX));
}

struct smtp_client_reply
smtp_words_reply(const struct client_words *words)
{
    return (struct smtp_client_reply){words->code, words->status, buffer_slice(&words->text)};
}

/* Reply-code: three digits, the first 2 to 5 (RFC 5321 §4.2: 1yz is not used in SMTP). */
static bool
take_code(struct cursor *cursor, uint16_t *ret_code)
{
    struct slice digits;

    if (!cursor_take_bytes(cursor, 3, &digits) || digits.at[0] < '2' || digits.at[0] > '5' ||
        !byte_is_digit(digits.at[1]) || !byte_is_digit(digits.at[2]))
        return false;
    *ret_code =
        (uint16_t)((digits.at[0] - '0') * 100 + (digits.at[1] - '0') * 10 + (digits.at[2] - '0'));
    return true;
}

/* What goes into logs, notes and bounces is one printable line. */
static void
put_printable(struct buffer *buffer, struct slice text)
{
    text = utf8_first(text, buffer_room(buffer));
    bool is_utf8 = utf8_is_valid(text);

    while (text.len > 0) {
        struct cursor cursor = cursor_of(text);
        uint32_t character;
        bool is_good = utf8_take(&cursor, &character) && utf8_is_printable(character) &&
                       (is_utf8 || character < 0x80);
        size_t len = is_utf8 ? (size_t)(cursor.at - text.at) : 1;
        buffer_put(buffer, is_good ? slice_first(text, len) : SLICE("?"));
        text = slice_skip(text, len);
    }
}

/* The first line's status counts; an enhanced code is only one where its class is the code's. */
static struct slice
take_status(struct client_words *words, struct slice text, bool is_first)
{
    struct cursor cursor = cursor_of(text);
    struct envelope_status status;

    if (!envelope_status_take(&cursor, &status) || status.class != words->code / 100 ||
        (!cursor_is_done(&cursor) && cursor_peek(&cursor) != ' '))
        return text;
    if (is_first)
        words->status = status;
    return cursor_rest(&cursor);
}

bool
smtp_reply_add_line(struct smtp_client *client, struct slice line, bool *ret_is_last)
{
    struct client_words *reply = &client->reply;
    struct cursor cursor = cursor_of(line);
    bool is_first = client->reply_lines == 0;
    uint16_t code;

    if (!take_code(&cursor, &code) || client->reply_lines == SMTP_CLIENT_LINES_MAX)
        return false;
    bool is_last = !cursor_take_byte(&cursor, '-');
    if (is_last && !cursor_is_done(&cursor) && !cursor_take_byte(&cursor, ' '))
        return false;
    if (is_first) {
        reply->status = (struct envelope_status){0};
        buffer_clear(&reply->text);
    }
    client->reply_lines++;
    /* RFC 5321 §4.2.1 wants the same code in all lines; where they differ the last counts. */
    reply->code = code;
    struct slice text = slice_trim(take_status(reply, cursor_rest(&cursor), is_first));
    if (!is_first && text.len > 0 && buffer_len(&reply->text) > 0 && buffer_room(&reply->text) > 1)
        buffer_put_byte(&reply->text, ' ');
    put_printable(&reply->text, text);
    if (client->awaited_count > 0 && client->awaited[client->awaited_first].kind == AWAIT_EHLO &&
        !is_first)
        smtp_client_keyword(client, cursor_rest(&cursor));
    if (client->state == CLIENT_ASKING) {
        if (!is_first)
            buffer_put_byte(&client->answer, '\n');
        buffer_put(&client->answer, text);
    }
    if (code == 334) {
        buffer_clear(&client->challenge);
        buffer_put(&client->challenge, cursor_rest(&cursor));
    }
    *ret_is_last = is_last;
    if (is_last) {
        client->reply_lines = 0;
        if (reply->status.class != 0 && reply->status.class != code / 100)
            reply->status = (struct envelope_status){0};
    }
    return true;
}
