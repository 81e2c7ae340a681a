/* SPDX-License-Identifier: ISC */
/* Private to the room: the server engine's inside. */
#ifndef SMTP_SERVER_PRIVATE_H
#define SMTP_SERVER_PRIVATE_H

#include "base/buffer.h"
#include "smtp/server.h"

enum {
    SESSION_ARENA_MAX = 8 * 1024,            /* HELO name, identity */
    TRANSACTION_ARENA_MAX = 4 * 1024 * 1024, /* path and parameters of MAIL, and URLs */
    RECIPIENT_ARENA_MAX = 64 * 1024,         /* its line is shorter than 4 KiB */
    TRANSACTION_ARENA_KEPT = 2 * 1024,       /* more than this is given back after it */
    OUTPUT_MAX = 1024 * 1024, /* SMTP_OUTPUT_SOFT and the answers of 1000 LMTP recipients */
    CHALLENGE_MAX = 9000,     /* octets; in base64 still within RFC 4954 §4's 12288 */
    BODY_SLACK = 1024 * 1024, /* a refused body is read to twice the limit and this, no further */
    RECIPIENTS_MAX = 1000,
    /* Recipients behind the limit are answered 452 this many times the limit, then 421. */
    RECIPIENTS_EXCESS_FACTOR = 10,
};

enum smtp_state {
    STATE_COMMAND,
    STATE_SASL,      /* the next line is a response */
    STATE_SASL_LAST, /* the next line answers the mechanism's last data; it must be empty */
    STATE_TEXT,      /* DATA's lines */
    STATE_CHUNK,     /* BDAT's octets */
    STATE_TLS,       /* 220 was said to STARTTLS */
    STATE_TURNED,    /* 250 was said to ATRN */
    STATE_CLOSED
};

/* Where the text framer stands within DATA. */
enum smtp_text_state {
    TEXT_START, /* at the beginning of a line */
    TEXT_MIDDLE,
    TEXT_CR,  /* behind a CR: LF must follow */
    TEXT_DOT, /* behind a dot that began the line, and was dropped */
    TEXT_DOT_CR
};

struct smtp_transaction {
    bool is_open;
    bool has_body;   /* BODY_BEGIN was accepted */
    bool has_chunks; /* by BDAT */
    bool is_utf8;
    bool is_binary;
    /* The body is refused and only read to its end; the answer to give then. */
    uint16_t refused_code;
    struct envelope_status refused_status;
    const char *refused_text;
    uint32_t recipients; /* accepted */
    uint32_t excess;     /* refused for there being too many */
    uint32_t tried;
    uint32_t answers_left; /* LMTP: to BODY_END */
    uint64_t body_bytes;
};

struct smtp_server {
    const struct smtp_server_options *options;
    struct smtp_server_peer peer;
    enum smtp_state state;
    enum smtp_text_state text_state;
    struct buffer line; /* an unfinished command line */
    bool is_line_long;  /* it is too long, and is being passed over */
    bool has_line_cr;   /* … and its last octet was CR */
    struct buffer output;
    struct buffer kept; /* what the open question is about: a query, a SASL response */
    struct arena session;
    struct arena letters; /* of the transaction */
    struct arena recipient; /* of the RCPT in hand: who is asked about it keeps what he needs */
    struct smtp_transaction transaction;

    /* Events wait in this order. */
    bool has_auth_abort, has_abort, has_event, has_close;
    enum smtp_close_reason reason;
    struct smtp_event event;
    bool is_asking;
    enum smtp_event_kind question;

    struct slice helo, identity;
    struct slice challenge;        /* the caller's, within smtp_server_challenge */
    struct slice identity_pending; /* until STATE_SASL_LAST is over */
    bool is_extended, is_secure, has_hello, has_exchange;
    bool is_stressed, is_stopping, is_input_over, closes_after_answer;
    uint32_t errors, auth_failures, transactions, commands_idle;

