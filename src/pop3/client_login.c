/* SPDX-License-Identifier: ISC */
/* The client engine from the banner to the login: RFC 1939 §4 and §7, RFC 2449 §5, RFC 2595 §4,
 * RFC 5034. */
#include "pop3/client_private.h"
#include "text/base64.h"
#include "tls/digest.h"

enum { COMMAND_MAX = 255 /* RFC 2449 §4: octets of a command, its end included */ };

/* ---- the banner ---------------------------------------------------------------------------- */

/* RFC 1939 §7: the timestamp is a message id. Others are taken for none: servers that choose it
 * freely can find secrets out by collisions of MD5. */
static void
take_timestamp(struct pop3_client *client, struct slice banner)
{
    size_t start = slice_find_byte(banner, '<');
    struct slice id = slice_skip(banner, start);
    size_t end = slice_find_byte(id, '>');
    size_t at = slice_find_byte(id, '@');

    if (end == id.len || at < 2 || at + 1 >= end)
        return;
    for (size_t i = 1; i < end; i++) {
        if (id.at[i] <= ' ' || id.at[i] >= 0x7F || id.at[i] == '<' || (id.at[i] == '@' && i != at))
            return;
    }
    buffer_clear(&client->timestamp);
    buffer_put(&client->timestamp, slice_first(id, end + 1));
    client->facts.has_timestamp = !buffer_overflowed(&client->timestamp);
}

static void
ask_capabilities(struct pop3_client *client)
{
    struct pop3_client_facts facts = {.has_timestamp = client->facts.has_timestamp};

    client->facts = facts;
    memset(client->has_mechanism, 0, sizeof(client->has_mechanism));
    client->awaits = AWAITS_CAPA;
    pop3_client_put_line(client, SLICE("CAPA"), NULL);
}

/* ---- the login ----------------------------------------------------------------------------- */

static bool
choose_mechanism(struct pop3_client *client)
{
    for (size_t i = 0; i < client->options.mechanisms_count; i++) {
        struct slice mechanism = client->options.mechanisms[i];
        bool needs_tls = slice_ends_with_nocase(mechanism, SLICE("-PLUS"));
        if (client->has_mechanism[i] && (client->is_secure || !needs_tls)) {
            client->mechanism = i;
            return true;
        }
    }
    return false;
}

static void
send_apop(struct pop3_client *client)
{
    struct slice pieces[] = {buffer_slice(&client->timestamp), client->options.password};
    uint8_t digest[TLS_MD5_SIZE];
    struct buffer line;

    tls_md5(pieces, COUNT_OF(pieces), digest);
    buffer_init(&line, POP3_CLIENT_LINE_MAX);
    buffer_put_text(&line, "APOP ");
    buffer_put(&line, client->options.name);
    buffer_put_byte(&line, ' ');
    buffer_put_hex(&line, slice_of(digest, sizeof(digest)));
    client->awaits = AWAITS_PASS;
    pop3_client_put_line(client, buffer_slice(&line), "APOP ****");
    buffer_finish(&line);
}

static void
send_user(struct pop3_client *client)
{
    struct buffer line;

    buffer_init(&line, POP3_CLIENT_LINE_MAX);
    buffer_put_text(&line, "USER ");
    buffer_put(&line, client->options.name);
    client->awaits = AWAITS_USER;
    pop3_client_put_line(client, buffer_slice(&line), NULL);
    buffer_finish(&line);
}

static void
send_pass(struct pop3_client *client)
{
    uint8_t line[5 + POP3_CLIENT_SECRET_MAX] = "PASS ";
    size_t len = client->options.password.len;

    memcpy(line + 5, client->options.password.at, len);
    client->awaits = AWAITS_PASS;
    pop3_client_put_line(client, slice_of(line, 5 + len), "PASS ****");
    explicit_bzero(line, sizeof(line));
}

/* QUIT is polite; its answer is not waited for. */
static void
end_login(struct pop3_client *client, enum pop3_client_close close, struct slice said)
{
    pop3_client_put_line(client, SLICE("QUIT"), NULL);
    pop3_client_end(client, close, said);
}

