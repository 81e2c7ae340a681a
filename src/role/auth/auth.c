/* SPDX-License-Identifier: ISC */
/* The role that knows who proves to be whom. See README.md. */
#include "role/auth/auth_private.h"

#include <stdlib.h>

enum { NOTE_ARENA_MAX = 64 * 1024, PATH_BYTES_MAX = 4096 };

static void auth_close(void *state);

static void *
give_up(struct auth *auth, const char *why)
{
    auth->start.fail(auth->start.fail_context, why);
    auth_close(auth);
    return NULL;
}

static void *
auth_open(const struct role_start *start)
{
    struct auth *auth = calloc(1, sizeof(*auth));
    uint8_t key[RECENT_KEY_LEN];
    uint64_t seed;
    char path[PATH_BYTES_MAX];

    if (!auth)
        abort();
    auth->start = *start;
    auth_clients_init(auth);
    auth_issuer_init(auth);
    list_init(&auth->sessions);
    map_init(&auth->grants, 0);
    arena_init(&auth->arena, NOTE_ARENA_MAX);
    buffer_init(&auth->note, HOST_NOTE_MAX);
    host_random(start->host, &seed, sizeof(seed));
    auth->lockouts = lockouts_open(seed);
    host_random(start->host, key, sizeof(key));
    auth->recents = recents_open(slice_of(key, sizeof(key)));
    sasl_wipe(key, sizeof(key));
    auth->timer = host_timer_open(start->host, auth_sessions_expire, auth);
    /* Before anything secret is in memory: helpers inherit it. */
    if (auth_helpers_open(auth) < 0 || auth_bearer_open(auth) < 0)
        return give_up(auth, "the helper processes of auth cannot be started");
    snprintf(path, sizeof(path), "%.*s/directory", (int)start->config->data_dir.len,
             (const char *)start->config->data_dir.at);
    if (host_dir_open(start->host, path, &auth->dir) < 0)
        return give_up(auth,
                       "the folder DATA/directory cannot be opened: make it, or correct data_dir");
    return auth;
}

static void
auth_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    struct auth *auth = state;

    if (peer == ROLE_SMTP && peer_index < AUTH_CLIENTS_MAX)
        auth_client_attach(&auth->smtps[peer_index], handle);
    else if (peer == ROLE_ACCESS && peer_index < AUTH_CLIENTS_MAX)
        auth_client_attach(&auth->accesses[peer_index], handle);
    else if (peer == ROLE_STORE)
        auth_store_attach(auth, handle);
    else if (peer == ROLE_ISSUER)
        auth_issuer_attach(auth, handle);
    else
        host_handle_close(auth->start.host, handle);
}

static bool
auth_start(void *state)
{
    auth_tables_load(state);
    return true;
}

static void
auth_reload(void *state, const struct config *config)
{
    (void)config;
    auth_tables_load(state);
}

static void
auth_stats(void *state, struct role_stats *stats)
{
    const struct auth *auth = state;

    role_stats_add(stats, "logins", auth->granted);
    role_stats_add(stats, "logins_failed", auth->failed);
    role_stats_add(stats, "logins_locked", auth->locked);
    role_stats_add(stats, "logins_under_way", auth->session_count);
    role_stats_add(stats, "passwords_hashed", auth->hashed);
    role_stats_add(stats, "passwords_remembered", auth->remembered);
    role_stats_add(stats, "lockout_entries", lockouts_count(auth->lockouts));
}

static void
auth_close(void *state)
{
    struct auth *auth = state;

    for (unsigned i = 0; i < AUTH_CLIENTS_MAX; i++) {
        auth_client_close(&auth->smtps[i]);
        auth_client_close(&auth->accesses[i]);
    }
    auth_store_close(auth);
    auth_issuer_close(auth);
    auth_helpers_close(auth);
    auth_bearer_close(auth);
    host_timer_close(&auth->timer);
    auth_tables_finish(auth);
    lockouts_close(&auth->lockouts);
    recents_close(&auth->recents);
    arena_finish(&auth->arena);
    buffer_finish(&auth->note);
    free(auth);
}

const struct role role_auth = {
    .kind = ROLE_AUTH,
    .open = auth_open,
    .attach = auth_attach,
    .start = auth_start,
    .reload = auth_reload,
    .stats = auth_stats,
    .close = auth_close,
};
