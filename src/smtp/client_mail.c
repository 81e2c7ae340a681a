/* SPDX-License-Identifier: ISC */
/* One transaction from the client's side: RFC 5321 §3.3, pipelined as RFC 2920 and RFC 3030 allow.
 */
#include "smtp/client_private.h"

#include "text/utf8.h"

/* ---- results ------------------------------------------------------------------------------- */

static bool
is_unsettled(uint8_t state)
{
    return state == RECIPIENT_WAITING || state == RECIPIENT_ACCEPTED;
}

void
smtp_client_settle(struct smtp_client *client, enum client_recipient_state due)
{
    for (size_t i = 0; i < client->message->recipients_count; i++) {
        if (is_unsettled(client->recipients[i]))
            client->recipients[i] = (uint8_t)due;
    }
}

static bool
has_unsettled(const struct smtp_client *client)
{
    for (size_t i = 0; i < client->message->recipients_count; i++) {
        if (is_unsettled(client->recipients[i]))
            return true;
    }
    return false;
}

static size_t
count_accepted(const struct smtp_client *client)
{
    size_t count = 0;

    for (size_t i = 0; i < client->message->recipients_count; i++)
        count += client->recipients[i] == RECIPIENT_ACCEPTED;
    return count;
}

/* The verdict that the reply just read is. */
static void
judge_reply(struct smtp_client *client)
{
    struct client_verdict *verdict = &client->verdict;

    smtp_words_copy(&verdict->words, &client->reply);
    verdict->outcome = client->reply.code / 100 == 2   ? SMTP_CLIENT_DELIVERED
                       : client->reply.code / 100 == 5 ? SMTP_CLIENT_PERMANENT
                                                       : SMTP_CLIENT_TEMPORARY;
    verdict->is_of_session = verdict->is_too_many = false;
}

/* All recipients get our own verdict; nothing has been sent. */
static void
refuse_all(struct smtp_client *client, enum smtp_client_outcome outcome, bool is_of_session,
           struct envelope_status status, const char *text)
{
    smtp_words_say(&client->verdict.words, status, text);
    client->verdict.outcome = outcome;
    client->verdict.is_of_session = is_of_session;
    client->verdict.is_too_many = false;
    smtp_client_settle(client, RECIPIENT_DUE);
    client->state = CLIENT_READY;
    client->transaction_end = INSTANT_NEVER;
    client->has_done = true;
}

/* A reply of a class that its command cannot have. */
static bool
is_unexpected(struct smtp_client *client, unsigned class)
{
    if (class != 3)
        return false;
    smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                            "The host's reply does not belong to the command");
    return true;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static bool
needs_utf8(const struct smtp_client *client)
{
    const struct smtp_client_message *message = client->message;

    if (!message->parameters.is_utf8)
        return false;
    if (client->content.is_header_8bit || !utf8_is_ascii(message->reverse_path))
        return true;
    for (size_t i = 0; i < message->recipients_count; i++) {
        if (!utf8_is_ascii(message->recipients[i].address))
            return true;
    }
    return false;
}

/* RFC 2852 §4.1.3, §4.1.4.1: what must come back when it does not arrive in time goes to nobody who
 * would not see to that; and other hosts of the domain are not asked (§7). */
static bool
is_in_time(struct smtp_client *client)
{
    const struct envelope_mail_parameters *parameters = &client->message->parameters;

    if (!parameters->has_deliver_by || !parameters->deliver_by_returns || client->options.is_lmtp)
        return true;
    if (parameters->deliver_by_s <= 0) {
        refuse_all(client, SMTP_CLIENT_PERMANENT, false, ENVELOPE_STATUS(5, 4, 7),
                   "The time in which it was to be delivered is over");
        return false;
    }
    if (client->extensions & ENVELOPE_DELIVERBY &&
        client->deliver_by_min_s <= (uint32_t)parameters->deliver_by_s)
        return true;
    refuse_all(client, SMTP_CLIENT_PERMANENT, false, ENVELOPE_STATUS(5, 3, 3),
               "The host does not promise delivery in that time (DELIVERBY)");
    return false;
}

/* False: the server cannot have this message at all, and all recipients were told. */
static bool
is_possible(struct smtp_client *client)
{
    const struct envelope_mail_parameters *parameters = &client->message->parameters;

    client->is_utf8 = needs_utf8(client);
    if (!is_in_time(client))
        return false;
    if (client->is_utf8 && !(client->extensions & ENVELOPE_SMTPUTF8)) {
        /* RFC 6531 §3.2: it is returned, not downgraded. */
        refuse_all(client, SMTP_CLIENT_PERMANENT, true, ENVELOPE_STATUS(5, 6, 7),
                   "The host does not take internationalised addresses (SMTPUTF8)");
        return false;
    }
    if (parameters->requires_tls &&
        !(client->is_secure && client->is_verified && client->extensions & ENVELOPE_REQUIRETLS)) {
        /* RFC 8689 §4.2.1: another host may, so that this is final only for the last. */
        refuse_all(client, SMTP_CLIENT_PERMANENT, true, ENVELOPE_STATUS(5, 7, 30),
                   "The host cannot promise TLS on the rest of the way (REQUIRETLS)");
        return false;
    }
    if (client->size_max > 0 && client->content.wire_len > client->size_max) {
        /* RFC 1870 §6.1 */
        refuse_all(client, SMTP_CLIENT_PERMANENT, false, ENVELOPE_STATUS(5, 3, 4),
                   "The message is larger than the host takes");
        return false;
    }
    return true;
}

