/* SPDX-License-Identifier: ISC */
/* The server side of one POP3 connection (RFC 1939 and what README.md lists), without I/O.
 *
 *     open -> [ feed -> next* -> answer -> output/sent ]* -> close
 *
 * The caller feeds what the client sent, takes events with next, answers the one question that may
 * be open, and sends the output. After each of these calls there may be a new event and new
 * output. */
#ifndef POP3_SERVER_H
#define POP3_SERVER_H

#include "base/engine.h"
#include "base/slice.h"
#include "base/time.h"

struct pop3_server;

enum {
    POP3_LINE_MAX = 1024,             /* a command with its line end; RFC 2449 §4 asks for 255 */
    POP3_SASL_LINE_MAX = 16384,       /* AUTH with initial response, and responses */
    POP3_OUTPUT_MAX = 64 * 1024,      /* bytes that wait to be sent */
    POP3_NAME_MAX = 320,              /* octets of a user's name, RFC 3696: 64 + "@" + 255 */
    POP3_PASSWORD_MAX = 512,
    POP3_MECHANISMS_MAX = 9,
    POP3_MESSAGES_MAX = 2000000,      /* shown in one session: the first ones */
    POP3_ERRORS_MAX = 20,             /* bad commands in a session, then it is closed */
    POP3_FAILURES_MAX = 5,            /* refused logins, then it is closed */
    POP3_IDLE_MS_MIN = 10 * 60 * 1000, /* RFC 1939 §3: at least ten minutes */
    POP3_STRANGER_MS = 30 * 60 * 1000  /* all the time before login */
};

enum { POP3_EXPIRE_NEVER = UINT32_MAX };

/* All slices but the timestamp are borrowed and must live as long as the engine. */
struct pop3_server_options {
    struct slice hostname;
    /* "<...@...>", unique for this connection (RFC 1939 §7): APOP is offered. Empty: it is not. At
     * most 200 octets; copied. */
    struct slice timestamp;
    struct slice implementation; /* CAPA IMPLEMENTATION; empty: not told */
    struct slice mechanisms[POP3_MECHANISMS_MAX]; /* SASL names, best first */
    size_t mechanisms_count;
    bool is_tls_available;      /* STLS is offered in the clear */
    bool is_secure;             /* TLS from the first byte */
    bool allows_clear_password; /* USER, PASS, AUTH in the clear: for loopback only */
    uint32_t login_delay_s;     /* CAPA LOGIN-DELAY; 0: not told */
    uint32_t expire_days;       /* CAPA EXPIRE; POP3_EXPIRE_NEVER: messages stay */
    uint32_t idle_ms;           /* autologout timer; less than POP3_IDLE_MS_MIN counts as that */
};

enum pop3_event_kind {
    /* Questions: pop3_server_answer is expected. */
    POP3_EVENT_AUTH_BEGIN, /* SASL; also USER and PASS, as PLAIN with an initial response */
    POP3_EVENT_AUTH_STEP,  /* the response to a challenge */
    POP3_EVENT_APOP,
    POP3_EVENT_OPEN,   /* lock and list the maildrop: pop3_server_add_message, then answer */
    POP3_EVENT_READ,   /* a message: pop3_server_put_body, then answer */
    POP3_EVENT_UPDATE, /* remove the marked messages, if any (pop3_server_next_deleted), and give
                        * the lock back (RFC 1939 §6) */
    /* Facts. */
    POP3_EVENT_AUTH_ABORT, /* the client has given up the exchange that was asked about */
    POP3_EVENT_STARTTLS,   /* send the output, then TLS; then pop3_server_tls_started */
    POP3_EVENT_CLOSE       /* send the output, then close; the session is over */
};

enum pop3_close { POP3_CLOSE_QUIT, POP3_CLOSE_IDLE, POP3_CLOSE_ERRORS, POP3_CLOSE_SERVER };

/* Slices are valid until the next call of feed, answer or next; names, responses and digests are
 * secrets. */
struct pop3_event {
    enum pop3_event_kind kind;
    struct slice mechanism; /* AUTH_BEGIN: in capitals */
    bool has_initial;       /* AUTH_BEGIN */
    struct slice response;  /* AUTH_BEGIN, AUTH_STEP: decoded */
    struct slice name;      /* APOP */
    struct slice digest;    /* APOP: as sent, hexadecimal digits */
    uint32_t uid;           /* READ */
    uint64_t bytes;         /* READ: length as it was listed */
    bool is_top;            /* READ: not all of it may be wanted; see pop3_server_wants_body */
    enum pop3_close close;  /* CLOSE */
};

