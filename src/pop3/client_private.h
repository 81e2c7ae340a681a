/* SPDX-License-Identifier: ISC */
/* Private to the room: what the files of the client engine share. */
#ifndef POP3_CLIENT_PRIVATE_H
#define POP3_CLIENT_PRIVATE_H

#include "base/cursor.h"
#include "pop3/client.h"
#include "pop3/stuffing.h"

enum { POP3_CLIENT_TIMESTAMP_MAX = 512 };

/* What the next octets of the server are. */
enum pop3_client_awaits {
    AWAITS_NOTHING, /* the state is waiting */
    AWAITS_CONNECTION,
    AWAITS_BANNER,
    AWAITS_CAPA,
    AWAITS_CAPA_LIST,
    AWAITS_STLS,
    AWAITS_TLS,    /* none before it has begun */
    AWAITS_CALLER, /* none: a response is missing */
    AWAITS_SASL,
    AWAITS_CANCEL, /* the answer to "*" */
    AWAITS_USER,
    AWAITS_PASS, /* or APOP: the last line of a login */
    AWAITS_IDLE, /* none: nothing was asked */
    AWAITS_REPLY,
    AWAITS_LIST,
    AWAITS_BODY,
    AWAITS_NOT_ANY_MORE /* CLOSE has been raised */
};

struct pop3_client_question {
    enum pop3_client_command command;
    uint32_t number, lines;
};

struct pop3_client {
    struct pop3_client_options options;
    enum pop3_client_state state;
    enum pop3_client_awaits awaits;
    struct pop3_client_facts facts;
    bool has_event;
    bool is_secure;
    bool has_mechanism[POP3_CLIENT_MECHANISMS_MAX]; /* of ours, the server has it */
    size_t mechanism;                               /* the one that is spoken */
    bool has_initial; /* the initial response waits in `response` for a challenge */
    struct pop3_client_event event;
    struct buffer line; /* a line that has not ended yet */
    struct buffer output;
    struct buffer scratch; /* what the slices of the event borrow from */
    struct buffer response;
    struct buffer timestamp; /* of the banner */
    struct pop3_unstuffer unstuffer;
    bool is_overlong; /* the body passes its bound with the next octet */
    uint64_t count;   /* lines of the listing, or octets of the body, so far */
    struct pop3_client_question queue[POP3_CLIENT_QUEUE_MAX];
    size_t queue_start, queue_count;
    size_t sent_count; /* of those in the queue */
    bool is_quitting;  /* QUIT is the last in the queue */
    struct instant reply_due;
};

/* ---- client.c ---- */

/* Puts a line into the output and starts the timer; `shown` goes into the trace instead of it
 * when it holds a secret. */
void pop3_client_put_line(struct pop3_client *client, struct slice line, const char *shown);

/* The state changes, and the trace says so. */
void pop3_client_enter(struct pop3_client *client, enum pop3_client_state state);
void pop3_client_raise(struct pop3_client *client, enum pop3_client_event_kind kind);

/* Raises CLOSE. `said` is the server's line or a sentence of ours. */
void pop3_client_end(struct pop3_client *client, enum pop3_client_close close, struct slice said);
void pop3_client_end_protocol(struct pop3_client *client, const char *why);

/* Splits an answer's line into what the event tells; false when it is none. */
bool pop3_client_parse_status(struct slice line, struct pop3_client_event *ret_event);

/* ---- client_login.c: banner, capabilities, TLS, login ---- */

/* One line of the server, without its end. */
void pop3_client_on_login_line(struct pop3_client *client, struct slice line);

/* ---- client_reply.c: answers in the transaction and update states ---- */

/* One line of the server, without its end. */
void pop3_client_on_reply_line(struct pop3_client *client, struct slice line);
/* Takes from the front of the input. */
size_t pop3_client_on_body(struct pop3_client *client, struct slice input);
/* Sends the questions that may be sent now. */
void pop3_client_send_questions(struct pop3_client *client);

#endif
