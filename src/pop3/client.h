/* SPDX-License-Identifier: ISC */
/* The client side of one POP3 session (RFC 1939 and what README.md lists), without I/O: an
 * automaton of five states.
 *
 *     waiting -> opening -> authentication -> transaction -> update -> waiting
 *
 * The caller begins, opens the connection (TCP, TLS where is_secure), says so, feeds what the
 * server sends, takes events with next, sends the output. The engine greets, asks for capabilities,
 * begins TLS where the server has it, and logs in by the best way that both sides know:
 * a SASL mechanism, USER and PASS, APOP. Then the caller asks for what it wants; questions are sent
 * at once where the server has PIPELINING, and one after another where it has not. Answers come in
 * the order of the questions.
 *
 * The server is not trusted: lines, listings and messages are bounded, numbers are checked, and
 * what stands in the clear behind the answer to STLS ends the session. */
#ifndef POP3_CLIENT_H
#define POP3_CLIENT_H

#include "base/buffer.h"
#include "base/time.h"

struct pop3_client;

enum {
    POP3_CLIENT_LINE_MAX = 1024,        /* a server's line; RFC 2449 §4 allows 512 octets */
    POP3_CLIENT_SASL_LINE_MAX = 16384,  /* a challenge */
    POP3_CLIENT_CAPABILITIES_MAX = 100, /* lines of CAPA */
    POP3_CLIENT_LIST_MAX = 2000000,     /* lines of LIST and UIDL, and the highest number */
    POP3_CLIENT_UID_MAX = 70,           /* RFC 1939 §7 */
    POP3_CLIENT_QUEUE_MAX = 256,        /* questions that are not answered yet */
    POP3_CLIENT_RESPONSE_MAX = 8192,    /* octets of a SASL response, before base64 */
    POP3_CLIENT_MECHANISMS_MAX = 8,
    POP3_CLIENT_SECRET_MAX = 512, /* octets of a name or password */
    POP3_CLIENT_REPLY_MS = 5 * 60 * 1000
};

/* Of a message that is read, when the options say nothing. */
#define POP3_CLIENT_MESSAGE_BYTES_MAX ((uint64_t)256 * 1024 * 1024)

enum pop3_client_state {
    POP3_CLIENT_WAITING,        /* nothing is going on */
    POP3_CLIENT_OPENING,        /* the connection, until the server's banner */
    POP3_CLIENT_AUTHENTICATION, /* capabilities, TLS, login */
    POP3_CLIENT_TRANSACTION,    /* receives, as it is asked to */
    POP3_CLIENT_UPDATE          /* QUIT was sent: the server removes what was marked */
};
const char *pop3_client_state_name(enum pop3_client_state state);

enum pop3_client_tls {
    POP3_CLIENT_TLS_REQUIRED, /* without it, no login */
    POP3_CLIENT_TLS_OFFERED,  /* STLS where the server has it */
    POP3_CLIENT_TLS_NEVER
};

/* All slices are borrowed and must live as long as the engine. */
struct pop3_client_options {
    struct slice name, password;
    /* SASL names that the caller can speak, best first; none: USER and PASS, or APOP. */
    struct slice mechanisms[POP3_CLIENT_MECHANISMS_MAX];
    size_t mechanisms_count;
    enum pop3_client_tls tls;
    bool is_secure;             /* TLS from the first byte */
    bool allows_clear_password; /* USER, PASS and SASL without TLS; APOP needs no such leave */
    uint64_t message_bytes_max; /* 0: POP3_CLIENT_MESSAGE_BYTES_MAX */
    uint32_t reply_ms;          /* longest silence of the server; 0: POP3_CLIENT_REPLY_MS */
    /* States and lines are written down there, secrets masked, until it is full. NULL: nowhere. */
    struct buffer *trace;
};

enum pop3_client_command {
    POP3_CLIENT_STAT,
    POP3_CLIENT_LIST, /* number 0: all of them */
    POP3_CLIENT_UIDL, /* the same */
    POP3_CLIENT_RETR,
    POP3_CLIENT_TOP,
    POP3_CLIENT_DELE,
    POP3_CLIENT_NOOP,
    POP3_CLIENT_RSET,
    POP3_CLIENT_QUIT /* nothing can be asked behind it */
};

enum pop3_client_event_kind {
    POP3_CLIENT_EVENT_STARTTLS,  /* begin TLS, then pop3_client_tls_started */
    POP3_CLIENT_EVENT_AUTH,      /* question: the initial response of `mechanism` */
    POP3_CLIENT_EVENT_CHALLENGE, /* question: the response to `bytes` */
    /* Ask what you want. With SASL: only when the mechanism is content with the server too. */
    POP3_CLIENT_EVENT_LOGGED_IN,
    POP3_CLIENT_EVENT_REPLY, /* the first line of an answer */
    POP3_CLIENT_EVENT_ITEM,  /* a line of LIST or UIDL */
    POP3_CLIENT_EVENT_BODY,  /* the next bytes of a message, dots taken off */
    POP3_CLIENT_EVENT_END,   /* of a listing or message */
    POP3_CLIENT_EVENT_CLOSE  /* send the output, then close; the state is waiting again */
};

