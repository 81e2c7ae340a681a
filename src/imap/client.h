/* SPDX-License-Identifier: ISC */
/* The client side of one IMAP session (RFC 3501, RFC 9051 and what README.md lists), without I/O:
 * an automaton of six states.
 *
 *     waiting -> opening -> authentication -> authenticated <-> selected -> logout -> waiting
 *
 * The caller begins, opens the connection (TCP, TLS where is_secure), says so, feeds what the
 * server sends, takes events with next, sends the output. The engine takes the greeting, asks for
 * capabilities, begins TLS where the server has it, and logs in by the best way that both sides
 * know: a SASL mechanism, or LOGIN. Then the caller asks, one question after another. The server's
 * data come as events, then REPLY ends the question. Data may also come unasked.
 *
 * Messages are named by UID everywhere; sequence numbers only stand where the server says them.
 * Names of mailboxes are UTF-8 here and modified UTF-7 on the way.
 *
 * The server is not trusted: responses, literals and messages are bounded, numbers are checked,
 * what stands in the clear behind the answer to STARTTLS ends the session. Nothing of a question's
 * arguments can end its line. */
#ifndef IMAP_CLIENT_H
#define IMAP_CLIENT_H

#include "base/buffer.h"
#include "base/time.h"

struct imap_client;

enum {
    IMAP_CLIENT_RESPONSE_MAX = 512 * 1024, /* a response, without bodies and numbers of SEARCH */
    IMAP_CLIENT_LITERALS_MAX = 500,        /* in one response, without bodies */
    IMAP_CLIENT_RESPONSES_MAX = 4000000,   /* behind one command, and numbers of SEARCH: there are
                                              mailboxes of a million; who talks on never ends */
    IMAP_CLIENT_LOGIN_LINE_MAX = 16384,    /* a response before the login */
    IMAP_CLIENT_NAME_MAX = 4096,           /* octets of a mailbox name */
    IMAP_CLIENT_COMMAND_MAX = 64 * 1024,   /* a command without the message of APPEND */
    IMAP_CLIENT_TERMS_MAX = 32,            /* of SEARCH */
    IMAP_CLIENT_SASL_MAX = 8192,           /* octets of a SASL response, before base64 */
    IMAP_CLIENT_MECHANISMS_MAX = 8,
    IMAP_CLIENT_SECRET_MAX = 512, /* octets of a name or password */
    IMAP_CLIENT_REPLY_MS = 5 * 60 * 1000,
    IMAP_CLIENT_IDLE_MS = 28 * 60 * 1000 /* RFC 2177 §3: begun again before 29 minutes */
};

/* Of a body that is read, when the options say nothing. */
#define IMAP_CLIENT_MESSAGE_BYTES_MAX ((uint64_t)256 * 1024 * 1024)

enum imap_client_state {
    IMAP_CLIENT_WAITING,        /* nothing is going on */
    IMAP_CLIENT_OPENING,        /* the connection, until the server's greeting */
    IMAP_CLIENT_AUTHENTICATION, /* capabilities, TLS, login */
    IMAP_CLIENT_AUTHENTICATED,  /* receives, as it is asked to; no mailbox is selected */
    IMAP_CLIENT_SELECTED,
    IMAP_CLIENT_LOGOUT /* LOGOUT was sent */
};
const char *imap_client_state_name(enum imap_client_state state);

enum imap_client_tls {
    IMAP_CLIENT_TLS_REQUIRED, /* without it, no login */
    IMAP_CLIENT_TLS_OFFERED,  /* STARTTLS where the server has it */
    IMAP_CLIENT_TLS_NEVER
};

/* All slices are borrowed and must live as long as the engine. */
struct imap_client_options {
    struct slice name, password;
    /* SASL names that the caller can speak, best first; none: LOGIN. */
    struct slice mechanisms[IMAP_CLIENT_MECHANISMS_MAX];
    size_t mechanisms_count;
    enum imap_client_tls tls;
    bool is_secure;             /* TLS from the first byte */
    bool allows_clear_password; /* LOGIN and SASL without TLS */
    uint64_t message_bytes_max; /* 0: IMAP_CLIENT_MESSAGE_BYTES_MAX */
    uint32_t responses_max;     /* 0: IMAP_CLIENT_RESPONSES_MAX */
    uint32_t reply_ms;          /* longest silence of the server; 0: IMAP_CLIENT_REPLY_MS */
    /* States and lines are written down there, secrets masked, until it is full. NULL: nowhere. */
    struct buffer *trace;
};

