/* SPDX-License-Identifier: ISC */
/* Is the token good? Tokens are hostile JSON: they are read in a helper process that has no rights
 * and knows nothing but public keys, one after another. */
#include "role/auth/auth_private.h"

#include "base/cursor.h"
#include "host/log.h"
#include "role/snapshot.h"
#include "token/token.h"

#include <errno.h>

static const char keys_name[] = "oauth-keys.json";

/* ---- in the helper ------------------------------------------------------------------------- */

static bool
take_piece(struct cursor *cursor, struct slice *ret_piece)
{
    uint32_t len;

    return cursor_take_le32(cursor, &len) && cursor_take_bytes(cursor, len, ret_piece);
}

void
auth_helper_token(void *context, struct slice question, struct buffer *answer)
{
    struct cursor cursor = cursor_of(question);
    enum token_result result = TOKEN_MALFORMED;
    struct token_policy policy;
    struct buffer name;
    struct slice token;
    uint64_t now;

    (void)context;
    buffer_init(&name, TOKEN_NAME_MAX);
    if (cursor_take_le64(&cursor, &now) && take_piece(&cursor, &policy.issuer) &&
        take_piece(&cursor, &policy.audience) && take_piece(&cursor, &policy.claim) &&
        take_piece(&cursor, &policy.keys) && take_piece(&cursor, &token)) {
        policy.now = (struct wall){(int64_t)now};
        result = token_verify(token, &policy, &name);
    }
    buffer_put_byte(answer, (uint8_t)result);
    buffer_put(answer, buffer_slice(&name));
    buffer_finish(&name);
}

/* ---- the keys ------------------------------------------------------------------------------ */

static void
refresh_keys(struct auth *auth)
{
    struct snapshot snapshot;
    struct log_line line;

    if (auth->oauth_keys_stamp != 0 &&
        !snapshot_has_changed(auth->dir, keys_name, auth->oauth_keys_stamp))
        return;
    int error = snapshot_read(auth->dir, keys_name, TOKEN_KEYS_MAX, &snapshot);
    if (error < 0) {
        log_begin(&line, auth->start.host, HOST_LEVEL_ERROR, "oauth_keys_not_read");
        log_string(&line, "file", keys_name);
        log_error(&line, "error", error);
        log_end(&line);
        return;
    }
    buffer_clear(&auth->oauth_keys);
    buffer_put(&auth->oauth_keys, buffer_slice(&snapshot.bytes));
    auth->oauth_keys_stamp = snapshot.stamp;
    snapshot_finish(&snapshot);
}

/* ---- questions ----------------------------------------------------------------------------- */

static void
put_piece(struct buffer *buffer, struct slice piece)
{
    buffer_put_le32(buffer, (uint32_t)piece.len);
    buffer_put(buffer, piece);
}

static void
ask_next(struct auth *auth)
{
    const struct config *config = auth->start.config;
    struct buffer question;

    if (auth->token.is_busy || list_is_empty(&auth->jobs_token))
        return;
    struct auth_session *session = LIST_ITEM(auth->jobs_token.next, struct auth_session, job);
    list_remove(&session->job);
    session->is_queued = false;
    auth->job_count--;
    refresh_keys(auth);
    buffer_init(&question, HOST_NOTE_MAX);
    buffer_put_le64(&question, (uint64_t)host_wall(auth->start.host).ns);
    put_piece(&question, config->oauth_issuer);
    put_piece(&question, config->oauth_audience);
    put_piece(&question, config->oauth_claim);
    put_piece(&question, buffer_slice(&auth->oauth_keys));
    put_piece(&question, sasl_server_token(session->sasl));
    host_channel_send(auth->token.channel, buffer_slice(&question), HOST_HANDLE_NONE);
    sasl_wipe(question.at, question.size);
    buffer_finish(&question);
    auth->token.is_busy = true;
    auth->token.session = session;
    session->helper = &auth->token;
}

void
auth_bearer_ask(struct auth_session *session)
{
    struct auth *auth = session->client->auth;

    session->wait = AUTH_WAIT_PROOF;
    if (!auth->token.channel || auth->job_count >= AUTH_JOBS_MAX) {
        auth_session_on_proof_failed(session);
        return;
    }
    list_append(&auth->jobs_token, &session->job);
    session->is_queued = true;
    auth->job_count++;
    ask_next(auth);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
on_answer(void *context, struct slice answer, host_handle handle)
{
    struct auth *auth = context;
    struct auth_session *session = auth->token.session;
    enum token_result result = answer.len > 0 && answer.at[0] < TOKEN_RESULTS
                                   ? (enum token_result)answer.at[0]
                                   : TOKEN_MALFORMED;

    host_handle_close(auth->start.host, handle);
    auth->token.is_busy = false;
    auth->token.session = NULL;
    if (session) {
        session->helper = NULL;
        auth_session_on_token(session, slice_skip(answer, 1),
                              result == TOKEN_OK ? NULL : token_result_name(result));
    }
    ask_next(auth);
}

static void
on_closed(void *context)
{
    struct auth *auth = context;

    host_channel_close(&auth->token.channel);
    auth->start.fail(auth->start.fail_context, "the helper process for tokens has ended");
}

int
auth_bearer_open(struct auth *auth)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_closed};
    host_handle handle;

    list_init(&auth->jobs_token);
    buffer_init(&auth->oauth_keys, TOKEN_KEYS_MAX);
    if (auth->start.config->oauth_issuer.len == 0)
        return 0;
    int error =
        host_helper_open(auth->start.host, HOST_HELPER_PURE, auth_helper_token, NULL, &handle);
    if (error == 0)
        auth->token.channel = host_channel_open(auth->start.host, handle, &handler, auth);
    return error;
}

void
auth_bearer_close(struct auth *auth)
{
    host_channel_close(&auth->token.channel);
    buffer_finish(&auth->oauth_keys);
}
