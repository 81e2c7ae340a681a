/* SPDX-License-Identifier: ISC */
/* XNAMES, ours: a server that keeps mail for our domain while we are away asks which names there
 * are (docs/why/085-names-for-a-secondary.md).
 *
 *     XNAMES domain serial from
 *
 * serial: of the list that the client has, 0 for none. from: where the page
 * begins that it wants, 0 for the first. What the answer says is the caller's. */
#include "smtp/server_private.h"

#include "base/cursor.h"
#include "envelope/path.h"

bool
smtp_may_ask_names(const struct smtp_server *server)
{
    return server->offers_names && server->identity.len > 0 &&
           (server->is_secure || server->peer.is_loopback);
}

void
smtp_command_names(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct cursor cursor = cursor_of(argument);
    enum envelope_domain_kind kind;
    struct slice domain;
    uint64_t serial;
    uint32_t from;

    if (!smtp_may_ask_names(server)) {
        smtp_command_off(server, argument, now);
    } else if (!envelope_domain_take(&cursor, &kind, &domain) || kind != ENVELOPE_DOMAIN_NAME ||
               !cursor_take_byte(&cursor, ' ') ||
               !cursor_take_u64(&cursor, 0, UINT64_MAX, &serial) ||
               !cursor_take_byte(&cursor, ' ') || !cursor_take_u32(&cursor, 0, UINT32_MAX, &from) ||
               !cursor_is_done(&cursor)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Expected a domain, a serial, a place",
                 now);
    } else {
        smtp_server_raise(server, SMTP_EVENT_NAMES);
        server->event.names.domain = smtp_server_keep(server, domain);
        server->event.names.serial = serial;
        server->event.names.from = from;
    }
}

void
smtp_answered_names(struct smtp_server *server, const struct smtp_verdict *verdict,
                    struct instant now)
{
    smtp_say_verdict(server, verdict, (struct smtp_words){250, {2, 0, 0}, "No names"}, now);
}

void
smtp_server_offer_names(struct smtp_server *server, bool is_offered)
{
    server->offers_names = is_offered;
}