enum imap_client_command {
    IMAP_CLIENT_NOOP,
    IMAP_CLIENT_NAMESPACE,   /* events NAMESPACE */
    IMAP_CLIENT_LIST,        /* mailbox: reference; other: pattern; text: empty or what
                              to RETURN, as "SPECIAL-USE"; events LIST */
    IMAP_CLIENT_LSUB,        /* the same, what is subscribed to */
    IMAP_CLIENT_STATUS,      /* mailbox, text: "MESSAGES UIDNEXT"; event STATUS */
    IMAP_CLIENT_SELECT,      /* mailbox; text: empty or "CONDSTORE"; see imap_client_mailbox */
    IMAP_CLIENT_EXAMINE,     /* the same, nothing can be changed */
    IMAP_CLIENT_CREATE,      /* mailbox; text: empty or a special use, as "\Sent" */
    IMAP_CLIENT_DELETE,      /* mailbox */
    IMAP_CLIENT_RENAME,      /* mailbox, other */
    IMAP_CLIENT_SUBSCRIBE,   /* mailbox */
    IMAP_CLIENT_UNSUBSCRIBE, /* mailbox */
    IMAP_CLIENT_ENABLE,      /* text: names */
    IMAP_CLIENT_APPEND,      /* mailbox, flags, date, octets; event APPEND, then append_put */
    IMAP_CLIENT_FETCH,       /* uids, text: "FLAGS RFC822.SIZE BODY.PEEK[]"; UID is added */
    IMAP_CLIENT_STORE,       /* uids, flags, text: "+", "-" or empty; silent */
    IMAP_CLIENT_SEARCH,      /* terms; events NUMBERS with UIDs */
    IMAP_CLIENT_COPY,        /* uids, mailbox */
    IMAP_CLIENT_MOVE,        /* the same, where has_move */
    IMAP_CLIENT_EXPUNGE,     /* uids, where has_uidplus; without uids: all that is \Deleted */
    IMAP_CLIENT_CLOSE,       /* the mailbox; what is \Deleted goes */
    IMAP_CLIENT_UNSELECT,    /* nothing goes; where has_unselect */
    IMAP_CLIENT_IDLE,        /* events as they come, until imap_client_done */
    IMAP_CLIENT_LOGOUT_NOW   /* event CLOSE */
};

/* One condition of SEARCH; all must hold. `key` is ABNF without strings ("UNSEEN", "FROM", "SINCE
 * 1-Feb-2026", "HEADER List-Id"), `text` the string behind it, in UTF-8, any octets but NUL. */
struct imap_client_term {
    struct slice key;
    bool has_text;
    struct slice text;
};

/* Needed during imap_client_ask only. */
struct imap_client_question {
    enum imap_client_command command;
    struct slice mailbox, other; /* UTF-8 */
    bool is_wire;                /* the names are as the server wrote them (wire_name) */
    struct slice uids;           /* a sequence set: "4,7:9,12:*" */
    struct slice text;
    struct slice flags; /* "\Seen $Forwarded" */
    bool has_date;
    struct wall date;
    uint64_t octets;
    uint64_t changed_since; /* FETCH, where has_condstore: only later changes; 0: all */
    bool wants_vanished;    /* the same, after ENABLE QRESYNC: VANISHED too */
    const struct imap_client_term *terms;
    size_t terms_count;
};

enum imap_client_event_kind {
    IMAP_CLIENT_EVENT_STARTTLS,  /* begin TLS, then imap_client_tls_started */
    IMAP_CLIENT_EVENT_AUTH,      /* question: the initial response of `mechanism` */
    IMAP_CLIENT_EVENT_CHALLENGE, /* question: the response to `bytes` */
    /* Ask what you want. With SASL: only when the mechanism is content with the server too. */
    IMAP_CLIENT_EVENT_LOGGED_IN,
    IMAP_CLIENT_EVENT_REPLY,     /* the question is answered: result, code, text */
    IMAP_CLIENT_EVENT_NOTICE,    /* untagged OK, NO or BAD: result, code, text */
    IMAP_CLIENT_EVENT_NAMESPACE, /* the first personal one: name (its prefix), delimiter */
    IMAP_CLIENT_EVENT_LIST,      /* name, wire_name, delimiter, attributes */
    IMAP_CLIENT_EVENT_STATUS,    /* name, wire_name, status */
    IMAP_CLIENT_EVENT_EXISTS,    /* number of messages */
    IMAP_CLIENT_EVENT_EXPUNGE,   /* sequence number */
    IMAP_CLIENT_EVENT_VANISHED,  /* UIDs first to last */
    IMAP_CLIENT_EVENT_NUMBERS,   /* UIDs first to last that SEARCH found */
    IMAP_CLIENT_EVENT_BODY,      /* the next octets of a section, see struct imap_client_body */
    IMAP_CLIENT_EVENT_FETCH,     /* all that was said of a message; its bodies came before */
    IMAP_CLIENT_EVENT_APPEND,    /* put the message's octets now */
    IMAP_CLIENT_EVENT_IDLING,    /* the server tells of changes from now on */
    IMAP_CLIENT_EVENT_CLOSE      /* send the output, then close; the state is waiting again */
};

