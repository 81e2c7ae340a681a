/* SPDX-License-Identifier: ISC */
/* One exchange, from begin to granted or failed. Every function that may end it frees it: its
 * callers touch the session no more afterwards. */
#include "role/auth/auth_private.h"

#include "host/address.h"
#include "host/log.h"
#include "tls/chain.h"

#include <stdlib.h>

/* ---- beginning and ending ------------------------------------------------------------------ */

static void
arm_timer(struct auth *auth)
{
    struct instant when = INSTANT_NEVER;

    if (!list_is_empty(&auth->sessions))
        when = LIST_ITEM(auth->sessions.next, struct auth_session, by_age)->deadline;
    host_timer_set(auth->timer, when);
}

/* None is a program of this machine. */
static struct host_address
address_of(struct slice peer)
{
    struct host_address address = {.family = peer.len == 4    ? HOST_FAMILY_IPV4
                                             : peer.len == 16 ? HOST_FAMILY_IPV6
                                                              : HOST_FAMILY_UNIX};

    if (address.family != HOST_FAMILY_UNIX)
        memcpy(address.bytes, peer.at, peer.len);
    return address;
}

static struct auth_session *
session_open(struct auth_client *client, uint64_t id, struct slice peer, bool is_secure)
{
    struct auth *auth = client->auth;
    struct auth_session *session = calloc(1, sizeof(*session));

    if (!session)
        abort();
    session->client = client;
    session->id = id;
    session->is_secure = is_secure;
    session->wait = AUTH_WAIT_CLIENT;
    session->deadline = instant_after(host_now(auth->start.host), duration_s(AUTH_SESSION_S));
    session->peer = address_of(peer);
    buffer_init(&session->certificates, TLS_CHAIN_MAX);
    list_init(&session->job);
    list_append(&auth->sessions, &session->by_age);
    auth->session_count++;
    (void)map_set(&client->sessions, map_key_u64(&session->id), session);
    arm_timer(auth);
    return session;
}

void
auth_session_forget(struct auth_session *session)
{
    struct auth *auth = session->client->auth;

    auth_proof_forget(session);
    if (session->wait == AUTH_WAIT_STORE)
        (void)map_remove(&auth->grants, map_key_u64(&session->grant));
    (void)map_remove(&session->client->sessions, map_key_u64(&session->id));
    list_remove(&session->by_age);
    auth->session_count--;
    sasl_server_close(&session->sasl);
    buffer_finish(&session->certificates);
    free(session);
    arm_timer(auth);
}

struct slice
auth_session_customer(const struct auth_session *session)
{
    return host_address_customer(&session->peer);
}

struct lockout_who
auth_session_who(const struct auth_session *session)
{
    const struct config *config = session->client->auth->start.config;

    return (struct lockout_who){
        .name = slice_of(session->name, session->name_len),
        .customer = auth_session_customer(session),
        .is_trusted = session->peer.family == HOST_FAMILY_UNIX ||
                      config_networks_contain(&config->trusted_networks, &session->peer),
    };
}

static void
log_failure(const struct auth_session *session, const char *reason)
{
    struct log_line line;

    log_begin(&line, session->client->auth->start.host, HOST_LEVEL_INFO, "login_failed");
    log_string(&line, "service", role_kind_name(session->client->kind));
    log_text(&line, "mechanism",
             session->sasl ? sasl_mechanism_name(session->mechanism) : SLICE("APOP"));
    if (session->is_named)
        log_address(&line, "user", slice_of(session->name, session->name_len));
    if (session->peer.family != HOST_FAMILY_UNIX)
        log_peer(&line, "peer", &session->peer);
    log_string(&line, "reason", reason);
    log_end(&line);
}

static void
fail(struct auth_session *session, enum auth_failure failure, const char *reason)
{
    struct duration delay = {0};

    session->client->auth->failed++;
    log_failure(session, reason);
    auth_send_failed(session, failure, delay);
    auth_session_forget(session);
}

/* A wrong guess: counted, and answered the later the more there were. */
static void
fail_guess(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    struct lockout_who who = auth_session_who(session);

    auth->failed++;
    log_failure(session, session->is_real ? "wrong password" : "unknown or not allowed");
    auth_send_failed(session, AUTH_FAILURE_CREDENTIALS,
                     lockout_fail(auth->lockouts, &who, host_now(auth->start.host)));
    auth_session_forget(session);
}

static void
fail_temporarily(struct auth_session *session, const char *reason)
{
    fail(session, AUTH_FAILURE_TEMPORARY, reason);
}

/* Proven. access gets its answer only when store knows. */
static void
grant(struct auth_session *session)
{
    struct auth *auth = session->client->auth;
    struct lockout_who who = auth_session_who(session);

    lockout_succeed(auth->lockouts, &who, host_now(auth->start.host));
    if (session->client->kind != ROLE_ACCESS) {
        auth->granted++;
        auth_send_granted(session);
        auth_session_forget(session);
    } else if (!auth_send_grant(session)) {
        fail_temporarily(session, "store is not there");
    }
}

