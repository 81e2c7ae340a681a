/* SPDX-License-Identifier: ISC */
/* The frame of the server's side, and the small mechanisms: PLAIN (RFC 4616), LOGIN
 * (draft-murchison-sasl-login) and EXTERNAL (RFC 4422 appendix A).
 * SCRAM is in scram_server.c, tokens in bearer_server.c. */
#include "sasl/server_private.h"

#include <stdlib.h>

struct sasl_server *
sasl_server_open(const struct sasl_server_options *options)
{
    struct sasl_server *server = calloc(1, sizeof(*server));

    if (!server)
        abort();
    assert(options->nonce.len <= SASL_NONCE_MAX && options->binding.len <= SASL_BINDING_MAX);
    server->mechanism = options->mechanism;
    server->is_binding_offered = options->is_binding_offered;
    struct buffer *const buffers[] = {
        &server->binding,    &server->binding_kind, &server->authcid,
        &server->authzid,    &server->password,     &server->message,
        &server->gs2_header, &server->own_nonce,    &server->nonce,
    };
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        buffer_init(buffers[i], SASL_MESSAGE_MAX);
    /* Three messages and two commas. */
    buffer_init(&server->auth_message, 3 * SASL_MESSAGE_MAX + 2);
    buffer_put(&server->binding, options->binding);
    buffer_put(&server->binding_kind, options->binding_kind);
    buffer_put(&server->own_nonce, options->nonce);
    return server;
}

static void
wipe_buffer(struct buffer *buffer)
{
    sasl_wipe(buffer->at, buffer->size);
    buffer_finish(buffer);
}

void
sasl_server_close(struct sasl_server **server)
{
    if (!*server)
        return;
    struct buffer *const buffers[] = {
        &(*server)->binding,      &(*server)->binding_kind, &(*server)->authcid,
        &(*server)->authzid,      &(*server)->password,     &(*server)->message,
        &(*server)->gs2_header,   &(*server)->nonce,        &(*server)->own_nonce,
        &(*server)->auth_message,
    };
    for (size_t i = 0; i < COUNT_OF(buffers); i++)
        wipe_buffer(buffers[i]);
    sasl_wipe(*server, sizeof(**server));
    free(*server);
    *server = NULL;
}

enum sasl_server_status
sasl_server_fail(struct sasl_server *server, enum sasl_failure failure)
{
    buffer_clear(&server->message);
    wipe_buffer(&server->password);
    server->failure = failure;
    server->stage = SASL_STAGE_OVER;
    return SASL_SERVER_FAILED;
}

static enum sasl_server_status
challenge(struct sasl_server *server, struct slice text, enum sasl_stage next)
{
    buffer_clear(&server->message);
    buffer_put(&server->message, text);
    server->stage = next;
    return SASL_SERVER_CHALLENGE;
}

static enum sasl_server_status
ask_password(struct sasl_server *server)
{
    buffer_clear(&server->message);
    server->stage = SASL_STAGE_PASSWORD;
    return SASL_SERVER_ASK_PASSWORD;
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 §2) */
static enum sasl_server_status
feed_plain(struct sasl_server *server, struct slice message)
{
    struct cursor cursor = cursor_of(message);
    struct slice authzid, authcid, password;

    if (!cursor_take_until(&cursor, 0, &authzid) || !cursor_take_byte(&cursor, 0) ||
        !cursor_take_until(&cursor, 0, &authcid) || !cursor_take_byte(&cursor, 0))
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    password = cursor_rest(&cursor);
    if (authcid.len == 0 || password.len == 0 || slice_find_byte(password, 0) < password.len)
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    buffer_put(&server->authzid, authzid);
    buffer_put(&server->authcid, authcid);
    buffer_put(&server->password, password);
    return ask_password(server);
}

