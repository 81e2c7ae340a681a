/* SPDX-License-Identifier: ISC */
/* ATRN: a customer that has no address of its own fetches its domains' mail over the connection
 * that it has made; behind the 250 the roles are exchanged (RFC 2645 §5.2, §5.3, §7). */
#include "smtp/server_private.h"

#include "base/cursor.h"
#include "envelope/path.h"

/* RFC 2645 §5.2: domain *("," domain); without any, all that the customer may have. */
static bool
is_domain_list(struct slice argument)
{
    struct cursor cursor = cursor_of(argument);
    enum envelope_domain_kind kind;
    struct slice domain;

    if (argument.len == 0)
        return true;
    do {
        if (!envelope_domain_take(&cursor, &kind, &domain) || kind != ENVELOPE_DOMAIN_NAME)
            return false;
    } while (cursor_take_byte(&cursor, ','));
    return cursor_is_done(&cursor);
}

void
smtp_command_atrn(struct smtp_server *server, struct slice argument, struct instant now)
{
    if (!server->options->offers_turn) {
        smtp_command_off(server, argument, now);
    } else if (server->identity.len == 0) {
        smtp_say(server, 530, ENVELOPE_STATUS(5, 7, 0), "Authentication required", now);
    } else if (!is_domain_list(argument)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Not a list of domains", now);
    } else {
        smtp_server_raise(server, SMTP_EVENT_TURN);
        server->event.query = smtp_server_keep(server, argument);
    }
}

/* Behind the 250 this engine has nothing more to say or to hear. */
void
smtp_answered_atrn(struct smtp_server *server, const struct smtp_verdict *verdict,
                   struct instant now)
{
    if (smtp_say_verdict(server, verdict,
                         (struct smtp_words){250, {2, 0, 0}, "OK now reversing the connection"},
                         now))
        server->state = STATE_TURNED;
}
