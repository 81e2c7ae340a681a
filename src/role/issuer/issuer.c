/* SPDX-License-Identifier: ISC */
/* The role that asks who issues tokens. See README.md. */
#include "role/issuer/issuer_role.h"

#include "host/log.h"
#include "role/login.h"
#include "sasl/digest.h"

#include <stdlib.h>

enum {
    SIDE_AUTH = 0,
    SIDE_RESOLVE = 1,
    NOTE_ARENA_MAX = 1024 * 1024,
    TEXTS_MAX = 16 * 1024,
    AUTHORIZATION_MAX = 8 * 1024,
};

/* ---- auth ---------------------------------------------------------------------------------- */

/* What the former auth has asked concerns nobody any more. */
static void
forget_auth(struct issuer *issuer)
{
    host_channel_close(&issuer->auth);
    note_ledger_finish(&issuer->auth_ledger);
    requests_forget(issuer);
}

static void
send(struct issuer *issuer, bool is_put)
{
    assert(is_put);
    host_channel_send(issuer->auth, buffer_slice(&issuer->note), HOST_HANDLE_NONE);
    buffer_clear(&issuer->note);
}

void
issuer_send_told(struct issuer *issuer, uint64_t id, const struct verdict *verdict)
{
    static_assert(AUTH_ISSUER_TOLD_NAME_MAX == TOKEN_NAME_MAX, "note and room have one bound");
    send(issuer, auth_issuer_put_told(&issuer->note, &issuer->auth_ledger,
                                      &(struct auth_issuer_told){.id = id,
                                                                 .is_told = true,
                                                                 .result = (uint8_t)verdict->result,
                                                                 .name = verdict->name}));
}

void
issuer_send_untold(struct issuer *issuer, uint64_t id)
{
    send(issuer, auth_issuer_put_told(&issuer->note, &issuer->auth_ledger,
                                      &(struct auth_issuer_told){.id = id, .name = SLICE("")}));
}

void
issuer_send_keys(struct issuer *issuer, uint64_t id, struct slice set)
{
    static_assert(AUTH_ISSUER_KEYS_SET_MAX == TOKEN_KEYS_MAX, "note and room have one bound");
    send(issuer, auth_issuer_put_keys(&issuer->note, &issuer->auth_ledger,
                                      &(struct auth_issuer_keys){id, set}));
}

static void
on_auth_note(void *context, struct slice bytes, host_handle handle)
{
    struct issuer *issuer = context;
    struct auth_issuer_note note;

    arena_reset(&issuer->arena);
    if (!auth_issuer_take(bytes, handle, SIDE_AUTH, &issuer->auth_ledger, &issuer->arena, &note)) {
        host_handle_close(issuer->start.host, handle);
        log_event(issuer->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("auth"));
        forget_auth(issuer);
    } else if (note.kind == AUTH_ISSUER_ASK) {
        request_about_token(issuer, note.as.ask.id, note.as.ask.token);
    } else {
        request_keys(issuer, note.as.want_keys.id);
    }
}

static void
on_auth_closed(void *context)
{
    forget_auth(context);
}

/* ---- resolve ------------------------------------------------------------------------------- */

static void
forget_resolve(struct issuer *issuer)
{
    host_channel_close(&issuer->resolve);
    note_ledger_finish(&issuer->resolve_ledger);
    approach_on_resolve_lost(issuer);
}

static void
on_resolve_note(void *context, struct slice bytes, host_handle handle)
{
    struct issuer *issuer = context;
    struct route_resolve_note note;

    arena_reset(&issuer->arena);
    if (route_resolve_take(bytes, handle, SIDE_RESOLVE, &issuer->resolve_ledger, &issuer->arena,
                           &note)) {
        approach_on_answer(issuer, &note.as.answer);
        return;
    }
    host_handle_close(issuer->start.host, handle);
    log_event(issuer->start.host, HOST_LEVEL_ERROR, "bad_note", "from", SLICE("resolve"));
    forget_resolve(issuer);
}

static void
on_resolve_closed(void *context)
{
    forget_resolve(context);
}

/* ---- the role ------------------------------------------------------------------------------ */

static void
log_in_with(struct issuer *issuer, const struct routing_credentials *login)
{
    switch (issuer->start.config->oauth_login) {
    case CONFIG_OAUTH_BASIC:
        http_basic_put(&issuer->authorization, login->user, login->secret);
        break;
    case CONFIG_OAUTH_BEARER:
        buffer_put_text(&issuer->authorization, "Bearer ");
        buffer_put(&issuer->authorization, login->secret);
        break;
    case CONFIG_OAUTH_POST:
        issuer->user = login->user;
        issuer->secret = login->secret;
        break;
    }
}

