/* SPDX-License-Identifier: ISC */
/* Private to the room: the client engine's inside. */
#ifndef SMTP_CLIENT_PRIVATE_H
#define SMTP_CLIENT_PRIVATE_H

#include "base/buffer.h"
#include "sasl/client.h"
#include "smtp/client.h"

enum {
    CLIENT_OUTPUT_MAX = 1024 * 1024, /* MAIL and 100 RCPT with all their parameters, and a piece */
    CLIENT_KEYWORD_LINE_MAX = 1024,  /* of EHLO's answer; the rest of a line is not looked at */
    CLIENT_BINDING_MAX = 128,
    CLIENT_FRESH_MS = 3000, /* a connection of which nothing was heard for longer may be dead */
};

enum client_state {
    CLIENT_WAITING, /* for the connection */
    CLIENT_OPENING, /* greeting to login */
    CLIENT_TLS,     /* the handshake is the caller's */
    CLIENT_READY,
    CLIENT_CONVERTING, /* CONVERT is asked */
    CLIENT_TRANSACTION,
    CLIENT_ASKING, /* a command of the caller's own */
    CLIENT_QUITTING,
    CLIENT_OVER
};

/* What a reply is awaited for. */
enum client_await {
    AWAIT_GREETING,
    AWAIT_EHLO,
    AWAIT_HELO,
    AWAIT_STARTTLS,
    AWAIT_AUTH,
    AWAIT_AUTH_ABORT, /* "*" was sent */
    AWAIT_MAIL,
    AWAIT_RCPT,
    AWAIT_DATA,
    AWAIT_BODY,
    AWAIT_RSET,
    AWAIT_ANSWER, /* to a command of the caller's */
    AWAIT_QUIT
};

struct client_awaited {
    uint8_t kind;
    uint8_t recipient;
};

/* MAIL, 100 RCPT, DATA, its end, RSET. */
enum { CLIENT_AWAITED_MAX = SMTP_CLIENT_RECIPIENTS_MAX + 8 };

enum client_recipient_state {
    RECIPIENT_WAITING,
    RECIPIENT_ACCEPTED,
    RECIPIENT_DUE,      /* its result, client->verdict, is to be told */
    RECIPIENT_DUE_LAST, /* the same with client->last_verdict */
    RECIPIENT_TOLD
};

/* How the content leaves. */
enum client_body {
    BODY_NONE,
    BODY_RAW, /* as it is; up to a piece through the output, with its end */
    BODY_TEXT /* with dots stuffed and line ends mended, piece by piece through the output */
};

/* A reply that is kept. */
struct client_words {
    uint16_t code;
    struct envelope_status status;
    struct buffer text;
};

struct client_verdict {
    struct client_words words;
    enum smtp_client_outcome outcome;
    bool is_of_session, is_too_many;
};

/* What looking at a content once tells. */
struct client_content {
    struct slice bytes;
    uint64_t wire_len; /* with mended line ends, without stuffing */
    bool is_8bit, is_header_8bit;
    bool has_nul;
    bool is_clean; /* every CR stands before LF, every LF behind CR */
    bool has_dots; /* a line begins with a dot */
    bool is_ended; /* the last line has its end */
};

/* Extensions that concern the session and no parameter. */
enum { SESSION_PIPELINING = 1, SESSION_CHUNKING = 2, SESSION_STARTTLS = 4, SESSION_STATUS = 8 };

struct smtp_client {
    struct smtp_client_options options;
    enum client_state state;
    struct buffer output;
    struct buffer line; /* an unfinished reply line */

    /* The reply that is being read. */
    struct client_words reply;
    uint32_t reply_lines;
    struct client_awaited awaited[CLIENT_AWAITED_MAX]; /* a ring */
    uint32_t awaited_first, awaited_count;

    /* The server. */
    unsigned extensions;         /* ENVELOPE_ bits */
    unsigned session_extensions; /* SESSION_ bits */
    unsigned mechanisms;         /* 1 << enum sasl_mechanism */
    uint64_t size_max;
    uint32_t deliver_by_min_s; /* for by-mode R */
    bool is_secure, is_verified, is_extended, has_tried, is_authenticated;
    struct buffer binding, binding_kind;
    struct sasl_client *sasl;
    bool is_first_challenge; /* LOGIN's first one is still to come */
    struct buffer challenge; /* of the last 334, still in base64 */
    struct buffer answer;    /* lines of the reply to a command of the caller's */

