/* SPDX-License-Identifier: ISC */
/* The client's side of SMTP (RFC 5321) and LMTP (RFC 2033), without I/O: one session, over which
 * one message after another is carried.
 *
 *     open, say smtp_client_connected; then whenever something has changed:
 *         feed what the server sends, take events with next, send the output,
 *         arm a timer at the deadline and call expire when it rings.
 *
 * The engine greets, begins TLS and logs in as its options say; then comes READY. smtp_client_carry
 * gives it a message; then come one RESULT for each recipient, in no particular order, and DONE,
 * behind which READY holds again, or CLOSE comes. Every recipient has its RESULT before CLOSE.
 *
 * The server is not trusted: replies are bounded in lines, length and time; what stands in the
 * clear behind the answer to STARTTLS ends the session; a reply that nobody waits for does so, too.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/time.h"
#include "envelope/parameter.h"
#include "envelope/status.h"

struct smtp_client;

enum {
    SMTP_CLIENT_RECIPIENTS_MAX =
        100,                     /* in one transaction (RFC 5321 §4.5.3.1.8: a server's least) */
    SMTP_CLIENT_LINE_MAX = 4096, /* of a reply; RFC 5321 §4.5.3.1.5 allows 512 octets */
    SMTP_CLIENT_SASL_LINE_MAX = 12288,     /* of a challenge (RFC 4954 §4) */
    SMTP_CLIENT_LINES_MAX = 200,           /* in one reply */
    SMTP_CLIENT_ANSWER_MAX = 128 * 1024,   /* octets of all lines of an ANSWER */
    SMTP_CLIENT_TEXT_MAX = 480,            /* octets of a reply's text that are kept */
    SMTP_CLIENT_PIPELINED_MAX = 64 * 1024, /* a longer body waits until recipients were accepted */
    SMTP_CLIENT_PIECE = 32 * 1024,         /* of a body, made ready to be sent at one time */
};

enum smtp_client_tls {
    SMTP_CLIENT_TLS_NEVER,
    SMTP_CLIENT_TLS_OFFERED, /* where the server has STARTTLS (RFC 7435) */
    SMTP_CLIENT_TLS_REQUIRED /* without it, the session ends */
};

/* Seconds that the server may take; 0 is the default, which is RFC 5321 §4.5.3.2's. */
struct smtp_client_times {
    uint32_t greeting_s;    /* 300 */
    uint32_t hello_s;       /* 300: EHLO, STARTTLS, AUTH, RSET too */
    uint32_t mail_s;        /* 300 */
    uint32_t rcpt_s;        /* 300 */
    uint32_t data_s;        /* 120: to 354 */
    uint32_t block_s;       /* 180: for it to take the next piece of the body */
    uint32_t end_s;         /* 600: to answer for the message */
    uint32_t quit_s;        /* 10 */
    uint32_t transaction_s; /* 7200: for all of a transaction, however slowly it goes on */
};

/* Slices are borrowed and must live as long as the engine. */
struct smtp_client_options {
    struct slice hostname; /* behind EHLO, HELO, LHLO */
    struct smtp_client_times times;
    enum smtp_client_tls tls;
    bool is_lmtp;
    bool is_secure; /* TLS from the first byte: tls does not matter */
    bool is_local;  /* a unix socket: a password may travel in the clear */
    /* Who to log in as; empty: not at all. nonce: random, sasl/scram.h. */
    struct slice name, password, nonce;
    /* Not to be used, though the server has it. */
    bool is_pipelining_off, is_chunking_off, is_8bitmime_off, is_dsn_off;
};

struct smtp_client_recipient {
    struct slice address; /* canonical, without brackets */
    struct envelope_rcpt_parameters parameters;
};

/* Of parameters, `size` and `body` do not matter: they are made from the content. */
struct smtp_client_message {
    struct slice reverse_path; /* canonical, empty for the null one */
    struct envelope_mail_parameters parameters;
    const struct smtp_client_recipient *recipients;
    size_t recipients_count; /* 1 to SMTP_CLIENT_RECIPIENTS_MAX */
    struct slice content;    /* the whole message; lone LF and CR are sent as CRLF */
    bool is_binary;          /* content is to arrive as it is (RFC 3030) */
};

enum smtp_client_event_kind {
    SMTP_CLIENT_EVENT_STARTTLS, /* send all output, do the handshake, say smtp_client_tls_started */
    SMTP_CLIENT_EVENT_READY,    /* carry something, or quit */
    /* Question: the server takes 7-bit content only, or no binary one. Answer with
     * smtp_client_convert. */
    SMTP_CLIENT_EVENT_CONVERT,
    SMTP_CLIENT_EVENT_ANSWER, /* to what was asked: reply, and all its lines in `answer` */
    SMTP_CLIENT_EVENT_RESULT, /* of one recipient */
    SMTP_CLIENT_EVENT_DONE,   /* of the message: it may be freed */
    SMTP_CLIENT_EVENT_CLOSE   /* send the output, then close; nothing comes after it */
};

/* unknown: all was sent, and no answer came. The message may have arrived. */
enum smtp_client_outcome {
    SMTP_CLIENT_DELIVERED,
    SMTP_CLIENT_TEMPORARY,
    SMTP_CLIENT_PERMANENT,
    SMTP_CLIENT_UNKNOWN
};

