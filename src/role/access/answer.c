/* SPDX-License-Identifier: ISC */
/* What auth and store have answered, made into answers to the engines. */
#include "role/access/access.h"

#include "tls/facts.h"

#include <stdlib.h>

/* ---- auth ---------------------------------------------------------------------------------- */

static enum pop3_answer_kind
kind_of_failure(enum access_auth_failure failure)
{
    switch (failure) {
    case ACCESS_AUTH_FAILURE_CREDENTIALS:
    case ACCESS_AUTH_FAILURE_LOCKED: /* strangers need not know that there is something to lock */
        return POP3_ANSWER_CREDENTIALS;
    case ACCESS_AUTH_FAILURE_MECHANISM:
        return POP3_ANSWER_MECHANISM;
    case ACCESS_AUTH_FAILURE_MALFORMED:
        return POP3_ANSWER_MALFORMED;
    case ACCESS_AUTH_FAILURE_WEAK:
        return POP3_ANSWER_WEAK;
    case ACCESS_AUTH_FAILURE_LIMIT:
        return POP3_ANSWER_LIMIT;
    case ACCESS_AUTH_FAILURE_TEMPORARY:
    case ACCESS_AUTH_FAILURE_COUNT:
        break;
    }
    return POP3_ANSWER_TEMPORARY;
}

/* True when the account has logged in within the time of LOGIN-DELAY (RFC 2449 §6.5); otherwise
 * this login is the last one from now on. */
static bool
is_too_soon(struct access_role *role, uint64_t account, struct instant now)
{
    struct access_login *login = map_find(&role->last_logins, map_key_u64(&account));

    if (role->config->pop3_login_delay.ns == 0)
        return false;
    if (login && instant_since(now, login->when).ns < role->config->pop3_login_delay.ns)
        return true;
    if (!login) {
        login = calloc(1, sizeof(*login));
        if (!login)
            abort();
        map_set(&role->last_logins, map_key_u64(&account), login);
    }
    login->when = now;
    return false;
}

static void
log_login(struct access_session *session, const struct access_auth_granted *note)
{
    const struct tls_engine *tls = connection_tls(session->connection);
    struct log_line line;

    access_session_log(&line, session, HOST_LEVEL_INFO, "login");
    log_number(&line, "account", note->account);
    log_address(&line, "name", note->name);
    if (tls) {
        log_text(&line, "tls", tls_engine_version(tls));
        log_text(&line, "cipher", tls_engine_cipher(tls));
    }
    log_end(&line);
}

static void
on_granted(struct access_role *role, const struct access_auth_granted *note)
{
    struct access_session *session = access_session_find(role, note->session);

    if (!session || session->waiting != WAITING_AUTH) {
        access_role_end_grant(role, note->session); /* who asked is gone */
        return;
    }
    session->auth_session = 0;
    session->granted = session->number = note->session;
    if (!session->imap && is_too_soon(role, note->account, host_now(role->host))) {
        access_role_end_grant(role, session->granted);
        session->granted = 0;
        access_session_answer_later(session, POP3_ANSWER_LOGIN_DELAY);
        return;
    }
    session->account = note->account;
    role->logins++;
    log_login(session, note);
    access_session_answer(session, &(struct pop3_answer){.kind = POP3_ANSWER_OK,
                                                         .challenge = note->last_challenge});
    connection_wake(session->connection);
}

static void
on_failed(struct access_role *role, const struct access_auth_failed *note)
{
    struct access_session *session = access_session_find(role, note->session);

    if (!session || session->waiting != WAITING_AUTH)
        return;
    session->auth_session = 0;
    access_session_answer(session, &(struct pop3_answer){.kind = kind_of_failure(note->failure),
                                                         .delay_ms = note->delay_ms});
    connection_wake(session->connection);
}

static void
on_challenge(struct access_role *role, const struct access_auth_challenge *note)
{
    struct access_session *session = access_session_find(role, note->session);

    if (!session || session->waiting != WAITING_AUTH)
        return;
    access_session_answer(session, &(struct pop3_answer){.kind = POP3_ANSWER_CHALLENGE,
                                                         .challenge = note->challenge});
    connection_wake(session->connection);
}

void
access_role_on_auth_note(struct access_role *role, const struct access_auth_note *note)
{
    switch (note->kind) {
    case ACCESS_AUTH_CHALLENGE:
        on_challenge(role, &note->as.challenge);
        break;
    case ACCESS_AUTH_FAILED:
        on_failed(role, &note->as.failed);
        break;
    case ACCESS_AUTH_GRANTED:
        on_granted(role, &note->as.granted);
        break;
    case ACCESS_AUTH_BEGIN:
    case ACCESS_AUTH_STEP:
    case ACCESS_AUTH_ABORT:
    case ACCESS_AUTH_APOP:
        break; /* never from that side: the codec has refused it */
    }
}

/* ---- store --------------------------------------------------------------------------------- */