/* ---- who is it? ---------------------------------------------------------------------------- */

/* The name as typed, in lower case, for those who are nobody here. */
static void
set_name(struct auth_session *session, struct slice name)
{
    session->name_len = name.len < sizeof(session->name) ? name.len : sizeof(session->name);
    for (size_t i = 0; i < session->name_len; i++)
        session->name[i] = byte_to_lower(name.at[i]);
}

/* Finds the account; false when the exchange has ended because it is locked. */
static bool
identify(struct auth_session *session, struct slice authcid, struct slice authzid)
{
    struct auth *auth = session->client->auth;
    const struct directory_account *account = NULL;

    auth_tables_refresh(auth);
    if (auth->directory)
        account = directory_login_find(auth->directory, authcid);
    set_name(session, account ? account->name : authcid);
    session->is_named = true;
    session->account = account ? account->id : 0;
    /* Nobody acts for somebody else here (RFC 4616 §2). */
    session->is_real =
        account && account->is_enabled &&
        (authzid.len == 0 || directory_login_find(auth->directory, authzid) == account);
    struct lockout_who who = auth_session_who(session);
    if (!lockout_is_locked(auth->lockouts, &who, host_now(auth->start.host)))
        return true;
    auth->locked++;
    fail(session, AUTH_FAILURE_LOCKED, "locked");
    return false;
}

/* The keys of a real user, or such as nothing fits: both are made, for the time it takes. */
static void
find_keys(struct auth_session *session, struct sasl_scram_keys *ret_keys, bool *ret_is_real)
{
    struct auth *auth = session->client->auth;
    enum sasl_hash hash = sasl_server_hash(session->sasl);
    const struct directory_secret *secret =
        auth->secrets ? directory_secret_find(auth->secrets, session->account) : NULL;
    const struct sasl_scram_keys *keys = NULL;

    sasl_scram_fake(hash, slice_of(auth->installation_key, sizeof(auth->installation_key)),
                    slice_of(session->name, session->name_len), ret_keys);
    if (secret && session->is_real)
        keys = hash == SASL_HASH_SHA_1 ? secret->sha_1 : secret->sha_256;
    if (keys)
        *ret_keys = *keys;
    *ret_is_real = keys != NULL;
}

/* ---- the exchange -------------------------------------------------------------------------- */

static void
on_failed(struct auth_session *session)
{
    switch (sasl_server_failure(session->sasl)) {
    case SASL_FAILURE_CREDENTIALS:
        /* Nobody guesses signatures: what is refused is old, mostly, and not counted. */
        if (session->refusal)
            fail(session, AUTH_FAILURE_CREDENTIALS, session->refusal);
        else
            fail_guess(session);
        break;
    case SASL_FAILURE_MALFORMED:
        fail(session, AUTH_FAILURE_MALFORMED, "malformed");
        break;
    case SASL_FAILURE_BINDING:
        fail(session, AUTH_FAILURE_CREDENTIALS, "channel binding differs");
        break;
    }
}

static void
go_on(struct auth_session *session, enum sasl_server_status status)
{
    struct sasl_scram_keys keys;
    bool is_real;

    if (status == SASL_SERVER_ASK_KEYS) {
        if (!identify(session, sasl_server_authcid(session->sasl),
                      sasl_server_authzid(session->sasl)))
            return;
        find_keys(session, &keys, &is_real);
        status = sasl_server_answer_keys(session->sasl, &keys, is_real);
        sasl_wipe(&keys, sizeof(keys));
    }
    switch (status) {
    case SASL_SERVER_CHALLENGE:
        session->wait = AUTH_WAIT_CLIENT;
        auth_send_challenge(session, sasl_server_message(session->sasl));
        break;
    case SASL_SERVER_ASK_PASSWORD:
        if (identify(session, sasl_server_authcid(session->sasl),
                     sasl_server_authzid(session->sasl)))
            auth_proof_ask(session);
        break;
    case SASL_SERVER_ASK_TOKEN:
    case SASL_SERVER_ASK_EXTERNAL:
        auth_bearer_ask(session);
        break;
    case SASL_SERVER_GRANTED:
        grant(session);
        break;
    case SASL_SERVER_FAILED:
        on_failed(session);
        break;
    case SASL_SERVER_ASK_KEYS:
        abort(); /* it was answered above */
    }
}

