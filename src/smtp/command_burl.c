/* SPDX-License-Identifier: ISC */
/* BURL: content, or a piece of it, that lies in a mailbox and is fetched by us (RFC 4468). */
#include "smtp/server_private.h"

bool
smtp_is_burl_offered(const struct smtp_server *server)
{
    return server->options->offers_burl && server->options->service == SMTP_SERVICE_SUBMISSION;
}

/* absolute-URI [SP end-marker] */
static bool
parse_burl(struct slice argument, struct slice *ret_url, bool *ret_is_last)
{
    size_t end = slice_find_byte(argument, ' ');
    struct slice rest = slice_trim(slice_skip(argument, end));

    *ret_url = slice_first(argument, end);
    *ret_is_last = slice_equal_nocase(rest, SLICE("LAST"));
    return ret_url->len > 0 && (rest.len == 0 || *ret_is_last);
}

static void
ask_url(struct smtp_server *server)
{
    smtp_server_raise(server, SMTP_EVENT_URL);
    server->event.query = server->url;
}

void
smtp_command_burl(struct smtp_server *server, struct slice argument, struct instant now)
{
    struct slice url;
    bool is_last;

    if (!smtp_is_burl_offered(server)) {
        smtp_command_off(server, argument, now);
    } else if (server->identity.len == 0) {
        smtp_say(server, 530, ENVELOPE_STATUS(5, 7, 0), "Authentication required", now);
    } else if (!parse_burl(argument, &url, &is_last)) {
        smtp_say(server, 501, ENVELOPE_STATUS(5, 5, 4), "Syntax: BURL url [LAST]", now);
    } else if (!smtp_body_refuse_begin(server, now)) {
        server->url = arena_copy(&server->letters, url);
        server->is_last_chunk = is_last;
        server->is_chunk_coming = false;
        server->is_url_coming = true;
        if (server->transaction.has_chunks)
            ask_url(server);
        else
            smtp_server_raise(server, SMTP_EVENT_BODY_BEGIN);
    }
}

void
smtp_burl_begin(struct smtp_server *server)
{
    server->transaction.has_body = server->transaction.has_chunks = true;
    ask_url(server);
}

void
smtp_server_take_url(struct smtp_server *server, uint64_t len, struct instant now)
{
    assert(server->is_asking && server->question == SMTP_EVENT_URL);
    server->transaction.body_bytes += len;
    if (server->transaction.body_bytes > smtp_limit_message_bytes(server))
        smtp_body_refuse(server, 552, ENVELOPE_STATUS(5, 3, 4), "Message too big");
    smtp_server_answer(server, &(struct smtp_verdict){0}, now);
}

/* §3.2: a URL that cannot be had is the end of the transaction. */
void
smtp_answered_url(struct smtp_server *server, const struct smtp_verdict *verdict,
                  struct instant now)
{
    static const struct smtp_words failed = {554, {5, 6, 6}, "The URL cannot be resolved"};
    bool is_last = server->is_last_chunk;

    server->is_last_chunk = server->is_url_coming = false;
    if (verdict->code != 0) {
        smtp_say_verdict(server, verdict, failed, now);
        smtp_server_abort(server);
        server->transaction = (struct smtp_transaction){0};
    } else if (server->transaction.refused_code != 0 || is_last) {
        smtp_body_ended(server, now);
    } else {
        smtp_say(server, 250, ENVELOPE_STATUS(2, 5, 0), "Waiting for more BURL or BDAT", now);
    }
}
