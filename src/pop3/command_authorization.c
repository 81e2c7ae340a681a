/* SPDX-License-Identifier: ISC */
/* Commands of the authorization state: RFC 1939 §4 and §7, RFC 5034, RFC 2595 §4, RFC 6856 §2. */
#include "pop3/server_private.h"
#include "text/base64.h"

enum { DIGEST_LEN = 32 /* RFC 1939 §7: MD5 in hexadecimal digits */ };

bool
pop3_may_authenticate(const struct pop3_server *server)
{
    return server->is_secure || server->options.allows_clear_password;
}

bool
pop3_may_use(const struct pop3_server *server, struct slice mechanism)
{
    if (slice_ends_with_nocase(mechanism, SLICE("-PLUS")) && !server->is_secure)
        return false;
    if (slice_equal_nocase(mechanism, SLICE("EXTERNAL")) && !server->has_certificate)
        return false;
    for (size_t i = 0; i < server->options.mechanisms_count; i++) {
        if (slice_equal_nocase(server->options.mechanisms[i], mechanism))
            return pop3_may_authenticate(server);
    }
    return false;
}

/* RFC 3206 §4 has the code AUTH also for attempts against policy. */
static bool
refuse_in_clear(struct pop3_server *server)
{
    if (pop3_may_authenticate(server))
        return false;
    pop3_refuse(server, "[AUTH] begin TLS before you log in");
    return true;
}

void
pop3_command_user(struct pop3_server *server, const struct pop3_call *call)
{
    struct slice name = slice_trim(call->arguments);

    buffer_clear(&server->name);
    if (refuse_in_clear(server))
        return;
    if (name.len == 0 || name.len > POP3_NAME_MAX) {
        pop3_refuse(server, "USER wants a name");
        return;
    }
    buffer_put(&server->name, name);
    pop3_put_ok(server, "now the password");
}

/* All that follows "PASS " is the password, spaces included (RFC 1939 §7). */
void
pop3_command_pass(struct pop3_server *server, const struct pop3_call *call)
{
    struct buffer *scratch = &server->scratch;

    if (refuse_in_clear(server))
        return;
    if (buffer_len(&server->name) == 0) {
        pop3_refuse(server, "USER comes first");
        return;
    }
    if (call->arguments.len == 0 || call->arguments.len > POP3_PASSWORD_MAX) {
        pop3_refuse(server, "PASS wants a password");
        return;
    }
    /* RFC 4616 §2: no authorization identity, the name, the password. */
    buffer_clear(scratch);
    buffer_put_byte(scratch, 0);
    buffer_put(scratch, buffer_slice(&server->name));
    buffer_put_byte(scratch, 0);
    buffer_put(scratch, call->arguments);
    buffer_finish(&server->name);
    server->via_pass = true;
    server->event = (struct pop3_event){
        .mechanism = SLICE("PLAIN"), .has_initial = true, .response = buffer_slice(scratch)};
    pop3_raise(server, POP3_EVENT_AUTH_BEGIN, POP3_QUESTION_AUTH);
}

static bool
is_hexadecimal(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = byte_to_lower(text.at[i]);
        if (!byte_is_digit(byte) && (byte < 'a' || byte > 'f'))
            return false;
    }
    return true;
}

void
pop3_command_apop(struct pop3_server *server, const struct pop3_call *call)
{
    struct slice arguments = slice_trim(call->arguments);
    size_t space = slice_find_last_byte(arguments, ' ');
    struct slice name = slice_trim(slice_first(arguments, space));
    struct slice digest = slice_skip(arguments, space + 1);

    if (server->options.timestamp.len == 0) {
        pop3_refuse(server, "APOP is not offered");
        return;
    }
    if (name.len == 0 || name.len > POP3_NAME_MAX || digest.len != DIGEST_LEN ||
        !is_hexadecimal(digest)) {
        pop3_refuse(server, "APOP wants a name and a digest");
        return;
    }
    buffer_clear(&server->scratch);
    buffer_put(&server->scratch, name);
    buffer_put(&server->scratch, digest);
    struct slice both = buffer_slice(&server->scratch);
    server->event = (struct pop3_event){.name = slice_first(both, name.len),
                                        .digest = slice_skip(both, name.len)};
    pop3_raise(server, POP3_EVENT_APOP, POP3_QUESTION_APOP);
}