static void
log_in(struct pop3_client *client)
{
    bool may_tell = client->is_secure || client->options.allows_clear_password;

    if (may_tell && choose_mechanism(client)) {
        client->event.mechanism = client->options.mechanisms[client->mechanism];
        client->awaits = AWAITS_CALLER;
        pop3_client_raise(client, POP3_CLIENT_EVENT_AUTH);
    } else if (client->facts.has_timestamp && !client->is_secure) {
        send_apop(client);
    } else if (may_tell && (client->facts.has_user || !client->facts.has_capabilities)) {
        send_user(client);
    } else if (client->facts.has_timestamp) {
        send_apop(client);
    } else {
        end_login(client, may_tell ? POP3_CLIENT_CLOSE_METHOD : POP3_CLIENT_CLOSE_INSECURE,
                  SLICE("there is no way to log in"));
    }
}

static void
begin_tls_or_log_in(struct pop3_client *client)
{
    if (client->is_secure || client->options.tls == POP3_CLIENT_TLS_NEVER) {
        log_in(client);
    } else if (client->facts.has_stls) {
        client->awaits = AWAITS_STLS;
        pop3_client_put_line(client, SLICE("STLS"), NULL);
    } else if (client->options.tls == POP3_CLIENT_TLS_OFFERED) {
        log_in(client);
    } else {
        end_login(client, POP3_CLIENT_CLOSE_INSECURE, SLICE("the server does not offer TLS"));
    }
}

void
pop3_client_tls_started(struct pop3_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_TLS);
    client->is_secure = true;
    client->reply_due = instant_after(now, duration_ms(client->options.reply_ms));
    ask_capabilities(client);
}

/* ---- capabilities -------------------------------------------------------------------------- */

/* RFC 5034 §3: "SASL" and the names of mechanisms. */
static void
take_mechanisms(struct pop3_client *client, struct slice names)
{
    while (names.len > 0) {
        size_t space = slice_find_byte(names, ' ');
        struct slice name = slice_first(names, space);
        for (size_t i = 0; i < client->options.mechanisms_count; i++) {
            if (slice_equal_nocase(name, client->options.mechanisms[i]))
                client->has_mechanism[i] = true;
        }
        names = slice_skip(names, space + 1);
    }
}

static void
take_capability(struct pop3_client *client, struct slice line)
{
    struct pop3_client_facts *facts = &client->facts;
    size_t space = slice_find_byte(line, ' ');
    struct slice name = slice_first(line, space);
    const struct {
        struct slice name;
        bool *fact;
    } known[] = {
        {SLICE("PIPELINING"), &facts->has_pipelining},
        {SLICE("TOP"), &facts->has_top},
        {SLICE("UIDL"), &facts->has_uidl},
        {SLICE("STLS"), &facts->has_stls},
        {SLICE("USER"), &facts->has_user},
        {SLICE("RESP-CODES"), &facts->has_response_codes},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_equal_nocase(name, known[i].name))
            *known[i].fact = true;
    }
    if (slice_equal_nocase(name, SLICE("SASL")))
        take_mechanisms(client, slice_skip(line, space + 1));
}

static void
on_capability(struct pop3_client *client, struct slice line)
{
    if (slice_equal(line, SLICE("."))) {
        begin_tls_or_log_in(client);
        return;
    }
    if (++client->count > POP3_CLIENT_CAPABILITIES_MAX)
        pop3_client_end_protocol(client, "too many capabilities");
    else
        take_capability(client, line);
}

/* ---- SASL ---------------------------------------------------------------------------------- */

static void
put_response(struct pop3_client *client)
{
    struct buffer line;

    buffer_init(&line, 2 * POP3_CLIENT_RESPONSE_MAX);
    base64_format(buffer_slice(&client->response), &line);
    pop3_client_put_line(client, buffer_slice(&line), "****");
    buffer_wipe(&line);
    client->has_initial = false;
    client->awaits = AWAITS_SASL;
}

/* RFC 5034 §4: the initial response travels with the command when the line is not too long for
 * it, "=" stands for an empty one. */
static void
put_auth(struct pop3_client *client)
{
    struct buffer line;

    buffer_init(&line, 2 * POP3_CLIENT_RESPONSE_MAX + POP3_CLIENT_LINE_MAX);
    buffer_put_text(&line, "AUTH ");
    buffer_put(&line, client->options.mechanisms[client->mechanism]);
    size_t len = buffer_len(&line);
    buffer_put_byte(&line, ' ');
    if (buffer_len(&client->response) == 0)
        buffer_put_byte(&line, '=');
    base64_format(buffer_slice(&client->response), &line);
    client->has_initial = buffer_len(&line) + 2 > COMMAND_MAX;
    pop3_client_put_line(
        client, client->has_initial ? slice_first(buffer_slice(&line), len) : buffer_slice(&line),
        "AUTH ****");
    buffer_wipe(&line);
    client->awaits = AWAITS_SASL;
}

