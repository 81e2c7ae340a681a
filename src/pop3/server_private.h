/* SPDX-License-Identifier: ISC */
/* Private to the room: what the files of the server engine share. */
#ifndef POP3_SERVER_PRIVATE_H
#define POP3_SERVER_PRIVATE_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "pop3/maildrop.h"
#include "pop3/server.h"
#include "pop3/stuffing.h"

enum pop3_state {
    POP3_AUTHORIZATION = 1,
    POP3_TRANSACTION = 2,
    POP3_DONE = 4 /* after QUIT, errors or idleness: nothing is taken any more */
};

enum pop3_question {
    POP3_QUESTION_NONE,
    POP3_QUESTION_AUTH, /* AUTH and, with via_pass, USER and PASS */
    POP3_QUESTION_APOP,
    POP3_QUESTION_OPEN,
    POP3_QUESTION_READ,
    POP3_QUESTION_UPDATE
};

/* What the next line is. */
enum pop3_line {
    POP3_LINE_COMMAND,
    POP3_LINE_RESPONSE, /* to a SASL challenge */
    POP3_LINE_EMPTY,    /* to the server's last data: must be empty (RFC 5034 §4) */
    POP3_LINE_AFTER_TLS /* none before TLS has begun */
};

enum { POP3_TIMESTAMP_MAX = 200, POP3_MECHANISM_MAX = 20 /* RFC 4422 §3.1 */ };

struct pop3_server {
    struct pop3_server_options options;
    enum pop3_state state;
    enum pop3_question question;
    enum pop3_line expects;
    bool has_event;
    bool via_pass;    /* the question of AUTH comes from PASS */
    bool is_secure, has_certificate;
    bool is_overlong; /* the line in hand is thrown away */
    bool is_begun;    /* READ: the first line of the answer has been put */
    bool is_held;     /* output waits until held_until */
    struct pop3_event event;
    struct buffer line;    /* a line that has not ended yet */
    struct buffer output;
    struct buffer scratch; /* what the slices of the event borrow from */
    struct buffer name;    /* of USER */
    char timestamp[POP3_TIMESTAMP_MAX];
    char mechanism[POP3_MECHANISM_MAX];
    struct pop3_maildrop maildrop;
    uint32_t uid_validity;
    struct pop3_stuffer stuffer;
    uint32_t read_number;  /* READ: the message in question */
    uint32_t list_next;    /* the next number of a listing; 0: none is being made */
    bool list_uids;        /* it is one of UIDL */
    uint32_t last_read;    /* LAST */
    uint32_t read_count;
    uint32_t errors;
    uint32_t failures;
    struct instant idle_ends, stranger_ends;
    struct instant held_until;
};

/* ---- answers ------------------------------------------------------------------------------- */

/* Puts "+OK text" or "-ERR text" and a line end. */
void pop3_put_ok(struct pop3_server *server, const char *text);
void pop3_put_error(struct pop3_server *server, const char *text);

/* A refused command, counted: too many of them end the session. */
void pop3_refuse(struct pop3_server *server, const char *text);

/* Makes an event; a question is open from now on, if it is not NONE. */
void pop3_raise(struct pop3_server *server, enum pop3_event_kind kind,
                enum pop3_question question);

/* Ends the session; the output that waits is still to be sent. */
void pop3_end(struct pop3_server *server, enum pop3_close close);

/* Puts as much of a listing as there is room for. */
void pop3_fill(struct pop3_server *server);

/* ---- commands ------------------------------------------------------------------------------ */

/* `arguments` begins behind the space after the verb. */
struct pop3_call {
    struct slice arguments;
};

typedef void (*pop3_command_fn)(struct pop3_server *server, const struct pop3_call *call);

/* Runs a line without its line end. */
void pop3_run_command(struct pop3_server *server, struct slice line);
void pop3_run_response(struct pop3_server *server, struct slice line);

/* True when passwords may be asked for now. */
bool pop3_may_authenticate(const struct pop3_server *server);

/* True when this mechanism may be used now. */
bool pop3_may_use(const struct pop3_server *server, struct slice mechanism);

/* The granted session goes on with its maildrop. */
void pop3_begin_open(struct pop3_server *server);

/* One for each row of the table in commands.c. Each answers, refuses or raises an event. */
void pop3_command_apop(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_auth(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_capa(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_dele(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_last(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_list(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_noop(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_pass(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_quit(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_retr(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_rset(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_stat(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_stls(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_top(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_uidl(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_user(struct pop3_server *server, const struct pop3_call *call);
void pop3_command_utf8(struct pop3_server *server, const struct pop3_call *call);

#endif
