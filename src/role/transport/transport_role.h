/* SPDX-License-Identifier: ISC */
/* Private to the role: jobs (one note `carry` each), dials (a race for a connection) and sessions.
 *
 *     job -> a session that is kept, or a dial to each host in turn -> session -> results ->
 * carried
 */
#ifndef ROLE_TRANSPORT_TRANSPORT_ROLE_H
#define ROLE_TRANSPORT_TRANSPORT_ROLE_H

#include "base/list.h"
#include "base/map.h"
#include "note/store_transport.h"
#include "note/transport_hand.h"
#include "role/connection.h"
#include "role/role.h"
#include "role/trust.h"
#include "routing/sts.h"
#include "smtp/client.h"

/* What stands before a turn's number in the path of what is carried over it. */
#define TRANSPORT_TURN "turn "

enum {
    TRANSPORT_ATTEMPTS_MAX = STORE_TRANSPORT_CARRIED_ATTEMPTS_MAX,
    TRANSPORT_SESSIONS_MAX = 500,     /* connections of one process; jobs wait beyond */
    TRANSPORT_RACE_MAX = 4,           /* connections that one dial opens at a time */
    TRANSPORT_RACE_MS = 250,          /* before the next address is tried too (RFC 8305 §5) */
    TRANSPORT_CONNECT_MS = 30 * 1000, /* for one address */
    TRANSPORT_IDLE_MS = 5 * 1000,     /* a session is kept for the next message */
    TRANSPORT_MESSAGES_MAX = 100,     /* in one session */
    TRANSPORT_ROUNDS_MAX = 10,        /* transactions for one job in one session (452) */
    TRANSPORT_EARLY_MAX = 512,        /* octets that were read to see that a stream stands */
    TRANSPORT_NAMES_S = 600,          /* for all names of a domain; each page has a minute */
    TRANSPORT_ERRAND_REPLY_S = 60,    /* for a reply to what is asked beside mail */
    TRANSPORT_JOB_ARENA_MAX = 1024 * 1024,
};

struct transport {
    struct role_start start;
    struct host_channel *channel;
    struct note_ledger ledger;
    struct host_channel *hand; /* NULL where none is configured */
    struct note_ledger hand_ledger;
    uint64_t reach_id;
    struct connection_shared *shared;
    struct tls_context *tls_open; /* made when first wanted; believes anybody; DANE too */
    struct trust trust;
    struct list jobs;    /* all of them */
    struct list waiting; /* those that wait for a session to end */
    struct list sessions;
    struct list turns;
    struct list idle; /* of the sessions, those that are kept, longest first */
    struct map sts;   /* domain -> struct sts_entry */
    struct list sts_recent;
    struct host_timer *idle_timer;
    size_t session_count;
    struct buffer note;
    bool is_stopping;
    uint64_t carried, delivered, temporary, permanent, unknown, connections, reused;
    uint64_t tls_sessions, tls_verified_sessions, tls_failures, sts_fetched, sts_failures;
};

/* How one host is to be met. */
struct transport_manner {
    enum smtp_client_tls tls;
    bool is_verified;   /* by the system's roots */
    bool is_implicit;   /* TLS from the first byte */
    bool may_fall_back; /* to the clear, after a handshake that failed */
};

struct transport_dial;
struct transport_session;
struct transport_fetch;
struct transport_errand;
struct transport_turn;

struct transport_job {
    struct list link;         /* in jobs */
    struct list waiting_link; /* in waiting, or among those that wait for a policy */
    struct transport *transport;
    struct arena arena;
    bool has_secret;                    /* a password is in it: it is wiped */
    struct store_transport_carry carry; /* lives in the arena */
    struct routing_sts_policy policy;   /* of MTA-STS; `none` where there is none */
    bool is_sts_known;
    struct transport_fetch *fetch;
    struct slice key;     /* sessions that it may use have the same */
    struct instant taken; /* from the store */
    struct host_mapping mapping;
    bool is_mapped;
    struct slice content;
    struct buffer converted; /* 7-bit form, when a host wanted it */
    struct slice converted_content;

    /* One for each recipient of the carry, in the arena; and one more, for a job without any. */
    struct store_transport_result *results;
    bool *is_settled;
    struct store_transport_attempt attempts[TRANSPORT_ATTEMPTS_MAX];
    size_t attempt_count;
    uint8_t attempt; /* that in hand */
    enum store_transport_reach reach;

    /* The transaction in hand. */
    struct smtp_client_message message;
    struct smtp_client_recipient *recipients; /* in the arena, as are */
    uint8_t *places;                          /* theirs in the carry's */
    unsigned rounds;
    bool has_progress, wants_more; /* of this round: somebody was settled, somebody is left over */

    size_t host;     /* the next one to try */
    unsigned fallen; /* how often the host in hand was tried again, with less TLS each time */
    bool is_in_vain; /* the last session settled nobody: a kept one would say the same again */
    struct transport_dial *dial;
    struct transport_session *session;
    struct transport_errand *errand; /* once it has begun, where carry.errand is one */
    uint64_t reach_id;               /* of the question for a unix socket; 0: none is open */
};

/* A stream that stands, and what was read from it already. */
struct transport_stream {
    struct host_stream *stream;
    struct host_address address;
    struct instant begun;
    struct store_transport_attempt *attempt;
    uint8_t early[TRANSPORT_EARLY_MAX];
    size_t early_len;
};

