/* SPDX-License-Identifier: ISC */
/* What the engine of a session tells and asks, made into notes to auth and store. */
#include "role/access/access.h"

#include "host/address.h"
#include "role/evidence.h"

enum { TOP_READ_BYTES = 8 * 1024 /* holds the header of nearly every message */ };

uint64_t
access_session_new_request(struct access_session *session)
{
    return ++session->role->request_count << ACCESS_SLOT_BITS | session->slot;
}

void
access_session_wait_for(struct access_session *session, enum access_waiting what, uint64_t request)
{
    session->waiting = what;
    session->request = request;
    session->waiting_since = host_now(session->role->host);
}

bool
access_role_send(struct access_role *role, struct access_peer_role *peer, bool is_put)
{
    bool is_sent = is_put && peer->channel;

    if (is_sent)
        host_channel_send(peer->channel, buffer_slice(&role->note_buffer), HOST_HANDLE_NONE);
    buffer_clear(&role->note_buffer);
    return is_sent;
}

bool
access_role_is_reachable(const struct access_peer_role *peer)
{
    return peer->channel && !host_channel_is_full(peer->channel);
}

static void
answer_temporary(struct access_session *session)
{
    access_session_answer(session, &(struct pop3_answer){.kind = POP3_ANSWER_TEMPORARY});
}

/* ---- auth ---------------------------------------------------------------------------------- */

void
access_session_auth_begin(struct access_session *session, struct slice mechanism, bool has_initial,
                          struct slice initial)
{
    struct access_role *role = session->role;
    const struct tls_engine *tls = connection_tls(session->connection);
    struct evidence evidence;
    struct access_auth_begin note = {
        .session = access_session_new_request(session),
        .mechanism = mechanism,
        .has_initial = has_initial,
        .initial = initial,
        .is_secure = tls != NULL,
        .peer = host_address_bytes(&session->peer),
        .service = session->imap ? SLICE("imap") : SLICE("pop"), /* RFC 9051 §6.2.2, RFC 5034 §4 */
    };

    evidence_gather(&evidence, tls, note.mechanism);
    note.channel_binding = buffer_slice(&evidence.binding);
    note.channel_binding_kind = evidence.binding_kind;
    note.certificates = buffer_slice(&evidence.certificates);
    if (access_role_is_reachable(&role->auth) &&
        access_role_send(role, &role->auth,
             access_auth_put_begin(&role->note_buffer, &role->auth.ledger, &note))) {
        session->auth_session = note.session;
        access_session_wait_for(session, WAITING_AUTH, note.session);
    } else {
        answer_temporary(session);
    }
    evidence_finish(&evidence);
}

void
access_session_auth_step(struct access_session *session, struct slice response)
{
    struct access_role *role = session->role;
    struct access_auth_step note = {.session = session->auth_session, .response = response};

    if (session->auth_session &&
        access_role_send(role, &role->auth,
             access_auth_put_step(&role->note_buffer, &role->auth.ledger, &note)))
        access_session_wait_for(session, WAITING_AUTH, note.session);
    else
        answer_temporary(session);
}

static void
on_apop(struct access_session *session, const struct pop3_event *event)
{
    struct access_role *role = session->role;
    struct buffer timestamp;

    buffer_init(&timestamp, ACCESS_TIMESTAMP_MAX);
    access_session_put_timestamp(session, &timestamp);
    struct access_auth_apop note = {
        .session = access_session_new_request(session),
        .name = event->name,
        .timestamp = buffer_slice(&timestamp),
        .digest = event->digest,
        .is_secure = connection_tls(session->connection) != NULL,
        .peer = host_address_bytes(&session->peer),
    };
    if (access_role_is_reachable(&role->auth) &&
        access_role_send(role, &role->auth,
             access_auth_put_apop(&role->note_buffer, &role->auth.ledger, &note))) {
        session->auth_session = note.session;
        access_session_wait_for(session, WAITING_AUTH, note.session);
    } else {
        answer_temporary(session);
    }
    buffer_finish(&timestamp);
}

void
access_session_abort_auth(struct access_session *session)
{
    struct access_role *role = session->role;
    struct access_auth_abort note = {.session = session->auth_session};

    if (session->auth_session)
        (void)access_role_send(role, &role->auth,
                   access_auth_put_abort(&role->note_buffer, &role->auth.ledger, &note));
    session->auth_session = 0;
}

/* ---- store --------------------------------------------------------------------------------- */

