/* SPDX-License-Identifier: ISC */
/* The client engine from the greeting to the login: RFC 9051 §6.1.1, §6.2, §7.1.4, §11.1. */
#include "imap/client_private.h"
#include "text/base64.h"

static void
ask_capability(struct imap_client *client, enum imap_client_awaits awaits)
{
    client->has_facts = false;
    client->awaits = awaits;
    imap_client_begin_command(client, "CAPABILITY");
    imap_client_send_command(client, NULL);
}

static bool
choose_mechanism(struct imap_client *client)
{
    for (size_t i = 0; i < client->options.mechanisms_count; i++) {
        bool needs_tls = slice_ends_with_nocase(client->options.mechanisms[i], SLICE("-PLUS"));
        if (client->has_mechanism[i] && (client->is_secure || !needs_tls)) {
            client->mechanism = i;
            return true;
        }
    }
    return false;
}

/* LOGOUT is polite; its answer is not waited for. */
static void
end_login(struct imap_client *client, enum imap_client_close close, struct slice code,
          struct slice text)
{
    imap_client_begin_command(client, "LOGOUT");
    imap_client_send_command(client, NULL);
    imap_client_end(client, close, code, text);
}

static void
send_login(struct imap_client *client)
{
    client->awaits = AWAITS_LOGIN;
    imap_client_begin_command(client, "LOGIN ");
    imap_client_put_string(client, client->options.name);
    buffer_put_byte(&client->command, ' ');
    imap_client_put_string(client, client->options.password);
    imap_client_send_command(client, "LOGIN ****");
}

static void
log_in(struct imap_client *client)
{
    bool may_tell = client->is_secure || client->options.allows_clear_password;

    if (may_tell && choose_mechanism(client)) {
        client->event.mechanism = client->options.mechanisms[client->mechanism];
        client->awaits = AWAITS_CALLER;
        imap_client_raise(client, IMAP_CLIENT_EVENT_AUTH);
    } else if (may_tell && !client->facts.has_login_disabled) {
        send_login(client);
    } else {
        end_login(client, may_tell ? IMAP_CLIENT_CLOSE_METHOD : IMAP_CLIENT_CLOSE_INSECURE,
                  SLICE(""), SLICE("there is no way to log in"));
    }
}

static void
begin_tls_or_log_in(struct imap_client *client)
{
    if (client->is_secure || client->options.tls == IMAP_CLIENT_TLS_NEVER) {
        log_in(client);
    } else if (client->facts.has_starttls) {
        client->awaits = AWAITS_STARTTLS;
        imap_client_begin_command(client, "STARTTLS");
        imap_client_send_command(client, NULL);
    } else if (client->options.tls == IMAP_CLIENT_TLS_OFFERED) {
        log_in(client);
    } else {
        end_login(client, IMAP_CLIENT_CLOSE_INSECURE, SLICE(""),
                  SLICE("the server does not offer TLS"));
    }
}

void
imap_client_tls_started(struct imap_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_TLS);
    client->is_secure = true;
    imap_client_wait_for_server(client, now);
    ask_capability(client, AWAITS_CAPABILITY);
}

/* ---- SASL ---------------------------------------------------------------------------------- */

static void
put_response(struct imap_client *client)
{
    struct buffer line;

    buffer_init(&line, 2 * IMAP_CLIENT_SASL_MAX);
    base64_format(buffer_slice(&client->sasl), &line);
    imap_client_trace(client, "C: ", SLICE("****"));
    buffer_put(&client->output, buffer_slice(&line));
    buffer_put_text(&client->output, "\r\n");
    buffer_wipe(&line);
    client->has_initial = false;
    client->awaits = AWAITS_SASL;
}

/* RFC 4959 §3: the initial response travels with the command where the server has SASL-IR, "="
 * stands for an empty one. */
static void
put_authenticate(struct imap_client *client)
{
    imap_client_begin_command(client, "AUTHENTICATE ");
    buffer_put(&client->command, client->options.mechanisms[client->mechanism]);
    client->has_initial = !client->facts.has_sasl_ir;
    if (!client->has_initial) {
        buffer_put_byte(&client->command, ' ');
        if (buffer_len(&client->sasl) == 0)
            buffer_put_byte(&client->command, '=');
        base64_format(buffer_slice(&client->sasl), &client->command);
    }
    imap_client_send_command(client, "AUTHENTICATE ****");
    client->awaits = AWAITS_SASL;
}

void
imap_client_respond(struct imap_client *client, struct slice response, struct instant now)
{
    assert(client->awaits == AWAITS_CALLER && !client->has_event);
    assert(response.len <= IMAP_CLIENT_SASL_MAX);
    buffer_clear(&client->sasl);
    buffer_put(&client->sasl, response);
    imap_client_wait_for_server(client, now);
    if (client->event.kind == IMAP_CLIENT_EVENT_AUTH)
        put_authenticate(client);
    else
        put_response(client);
}

