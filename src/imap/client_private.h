/* SPDX-License-Identifier: ISC */
/* Private to the room: what the files of the client engine share. */
#ifndef IMAP_CLIENT_PRIVATE_H
#define IMAP_CLIENT_PRIVATE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "imap/client.h"

enum { IMAP_CLIENT_TAG_MAX = 12, IMAP_CLIENT_SYNCS_MAX = IMAP_CLIENT_TERMS_MAX + 4 };

/* What the caller or the server owes. */
enum imap_client_awaits {
    AWAITS_NOTHING, /* the state is waiting */
    AWAITS_CONNECTION,
    AWAITS_GREETING,
    AWAITS_CAPABILITY,
    AWAITS_STARTTLS,
    AWAITS_TLS,    /* no octet before it has begun */
    AWAITS_CALLER, /* no octet: a response is missing */
    AWAITS_SASL,
    AWAITS_CANCEL, /* the answer to "*" */
    AWAITS_LOGIN,
    AWAITS_FACTS, /* capabilities after the login */
    AWAITS_READY, /* nothing was asked */
    AWAITS_REPLY,
    AWAITS_MESSAGE, /* the caller's octets of APPEND */
    AWAITS_IDLING,
    AWAITS_NOT_ANY_MORE /* CLOSE has been raised */
};

/* What the octets behind the last line are. */
enum imap_client_frame {
    FRAME_LINE,
    FRAME_LITERAL, /* belongs to the response */
    FRAME_BODY,    /* goes to the caller as it comes */
    FRAME_NUMBERS  /* of SEARCH: any count of them */
};

/* A response that holds several events. */
enum imap_client_walk { WALK_NOTHING, WALK_FETCH, WALK_SET };

struct imap_client {
    struct imap_client_options options;
    enum imap_client_state state;
    enum imap_client_awaits awaits;
    struct imap_client_facts facts;
    struct imap_client_mailbox mailbox;
    struct imap_client_event event;
    bool has_event;
    bool is_secure;
    bool has_facts;                                 /* of the server as it is now */
    bool has_mechanism[IMAP_CLIENT_MECHANISMS_MAX]; /* of ours, the server has it */
    size_t mechanism;                               /* the one that is spoken */
    bool has_initial; /* the initial response waits in `sasl` for a challenge */
    struct buffer sasl;

    /* ---- input ---- */
    enum imap_client_frame frame;
    struct buffer response;
    bool is_whole;  /* the response has ended; the next octet begins another */
    size_t line_at; /* where its last line begins, behind a literal */
    size_t literals_count;
    uint32_t responses; /* since the last command, and numbers */
    uint64_t left;      /* octets of the literal or body that have not come */
    enum imap_client_walk walk;
    size_t walk_at; /* into the response */
    enum imap_client_event_kind set_kind;
    bool is_set_earlier; /* VANISHED (EARLIER): not counted in EXISTS any more */
    size_t fetch_at;     /* where the first attribute of FETCH stands that is not understood yet */
    bool has_digits;     /* NUMBERS: of the number that is coming */
    uint64_t number;
    struct buffer section; /* of the body that is coming */
    struct imap_client_message message;
    struct imap_client_body body;
    struct arena arena; /* names of one event */

    /* ---- the question ---- */
    struct buffer command;
    size_t syncs[IMAP_CLIENT_SYNCS_MAX]; /* where in the command "+" must be waited for */
    size_t syncs_count, syncs_done;
    bool is_synced; /* no "+" is missing */
    bool has_bye;
    uint32_t tags_count; /* commands so far */
    enum imap_client_command asked;
    bool is_select_asked;
    uint64_t append_left;
    struct instant reply_due, idle_due;
    struct buffer output;
};

/* A status: "OK [CODE] text" (RFC 9051 §7.1). */
enum imap_client_word { WORD_OK, WORD_NO, WORD_BAD, WORD_PREAUTH, WORD_BYE };
struct imap_client_said_status {
    enum imap_client_word word;
    struct slice code, text;
};

/* ---- client.c ---- */

/* The state changes, and the trace says so. */
void imap_client_enter(struct imap_client *client, enum imap_client_state state);
/* The event as it stands becomes the next one. */
void imap_client_raise(struct imap_client *client, enum imap_client_event_kind kind);
/* Raises CLOSE; code and text are copied. */
void imap_client_end(struct imap_client *client, enum imap_client_close close, struct slice code,
                     struct slice text);
void imap_client_end_protocol(struct imap_client *client, const char *why);
void imap_client_trace(struct imap_client *client, const char *who, struct slice text);
void imap_client_wait_for_server(struct imap_client *client, struct instant now);

/* ---- client_frame.c: responses out of octets ---- */

size_t imap_client_take(struct imap_client *client, struct slice input);
/* Raises the next event of a response that holds several. */
void imap_client_walk_on(struct imap_client *client);

/* ---- client_code.c ---- */

/* "OK …" behind the tag or "*"; false when it is none. */
bool imap_client_parse_status(struct slice text, struct imap_client_said_status *ret_status);
/* The names behind CAPABILITY. */
void imap_client_take_capabilities(struct imap_client *client, struct slice names);
/* Does what the code says; false when it is for the caller. */
bool imap_client_take_code(struct imap_client *client, struct slice code);

/* ---- client_login.c: greeting, capabilities, TLS, login ---- */

/* A whole response; `is_tagged` when it ends what was asked. */
void imap_client_on_login_status(struct imap_client *client, bool is_tagged,
                                 const struct imap_client_said_status *status);
void imap_client_on_challenge(struct imap_client *client, struct slice text);

/* ---- client_ask.c: questions ---- */

/* Begins a command: tag, space, verb. */
void imap_client_begin_command(struct imap_client *client, const char *verb);
/* A string, quoted or as a literal. */
void imap_client_put_string(struct imap_client *client, struct slice string);
/* Ends the command and sends what may be sent before the next "+". `shown` goes into the trace
 * instead when it holds a secret. */
void imap_client_send_command(struct imap_client *client, const char *shown);
/* "+" has come. */
void imap_client_go_on(struct imap_client *client);
/* The tagged end of a question. */
void imap_client_on_reply(struct imap_client *client, const struct imap_client_said_status *status);

/* ---- client_data.c: what the server tells ---- */

/* A whole untagged response, without "* "; its status, when it is one, is taken elsewhere. */
void imap_client_on_data(struct imap_client *client, struct slice data);
/* Passes over one value of a response: an atom, a string, a list. */
bool imap_client_skip_value(struct cursor *cursor);
void imap_client_walk_set(struct imap_client *client);

/* ---- client_fetch.c ---- */

/* The response so far ends with "{n}": true when it is a body's, which is then begun. */
bool imap_client_begin_body(struct imap_client *client, uint64_t octets);
/* The whole of it has come. */
void imap_client_on_fetch(struct imap_client *client, uint32_t number, size_t at);
void imap_client_walk_fetch(struct imap_client *client);

#endif
