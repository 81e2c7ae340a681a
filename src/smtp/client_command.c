/* SPDX-License-Identifier: ISC */
/* MAIL and RCPT with their parameters: RFC 5321 §4.1.1.2 and §4.1.1.3, and each extension's own. */
#include "smtp/client_private.h"

#include "envelope/xtext.h"

/* An address comes from our own envelope parser; what could end the command all the same does not
 * leave. */
static void
put_path(struct buffer *output, struct slice address)
{
    buffer_put_byte(output, '<');
    for (size_t i = 0; i < address.len; i++) {
        uint8_t octet = address.at[i];
        buffer_put_byte(output, octet < ' ' || octet == 0x7F ? '?' : octet);
    }
    buffer_put_byte(output, '>');
}

static void
put_number(struct buffer *output, const char *keyword, int64_t number)
{
    buffer_put_text(output, keyword);
    if (number < 0)
        buffer_put_byte(output, '-');
    buffer_put_decimal(output, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

/* RFC 3461 §4.3, §4.4 */
static void
put_dsn(struct buffer *output, const struct envelope_mail_parameters *parameters)
{
    struct buffer xtext;

    if (parameters->ret != ENVELOPE_RET_NONE)
        buffer_put_text(output, parameters->ret == ENVELOPE_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if (parameters->envid.len == 0)
        return;
    buffer_init(&xtext, ENVELOPE_ENVID_MAX);
    envelope_xtext_put(&xtext, parameters->envid);
    if (!buffer_overflowed(&xtext)) {
        buffer_put_text(output, " ENVID=");
        buffer_put(output, buffer_slice(&xtext));
    }
    buffer_finish(&xtext);
}

static void
put_body(struct smtp_client *client)
{
    if (smtp_client_is_binary(client))
        buffer_put_text(&client->output, " BODY=BINARYMIME");
    else if (client->content.is_8bit && client->extensions & ENVELOPE_8BITMIME)
        buffer_put_text(&client->output, " BODY=8BITMIME");
}

/* RFC 2852 §4 */
static void
put_deliver_by(struct buffer *output, const struct envelope_mail_parameters *parameters)
{
    put_number(output, " BY=", parameters->deliver_by_s);
    buffer_put_text(output, parameters->deliver_by_returns ? ";R" : ";N");
    if (parameters->deliver_by_traces)
        buffer_put_byte(output, 'T');
}

void
smtp_client_put_mail(struct smtp_client *client)
{
    const struct envelope_mail_parameters *parameters = &client->message->parameters;
    struct buffer *output = &client->output;

    buffer_put_text(output, "MAIL FROM:");
    put_path(output, client->message->reverse_path);
    if (client->extensions & ENVELOPE_SIZE) {
        buffer_put_text(output, " SIZE=");
        buffer_put_decimal(output, client->content.wire_len);
    }
    put_body(client);
    if (client->is_utf8)
        buffer_put_text(output, " SMTPUTF8");
    if (client->extensions & ENVELOPE_DSN)
        put_dsn(output, parameters);
    if (parameters->requires_tls)
        buffer_put_text(output, " REQUIRETLS");
    if (parameters->has_priority && client->extensions & ENVELOPE_MT_PRIORITY)
        put_number(output, " MT-PRIORITY=", parameters->priority);
    if (parameters->has_deliver_by && client->extensions & ENVELOPE_DELIVERBY)
        put_deliver_by(output, parameters);
    buffer_put_text(output, "\r\n");
    smtp_client_await(client, AWAIT_MAIL, 0);
}

/* RFC 3461 §4.1 */
static void
put_notify(struct buffer *output, uint8_t notify)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } rows[] = {
        {ENVELOPE_NOTIFY_SUCCESS, "SUCCESS"},
        {ENVELOPE_NOTIFY_FAILURE, "FAILURE"},
        {ENVELOPE_NOTIFY_DELAY, "DELAY"},
    };
    const char *before = "";

    if (notify == 0)
        return;
    buffer_put_text(output, " NOTIFY=");
    if (notify & ENVELOPE_NOTIFY_NEVER) {
        buffer_put_text(output, "NEVER");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!(notify & rows[i].bit))
            continue;
        buffer_put_text(output, before);
        buffer_put_text(output, rows[i].name);
        before = ",";
    }
}

/* RFC 3461 §4.2; RFC 6533 §3: the type utf-8 travels in a form that is pure ASCII. */
static void
put_original(struct buffer *output, const struct envelope_rcpt_parameters *parameters)
{
    struct buffer text;

    if (parameters->orcpt.len == 0 || parameters->orcpt_type.len == 0)
        return;
    buffer_init(&text, ENVELOPE_ORCPT_MAX);
    buffer_put(&text, parameters->orcpt_type);
    buffer_put_byte(&text, ';');
    if (slice_equal_nocase(parameters->orcpt_type, SLICE("utf-8")))
        envelope_unitext_put(&text, parameters->orcpt);
    else
        envelope_xtext_put(&text, parameters->orcpt);
    if (!buffer_overflowed(&text)) {
        buffer_put_text(output, " ORCPT=");
        buffer_put(output, buffer_slice(&text));
    }
    buffer_finish(&text);
}

/* RFC 2852 §4.1.4.2: who does not know the time tells at least of delay. */
static uint8_t
notify_of(const struct smtp_client *client, uint8_t notify)
{
    const struct envelope_mail_parameters *parameters = &client->message->parameters;

    if (!parameters->has_deliver_by || parameters->deliver_by_returns ||
        parameters->deliver_by_s <= 0 || client->extensions & ENVELOPE_DELIVERBY ||
        notify & ENVELOPE_NOTIFY_NEVER)
        return notify;
    return (notify ? notify : ENVELOPE_NOTIFY_FAILURE) | ENVELOPE_NOTIFY_DELAY;
}

void
smtp_client_put_rcpt(struct smtp_client *client, size_t recipient)
{
    const struct smtp_client_recipient *to = &client->message->recipients[recipient];

    buffer_put_text(&client->output, "RCPT TO:");
    put_path(&client->output, to->address);
    if (client->extensions & ENVELOPE_DSN) {
        put_notify(&client->output, notify_of(client, to->parameters.notify));
        put_original(&client->output, &to->parameters);
    }
    buffer_put_text(&client->output, "\r\n");
    smtp_client_await(client, AWAIT_RCPT, recipient);
}
