/* SPDX-License-Identifier: ISC */
/* STARTTLS (RFC 3207) and AUTH (RFC 4954): base64 and order are known here, mechanisms are not. */
#include "smtp/server_private.h"

#include "text/base64.h"

struct mechanism {
    struct slice name;
    unsigned bit;
    bool needs_tls;
    bool needs_binding;
    bool needs_certificate;
};

static const struct mechanism mechanisms[] = {
    {SLICE("SCRAM-SHA-256-PLUS"), SMTP_AUTH_SCRAM_SHA_256_PLUS, true, true, false},
    {SLICE("SCRAM-SHA-256"), SMTP_AUTH_SCRAM_SHA_256, false, false, false},
    {SLICE("SCRAM-SHA-1-PLUS"), SMTP_AUTH_SCRAM_SHA_1_PLUS, true, true, false},
    {SLICE("SCRAM-SHA-1"), SMTP_AUTH_SCRAM_SHA_1, false, false, false},
    {SLICE("PLAIN"), SMTP_AUTH_PLAIN, false, false, false},
    {SLICE("LOGIN"), SMTP_AUTH_LOGIN, false, false, false},
    {SLICE("OAUTHBEARER"), SMTP_AUTH_OAUTHBEARER, false, false, false},
    {SLICE("XOAUTH2"), SMTP_AUTH_XOAUTH2, false, false, false},
    {SLICE("EXTERNAL"), SMTP_AUTH_EXTERNAL, true, false, true},
};

void
smtp_command_starttls(struct smtp_server *server, struct slice argument, struct instant now)
{
    (void)argument;
    if (server->is_secure)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "TLS is on already", now);
    else if (!server->options->has_tls)
        smtp_command_off(server, argument, now);
    else
        smtp_server_raise(server, SMTP_EVENT_STARTTLS);
}

void
smtp_answered_starttls(struct smtp_server *server, const struct smtp_verdict *verdict,
                       struct instant now)
{
    if (verdict->code != 0 && verdict->code != 220) {
        smtp_say_verdict(server, verdict, (struct smtp_words){454, {4, 7, 0}, ""}, now);
        return;
    }
    smtp_say(server, 220, ENVELOPE_STATUS(2, 0, 0), "Ready to start TLS", now);
    server->state = STATE_TLS;
}

/* Passwords in the clear only where nobody can listen. */
static bool
is_usable(const struct smtp_server *server, const struct mechanism *mechanism)
{
    bool may_be_clear = server->peer.is_loopback && server->options->allows_auth_on_loopback;

    return (server->options->mechanisms & mechanism->bit) &&
           (server->is_secure || (may_be_clear && !mechanism->needs_tls)) &&
           (!mechanism->needs_binding || server->peer.has_channel_binding) &&
           (!mechanism->needs_certificate || server->peer.has_certificate);
}

bool
smtp_auth_is_offered(const struct smtp_server *server)
{
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (is_usable(server, &mechanisms[i]))
            return true;
    }
    return false;
}

void
smtp_auth_put_mechanisms(const struct smtp_server *server, struct buffer *buffer)
{
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (!is_usable(server, &mechanisms[i]))
            continue;
        buffer_put_byte(buffer, ' ');
        buffer_put(buffer, mechanisms[i].name);
    }
}

static const struct mechanism *
find_mechanism(const struct smtp_server *server, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (slice_equal_nocase(name, mechanisms[i].name) && is_usable(server, &mechanisms[i]))
            return &mechanisms[i];
    }
    return NULL;
}

/* Whether AUTH can be at all now; RFC 4954 §4. */
static bool
refuse_auth(struct smtp_server *server, struct instant now)
{
    if (server->identity.len > 0)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Authenticated already", now);
    else if (smtp_auth_is_offered(server))
        return false;
    else if (server->options->mechanisms != 0 && smtp_is_starttls_offered(server))
        smtp_say(server, 538, ENVELOPE_STATUS(5, 7, 11), "", now);
    else
        smtp_command_off(server, SLICE(""), now);
    return true;
}

/* Decodes into server->kept; "=" is an empty response (RFC 4954 §4). */
static bool
decode(struct smtp_server *server, struct slice text)
{
    buffer_clear(&server->kept);
    return slice_equal(text, SLICE("=")) || base64_parse(text, &server->kept);
}

