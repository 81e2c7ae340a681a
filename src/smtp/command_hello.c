/* SPDX-License-Identifier: ISC */
/* Greeting, HELO, EHLO and LHLO: RFC 5321 §4.1.1.1, §4.2, §4.3.1; RFC 2033 §4.1. */
#include "smtp/server_private.h"

#include "base/cursor.h"
#include "text/date.h"

void
smtp_answered_connect(struct smtp_server *server, const struct smtp_verdict *verdict,
                      struct instant now)
{
    struct buffer text;

    if (verdict->code != 0 && verdict->code != 220) {
        /* Of the two ways of RFC 5321 §3.1 the one that costs less: say it and close. */
        smtp_say_verdict(server, verdict,
                         (struct smtp_words){554, {5, 3, 2}, "No SMTP service here"}, now);
        smtp_server_shut(server, SMTP_CLOSE_REFUSED);
        return;
    }
    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put(&text, server->options->hostname);
    buffer_put_text(&text, smtp_is_lmtp(server) ? " LMTP " : " ESMTP ");
    if (verdict->text.len > 0)
        buffer_put(&text, slice_first(verdict->text, slice_find_byte(verdict->text, '\n')));
    else
        buffer_put_text(&text, "Facteur");
    smtp_put_line(server, 220, true, buffer_slice(&text));
    buffer_finish(&text);
}

/* Domain or address literal; RFC 6531 §3.3 lets the domain be UTF-8. */
static void
hello(struct smtp_server *server, struct slice argument, bool is_extended, struct instant now)
{
    struct cursor cursor = cursor_of(argument);
    enum envelope_domain_kind kind;
    struct slice name;

    if (!envelope_domain_take(&cursor, &kind, &name) || !cursor_is_done(&cursor)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Not a domain or address literal", now);
        return;
    }
    smtp_server_raise(server, SMTP_EVENT_HELLO);
    server->event.hello.name = smtp_server_keep(server, name);
    server->event.hello.is_extended = is_extended;
}

void
smtp_command_helo(struct smtp_server *server, struct slice argument, struct instant now)
{
    hello(server, argument, false, now);
}

void
smtp_command_ehlo(struct smtp_server *server, struct slice argument, struct instant now)
{
    hello(server, argument, true, now);
}

static void
put_keyword(struct smtp_server *server, const char *keyword)
{
    smtp_put_line(server, 250, false, slice_of_string(keyword));
}

static void
put_keyword_number(struct smtp_server *server, const char *keyword, uint64_t number)
{
    struct buffer line;

    buffer_init(&line, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&line, keyword);
    buffer_put_decimal(&line, number);
    smtp_put_line(server, 250, false, buffer_slice(&line));
    buffer_finish(&line);
}

/* RFC 4954 §3 */
static void
put_auth(struct smtp_server *server)
{
    struct buffer line;

    buffer_init(&line, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&line, "AUTH");
    smtp_auth_put_mechanisms(server, &line);
    smtp_put_line(server, 250, false, buffer_slice(&line));
    buffer_finish(&line);
}

/* RFC 9422 §3 */
static void
put_limits(struct smtp_server *server)
{
    struct buffer line;

    buffer_init(&line, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&line, "LIMITS MAILMAX=");
    buffer_put_decimal(&line, smtp_limit_transactions(server));
    buffer_put_text(&line, " RCPTMAX=");
    buffer_put_decimal(&line, smtp_limit_recipients(server));
    smtp_put_line(server, 250, false, buffer_slice(&line));
    buffer_finish(&line);
}

/* RFC 4865 §3 */
static void
put_hold(struct smtp_server *server)
{
    struct buffer line;

    buffer_init(&line, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&line, "FUTURERELEASE ");
    buffer_put_decimal(&line, server->hold_s_max);
    buffer_put_byte(&line, ' ');
    date_format_iso8601(server->hold_latest, 0, &line);
    smtp_put_line(server, 250, false, buffer_slice(&line));
    buffer_finish(&line);
}