void
pop3_client_respond(struct pop3_client *client, struct slice response, struct instant now)
{
    bool is_first = client->event.kind == POP3_CLIENT_EVENT_AUTH;

    assert(client->awaits == AWAITS_CALLER && !client->has_event);
    assert(response.len <= POP3_CLIENT_RESPONSE_MAX);
    buffer_clear(&client->response);
    buffer_put(&client->response, response);
    client->reply_due = instant_after(now, duration_ms(client->options.reply_ms));
    if (is_first)
        put_auth(client);
    else
        put_response(client);
}

void
pop3_client_give_up(struct pop3_client *client, struct instant now)
{
    assert(client->awaits == AWAITS_CALLER && !client->has_event);
    client->reply_due = instant_after(now, duration_ms(client->options.reply_ms));
    if (client->event.kind == POP3_CLIENT_EVENT_AUTH) {
        end_login(client, POP3_CLIENT_CLOSE_METHOD, SLICE("the login was given up"));
        return;
    }
    client->awaits = AWAITS_CANCEL;
    pop3_client_put_line(client, SLICE("*"), NULL);
}

static void
on_challenge(struct pop3_client *client, struct slice text)
{
    if (client->has_initial) {
        put_response(client);
        return;
    }
    buffer_clear(&client->scratch);
    if (!base64_parse(slice_trim(text), &client->scratch)) {
        pop3_client_end_protocol(client, "a challenge is not base64");
        return;
    }
    client->event.bytes = buffer_slice(&client->scratch);
    client->awaits = AWAITS_CALLER;
    pop3_client_raise(client, POP3_CLIENT_EVENT_CHALLENGE);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
on_granted(struct pop3_client *client)
{
    client->awaits = AWAITS_IDLE;
    pop3_client_enter(client, POP3_CLIENT_TRANSACTION);
    client->event = (struct pop3_client_event){.is_ok = true};
    pop3_client_raise(client, POP3_CLIENT_EVENT_LOGGED_IN);
}

/* An answer +OK, and what comes after it. */
static void
go_on(struct pop3_client *client, struct slice line)
{
    if (client->awaits == AWAITS_BANNER) {
        take_timestamp(client, line);
        pop3_client_enter(client, POP3_CLIENT_AUTHENTICATION);
        ask_capabilities(client);
    } else if (client->awaits == AWAITS_CAPA) {
        client->facts.has_capabilities = true;
        client->count = 0;
        client->awaits = AWAITS_CAPA_LIST;
    } else if (client->awaits == AWAITS_STLS) {
        client->awaits = AWAITS_TLS;
        pop3_client_raise(client, POP3_CLIENT_EVENT_STARTTLS);
    } else if (client->awaits == AWAITS_USER) {
        send_pass(client);
    } else if (client->awaits == AWAITS_CANCEL) {
        pop3_client_end_protocol(client, "the server agrees to what was taken back");
    } else {
        on_granted(client);
    }
}

static void
on_refusal(struct pop3_client *client, struct slice line)
{
    if (client->awaits == AWAITS_CAPA)
        begin_tls_or_log_in(client); /* older than RFC 2449 */
    else if (client->awaits == AWAITS_BANNER)
        pop3_client_end(client, POP3_CLIENT_CLOSE_REFUSED, line);
    else if (client->awaits == AWAITS_CANCEL)
        end_login(client, POP3_CLIENT_CLOSE_METHOD, SLICE("the login was given up"));
    else
        end_login(client, POP3_CLIENT_CLOSE_REFUSED, line);
}

void
pop3_client_on_login_line(struct pop3_client *client, struct slice line)
{
    struct pop3_client_event status = {0};

    if (client->awaits == AWAITS_CAPA_LIST) {
        on_capability(client, line);
    } else if (client->awaits == AWAITS_SASL &&
               (slice_starts_with(line, SLICE("+ ")) || slice_equal(line, SLICE("+")))) {
        on_challenge(client, slice_skip(line, 2));
    } else if (!pop3_client_parse_status(line, &status)) {
        pop3_client_end_protocol(client, "an answer is neither +OK nor -ERR");
    } else if (status.is_ok) {
        go_on(client, line);
    } else {
        on_refusal(client, line);
    }
}
