/* SPDX-License-Identifier: ISC */
/* The role `access`: its channels, its listeners, its limits as a whole. */
#include "role/access/access.h"

#include "base/cursor.h"
#include "mime/record.h"
#include "text/charset.h"

#include <stdlib.h>

enum {
    NOTE_ARENA_MAX = 1024 * 1024,
    HOSTNAME_MAX = 255,
    SIDE_ANSWERING = 1,
    /* Ten thousand fields or parts, more than fit into a note, take less; `deliver` parses what
     * takes more. */
    PARSE_ARENA_MAX = 4 * 1024 * 1024,
};

/* ---- channels ------------------------------------------------------------------------------ */

/* Who waits for that role hears "later". A store that comes back knows no grants: those who were
 * logged in are sent away. */
static void
lose(struct access_role *role, struct access_peer_role *peer)
{
    bool is_store = peer == &role->store;
    struct access_session *session;

    host_channel_close(&peer->channel);
    note_ledger_finish(&peer->ledger);
    if (is_store)
        imap_mailboxes_detach(&role->mailboxes);
    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (!is_store)
            session->auth_session = 0;
        if (session->waiting != WAITING_NOT && is_store == (session->waiting != WAITING_AUTH))
            access_session_give_up(session);
        if (is_store && session->granted) {
            session->granted = 0;
            access_session_stop(session);
        }
    }
}

static void
on_bad_note(struct access_role *role, struct access_peer_role *peer, host_handle handle,
            const char *name)
{
    host_handle_close(role->host, handle);
    log_event(role->host, HOST_LEVEL_ERROR, "bad_note", "from", slice_of_string(name));
    lose(role, peer);
}

static void
on_auth_note(void *context, struct slice bytes, host_handle handle)
{
    struct access_role *role = context;
    struct access_auth_note note;

    arena_reset(&role->note_arena);
    if (access_auth_take(bytes, handle, SIDE_ANSWERING, &role->auth.ledger, &role->note_arena,
                         &note))
        access_role_on_auth_note(role, &note);
    else
        on_bad_note(role, &role->auth, handle, "auth");
}

static void
on_store_note(void *context, struct slice bytes, host_handle handle)
{
    struct access_role *role = context;
    struct access_store_note note;

    arena_reset(&role->note_arena);
    if (access_store_take(bytes, handle, SIDE_ANSWERING, &role->store.ledger, &role->note_arena,
                          &note))
        access_role_on_store_note(role, &note);
    else
        on_bad_note(role, &role->store, handle, "store");
}

static void
on_auth_closed(void *context)
{
    struct access_role *role = context;
    lose(role, &role->auth);
}

static void
on_store_closed(void *context)
{
    struct access_role *role = context;
    lose(role, &role->store);
}

static void
on_store_room(void *context)
{
    struct access_role *role = context;
    struct access_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (session->is_held_back)
            connection_wake(session->connection);
    }
}

static const struct host_channel_handler auth_handler = {on_auth_note, on_auth_closed, NULL};
static const struct host_channel_handler store_handler = {on_store_note, on_store_closed,
                                                          on_store_room};

/* ---- options ------------------------------------------------------------------------------- */

/* Best first: clients take the first that they know. */
static void
set_mechanisms(struct pop3_server_options *options, uint32_t configured)
{
    static const struct {
        uint32_t member;
        struct slice name;
    } mechanisms[] = {
        {CONFIG_MECHANISM_EXTERNAL, {(const uint8_t *)"EXTERNAL", 8}},
        {CONFIG_MECHANISM_SCRAM_SHA_256_PLUS, {(const uint8_t *)"SCRAM-SHA-256-PLUS", 18}},
        {CONFIG_MECHANISM_SCRAM_SHA_256, {(const uint8_t *)"SCRAM-SHA-256", 13}},
        {CONFIG_MECHANISM_SCRAM_SHA_1_PLUS, {(const uint8_t *)"SCRAM-SHA-1-PLUS", 16}},
        {CONFIG_MECHANISM_SCRAM_SHA_1, {(const uint8_t *)"SCRAM-SHA-1", 11}},
        {CONFIG_MECHANISM_PLAIN, {(const uint8_t *)"PLAIN", 5}},
        {CONFIG_MECHANISM_LOGIN, {(const uint8_t *)"LOGIN", 5}},
        {CONFIG_MECHANISM_OAUTHBEARER, {(const uint8_t *)"OAUTHBEARER", 11}},
        {CONFIG_MECHANISM_XOAUTH2, {(const uint8_t *)"XOAUTH2", 7}},
    };

    options->mechanisms_count = 0;
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (configured & mechanisms[i].member)
            options->mechanisms[options->mechanisms_count++] = mechanisms[i].name;
    }
}

