/* SPDX-License-Identifier: ISC */
/* SCRAM, the client's side: RFC 5802 §5, §6, §7; RFC 7677. */
#include "sasl/client_private.h"

#include "sasl/scram_grammar.h"
#include "text/base64.h"

/* gs2-header: "y" says that we could bind but saw no -PLUS in the server's list (RFC 5802 §6). */
static void
put_gs2_header(struct sasl_client *client)
{
    if (sasl_mechanism_is_bound(client->mechanism)) {
        buffer_put_text(&client->response, "p=");
        buffer_put(&client->response, buffer_slice(&client->binding_kind));
    } else {
        bool could_bind = buffer_len(&client->binding) > 0 && !client->is_binding_seen;
        buffer_put_byte(&client->response, could_bind ? 'y' : 'n');
    }
    buffer_put_byte(&client->response, ',');
    if (buffer_len(&client->authzid) > 0) {
        buffer_put_text(&client->response, "a=");
        sasl_scram_put_name(&client->response, buffer_slice(&client->authzid));
    }
    buffer_put_byte(&client->response, ',');
}

void
sasl_scram_client_first(struct sasl_client *client)
{
    put_gs2_header(client);
    client->gs2_len = buffer_len(&client->response);
    buffer_put_text(&client->response, "n=");
    sasl_scram_put_name(&client->response, buffer_slice(&client->authcid));
    buffer_put_text(&client->response, ",r=");
    buffer_put(&client->response, buffer_slice(&client->nonce));
    buffer_clear(&client->first);
    buffer_put(&client->first, buffer_slice(&client->response));
}

struct server_first {
    struct slice nonce;
    uint32_t iterations;
    uint8_t salt[SASL_SALT_MAX];
    size_t salt_len;
};

static bool
parse_salt(struct slice text, struct server_first *first)
{
    struct buffer salt;

    buffer_init(&salt, sizeof(first->salt) + 3); /* decoding counts in groups of three */
    bool is_salt = base64_parse(text, &salt) && buffer_len(&salt) > 0 &&
                   buffer_len(&salt) <= sizeof(first->salt);
    if (is_salt) {
        first->salt_len = buffer_len(&salt);
        memcpy(first->salt, buffer_slice(&salt).at, first->salt_len);
    }
    buffer_finish(&salt);
    return is_salt;
}

/* server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions] */
static bool
parse_server_first(const struct sasl_client *client, struct slice text, struct server_first *first)
{
    struct cursor cursor = cursor_of(text), number;
    struct slice salt, iterations;

    if (!sasl_scram_take_value(&cursor, 'r', &first->nonce) || !cursor_take_byte(&cursor, ',') ||
        !sasl_scram_take_value(&cursor, 's', &salt) || !cursor_take_byte(&cursor, ',') ||
        !sasl_scram_take_value(&cursor, 'i', &iterations) || !sasl_scram_skip_extensions(&cursor))
        return false;
    number = cursor_of(iterations);
    struct slice own = buffer_slice(&client->nonce);
    return sasl_scram_nonce_is_valid(first->nonce, 2 * SASL_SCRAM_NONCE_MAX) &&
           slice_starts_with(first->nonce, own) && first->nonce.len > own.len &&
           parse_salt(salt, first) &&
           cursor_take_u32(&number, SASL_ITERATIONS_MIN, SASL_ITERATIONS_MAX, &first->iterations) &&
           cursor_is_done(&number);
}

/* client-final-message-without-proof, at the front of the response. */
static void
put_without_proof(struct sasl_client *client, struct slice nonce)
{
    struct buffer binding;

    buffer_init(&binding, SASL_MESSAGE_MAX);
    buffer_put(&binding, slice_first(buffer_slice(&client->first), client->gs2_len));
    if (sasl_mechanism_is_bound(client->mechanism))
        buffer_put(&binding, buffer_slice(&client->binding));
    buffer_put_text(&client->response, "c=");
    base64_format(buffer_slice(&binding), &client->response);
    buffer_put_text(&client->response, ",r=");
    buffer_put(&client->response, nonce);
    buffer_finish(&binding);
}

bool
sasl_scram_client_final(struct sasl_client *client, struct slice challenge)
{
    enum sasl_hash hash = sasl_client_hash(client);
    size_t len = sasl_hash_len(hash);
    uint8_t salted[SASL_DIGEST_MAX], key[SASL_DIGEST_MAX], stored[SASL_DIGEST_MAX];
    uint8_t signature[SASL_DIGEST_MAX], proof[SASL_DIGEST_MAX];
    struct server_first first = {0};

    if (!parse_server_first(client, challenge, &first))
        return false;
    put_without_proof(client, first.nonce);
    buffer_put(&client->auth_message, slice_skip(buffer_slice(&client->first), client->gs2_len));
    buffer_put_byte(&client->auth_message, ',');
    buffer_put(&client->auth_message, challenge);
    buffer_put_byte(&client->auth_message, ',');
    buffer_put(&client->auth_message, buffer_slice(&client->response));
    struct slice message = buffer_slice(&client->auth_message);
    sasl_pbkdf2(hash, buffer_slice(&client->password), slice_of(first.salt, first.salt_len),
                first.iterations, salted);
    sasl_hmac(hash, slice_of(salted, len), SLICE("Client Key"), key);
    sasl_digest(hash, slice_of(key, len), stored);
    sasl_hmac(hash, slice_of(stored, len), message, signature);
    sasl_scram_mix(key, signature, len, proof);
    sasl_hmac(hash, slice_of(salted, len), SLICE("Server Key"), key);
    sasl_hmac(hash, slice_of(key, len), message, client->server_signature);
    buffer_put_text(&client->response, ",p=");
    base64_format(slice_of(proof, len), &client->response);
    sasl_wipe(salted, sizeof(salted));
    sasl_wipe(key, sizeof(key));
    return !buffer_overflowed(&client->response);
}

/* server-final-message = (server-error / verifier) ["," extensions] */
bool
sasl_scram_client_check(struct sasl_client *client, struct slice challenge)
{
    struct cursor cursor = cursor_of(challenge);
    size_t len = sasl_hash_len(sasl_client_hash(client));
    uint8_t signature[SASL_DIGEST_MAX];
    struct slice verifier;

    if (!sasl_scram_take_value(&cursor, 'v', &verifier) || !sasl_scram_skip_extensions(&cursor) ||
        !sasl_scram_digest_parse(verifier, len, signature) ||
        !sasl_equal(slice_of(signature, len), slice_of(client->server_signature, len)))
        return false;
    client->is_done = true;
    return true;
}
