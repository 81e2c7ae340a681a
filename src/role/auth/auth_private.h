/* SPDX-License-Identifier: ISC */
/* The parts of the role: tables.c what is known, session.c one exchange, proof.c slow hashes and
 * PAM, bearer.c tokens and certificates, issuer.c who issues tokens, channel.c the notes of smtp
 * and access, auth.c the role around them. */
#ifndef ROLE_AUTH_AUTH_PRIVATE_H
#define ROLE_AUTH_AUTH_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "directory/secret.h"
#include "note/access_auth.h"
#include "note/auth_issuer.h"
#include "note/auth_store.h"
#include "note/smtp_auth.h"
#include "role/auth/lockout.h"
#include "role/auth/recent.h"
#include "role/role.h"
#include "sasl/server.h"

enum {
    AUTH_CLIENTS_MAX = 64,     /* processes of smtp and of access each, as the option `processes` */
    AUTH_SESSIONS_MAX = 16384, /* exchanges under way; the next get `temporary` */
    AUTH_HELPERS = 2,          /* that compute slow hashes */
    AUTH_JOBS_MAX = 1024,      /* passwords that wait for a helper */
    AUTH_JOBS_PER_CUSTOMER_MAX = 16,
    AUTH_SESSION_S = 300, /* for a whole exchange: RFC 5321 gives a step as much */
};

struct auth_session;

/* One channel of smtp or access. */
struct auth_client {
    struct auth *auth;
    enum role_kind kind;
    unsigned index;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct map sessions; /* by the client's number */
};

/* A helper and what it is computing for. */
struct auth_helper {
    struct auth *auth;
    struct host_channel *channel;
    struct auth_session *session; /* NULL while idle, and when the session has gone meanwhile */
    bool is_busy;
    uint64_t secrets_stamp; /* of the table that the verifier came from */
};

struct auth {
    struct role_start start;
    /* tables.c */
    struct host_dir *dir;
    struct directory *directory;       /* NULL: could never be read */
    struct directory_secrets *secrets; /* the same */
    uint64_t accounts_stamp, secrets_stamp;
    struct buffer oauth_keys; /* a JWK set; of a file (bearer.c), or fetched (issuer.c) */
    uint64_t oauth_keys_stamp;
    struct instant looked;
    uint8_t installation_key[DIRECTORY_KEY_LEN];
    /* proof.c */
    struct auth_helper helpers[AUTH_HELPERS];
    struct auth_helper judge; /* of tokens and certificates; channel NULL: none are taken */
    struct list jobs_judge;
    struct buffer client_trust; /* who vouches for users' certificates, PEM; bearer.c */
    struct auth_helper pam;                         /* channel NULL: system_users is off */
    struct list jobs_known, jobs_unknown, jobs_pam; /* sessions that wait */
    size_t job_count;
    struct recents *recents;
    struct lockouts *lockouts;
    /* issuer.c */
    struct host_channel *issuer; /* NULL: there is none */
    struct note_ledger issuer_ledger;
    struct list jobs_issuer, jobs_keys; /* sessions that wait for its word, or its keys */
    uint64_t issuer_question;           /* the last one */
    uint64_t keys_question;             /* 0: none is open */
    struct instant keys_fetched;        /* those in oauth_keys */
    struct instant keys_window_end;
    unsigned keys_fetches; /* within this window */
    /* session.c */
    struct list sessions; /* oldest first */
    size_t session_count;
    struct host_timer *timer;
    /* channel.c */
    struct auth_client smtps[AUTH_CLIENTS_MAX], accesses[AUTH_CLIENTS_MAX];
    struct host_channel *store;
    struct note_ledger store_ledger;
    struct map grants; /* sessions by the number of their grant */
    uint64_t grant_next;
    struct arena arena; /* of the note in hand */
    struct buffer note;
    uint64_t granted, failed, locked, hashed, remembered;
};

enum auth_wait { AUTH_WAIT_CLIENT, AUTH_WAIT_PROOF, AUTH_WAIT_STORE };

