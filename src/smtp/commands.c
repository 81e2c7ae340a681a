/* SPDX-License-Identifier: ISC */
/* The table of commands (RFC 5321 §4.1.1, RFC 2033 §4, RFC 821 §4.1.1): what each needs before it
 * is looked at, and who handles it. */
#include "smtp/commands.h"

#include "smtp/server_private.h"

/* What must be so for a command. */
enum {
    NEEDS_HELLO = 1 << 0,
    NEEDS_NO_MAIL = 1 << 1,
    BEFORE_TLS = 1 << 2, /* also where TLS is required first */
    NO_ARGUMENT = 1 << 3,
    AN_ARGUMENT = 1 << 4,
    SMTP_ONLY = 1 << 5,
    LMTP_ONLY = 1 << 6,
    IS_IDLE = 1 << 7, /* brings no mail: counted against floods */
};

static const struct smtp_command commands[] = {
    {SLICE("HELO"), smtp_command_helo, AN_ARGUMENT | SMTP_ONLY | IS_IDLE, "HELO domain"},
    {SLICE("EHLO"), smtp_command_ehlo, AN_ARGUMENT | SMTP_ONLY | IS_IDLE | BEFORE_TLS,
     "EHLO domain-or-literal"},
    {SLICE("LHLO"), smtp_command_ehlo, AN_ARGUMENT | LMTP_ONLY | IS_IDLE | BEFORE_TLS,
     "LHLO domain-or-literal"},
    {SLICE("MAIL"), smtp_command_mail, AN_ARGUMENT | NEEDS_HELLO,
     "MAIL FROM:<address> [parameters]"},
    {SLICE("RCPT"), smtp_command_rcpt, AN_ARGUMENT | NEEDS_HELLO, "RCPT TO:<address> [parameters]"},
    {SLICE("DATA"), smtp_command_data, NO_ARGUMENT | NEEDS_HELLO, "DATA"},
    /* It judges the rest itself: its octets follow in any case. */
    {SLICE("BDAT"), smtp_command_bdat, BEFORE_TLS, "BDAT octets [LAST]"},
    {SLICE("BURL"), smtp_command_burl, AN_ARGUMENT | NEEDS_HELLO | SMTP_ONLY, "BURL url [LAST]"},
    {SLICE("RSET"), smtp_command_rset, NO_ARGUMENT | IS_IDLE, "RSET"},
    {SLICE("NOOP"), smtp_command_noop, IS_IDLE | BEFORE_TLS, "NOOP [text]"},
    {SLICE("QUIT"), smtp_command_quit, NO_ARGUMENT | BEFORE_TLS, "QUIT"},
    {SLICE("HELP"), smtp_command_help, IS_IDLE, "HELP [command | STATUS]"},
    {SLICE("VRFY"), smtp_command_vrfy, AN_ARGUMENT | IS_IDLE, "VRFY user-or-address"},
    {SLICE("EXPN"), smtp_command_expn, AN_ARGUMENT | IS_IDLE, "EXPN list"},
    {SLICE("STARTTLS"), smtp_command_starttls, NO_ARGUMENT | NEEDS_HELLO | BEFORE_TLS, "STARTTLS"},
    {SLICE("AUTH"), smtp_command_auth, AN_ARGUMENT | NEEDS_HELLO | NEEDS_NO_MAIL,
     "AUTH mechanism [initial-response]"},
    {SLICE("SEND"), smtp_command_send, AN_ARGUMENT | NEEDS_HELLO | SMTP_ONLY,
     "SEND FROM:<address>"},
    {SLICE("SOML"), smtp_command_soml, AN_ARGUMENT | NEEDS_HELLO | SMTP_ONLY,
     "SOML FROM:<address>"},
    {SLICE("SAML"), smtp_command_saml, AN_ARGUMENT | NEEDS_HELLO | SMTP_ONLY,
     "SAML FROM:<address>"},
    {SLICE("XNAMES"), smtp_command_names, AN_ARGUMENT | NEEDS_HELLO | NEEDS_NO_MAIL | SMTP_ONLY,
     "XNAMES domain serial from"},
    {SLICE("ETRN"), smtp_command_etrn,
     AN_ARGUMENT | NEEDS_HELLO | NEEDS_NO_MAIL | SMTP_ONLY | IS_IDLE, "ETRN domain"},
    {SLICE("ATRN"), smtp_command_atrn, NEEDS_HELLO | NEEDS_NO_MAIL | SMTP_ONLY,
     "ATRN [domain,...]"},
    /* Known, and never done: it hands mail to whoever calls (RFC 5321 §F.1). ETRN, which sends it
     * where the name system says, and ATRN, which asks who calls, do what it is for. */
    {SLICE("TURN"), smtp_command_off, SMTP_ONLY, "TURN"},
    /* Web browsers that a hostile page has made talk to us. */
    {SLICE("GET"), smtp_command_foreign, BEFORE_TLS, NULL},
    {SLICE("POST"), smtp_command_foreign, BEFORE_TLS, NULL},
    {SLICE("CONNECT"), smtp_command_foreign, BEFORE_TLS, NULL},
};

bool
smtp_is_lmtp(const struct smtp_server *server)
{
    return server->options->service == SMTP_SERVICE_LMTP;
}

const struct smtp_command *
smtp_command_find(struct slice verb)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (slice_equal_nocase(verb, commands[i].verb))
            return &commands[i];
    }
    return NULL;
}

