/* SPDX-License-Identifier: ISC */
/* The notes of smtp and access, which differ in nothing but their names, and of store. */
#include "role/auth/auth_private.h"

#include "host/log.h"

enum { SIDE_CLIENT = 0, SIDE_STORE = 1 };

static struct auth_session *
find_session(struct auth_client *client, uint64_t id)
{
    return map_find(&client->sessions, map_key_u64(&id));
}

static void
on_bad_note(struct auth *auth, const char *from, host_handle handle)
{
    host_handle_close(auth->start.host, handle);
    log_event(auth->start.host, HOST_LEVEL_ERROR, "bad_note", "from", slice_of_string(from));
}

/* ---- from smtp and access ------------------------------------------------------------------ */

static void
on_smtp_note(void *context, struct slice bytes, host_handle handle)
{
    struct auth_client *client = context;
    struct auth *auth = client->auth;
    struct smtp_auth_note note;
    struct auth_session *session;

    arena_reset(&auth->arena);
    if (!smtp_auth_take(bytes, handle, SIDE_CLIENT, &client->ledger, &auth->arena, &note)) {
        on_bad_note(auth, "smtp", handle);
        auth_client_close(client);
        return;
    }
    if (note.kind == SMTP_AUTH_BEGIN) {
        const struct smtp_auth_begin *begin = &note.as.begin;
        auth_session_begin(
            client, &(struct auth_begin){begin->session, begin->mechanism, begin->has_initial,
                                         begin->initial, begin->is_secure, begin->peer,
                                         begin->channel_binding, begin->channel_binding_kind,
                                         begin->certificates});
    } else if (note.kind == SMTP_AUTH_STEP) {
        session = find_session(client, note.as.step.session);
        assert(session); /* the ledger knows it as open */
        auth_session_step(session, note.as.step.response);
    } else {
        session = find_session(client, note.as.abort.session);
        assert(session);
        auth_session_abort(session);
    }
}

static void
on_access_note(void *context, struct slice bytes, host_handle handle)
{
    struct auth_client *client = context;
    struct auth *auth = client->auth;
    struct access_auth_note note;
    struct auth_session *session;

    arena_reset(&auth->arena);
    if (!access_auth_take(bytes, handle, SIDE_CLIENT, &client->ledger, &auth->arena, &note)) {
        on_bad_note(auth, "access", handle);
        auth_client_close(client);
        return;
    }
    if (note.kind == ACCESS_AUTH_BEGIN) {
        const struct access_auth_begin *begin = &note.as.begin;
        auth_session_begin(
            client, &(struct auth_begin){begin->session, begin->mechanism, begin->has_initial,
                                         begin->initial, begin->is_secure, begin->peer,
                                         begin->channel_binding, begin->channel_binding_kind,
                                         begin->certificates});
    } else if (note.kind == ACCESS_AUTH_APOP) {
        auth_session_apop(client, &note.as.apop);
    } else if (note.kind == ACCESS_AUTH_STEP) {
        session = find_session(client, note.as.step.session);
        assert(session); /* the ledger knows it as open */
        auth_session_step(session, note.as.step.response);
    } else {
        session = find_session(client, note.as.abort.session);
        assert(session);
        auth_session_abort(session);
    }
}

static void
on_client_closed(void *context)
{
    auth_client_close(context);
}

void
auth_clients_init(struct auth *auth)
{
    for (unsigned i = 0; i < AUTH_CLIENTS_MAX; i++) {
        auth->smtps[i].kind = ROLE_SMTP;
        auth->accesses[i].kind = ROLE_ACCESS;
        auth->smtps[i].auth = auth->accesses[i].auth = auth;
        auth->smtps[i].index = auth->accesses[i].index = i;
        map_init(&auth->smtps[i].sessions, 0);
        map_init(&auth->accesses[i].sessions, 0);
    }
}

void
auth_client_attach(struct auth_client *client, host_handle handle)
{
    static const struct host_channel_handler smtp = {.on_note = on_smtp_note,
                                                     .on_closed = on_client_closed};
    static const struct host_channel_handler access = {.on_note = on_access_note,
                                                       .on_closed = on_client_closed};

    auth_client_close(client);
    client->channel = host_channel_open(client->auth->start.host, handle,
                                        client->kind == ROLE_SMTP ? &smtp : &access, client);
}

void
auth_client_close(struct auth_client *client)
{
    LIST_EACH (link, &client->auth->sessions) {
        struct auth_session *session = LIST_ITEM(link, struct auth_session, by_age);
        if (session->client == client)
            auth_session_forget(session);
    }
    map_finish(&client->sessions);
    host_channel_close(&client->channel);
    note_ledger_finish(&client->ledger);
}

/* ---- to smtp and access -------------------------------------------------------------------- */

static void
send(struct auth_client *client, bool is_put)
{
    struct buffer *note = &client->auth->note;

    assert(is_put);
    host_channel_send(client->channel, buffer_slice(note), HOST_HANDLE_NONE);
    buffer_clear(note);
}