enum smtp_client_close {
    SMTP_CLIENT_CLOSE_QUIT,     /* we have said it */
    SMTP_CLIENT_CLOSE_REFUSED,  /* greeting, hello or 421 */
    SMTP_CLIENT_CLOSE_INSECURE, /* TLS is required and the server has none */
    SMTP_CLIENT_CLOSE_LOGIN,    /* refused, or no way that both sides know and TLS allows */
    SMTP_CLIENT_CLOSE_PROTOCOL, /* the server breaks the rules; text says which */
    SMTP_CLIENT_CLOSE_SILENCE,  /* it has said or taken nothing for too long */
    SMTP_CLIENT_CLOSE_LOST      /* the connection has ended */
};

/* A reply, or what we say in its place. Slices are valid until the next call but next. */
struct smtp_client_reply {
    uint16_t code; /* 0: our own words */
    struct envelope_status status;
    struct slice text; /* one line, without codes */
};

struct smtp_client_event {
    enum smtp_client_event_kind kind;
    struct smtp_client_reply reply; /* ANSWER, RESULT, CLOSE */
    struct slice answer;            /* ANSWER: lines without codes, with '\n' between */
    /* RESULT */
    size_t recipient;
    enum smtp_client_outcome outcome;
    bool is_of_session; /* the host has not decided about this recipient: another host may */
    bool dsn_passed;    /* the server has DSN: a notification of success is its affair */
    bool by_passed;     /* the server has DELIVERBY: the time is its affair */
    /* RESULT: 452 or 552 to a recipient behind others that were taken (RFC 5321 §4.5.3.1.10): the
     * rest may be carried at once. */
    bool is_too_many;
    /* CONVERT */
    bool is_7bit_wanted; /* else: 8-bit is taken, binary is not */
    enum smtp_client_close close;
};

/* Begins with nothing; memory is the engine's own until close. */
struct smtp_client *smtp_client_open(const struct smtp_client_options *options);
void smtp_client_close(struct smtp_client **client);

/* The connection stands, and TLS with it where is_secure. */
void smtp_client_connected(struct smtp_client *client, struct instant now);

/* TLS has begun after STARTTLS: what the server has said is forgotten (RFC 3207 §4.2). */
void smtp_client_tls_started(struct smtp_client *client, struct instant now);

/* The channel binding of the TLS connection (RFC 5929, RFC 9266), for SCRAM's -PLUS; before
 * connected or tls_started. */
void smtp_client_bind(struct smtp_client *client, struct slice kind, struct slice binding);

/* Whether the server is known to be the one meant: REQUIRETLS (RFC 8689) asks for it. */
void smtp_client_set_verified(struct smtp_client *client, bool is_verified);

/* Offers input; returns how many octets were taken: at most one reply line. 0 while an event
 * waits: deal with it and offer the rest again. After CLOSE everything is taken and dropped. */
MUST_USE size_t smtp_client_feed(struct smtp_client *client, struct slice input,
                                 struct instant now);

/* Takes the next event, if there is one. */
MUST_USE bool smtp_client_next(struct smtp_client *client, struct smtp_client_event *ret_event);

/* In READY: carries a message, borrowed until DONE. */
void smtp_client_carry(struct smtp_client *client, const struct smtp_client_message *message,
                       struct instant now);

/* In READY: says a command of the caller's own (one line, without its end) that belongs to no
 * message. ANSWER comes, behind which READY holds again, or CLOSE. */
void smtp_client_ask(struct smtp_client *client, struct slice command, struct instant now);

/* Answers CONVERT with content of the form that is wanted, borrowed until DONE; NULL: it cannot be
 * had, all recipients are refused (5.6.3). */
void smtp_client_convert(struct smtp_client *client, const struct slice *content,
                         struct instant now);

/* In READY: QUIT, then CLOSE. At other moments the session is just ended. */
void smtp_client_quit(struct smtp_client *client, struct instant now);

/* The server will send no more, and all that it sent was taken; or the connection or its TLS has
 * failed. */
void smtp_client_input_ended(struct smtp_client *client);

/* What is to be sent now; valid until the next call. After `sent` there may be more. */
struct slice smtp_client_output(const struct smtp_client *client);
void smtp_client_sent(struct smtp_client *client, size_t len, struct instant now);

/* When to call expire. INSTANT_NEVER in READY, and while STARTTLS or CONVERT is the caller's. */
struct instant smtp_client_deadline(const struct smtp_client *client);
void smtp_client_expire(struct smtp_client *client, struct instant now);

/* What is known of the session. */
struct smtp_client_facts {
    bool is_ready;
    bool is_secure;
    bool is_extended;    /* EHLO, or LHLO, was understood */
    bool has_tried;      /* a message was begun in this session */
    unsigned extensions; /* ENVELOPE_ bits that the server has */
    bool has_pipelining, has_chunking, has_starttls, has_auth;
    bool is_authenticated;
    uint64_t size_max; /* 0: not told */
};
struct smtp_client_facts smtp_client_facts(const struct smtp_client *client);

/* The session's last reply, empty before the first; valid until the next feed. */
struct smtp_client_reply smtp_client_last_reply(const struct smtp_client *client);

#endif
