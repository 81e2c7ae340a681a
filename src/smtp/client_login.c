/* SPDX-License-Identifier: ISC */
/* AUTH from the client's side: RFC 4954. */
#include "smtp/client_private.h"

#include "text/base64.h"

/* Best first: what proves most and gives away least. */
static const enum sasl_mechanism preference[] = {
    SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_1_PLUS,
    SASL_SCRAM_SHA_1,        SASL_PLAIN,         SASL_LOGIN,
};

static bool
is_usable(const struct smtp_client *client, enum sasl_mechanism mechanism)
{
    if (!(client->mechanisms & (1U << mechanism)))
        return false;
    if (sasl_mechanism_is_bound(mechanism) && buffer_len(&client->binding) == 0)
        return false;
    return !sasl_mechanism_is_plaintext(mechanism) || client->is_secure || client->options.is_local;
}

static struct sasl_client *
open_exchange(const struct smtp_client *client, enum sasl_mechanism mechanism)
{
    unsigned bound = 1U << SASL_SCRAM_SHA_256_PLUS | 1U << SASL_SCRAM_SHA_1_PLUS;

    return sasl_client_open(&(struct sasl_client_options){
        .mechanism = mechanism,
        .authcid = client->options.name,
        .password = client->options.password,
        .nonce = client->options.nonce,
        .binding = buffer_slice(&client->binding),
        .binding_kind = buffer_slice(&client->binding_kind),
        .is_binding_seen = (client->mechanisms & bound) != 0,
    });
}

/* RFC 4954 §4: an empty initial response is "=". */
static void
put_initial(struct smtp_client *client, enum sasl_mechanism mechanism)
{
    struct slice initial = sasl_client_initial(client->sasl);

    buffer_put_text(&client->output, "AUTH ");
    buffer_put(&client->output, sasl_mechanism_name(mechanism));
    /* Some hosts know LOGIN only without an initial response. */
    if (mechanism != SASL_LOGIN) {
        buffer_put_byte(&client->output, ' ');
        if (initial.len == 0)
            buffer_put_byte(&client->output, '=');
        base64_format(initial, &client->output);
    }
    buffer_put_text(&client->output, "\r\n");
}

void
smtp_client_login(struct smtp_client *client)
{
    for (size_t i = 0; i < COUNT_OF(preference); i++) {
        if (!is_usable(client, preference[i]))
            continue;
        client->sasl = open_exchange(client, preference[i]);
        if (!client->sasl)
            continue;
        client->is_first_challenge = preference[i] == SASL_LOGIN;
        put_initial(client, preference[i]);
        smtp_client_await(client, AWAIT_AUTH, 0);
        return;
    }
    smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_LOGIN,
                            "The host offers no way to log in that may be used here");
}

static void
abort_exchange(struct smtp_client *client)
{
    buffer_put_text(&client->output, "*\r\n");
    smtp_client_await(client, AWAIT_AUTH_ABORT, 0);
}

static void
answer_challenge(struct smtp_client *client)
{
    struct buffer challenge;
    struct slice response;

    buffer_init(&challenge, SASL_MESSAGE_MAX);
    bool is_good = base64_parse(slice_trim(buffer_slice(&client->challenge)), &challenge);
    if (client->is_first_challenge) {
        /* LOGIN's "Username:", whatever it looks like. */
        client->is_first_challenge = false;
        response = sasl_client_initial(client->sasl);
        is_good = true;
    } else {
        is_good = is_good && sasl_client_step(client->sasl, buffer_slice(&challenge), &response);
    }
    if (is_good) {
        base64_format(response, &client->output);
        buffer_put_text(&client->output, "\r\n");
        smtp_client_await(client, AWAIT_AUTH, 0);
    } else {
        abort_exchange(client);
    }
    buffer_finish(&challenge);
}

void
smtp_client_login_answered(struct smtp_client *client)
{
    if (client->reply.code == 334) {
        answer_challenge(client);
        return;
    }
    bool is_done = sasl_client_is_done(client->sasl);
    sasl_client_close(&client->sasl);
    if (client->reply.code / 100 != 2) {
        smtp_client_shut(client, SMTP_CLIENT_CLOSE_LOGIN, &client->reply);
    } else if (!is_done) {
        smtp_client_shut_saying(client, SMTP_CLIENT_CLOSE_LOGIN,
                                "The host let us in without having proven itself");
    } else {
        client->is_authenticated = true;
        smtp_client_proceed(client);
    }
}
