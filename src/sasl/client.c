/* SPDX-License-Identifier: ISC */
/* The frame of the client's side, PLAIN (RFC 4616) and LOGIN; SCRAM is in scram_client.c. */
#include "sasl/client_private.h"

#include "sasl/prepare.h"

#include <stdlib.h>

/* No name of ours is longer; what a server does with longer ones is nobody's guess. */
enum { CLIENT_NAME_MAX = 1024 };

static bool
name_is_sendable(struct slice name)
{
    return name.len <= CLIENT_NAME_MAX && slice_find_byte(name, 0) == name.len;
}

/* What cannot be prepared is sent as it is where the mechanism allows it: the server may know the
 * password from a time before SASLprep. SCRAM has no such way. */
static bool
put_password(struct sasl_client *client, struct slice password)
{
    if (sasl_prepare(&client->password, password))
        return true;
    if (!sasl_mechanism_is_plaintext(client->mechanism) || password.len == 0 ||
        !name_is_sendable(password))
        return false;
    buffer_put(&client->password, password);
    return true;
}

struct sasl_client *
sasl_client_open(const struct sasl_client_options *options)
{
    struct sasl_client *client = calloc(1, sizeof(*client));

    if (!client)
        abort();
    client->mechanism = options->mechanism;
    client->is_binding_seen = options->is_binding_seen;
    struct buffer *const buffers[] = {
        &client->authcid,      &client->authzid,  &client->password, &client->binding,
        &client->binding_kind, &client->response, &client->first,    &client->nonce,
    };
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_init(buffers[i], SASL_MESSAGE_MAX);
    buffer_init(&client->auth_message, 3 * SASL_MESSAGE_MAX + 2);
    assert(options->nonce.len <= SASL_NONCE_MAX);
    buffer_put(&client->nonce, options->nonce);
    buffer_put(&client->authcid, options->authcid);
    buffer_put(&client->authzid, options->authzid);
    buffer_put(&client->binding, options->binding);
    buffer_put(&client->binding_kind, options->binding_kind);
    bool has_binding = options->binding.len > 0;
    if (options->authcid.len == 0 || !name_is_sendable(options->authcid) ||
        !name_is_sendable(options->authzid) || !put_password(client, options->password) ||
        (sasl_mechanism_is_bound(options->mechanism) && !has_binding))
        sasl_client_close(&client);
    return client;
}

static void
wipe_buffer(struct buffer *buffer)
{
    sasl_wipe(buffer->at, buffer->size);
    buffer_finish(buffer);
}

void
sasl_client_close(struct sasl_client **client)
{
    if (!*client)
        return;
    struct buffer *const buffers[] = {
        &(*client)->authcid, &(*client)->authzid,      &(*client)->password,
        &(*client)->binding, &(*client)->binding_kind, &(*client)->response,
        &(*client)->first,   &(*client)->nonce,        &(*client)->auth_message,
    };
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        wipe_buffer(buffers[i]);
    sasl_wipe(*client, sizeof(**client));
    free(*client);
    *client = NULL;
}

enum sasl_hash
sasl_client_hash(const struct sasl_client *client)
{
    return client->mechanism == SASL_SCRAM_SHA_1 || client->mechanism == SASL_SCRAM_SHA_1_PLUS
               ? SASL_HASH_SHA_1
               : SASL_HASH_SHA_256;
}

struct slice
sasl_client_initial(struct sasl_client *client)
{
    buffer_clear(&client->response);
    if (client->mechanism == SASL_PLAIN) {
        buffer_put(&client->response, buffer_slice(&client->authzid));
        buffer_put_byte(&client->response, 0);
        buffer_put(&client->response, buffer_slice(&client->authcid));
        buffer_put_byte(&client->response, 0);
        buffer_put(&client->response, buffer_slice(&client->password));
        client->is_done = true;
    } else if (client->mechanism == SASL_LOGIN) {
        buffer_put(&client->response, buffer_slice(&client->authcid));
    } else {
        sasl_scram_client_first(client);
    }
    return buffer_slice(&client->response);
}

/* LOGIN has no grammar: whatever the second challenge says, it wants the password. */
static bool
step_login(struct sasl_client *client)
{
    if (client->is_done)
        return false;
    buffer_put(&client->response, buffer_slice(&client->password));
    client->is_done = true;
    return true;
}

bool
sasl_client_step(struct sasl_client *client, struct slice challenge, struct slice *ret_response)
{
    bool is_good;

    buffer_clear(&client->response);
    if (challenge.len > SASL_MESSAGE_MAX)
        return false;
    client->steps++;
    if (client->mechanism == SASL_PLAIN)
        return false;
    if (client->mechanism == SASL_LOGIN)
        is_good = step_login(client);
    else if (client->steps == 1)
        is_good = sasl_scram_client_final(client, challenge);
    else
        is_good = client->steps == 2 && sasl_scram_client_check(client, challenge);
    if (is_good)
        *ret_response = buffer_slice(&client->response);
    return is_good;
}

bool
sasl_client_is_done(const struct sasl_client *client)
{
    return client->is_done;
}