static bool
mechanism_is_offered(const struct auth *auth, enum sasl_mechanism mechanism)
{
    static const uint32_t bits[SASL_MECHANISMS] = {
        [SASL_PLAIN] = CONFIG_MECHANISM_PLAIN,
        [SASL_LOGIN] = CONFIG_MECHANISM_LOGIN,
        [SASL_SCRAM_SHA_1] = CONFIG_MECHANISM_SCRAM_SHA_1,
        [SASL_SCRAM_SHA_1_PLUS] = CONFIG_MECHANISM_SCRAM_SHA_1_PLUS,
        [SASL_SCRAM_SHA_256] = CONFIG_MECHANISM_SCRAM_SHA_256,
        [SASL_SCRAM_SHA_256_PLUS] = CONFIG_MECHANISM_SCRAM_SHA_256_PLUS,
        [SASL_OAUTHBEARER] = CONFIG_MECHANISM_OAUTHBEARER,
        [SASL_XOAUTH2] = CONFIG_MECHANISM_XOAUTH2,
        [SASL_EXTERNAL] = CONFIG_MECHANISM_EXTERNAL,
    };

    return (auth->start.config->auth_mechanisms & bits[mechanism]) != 0;
}

/* Whether the client was shown the -PLUS of its mechanism; RFC 5802 §6. */
static bool
binding_is_offered(const struct auth *auth, enum sasl_mechanism mechanism)
{
    bool is_sha_1 = mechanism == SASL_SCRAM_SHA_1 || mechanism == SASL_SCRAM_SHA_1_PLUS;

    return mechanism_is_offered(auth, is_sha_1 ? SASL_SCRAM_SHA_1_PLUS : SASL_SCRAM_SHA_256_PLUS);
}

/* The clients see to it as well; a password in the clear shall not pass two gates. */
static bool
is_too_weak(const struct auth_session *session)
{
    const struct config *config = session->client->auth->start.config;

    return !session->is_secure && !(host_address_is_loopback(&session->peer) &&
                                    config->auth_plaintext_on_loopback);
}

static void
open_sasl(struct auth_session *session, const struct auth_begin *begin)
{
    struct auth *auth = session->client->auth;
    uint8_t random[SASL_NONCE_RANDOM_LEN], nonce[SASL_NONCE_LEN];

    host_random(auth->start.host, random, sizeof(random));
    struct sasl_server_options options = {
        .mechanism = session->mechanism,
        .nonce = sasl_nonce_format(random, nonce),
        .binding = begin->binding,
        .binding_kind = begin->binding_kind,
        .is_binding_offered =
            begin->binding.len > 0 && binding_is_offered(auth, session->mechanism),
    };
    session->sasl = sasl_server_open(&options);
}

/* True when the exchange has been refused for what the whole process has to do. */
static bool
is_refused(struct auth_session *session)
{
    struct auth *auth = session->client->auth;

    auth_tables_refresh(auth);
    if (auth->session_count > AUTH_SESSIONS_MAX) {
        fail_temporarily(session, "too many logins under way");
        return true;
    }
    if (!auth->directory || !auth->secrets) {
        fail_temporarily(session, "the directory cannot be read");
        return true;
    }
    return false;
}

void
auth_session_begin(struct auth_client *client, const struct auth_begin *begin)
{
    struct auth *auth = client->auth;
    struct auth_session *session =
        session_open(client, begin->session, begin->peer, begin->is_secure);

    if (is_refused(session))
        return;
    if (!sasl_mechanism_parse(begin->mechanism, &session->mechanism) ||
        !mechanism_is_offered(auth, session->mechanism)) {
        fail(session, AUTH_FAILURE_MECHANISM, "mechanism is not offered");
        return;
    }
    if (sasl_mechanism_is_plaintext(session->mechanism) && is_too_weak(session)) {
        fail(session, AUTH_FAILURE_WEAK, "password in the clear");
        return;
    }
    if (session->mechanism == SASL_EXTERNAL && begin->certificates.len == 0) {
        fail(session, AUTH_FAILURE_MECHANISM, "no certificate was shown");
        return;
    }
    buffer_put(&session->certificates, begin->certificates);
    open_sasl(session, begin);
    go_on(session, sasl_server_start(session->sasl, begin->has_initial, begin->initial));
}

void
auth_session_step(struct auth_session *session, struct slice response)
{
    /* A client of ours that steps while we compute has lost its way. */
    if (session->wait != AUTH_WAIT_CLIENT || !session->sasl)
        fail(session, AUTH_FAILURE_MALFORMED, "out of order");
    else
        go_on(session, sasl_server_feed(session->sasl, response));
}

void
auth_session_abort(struct auth_session *session)
{
    auth_send_failed(session, AUTH_FAILURE_TEMPORARY, (struct duration){0});
    auth_session_forget(session);
}

void
auth_session_on_proof(struct auth_session *session, bool is_right)
{
    go_on(session, sasl_server_answer_password(session->sasl, is_right));
}