enum imap_client_result { IMAP_CLIENT_OK, IMAP_CLIENT_NO, IMAP_CLIENT_BAD };

enum imap_client_close {
    IMAP_CLIENT_CLOSE_DONE,     /* LOGOUT was answered */
    IMAP_CLIENT_CLOSE_REFUSED,  /* the greeting, STARTTLS, the login, or BYE: see code and text */
    IMAP_CLIENT_CLOSE_INSECURE, /* TLS is required, or the password needs it, and is not there */
    IMAP_CLIENT_CLOSE_METHOD,   /* no way to log in that both sides know */
    IMAP_CLIENT_CLOSE_PROTOCOL, /* the server breaks the rules; text says which */
    IMAP_CLIENT_CLOSE_SILENCE,  /* it has said nothing for too long */
    IMAP_CLIENT_CLOSE_LOST      /* the connection has ended before LOGOUT was answered */
};

/* Attributes of LIST: RFC 9051 §7.3.1, RFC 6154. */
enum imap_client_attribute {
    IMAP_CLIENT_NOSELECT = 1, /* or NONEXISTENT */
    IMAP_CLIENT_NOINFERIORS = 2,
    IMAP_CLIENT_HAS_CHILDREN = 4,
    IMAP_CLIENT_SUBSCRIBED = 8, /* of all names that LSUB lists */
    IMAP_CLIENT_ALL = 16,
    IMAP_CLIENT_ARCHIVE = 32,
    IMAP_CLIENT_DRAFTS = 64,
    IMAP_CLIENT_FLAGGED = 128,
    IMAP_CLIENT_JUNK = 256,
    IMAP_CLIENT_SENT = 512,
    IMAP_CLIENT_TRASH = 1024
};

/* What STATUS and the answers to SELECT say; 0: nothing was said. */
struct imap_client_status {
    uint32_t messages, unseen, uid_next, uid_validity;
    uint64_t highest_modseq, size;
};

/* Pieces come in order; the last is the one with offset + bytes.len == octets. One piece, an empty
 * one, of an empty section and of NIL. */
struct imap_client_body {
    struct slice section; /* "", "HEADER.FIELDS (SUBJECT)", "1.2": what was in brackets */
    uint64_t offset, octets;
    struct slice bytes;
};

enum imap_client_said { /* of a message, by FETCH */
                        IMAP_CLIENT_SAID_UID = 1,
                        IMAP_CLIENT_SAID_FLAGS = 2,
                        IMAP_CLIENT_SAID_DATE = 4,
                        IMAP_CLIENT_SAID_SIZE = 8,
                        IMAP_CLIENT_SAID_MODSEQ = 16
};

struct imap_client_message {
    uint32_t number; /* its sequence number */
    uint32_t said;   /* set of enum imap_client_said; with BODY: what came before, no flags */
    uint32_t uid;
    uint8_t flag_bits;  /* enum imap_flag (grammar.h) */
    struct slice flags; /* as sent, all of them, spaces between: "\Seen $Forwarded" */
    struct wall date;
    uint64_t size, modseq;
};