    uint64_t text_line_len; /* octets of DATA's current line */
    uint64_t chunk_left;    /* octets of the current BDAT */
    uint64_t chunk_len;
    bool is_last_chunk;
    bool is_chunk_coming; /* BODY_BEGIN is asked for BDAT, not for DATA */
    bool is_url_coming;   /* … for BURL */
    struct slice url;     /* of BURL; in `letters` */

    struct instant now;   /* as the caller last said it */
    struct instant timer; /* the client's time ends */
    struct instant session_end;
    bool is_held;
    struct instant held_until;
    uint32_t hold_s_max; /* 0: FUTURERELEASE is not offered */
    struct wall hold_latest;
    bool offers_names; /* XNAMES */
};

/* ---- limits.c: options with their defaults */
uint64_t smtp_limit_message_bytes(const struct smtp_server *server);
uint32_t smtp_limit_text_line(const struct smtp_server *server);
uint32_t smtp_limit_recipients(const struct smtp_server *server);
uint32_t smtp_limit_transactions(const struct smtp_server *server);
uint32_t smtp_limit_commands_idle(const struct smtp_server *server);
uint32_t smtp_limit_errors(const struct smtp_server *server);
uint32_t smtp_limit_errors_free(const struct smtp_server *server);
uint32_t smtp_limit_auth_failures(const struct smtp_server *server);
struct duration smtp_limit_tarpit(const struct smtp_server *server);
struct duration smtp_limit_command_time(const struct smtp_server *server);
struct duration smtp_limit_body_time(const struct smtp_server *server);
struct duration smtp_limit_session_time(const struct smtp_server *server);

/* ---- server.c */
/* Makes `kind` the waiting event; the caller fills server->event's union. */
void smtp_server_raise(struct smtp_server *server, enum smtp_event_kind kind);
/* The transaction is over without success: ABORT is told if there was one. */
void smtp_server_abort(struct smtp_server *server);
/* The transaction is over with an answer. */
void smtp_server_conclude(struct smtp_server *server);
/* Nothing more is read; CLOSE is told behind what waits. */
void smtp_server_shut(struct smtp_server *server, enum smtp_close_reason reason);
/* The client's time begins anew. */
void smtp_server_touch(struct smtp_server *server, struct instant now);

/* ---- frame.c: each takes octets from the front of input and returns how many (at least one) */
size_t smtp_frame_line(struct smtp_server *server, struct slice input, struct instant now);
size_t smtp_frame_text(struct smtp_server *server, struct slice input, struct instant now);
size_t smtp_frame_chunk(struct smtp_server *server, struct slice input, struct instant now);

/* ---- commands.c */
/* One more that brings no mail: free up to a number. False when the session was ended. */
MUST_USE bool smtp_count_idle(struct smtp_server *server, struct instant now);

/* ---- reply.c */
/* One line of our own words. 5xx count against the client, and may be held back or end it all. */
void smtp_say(struct smtp_server *server, unsigned code, struct envelope_status status,
              const char *text, struct instant now);
/* The same with a text made at run time, of several lines. */
void smtp_say_lines(struct smtp_server *server, unsigned code, struct envelope_status status,
                    struct slice text, struct instant now);
/* What the engine says when a verdict does not. */
struct smtp_words {
    uint16_t code;
    struct envelope_status status;
    const char *text;
};
/* A verdict's words, or our own where it has none. Returns whether it is positive. */
bool smtp_say_verdict(struct smtp_server *server, const struct smtp_verdict *verdict,
                      struct smtp_words own, struct instant now);
/* A line without enhanced code, counted as nothing: EHLO's lines, 220, 334, 354. */
void smtp_put_line(struct smtp_server *server, unsigned code, bool is_last, struct slice text);
/* 421 and the end. */
void smtp_say_goodbye(struct smtp_server *server, struct envelope_status status, const char *text,
                      enum smtp_close_reason reason, struct instant now);

