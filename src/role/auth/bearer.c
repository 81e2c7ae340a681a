/* SPDX-License-Identifier: ISC */
/* Is the token good, or the certificate? Tokens are hostile JSON, certificates hostile ASN.1: they
 * are read in a helper process that has no rights and knows nothing but public keys, one after
 * another. */
#include "role/auth/auth_private.h"

#include "base/cursor.h"
#include "host/log.h"
#include "role/snapshot.h"
#include "tls/chain.h"
#include "token/token.h"

enum { TRUST_MAX = 1024 * 1024 };

static const char keys_name[] = "oauth-keys.json";

/* ---- in the helper ------------------------------------------------------------------------- */

static bool
take_piece(struct cursor *cursor, struct slice *ret_piece)
{
    uint32_t len;

    return cursor_take_le32(cursor, &len) && cursor_take_bytes(cursor, len, ret_piece);
}

static void
judge_token(struct cursor *cursor, struct wall now, struct buffer *answer)
{
    enum token_result result = TOKEN_MALFORMED;
    struct token_policy policy = {.now = now};
    struct buffer name;
    struct slice token;

    buffer_init(&name, TOKEN_NAME_MAX);
    if (take_piece(cursor, &policy.issuer) && take_piece(cursor, &policy.audience) &&
        take_piece(cursor, &policy.claim) && take_piece(cursor, &policy.keys) &&
        take_piece(cursor, &token))
        result = token_verify(token, &policy, &name);
    buffer_put_byte(answer, (uint8_t)result);
    buffer_put(answer, buffer_slice(&name));
    buffer_finish(&name);
}

static void
judge_certificate(struct cursor *cursor, struct wall now, struct slice trust,
                  struct buffer *answer)
{
    enum tls_chain_result result = TLS_CHAIN_MALFORMED;
    struct tls_chain_policy policy = {.trust = trust, .now = now};
    struct buffer names;
    uint8_t name;

    buffer_init(&names, TLS_CHAIN_NAMES_MAX * (TLS_CHAIN_NAME_MAX + 1));
    if (cursor_take_any(cursor, &name) && name <= TLS_CHAIN_USER_ID) {
        policy.name = (enum tls_chain_name)name;
        result = tls_chain_verify(cursor_rest(cursor), &policy, &names);
    }
    buffer_put_byte(answer, (uint8_t)result);
    buffer_put(answer, buffer_slice(&names));
    buffer_finish(&names);
}

void
auth_helper_judge(void *context, struct slice question, struct buffer *answer)
{
    const struct auth *auth = context;
    struct cursor cursor = cursor_of(question);
    uint8_t kind;
    uint64_t now;

    if (!cursor_take_any(&cursor, &kind) || !cursor_take_le64(&cursor, &now))
        return; /* nobody asks like this; no answer is as good as a wrong one */
    if (kind == AUTH_QUESTION_TOKEN)
        judge_token(&cursor, (struct wall){(int64_t)now}, answer);
    else
        judge_certificate(&cursor, (struct wall){(int64_t)now}, buffer_slice(&auth->client_trust),
                          answer);
}

/* ---- the keys ------------------------------------------------------------------------------ */

/* Keys of a file that was never read, or has nothing in it, say of no token that it is bad. */
static bool
refresh_keys(struct auth *auth)
{
    struct snapshot snapshot;
    struct log_line line;

    if (auth->oauth_keys_stamp != 0 &&
        !snapshot_has_changed(auth->dir, keys_name, auth->oauth_keys_stamp))
        return buffer_len(&auth->oauth_keys) > 0;
    int error = snapshot_read(auth->dir, keys_name, TOKEN_KEYS_MAX, &snapshot);
    if (error < 0) {
        log_begin(&line, auth->start.host, HOST_LEVEL_ERROR, "oauth_keys_not_read");
        log_string(&line, "file", keys_name);
        log_error(&line, "error", error);
        log_end(&line);
        return buffer_len(&auth->oauth_keys) > 0;
    }
    buffer_clear(&auth->oauth_keys);
    buffer_put(&auth->oauth_keys, buffer_slice(&snapshot.bytes));
    auth->oauth_keys_stamp = snapshot.stamp;
    snapshot_finish(&snapshot);
    return buffer_len(&auth->oauth_keys) > 0;
}

/* ---- questions ----------------------------------------------------------------------------- */

static void
put_piece(struct buffer *buffer, struct slice piece)
{
    buffer_put_le32(buffer, (uint32_t)piece.len);
    buffer_put(buffer, piece);
}

static void
put_question(struct auth_session *session, struct buffer *question)
{
    struct auth *auth = session->client->auth;
    const struct config *config = auth->start.config;
    bool is_token = session->mechanism != SASL_EXTERNAL;

    buffer_put_byte(question, is_token ? AUTH_QUESTION_TOKEN : AUTH_QUESTION_CERTIFICATE);
    buffer_put_le64(question, (uint64_t)host_wall(auth->start.host).ns);
    if (!is_token) {
        buffer_put_byte(question, (uint8_t)config->tls_client_name);
        buffer_put(question, buffer_slice(&session->certificates));
        return;
    }
    put_piece(question, config->oauth_issuer);
    put_piece(question, config->oauth_audience);
    put_piece(question, config->oauth_claim);
    put_piece(question, buffer_slice(&auth->oauth_keys));
    put_piece(question, sasl_server_token(session->sasl));
}

