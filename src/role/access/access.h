/* SPDX-License-Identifier: ISC */
/* The parts of the role `access`: private to this folder. See README.md for what it may do. */
#ifndef ROLE_ACCESS_ACCESS_H
#define ROLE_ACCESS_ACCESS_H

#include "base/map.h"
#include "base/slots.h"
#include "host/log.h"
#include "imap/server.h"
#include "note/access_auth.h"
#include "note/access_store.h"
#include "pop3/server.h"
#include "role/acceptors.h"
#include "role/connection.h"
#include "role/peers.h"
#include "role/role.h"
#include "role/identity.h"

/* One of the two roles that this one asks. */
struct access_peer_role {
    struct host_channel *channel; /* NULL while that process is away */
    struct note_ledger ledger;
};

/* Longest time that an answer of another process may take before the client is told [SYS/TEMP]. */
enum { ACCESS_AUTH_WAIT_S = 60, ACCESS_STORE_WAIT_S = 120, ACCESS_SWEEP_S = 5 };

/* Bits of a request number that name the slot of the session which asked. */
enum { ACCESS_SLOT_BITS = 24 };

enum { ACCESS_TIMESTAMP_MAX = 160 };

struct access_role {
    struct host *host;
    const struct config *config;
    struct role_start start;
    struct access_peer_role auth, store;
    struct identity identity;
    struct connection_shared *shared;
    struct buffer hostname; /* owned: engines borrow it beyond a reload */
    struct buffer others, namespace_shared; /* names of IMAP's namespaces; the same */
    struct pop3_server_options options;
    struct acceptors acceptors;
    struct slots sessions;
    uint64_t request_count;
    struct imap_mailboxes mailboxes; /* that its sessions have selected */
    struct peers *peers;
    struct map last_logins; /* account -> struct access_login; only with LOGIN-DELAY */
    struct host_timer *sweep;
    struct charset_modules *charsets; /* SEARCH, SORT and THREAD convert text here, and APPEND */
    struct arena note_arena;   /* of the note in hand */
    struct buffer note_buffer; /* of the note being built */
    struct arena parse_arena; /* of the message in hand that is appended */
    struct buffer parse_record;
    uint64_t sessions_total, logins, refused, messages_read; /* since the start */
    bool is_stopping;
};

struct access_login {
    struct instant when;
};

enum access_waiting {
    WAITING_NOT,
    WAITING_AUTH,   /* auth: begin, step, apop */
    WAITING_OPEN,   /* store */
    WAITING_READ,   /* store */
    WAITING_UPDATE, /* store */
    WAITING_IMAP    /* store: one or more requests of an IMAP session */
};

/* One connection. At most one question of its engine is open, so it waits for at most one role. */
struct access_session {
    struct access_role *role;
    struct pop3_server *engine; /* one of both */
    struct imap_server *imap;
    struct connection *connection;
    struct host_address peer;
    enum role_service service;
    enum access_waiting waiting;
    uint32_t slot;
    uint64_t request;      /* of what is waited for; of IMAP, the newest */
    uint64_t request_first; /* of IMAP, the oldest that may be open */
    uint32_t open_count;    /* of IMAP: requests that are not answered */
    bool is_held_back;      /* what it asks for waits for room on the way to store */
    uint64_t auth_session; /* of the SASL exchange that goes on; 0: none */
    uint64_t granted;      /* the session's number at store; 0: not logged in, or over */
    uint64_t number;       /* the same, for log lines: also when it is over */
    uint64_t account;
    struct instant waiting_since;
    struct instant opened;
    /* The message that the engine reads. */
    bool is_reading;
    bool is_top;
    uint32_t read_uid;
    uint64_t read_offset; /* of the next byte to ask for */
    uint64_t read_bytes;
    bool has_bytes;       /* the part asked for has brought some */
    uint32_t uid_validity;
    size_t update_place; /* how far the deleted messages have been sent */
    bool is_last_update; /* the rest of them is on its way */
    bool is_trusted;     /* in trusted_networks: no limits */
    uint64_t nonce[2]; /* of the banner's timestamp, for APOP */
    uint8_t close; /* enum pop3_close, once the engine has closed */
};

/* ---- session.c: its life ---- */

/* Takes the stream over; it may be refused at once. */
void access_session_open(struct access_role *role, enum role_service service,
                         struct host_stream *stream);

/* The session that waits for the answer to this request, or NULL when it is gone or asks no more.
 * */
struct access_session *access_session_find(struct access_role *role, uint64_t request);

/* True for who is logged in until the store has read what came before, of this session (MULTIAPPEND
 * may be long) or of all together: then it is woken. */
bool access_session_is_held_back(struct access_session *session);

/* Puts what the banner shows for APOP. */
void access_session_put_timestamp(const struct access_session *session,
                                  struct buffer *ret_timestamp);

/* Answers the open question; `access_session_answer_later` outside of process. */
void access_session_answer(struct access_session *session, const struct pop3_answer *answer);
void access_session_answer_later(struct access_session *session, enum pop3_answer_kind kind);

/* The role asked is away or silent. */
void access_session_give_up(struct access_session *session);
struct instant access_session_patience(const struct access_session *session);

/* Says good-bye as soon as that is possible. */
void access_session_stop(struct access_session *session);

/* Frees it without another word to its client: when the process ends. */
void access_session_close(struct access_session *session);

/* Starts a log line about this session. */
void access_session_log(struct log_line *line, struct access_session *session,
                        enum host_level level, const char *event);

/* ---- event.c: what the engine tells and asks ---- */

/* Takes one event of the session's engine. */
void access_session_on_event(struct access_session *session, const struct pop3_event *event);

/* Asks for the next part of the message that is read, if there is room for it. */
void access_session_read_on(struct access_session *session);

/* Sends the next uids to remove; false when the store is away. */
bool access_session_update_on(struct access_session *session);

/* Tells auth that an exchange will not go on. */
void access_session_abort_auth(struct access_session *session);

/* Tells store that a granted session is over. */
void access_role_end_grant(struct access_role *role, uint64_t granted);

uint64_t access_session_new_request(struct access_session *session);
void access_session_wait_for(struct access_session *session, enum access_waiting what,
                             uint64_t request);
bool access_role_is_reachable(const struct access_peer_role *peer);
/* Sends the note that was put into the role's buffer; false when it was not put, or when that role
 * is away. */
bool access_role_send(struct access_role *role, struct access_peer_role *peer, bool is_put);
void access_session_auth_begin(struct access_session *session, struct slice mechanism,
                               bool has_initial, struct slice initial);
void access_session_auth_step(struct access_session *session, struct slice response);

/* ---- imap.c: sessions of IMAP ---- */

void access_imap_open(struct access_session *session, bool is_secure, bool allows_clear_password);
void access_imap_process(struct access_session *session);
void access_imap_answer(struct access_session *session, const struct pop3_answer *answer);
/* False when the note is for nobody there. */
bool access_imap_on_note(struct access_role *role, const struct access_store_note *note);
void access_imap_unwatch(void *context, uint64_t watch);

/* ---- answer.c: what the other roles answered ---- */

/* A note that has passed the codec; the session it is about may be gone. */
void access_role_on_auth_note(struct access_role *role, const struct access_auth_note *note);
void access_role_on_store_note(struct access_role *role, const struct access_store_note *note);

#endif