static enum pop3_answer_kind
kind_of_result(enum access_store_result result)
{
    switch (result) {
    case ACCESS_STORE_RESULT_OK:
        return POP3_ANSWER_OK;
    case ACCESS_STORE_RESULT_IN_USE:
        return POP3_ANSWER_IN_USE;
    case ACCESS_STORE_RESULT_NOT_FOUND:
    case ACCESS_STORE_RESULT_EXPUNGED:
        return POP3_ANSWER_EXPUNGED;
    case ACCESS_STORE_RESULT_NO_PERMISSION:
        return POP3_ANSWER_NOT_PERMITTED;
    case ACCESS_STORE_RESULT_DAMAGED:
        return POP3_ANSWER_DAMAGED;
    case ACCESS_STORE_RESULT_EXISTS:
    case ACCESS_STORE_RESULT_QUOTA:
    case ACCESS_STORE_RESULT_LIMIT:
    case ACCESS_STORE_RESULT_INVALID:
    case ACCESS_STORE_RESULT_NO_SPACE:
    case ACCESS_STORE_RESULT_TEMPORARY:
    case ACCESS_STORE_RESULT_COUNT:
        break;
    }
    return POP3_ANSWER_TEMPORARY;
}

static struct access_session *
find_waiting(struct access_role *role, uint64_t id, enum access_waiting waiting)
{
    struct access_session *session = access_session_find(role, id);

    return session && session->waiting == waiting ? session : NULL;
}

static void
on_page(struct access_role *role, const struct access_store_maildrop_page *note)
{
    struct access_session *session = find_waiting(role, note->id, WAITING_OPEN);

    if (!session)
        return;
    session->uid_validity = note->uid_validity;
    session->waiting_since = host_now(role->host);
    for (size_t i = 0; i < note->messages.count; i++)
        pop3_server_add_message(session->engine, note->messages.at[i].uid,
                                note->messages.at[i].len);
}

static void
on_opened(struct access_role *role, const struct access_store_maildrop_opened *note)
{
    struct access_session *session = find_waiting(role, note->id, WAITING_OPEN);

    if (!session)
        return;
    access_session_answer(session, &(struct pop3_answer){.kind = kind_of_result(note->result),
                                                         .uid_validity = session->uid_validity});
    connection_wake(session->connection);
}

/* The engine takes all that it has asked for. More than that, or bytes past the message's end,
 * would be another message than the one listed. */
static void
on_bytes(struct access_role *role, const struct access_store_bytes *note)
{
    struct access_session *session = find_waiting(role, note->id, WAITING_READ);

    if (!session)
        return;
    if (note->bytes.len > session->read_bytes - session->read_offset ||
        pop3_server_put_body(session->engine, note->bytes) < note->bytes.len) {
        access_session_answer_later(session, POP3_ANSWER_TEMPORARY);
        return;
    }
    session->read_offset += note->bytes.len;
    session->waiting_since = host_now(role->host);
    session->has_bytes = session->has_bytes || note->bytes.len > 0;
}

/* A part that came without bytes would be asked for again and again. */
static void
on_read_done(struct access_role *role, const struct access_store_read_done *note)
{
    struct access_session *session = find_waiting(role, note->id, WAITING_READ);

    if (!session)
        return;
    session->waiting = WAITING_NOT;
    bool is_good = note->result == ACCESS_STORE_RESULT_OK && session->has_bytes;
    session->has_bytes = false;
    if (is_good)
        connection_wake(session->connection);
    else
        access_session_answer_later(session, note->result == ACCESS_STORE_RESULT_OK
                                                 ? POP3_ANSWER_TEMPORARY
                                                 : kind_of_result(note->result));
}

static void
on_updated(struct access_role *role, const struct access_store_maildrop_updated *note)
{
    struct access_session *session = find_waiting(role, note->id, WAITING_UPDATE);

    if (!session)
        return;
    if (note->result == ACCESS_STORE_RESULT_OK && !session->is_last_update) {
        if (!access_session_update_on(session))
            access_session_answer_later(session, POP3_ANSWER_TEMPORARY);
        return;
    }
    access_session_answer_later(session, kind_of_result(note->result));
}

void
access_role_on_store_note(struct access_role *role, const struct access_store_note *note)
{
    if (access_imap_on_note(role, note))
        return;
    if (note->kind == ACCESS_STORE_MAILDROP_PAGE)
        on_page(role, &note->as.maildrop_page);
    else if (note->kind == ACCESS_STORE_MAILDROP_OPENED)
        on_opened(role, &note->as.maildrop_opened);
    else if (note->kind == ACCESS_STORE_BYTES)
        on_bytes(role, &note->as.bytes);
    else if (note->kind == ACCESS_STORE_READ_DONE)
        on_read_done(role, &note->as.read_done);
    else if (note->kind == ACCESS_STORE_MAILDROP_UPDATED)
        on_updated(role, &note->as.maildrop_updated);
}
