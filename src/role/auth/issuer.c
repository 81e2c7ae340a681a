/* SPDX-License-Identifier: ISC */
/* The issuer of tokens is asked by another process (role/issuer): whose a token is, or for its
 * public keys. That it cannot be asked is never taken for a yes. */
#include "role/auth/auth_private.h"

#include "host/log.h"
#include "token/token.h"

enum {
    SIDE_ISSUER = 1,
    KEYS_FRESH_S = 60 * 60,     /* then they are fetched anew, at the next login */
    KEYS_KEPT_S = 24 * 60 * 60, /* then they are good for nothing */
    /* A stranger's token can have them fetched: so often within so long, and no more. */
    KEYS_FETCHES_MAX = 5,
    KEYS_WINDOW_S = 5 * 60,
};

static void
send(struct auth *auth, bool is_put)
{
    assert(is_put);
    host_channel_send(auth->issuer, buffer_slice(&auth->note), HOST_HANDLE_NONE);
    sasl_wipe(auth->note.at, auth->note.size);
    buffer_clear(&auth->note);
}

static void
wait_in(struct list *jobs, struct auth_session *session)
{
    list_append(jobs, &session->job);
    session->is_queued = true;
    session->client->auth->job_count++;
}

static struct auth_session *
take_first(struct list *jobs)
{
    struct auth_session *session = LIST_ITEM(jobs->next, struct auth_session, job);

    auth_proof_forget(session);
    return session;
}

/* ---- whose is this token? ------------------------------------------------------------------ */

void
auth_issuer_ask(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    struct auth_issuer_ask note = {.id = ++auth->issuer_question,
                                   .token = sasl_server_token(session->sasl)};

    if (note.token.len > TOKEN_LEN_MAX) {
        auth_session_on_token(session, SLICE(""), token_result_name(TOKEN_MALFORMED));
        return;
    }
    if (!auth->issuer) {
        auth_session_on_issuer_away(session);
        return;
    }
    if (auth_jobs_are_many(auth, &auth->jobs_issuer, session)) {
        auth_session_on_proof_failed(session);
        return;
    }
    session->question = note.id;
    wait_in(&auth->jobs_issuer, session);
    send(auth, auth_issuer_put_ask(&auth->note, &auth->issuer_ledger, &note));
}

static void
on_told(struct auth *auth, const struct auth_issuer_told *told)
{
    enum token_result result =
        told->result < TOKEN_RESULTS ? (enum token_result)told->result : TOKEN_MALFORMED;

    LIST_EACH (link, &auth->jobs_issuer) {
        struct auth_session *session = LIST_ITEM(link, struct auth_session, job);
        if (session->question != told->id)
            continue;
        auth_proof_forget(session);
        if (!told->is_told)
            auth_session_on_issuer_away(session);
        else
            auth_session_on_token(session, told->name,
                                  result == TOKEN_OK ? NULL : token_result_name(result));
        return;
    }
    /* Its client has gone away in between. */
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* True when they are under way. */
static bool
fetch_keys(struct auth *auth)
{
    struct instant now = host_now(auth->start.host);
    struct auth_issuer_want_keys note;

    if (auth->keys_question || !auth->issuer)
        return auth->keys_question != 0;
    if (!instant_is_before(now, auth->keys_window_end)) {
        auth->keys_window_end = instant_after(now, duration_s(KEYS_WINDOW_S));
        auth->keys_fetches = 0;
    }
    if (auth->keys_fetches == KEYS_FETCHES_MAX)
        return false;
    auth->keys_fetches++;
    note.id = auth->keys_question = ++auth->issuer_question;
    send(auth, auth_issuer_put_want_keys(&auth->note, &auth->issuer_ledger, &note));
    return true;
}

bool
auth_keys_are_known(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    struct instant now = host_now(auth->start.host);
    struct instant kept = instant_after(auth->keys_fetched, duration_s(KEYS_KEPT_S));

    if (buffer_len(&auth->oauth_keys) > 0 && instant_is_before(now, kept)) {
        if (!instant_is_before(now, instant_after(auth->keys_fetched, duration_s(KEYS_FRESH_S))))
            (void)fetch_keys(auth);
        return true;
    }
    session->has_waited_for_keys = true;
    if (auth_jobs_are_many(auth, &auth->jobs_keys, session))
        auth_session_on_proof_failed(session);
    else if (fetch_keys(auth))
        wait_in(&auth->jobs_keys, session);
    else
        auth_session_on_issuer_away(session);
    return false;
}

bool
auth_keys_may_be_newer(struct auth_session *session)
{
    struct auth *auth = session->client->auth;

    if (auth->start.config->oauth_jwks.len == 0 || session->has_waited_for_keys ||
        auth_jobs_are_many(auth, &auth->jobs_keys, session) || !fetch_keys(auth))
        return false;
    session->has_waited_for_keys = true;
    wait_in(&auth->jobs_keys, session);
    return true;
}

/* An empty set leaves in force what is known, but not for those who wait for more. */
static void
on_keys(struct auth *auth, struct slice set)
{
    struct list waiting;

    if (set.len > 0) {
        buffer_clear(&auth->oauth_keys);
        buffer_put(&auth->oauth_keys, set);
        auth->keys_fetched = host_now(auth->start.host);
    }
    auth->keys_question = 0;
    list_init(&waiting);
    while (!list_is_empty(&auth->jobs_keys)) {
        struct list *link = auth->jobs_keys.next;
        list_remove(link);
        list_append(&waiting, link);
    }
    while (!list_is_empty(&waiting)) {
        struct auth_session *session = take_first(&waiting);
        if (set.len > 0)
            auth_bearer_ask(session);
        else
            auth_session_on_issuer_away(session);
    }
}

/* ---- the channel --------------------------------------------------------------------------- */

static void
on_note(void *context, struct slice bytes, host_handle handle)
{
    struct auth *auth = context;
    struct auth_issuer_note note;

    arena_reset(&auth->arena);
    if (!auth_issuer_take(bytes, handle, SIDE_ISSUER, &auth->issuer_ledger, &auth->arena, &note)) {
        host_handle_close(auth->start.host, handle);
        log_event(auth->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("issuer"));
        auth_issuer_close(auth);
    } else if (note.kind == AUTH_ISSUER_TOLD) {
        on_told(auth, &note.as.told);
    } else if (note.as.keys.id == auth->keys_question) {
        on_keys(auth, note.as.keys.set);
    }
}

static void
on_closed(void *context)
{
    auth_issuer_close(context);
}

void
auth_issuer_init(struct auth *auth)
{
    list_init(&auth->jobs_issuer);
    list_init(&auth->jobs_keys);
}

void
auth_issuer_attach(struct auth *auth, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_note,
                                                        .on_closed = on_closed};

    auth_issuer_close(auth);
    auth->issuer = host_channel_open(auth->start.host, handle, &handler, auth);
}

void
auth_issuer_close(struct auth *auth)
{
    host_channel_close(&auth->issuer);
    note_ledger_finish(&auth->issuer_ledger);
    while (!list_is_empty(&auth->jobs_issuer))
        auth_session_on_issuer_away(take_first(&auth->jobs_issuer));
    on_keys(auth, SLICE(""));
}