enum pop3_answer_kind {
    POP3_ANSWER_OK,           /* APOP, AUTH: logged in. OPEN, READ, UPDATE: done */
    POP3_ANSWER_CHALLENGE,    /* AUTH: `challenge` goes to the client */
    POP3_ANSWER_CREDENTIALS,  /* AUTH, APOP: refused, whatever the reason */
    POP3_ANSWER_MECHANISM,    /* AUTH: not known after all, or not as things are */
    POP3_ANSWER_MALFORMED,    /* AUTH: not what the mechanism says */
    POP3_ANSWER_WEAK,         /* AUTH: would need TLS */
    POP3_ANSWER_IN_USE,       /* OPEN: another session holds the maildrop; [IN-USE] */
    POP3_ANSWER_LOGIN_DELAY,  /* AUTH, APOP, OPEN: too soon after the last login; [LOGIN-DELAY] */
    POP3_ANSWER_EXPUNGED,     /* READ: it is not there any more */
    POP3_ANSWER_DAMAGED,      /* READ: what is on disk is not what was stored; [SYS/PERM] */
    POP3_ANSWER_NOT_PERMITTED, /* OPEN: [SYS/PERM] */
    POP3_ANSWER_LIMIT,        /* AUTH, APOP: the account has too many sessions; [SYS/TEMP] */
    POP3_ANSWER_TEMPORARY     /* anything: try later; [SYS/TEMP] */
};

struct pop3_answer {
    enum pop3_answer_kind kind;
    /* AUTH: the challenge; with OK, the last data of the server if the mechanism has some. */
    struct slice challenge;
    uint32_t delay_ms;     /* hold the answer back so long; for refused logins */
    uint32_t uid_validity; /* OPEN */
};

/* Makes an engine whose first output is the banner. `now` starts the autologout timer. */
struct pop3_server *pop3_server_open(const struct pop3_server_options *options,
                                     struct instant now);
void pop3_server_close(struct pop3_server **server);

/* Offers input; returns how many bytes were taken. 0 while an event waits, a question is open or
 * much output waits: offer the rest again later. */
MUST_USE size_t pop3_server_feed(struct pop3_server *server, struct slice input,
                                 struct instant now);

/* Takes the next event, if there is one. */
MUST_USE bool pop3_server_next(struct pop3_server *server, struct pop3_event *ret_event);

/* True while a question is open, an event waits, or an answer is held back or not made whole yet.
 * */
bool pop3_server_is_busy(const struct pop3_server *server);

/* Answers the open question, whose event must have been taken. Without an open question (the
 * session has ended meanwhile) nothing happens; an answer that does not fit counts as TEMPORARY. */
void pop3_server_answer(struct pop3_server *server, const struct pop3_answer *answer,
                        struct instant now);

/* While POP3_EVENT_OPEN is open: the next message of the maildrop, in the order of numbers. Beyond
 * POP3_MESSAGES_MAX it is passed over. */
void pop3_server_add_message(struct pop3_server *server, uint32_t uid, uint64_t bytes);

/* While POP3_EVENT_READ is open: the next bytes of the message. Returns how many were taken: fewer
 * than all when the output is full (give the rest after `sent`). Bytes behind what TOP asked for
 * are taken and dropped. A message is sent with CRLF after its last line even if it has none. */
MUST_USE size_t pop3_server_put_body(struct pop3_server *server, struct slice bytes);

/* How many bytes of the body can be put now and will all be taken; 0 while the output is full. */
size_t pop3_server_wants_body(const struct pop3_server *server);

/* True when TOP has all it wants: answer OK, whatever is left of the message. */
bool pop3_server_has_enough(const struct pop3_server *server);

/* While POP3_EVENT_UPDATE is open: walks over the UIDs marked as deleted, in the order of numbers.
 * Start with *place = 0; false at the end. */
MUST_USE bool pop3_server_next_deleted(const struct pop3_server *server, size_t *place,
                                       uint32_t *ret_uid);

/* TLS has begun after POP3_EVENT_STARTTLS; or, for TLS from the first byte, nothing needs to be
 * called. */
void pop3_server_tls_started(struct pop3_server *server, struct instant now);

/* TLS is there, and the client has shown a certificate: EXTERNAL can be offered if it is in the
 * list. To be called when TLS has begun, before anything else is. */
void pop3_server_has_certificate(struct pop3_server *server);

/* The process is about to end: says so, if that is possible between two answers, and closes. */
void pop3_server_stop(struct pop3_server *server, struct instant now);

/* What is to be sent; empty while an answer is held back. */
struct slice pop3_server_output(const struct pop3_server *server);
void pop3_server_sent(struct pop3_server *server, size_t len, struct instant now);

/* When expire wants to be called: the end of an answer's delay, or the autologout. */
struct instant pop3_server_deadline(const struct pop3_server *server);
void pop3_server_expire(struct pop3_server *server, struct instant now);

/* For log lines. */
struct pop3_server_counts {
    uint32_t messages; /* in the maildrop */
    uint32_t read;     /* by RETR or TOP */
    uint32_t deleted;  /* marked; removed when UPDATE was answered OK */
};
struct pop3_server_counts pop3_server_counts(const struct pop3_server *server);

/* The same, for whoever moves the bytes of any engine. */
extern const struct engine_kind pop3_server_kind;

#endif