/* ---- job.c */
/* False when the note is not to be believed. *ret_job is NULL when it was none that opens a job. */
MUST_USE bool job_open(struct transport *transport, struct slice note, host_handle handle,
                       struct transport_job **ret_job);
void job_close(struct transport_job **job);
/* Does what comes next for a job that has neither dial nor session. */
void job_advance(struct transport_job *job);
/* Sends `carried` and frees the job. */
void job_finish(struct transport_job *job);
/* A new entry of the history; the last one when it is full. */
struct store_transport_attempt *job_attempt(struct transport_job *job, struct slice host,
                                            const struct host_address *address);
/* All that has no result gets this one; it holds unless a later host does better. */
void job_set_all(struct transport_job *job, enum store_transport_outcome outcome, uint16_t code,
                 struct envelope_status status, struct slice text);
/* Fills job->message with the recipients that have no result. */
void job_make_message(struct transport_job *job);
/* The content in 7-bit form, or NULL when it has none. */
const struct slice *job_convert(struct transport_job *job);
void job_take_result(struct transport_job *job, const struct smtp_client_event *event);
bool job_is_settled(const struct transport_job *job);
struct transport_manner job_manner(const struct transport_job *job, size_t host);

/* ---- dial.c: a race of addresses (RFC 8305) */
/* Opens one to all addresses of a host; a call of job_dialled or job_dial_failed follows, later. */
struct transport_dial *dial_open(struct transport_job *job, size_t host);
/* The same to the host that tells the policy of the job's domain. */
struct transport_dial *dial_open_policy(struct transport_job *job, struct slice host,
                                        uint16_t port);
void dial_close(struct transport_dial **dial);
/* The winner; the stream is the callee's. */
void job_dialled(struct transport_job *job, struct transport_stream *stream);
void job_dial_failed(struct transport_job *job);

/* ---- reach.c: unix sockets, which the role hand connects */
void reach_attach(struct transport *transport, host_handle handle);
/* Asks for the socket of the job's path; job_dialled or job_dial_failed follows, maybe at once. */
void reach_begin(struct transport_job *job);
void reach_close(struct transport *transport);

/* ---- sts.c: MTA-STS (RFC 8461) */
/* True when the job's policy is known, also that there is none; else job_advance follows, later. */
bool sts_prepare(struct transport_job *job);
/* What became of the dial to the policy's host; the stream is the callee's. */
void sts_dialled(struct transport_job *job, struct transport_stream *stream);
void sts_dial_failed(struct transport_job *job);
void sts_fetch_close(struct transport_fetch **fetch);
/* What the store has kept of a policy, or another transport has learned. */
MUST_USE bool sts_take_known(struct transport *transport,
                             const struct store_transport_policy *policy);
/* Once no job is left. */
void sts_forget_all(struct transport *transport);

/* ---- session.c */
/* Begins a session for the job, which may be over, and gone, when this returns: the word of a quick
 * host is in the stream already. */
void session_open(struct transport_job *job, struct transport_stream *stream, size_t host,
                  struct transport_manner manner);
/* A kept session with this key, or NULL. */
struct transport_session *session_find(struct transport *transport, struct slice key);
/* Gives a kept session its next job. */
void session_take(struct transport_session *session, struct transport_job *job);
/* Nobody's message is on its way, and another one may begin. */
bool session_is_free(const struct transport_session *session);
/* It goes over a turn, which is told when it is free, and when it has ended. */
void session_set_turn(struct transport_session *session, struct transport_turn *turn);
/* One of those that there are. */
struct transport_session *session_first(struct transport *transport);
/* Closes at once, without a word; its job, if it has one, hears nothing. */
void session_close(struct transport_session **session);
/* Says QUIT in all that are kept. */
void session_quit_idle(struct transport *transport);
/* Says QUIT in the one that has been kept longest, if there is one: its place is needed. */
void session_quit_oldest(struct transport *transport);
/* Ends those that have been kept for long enough, and sets the timer. */
void session_expire_idle(struct transport *transport);
/* The session is done with this job: it ended, or is kept; another job may have it now, or this one
 * again when somebody was settled. */
void job_session_over(struct transport_job *job, bool is_tls_failure);

/* ---- turn.c: over connections that their hosts have made (ATRN) */
void turn_open(struct transport *transport, const struct store_transport_turn *note);
/* Carries the job over its turn, now or after others. */
void turn_take(struct transport_job *job);
/* The session is free: gives it the next job. False: there is none now. */
bool turn_go_on(struct transport_turn *turn);
/* Its session has ended. */
void turn_over(struct transport_turn *turn);
void turns_forget(struct transport *transport);

/* ---- errand.c: what is wanted of a host beside carrying mail */
/* The host is ready: puts the first command. False: there is nothing to say, it is settled. */
MUST_USE bool errand_begin(struct transport_job *job, const struct smtp_client_facts *facts,
                           struct buffer *command);
/* Its answer has come: puts the next command. False: it is settled. */
MUST_USE bool errand_answered(struct transport_job *job, const struct smtp_client_event *event,
                              struct buffer *command);
void errand_close(struct transport_errand **errand);

/* ---- report.c: RFC 8460 */
void report_tls(struct transport_job *job);

/* ---- transport.c */
void transport_work_waiting(struct transport *transport);
/* NULL when the host is to be verified and there are no certificates to trust. */
struct tls_context *transport_tls(struct transport *transport, bool is_verified);

#endif