    /* The transaction. */
    const struct smtp_client_message *message;
    struct client_content content;
    uint8_t recipients[SMTP_CLIENT_RECIPIENTS_MAX]; /* enum client_recipient_state */
    uint32_t accepted;                              /* so far */
    uint32_t next_recipient; /* without pipelining: whose RCPT was not sent */
    bool is_fresh;           /* the server was heard just now */
    bool is_body_asked;      /* DATA or BDAT was sent */
    bool is_body_begun;      /* … and the content is on its way */
    bool is_body_answered;
    bool needs_reset; /* the server may hold something of it still */
    bool is_chunk;    /* by BDAT */
    bool is_utf8;
    enum client_body body;
    size_t body_at;
    struct client_verdict verdict, last_verdict;

    /* Events wait in this order, behind the results. */
    bool has_event, has_done, has_close;
    enum smtp_client_event_kind event;
    bool is_7bit_wanted;
    enum smtp_client_close reason;
    struct client_words close_words;

    struct instant timer, transaction_end;
    struct instant heard; /* when the server said something */
};

/* ---- client.c */
void smtp_client_raise(struct smtp_client *client, enum smtp_client_event_kind kind);
/* The session is over; recipients without a result get one. */
void smtp_client_shut(struct smtp_client *client, enum smtp_client_close reason,
                      const struct client_words *words);
/* The same in our own words. */
void smtp_client_shut_saying(struct smtp_client *client, enum smtp_client_close reason,
                             const char *text);
/* Waits for one more reply. */
void smtp_client_await(struct smtp_client *client, enum client_await kind, size_t recipient);
/* The server's time for what is awaited first begins anew. */
void smtp_client_touch(struct smtp_client *client, struct instant now);

/* ---- client_reply.c */
void smtp_words_init(struct client_words *words);
void smtp_words_finish(struct client_words *words);
void smtp_words_copy(struct client_words *to, const struct client_words *from);
void smtp_words_say(struct client_words *words, struct envelope_status status, const char *text);
struct smtp_client_reply smtp_words_reply(const struct client_words *words);
/* One line without its end. False: it is none. *ret_is_last: the reply is complete. */
MUST_USE bool smtp_reply_add_line(struct smtp_client *client, struct slice line, bool *ret_is_last);

/* ---- client_session.c: each handles client->reply, which has come for it */
void smtp_client_greeted(struct smtp_client *client, struct instant now);
void smtp_client_helloed(struct smtp_client *client, bool is_extended);
void smtp_client_tls_answered(struct smtp_client *client);
void smtp_client_hello(struct smtp_client *client);
/* One line of EHLO's answer, without code. */
void smtp_client_keyword(struct smtp_client *client, struct slice line);
/* Greeting, TLS and login are done as far as they can be. */
void smtp_client_proceed(struct smtp_client *client);

/* ---- client_login.c */
/* Sends AUTH, or ends the session. */
void smtp_client_login(struct smtp_client *client);
void smtp_client_login_answered(struct smtp_client *client);

/* ---- client_mail.c */
void smtp_client_mail_answered(struct smtp_client *client);
void smtp_client_rcpt_answered(struct smtp_client *client, size_t recipient);
void smtp_client_data_answered(struct smtp_client *client);
void smtp_client_body_answered(struct smtp_client *client);
/* Sends what may be sent now; ends the transaction when nothing is awaited any more. */
void smtp_client_advance(struct smtp_client *client);
/* All recipients without a result get the verdict that `due` stands for. */
void smtp_client_settle(struct smtp_client *client, enum client_recipient_state due);

/* ---- client_command.c: lines of a transaction */
void smtp_client_put_mail(struct smtp_client *client);
void smtp_client_put_rcpt(struct smtp_client *client, size_t recipient);

/* ---- client_body.c */
struct client_content smtp_content_look(struct slice bytes);
/* It leaves as octets, not as lines (RFC 3030 §3). */
bool smtp_content_is_binary(const struct smtp_client *client);
bool smtp_client_is_binary(const struct smtp_client *client);
/* Puts the next piece into the output, when there is one and the output is empty; a small content
 * goes behind what is there. */
void smtp_client_fill(struct smtp_client *client);

#endif