/* True when the content is fit for the server as it is. */
static bool
is_fit(struct smtp_client *client, bool *ret_is_7bit_wanted)
{
    bool is_binary = smtp_content_is_binary(client);

    *ret_is_7bit_wanted = client->content.is_8bit && !(client->extensions & ENVELOPE_8BITMIME);
    if (is_binary && client->extensions & ENVELOPE_BINARYMIME)
        return true;
    return !is_binary && !*ret_is_7bit_wanted;
}

/* BDAT needs no dots and no answer before the content; but it counts octets, so that content whose
 * line ends must be mended goes by DATA. */
static void
choose_way(struct smtp_client *client)
{
    bool is_raw = client->content.is_clean || smtp_content_is_binary(client);

    client->is_chunk = client->session_extensions & SESSION_CHUNKING && is_raw;
}

static void
begin(struct smtp_client *client, struct instant now)
{
    uint32_t limit_s = client->options.times.transaction_s;

    client->state = CLIENT_TRANSACTION;
    client->has_tried = true;
    client->transaction_end = instant_after(now, duration_s(limit_s ? limit_s : 7200));
    client->is_fresh = instant_since(now, client->heard).ns <= duration_ms(CLIENT_FRESH_MS).ns;
    choose_way(client);
    smtp_client_put_mail(client);
    smtp_client_advance(client);
    smtp_client_touch(client, now);
}

void
smtp_client_carry(struct smtp_client *client, const struct smtp_client_message *message,
                  struct instant now)
{
    assert(client->state == CLIENT_READY && !client->message);
    assert(message->recipients_count > 0 &&
           message->recipients_count <= SMTP_CLIENT_RECIPIENTS_MAX);
    client->has_event = false; /* READY, if it was not taken */
    client->message = message;
    client->content = smtp_content_look(message->content);
    memset(client->recipients, RECIPIENT_WAITING, sizeof(client->recipients));
    client->accepted = client->next_recipient = 0;
    client->is_body_asked = client->is_body_begun = false;
    client->is_body_answered = client->needs_reset = false;
    client->body = BODY_NONE;
    client->body_at = 0;
    if (!is_possible(client))
        return;
    if (is_fit(client, &client->is_7bit_wanted)) {
        begin(client, now);
        return;
    }
    client->state = CLIENT_CONVERTING;
    smtp_client_raise(client, SMTP_CLIENT_EVENT_CONVERT);
}

void
smtp_client_convert(struct smtp_client *client, const struct slice *content, struct instant now)
{
    bool is_7bit_wanted;

    if (client->state != CLIENT_CONVERTING)
        return;
    if (content)
        client->content = smtp_content_look(*content);
    /* RFC 6152 §3: a message that cannot be converted goes back. */
    if (!content || !is_fit(client, &is_7bit_wanted))
        refuse_all(client, SMTP_CLIENT_PERMANENT, false, ENVELOPE_STATUS(5, 6, 3),
                   client->content.has_nul
                       ? "The host takes no NUL, and this content cannot be converted"
                       : "The host takes no 8-bit content, and this one cannot be converted");
    else if (is_possible(client))
        begin(client, now);
}

/* ---- going on ------------------------------------------------------------------------------ */

static bool
is_pipelined(const struct smtp_client *client)
{
    return client->session_extensions & SESSION_PIPELINING;
}

static void
start_body(struct smtp_client *client)
{
    client->body_at = 0;
    client->is_body_begun = true;
    if (client->is_chunk || (client->content.is_clean && !client->content.has_dots))
        client->body = BODY_RAW;
    else
        client->body = BODY_TEXT;
    smtp_client_await(client, AWAIT_BODY, 0);
    smtp_client_fill(client);
}

/* DATA, or BDAT with all of the content behind it. */
static void
ask_body(struct smtp_client *client)
{
    client->is_body_asked = true;
    if (!client->is_chunk) {
        buffer_put_text(&client->output, "DATA\r\n");
        smtp_client_await(client, AWAIT_DATA, 0);
        return;
    }
    bool is_binary = smtp_client_is_binary(client);
    buffer_put_text(&client->output, "BDAT ");
    buffer_put_decimal(&client->output,
                       is_binary ? client->content.bytes.len : client->content.wire_len);
    buffer_put_text(&client->output, " LAST\r\n");
    start_body(client);
}