void
auth_send_challenge(struct auth_session *session, struct slice challenge)
{
    struct auth_client *client = session->client;
    struct buffer *note = &client->auth->note;

    if (client->kind == ROLE_SMTP)
        send(client,
             smtp_auth_put_challenge(note, &client->ledger,
                                     &(struct smtp_auth_challenge){session->id, challenge}));
    else
        send(client,
             access_auth_put_challenge(note, &client->ledger,
                                       &(struct access_auth_challenge){session->id, challenge}));
}

void
auth_send_failed(struct auth_session *session, enum auth_failure failure, struct duration delay)
{
    struct auth_client *client = session->client;
    struct buffer *note = &client->auth->note;
    uint32_t delay_ms = (uint32_t)(delay.ns / 1000000);

    static_assert((int)AUTH_FAILURE_LIMIT == (int)ACCESS_AUTH_FAILURE_LIMIT &&
                      (int)SMTP_AUTH_FAILURE_COUNT == (int)ACCESS_AUTH_FAILURE_COUNT,
                  "both channels number failures alike");
    if (client->kind == ROLE_SMTP)
        send(client,
             smtp_auth_put_failed(note, &client->ledger,
                                  &(struct smtp_auth_failed){
                                      session->id, (enum smtp_auth_failure)failure, delay_ms}));
    else
        send(client,
             access_auth_put_failed(note, &client->ledger,
                                    &(struct access_auth_failed){
                                        session->id, (enum access_auth_failure)failure, delay_ms}));
}

void
auth_send_granted(struct auth_session *session)
{
    struct auth_client *client = session->client;
    struct buffer *note = &client->auth->note;
    struct slice name = slice_of(session->name, session->name_len);
    struct slice last = session->sasl ? sasl_server_message(session->sasl) : SLICE("");

    if (client->kind == ROLE_SMTP)
        send(client, smtp_auth_put_granted(
                         note, &client->ledger,
                         &(struct smtp_auth_granted){session->id, session->account, name, last}));
    else
        send(client, access_auth_put_granted(
                         note, &client->ledger,
                         &(struct access_auth_granted){session->id, session->account, name, last}));
}

/* ---- store --------------------------------------------------------------------------------- */

bool
auth_send_grant(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    const struct config *config = auth->start.config;
    const struct directory_account *account =
        auth->directory ? directory_account_find_id(auth->directory, session->account) : NULL;
    bool has_quota = account && account->has_quota;
    struct auth_store_grant grant = {
        .id = auth->grant_next,
        .access_index = session->client->index,
        .session = session->id,
        .account = session->account,
        .name = slice_of(session->name, session->name_len),
        .quota_bytes = has_quota ? account->quota_bytes : config->quota_default,
        .quota_messages = has_quota ? account->quota_messages : config->quota_messages_default,
    };

    if (!auth->store || !auth_store_put_grant(&auth->note, &auth->store_ledger, &grant)) {
        buffer_clear(&auth->note);
        return false;
    }
    host_channel_send(auth->store, buffer_slice(&auth->note), HOST_HANDLE_NONE);
    buffer_clear(&auth->note);
    auth->grant_next++;
    session->grant = grant.id;
    session->wait = AUTH_WAIT_STORE;
    (void)map_set(&auth->grants, map_key_u64(&session->grant), session);
    return true;
}

static void
on_store_note(void *context, struct slice bytes, host_handle handle)
{
    struct auth *auth = context;
    struct auth_store_note note;

    arena_reset(&auth->arena);
    if (!auth_store_take(bytes, handle, SIDE_STORE, &auth->store_ledger, &auth->arena, &note)) {
        on_bad_note(auth, "store", handle);
        auth_store_close(auth);
        return;
    }
    struct auth_session *session = map_find(&auth->grants, map_key_u64(&note.as.granted.id));
    /* Its client may have gone away in between. */
    if (session)
        auth_session_on_grant(session, note.as.granted.is_granted ? AUTH_GRANTED : AUTH_REFUSED);
}

static void
on_store_closed(void *context)
{
    auth_store_close(context);
}

void
auth_store_attach(struct auth *auth, host_handle handle)
{
    static const struct host_channel_handler handler = {.on_note = on_store_note,
                                                        .on_closed = on_store_closed};

    auth_store_close(auth);
    auth->store = host_channel_open(auth->start.host, handle, &handler, auth);
}

void
auth_store_close(struct auth *auth)
{
    host_channel_close(&auth->store);
    note_ledger_finish(&auth->store_ledger);
    LIST_EACH (link, &auth->sessions) {
        struct auth_session *session = LIST_ITEM(link, struct auth_session, by_age);
        if (session->wait == AUTH_WAIT_STORE)
            auth_session_on_grant(session, AUTH_LOST);
    }
    map_finish(&auth->grants);
}