/* Slices are valid until the next call of next, feed, respond, ask or append_put. */
struct imap_client_event {
    enum imap_client_event_kind kind;
    enum imap_client_command command; /* REPLY: of the question */
    enum imap_client_result result;
    enum imap_client_close close;
    struct slice code;      /* "APPENDUID 3 44" of "OK [APPENDUID 3 44] text"; or empty */
    struct slice text;      /* what the server said behind it, or our reason to close */
    struct slice mechanism; /* AUTH: in the caller's spelling */
    struct slice bytes;     /* CHALLENGE */
    /* `name` is the wire_name as it came when that is no modified UTF-7. */
    struct slice name, wire_name;
    uint8_t delimiter; /* 0: none */
    uint32_t attributes;
    uint32_t number;      /* EXISTS, EXPUNGE */
    uint32_t first, last; /* NUMBERS, VANISHED: first <= last */
    struct imap_client_status status;
    struct imap_client_message message; /* BODY, FETCH */
    struct imap_client_body body;
};

/* NULL when the name or password cannot be sent: empty, too long, or CR, LF or NUL in it. */
MUST_USE struct imap_client *imap_client_open(const struct imap_client_options *options);
void imap_client_close(struct imap_client **client);

/* From waiting: the caller is about to open the connection. */
void imap_client_begin(struct imap_client *client, struct instant now);

/* It is open, and TLS has begun where the options say so. */
void imap_client_connected(struct imap_client *client, struct instant now);

/* Offers input; returns how many bytes were taken. 0 when an event or a question waits, now or
 * before: deal with it and offer the rest again. */
MUST_USE size_t imap_client_feed(struct imap_client *client, struct slice input,
                                 struct instant now);

/* Takes the next event, if there is one. */
MUST_USE bool imap_client_next(struct imap_client *client, struct imap_client_event *ret_event);

/* Answers AUTH or CHALLENGE; at most IMAP_CLIENT_SASL_MAX octets. */
void imap_client_respond(struct imap_client *client, struct slice response, struct instant now);

/* The same, when there is no response: the exchange is given up, and the session ends. */
void imap_client_give_up(struct imap_client *client, struct instant now);

/* TLS has begun after STARTTLS. */
void imap_client_tls_started(struct imap_client *client, struct instant now);

/* True when a question may be asked: after LOGGED_IN, when the last one has its REPLY. */
bool imap_client_can_ask(const struct imap_client *client);

/* Asks. False, and nothing is sent, when an argument cannot be: too long, a name that is no UTF-8,
 * a control character outside strings, no octets to append; when no mailbox is selected and one
 * must be; when the server has no such command. */
MUST_USE bool imap_client_ask(struct imap_client *client,
                              const struct imap_client_question *question, struct instant now);

/* After APPEND: the next octets of the message, `octets` in all. Returns how many were taken: 0
 * when output waits to be sent. */
MUST_USE size_t imap_client_append_put(struct imap_client *client, struct slice bytes,
                                       struct instant now);

/* Ends IDLE: REPLY follows. Also happens by itself at the deadline. */
void imap_client_done(struct imap_client *client, struct instant now);

/* The connection could not be opened, or has ended. */
void imap_client_input_ended(struct imap_client *client);

/* What is to be sent. */
struct slice imap_client_output(const struct imap_client *client);
void imap_client_sent(struct imap_client *client, size_t len);

/* When expire wants to be called; INSTANT_NEVER while nothing is waited for. */
struct instant imap_client_deadline(const struct imap_client *client);
void imap_client_expire(struct imap_client *client, struct instant now);

enum imap_client_state imap_client_state(const struct imap_client *client);

/* The selected mailbox, kept true by EXISTS and EXPUNGE; zeros while none is. */
struct imap_client_mailbox {
    struct imap_client_status status;
    bool is_read_only;
    bool allows_keywords; /* PERMANENTFLAGS has \* */
    bool allows_receipts; /* or it has $MDNSent (RFC 3503) */
};
struct imap_client_mailbox imap_client_mailbox(const struct imap_client *client);

/* What the server has said of itself. */
struct imap_client_facts {
    bool has_rev1, has_rev2, has_starttls, has_login_disabled, has_sasl_ir;
    bool has_literal_plus, has_literal_minus; /* RFC 7888 */
    bool has_idle, has_namespace, has_unselect, has_uidplus, has_move, has_enable;
    bool has_special_use, has_create_special_use, has_list_extended;
    bool has_condstore, has_qresync, has_status_size;
};
struct imap_client_facts imap_client_facts(const struct imap_client *client);

/* Reads a code "APPENDUID 38505 3955" (RFC 4315 §3). */
MUST_USE bool imap_client_parse_append_uid(struct slice code, uint32_t *ret_uid_validity,
                                           uint32_t *ret_uid);

#endif
