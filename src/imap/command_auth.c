/* SPDX-License-Identifier: ISC */
/* STARTTLS, AUTHENTICATE, LOGIN, UNAUTHENTICATE (RFC 9051 §6.2, RFC 4959, RFC 8437). */
#include "imap/server_private.h"

#include "text/base64.h"

#include <stdlib.h>

enum { FAILURE_DELAY_MAX_MS = 60 * 1000 };

static bool
may_send_password(struct imap_server *server)
{
    return server->is_secure || server->options.allows_clear_password;
}

/* ---- STARTTLS -------------------------------------------------------------------------------- */

static bool
start_tls(struct imap_server *server)
{
    buffer_put(&server->output, slice_of(server->tag, server->tag_len));
    buffer_put_text(&server->output, " OK begin now\r\n");
    server->is_running = false;
    server->more = NULL;
    server->expects = IMAP_LINE_AFTER_TLS;
    buffer_finish(&server->command);
    server->line_start = 0;
    server->event = (struct imap_event){0};
    imap_raise(server, IMAP_EVENT_STARTTLS);
    return false;
}

void
imap_command_starttls(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor))
        imap_bad(server, "STARTTLS takes no arguments");
    else if (server->is_secure)
        imap_bad(server, "TLS is there already");
    else if (!server->options.is_tls_available)
        imap_bad(server, "TLS is not available");
    else
        server->more = start_tls;
}

void
imap_server_tls_started(struct imap_server *server, struct instant now)
{
    (void)now;
    server->is_secure = true;
    server->expects = IMAP_LINE_COMMAND;
}

/* ---- SASL ------------------------------------------------------------------------------------ */

static void
ask_auth(struct imap_server *server, enum imap_event_kind kind, bool has_initial)
{
    server->event = (struct imap_event){
        .mechanism = slice_of_string(server->mechanism),
        .has_initial = has_initial,
        .response = buffer_slice(&server->scratch),
    };
    server->is_auth_open = true;
    imap_raise(server, kind);
}

bool
imap_is_clear(struct slice mechanism)
{
    struct slice first = slice_first(mechanism, 6);

    return !slice_equal_nocase(first, SLICE("SCRAM-"));
}

bool
imap_may_offer(const struct imap_server *server, struct slice mechanism)
{
    if (slice_equal_nocase(mechanism, SLICE("EXTERNAL")))
        return server->has_certificate;
    return server->is_secure || !slice_ends_with_nocase(mechanism, SLICE("-PLUS"));
}

/* True when the mechanism is offered as things are. */
static bool
keep_mechanism(struct imap_server *server, struct slice name)
{
    for (size_t i = 0; i < server->options.mechanisms_count; i++) {
        struct slice known = server->options.mechanisms[i];
        if (!slice_equal_nocase(known, name) || known.len >= sizeof(server->mechanism) ||
            !imap_may_offer(server, known))
            continue;
        memcpy(server->mechanism, known.at, known.len);
        server->mechanism[known.len] = 0;
        return true;
    }
    return false;
}

/* initial-resp = base64 / "=" */
static bool
take_response(struct imap_server *server, struct slice text)
{
    buffer_clear(&server->scratch);
    return slice_equal(text, SLICE("=")) || base64_parse(text, &server->scratch);
}

void
imap_command_authenticate(struct imap_server *server, struct cursor *cursor)
{
    struct slice name, initial = slice_of("", 0);

    if (!imap_take_space(cursor) || !imap_take_atom(cursor, &name)) {
        imap_bad(server, "expected: AUTHENTICATE mechanism");
        return;
    }
    bool has_initial = imap_take_space(cursor);
    if (has_initial) {
        struct slice rest = cursor_rest(cursor);
        initial = slice_trim(rest);
        cursor->at += rest.len;
    }
    if (!has_initial && !imap_take_end(cursor)) {
        imap_bad(server, "expected: AUTHENTICATE mechanism");
        return;
    }
    if (!keep_mechanism(server, name)) {
        imap_end(server, IMAP_NO, "[CANNOT] no such mechanism");
        return;
    }
    if (imap_is_clear(name) && !may_send_password(server)) {
        imap_end(server, IMAP_NO, "[PRIVACYREQUIRED] begin TLS first");
        return;
    }
    if (has_initial && !take_response(server, initial)) {
        imap_bad(server, "the initial response is no base64");
        return;
    }
    if (!has_initial)
        buffer_clear(&server->scratch);
    server->is_auth_via_login = false;
    ask_auth(server, IMAP_EVENT_AUTH_BEGIN, has_initial);
}

/* As PLAIN (RFC 4616 §2): authorisation identity, name, password. */
void
imap_command_login(struct imap_server *server, struct cursor *cursor)
{
    struct slice name, password;

    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &name) ||
        !imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &password) ||
        !imap_take_end(cursor)) {
        imap_bad(server, "expected: LOGIN name password");
        return;
    }
    if (!may_send_password(server)) {
        imap_end(server, IMAP_NO, "[PRIVACYREQUIRED] begin TLS first");
        return;
    }
    buffer_clear(&server->scratch);
    buffer_put_byte(&server->scratch, 0);
    buffer_put(&server->scratch, name);
    buffer_put_byte(&server->scratch, 0);
    buffer_put(&server->scratch, password);
    memcpy(server->mechanism, "PLAIN", sizeof("PLAIN"));
    server->is_auth_via_login = true;
    ask_auth(server, IMAP_EVENT_AUTH_BEGIN, true);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void