struct auth_session {
    struct auth_client *client;
    uint64_t id;                /* the client's number */
    struct list by_age;         /* in auth->sessions */
    struct list job;            /* in one of the lists of jobs, while it waits there */
    struct auth_helper *helper; /* that computes for it now */
    enum auth_wait wait;
    bool is_queued;
    struct instant deadline;
    struct sasl_server *sasl; /* NULL for APOP */
    const char *refusal;      /* why a token or a certificate was not good */
    uint64_t question;        /* to the issuer */
    bool has_waited_for_keys;
    struct buffer certificates; /* EXTERNAL: what the client has shown */
    enum sasl_mechanism mechanism;
    bool is_secure;
    struct host_address peer;
    /* Set when the client has said who it is. */
    bool is_named;
    bool is_real; /* an enabled account that may act as it asks to */
    uint64_t account;
    uint8_t name[DIRECTORY_NAME_MAX]; /* canonical for an account, else as typed in lower case */
    size_t name_len;
    uint64_t grant;
};

/* What a client begins with, whichever it is. */
struct auth_begin {
    uint64_t session;
    struct slice mechanism;
    bool has_initial;
    struct slice initial;
    bool is_secure;
    struct slice peer;
    struct slice binding, binding_kind;
    struct slice certificates;
};

/* Why an exchange failed; the values of both channels' enum failure. */
enum auth_failure {
    AUTH_FAILURE_CREDENTIALS = SMTP_AUTH_FAILURE_CREDENTIALS,
    AUTH_FAILURE_TEMPORARY = SMTP_AUTH_FAILURE_TEMPORARY,
    AUTH_FAILURE_LOCKED = SMTP_AUTH_FAILURE_LOCKED,
    AUTH_FAILURE_MECHANISM = SMTP_AUTH_FAILURE_MECHANISM,
    AUTH_FAILURE_MALFORMED = SMTP_AUTH_FAILURE_MALFORMED,
    AUTH_FAILURE_WEAK = SMTP_AUTH_FAILURE_WEAK,
    AUTH_FAILURE_LIMIT = SMTP_AUTH_FAILURE_LIMIT,
};

/* ---- tables.c ------------------------------------------------------------------------------ */

void auth_tables_load(struct auth *auth);
/* Loads again what has changed; looks at the files no more than ten times a second. */
void auth_tables_refresh(struct auth *auth);
void auth_tables_finish(struct auth *auth);

/* ---- session.c ----------------------------------------------------------------------------- */

void auth_session_begin(struct auth_client *client, const struct auth_begin *begin);
void auth_session_apop(struct auth_client *client, const struct access_auth_apop *apop);
void auth_session_step(struct auth_session *session, struct slice response);
/* The client has gone away from it: it gets its one answer, and that is all. */
void auth_session_abort(struct auth_session *session);
/* Frees it without an answer: its channel is gone. */
void auth_session_forget(struct auth_session *session);
/* A helper has answered; `is_right` is already false for who is not real. */
void auth_session_on_proof(struct auth_session *session, bool is_right);
/* It could not compare the password: a damaged verifier, no memory, or PAM's sources are away. */
void auth_session_on_proof_unknown(struct auth_session *session);
/* The token is good, and of this name; or it is not, because of `refusal`. */
void auth_session_on_token(struct auth_session *session, struct slice name, const char *refusal);
/* The certificate is good, and these names, one a line, stand in it; or it is not. */
void auth_session_on_certificate(struct auth_session *session, struct slice names,
                                 const char *refusal);
/* Nobody could be asked. */
void auth_session_on_keys_away(struct auth_session *session);
void auth_session_on_proof_failed(struct auth_session *session);
void auth_session_on_issuer_away(struct auth_session *session);
/* store knows the grant, or cannot be told. */
enum auth_grant {
    AUTH_GRANTED,
    AUTH_REFUSED, /* the account has too many sessions */
    AUTH_LOST,    /* store has gone */
};
void auth_session_on_grant(struct auth_session *session, enum auth_grant grant);
/* Timer: ends those whose time is over. */
void auth_sessions_expire(void *context);

