/* SPDX-License-Identifier: ISC */
/* VRFY and EXPN: RFC 5321 §3.5, §4.1.1.6, §4.1.1.7; in UTF-8 RFC 6531 §3.7.4.2. */
#include "smtp/server_private.h"

#include "text/utf8.h"

/* What is asked for, without the parameter SMTPUTF8. False when it cannot be anybody's name. */
static bool
parse_query(const struct smtp_server *server, struct slice argument, struct slice *ret_query)
{
    static const struct slice parameter = SLICE(" SMTPUTF8");
    bool may_be_utf8 = slice_ends_with_nocase(argument, parameter) &&
                       (smtp_extensions_offered(server) & ENVELOPE_SMTPUTF8);

    if (may_be_utf8)
        argument = slice_trim(slice_first(argument, argument.len - parameter.len));
    for (size_t i = 0; i < argument.len; i++) {
        if (argument.at[i] < ' ' || argument.at[i] == 0x7F)
            return false;
    }
    if (argument.len == 0 || !(may_be_utf8 ? utf8_is_valid(argument) : utf8_is_ascii(argument)))
        return false;
    *ret_query = argument;
    return true;
}

static void
ask(struct smtp_server *server, enum smtp_event_kind kind, struct slice argument,
    struct instant now)
{
    struct slice query;

    if (!parse_query(server, argument, &query)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Not a name or address", now);
        return;
    }
    smtp_server_raise(server, kind);
    server->event.query = smtp_server_keep(server, query);
}

void
smtp_command_vrfy(struct smtp_server *server, struct slice argument, struct instant now)
{
    /* RFC 5321 §7.3: who does not tell says 252. */
    if (smtp_policy_allows(server, server->options->verify))
        ask(server, SMTP_EVENT_VERIFY, argument, now);
    else
        smtp_say(server, 252, ENVELOPE_STATUS(2, 0, 0), "", now);
}

void
smtp_command_expn(struct smtp_server *server, struct slice argument, struct instant now)
{
    if (smtp_policy_allows(server, server->options->expand))
        ask(server, SMTP_EVENT_EXPAND, argument, now);
    else
        smtp_command_off(server, argument, now);
}

void
smtp_answered_verify(struct smtp_server *server, const struct smtp_verdict *verdict,
                     struct instant now)
{
    smtp_say_verdict(server, verdict, (struct smtp_words){250, {2, 1, 5}, ""}, now);
}
