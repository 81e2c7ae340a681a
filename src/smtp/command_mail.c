/* SPDX-License-Identifier: ISC */
/* MAIL (RFC 5321 §4.1.1.2) and its old siblings SEND, SOML and SAML (RFC 821 §3.4); RCPT (RFC 5321
 * §4.1.1.3). */
#include "smtp/server_private.h"

#include "base/cursor.h"

static void
say_path_fault(struct smtp_server *server, enum envelope_fault fault, struct envelope_status status,
               struct instant now)
{
    if (fault == ENVELOPE_NO_MEMORY)
        smtp_say(server, 452, ENVELOPE_STATUS(4, 3, 1), envelope_fault_text(fault), now);
    else
        smtp_say(server, fault == ENVELOPE_NOT_UTF8 ? 553 : 501, status, envelope_fault_text(fault),
                 now);
}

static void
say_parameter_fault(struct smtp_server *server, enum envelope_parameter_fault fault,
                    struct slice keyword, struct instant now)
{
    static const char *const reasons[] = {
        [ENVELOPE_PARAMETER_SYNTAX] = "Not a parameter: ",
        [ENVELOPE_PARAMETER_UNKNOWN] = "Parameter not offered: ",
        [ENVELOPE_PARAMETER_VALUE] = "Bad value of parameter ",
        [ENVELOPE_PARAMETER_TWICE] = "Given twice: ",
        [ENVELOPE_PARAMETER_MEMORY] = "Too much for one transaction: ",
    };
    struct buffer text;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&text, reasons[fault]);
    buffer_put(&text, keyword);
    if (fault == ENVELOPE_PARAMETER_MEMORY)
        smtp_say_lines(server, 452, ENVELOPE_STATUS(4, 3, 1), buffer_slice(&text), now);
    else
        smtp_say_lines(server, fault == ENVELOPE_PARAMETER_UNKNOWN ? 555 : 501,
                       ENVELOPE_STATUS(5, 5, 4), buffer_slice(&text), now);
    buffer_finish(&text);
}

/* What forbids a transaction to begin now. */
static bool
refuse_mail(struct smtp_server *server, struct instant now)
{
    if (server->transaction.is_open)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Nested MAIL: a transaction is open", now);
    else if (server->options->is_auth_required && server->identity.len == 0 &&
             !server->peer.may_relay)
        smtp_say(server, 530, ENVELOPE_STATUS(5, 7, 0), "Authentication required", now);
    else if (server->transactions >= smtp_limit_transactions(server) && !server->peer.is_trusted)
        smtp_say_goodbye(server, ENVELOPE_STATUS(4, 5, 0), "Too many messages in one session",
                         SMTP_CLOSE_LIMIT, now);
    else
        return false;
    return true;
}

static bool
refuse_parameters(struct smtp_server *server, const struct envelope_path *path,
                  const struct envelope_mail_parameters *parameters, struct instant now)
{
    if (parameters->size > smtp_limit_message_bytes(server))
        smtp_say(server, 552, ENVELOPE_STATUS(5, 3, 4), "Message too big", now);
    else if (path->is_utf8 && !parameters->is_utf8)
        /* RFC 6531 §3.4 */
        smtp_say(server, 553, ENVELOPE_STATUS(5, 6, 7), "This address needs SMTPUTF8", now);
    else
        return false;
    return true;
}

static void
begin_mail(struct smtp_server *server, struct slice argument, enum smtp_mail_verb verb,
           struct instant now)
{
    struct cursor cursor = cursor_of(argument);
    struct slice keyword;

    if (refuse_mail(server, now))
        return;
    struct envelope_path *path = ARENA_NEW(&server->letters, struct envelope_path);
    struct envelope_mail_parameters *parameters =
        ARENA_NEW(&server->letters, struct envelope_mail_parameters);
    assert(path && parameters);
    if (!cursor_take_text_nocase(&cursor, SLICE("FROM:"))) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Syntax: MAIL FROM:<address>", now);
        return;
    }
    enum envelope_fault fault = envelope_path_take_reverse(&cursor, &server->letters, path);
    if (fault != ENVELOPE_OK) {
        say_path_fault(server, fault, ENVELOPE_STATUS(5, 1, 7), now);
        return;
    }
    enum envelope_parameter_fault parameter_fault =
        envelope_mail_parameters_parse(cursor_rest(&cursor), smtp_extensions_offered(server),
                                       &server->letters, parameters, &keyword);
    if (parameter_fault != ENVELOPE_PARAMETER_OK) {
        say_parameter_fault(server, parameter_fault, keyword, now);
        return;
    }
    if (refuse_parameters(server, path, parameters, now))
        return;
    smtp_server_raise(server, SMTP_EVENT_MAIL);
    server->event.mail.verb = verb;
    server->event.mail.path = path;
    server->event.mail.parameters = parameters;
}