/* ---- commands.c */
/* Handles a command line without its CRLF. */
void smtp_command_handle(struct smtp_server *server, struct slice line, struct instant now);
bool smtp_is_lmtp(const struct smtp_server *server);
/* ENVELOPE_ bits of what is offered now. */
unsigned smtp_extensions_offered(const struct smtp_server *server);
bool smtp_is_starttls_offered(const struct smtp_server *server);
/* The client may ask this by the policy. */
bool smtp_policy_allows(const struct smtp_server *server, enum smtp_verify_policy policy);

/* ---- command_*.c: what a command does, and what follows the answer to its question */
void smtp_command_helo(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_ehlo(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_mail(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_send(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_soml(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_saml(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_rcpt(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_data(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_bdat(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_burl(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_rset(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_noop(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_quit(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_help(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_off(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_foreign(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_vrfy(struct smtp_server *server, struct slice argument, struct instant now);
/* Whether this client may use ETRN. */
bool smtp_may_retry(const struct smtp_server *server);
void smtp_command_etrn(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_atrn(struct smtp_server *server, struct slice argument, struct instant now);
/* Whether this client may use XNAMES. */
bool smtp_may_ask_names(const struct smtp_server *server);
void smtp_command_names(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_expn(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_starttls(struct smtp_server *server, struct slice argument, struct instant now);
void smtp_command_auth(struct smtp_server *server, struct slice argument, struct instant now);

/* A line while an AUTH exchange goes on. */
void smtp_auth_response(struct smtp_server *server, struct slice line, struct instant now);
void smtp_auth_line_long(struct smtp_server *server, struct instant now);
/* " PLAIN LOGIN …" of what can be used now; puts nothing when nothing can. */
void smtp_auth_put_mechanisms(const struct smtp_server *server, struct buffer *buffer);
bool smtp_auth_is_offered(const struct smtp_server *server);

/* Puts octets into server->kept, where they live until the answer. */
struct slice smtp_server_keep(struct smtp_server *server, struct slice bytes);

/* DATA's final dot, or the last octet of a BDAT chunk, was read. */
void smtp_body_ended(struct smtp_server *server, struct instant now);
void smtp_chunk_ended(struct smtp_server *server, struct instant now);
/* Counts content; the body may become a refused one. */
void smtp_body_count(struct smtp_server *server, uint64_t len, struct instant now);
void smtp_body_refuse(struct smtp_server *server, unsigned code, struct envelope_status status,
                      const char *text);

/* True when content cannot come now, which has been said. */
MUST_USE bool smtp_body_refuse_begin(struct smtp_server *server, struct instant now);
bool smtp_is_burl_offered(const struct smtp_server *server);
/* Content can come: the URL is asked for. */
void smtp_burl_begin(struct smtp_server *server);

/* What follows the answer to each question. */
typedef void (*smtp_answered_fn)(struct smtp_server *server, const struct smtp_verdict *verdict,
                                 struct instant now);
void smtp_answered_connect(struct smtp_server *server, const struct smtp_verdict *verdict,
                           struct instant now);
void smtp_answered_hello(struct smtp_server *server, const struct smtp_verdict *verdict,
                         struct instant now);
void smtp_answered_starttls(struct smtp_server *server, const struct smtp_verdict *verdict,
                            struct instant now);
void smtp_answered_auth(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);
void smtp_answered_mail(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);
void smtp_answered_rcpt(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);
void smtp_answered_etrn(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);
void smtp_answered_atrn(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);
void smtp_answered_names(struct smtp_server *server, const struct smtp_verdict *verdict,
                         struct instant now);
void smtp_answered_verify(struct smtp_server *server, const struct smtp_verdict *verdict,
                          struct instant now);
void smtp_answered_body_begin(struct smtp_server *server, const struct smtp_verdict *verdict,
                              struct instant now);
void smtp_answered_url(struct smtp_server *server, const struct smtp_verdict *verdict,
                       struct instant now);
void smtp_answered_body_end(struct smtp_server *server, const struct smtp_verdict *verdict,
                            struct instant now);

#endif