/* Whom to count guesses for. */
struct lockout_who auth_session_who(const struct auth_session *session);
struct slice auth_session_customer(const struct auth_session *session);

/* ---- proof.c ------------------------------------------------------------------------------- */

/* Starts the helpers: before the process is confined or knows a secret. A negative errno. */
MUST_USE int auth_helpers_open(struct auth *auth);
void auth_helpers_close(struct auth *auth);
/* Has the session's password checked; auth_session_on_proof follows, perhaps at once. */
void auth_proof_ask(struct auth_session *session);
/* The session is going: its place in a queue is free, a helper's answer will be for nobody. */
void auth_proof_forget(struct auth_session *session);
/* True when no more may wait in this list: none at all, or none of this customer. */
bool auth_jobs_are_many(const struct auth *auth, struct list *jobs,
                        const struct auth_session *session);

/* What a helper does: question is le32 length of the verifier, verifier, password; the answer one
 * octet, an enum directory_password. `pam` has a login name in place of the verifier. */
void auth_helper_hash(void *context, struct slice question, struct buffer *answer);
void auth_helper_pam(void *context, struct slice question, struct buffer *answer);
/* Wraps libpam: is it the password of this system user, and may they log in now? */
MUST_USE enum directory_password auth_pam_verify(const char *login, const char *password);
/* What a result of libpam says of the password. */
enum directory_password auth_pam_verdict(int result);

/* ---- bearer.c ------------------------------------------------------------------------------ */

/* A negative errno. */
MUST_USE int auth_bearer_open(struct auth *auth);
void auth_bearer_close(struct auth *auth);
/* Has the session's token or certificate verified, or the token's issuer asked;
 * auth_session_on_token or _on_certificate follows. */
void auth_bearer_ask(struct auth_session *session);
/* What the helper does: the question is an octet of enum auth_question, le64 the time, and
 * TOKEN        issuer, audience, claim, keys and token, each behind its le32 length;
 * CERTIFICATE  an octet of enum tls_chain_name, the certificates.
 * The answer is an octet of enum token_result or tls_chain_result, then the name or names. Its
 * context is the struct auth, of which it uses client_trust. */
enum auth_question { AUTH_QUESTION_TOKEN, AUTH_QUESTION_CERTIFICATE };
void auth_helper_judge(void *context, struct slice question, struct buffer *answer);

/* ---- issuer.c ------------------------------------------------------------------------------ */

void auth_issuer_init(struct auth *auth);
/* Attaching replaces what was attached before; closing fails those who wait. */
void auth_issuer_attach(struct auth *auth, host_handle handle);
void auth_issuer_close(struct auth *auth);
/* Has the issuer asked about the session's token; auth_session_on_token follows. */
void auth_issuer_ask(struct auth_session *session);
/* True when the keys are there. Else the session waits for them (auth_bearer_ask follows), or has
 * ended. */
MUST_USE bool auth_keys_are_known(struct auth_session *session);
/* No key fits: true when the session waits for newer ones (auth_bearer_ask follows). */
MUST_USE bool auth_keys_may_be_newer(struct auth_session *session);

/* ---- channel.c ----------------------------------------------------------------------------- */

/* Attaching replaces what was attached before; closing forgets the exchanges of that client, and
 * fails those that wait for store. */
void auth_clients_init(struct auth *auth);
void auth_client_attach(struct auth_client *client, host_handle handle);
void auth_client_close(struct auth_client *client);
void auth_store_attach(struct auth *auth, host_handle handle);
void auth_store_close(struct auth *auth);

void auth_send_challenge(struct auth_session *session, struct slice challenge);
void auth_send_failed(struct auth_session *session, enum auth_failure failure,
                      struct duration delay);
void auth_send_granted(struct auth_session *session);
/* False when store is not there. */
MUST_USE bool auth_send_grant(struct auth_session *session);

#endif