static void
set_options(struct access_role *role)
{
    const struct config *config = role->config;
    struct cursor expire = cursor_of(config->pop3_expire);
    uint32_t days;

    role->options = (struct pop3_server_options){
        .hostname = buffer_slice(&role->hostname),
        .implementation = SLICE("Facteur"),
        .login_delay_s = (uint32_t)(config->pop3_login_delay.ns / 1000000000),
        .expire_days = POP3_EXPIRE_NEVER,
        .idle_ms = (uint32_t)(config->pop3_idle_timer.ns / 1000000),
    };
    if (cursor_take_u32(&expire, 0, POP3_EXPIRE_NEVER - 1, &days) && cursor_is_done(&expire))
        role->options.expire_days = days;
    set_mechanisms(&role->options, config->auth_mechanisms);
}

/* ---- the role's functions ------------------------------------------------------------------ */

/* Logins that no longer count for LOGIN-DELAY. */
static void
forget_logins(struct access_role *role, struct instant now)
{
    struct map kept;
    size_t place = 0;

    if (role->last_logins.count == 0)
        return;
    map_init(&kept, role->last_logins.seed);
    for (const struct map_item *item; (item = map_next(&role->last_logins, &place));) {
        struct access_login *login = item->value;
        if (instant_since(now, login->when).ns >= role->config->pop3_login_delay.ns)
            free(login);
        else
            map_set(&kept, item->key, login);
    }
    map_finish(&role->last_logins);
    role->last_logins = kept;
}

/* Every few seconds: who has waited too long for another role, who can be forgotten. */
static void
on_sweep(void *context)
{
    struct access_role *role = context;
    struct instant now = host_now(role->host);
    struct access_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));) {
        if (instant_is_before(access_session_patience(session), now))
            access_session_give_up(session);
    }
    peers_sweep(role->peers, now);
    forget_logins(role, now);
    arena_finish(&role->parse_arena); /* the last message may have been a large one */
    buffer_finish(&role->parse_record);
    identity_set_time(&role->identity);
    host_timer_set(role->sweep, instant_after(now, duration_s(ACCESS_SWEEP_S)));
}

static void
on_accept(void *owner, enum role_service service, struct host_stream *stream)
{
    struct access_role *role = owner;

    access_session_open(role, service, stream);
}

static void *
role_open(const struct role_start *start)
{
    struct access_role *role = calloc(1, sizeof(*role));
    uint64_t seed;

    if (!role)
        abort();
    role->host = start->host;
    role->config = start->config;
    role->start = *start;
    arena_init(&role->note_arena, NOTE_ARENA_MAX);
    buffer_init(&role->note_buffer, HOST_NOTE_MAX);
    role->charsets = charset_modules_open();
    arena_init(&role->parse_arena, PARSE_ARENA_MAX);
    buffer_init(&role->parse_record, MIME_RECORD_MAX);
    buffer_init(&role->hostname, HOSTNAME_MAX);
    buffer_put(&role->hostname, slice_first(start->config->hostname, HOSTNAME_MAX));
    buffer_init(&role->others, HOSTNAME_MAX);
    buffer_put(&role->others, slice_first(start->config->imap_others, HOSTNAME_MAX));
    buffer_init(&role->namespace_shared, HOSTNAME_MAX);
    buffer_put(&role->namespace_shared, slice_first(start->config->imap_shared, HOSTNAME_MAX));
    host_random(role->host, &seed, sizeof(seed));
    map_init(&role->last_logins, seed);
    imap_mailboxes_init(&role->mailboxes, seed, access_imap_unwatch, role);
    role->peers = peers_open(seed);
    role->shared = connection_shared_open(role->host);
    identity_init(&role->identity, role->host);
    acceptors_init(&role->acceptors, role->host, &role->config->proxy_networks, on_accept, role);
    role->sweep = host_timer_open(role->host, on_sweep, role);
    set_options(role);
    return role;
}