bool
smtp_command_is_listed(const struct smtp_server *server, const struct smtp_command *command)
{
    return command->syntax && !(command->flags & (smtp_is_lmtp(server) ? SMTP_ONLY : LMTP_ONLY));
}

const struct smtp_command *
smtp_command_next(const struct smtp_server *server, size_t *place)
{
    while (*place < COUNT_OF(commands)) {
        const struct smtp_command *command = &commands[(*place)++];
        bool is_off = command->handle == smtp_command_off ||
                      (command->handle == smtp_command_names && !smtp_may_ask_names(server)) ||
                      (command->handle == smtp_command_atrn && !server->options->offers_turn);
        if (smtp_command_is_listed(server, command) && !is_off)
            return command;
    }
    return NULL;
}

bool
smtp_is_starttls_offered(const struct smtp_server *server)
{
    return server->options->has_tls && !server->is_secure;
}

unsigned
smtp_extensions_offered(const struct smtp_server *server)
{
    const struct smtp_server_options *options = server->options;
    unsigned offered = ENVELOPE_SIZE | ENVELOPE_8BITMIME;

    if (!server->is_extended)
        return 0;
    if (!options->is_chunking_off)
        offered |= ENVELOPE_BINARYMIME;
    if (!options->is_utf8_off)
        offered |= ENVELOPE_SMTPUTF8;
    if (!options->is_dsn_off)
        offered |= ENVELOPE_DSN;
    if (smtp_auth_is_offered(server))
        offered |= ENVELOPE_AUTH;
    /* RFC 8689 §4.1: only under TLS. */
    if (server->is_secure && !options->is_requiretls_off)
        offered |= ENVELOPE_REQUIRETLS;
    if (options->offers_deliver_by && !smtp_is_lmtp(server))
        offered |= ENVELOPE_DELIVERBY;
    if (options->offers_priority && !smtp_is_lmtp(server))
        offered |= ENVELOPE_MT_PRIORITY;
    if (server->hold_s_max > 0)
        offered |= ENVELOPE_FUTURERELEASE;
    return offered;
}

bool
smtp_policy_allows(const struct smtp_server *server, enum smtp_verify_policy policy)
{
    return policy == SMTP_VERIFY_EVERYBODY ||
           (policy == SMTP_VERIFY_AUTHENTICATED &&
            (server->identity.len > 0 || server->peer.may_relay));
}

/* RFC 5321 §4.5.4.2's idle clients stay well below the limit. */
bool
smtp_count_idle(struct smtp_server *server, struct instant now)
{
    if (++server->commands_idle <= smtp_limit_commands_idle(server) || server->peer.is_trusted)
        return true;
    smtp_say_goodbye(server, ENVELOPE_STATUS(4, 7, 0), "Too many commands without mail",
                     SMTP_CLOSE_ERRORS, now);
    return false;
}

static void
say_syntax(struct smtp_server *server, const struct smtp_command *command, struct instant now)
{
    struct buffer text;

    buffer_init(&text, SMTP_REPLY_TEXT_MAX);
    buffer_put_text(&text, "Syntax: ");
    buffer_put_text(&text, command->syntax);
    smtp_say_lines(server, 501, ENVELOPE_STATUS(5, 5, 4), buffer_slice(&text), now);
    buffer_finish(&text);
}

/* Says why the command cannot be now, if so. */
static bool
refuse_untimely(struct smtp_server *server, const struct smtp_command *command,
                struct slice argument, struct instant now)
{
    unsigned flags = command->flags;

    if (flags & (smtp_is_lmtp(server) ? SMTP_ONLY : LMTP_ONLY))
        smtp_say(server, 500, ENVELOPE_STATUS(5, 5, 1),
                 smtp_is_lmtp(server) ? "This is LMTP" : "This is not LMTP", now);
    else if (!(flags & BEFORE_TLS) && server->options->is_tls_required && !server->is_secure)
        smtp_say(server, 530, ENVELOPE_STATUS(5, 7, 0), "Must issue a STARTTLS command first", now);
    else if ((flags & NEEDS_HELLO) && !server->has_hello)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1),
                 smtp_is_lmtp(server) ? "Say LHLO first" : "Say EHLO or HELO first", now);
    else if ((flags & NEEDS_NO_MAIL) && server->transaction.is_open)
        smtp_say(server, 503, ENVELOPE_STATUS(5, 5, 1), "Not within a mail transaction", now);
    else if ((flags & AN_ARGUMENT) ? argument.len == 0 : (flags & NO_ARGUMENT) && argument.len > 0)
        say_syntax(server, command, now);
    else
        return false;
    return true;
}

void
smtp_command_handle(struct smtp_server *server, struct slice line, struct instant now)
{
    size_t len = slice_find_byte(line, ' ');
    struct slice argument = slice_trim(slice_skip(line, len));
    const struct smtp_command *command = smtp_command_find(slice_trim(slice_first(line, len)));

    if (slice_find_byte(line, '\0') < line.len) {
        smtp_say(server, 500, ENVELOPE_STATUS(5, 5, 2), "NUL is refused", now);
        return;
    }
    if (!command) {
        smtp_say(server, 500, ENVELOPE_STATUS(5, 5, 1), "Command not recognised", now);
        return;
    }
    if ((command->flags & IS_IDLE) && !smtp_count_idle(server, now))
        return;
    if (!refuse_untimely(server, command, argument, now))
        command->handle(server, argument, now);
}
