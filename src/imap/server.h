/* SPDX-License-Identifier: ISC */
/* The server side of one IMAP connection (RFC 9051, RFC 3501 and what README.md lists), without
 * I/O.
 *
 *     open -> [ feed -> next* -> answer, note -> output/sent ]* -> close
 *
 * The caller feeds what the client sent, takes events with next, and sends the output. An event is
 * a question to auth, a note for the store, or a fact. What the store answers is given to
 * imap_server_on_note; what it tells of mailboxes goes to imap_mailboxes_on_note, once for a
 * process. After each call there may be new events and new output. */
#ifndef IMAP_SERVER_H
#define IMAP_SERVER_H

#include "base/engine.h"
#include "base/slice.h"
#include "base/time.h"
#include "imap/mailbox.h"
#include "note/access_store.h"

struct imap_server;

enum {
    IMAP_COMMAND_MAX = 256 * 1024,      /* octets of a command, but for messages in it */
    IMAP_COMMAND_MAX_EARLY = 20 * 1024, /* before login: a SASL response fits */
    IMAP_OUTPUT_SOFT = 64 * 1024,       /* nothing is begun while more than this waits to be sent */
    IMAP_OUTPUT_MAX = 16 * 1024 * 1024, /* one response; a whole ENVELOPE is far below */
    IMAP_MECHANISMS_MAX = 9,
    IMAP_ERRORS_MAX = 50,              /* bad commands in a session, then it is closed */
    IMAP_FAILURES_MAX = 5,             /* refused logins, then it is closed */
    IMAP_IDLE_MS_MIN = 30 * 60 * 1000, /* RFC 9051 §5.4 */
    IMAP_EARLY_MS = 60 * 1000,         /* silence before login */
    IMAP_STRANGER_MS = 10 * 60 * 1000, /* all the time before login */
    IMAP_USES = 6,
};

/* Slices are borrowed and must live as long as the engine. */
struct imap_server_options {
    struct slice hostname;
    struct slice mechanisms[IMAP_MECHANISMS_MAX]; /* SASL names, best first */
    size_t mechanisms_count;
    struct slice uses[IMAP_USES]; /* names of special-use mailboxes, see imap/use.h; may be empty */
    struct slice others, shared;                  /* namespaces (RFC 2342); may be empty */
    bool is_tls_available;        /* STARTTLS is offered in the clear */
    bool is_secure;               /* TLS from the first byte */
    bool allows_clear_password;   /* for loopback only */
    uint32_t idle_ms;             /* autologout; less than IMAP_IDLE_MS_MIN counts as that */
    uint64_t message_bytes_max;   /* APPENDLIMIT */
    uint32_t messages_max;        /* that one command does (MESSAGELIMIT, RFC 9738); 0: any */
    uint32_t saves_max;           /* that COPY and APPEND make (SAVELIMIT); 0: messages_max */
    struct imap_mailboxes *mailboxes;
    struct wall (*wall)(void *context); /* the time of day, for YOUNGER and OLDER */
    /* A selected mailbox has changed: next may have more to do. */
    void (*wake)(void *context);
    void *wake_context;
};

enum imap_event_kind {
    /* Questions: imap_server_answer is expected. */
    IMAP_EVENT_AUTH_BEGIN, /* SASL; also LOGIN, as PLAIN with an initial response */
    IMAP_EVENT_AUTH_STEP,  /* the response to a challenge */
    /* A note for the store; the caller fills in id and session. */
    IMAP_EVENT_STORE,
    /* Facts. */
    IMAP_EVENT_AUTH_ABORT, /* the client has given up the exchange that was asked about */
    IMAP_EVENT_STARTTLS,   /* send the output, then TLS; then imap_server_tls_started */
    IMAP_EVENT_LOGGED_OUT, /* UNAUTHENTICATE: the grant ends, the connection stays */
    IMAP_EVENT_CLOSE       /* send the output, then close */
};

enum imap_close { IMAP_CLOSE_LOGOUT, IMAP_CLOSE_IDLE, IMAP_CLOSE_ERRORS, IMAP_CLOSE_SERVER };

/* Slices are valid until the next call of feed, answer, on_note or next. */
struct imap_event {
    enum imap_event_kind kind;
    struct slice mechanism; /* AUTH_BEGIN: in capitals */
    bool has_initial;
    struct slice response;          /* AUTH_BEGIN, AUTH_STEP: decoded; a secret */
    struct access_store_note *note; /* STORE */
    struct slice body; /* STORE append: the message, when it is too long for the note */
    enum imap_close close;
};

enum imap_answer_kind {
    IMAP_ANSWER_OK, /* logged in */
    IMAP_ANSWER_CHALLENGE,
    IMAP_ANSWER_CREDENTIALS, /* refused, whatever the reason */
    IMAP_ANSWER_MECHANISM,
    IMAP_ANSWER_MALFORMED,
    IMAP_ANSWER_WEAK, /* would need TLS */
    IMAP_ANSWER_LIMIT, /* the account has too many sessions */
    IMAP_ANSWER_TEMPORARY
};

struct imap_answer {
    enum imap_answer_kind kind;
    struct slice challenge; /* also the last data of the server, with OK */
    uint32_t delay_ms;
    uint64_t account; /* with OK: the key of shared mailboxes */
};

/* Makes an engine whose first output is the greeting. */
struct imap_server *imap_server_open(const struct imap_server_options *options, struct instant now);
void imap_server_close(struct imap_server **server);

/* Offers input; returns how many bytes were taken. 0 while a command is being done, an event waits
 * or much output waits: offer the rest again later. */
MUST_USE size_t imap_server_feed(struct imap_server *server, struct slice input,
                                 struct instant now);

/* Does what can be done now, then takes the next event, if there is one. */
MUST_USE bool imap_server_next(struct imap_server *server, struct imap_event *ret_event);

/* Answers the open question of auth. */
void imap_server_answer(struct imap_server *server, const struct imap_answer *answer,
                        struct instant now);

/* A part or the end of what the store answered to the note of the last event. `blob`: the octets of
 * a handle that came with it. */
void imap_server_on_note(struct imap_server *server, const struct access_store_note *note,
                         struct slice blob);
/* The store is away or silent: what was asked fails. */
void imap_server_store_lost(struct imap_server *server);

/* True while an answer is still to come. */
bool imap_server_is_busy(const struct imap_server *server);

/* After IMAP_EVENT_STARTTLS, when the handshake is done. */
void imap_server_tls_started(struct imap_server *server, struct instant now);

/* TLS is there, and the client has shown a certificate: EXTERNAL can be offered if it is in the
 * list. To be called when TLS has begun, before anything else is. */
void imap_server_has_certificate(struct imap_server *server);

/* The process is about to end, or the session's grant is gone: BYE. */
void imap_server_stop(struct imap_server *server, struct instant now);

/* What is to be sent; empty while an answer is held back. */
struct slice imap_server_output(const struct imap_server *server);
void imap_server_sent(struct imap_server *server, size_t len, struct instant now);
/* When expire wants to be called: the end of an answer's delay, or the autologout. */
struct instant imap_server_deadline(const struct imap_server *server);
void imap_server_expire(struct imap_server *server, struct instant now);

/* The same, for whoever moves the bytes of any engine. */
extern const struct engine_kind imap_server_kind;

#endif
