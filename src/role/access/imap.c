/* SPDX-License-Identifier: ISC */
/* IMAP sessions: the events of their engine as notes to auth and store. */
#include "role/access/access.h"

#include "mime/record.h"

/* ---- opening --------------------------------------------------------------------------------- */

static void
wake(void *context)
{
    struct access_session *session = context;

    if (session->connection)
        connection_wake(session->connection);
}

static struct wall
wall(void *context)
{
    const struct access_session *session = context;

    return host_wall(session->role->host);
}

void
access_imap_open(struct access_session *session, bool is_secure, bool allows_clear_password)
{
    struct access_role *role = session->role;
    struct imap_server_options options = {
        .hostname = role->options.hostname,
        .mechanisms_count = role->options.mechanisms_count,
        .others = buffer_slice(&role->others),
        .shared = buffer_slice(&role->namespace_shared),
        .is_tls_available = identity_is_there(&role->identity),
        .is_secure = is_secure,
        .allows_clear_password = allows_clear_password,
        .idle_ms = (uint32_t)(role->config->imap_idle_timer.ns / 1000000),
        .message_bytes_max = role->config->message_size_max,
        .messages_max = role->config->imap_message_limit,
        .saves_max = role->config->imap_save_limit,
        .mailboxes = &role->mailboxes,
        .wall = wall,
        .wake = wake,
        .wake_context = session,
    };

    for (size_t i = 0; i < options.mechanisms_count && i < IMAP_MECHANISMS_MAX; i++)
        options.mechanisms[i] = role->options.mechanisms[i];
    session->imap = imap_server_open(&options, session->opened);
}

void
access_imap_unwatch(void *context, uint64_t watch)
{
    struct access_role *role = context;
    struct access_store_unwatch note = {.watch = watch};

    (void)access_role_send(
        role, &role->store,
        access_store_put_unwatch(&role->note_buffer, &role->store.ledger, &note));
}

/* ---- notes to the store ---------------------------------------------------------------------- */

/* Puts the engine's note with its id and session into the role's buffer. */
static bool
put_note(struct access_session *session, struct access_store_note *note, uint64_t id)
{
    struct buffer *buffer = &session->role->note_buffer;
    struct note_ledger *ledger = &session->role->store.ledger;

#define PUT(upper, lower)                                                                          \
    if (note->kind == ACCESS_STORE_##upper) {                                                      \
        note->as.lower.id = id;                                                                    \
        note->as.lower.session = session->granted;                                                 \
        return access_store_put_##lower(buffer, ledger, &note->as.lower);                          \
    }
    PUT(MESSAGES_ASK, messages_ask)
    PUT(FLAGS_SET, flags_set)
    PUT(READ, read)
    PUT(MAILBOX_LIST, mailbox_list)
    PUT(MAILBOX_EDIT, mailbox_edit)
    PUT(ACCOUNT_ASK, account_ask)
    PUT(ACL_ASK, acl_ask)
    PUT(ACL_SET, acl_set)
    PUT(URL_SIGN, url_sign)
    PUT(URL_ASK, url_ask)
    PUT(URL_RESET, url_reset)
    PUT(ANNOTATIONS_ASK, annotations_ask)
    PUT(ANNOTATIONS_SET, annotations_set)
    PUT(WATCH, watch)
    PUT(VANISHED_ASK, vanished_ask)
    PUT(TEXT_SEARCH, text_search)
    PUT(COPY, copy)
    PUT(EXPUNGE, expunge)
    PUT(APPEND, append)
#undef PUT
    return false;
}

/* The parse record of a message that is appended, for store to keep; empty where `deliver` should
 * make it, because it is long or would be cut here. */
static struct slice
describe(struct access_role *role, struct slice message)
{
    struct buffer *buffer = &role->parse_record;
    struct mime_record record;

    buffer_finish(buffer);
    if (message.len == 0)
        return slice_of("", 0);
    mime_record_make(message, &role->parse_arena, buffer, &record);
    bool is_whole = !record.is_cut && !role->parse_arena.failed;
    arena_reset(&role->parse_arena);
    return is_whole && buffer_len(buffer) <= ACCESS_STORE_APPEND_PARSE_RECORD_MAX
               ? buffer_slice(buffer)
               : slice_of("", 0);
}