void
smtp_command_auth(struct smtp_server *server, struct slice argument, struct instant now)
{
    size_t len = slice_find_byte(argument, ' ');
    struct slice initial = slice_trim(slice_skip(argument, len));

    if (refuse_auth(server, now))
        return;
    const struct mechanism *mechanism = find_mechanism(server, slice_first(argument, len));
    if (!mechanism) {
        smtp_say(server, 504, ENVELOPE_STATUS(5, 5, 4), "Mechanism not available", now);
        return;
    }
    if (!decode(server, initial)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 2), "Not base64", now);
        return;
    }
    smtp_server_raise(server, SMTP_EVENT_AUTH_BEGIN);
    server->event.auth.mechanism = (const char *)mechanism->name.at;
    server->event.auth.has_response = initial.len > 0;
    server->event.auth.response = buffer_slice(&server->kept);
}

/* The exchange ends without a result; who was asked is told. */
static void
give_up(struct smtp_server *server, unsigned code, struct envelope_status status, const char *text,
        struct instant now)
{
    server->state = STATE_COMMAND;
    server->has_exchange = false;
    server->has_auth_abort = true;
    smtp_say(server, code, status, text, now);
}

void
smtp_auth_line_long(struct smtp_server *server, struct instant now)
{
    give_up(server, 500, ENVELOPE_STATUS(5, 5, 6), "Authentication exchange line is too long", now);
}

static void
grant(struct smtp_server *server, struct slice identity, struct instant now)
{
    server->state = STATE_COMMAND;
    server->has_exchange = false;
    server->identity = identity;
    server->auth_failures = 0;
    smtp_say(server, 235, ENVELOPE_STATUS(2, 7, 0), "", now);
}

void
smtp_auth_response(struct smtp_server *server, struct slice line, struct instant now)
{
    if (slice_equal(line, SLICE("*"))) {
        give_up(server, 501, ENVELOPE_STATUS(5, 7, 0), "Authentication cancelled", now);
    } else if (!decode(server, line)) {
        give_up(server, 501, ENVELOPE_STATUS(5, 5, 2), "Not base64", now);
    } else if (server->state == STATE_SASL) {
        smtp_server_raise(server, SMTP_EVENT_AUTH_STEP);
        server->event.auth.has_response = true;
        server->event.auth.response = buffer_slice(&server->kept);
    } else if (buffer_len(&server->kept) > 0) {
        give_up(server, 501, ENVELOPE_STATUS(5, 5, 2), "Nothing more was asked", now);
    } else {
        grant(server, server->identity_pending, now);
    }
}

static void
put_challenge(struct smtp_server *server, struct slice challenge)
{
    assert(challenge.len <= CHALLENGE_MAX);
    buffer_put_text(&server->output, "334 ");
    base64_format(challenge, &server->output);
    buffer_put_text(&server->output, "\r\n");
    server->has_exchange = true;
}

void
smtp_server_challenge(struct smtp_server *server, struct slice challenge, struct instant now)
{
    assert(server->is_asking &&
           (server->question == SMTP_EVENT_AUTH_BEGIN || server->question == SMTP_EVENT_AUTH_STEP));
    server->challenge = challenge;
    smtp_server_answer(server, &(struct smtp_verdict){.code = 334}, now);
}

static void
refuse(struct smtp_server *server, const struct smtp_verdict *verdict, struct instant now)
{
    server->state = STATE_COMMAND;
    server->has_exchange = false;
    if (verdict->code >= 500)
        server->auth_failures++;
    smtp_say_verdict(server, verdict, (struct smtp_words){535, {5, 7, 8}, ""}, now);
    if (server->state != STATE_CLOSED && server->auth_failures >= smtp_limit_auth_failures(server))
        smtp_say_goodbye(server, ENVELOPE_STATUS(4, 7, 0), "Too many failed authentications",
                         SMTP_CLOSE_ERRORS, now);
}

void
smtp_answered_auth(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    if (verdict->code == 334) {
        put_challenge(server, server->challenge);
        server->state = STATE_SASL;
        return;
    }
    if (verdict->code != 0 && verdict->code != 235) {
        refuse(server, verdict, now);
        return;
    }
    assert(verdict->identity.len > 0);
    struct slice identity = arena_copy(&server->session, verdict->identity);
    if (arena_failed(&server->session)) {
        refuse(server, &(struct smtp_verdict){.code = 454}, now);
    } else if (verdict->last_challenge.len > 0) {
        put_challenge(server, verdict->last_challenge);
        server->identity_pending = identity;
        server->state = STATE_SASL_LAST;
    } else {
        grant(server, identity, now);
    }
}

bool
smtp_line_is_secret(struct slice line)
{
    return slice_starts_with_nocase(line, SLICE("AUTH "));
}
