/* SPDX-License-Identifier: ISC */
/* The parts of the role `smtp`: private to this folder. See README.md for what it may do. */
#ifndef ROLE_SMTP_SMTP_H
#define ROLE_SMTP_SMTP_H

#include "base/list.h"
#include "base/slots.h"
#include "host/log.h"
#include "note/smtp_auth.h"
#include "note/smtp_route.h"
#include "note/smtp_store.h"
#include "role/acceptors.h"
#include "role/connection.h"
#include "message/rewrite.h"
#include "role/peers.h"
#include "role/role.h"
#include "role/smtp/answers.h"
#include "role/smtp/transaction.h"
#include "smtp/server.h"
#include "role/identity.h"

struct smtp_session;
struct smtp_turned;

/* One of the three roles that this one asks. */
struct smtp_peer_role {
    struct host_channel *channel; /* NULL while that process is away */
    struct note_ledger ledger;
    struct list waiting; /* sessions that could not send because the channel was full */
};

/* Longest time that an answer of another process may take before the client is told 4xx. The store
 * may wait for a slow disk; RFC 5321 §4.5.3.2.6 gives the client ten minutes. */
enum { SMTP_ROUTE_WAIT_S = 30, SMTP_AUTH_WAIT_S = 60, SMTP_STORE_WAIT_S = 540, SMTP_SWEEP_S = 5 };
/* A next host is asked while a stranger waits, who may have five minutes (RFC 5321 §4.5.3.2.3). */
enum { SMTP_PROBE_WAIT_S = 60 };

struct smtp_role {
    struct host *host;
    const struct config *config;
    struct role_start start;
    struct smtp_peer_role route, auth, store;
    struct identity identity;
    struct connection_shared *shared;
    struct smtp_server_options options[SERVICES];
    struct acceptors acceptors;
    struct slots sessions;
    uint64_t request_count;
    struct peers *peers;
    struct rewrite_rules rewrites; /* option rewrite */
    struct arena rewrite_arena;
    struct answers answers; /* of route */
    struct host_timer *sweep;
    struct arena note_arena;                    /* of the note in hand */
    struct buffer note_buffer;                  /* of the note being built */
    uint64_t body_bytes; /* held in memory for all sessions: bodies, and recipients */
    uint64_t accepted, refused, sessions_total; /* since the start */
    bool is_stopping;
    bool is_stressed;
};

enum smtp_waiting {
    WAITING_NOT,
    WAITING_RECIPIENT, /* route */
    WAITING_VERIFY,    /* route */
    WAITING_QUOTA,     /* store: whether the recipient's mailbox is full */
    WAITING_FLUSH,     /* store: ETRN */
    WAITING_NAMES,     /* route: XNAMES */
    WAITING_URL,       /* store: BURL */
    WAITING_TURN,      /* store: ATRN */
    WAITING_PROBE,     /* store: whether the next host would take the recipient */
    WAITING_AUTH,      /* auth */
    WAITING_SENDER,    /* route: whether what MAIL says is his who has logged in */
    WAITING_AUTHOR,    /* route: the same of an author of the message */
    WAITING_SIGNER,    /* route: the same of the author in whose name it would be signed */
    WAITING_ROOM,      /* store: the channel was full when the body had come */
    WAITING_FILED,     /* store */
};

/* One connection. At most one question of its engine is open, so it waits for at most one role. */
struct smtp_session {
    struct smtp_role *role;
    struct smtp_server *engine;
    struct connection *connection;
    struct transaction *transaction; /* NULL outside of one */
    struct list room_link;           /* in store.waiting */
    struct host_address peer;
    bool is_arrival_told; /* to the store */
    enum role_service service;
    enum smtp_waiting waiting;
    uint32_t slot;
    uint64_t request;      /* of what is waited for */
    uint64_t auth_request; /* of the SASL exchange that goes on; 0: none */
    struct instant waiting_since;
    uint64_t account; /* 0: not authenticated */
    /* What RCPT said, while route is asked; borrowed from the engine until the answer. */
    const struct envelope_path *rcpt_path;
    const struct envelope_rcpt_parameters *rcpt_parameters;
    struct smtp_turned *turned; /* after ATRN; else NULL */
    struct slice probed; /* the address that the next host is asked about; the transaction's */
    bool is_trusted;     /* in trusted_networks: no limits */
    bool is_relay;       /* in relay_networks, or a user of this machine who hands in mail */
};

/* Bits of a request id that name the slot of the session which asked. */
enum { SMTP_SLOT_BITS = 24 };

extern const struct smtp_verdict smtp_try_later;

/* ---- session.c: its life ---- */

/* Takes the stream over; it may be refused at once. */
void smtp_session_open(struct smtp_role *role, enum role_service service,
                       struct host_stream *stream);
/* The session that waits for the answer to this request, or NULL when it is gone or asks no more.
 */
struct smtp_session *smtp_session_find(struct smtp_role *role, uint64_t request);
/* Answers the open question from inside process; from outside with a look at the engine after it.
 */