/* HOST_HANDLE_NONE also when there is nothing to hand over; false when the blob cannot be had. */
static bool
make_blob(struct host *host, struct slice body, host_handle *ret_handle)
{
    struct host_blob *blob = NULL;

    *ret_handle = HOST_HANDLE_NONE;
    if (body.len == 0)
        return true;
    bool is_made = host_blob_open(host, &blob) == 0 && host_blob_put(blob, body) == 0 &&
                   host_blob_seal(&blob, ret_handle) == 0;
    host_blob_close(&blob);
    return is_made;
}

/* What the engine asks for cannot be had. Where the beginning of the command is with the store, it
 * must not be taken for that of the next one: it is forgotten with the session. */
static void
fail(struct access_session *session)
{
    bool is_begun = session->open_count > 0;

    imap_server_store_lost(session->imap);
    if (is_begun)
        imap_server_stop(session->imap, host_now(session->role->host));
}

static void
on_store_event(struct access_session *session, const struct imap_event *event)
{
    struct access_role *role = session->role;
    uint64_t id = access_session_new_request(session);
    host_handle handle;

    if (!session->granted || !access_role_is_reachable(&role->store) ||
        !make_blob(role->host, event->body, &handle)) {
        fail(session);
        return;
    }
    if (event->note->kind == ACCESS_STORE_APPEND)
        event->note->as.append.parse_record = describe(role, event->note->as.append.body);
    bool is_put = put_note(session, event->note, id);
    if (is_put)
        host_channel_send(role->store.channel, buffer_slice(&role->note_buffer), handle);
    else
        host_handle_close(role->host, handle);
    buffer_clear(&role->note_buffer);
    if (!is_put) {
        fail(session);
        return;
    }
    if (session->open_count++ == 0)
        session->request_first = id;
    access_session_wait_for(session, WAITING_IMAP, id);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void
on_event(struct access_session *session, const struct imap_event *event)
{
    static const uint8_t closes[] = {[IMAP_CLOSE_LOGOUT] = POP3_CLOSE_QUIT,
                                     [IMAP_CLOSE_IDLE] = POP3_CLOSE_IDLE,
                                     [IMAP_CLOSE_ERRORS] = POP3_CLOSE_ERRORS,
                                     [IMAP_CLOSE_SERVER] = POP3_CLOSE_SERVER};

    switch (event->kind) {
    case IMAP_EVENT_AUTH_BEGIN:
        access_session_auth_begin(session, event->mechanism, event->has_initial, event->response);
        break;
    case IMAP_EVENT_AUTH_STEP:
        access_session_auth_step(session, event->response);
        break;
    case IMAP_EVENT_AUTH_ABORT:
        access_session_abort_auth(session);
        break;
    case IMAP_EVENT_STORE:
        on_store_event(session, event);
        break;
    case IMAP_EVENT_STARTTLS:
        connection_start_tls(session->connection, identity_context(&session->role->identity));
        break;
    case IMAP_EVENT_LOGGED_OUT:
        access_role_end_grant(session->role, session->granted);
        session->granted = 0;
        break;
    case IMAP_EVENT_CLOSE:
        session->waiting = WAITING_NOT;
        session->open_count = 0;
        session->close = closes[event->close];
        connection_finish(session->connection);
        break;
    }
}

void
access_imap_process(struct access_session *session)
{
    struct imap_event event;

    while (!access_session_is_held_back(session) && imap_server_next(session->imap, &event))
        on_event(session, &event);
}

void
access_imap_answer(struct access_session *session, const struct pop3_answer *answer)
{
    static const enum imap_answer_kind kinds[] = {
        [POP3_ANSWER_OK] = IMAP_ANSWER_OK,
        [POP3_ANSWER_CHALLENGE] = IMAP_ANSWER_CHALLENGE,
        [POP3_ANSWER_CREDENTIALS] = IMAP_ANSWER_CREDENTIALS,
        [POP3_ANSWER_MECHANISM] = IMAP_ANSWER_MECHANISM,
        [POP3_ANSWER_MALFORMED] = IMAP_ANSWER_MALFORMED,
        [POP3_ANSWER_WEAK] = IMAP_ANSWER_WEAK,
        [POP3_ANSWER_IN_USE] = IMAP_ANSWER_TEMPORARY,
        [POP3_ANSWER_LOGIN_DELAY] = IMAP_ANSWER_TEMPORARY,
        [POP3_ANSWER_EXPUNGED] = IMAP_ANSWER_TEMPORARY,
        [POP3_ANSWER_DAMAGED] = IMAP_ANSWER_TEMPORARY,
        [POP3_ANSWER_NOT_PERMITTED] = IMAP_ANSWER_TEMPORARY,
        [POP3_ANSWER_LIMIT] = IMAP_ANSWER_LIMIT,
        [POP3_ANSWER_TEMPORARY] = IMAP_ANSWER_TEMPORARY,
    };
    struct imap_answer told = {.kind = kinds[answer->kind],
                               .challenge = answer->challenge,
                               .delay_ms = answer->delay_ms,
                               .account = session->account};

    imap_server_answer(session->imap, &told, host_now(session->role->host));
}

/* ---- notes from the store -------------------------------------------------------------------- */

/* The id of a note that belongs to a request, and whether it ends it. */
static bool
request_of(const struct access_store_note *note, uint64_t *ret_id, bool *ret_is_end)
{
#define ANSWER(upper, lower, is_end)                                                               \
    if (note->kind == ACCESS_STORE_##upper) {                                                      \
        *ret_id = note->as.lower.id;                                                               \
        *ret_is_end = (is_end);                                                                    \
        return true;                                                                               \
    }
    ANSWER(MESSAGES, messages, false)
    ANSWER(MESSAGE_BIG, message_big, false)
    ANSWER(BYTES, bytes, false)
    ANSWER(READ_DONE, read_done, true)
    ANSWER(DONE, done, true)
    ANSWER(MAILBOXES, mailboxes, false)
    ANSWER(ANNOTATIONS, annotations, false)
    ANSWER(ACL, acl, false)
    ANSWER(URL_SIGNED, url_signed, true)
    ANSWER(VANISHED_TOLD, vanished_told, false)
    ANSWER(TEXT_FOUND, text_found, false)
    ANSWER(TEXT_SEARCHED, text_searched, true)
    ANSWER(ACCOUNT_TOLD, account_told, true)
    ANSWER(FLAGS_WERE_SET_IN_PART, flags_were_set_in_part, false)
    ANSWER(FLAGS_WERE_SET, flags_were_set, true)
    ANSWER(MOVED_IN_PART, moved_in_part, false)
    ANSWER(EXPUNGED_IN_PART, expunged_in_part, false)
    ANSWER(COPIED, copied, true)
    ANSWER(APPENDED, appended, true)
#undef ANSWER
    return false;
}

static void
give(struct access_session *session, const struct access_store_note *note, struct slice blob,
     bool is_end)
{
    session->waiting_since = host_now(session->role->host);
    if (is_end && --session->open_count == 0)
        session->waiting = WAITING_NOT;
    imap_server_on_note(session->imap, note, blob);
    connection_wake(session->connection);
}

static void
give_big(struct access_session *session, const struct access_store_note *note)
{
    struct host *host = session->role->host;
    struct host_mapping mapping = {slice_of("", 0)};
    host_handle handle = note->as.message_big.record_blob;
    bool is_mapped = handle != HOST_HANDLE_NONE && host_blob_map(host, handle, &mapping) == 0;

    give(session, note, is_mapped ? mapping.bytes : slice_of("", 0), false);
    if (is_mapped)
        host_blob_unmap(host, &mapping);
}

bool
access_imap_on_note(struct access_role *role, const struct access_store_note *note)
{
    uint64_t id;
    bool is_end;

    if (note->kind == ACCESS_STORE_KEYWORDS || note->kind == ACCESS_STORE_COLUMNS ||
        note->kind == ACCESS_STORE_CHANGES) {
        imap_mailboxes_on_note(&role->mailboxes, note);
        return true;
    }
    if (!request_of(note, &id, &is_end))
        return false;
    struct access_session *session = access_session_find(role, id);
    bool is_ours = session && session->waiting == WAITING_IMAP;
    if (is_ours && note->kind == ACCESS_STORE_MESSAGE_BIG)
        give_big(session, note);
    else if (is_ours)
        give(session, note, slice_of("", 0), is_end);
    if (note->kind == ACCESS_STORE_MESSAGE_BIG)
        host_handle_close(role->host, note->as.message_big.record_blob);
    return is_ours;
}