/* Decodes a SASL response (RFC 5034 §4) into the scratch buffer; false when it is not base64. */
static bool
decode(struct pop3_server *server, struct slice text)
{
    buffer_clear(&server->scratch);
    return base64_parse(text, &server->scratch) && !buffer_overflowed(&server->scratch);
}

/* Clients older than CAPA ask "AUTH" alone for the list of mechanisms. */
static void
list_mechanisms(struct pop3_server *server)
{
    pop3_put_ok(server, "mechanisms follow");
    for (size_t i = 0; i < server->options.mechanisms_count; i++) {
        struct slice mechanism = server->options.mechanisms[i];
        if (!pop3_may_use(server, mechanism))
            continue;
        buffer_put(&server->output, mechanism);
        buffer_put_text(&server->output, "\r\n");
    }
    buffer_put_text(&server->output, ".\r\n");
}

void
pop3_command_auth(struct pop3_server *server, const struct pop3_call *call)
{
    struct slice arguments = slice_trim(call->arguments);
    size_t space = slice_find_byte(arguments, ' ');
    struct slice mechanism = slice_first(arguments, space);
    struct slice initial = slice_trim(slice_skip(arguments, space));
    bool has_initial = initial.len > 0;

    if (arguments.len == 0) {
        list_mechanisms(server);
        return;
    }
    if (refuse_in_clear(server))
        return;
    if (mechanism.len > POP3_MECHANISM_MAX || !pop3_may_use(server, mechanism)) {
        pop3_refuse(server, "unknown mechanism");
        return;
    }
    if (slice_equal(initial, SLICE("=")))
        initial = SLICE("");
    if (!decode(server, initial)) {
        pop3_refuse(server, "the initial response is not base64");
        return;
    }
    for (size_t i = 0; i < mechanism.len; i++)
        server->mechanism[i] =
            (char)(byte_is_alpha(mechanism.at[i]) ? mechanism.at[i] & ~0x20 : mechanism.at[i]);
    server->via_pass = false;
    server->event = (struct pop3_event){.mechanism = slice_of(server->mechanism, mechanism.len),
                                        .has_initial = has_initial,
                                        .response = buffer_slice(&server->scratch)};
    pop3_raise(server, POP3_EVENT_AUTH_BEGIN, POP3_QUESTION_AUTH);
}

/* The server's last data has been sent as a challenge: RFC 5034 §4 wants an empty response. */
static void
finish_sasl(struct pop3_server *server, struct slice line)
{
    server->expects = POP3_LINE_COMMAND;
    if (line.len == 0) {
        pop3_begin_open(server);
        return;
    }
    pop3_put_error(server, "authentication cancelled");
    pop3_end(server, POP3_CLOSE_ERRORS);
}

void
pop3_run_response(struct pop3_server *server, struct slice line)
{
    if (server->expects == POP3_LINE_EMPTY) {
        finish_sasl(server, line);
        return;
    }
    server->expects = POP3_LINE_COMMAND;
    if (slice_equal(line, SLICE("*")) || !decode(server, line)) {
        pop3_refuse(server, "authentication cancelled");
        if (server->state == POP3_DONE)
            return;
        server->event = (struct pop3_event){0};
        pop3_raise(server, POP3_EVENT_AUTH_ABORT, POP3_QUESTION_NONE);
        return;
    }
    server->event = (struct pop3_event){.response = buffer_slice(&server->scratch)};
    pop3_raise(server, POP3_EVENT_AUTH_STEP, POP3_QUESTION_AUTH);
}

void
pop3_command_stls(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    if (server->is_secure || !server->options.is_tls_available) {
        pop3_refuse(server, server->is_secure ? "TLS is active already" : "TLS is not available");
        return;
    }
    pop3_put_ok(server, "begin TLS now");
    server->expects = POP3_LINE_AFTER_TLS;
    server->event = (struct pop3_event){0};
    pop3_raise(server, POP3_EVENT_STARTTLS, POP3_QUESTION_NONE);
}

void
pop3_command_utf8(struct pop3_server *server, const struct pop3_call *call)
{
    (void)call;
    pop3_put_ok(server, "UTF-8 it is");
}