enum pop3_client_close {
    POP3_CLIENT_CLOSE_DONE,     /* QUIT was answered +OK: what was marked is removed */
    POP3_CLIENT_CLOSE_UPDATE,   /* QUIT was answered -ERR: some of it may not be */
    POP3_CLIENT_CLOSE_REFUSED,  /* the banner, STLS or the login: see code and text */
    POP3_CLIENT_CLOSE_INSECURE, /* TLS is required, or the password needs it, and is not there */
    POP3_CLIENT_CLOSE_METHOD,   /* no way to log in that both sides know */
    POP3_CLIENT_CLOSE_PROTOCOL, /* the server breaks the rules; text says which */
    POP3_CLIENT_CLOSE_SILENCE,  /* it has said nothing for too long */
    POP3_CLIENT_CLOSE_LOST      /* the connection has ended before QUIT was answered */
};

/* Slices are valid until the next call of feed or respond. */
struct pop3_client_event {
    enum pop3_client_event_kind kind;
    enum pop3_client_command command; /* REPLY, ITEM, BODY, END: of the question */
    bool is_ok;                       /* REPLY */
    uint32_t number;                  /* of the message; REPLY to STAT: how many there are */
    uint64_t octets;        /* of the message or, for STAT, of all; ITEM and REPLY of LIST */
    struct slice bytes;     /* BODY, CHALLENGE; ITEM and REPLY of UIDL: the unique id */
    struct slice mechanism; /* AUTH: in the caller's spelling */
    struct slice code;      /* REPLY, CLOSE: "IN-USE" of "-ERR [IN-USE] text"; or empty */
    struct slice text;      /* REPLY, CLOSE: what the server said behind it */
    enum pop3_client_close close;
};

/* NULL when the name or password cannot be sent: empty, too long, or CR, LF or NUL in it. */
MUST_USE struct pop3_client *pop3_client_open(const struct pop3_client_options *options);
void pop3_client_close(struct pop3_client **client);

/* From waiting: the caller is about to open the connection. */
void pop3_client_begin(struct pop3_client *client, struct instant now);

/* It is open, and TLS has begun where the options say so. */
void pop3_client_connected(struct pop3_client *client, struct instant now);

/* Offers input; returns how many bytes were taken: at most one line, or one piece of a body. 0 when
 * an event or a question waits, now or before: deal with it and offer the rest again. */
MUST_USE size_t pop3_client_feed(struct pop3_client *client, struct slice input,
                                 struct instant now);

/* Takes the next event, if there is one. */
MUST_USE bool pop3_client_next(struct pop3_client *client, struct pop3_client_event *ret_event);

/* Answers AUTH or CHALLENGE; at most POP3_CLIENT_RESPONSE_MAX octets. */
void pop3_client_respond(struct pop3_client *client, struct slice response, struct instant now);

/* The same, when there is no response: the exchange is given up, and the session ends. */
void pop3_client_give_up(struct pop3_client *client, struct instant now);

/* TLS has begun after STARTTLS. */
void pop3_client_tls_started(struct pop3_client *client, struct instant now);

/* Asks something, in the transaction state; `lines` is for TOP. False when nothing can be asked
 * now: another state, QUIT was asked, or too many questions wait. */
MUST_USE bool pop3_client_ask(struct pop3_client *client, enum pop3_client_command command,
                              uint32_t number, uint32_t lines, struct instant now);

/* The connection could not be opened, or has ended. */
void pop3_client_input_ended(struct pop3_client *client);

/* What is to be sent. */
struct slice pop3_client_output(const struct pop3_client *client);
void pop3_client_sent(struct pop3_client *client, size_t len);

/* When expire wants to be called; INSTANT_NEVER while nothing is waited for. */
struct instant pop3_client_deadline(const struct pop3_client *client);
void pop3_client_expire(struct pop3_client *client, struct instant now);

enum pop3_client_state pop3_client_state(const struct pop3_client *client);

/* What the server has said of itself. */
struct pop3_client_facts {
    bool has_capabilities; /* CAPA was answered +OK */
    bool has_pipelining, has_top, has_uidl, has_stls, has_user, has_response_codes;
    bool has_timestamp; /* APOP is possible */
};
struct pop3_client_facts pop3_client_facts(const struct pop3_client *client);

#endif
