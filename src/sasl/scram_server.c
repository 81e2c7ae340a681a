/* SPDX-License-Identifier: ISC */
/* SCRAM, the server's side: RFC 5802 §5, §6 (channel binding), §7 (grammar); RFC 7677; RFC 9266. */
#include "sasl/scram_grammar.h"
#include "sasl/server_private.h"

#include "text/base64.h"

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y": what each is worth to us (RFC 5802 §6). */
static bool
take_binding_flag(struct sasl_server *server, struct cursor *cursor, enum sasl_failure *ret_failure)
{
    bool is_bound = sasl_mechanism_is_bound(server->mechanism);
    struct slice kind;

    *ret_failure = SASL_FAILURE_MALFORMED;
    if (sasl_scram_take_value(cursor, 'p', &kind)) {
        if (!is_bound)
            return false;
        *ret_failure = SASL_FAILURE_BINDING;
        return buffer_len(&server->binding) > 0 &&
               slice_equal(kind, buffer_slice(&server->binding_kind));
    }
    if (cursor_take_byte(cursor, 'y')) {
        if (server->is_binding_offered)
            *ret_failure = SASL_FAILURE_BINDING;
        return !server->is_binding_offered && !is_bound;
    }
    return cursor_take_byte(cursor, 'n') && !is_bound;
}

/* gs2-header = gs2-cbind-flag "," [ "a=" saslname ] "," */
static bool
take_gs2_header(struct sasl_server *server, struct cursor *cursor, enum sasl_failure *ret_failure)
{
    struct cursor start = *cursor;
    struct slice authzid;

    if (!take_binding_flag(server, cursor, ret_failure))
        return false;
    *ret_failure = SASL_FAILURE_MALFORMED;
    if (!cursor_take_byte(cursor, ','))
        return false;
    if (cursor_peek(cursor) != ',' && (!sasl_scram_take_value(cursor, 'a', &authzid) ||
                                       !sasl_scram_put_name_decoded(&server->authzid, authzid)))
        return false;
    if (!cursor_take_byte(cursor, ','))
        return false;
    buffer_put(&server->gs2_header,
               slice_first(cursor_rest(&start), cursor_left(&start) - cursor_left(cursor)));
    return true;
}

/* client-first-message = gs2-header [reserved-mext ","] username "," nonce ["," extensions] */
enum sasl_server_status
sasl_scram_server_first(struct sasl_server *server, struct slice message)
{
    struct cursor cursor = cursor_of(message);
    enum sasl_failure failure;
    struct slice name, nonce;

    if (!take_gs2_header(server, &cursor, &failure))
        return sasl_server_fail(server, failure);
    struct slice bare = cursor_rest(&cursor);
    if (!sasl_scram_take_value(&cursor, 'n', &name) ||
        !sasl_scram_put_name_decoded(&server->authcid, name) || !cursor_take_byte(&cursor, ',') ||
        !sasl_scram_take_value(&cursor, 'r', &nonce) ||
        !sasl_scram_nonce_is_valid(nonce, SASL_SCRAM_NONCE_MAX) ||
        !sasl_scram_skip_extensions(&cursor))
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    buffer_put(&server->nonce, nonce);
    buffer_put(&server->nonce, buffer_slice(&server->own_nonce));
    buffer_put(&server->auth_message, bare);
    buffer_clear(&server->message);
    server->stage = SASL_STAGE_KEYS;
    return SASL_SERVER_ASK_KEYS;
}

/* server-first-message = nonce "," salt "," iteration-count */
enum sasl_server_status
sasl_scram_server_keys(struct sasl_server *server)
{
    buffer_put_text(&server->message, "r=");
    buffer_put(&server->message, buffer_slice(&server->nonce));
    buffer_put_text(&server->message, ",s=");
    base64_format(slice_of(server->keys.salt, server->keys.salt_len), &server->message);
    buffer_put_text(&server->message, ",i=");
    buffer_put_decimal(&server->message, server->keys.iterations);
    buffer_put_byte(&server->auth_message, ',');
    buffer_put(&server->auth_message, buffer_slice(&server->message));
    server->stage = SASL_STAGE_SECOND;
    return SASL_SERVER_CHALLENGE;
}