static void
role_listen(void *state, enum role_service service, host_handle handle)
{
    struct access_role *role = state;

    assert(service == SERVICE_POP3 || service == SERVICE_POP3S || service == SERVICE_IMAP ||
           service == SERVICE_IMAPS);
    acceptors_add(&role->acceptors, service, handle);
}

static void
role_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    struct access_role *role = state;
    bool is_auth = peer == ROLE_AUTH;
    struct access_peer_role *slot = is_auth ? &role->auth : &role->store;

    if (peer == ROLE_KEYS) {
        identity_attach(&role->identity, handle);
        return;
    }
    assert(peer_index == 0 && (is_auth || peer == ROLE_STORE));
    if (slot->channel)
        lose(role, slot);
    slot->channel =
        host_channel_open(role->host, handle, is_auth ? &auth_handler : &store_handler, role);
}

static void
role_tls(void *state, struct slice name, struct slice chain, struct slice key)
{
    struct access_role *role = state;

    (void)key; /* we are told none */
    identity_set(&role->identity, name, chain);
}

static bool
role_start(void *state)
{
    struct access_role *role = state;

    acceptors_pause(&role->acceptors, false);
    host_timer_set(role->sweep, host_now(role->host));
    return true;
}

static void
role_reload(void *state, const struct config *config)
{
    struct access_role *role = state;

    role->config = config;
    set_options(role);
}

static void
role_stats(void *state, struct role_stats *stats)
{
    const struct access_role *role = state;

    role_stats_add(stats, "sessions", role->sessions.count);
    role_stats_add(stats, "sessions_total", role->sessions_total);
    role_stats_add(stats, "logins", role->logins);
    role_stats_add(stats, "refused", role->refused);
    role_stats_add(stats, "messages_read", role->messages_read);
}

/* Nobody new; everybody who is there hears good-bye between two answers. */
static void
role_stop(void *state)
{
    struct access_role *role = state;
    struct access_session *session;

    role->is_stopping = true;
    acceptors_pause(&role->acceptors, true);
    if (role->sessions.count == 0) {
        host_stop(role->host);
        return;
    }
    for (size_t i = 0; (session = slots_next(&role->sessions, &i));)
        access_session_stop(session);
}

static void
role_close(void *state)
{
    struct access_role *role = state;
    size_t place = 0;
    struct access_session *session;

    for (size_t i = 0; (session = slots_next(&role->sessions, &i));)
        access_session_close(session);
    acceptors_close(&role->acceptors);
    for (const struct map_item *item; (item = map_next(&role->last_logins, &place));)
        free(item->value);
    map_finish(&role->last_logins);
    imap_mailboxes_finish(&role->mailboxes);
    host_channel_close(&role->auth.channel);
    host_channel_close(&role->store.channel);
    note_ledger_finish(&role->auth.ledger);
    note_ledger_finish(&role->store.ledger);
    host_timer_close(&role->sweep);
    connection_shared_close(&role->shared);
    identity_finish(&role->identity);
    peers_close(&role->peers);
    charset_modules_close(&role->charsets);
    arena_finish(&role->note_arena);
    buffer_finish(&role->note_buffer);
    arena_finish(&role->parse_arena);
    buffer_finish(&role->parse_record);
    buffer_finish(&role->hostname);
    buffer_finish(&role->others);
    buffer_finish(&role->namespace_shared);
    slots_finish(&role->sessions);
    free(role);
}

const struct role role_access = {
    .kind = ROLE_ACCESS,
    .open = role_open,
    .attach = role_attach,
    .listen = role_listen,
    .tls = role_tls,
    .start = role_start,
    .reload = role_reload,
    .stats = role_stats,
    .stop = role_stop,
    .close = role_close,
};
