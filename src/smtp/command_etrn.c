/* SPDX-License-Identifier: ISC */
/* ETRN: mail that waits for a domain is tried now (RFC 1985). It goes where the name system says,
 * not to who asks. */
#include "smtp/server_private.h"

#include "envelope/path.h"

bool
smtp_may_retry(const struct smtp_server *server)
{
    enum smtp_verify_policy policy = server->options->retry;

    return !smtp_is_lmtp(server) &&
           (policy == SMTP_VERIFY_EVERYBODY ||
            (policy == SMTP_VERIFY_AUTHENTICATED &&
             (server->identity.len > 0 || server->peer.may_relay)));
}

void
smtp_command_etrn(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct cursor cursor = cursor_of(argument);
    enum envelope_domain_kind kind;
    struct slice domain;

    if (!smtp_may_retry(server)) {
        smtp_command_off(server, argument, now);
    } else if (argument.at[0] == '@' || argument.at[0] == '#') {
        /* All hosts of a domain, and names of queues (§5.2): we have neither. */
        smtp_say(server, 458, ENVELOPE_STATUS(4, 5, 1), "Only names of domains are known", now);
    } else if (!envelope_domain_take(&cursor, &kind, &domain) || !cursor_is_done(&cursor) ||
               kind != ENVELOPE_DOMAIN_NAME) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Not a domain", now);
    } else {
        smtp_server_raise(server, SMTP_EVENT_RETRY);
        server->event.query = smtp_server_keep(server, domain);
    }
}

void
smtp_answered_etrn(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    smtp_say_verdict(server, verdict, (struct smtp_words){250, {2, 0, 0}, "Queuing started"}, now);
}