/* cbind-input = gs2-header [ cbind-data ] */
static bool
binding_is_right(const struct sasl_server *server, struct slice text)
{
    struct buffer input;
    struct slice header = buffer_slice(&server->gs2_header);
    struct slice binding = buffer_slice(&server->binding);

    if (!sasl_mechanism_is_bound(server->mechanism))
        binding.len = 0;
    buffer_init(&input, SASL_MESSAGE_MAX);
    bool is_right = base64_parse(text, &input) &&
                    slice_equal(slice_first(buffer_slice(&input), header.len), header) &&
                    sasl_equal(slice_skip(buffer_slice(&input), header.len), binding);
    buffer_finish(&input);
    return is_right;
}

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage); right when its digest is StoredKey. */
static bool
proof_is_right(const struct sasl_server *server, const uint8_t *proof)
{
    enum sasl_hash hash = server->keys.hash;
    size_t len = sasl_hash_len(hash);
    uint8_t signature[SASL_DIGEST_MAX], client[SASL_DIGEST_MAX], stored[SASL_DIGEST_MAX];

    sasl_hmac(hash, slice_of(server->keys.stored, len), buffer_slice(&server->auth_message),
              signature);
    sasl_scram_mix(proof, signature, len, client);
    sasl_digest(hash, slice_of(client, len), stored);
    bool is_right = sasl_equal(slice_of(stored, len), slice_of(server->keys.stored, len));
    sasl_wipe(client, sizeof(client));
    return is_right && server->is_real;
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof */
static bool
parse_final(struct sasl_server *server, struct slice message, uint8_t *ret_proof,
            enum sasl_failure *ret_failure)
{
    struct cursor cursor = cursor_of(message);
    struct slice binding, nonce, proof;
    size_t proof_at = slice_find_last_byte(message, ',');
    struct cursor proof_cursor = cursor_of(slice_skip(message, proof_at + 1));

    *ret_failure = SASL_FAILURE_MALFORMED;
    if (!sasl_scram_take_value(&proof_cursor, 'p', &proof) ||
        !sasl_scram_digest_parse(proof, sasl_hash_len(server->keys.hash), ret_proof))
        return false;
    struct slice without_proof = slice_first(message, proof_at);
    cursor = cursor_of(without_proof);
    if (!sasl_scram_take_value(&cursor, 'c', &binding) || !cursor_take_byte(&cursor, ',') ||
        !sasl_scram_take_value(&cursor, 'r', &nonce) || !sasl_scram_skip_extensions(&cursor))
        return false;
    buffer_put_byte(&server->auth_message, ',');
    buffer_put(&server->auth_message, without_proof);
    *ret_failure = SASL_FAILURE_BINDING;
    if (!binding_is_right(server, binding))
        return false;
    *ret_failure = SASL_FAILURE_MALFORMED;
    return slice_equal(nonce, buffer_slice(&server->nonce));
}

/* server-final-message = verifier, which proves that we know the user's keys. */
enum sasl_server_status
sasl_scram_server_final(struct sasl_server *server, struct slice message)
{
    enum sasl_hash hash = server->keys.hash;
    uint8_t proof[SASL_DIGEST_MAX], signature[SASL_DIGEST_MAX];
    enum sasl_failure failure;

    if (!parse_final(server, message, proof, &failure))
        return sasl_server_fail(server, failure);
    assert(!buffer_overflowed(&server->auth_message));
    if (!proof_is_right(server, proof))
        return sasl_server_fail(server, SASL_FAILURE_CREDENTIALS);
    sasl_hmac(hash, slice_of(server->keys.server, sasl_hash_len(hash)),
              buffer_slice(&server->auth_message), signature);
    buffer_clear(&server->message);
    buffer_put_text(&server->message, "v=");
    base64_format(slice_of(signature, sasl_hash_len(hash)), &server->message);
    server->stage = SASL_STAGE_OVER;
    return SASL_SERVER_GRANTED;
}