static void
ask_next(struct auth *auth)
{
    struct buffer question;

    if (auth->judge.is_busy || list_is_empty(&auth->jobs_judge))
        return;
    struct auth_session *session = LIST_ITEM(auth->jobs_judge.next, struct auth_session, job);
    list_remove(&session->job);
    session->is_queued = false;
    auth->job_count--;
    buffer_init(&question, HOST_NOTE_MAX);
    put_question(session, &question);
    host_channel_send(auth->judge.channel, buffer_slice(&question), HOST_HANDLE_NONE);
    sasl_wipe(question.at, question.size);
    buffer_finish(&question);
    auth->judge.is_busy = true;
    auth->judge.session = session;
    session->helper = &auth->judge;
}

void
auth_bearer_ask(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    const struct config *config = auth->start.config;
    bool is_token = session->mechanism != SASL_EXTERNAL;

    session->wait = AUTH_WAIT_PROOF;
    if (is_token && config->oauth_introspection.len > 0) {
        auth_issuer_ask(session);
        return;
    }
    if (is_token && config->oauth_jwks.len > 0 && !auth_keys_are_known(session))
        return;
    if (is_token && config->oauth_jwks.len == 0 && !refresh_keys(auth)) {
        auth_session_on_keys_away(session);
        return;
    }
    if (!auth->judge.channel || auth->job_count >= AUTH_JOBS_MAX) {
        auth_session_on_proof_failed(session);
        return;
    }
    list_append(&auth->jobs_judge, &session->job);
    session->is_queued = true;
    auth->job_count++;
    ask_next(auth);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
tell(struct auth_session *session, uint8_t octet, struct slice names)
{
    if (session->mechanism == SASL_EXTERNAL) {
        enum tls_chain_result result =
            octet < TLS_CHAIN_RESULTS ? (enum tls_chain_result)octet : TLS_CHAIN_MALFORMED;
        auth_session_on_certificate(session, names,
                                    result == TLS_CHAIN_OK ? NULL : tls_chain_result_name(result));
        return;
    }
    enum token_result result =
        octet < TOKEN_RESULTS ? (enum token_result)octet : TOKEN_MALFORMED;
    if (result == TOKEN_NO_KEY && auth_keys_may_be_newer(session))
        return;
    auth_session_on_token(session, names, result == TOKEN_OK ? NULL : token_result_name(result));
}

static void
on_answer(void *context, struct slice answer, host_handle handle)
{
    struct auth *auth = context;
    struct auth_session *session = auth->judge.session;

    host_handle_close(auth->start.host, handle);
    auth->judge.is_busy = false;
    auth->judge.session = NULL;
    if (session) {
        session->helper = NULL;
        tell(session, answer.len > 0 ? answer.at[0] : UINT8_MAX, slice_skip(answer, 1));
    }
    ask_next(auth);
}

static void
on_closed(void *context)
{
    struct auth *auth = context;

    host_channel_close(&auth->judge.channel);
    auth->start.fail(auth->start.fail_context,
                     "the helper process for tokens and certificates has ended");
}

/* Copied before the process is confined; the helper has it from its birth. */
static int
read_trust(struct auth *auth)
{
    struct slice path = auth->start.config->tls_client_trust;
    struct snapshot snapshot;
    struct log_line line;

    if (path.len == 0)
        return 0;
    int error = snapshot_read_path(auth->start.host, path, TRUST_MAX, &snapshot);
    if (error == 0) {
        buffer_put(&auth->client_trust, buffer_slice(&snapshot.bytes));
        snapshot_finish(&snapshot);
        return 0;
    }
    log_begin(&line, auth->start.host, HOST_LEVEL_ERROR, "tls_client_trust_not_read");
    log_error(&line, "error", error);
    log_end(&line);
    return error;
}

int
auth_bearer_open(struct auth *auth)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_closed};
    const struct config *config = auth->start.config;
    host_handle handle;

    list_init(&auth->jobs_judge);
    buffer_init(&auth->oauth_keys, TOKEN_KEYS_MAX);
    buffer_init(&auth->client_trust, TRUST_MAX);
    /* With introspection nobody needs it for tokens. */
    bool needs_tokens = config->oauth_issuer.len > 0 && config->oauth_introspection.len == 0;
    if (!needs_tokens && config->tls_client_trust.len == 0)
        return 0;
    int error = read_trust(auth);
    if (error == 0)
        error =
            host_helper_open(auth->start.host, HOST_HELPER_PURE, auth_helper_judge, auth, &handle);
    if (error == 0)
        auth->judge.channel = host_channel_open(auth->start.host, handle, &handler, auth);
    return error;
}

void
auth_bearer_close(struct auth *auth)
{
    host_channel_close(&auth->judge.channel);
    buffer_finish(&auth->oauth_keys);
    buffer_finish(&auth->client_trust);
}
