/* SPDX-License-Identifier: ISC */
/* Replies (RFC 5321 §4.2, RFC 2034): one place that writes them, counts errors and holds answers
 * back. */
#include "smtp/server_private.h"

#include "text/utf8.h"

/* What a reply says when nobody says more. */
struct reply_default {
    uint16_t code;
    uint16_t subject, detail;
    const char *text;
};

static const struct reply_default defaults[] = {
    {211, 0, 0, "System status"},
    {214, 0, 0, "Help follows"},
    {220, 0, 0, "Ready"},
    {221, 0, 0, "Goodbye"},
    {235, 7, 0, "Authentication successful"},
    {250, 0, 0, "Ok"},
    {251, 1, 5, "User not local; will forward"},
    {252, 0, 0, "Cannot VRFY user, but will accept message and attempt delivery"},
    {421, 3, 2, "Service not available, closing transmission channel"},
    {450, 2, 0, "Mailbox unavailable for the moment"},
    {451, 3, 0, "Local error in processing, try again later"},
    {452, 3, 1, "Insufficient system storage, try again later"},
    {454, 7, 0, "Temporary failure, try again later"},
    {455, 3, 0, "Cannot accommodate these parameters now"},
    {500, 5, 2, "Syntax error"},
    {501, 5, 4, "Syntax error in parameters"},
    {502, 5, 1, "Command not available"},
    {503, 5, 1, "Bad sequence of commands"},
    {504, 5, 4, "Parameter not available"},
    {530, 7, 0, "Authentication required"},
    {534, 7, 9, "Authentication mechanism is too weak"},
    {535, 7, 8, "Authentication credentials invalid"},
    {538, 7, 11, "Encryption required for this authentication mechanism"},
    {550, 1, 1, "Mailbox unavailable"},
    {551, 1, 6, "User not local; please try another address"},
    {552, 2, 2, "Storage allocation exceeded"},
    {553, 1, 3, "Mailbox name not allowed"},
    {554, 0, 0, "Transaction failed"},
    {555, 5, 4, "Parameter not recognised"},
};

static struct reply_default
find_default(unsigned code)
{
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        if (defaults[i].code == code)
            return defaults[i];
    }
    return (struct reply_default){(uint16_t)code, 0, 0, code < 400 ? "Ok" : "Refused"};
}

/* Printable ASCII, and UTF-8 for those who asked for it (RFC 6531 §3.7.4.2): a reply must not
 * carry what would end it, nor octets that are no characters. */
static void
put_text(struct smtp_server *server, struct slice text)
{
    struct cursor cursor = cursor_of(utf8_first(text, SMTP_REPLY_TEXT_MAX));
    uint32_t character;
    uint8_t octet;

    while (!cursor_is_done(&cursor)) {
        struct cursor before = cursor;
        bool is_utf8 = server->transaction.is_utf8 && utf8_take(&cursor, &character);
        if (is_utf8 && utf8_is_printable(character)) {
            buffer_put(&server->output, slice_of(before.at, (size_t)(cursor.at - before.at)));
            continue;
        }
        cursor = before;
        (void)!cursor_take_any(&cursor, &octet);
        bool is_good = octet >= ' ' && octet < 0x7F;
        buffer_put_byte(&server->output, is_good ? octet : '?');
    }
}

static void
put_code(struct smtp_server *server, unsigned code, bool is_last)
{
    buffer_put_decimal(&server->output, code);
    buffer_put_byte(&server->output, is_last ? ' ' : '-');
}

void
smtp_put_line(struct smtp_server *server, unsigned code, bool is_last, struct slice text)
{
    put_code(server, code, is_last);
    put_text(server, text);
    buffer_put_text(&server->output, "\r\n");
}

/* The lines of a text; every one has the code in both forms (RFC 2034 §4). */
static void
put_lines(struct smtp_server *server, unsigned code, struct envelope_status status,
          struct slice text)
{
    for (int count = 1;; count++) {
        size_t len = slice_find_byte(text, '\n');
        bool is_last = len == text.len || count == SMTP_REPLY_LINES_MAX;
        put_code(server, code, is_last);
        envelope_status_put(&server->output, status);
        buffer_put_byte(&server->output, ' ');
        put_text(server, slice_first(text, len));
        buffer_put_text(&server->output, "\r\n");
        if (is_last)
            return;
        text = slice_skip(text, len + 1);
    }
}

static void
hold(struct smtp_server *server, struct duration delay, struct instant now)
{
    struct instant until = instant_after(now, delay);

    if (delay.ns <= 0 || (server->is_held && !instant_is_before(server->held_until, until)))
        return;
    server->is_held = true;
    server->held_until = until;
}

/* A 5xx was said: strangers pay for it with time, then with the session. LMTP's clients are MTAs of
 * the house, and pass on what strangers sent them. */
static void
count_error(struct smtp_server *server, struct instant now)
{
    server->errors++;
    if (server->peer.is_trusted || smtp_is_lmtp(server) || server->state == STATE_CLOSED)
        return;
    if (server->errors > smtp_limit_errors_free(server))
        hold(server, smtp_limit_tarpit(server), now);
    if (server->errors >= smtp_limit_errors(server))
        smtp_say_goodbye(server, ENVELOPE_STATUS(4, 7, 0), "Too many errors", SMTP_CLOSE_ERRORS,
                         now);
}

void
smtp_say_lines(struct smtp_server *server, unsigned code, struct envelope_status status,
               struct slice text, struct instant now)
{
    struct reply_default fallback = find_default(code);

    if (!envelope_status_is_given(status))
        status = ENVELOPE_STATUS((uint8_t)(code / 100), fallback.subject, fallback.detail);
    put_lines(server, code, status, text.len > 0 ? text : slice_of_string(fallback.text));
    if (code >= 500)
        count_error(server, now);
}

void
smtp_say(struct smtp_server *server, unsigned code, struct envelope_status status, const char *text,
         struct instant now)
{
    smtp_say_lines(server, code, status, slice_of_string(text), now);
}

bool
smtp_say_verdict(struct smtp_server *server, const struct smtp_verdict *verdict,
                 struct smtp_words own, struct instant now)
{
    unsigned code = verdict->code != 0 ? verdict->code : own.code;
    struct envelope_status status = verdict->status;
    struct slice text = verdict->text;

    assert(code >= 200 && code < 600 && code / 100 != 3);
    if (code == own.code && !envelope_status_is_given(status))
        status = own.status;
    if (code == own.code && text.len == 0)
        text = slice_of_string(own.text);
    hold(server, verdict->delay, now);
    smtp_say_lines(server, code, status, text, now);
    /* 421 is never said without closing (RFC 5321 §3.8). */
    if ((verdict->closes || code == 421) && server->state != STATE_CLOSED)
        smtp_server_shut(server, SMTP_CLOSE_REFUSED);
    return code < 300;
}

void
smtp_say_goodbye(struct smtp_server *server, struct envelope_status status, const char *text,
                 enum smtp_close_reason reason, struct instant now)
{
    smtp_say(server, 421, status, text, now);
    smtp_server_shut(server, reason);
}