put_challenge(struct imap_server *server, struct slice challenge)
{
    buffer_put_text(&server->output, "+ ");
    base64_format(challenge, &server->output);
    buffer_put_text(&server->output, "\r\n");
    server->expects = IMAP_LINE_RESPONSE;
    server->is_running = false;
    buffer_wipe(&server->command);
    server->line_start = 0;
}

static bool
log_in(struct imap_server *server)
{
    struct buffer *out = &server->output;

    server->state = IMAP_AUTHENTICATED;
    buffer_put(out, slice_of(server->tag, server->tag_len));
    buffer_put_text(out, " OK [");
    imap_put_capabilities(server);
    buffer_put_text(out, "] welcome\r\n");
    buffer_wipe(&server->scratch);
    buffer_wipe(&server->command);
    arena_wipe(&server->arena);
    server->line_start = 0;
    server->is_running = false;
    server->more = NULL;
    server->expects = IMAP_LINE_COMMAND;
    imap_touch(server, server->fed_at); /* no longer in a stranger's time */
    return false;
}

/* What the mechanism says last comes as a challenge that wants an empty response. */
static void
accept(struct imap_server *server, const struct imap_answer *answer)
{
    server->account = answer->account;
    if (answer->challenge.len > 0) {
        put_challenge(server, answer->challenge);
        return;
    }
    server->is_running = true;
    server->more = log_in;
}

static void
refuse(struct imap_server *server, const struct imap_answer *answer, struct instant now)
{
    static const char *const texts[] = {
        [IMAP_ANSWER_CREDENTIALS] = "[AUTHENTICATIONFAILED] name or password is wrong",
        [IMAP_ANSWER_MECHANISM] = "[CANNOT] no such mechanism",
        [IMAP_ANSWER_MALFORMED] = "that is not how this mechanism goes",
        [IMAP_ANSWER_WEAK] = "[PRIVACYREQUIRED] begin TLS first",
        [IMAP_ANSWER_LIMIT] = "[LIMIT] too many sessions of this account", /* RFC 5530 */
        [IMAP_ANSWER_TEMPORARY] = "[UNAVAILABLE] not now, try again later",
    };

    server->expects = IMAP_LINE_COMMAND;
    server->account = 0;
    if (answer->delay_ms > 0) {
        uint32_t ms =
            answer->delay_ms < FAILURE_DELAY_MAX_MS ? answer->delay_ms : FAILURE_DELAY_MAX_MS;
        server->is_held = true;
        server->held_until = instant_after(now, duration_ms(ms));
    }
    if (answer->kind == IMAP_ANSWER_CREDENTIALS && ++server->failures >= IMAP_FAILURES_MAX)
        server->errors = IMAP_ERRORS_MAX;
    if (answer->kind == IMAP_ANSWER_MALFORMED)
        imap_bad(server, texts[answer->kind]);
    else
        imap_end(server, IMAP_NO, texts[answer->kind]);
}

void
imap_server_answer(struct imap_server *server, const struct imap_answer *answer, struct instant now)
{
    if (!server->is_auth_open)
        return;
    server->is_auth_open = false;
    server->fed_at = now;
    if (answer->kind == IMAP_ANSWER_OK)
        accept(server, answer);
    else if (answer->kind == IMAP_ANSWER_CHALLENGE && !server->is_auth_via_login)
        put_challenge(server, answer->challenge);
    else if (answer->kind == IMAP_ANSWER_CHALLENGE)
        refuse(server, &(struct imap_answer){.kind = IMAP_ANSWER_TEMPORARY}, now);
    else
        refuse(server, answer, now);
}

void
imap_auth_give_up(struct imap_server *server)
{
    server->event = (struct imap_event){0};
    imap_raise(server, server->account ? IMAP_EVENT_LOGGED_OUT : IMAP_EVENT_AUTH_ABORT);
    server->account = 0;
}

/* A line behind a challenge: base64, or "*" to give up. */
void
imap_auth_response(struct imap_server *server, struct slice line, struct instant now)
{
    struct slice text = slice_trim(line);
    bool is_given_up = slice_equal(text, SLICE("*"));

    (void)now;
    server->expects = IMAP_LINE_COMMAND;
    if (is_given_up || !take_response(server, text)) {
        imap_auth_give_up(server);
        imap_bad(server, is_given_up ? "given up, as you wish" : "that is no base64");
        return;
    }
    server->is_running = true;
    if (server->account) /* the last word of the mechanism was heard */
        server->more = log_in;
    else
        ask_auth(server, IMAP_EVENT_AUTH_STEP, false);
}

/* ---- UNAUTHENTICATE (RFC 8437) --------------------------------------------------------------- */

static bool
log_out(struct imap_server *server)
{
    imap_deselect(server);
    imap_notify_close(&server->notify);
    server->state = IMAP_NOT_AUTHENTICATED;
    server->stranger_ends = instant_after(server->fed_at, duration_ms(IMAP_STRANGER_MS));
    imap_touch(server, server->fed_at);
    server->enabled = 0;
    server->account = 0;
    free((void *)(uintptr_t)server->saved.at);
    server->saved = (struct imap_set){NULL, 0};
    server->is_saved = false;
    server->event = (struct imap_event){0};
    imap_raise(server, IMAP_EVENT_LOGGED_OUT);
    imap_end(server, IMAP_OK, "who are you?");
    return true;
}

void
imap_command_unauthenticate(struct imap_server *server, struct cursor *cursor)
{
    if (imap_take_end(cursor))
        server->more = log_out;
    else
        imap_bad(server, "UNAUTHENTICATE takes no arguments");
}