void smtp_session_answer(struct smtp_session *session, const struct smtp_verdict *verdict);
void smtp_session_answer_later(struct smtp_session *session, const struct smtp_verdict *verdict);
/* The role asked is away or silent: 451 (454 for AUTH). */
void smtp_session_give_up(struct smtp_session *session);
void smtp_session_stop(struct smtp_session *session);
/* Frees it without another word to its client: when the process ends. */
void smtp_session_close(struct smtp_session *session);
/* Starts a log line about this session. */
void smtp_session_log(struct log_line *line, struct smtp_session *session, enum host_level level,
                      const char *event);
struct slice smtp_session_queue_id(const struct smtp_session *session);
struct instant smtp_session_patience(const struct smtp_session *session);

/* ---- event.c: what the engine tells and asks ---- */

/* Acts on one event: asks, answers or keeps. */
void smtp_session_on_event(struct smtp_session *session, const struct smtp_event *event);
/* What route is asked about the recipient of the open RCPT; without an id. */
struct smtp_route_recipient smtp_session_question(const struct smtp_session *session);
/* Asks the store whether there is room for the message; false when it cannot be asked now. */
bool smtp_session_ask_room(struct smtp_session *session, const struct smtp_route_target *target);
/* Asks the store for what waits for domains; false when it cannot be asked. */
bool smtp_session_ask_turn(struct smtp_session *session, struct slice domains);
/* Asks route whether the address is his who has logged in; false when it cannot be asked. */
bool smtp_session_ask_claim(struct smtp_session *session, struct slice address,
                            enum smtp_waiting waiting);
/* Has the next host asked about the recipient; false when it cannot be now. */
bool smtp_session_ask_ahead(struct smtp_session *session, struct slice address);
/* The message has come whole and may be: gives it to the store, or waits for room there. */
void smtp_session_hand_over(struct smtp_session *session);
void smtp_session_submit(struct smtp_session *session);
/* Asks the store for what a URL stands for; false when it cannot be asked now. */
bool smtp_session_ask_fetch(struct smtp_session *session, struct smtp_store_fetch *note);
/* Keeps a piece of the body. */
void smtp_session_keep_piece(struct smtp_session *session, struct slice piece);
/* Whether there is room for more of a message; what is said else. */
bool smtp_session_has_memory(const struct smtp_session *session);
extern const struct smtp_verdict smtp_verdict_no_memory;
void smtp_session_drop_transaction(struct smtp_session *session);

/* ---- burl.c: content that lies in a mailbox ---- */

void smtp_session_on_url(struct smtp_session *session, struct slice text);
/* The handle stays the caller's. */
void smtp_session_on_fetched(struct smtp_session *session, const struct smtp_store_fetched *note);

/* ---- answer.c: what the other roles answered ---- */

/* Answers the open RCPT as route says. */
void smtp_session_take_route(struct smtp_session *session, const struct smtp_route_route *note);
/* Answers it as the store says: whether the mailbox can have the message. */
/* ---- turn.c: ATRN ---- */

/* The customer asks for these domains, or for all. */
void smtp_session_on_turn(struct smtp_session *session, struct slice asked);
/* Takes the handle. */
void smtp_session_on_turned(struct smtp_session *session, const struct smtp_store_turned *note,
                            host_handle handle);
void smtp_turned_process(struct smtp_session *session);
void smtp_turned_close(struct smtp_turned **turned);

/* ---- wishes.c: what MAIL asks for beside delivery ---- */

/* Makes known what is on offer now; while HELLO is asked. */
void smtp_session_offer(struct smtp_session *session);
/* XNAMES, to an account that may have it; said again when it logs in, which comes behind EHLO. */
void smtp_session_offer_names(struct smtp_session *session, struct slice name);
/* The answer to MAIL; a priority that the client may not have is taken back. */
struct smtp_verdict smtp_session_check_wishes(const struct smtp_session *session,
                                              struct envelope_mail_parameters *parameters);

void smtp_session_take_room(struct smtp_session *session, bool has_room);
void smtp_session_on_route(struct smtp_session *session, const struct smtp_route_route *note);
void smtp_session_on_flushed(struct smtp_session *session, const struct smtp_store_flushed *note);
/* The next host has said what it thinks of the recipient; NULL: it could not be asked. */
void smtp_session_on_probed(struct smtp_session *session, const struct smtp_store_probed *note);
void smtp_session_on_named(struct smtp_session *session, const struct smtp_route_named *note);
void smtp_session_on_verified(struct smtp_session *session, const struct smtp_route_verified *note);
void smtp_session_on_challenge(struct smtp_session *session,
                               const struct smtp_auth_challenge *note);
void smtp_session_on_failed(struct smtp_session *session, const struct smtp_auth_failed *note);
void smtp_session_on_granted(struct smtp_session *session, const struct smtp_auth_granted *note);
/* The whole message is not wanted, whatever its recipients. */
void smtp_session_refuse_body(struct smtp_session *session, const struct smtp_verdict *verdict);
/* NULL: the message could not be handed over. Answers once, or in LMTP once for each recipient. */
void smtp_session_answer_body(struct smtp_session *session, const struct smtp_store_filed *note);

#endif