/* What a refused MAIL left in the arena goes; nothing else lives there between transactions. */
static void
take_mail(struct smtp_server *server, struct slice argument, enum smtp_mail_verb verb,
          struct instant now)
{
    begin_mail(server, argument, verb, now);
    if (!server->has_event && !server->transaction.is_open)
        smtp_server_conclude(server);
}

void
smtp_command_mail(struct smtp_server *server, struct slice argument, struct instant now)
{
    take_mail(server, argument, SMTP_VERB_MAIL, now);
}

static void
take_obsolete(struct smtp_server *server, struct slice argument, enum smtp_mail_verb verb,
              struct instant now)
{
    if (server->options->is_obsolete_on)
        take_mail(server, argument, verb, now);
    else
        smtp_command_off(server, argument, now);
}

void
smtp_command_send(struct smtp_server *server, struct slice argument, struct instant now)
{
    take_obsolete(server, argument, SMTP_VERB_SEND, now);
}

void
smtp_command_soml(struct smtp_server *server, struct slice argument, struct instant now)
{
    take_obsolete(server, argument, SMTP_VERB_SOML, now);
}

void
smtp_command_saml(struct smtp_server *server, struct slice argument, struct instant now)
{
    take_obsolete(server, argument, SMTP_VERB_SAML, now);
}

void
smtp_answered_mail(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    const struct envelope_mail_parameters *parameters = server->event.mail.parameters;

    server->transactions++;
    server->transaction = (struct smtp_transaction){.is_utf8 = parameters->is_utf8};
    if (!smtp_say_verdict(server, verdict, (struct smtp_words){250, {2, 1, 0}, "Sender ok"}, now) ||
        server->state == STATE_CLOSED) {
        smtp_server_conclude(server);
        return;
    }
    server->transaction.is_open = true;
    server->transaction.is_binary = parameters->body == ENVELOPE_BODY_BINARYMIME;
    server->commands_idle = 0;
}

/* Too many: the client sends the rest in another transaction (RFC 5321 §4.5.3.1.10). */
static void
refuse_excess(struct smtp_server *server, struct instant now)
{
    uint64_t bound = (uint64_t)RECIPIENTS_EXCESS_FACTOR * smtp_limit_recipients(server);

    if (++server->transaction.excess > bound && !server->peer.is_trusted)
        smtp_say_goodbye(server, ENVELOPE_STATUS(4, 5, 3), "Far too many recipients",
                         SMTP_CLOSE_ERRORS, now);
    else
        smtp_say(server, 452, ENVELOPE_STATUS(4, 5, 3), "Too many recipients", now);
}

void
smtp_command_rcpt(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct cursor cursor = cursor_of(argument);
    struct slice keyword;

    if (!server->transaction.is_open || server->transaction.has_body) {
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Need MAIL before RCPT", now);
        return;
    }
    if (server->transaction.recipients >= smtp_limit_recipients(server)) {
        refuse_excess(server, now);
        return;
    }
    server->transaction.tried++;
    arena_reset(&server->recipient);
    struct envelope_path *path = ARENA_NEW(&server->recipient, struct envelope_path);
    struct envelope_rcpt_parameters *parameters =
        ARENA_NEW(&server->recipient, struct envelope_rcpt_parameters);
    if (!path || !parameters) {
        smtp_say(server, 452, ENVELOPE_STATUS(4, 3, 1), "Too much for one transaction", now);
        return;
    }
    if (!cursor_take_text_nocase(&cursor, SLICE("TO:"))) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Syntax: RCPT TO:<address>", now);
        return;
    }
    enum envelope_fault fault = envelope_path_take_forward(&cursor, &server->recipient, path);
    if (fault != ENVELOPE_OK) {
        say_path_fault(server, fault, ENVELOPE_STATUS(5, 1, 3), now);
        return;
    }
    enum envelope_parameter_fault parameter_fault =
        envelope_rcpt_parameters_parse(cursor_rest(&cursor), smtp_extensions_offered(server),
                                       &server->recipient, parameters, &keyword);
    if (parameter_fault != ENVELOPE_PARAMETER_OK) {
        say_parameter_fault(server, parameter_fault, keyword, now);
        return;
    }
    if (path->is_utf8 && !server->transaction.is_utf8) {
        smtp_say(server, 553, ENVELOPE_STATUS(5, 6, 7), "This address needs SMTPUTF8", now);
        return;
    }
    smtp_server_raise(server, SMTP_EVENT_RCPT);
    server->event.rcpt.path = path;
    server->event.rcpt.parameters = parameters;
}

void
smtp_answered_rcpt(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    if (smtp_say_verdict(server, verdict, (struct smtp_words){250, {2, 1, 5}, "Recipient ok"}, now))
        server->transaction.recipients++;
}