static bool
read_options(struct issuer *issuer)
{
    const struct config *config = issuer->start.config;
    struct routing_credentials login;

    issuer->is_introspecting = config->oauth_introspection.len > 0;
    struct slice url = issuer->is_introspecting ? config->oauth_introspection : config->oauth_jwks;
    struct slice trust = config->oauth_trust.len > 0 ? config->oauth_trust : config->outbound_trust;
    if (!http_url_parse(arena_copy(&issuer->texts, url), &issuer->url))
        return false;
    trust_init(&issuer->trust, issuer->start.host, trust);
    /* Keys are public. */
    if (!issuer->is_introspecting)
        return true;
    if (login_read(&issuer->start, SLICE("oauth"), &issuer->texts, &login))
        log_in_with(issuer, &login);
    else
        log_event(issuer->start.host, HOST_LEVEL_WARNING, "oauth_credentials_missing", "file",
                  SLICE("credentials"));
    return true;
}

static void
issuer_close(void *state)
{
    struct issuer *issuer = state;

    forget_auth(issuer);
    forget_resolve(issuer);
    connection_shared_close(&issuer->shared);
    trust_finish(&issuer->trust);
    verdicts_close(&issuer->verdicts);
    sasl_wipe(issuer->authorization.at, issuer->authorization.size);
    buffer_finish(&issuer->authorization);
    arena_wipe(&issuer->texts);
    arena_finish(&issuer->arena);
    buffer_finish(&issuer->note);
    free(issuer);
}

static void *
issuer_open(const struct role_start *start)
{
    struct issuer *issuer = calloc(1, sizeof(*issuer));
    uint8_t key[VERDICTS_KEY_LEN];

    if (!issuer)
        abort();
    issuer->start = *start;
    issuer->trust = (struct trust){.host = start->host, .kept = HOST_HANDLE_NONE};
    list_init(&issuer->requests);
    list_init(&issuer->approaches);
    arena_init(&issuer->texts, TEXTS_MAX);
    arena_init(&issuer->arena, NOTE_ARENA_MAX);
    buffer_init(&issuer->authorization, AUTHORIZATION_MAX);
    buffer_init(&issuer->note, HOST_NOTE_MAX);
    host_random(start->host, key, sizeof(key));
    issuer->verdicts = verdicts_open(slice_of(key, sizeof(key)));
    sasl_wipe(key, sizeof(key));
    issuer->shared = connection_shared_open(start->host);
    if (read_options(issuer) && trust_context(&issuer->trust))
        return issuer;
    start->fail(start->fail_context,
                "the issuer of tokens cannot be asked safely: correct its URL, "
                "or name certificates to trust (oauth_trust)");
    issuer_close(issuer);
    return NULL;
}

static void
issuer_attach(void *state, enum role_kind peer, unsigned peer_index, host_handle handle)
{
    static const struct host_channel_handler from_auth = {.on_note = on_auth_note,
                                                          .on_closed = on_auth_closed};
    static const struct host_channel_handler from_resolve = {.on_note = on_resolve_note,
                                                             .on_closed = on_resolve_closed};
    struct issuer *issuer = state;

    if (peer == ROLE_AUTH && peer_index == 0) {
        forget_auth(issuer);
        issuer->auth = host_channel_open(issuer->start.host, handle, &from_auth, issuer);
    } else if (peer == ROLE_RESOLVE && peer_index == 0) {
        forget_resolve(issuer);
        issuer->resolve = host_channel_open(issuer->start.host, handle, &from_resolve, issuer);
    } else {
        host_handle_close(issuer->start.host, handle);
    }
}

static void
issuer_reload(void *state, const struct config *config)
{
    struct issuer *issuer = state;

    /* What is wanted of a token may have changed. */
    (void)config;
    verdicts_clear(issuer->verdicts);
}

static void
issuer_stats(void *state, struct role_stats *stats)
{
    const struct issuer *issuer = state;

    role_stats_add(stats, "asked", issuer->asked);
    role_stats_add(stats, "remembered", issuer->remembered);
    role_stats_add(stats, "good", issuer->good);
    role_stats_add(stats, "bad", issuer->bad);
    role_stats_add(stats, "unanswered", issuer->unanswered);
    role_stats_add(stats, "keys_fetched", issuer->keys_fetched);
    role_stats_add(stats, "questions_open", issuer->request_count);
}

const struct role role_issuer = {
    .kind = ROLE_ISSUER,
    .open = issuer_open,
    .attach = issuer_attach,
    .reload = issuer_reload,
    .stats = issuer_stats,
    .close = issuer_close,
};