static enum sasl_server_status
feed_login(struct sasl_server *server, struct slice message)
{
    if (message.len == 0 || slice_find_byte(message, 0) < message.len)
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    if (server->stage == SASL_STAGE_FIRST) {
        buffer_put(&server->authcid, message);
        return challenge(server, SLICE("Password:"), SASL_STAGE_SECOND);
    }
    buffer_put(&server->password, message);
    return ask_password(server);
}

/* extern-initial-resp = *( UTF8-char-no-nul ) */
static enum sasl_server_status
feed_external(struct sasl_server *server, struct slice message)
{
    if (slice_find_byte(message, 0) < message.len)
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    buffer_put(&server->authzid, message);
    buffer_clear(&server->message);
    server->stage = SASL_STAGE_EXTERNAL;
    return SASL_SERVER_ASK_EXTERNAL;
}

enum sasl_server_status
sasl_server_start(struct sasl_server *server, bool has_initial, struct slice initial)
{
    assert(server->stage == SASL_STAGE_NEW);
    server->stage = SASL_STAGE_FIRST;
    if (has_initial)
        return sasl_server_feed(server, initial);
    return challenge(server, server->mechanism == SASL_LOGIN ? SLICE("Username:") : SLICE(""),
                     SASL_STAGE_FIRST);
}

enum sasl_server_status
sasl_server_feed(struct sasl_server *server, struct slice response)
{
    assert(server->stage == SASL_STAGE_FIRST || server->stage == SASL_STAGE_SECOND);
    if (response.len > SASL_MESSAGE_MAX)
        return sasl_server_fail(server, SASL_FAILURE_MALFORMED);
    if (server->mechanism == SASL_PLAIN)
        return feed_plain(server, response);
    if (server->mechanism == SASL_LOGIN)
        return feed_login(server, response);
    if (server->mechanism == SASL_EXTERNAL)
        return feed_external(server, response);
    if (sasl_mechanism_is_bearer(server->mechanism))
        return sasl_bearer_server_feed(server, response);
    return server->stage == SASL_STAGE_FIRST ? sasl_scram_server_first(server, response)
                                             : sasl_scram_server_final(server, response);
}

enum sasl_server_status
sasl_server_answer_password(struct sasl_server *server, bool is_right)
{
    assert(server->stage == SASL_STAGE_PASSWORD);
    if (!is_right)
        return sasl_server_fail(server, SASL_FAILURE_CREDENTIALS);
    wipe_buffer(&server->password);
    server->stage = SASL_STAGE_OVER;
    return SASL_SERVER_GRANTED;
}

enum sasl_server_status
sasl_server_answer_external(struct sasl_server *server, bool is_right)
{
    assert(server->stage == SASL_STAGE_EXTERNAL);
    if (!is_right)
        return sasl_server_fail(server, SASL_FAILURE_CREDENTIALS);
    server->stage = SASL_STAGE_OVER;
    return SASL_SERVER_GRANTED;
}

enum sasl_server_status
sasl_server_answer_keys(struct sasl_server *server, const struct sasl_scram_keys *keys,
                        bool is_real)
{
    assert(server->stage == SASL_STAGE_KEYS && keys->hash == sasl_server_hash(server));
    server->keys = *keys;
    server->is_real = is_real;
    return sasl_scram_server_keys(server);
}

struct slice
sasl_server_message(const struct sasl_server *server)
{
    return buffer_slice(&server->message);
}

struct slice
sasl_server_authcid(const struct sasl_server *server)
{
    return buffer_slice(&server->authcid);
}

struct slice
sasl_server_authzid(const struct sasl_server *server)
{
    return buffer_slice(&server->authzid);
}

struct slice
sasl_server_password(const struct sasl_server *server)
{
    return buffer_slice(&server->password);
}

enum sasl_hash
sasl_server_hash(const struct sasl_server *server)
{
    return server->mechanism == SASL_SCRAM_SHA_1 || server->mechanism == SASL_SCRAM_SHA_1_PLUS
               ? SASL_HASH_SHA_1
               : SASL_HASH_SHA_256;
}

enum sasl_failure
sasl_server_failure(const struct sasl_server *server)
{
    return server->failure;
}