/* A chunk travels behind the recipients unseen only when it is small, and when the connection was
 * alive a moment ago: else nobody could tell whether it has arrived. DATA costs nothing. */
static bool
may_ask_early(const struct smtp_client *client)
{
    return !client->is_chunk ||
           (client->is_fresh && client->content.wire_len <= SMTP_CLIENT_PIPELINED_MAX);
}

static void
finish_transaction(struct smtp_client *client)
{
    /* What was begun and has no end is taken back (RFC 5321 §4.1.1.5). */
    if (client->needs_reset) {
        client->needs_reset = false;
        buffer_put_text(&client->output, "RSET\r\n");
        smtp_client_await(client, AWAIT_RSET, 0);
        return;
    }
    client->state = CLIENT_READY;
    client->transaction_end = INSTANT_NEVER;
    client->has_done = true;
}

void
smtp_client_advance(struct smtp_client *client)
{
    size_t count = client->message->recipients_count;
    bool may_send = is_pipelined(client) || client->awaited_count == 0;

    while (may_send && client->next_recipient < count && has_unsettled(client)) {
        smtp_client_put_rcpt(client, client->next_recipient++);
        may_send = is_pipelined(client);
    }
    bool is_all_named = client->next_recipient == count;
    bool may_ask = client->awaited_count == 0 ? count_accepted(client) > 0
                                              : is_pipelined(client) && may_ask_early(client);
    if (is_all_named && !client->is_body_asked && has_unsettled(client) && may_ask)
        ask_body(client);
    if (client->awaited_count == 0 && client->body == BODY_NONE &&
        buffer_len(&client->output) == 0 && !has_unsettled(client))
        finish_transaction(client);
}

void
smtp_client_mail_answered(struct smtp_client *client)
{
    unsigned class = client->reply.code / 100;

    if (is_unexpected(client, class))
        return;
    if (class == 2) {
        client->needs_reset = true;
        return;
    }
    judge_reply(client);
    smtp_client_settle(client, RECIPIENT_DUE);
}

void
smtp_client_rcpt_answered(struct smtp_client *client, size_t recipient)
{
    unsigned code = client->reply.code;

    if (is_unexpected(client, code / 100) || client->recipients[recipient] != RECIPIENT_WAITING)
        return;
    if (code / 100 == 2) {
        client->recipients[recipient] = RECIPIENT_ACCEPTED;
        client->accepted++;
        return;
    }
    judge_reply(client);
    /* RFC 5321 §4.5.3.1.10: 552 is what older hosts say for 452, "too many recipients". */
    if ((code == 452 || code == 552) && client->accepted > 0) {
        client->verdict.outcome = SMTP_CLIENT_TEMPORARY;
        client->verdict.is_too_many = true;
    }
    client->recipients[recipient] = RECIPIENT_DUE;
}

void
smtp_client_data_answered(struct smtp_client *client)
{
    unsigned class = client->reply.code / 100;

    if (class == 2) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "The host's reply does not belong to the command");
    } else if (class != 3) {
        judge_reply(client);
        smtp_client_settle(client, RECIPIENT_DUE);
    } else if (count_accepted(client) > 0) {
        start_body(client);
    } else if (client->options.is_lmtp) {
        /* RFC 2033 §4.2 forbids it; nobody knows how many answers will come. */
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "The host wants a message for nobody");
    } else {
        /* RFC 2920 §3.1: nobody is to get it; the text is ended at once. */
        client->body = BODY_NONE;
        buffer_put_text(&client->output, ".\r\n");
        smtp_client_await(client, AWAIT_BODY, 0);
    }
}

void
smtp_client_body_answered(struct smtp_client *client)
{
    unsigned class = client->reply.code / 100;
    bool is_early = client->body != BODY_NONE || buffer_len(&client->output) > 0;

    if (is_unexpected(client, class))
        return;
    if (is_early && class == 2) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_PROTOCOL,
                                "The host has answered before it had the message");
        return;
    }
    judge_reply(client);
    if (client->options.is_lmtp) {
        for (size_t i = 0; i < client->message->recipients_count; i++) {
            if (client->recipients[i] != RECIPIENT_ACCEPTED)
                continue;
            client->recipients[i] = RECIPIENT_DUE;
            break;
        }
        client->is_body_answered = count_accepted(client) == 0;
    } else {
        smtp_client_settle(client, RECIPIENT_DUE);
        client->is_body_answered = true;
    }
    /* RFC 3030 §2: what a host holds after a refused chunk is not known. */
    client->needs_reset = client->is_chunk && class != 2;
    /* DATA has no other end than its dot: what was refused half-way ends the session. */
    if (is_early && !client->is_chunk)
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_REFUSED, &client->reply);
}