static void
put_keywords(struct smtp_server *server)
{
    const struct smtp_server_options *options = server->options;
    unsigned offered = smtp_extensions_offered(server);

    if (!options->is_pipelining_off)
        put_keyword(server, "PIPELINING");
    put_keyword_number(server, "SIZE ", smtp_limit_message_bytes(server));
    put_keyword(server, "8BITMIME");
    put_keyword(server, "ENHANCEDSTATUSCODES");
    if (offered & ENVELOPE_SMTPUTF8)
        put_keyword(server, "SMTPUTF8");
    if (offered & ENVELOPE_DSN)
        put_keyword(server, "DSN");
    if (offered & ENVELOPE_BINARYMIME) {
        put_keyword(server, "CHUNKING");
        put_keyword(server, "BINARYMIME");
    }
    if (smtp_is_burl_offered(server)) /* RFC 4468 §3.1: without the argument, AUTH comes first */
        put_keyword(server, server->identity.len > 0 ? "BURL imap" : "BURL");
    if (smtp_is_starttls_offered(server))
        put_keyword(server, "STARTTLS");
    if (offered & ENVELOPE_AUTH)
        put_auth(server);
    if (offered & ENVELOPE_REQUIRETLS)
        put_keyword(server, "REQUIRETLS");
    if (offered & ENVELOPE_DELIVERBY)
        put_keyword(server, "DELIVERBY");
    if (offered & ENVELOPE_MT_PRIORITY)
        put_keyword(server, "MT-PRIORITY");
    if (offered & ENVELOPE_FUTURERELEASE)
        put_hold(server);
    put_limits(server);
    if (options->verify != SMTP_VERIFY_NOBODY)
        put_keyword(server, "VRFY");
    if (options->expand != SMTP_VERIFY_NOBODY)
        put_keyword(server, "EXPN");
    if (smtp_may_retry(server))
        put_keyword(server, "ETRN");
    if (options->offers_turn)
        put_keyword(server, "ATRN");
    if (smtp_may_ask_names(server))
        put_keyword(server, "XNAMES");
    if (options->is_obsolete_on && !smtp_is_lmtp(server)) {
        put_keyword(server, "SEND");
        put_keyword(server, "SOML");
        put_keyword(server, "SAML");
    }
    smtp_put_line(server, 250, true, SLICE("HELP"));
}

void
smtp_answered_hello(struct smtp_server *server, const struct smtp_verdict *verdict,
                    struct instant now)
{
    struct buffer text;
    bool is_extended = server->event.hello.is_extended;

    /* A refused greeting changes nothing (RFC 5321 §4.1.4). */
    if (verdict->code != 0 && verdict->code != 250) {
        smtp_say_verdict(server, verdict, (struct smtp_words){550, {5, 7, 1}, "Refused"}, now);
        return;
    }
    smtp_server_abort(server);
    server->has_hello = true;
    server->is_extended = is_extended;
    /* The identity lives in the same arena, and outlives the greeting. */
    struct slice identity = server->identity;
    struct arena fresh;
    arena_init(&fresh, SESSION_ARENA_MAX);
    server->helo = arena_copy(&fresh, buffer_slice(&server->kept));
    server->identity = arena_copy(&fresh, identity);
    arena_finish(&server->session);
    server->session = fresh;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX + 1);
    buffer_put(&text, server->options->hostname);
    buffer_put_text(&text, is_extended ? " greets " : " at your service, ");
    buffer_put(&text, server->helo);
    smtp_put_line(server, 250, !is_extended, buffer_slice(&text));
    buffer_finish(&text);
    if (is_extended)
        put_keywords(server);
}

void
smtp_server_offer_hold(struct smtp_server *server, uint32_t hold_s_max, struct wall latest)
{
    assert(server->options->service == SMTP_SERVICE_SUBMISSION);
    server->hold_s_max = hold_s_max;
    server->hold_latest = latest;
}
