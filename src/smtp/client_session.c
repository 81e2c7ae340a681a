/* SPDX-License-Identifier: ISC */
/* From the greeting to the first message: EHLO, LHLO, HELO, STARTTLS (RFC 5321 §3.2, RFC 2033 §4.1,
 * RFC 3207). */
#include "smtp/client_private.h"

void
smtp_client_greeted(struct smtp_client *client, struct instant now)
{
    (void)now;
    /* Any 2yz is a welcome; 554 and the like (RFC 5321 §3.1) concern this host, not the mail. */
    if (client->reply.code / 100 != 2)
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_REFUSED, &client->reply);
    else
        smtp_client_hello(client);
}

static void
put_hello(struct smtp_client *client, const char *verb, enum client_await kind)
{
    client->extensions = client->session_extensions = client->mechanisms = 0;
    client->size_max = 0;
    client->deliver_by_min_s = 0;
    buffer_put_text(&client->output, verb);
    buffer_put(&client->output, client->options.hostname);
    buffer_put_text(&client->output, "\r\n");
    smtp_client_await(client, kind, 0);
}

void
smtp_client_hello(struct smtp_client *client)
{
    put_hello(client, client->options.is_lmtp ? "LHLO " : "EHLO ", AWAIT_EHLO);
}

/* ---- EHLO's answer (RFC 5321 §4.1.1.1) ----------------------------------------------------- */

/* RFC 4954 §3; the form with "=" is older than that, and still met. */
static void
take_mechanisms(struct smtp_client *client, struct slice list)
{
    while (list.len > 0) {
        size_t end = slice_find_byte(list, ' ');
        enum sasl_mechanism mechanism;
        if (sasl_mechanism_parse(slice_first(list, end), &mechanism))
            client->mechanisms |= 1U << mechanism;
        list = slice_trim(slice_skip(list, end));
    }
}

/* RFC 1870 §4: without a number, or with 0, there is no fixed maximum. */
static void
take_size(struct smtp_client *client, struct slice argument)
{
    struct cursor cursor = cursor_of(argument);
    uint64_t size;

    if (cursor_take_u64(&cursor, 0, UINT64_MAX, &size) && cursor_is_done(&cursor))
        client->size_max = size;
}

/* RFC 2852 §2: min-by-time, and perhaps more behind a comma */
static void
take_deliver_by(struct smtp_client *client, struct slice argument)
{
    struct cursor cursor = cursor_of(argument);
    uint32_t seconds;

    if (cursor_take_u32(&cursor, 1, ENVELOPE_HOLD_SECONDS_MAX, &seconds))
        client->deliver_by_min_s = seconds;
}

void
smtp_client_keyword(struct smtp_client *client, struct slice line)
{
    static const struct {
        const char *name;
        unsigned extension, session_extension;
    } rows[] = {
        {"PIPELINING", 0, SESSION_PIPELINING},
        {"CHUNKING", 0, SESSION_CHUNKING},
        {"STARTTLS", 0, SESSION_STARTTLS},
        {"ENHANCEDSTATUSCODES", 0, SESSION_STATUS},
        {"SIZE", ENVELOPE_SIZE, 0},
        {"8BITMIME", ENVELOPE_8BITMIME, 0},
        {"BINARYMIME", ENVELOPE_BINARYMIME, 0},
        {"SMTPUTF8", ENVELOPE_SMTPUTF8, 0},
        {"DSN", ENVELOPE_DSN, 0},
        {"AUTH", ENVELOPE_AUTH, 0},
        {"REQUIRETLS", ENVELOPE_REQUIRETLS, 0},
        {"MT-PRIORITY", ENVELOPE_MT_PRIORITY, 0},
        {"DELIVERBY", ENVELOPE_DELIVERBY, 0},
    };
    line = slice_trim(slice_first(line, CLIENT_KEYWORD_LINE_MAX));
    if (slice_starts_with_nocase(line, SLICE("AUTH=")))
        take_mechanisms(client, slice_skip(line, 5));
    size_t end = slice_find_byte(line, ' ');
    struct slice name = slice_first(line, end);
    struct slice argument = slice_trim(slice_skip(line, end));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_equal_nocase(name, slice_of_string(rows[i].name)))
            continue;
        client->extensions |= rows[i].extension;
        client->session_extensions |= rows[i].session_extension;
        if (rows[i].extension == ENVELOPE_AUTH)
            take_mechanisms(client, argument);
        if (rows[i].extension == ENVELOPE_SIZE)
            take_size(client, argument);
        if (rows[i].extension == ENVELOPE_DELIVERBY)
            take_deliver_by(client, argument);
    }
}

/* What the options forbid is as good as not offered. */
static void
forget_forbidden(struct smtp_client *client)
{
    if (client->options.is_pipelining_off)
        client->session_extensions &= ~(unsigned)SESSION_PIPELINING;
    if (client->options.is_chunking_off)
        client->session_extensions &= ~(unsigned)SESSION_CHUNKING;
    if (client->options.is_8bitmime_off)
        client->extensions &= ~(unsigned)ENVELOPE_8BITMIME;
    if (client->options.is_dsn_off)
        client->extensions &= ~(unsigned)ENVELOPE_DSN;
    /* RFC 3030 §3: BINARYMIME needs CHUNKING. */
    if (!(client->session_extensions & SESSION_CHUNKING))
        client->extensions &= ~(unsigned)ENVELOPE_BINARYMIME;
}

void
smtp_client_helloed(struct smtp_client *client, bool is_extended)
{
    unsigned class = client->reply.code / 100;

    /* RFC 5321 §3.2: a host without extensions says 5yz to EHLO. */
    if (is_extended && class == 5 && !client->options.is_lmtp) {
        put_hello(client, "HELO ", AWAIT_HELO);
        return;
    }
    if (class != 2) {
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_REFUSED, &client->reply);
        return;
    }
    client->is_extended = is_extended;
    if (!is_extended)
        client->extensions = client->session_extensions = client->mechanisms = 0;
    forget_forbidden(client);
    smtp_client_proceed(client);
}

/* ---- TLS ----------------------------------------------------------------------------------- */

void
smtp_client_tls_answered(struct smtp_client *client)
{
    if (client->reply.code == 220) {
        client->state = CLIENT_TLS;
        smtp_client_raise(client, SMTP_CLIENT_EVENT_STARTTLS);
    } else if (client->options.tls == SMTP_CLIENT_TLS_REQUIRED) {
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_INSECURE, &client->reply);
    } else {
        client->session_extensions &= ~(unsigned)SESSION_STARTTLS;
        smtp_client_proceed(client);
    }
}

void
smtp_client_proceed(struct smtp_client *client)
{
    bool wants_tls = !client->is_secure && client->options.tls != SMTP_CLIENT_TLS_NEVER;

    if (wants_tls && client->session_extensions & SESSION_STARTTLS) {
        buffer_put_text(&client->output, "STARTTLS\r\n");
        smtp_client_await(client, AWAIT_STARTTLS, 0);
    } else if (wants_tls && client->options.tls == SMTP_CLIENT_TLS_REQUIRED) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_INSECURE,
                                "TLS is required, and the host offers none");
    } else if (client->options.name.len > 0 && !client->is_authenticated) {
        smtp_client_login(client);
    } else {
        client->state = CLIENT_READY;
        smtp_client_raise(client, SMTP_CLIENT_EVENT_READY);
    }
}