void
imap_client_give_up(struct imap_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_CALLER && !client->has_event);
    imap_client_wait_for_server(client, now);
    if (client->event.kind == IMAP_CLIENT_EVENT_AUTH) {
        end_login(client, IMAP_CLIENT_CLOSE_METHOD, SLICE(""), SLICE("the login was given up"));
        return;
    }
    client->awaits = AWAITS_CANCEL;
    imap_client_trace(client, "C: ", SLICE("*"));
    buffer_put_text(&client->output, "*\r\n");
}

void
imap_client_on_challenge(struct imap_client *client, struct slice text)
{
    if (client->has_initial) {
        put_response(client);
        return;
    }
    buffer_clear(&client->sasl);
    if (!base64_parse(slice_trim(text), &client->sasl)) {
        imap_client_end_protocol(client, "a challenge is not base64");
        return;
    }
    client->event.bytes = buffer_slice(&client->sasl);
    client->awaits = AWAITS_CALLER;
    imap_client_raise(client, IMAP_CLIENT_EVENT_CHALLENGE);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
on_facts(struct imap_client *client)
{
    imap_client_enter(client, IMAP_CLIENT_AUTHENTICATED);
    client->awaits = AWAITS_READY;
    imap_client_raise(client, IMAP_CLIENT_EVENT_LOGGED_IN);
}

/* RFC 9051 §6.2.2: what the server could do before the login may not be all. */
static void
on_granted(struct imap_client *client)
{
    buffer_wipe(&client->sasl);
    buffer_wipe(&client->command);
    if (client->has_facts)
        on_facts(client);
    else
        ask_capability(client, AWAITS_FACTS);
}

static void
on_greeting(struct imap_client *client, const struct imap_client_said_status *status)
{
    /* RFC 9051 §11.1: whoever says PREAUTH on the way in the clear keeps TLS away. */
    bool is_granted = status->word == WORD_PREAUTH;
    bool needs_tls = !client->is_secure && client->options.tls == IMAP_CLIENT_TLS_REQUIRED;

    if (status->word != WORD_OK && !is_granted) {
        imap_client_end(client, IMAP_CLIENT_CLOSE_REFUSED, status->code, status->text);
        return;
    }
    imap_client_enter(client, IMAP_CLIENT_AUTHENTICATION);
    imap_client_take_code(client, status->code);
    if (is_granted && needs_tls)
        end_login(client, IMAP_CLIENT_CLOSE_INSECURE, SLICE(""),
                  SLICE("the server skips the login before TLS"));
    else if (is_granted)
        on_granted(client);
    else if (client->has_facts)
        begin_tls_or_log_in(client);
    else
        ask_capability(client, AWAITS_CAPABILITY);
}

/* A tagged OK, and what comes after it. */
static void
go_on(struct imap_client *client, const struct imap_client_said_status *status)
{
    bool is_login = client->awaits == AWAITS_SASL || client->awaits == AWAITS_LOGIN;

    if (is_login)
        client->has_facts = false; /* untagged ones before it may be of before the login */
    imap_client_take_code(client, status->code);
    if (!client->is_synced || (client->awaits == AWAITS_SASL && client->has_initial)) {
        imap_client_end_protocol(client, "the server agrees to what it has not heard");
    } else if (client->awaits == AWAITS_CAPABILITY && client->has_facts) {
        begin_tls_or_log_in(client);
    } else if (client->awaits == AWAITS_FACTS && client->has_facts) {
        on_facts(client);
    } else if (client->awaits == AWAITS_STARTTLS) {
        client->has_facts = false;
        client->awaits = AWAITS_TLS;
        imap_client_raise(client, IMAP_CLIENT_EVENT_STARTTLS);
    } else if (is_login) {
        on_granted(client);
    } else {
        imap_client_end_protocol(client, "an answer is not to what was asked");
    }
}

static void
on_refusal(struct imap_client *client, const struct imap_client_said_status *status)
{
    if (client->awaits == AWAITS_CANCEL)
        end_login(client, IMAP_CLIENT_CLOSE_METHOD, SLICE(""), SLICE("the login was given up"));
    else
        end_login(client, IMAP_CLIENT_CLOSE_REFUSED, status->code, status->text);
}

void
imap_client_on_login_status(struct imap_client *client, bool is_tagged,
                            const struct imap_client_said_status *status)
{
    if (client->awaits == AWAITS_GREETING && !is_tagged)
        on_greeting(client, status);
    else if (!is_tagged)
        imap_client_take_code(client, status->code);
    else if (status->word == WORD_OK)
        go_on(client, status);
    else
        on_refusal(client, status);
}