static void
on_open(struct access_session *session)
{
    struct access_role *role = session->role;
    struct access_store_maildrop_open note = {.id = access_session_new_request(session),
                                              .session = session->granted};

    if (session->granted && access_role_is_reachable(&role->store) &&
        access_role_send(role, &role->store,
             access_store_put_maildrop_open(&role->note_buffer, &role->store.ledger, &note)))
        access_session_wait_for(session, WAITING_OPEN, note.id);
    else
        answer_temporary(session);
}

static void
on_read(struct access_session *session, const struct pop3_event *event)
{
    session->is_reading = true;
    session->is_top = event->is_top;
    session->read_uid = event->uid;
    session->read_offset = 0;
    session->read_bytes = event->bytes;
}

void
access_session_read_on(struct access_session *session)
{
    struct access_role *role = session->role;

    if (!session->is_reading || session->waiting != WAITING_NOT ||
        access_session_is_held_back(session))
        return;
    if (session->read_offset == session->read_bytes || pop3_server_has_enough(session->engine)) {
        access_session_answer(session, &(struct pop3_answer){.kind = POP3_ANSWER_OK});
        return;
    }
    uint64_t left = session->read_bytes - session->read_offset;
    size_t len = pop3_server_wants_body(session->engine);
    if (len == 0)
        return; /* process comes again when something has been sent */
    if (session->is_top && len > TOP_READ_BYTES)
        len = TOP_READ_BYTES;
    struct access_store_read note = {
        .id = access_session_new_request(session),
        .session = session->granted,
        .uid = session->read_uid,
        .offset = session->read_offset,
        .len = left < len ? left : len,
    };
    if (access_role_is_reachable(&role->store) &&
        access_role_send(role, &role->store,
             access_store_put_read(&role->note_buffer, &role->store.ledger, &note)))
        access_session_wait_for(session, WAITING_READ, note.id);
    else
        answer_temporary(session);
}

bool
access_session_update_on(struct access_session *session)
{
    static const size_t uids_max = ACCESS_STORE_MAILDROP_UPDATE_UIDS_MAX;
    struct access_role *role = session->role;
    struct access_store_maildrop_update note = {.id = access_session_new_request(session),
                                                .session = session->granted};
    size_t place = session->update_place;
    uint32_t uid;

    arena_reset(&role->note_arena);
    struct access_store_uid *uids =
        ARENA_ARRAY(&role->note_arena, struct access_store_uid, uids_max);
    assert(uids);
    while (note.uids.count < uids_max &&
           pop3_server_next_deleted(session->engine, &place, &uid))
        uids[note.uids.count++].uid = uid;
    note.uids.at = uids;
    session->update_place = place;
    note.is_last = !pop3_server_next_deleted(session->engine, &place, &uid);
    if (!access_role_is_reachable(&role->store) ||
        !access_role_send(role, &role->store,
              access_store_put_maildrop_update(&role->note_buffer, &role->store.ledger, &note)))
        return false;
    access_session_wait_for(session, WAITING_UPDATE, note.id);
    session->is_last_update = note.is_last;
    return true;
}

void
access_role_end_grant(struct access_role *role, uint64_t granted)
{
    struct access_store_session_end note = {.session = granted};

    if (granted)
        (void)access_role_send(role, &role->store,
                   access_store_put_session_end(&role->note_buffer, &role->store.ledger, &note));
}

/* ---- the events ---------------------------------------------------------------------------- */

void
access_session_on_event(struct access_session *session, const struct pop3_event *event)
{
    switch (event->kind) {
    case POP3_EVENT_AUTH_BEGIN:
        access_session_auth_begin(session, event->mechanism, event->has_initial,
                                  event->response);
        break;
    case POP3_EVENT_AUTH_STEP:
        access_session_auth_step(session, event->response);
        break;
    case POP3_EVENT_AUTH_ABORT:
        access_session_abort_auth(session);
        break;
    case POP3_EVENT_APOP:
        on_apop(session, event);
        break;
    case POP3_EVENT_OPEN:
        on_open(session);
        break;
    case POP3_EVENT_READ:
        on_read(session, event);
        break;
    case POP3_EVENT_UPDATE:
        session->update_place = 0;
        if (!access_session_update_on(session))
            answer_temporary(session);
        break;
    case POP3_EVENT_STARTTLS:
        connection_start_tls(session->connection, identity_context(&session->role->identity));
        break;
    case POP3_EVENT_CLOSE:
        session->waiting = WAITING_NOT;
        session->is_reading = false;
        session->close = (uint8_t)event->close;
        /* The lock ends before the client hears so: it may come back at once. */
        access_role_end_grant(session->role, session->granted);
        session->granted = 0;
        connection_finish(session->connection);
        break;
    }
}