void
auth_session_on_token(struct auth_session *session, struct slice name, const char *refusal)
{
    session->refusal = refusal;
    if (!refusal) {
        if (!identify(session, name, sasl_server_authzid(session->sasl)))
            return;
        session->refusal = session->is_real ? NULL : "unknown or not allowed";
    }
    go_on(session, sasl_server_answer_token(session->sasl, !session->refusal));
}

void
auth_session_on_proof_unknown(struct auth_session *session)
{
    fail_temporarily(session, "the password cannot be checked");
}

/* The first name that is of an account which may do this; else the first. */
static struct slice
choose_name(const struct auth *auth, struct slice names, struct slice authzid)
{
    struct slice first = slice_first(names, slice_find_byte(names, '\n')), rest = names;

    while (auth->directory && rest.len > 0) {
        size_t len = slice_find_byte(rest, '\n');
        struct slice name = slice_first(rest, len);
        const struct directory_account *account = directory_login_find(auth->directory, name);
        if (account && account->is_enabled &&
            (authzid.len == 0 || directory_login_find(auth->directory, authzid) == account))
            return name;
        rest = slice_skip(rest, len + 1);
    }
    return first;
}

void
auth_session_on_certificate(struct auth_session *session, struct slice names, const char *refusal)
{
    struct slice authzid = sasl_server_authzid(session->sasl);

    session->refusal = refusal;
    if (!refusal) {
        auth_tables_refresh(session->client->auth);
        if (!identify(session, choose_name(session->client->auth, names, authzid), authzid))
            return;
        session->refusal = session->is_real ? NULL : "unknown or not allowed";
    }
    go_on(session, sasl_server_answer_external(session->sasl, !session->refusal));
}

void
auth_session_on_proof_failed(struct auth_session *session)
{
    fail_temporarily(session, "too many passwords wait to be checked");
}

void
auth_session_on_keys_away(struct auth_session *session)
{
    fail_temporarily(session, "the keys of the issuer of tokens cannot be read");
}

void
auth_session_on_issuer_away(struct auth_session *session)
{
    fail_temporarily(session, "the issuer of tokens cannot be asked");
}

void
auth_session_on_grant(struct auth_session *session, enum auth_grant grant)
{
    struct auth *auth = session->client->auth;

    if (grant == AUTH_LOST) {
        fail_temporarily(session, "store has gone");
        return;
    }
    if (grant == AUTH_REFUSED) {
        fail(session, AUTH_FAILURE_LIMIT, "too many sessions of this account");
        return;
    }
    auth->granted++;
    auth_send_granted(session);
    auth_session_forget(session);
}

void
auth_sessions_expire(void *context)
{
    struct auth *auth = context;
    struct instant now = host_now(auth->start.host);

    while (!list_is_empty(&auth->sessions)) {
        struct auth_session *oldest = LIST_ITEM(auth->sessions.next, struct auth_session, by_age);
        if (instant_is_before(now, oldest->deadline))
            break;
        fail_temporarily(oldest, "took too long");
    }
    arm_timer(auth);
}

/* ---- APOP ---------------------------------------------------------------------------------- */

/* Two hexadecimal digits for each octet of MD5(timestamp, secret): RFC 1939 §7. */
static bool
digest_is_right(struct slice timestamp, struct slice secret, struct slice digest)
{
    uint8_t octets[SASL_DIGEST_MAX], given[32] = {0};
    struct buffer text, hex;

    buffer_init(&text, timestamp.len + secret.len);
    buffer_put(&text, timestamp);
    buffer_put(&text, secret);
    sasl_digest(SASL_HASH_MD5, buffer_slice(&text), octets);
    sasl_wipe(text.at, text.size);
    buffer_finish(&text);
    buffer_init(&hex, sizeof(given));
    buffer_put_hex(&hex, slice_of(octets, 16));
    for (size_t i = 0; i < digest.len && i < sizeof(given); i++)
        given[i] = byte_to_lower(digest.at[i]);
    bool is_right = digest.len == sizeof(given) &&
                    sasl_equal(buffer_slice(&hex), slice_of(given, sizeof(given)));
    buffer_finish(&hex);
    return is_right;
}

void
auth_session_apop(struct auth_client *client, const struct access_auth_apop *apop)
{
    struct auth *auth = client->auth;
    struct auth_session *session = session_open(client, apop->session, apop->peer, apop->is_secure);

    if (is_refused(session) || !identify(session, apop->name, SLICE("")))
        return;
    const struct directory_secret *secret = directory_secret_find(auth->secrets, session->account);
    bool is_real = session->is_real && secret && secret->apop.len > 0;
    bool is_right =
        digest_is_right(apop->timestamp, is_real ? secret->apop : SLICE("nobody's"), apop->digest);
    if (is_right && is_real)
        grant(session);
    else
        fail_guess(session);
}
