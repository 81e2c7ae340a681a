/* SPDX-License-Identifier: ISC */
/* The server's side of SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033), without I/O.
 *
 *     on input:   while (len) {
 *                     taken = smtp_server_feed(server, input, now);
 *                     while (smtp_server_next(server, &event))
 *                         …act on it; answer now, or later if it is a question…
 *                     if (taken == 0) break;        keep the rest, offer it again later
 *                     input = slice_skip(input, taken);
 *                 }
 *     after it:   send smtp_server_output, say smtp_server_sent, arm a timer at
 *                 smtp_server_deadline and call smtp_server_expire when it rings.
 *
 * Events are questions or news. After a question the engine takes no more input and has no more
 * events until smtp_server_answer: a client may pipeline what it likes. After an answer, an expiry
 * or output sent, offer the kept input again (also an empty slice: there may be events).
 *
 * Slices in events: of a body piece, until the next feed, for they are the fed input itself; of
 * MAIL and RCPT, until the transaction ends; of the others, until the next feed or answer.
 * The engine never calls out, never blocks and allocates only within its limits. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "base/engine.h"
#include "base/time.h"
#include "envelope/parameter.h"
#include "envelope/path.h"
#include "envelope/status.h"

struct smtp_server;

enum smtp_service { SMTP_SERVICE_SMTP, SMTP_SERVICE_SUBMISSION, SMTP_SERVICE_LMTP };

/* Bits for smtp_server_options.mechanisms. */
enum {
    SMTP_AUTH_PLAIN = 1,
    SMTP_AUTH_LOGIN = 2,
    SMTP_AUTH_SCRAM_SHA_256 = 4,
    SMTP_AUTH_SCRAM_SHA_256_PLUS = 8, /* offered under TLS only */
    SMTP_AUTH_EXTERNAL = 16,          /* offered to clients with a certificate only */
    SMTP_AUTH_OAUTHBEARER = 32,
    SMTP_AUTH_XOAUTH2 = 64,
    SMTP_AUTH_SCRAM_SHA_1 = 128,
    SMTP_AUTH_SCRAM_SHA_1_PLUS = 256
};

/* Who may use VRFY and EXPN; AUTHENTICATED includes trusted peers. Others get 252 and 502. */
enum smtp_verify_policy { SMTP_VERIFY_NOBODY, SMTP_VERIFY_AUTHENTICATED, SMTP_VERIFY_EVERYBODY };

/* Fixed bounds. Lines are counted with their CRLF. */
enum {
    /* RFC 5321 §4.5.3.1.4 asks for 512 and more for extensions: the sum of what MAIL's and RCPT's
     * parameters add (SIZE 26, BODY 17, SMTPUTF8 10, DSN 26+500+…, AUTH 500) stays below this. */
    SMTP_COMMAND_LINE_MAX = 2048,
    SMTP_SASL_LINE_MAX = 12288,   /* RFC 4954 §4 */
    SMTP_REPLY_TEXT_MAX = 480,    /* octets of text in one reply line; longer text is cut */
    SMTP_REPLY_LINES_MAX = 200,   /* lines in one reply; further ones are left out */
    SMTP_OUTPUT_SOFT = 16 * 1024, /* no input is taken while more than this waits to leave */
    SMTP_TEXT_LINE_MIN = 1000,    /* RFC 5321 §4.5.3.1.6: must be accepted */
};

/* Shared by all sessions; must outlive them. A zero in a limit or time means its default. */
struct smtp_server_options {
    enum smtp_service service;
    struct slice hostname;      /* in the greeting, EHLO and 221 */
    uint64_t message_bytes_max; /* default 50 MiB; the SIZE that is announced */
    /* A longer line in DATA makes the message be refused (500 5.5.2). Default 65536: writers of
     * HTML mail break the 1000 of RFC 5321 every day, and to lose their mail helps nobody; but a
     * line without an end must not be carried to those who read by lines. Never below 1000. */
    uint32_t text_line_max;
    uint32_t recipients_max;    /* default and at most 1000; then 452 4.5.3 */
    uint32_t transactions_max;  /* MAIL commands in one session; default 1000; then 421 */
    uint32_t commands_idle_max; /* NOOP, RSET, VRFY, HELP, EHLO … between messages; default 100 */
    uint32_t errors_max;        /* default 20; the budget of 5xx answers, then 421 4.7.0 */
    uint32_t errors_free;       /* default 3; behind them each 5xx is held back … */
    uint32_t tarpit_ms;         /* … this long; 0: not at all */
    uint32_t auth_failures_max; /* default 3; then 421 */
    uint32_t command_timeout_s; /* default 300 (RFC 5321 §4.5.3.2.7) */
    uint32_t body_timeout_s;    /* default 180 between pieces (RFC 5321 §4.5.3.2.5) */
    uint32_t session_max_s;     /* default 3600; a transaction then going on has as long again */
    uint32_t stress_timeout_s;  /* default 10: command and body timeout while under stress */
    unsigned mechanisms;        /* SMTP_AUTH_ bits; 0: no AUTH */
    enum smtp_verify_policy verify;
    enum smtp_verify_policy expand;
    enum smtp_verify_policy retry; /* ETRN; AUTHENTICATED: and who may relay */
    bool has_tls;                  /* STARTTLS can be offered */
    bool is_tls_required;          /* 530 5.7.0 before anything but EHLO, NOOP, QUIT and STARTTLS */
    bool is_auth_required;         /* 530 5.7.0 at MAIL without it, but for peers that may relay */
    bool allows_auth_on_loopback;  /* AUTH without TLS for peers on loopback */
    bool is_obsolete_on;           /* SOML, SAML and SEND (RFC 821 §3.4) */
    bool is_chunking_off, is_utf8_off, is_dsn_off, is_pipelining_off, is_requiretls_off;
    /* What only a caller can honour who keeps messages for other hosts; not in LMTP. */
    bool offers_deliver_by; /* RFC 2852, without a least time */
    bool offers_priority;   /* RFC 6710 */
    bool offers_turn;       /* ATRN, RFC 2645 */
    bool offers_burl;       /* RFC 4468; submission only */
};

/* What is known of a client when it connects. */
struct smtp_server_peer {
    bool is_loopback;
    bool is_trusted; /* a listed network: no tarpit, error budget, bound on transactions or
                      * idle commands */
    bool may_relay;  /* another listed network: no AUTH is asked at submission */
    bool is_secure;  /* TLS from the first byte */
    /* SCRAM-…-PLUS can be offered: the TLS session has channel bindings. */
    bool has_channel_binding;
    bool has_certificate; /* EXTERNAL can be offered: the client has shown one to TLS */
};

enum smtp_event_kind {
    SMTP_EVENT_CONNECT,    /* question: 220, or e.g. 421 or 554 */
    SMTP_EVENT_HELLO,      /* question, hello: HELO, EHLO or LHLO was said */
    SMTP_EVENT_STARTTLS,   /* question; after 220: send all output, do the handshake, call
                            * smtp_server_tls_started. What was read already and stands behind the
                            * command must be offered to feed, which refuses it. */
    SMTP_EVENT_AUTH_BEGIN, /* question, auth: answer with 235, an error, or a challenge */
    SMTP_EVENT_AUTH_STEP,  /* question, auth: the client's next response */
    SMTP_EVENT_AUTH_ABORT, /* news: the exchange that was begun will not be finished */
    SMTP_EVENT_MAIL,       /* question, mail: a transaction begins if accepted */
    SMTP_EVENT_RCPT,       /* question, rcpt */
    SMTP_EVENT_VERIFY,     /* question, query: 250, 251, 252, 550, 551, 553 */
    SMTP_EVENT_EXPAND,     /* question, query: 250, 252, 550 */
    SMTP_EVENT_RETRY,      /* question, query: a domain; 250, 251, 458 (RFC 1985) */
    SMTP_EVENT_TURN,       /* question, query: domains with commas between, or none (RFC 2645); 250,
                            * and the connection is not this engine's any more; 450, 451, 453 */
    SMTP_EVENT_NAMES,      /* question, names: of a domain; 250 with lines, 450, 451, 550 */
    SMTP_EVENT_BODY_BEGIN, /* question: 354 (of BDAT: silence), or 4xx, 5xx */
    SMTP_EVENT_BODY_PIECE, /* news, body: content as it is to be kept, dots unstuffed */
    SMTP_EVENT_URL,        /* question, query: of BURL; smtp_server_take_url, or 4xx, 5xx */
    SMTP_EVENT_BODY_END,   /* question, body_bytes: all of it came. In LMTP it is answered as many
                            * times as recipients were accepted, in their order. */
    SMTP_EVENT_ABORT,      /* news: the transaction is over, and nothing of it is to be kept */
    SMTP_EVENT_CLOSE,      /* news, reason: send the output, then close; nothing comes after it */
    SMTP_EVENT_KINDS
};

enum smtp_close_reason {
    SMTP_CLOSE_QUIT,
    SMTP_CLOSE_GONE,    /* smtp_server_input_ended */
    SMTP_CLOSE_REFUSED, /* the answer to CONNECT, or a verdict that says so */
    SMTP_CLOSE_TIMEOUT,
    SMTP_CLOSE_ERRORS,    /* error budget, floods, failed AUTH */
    SMTP_CLOSE_LINE_END,  /* bare CR or LF: an attempt to smuggle */
    SMTP_CLOSE_PLAINTEXT, /* bytes behind STARTTLS */
    SMTP_CLOSE_LIMIT,     /* session length, transactions, a body without an end */
    SMTP_CLOSE_SHUTDOWN,  /* smtp_server_stop */
    SMTP_CLOSE_PROTOCOL   /* another protocol's request */
};

/* MAIL, SEND, SOML and SAML begin a transaction (RFC 821 §3.4). */
enum smtp_mail_verb { SMTP_VERB_MAIL, SMTP_VERB_SEND, SMTP_VERB_SOML, SMTP_VERB_SAML };

struct smtp_event {
    enum smtp_event_kind kind;
    union {
        struct {
            struct slice name; /* as the client gave it, validated as domain or literal */
            bool is_extended;
        } hello;
        struct {
            const char *mechanism; /* BEGIN only; static, upper case */
            bool has_response;     /* BEGIN: an initial response came; STEP: always */
            struct slice response; /* decoded; a secret */
        } auth;
        struct {
            enum smtp_mail_verb verb;
            const struct envelope_path *path;
            const struct envelope_mail_parameters *parameters;
        } mail;
        struct {
            const struct envelope_path *path;
            const struct envelope_rcpt_parameters *parameters;
        } rcpt;
        struct {
            struct slice domain;
            uint64_t serial; /* of the list that the client has; 0: none */
            uint32_t from;   /* where the page begins that it wants */
        } names;
        struct slice query;
        struct slice body;
        uint64_t body_bytes;
        enum smtp_close_reason reason;
    };
};

/* An answer. All zero is "yes, in your own words". */
struct smtp_verdict {
    /* The reply code; 0: the positive one of the question (220 250 235 354 …). Codes that a
     * question cannot have are a bug of the caller. */
    uint16_t code;
    struct envelope_status status; /* not given: a fitting one is put where one belongs */
    /* Lines separated by '\n'; empty: the engine's own words. Octets that a reply cannot have
     * become "?". */
    struct slice text;
    struct duration delay; /* the answer is held back this long */
    bool closes;           /* close after the answer */
    /* AUTH, code 0 or 235: who the client is now (kept by the engine), and data that the mechanism
     * has the server send last; the engine passes it as a challenge (RFC 4954 §4). */
    struct slice identity;
    struct slice last_challenge;
};

/* Opens a session; the first event is CONNECT. Memory is the engine's own until close. */
struct smtp_server *smtp_server_open(const struct smtp_server_options *options,
                                     const struct smtp_server_peer *peer, struct instant now);

/* Frees the session, at any moment, and sets the pointer to NULL; NULL is accepted. No event tells
 * the end of a transaction that was going on. */
void smtp_server_close(struct smtp_server **server);

/* Offers input; returns how many octets were taken, 0 while a question is open, an event waits, an
 * answer is held back or too much output waits. After CLOSE everything is taken and dropped. */
MUST_USE size_t smtp_server_feed(struct smtp_server *server, struct slice input,
                                 struct instant now);

/* Takes the next event, if there is one. */
MUST_USE bool smtp_server_next(struct smtp_server *server, struct smtp_event *ret_event);

/* Answers the open question. */
void smtp_server_answer(struct smtp_server *server, const struct smtp_verdict *verdict,
                        struct instant now);

/* Answers URL: its content, of so many octets, is kept behind what came before. */
void smtp_server_take_url(struct smtp_server *server, uint64_t len, struct instant now);

/* Answers AUTH_BEGIN or AUTH_STEP with a challenge (raw octets, at most 9000). */
void smtp_server_challenge(struct smtp_server *server, struct slice challenge, struct instant now);

/* What is to be sent now; empty while an answer is held back. Valid until the next call. */
struct slice smtp_server_output(const struct smtp_server *server);
void smtp_server_sent(struct smtp_server *server, size_t len, struct instant now);

/* When to call expire: a client's time is over, or a held answer is due. INSTANT_NEVER while a
 * question is open: then the time is the caller's, not the client's. */
struct instant smtp_server_deadline(const struct smtp_server *server);
void smtp_server_expire(struct smtp_server *server, struct instant now);

/* True while an answer, or more of them, is still to come from the caller. */
bool smtp_server_is_asking(const struct smtp_server *server);

/* The same, or an answer is held back until its deadline: a client that has closed its side is to
 * be waited for. */
bool smtp_server_is_busy(const struct smtp_server *server);

/* The TLS handshake after STARTTLS is done (RFC 3207 §4.2): all that the client said is forgotten.
 * With TLS from the first byte nothing needs to be called; if it is, only the channel binding is
 * noted. */
void smtp_server_tls_started(struct smtp_server *server, bool has_channel_binding,
                             struct instant now);

/* TLS is there, and the client has shown a certificate: EXTERNAL can be offered if it is in the
 * list. To be called when TLS has begun, before anything else is. */
void smtp_server_has_certificate(struct smtp_server *server);

/* The client will send no more, and all that it sent was taken: an unfinished transaction is told
 * as ABORT, an unfinished exchange as AUTH_ABORT, then CLOSE; after the answer if one is open. */
void smtp_server_input_ended(struct smtp_server *server);

/* The service is going down: 421 as soon as no question is open (RFC 5321 §3.8). */
void smtp_server_stop(struct smtp_server *server, struct instant now);

/* Offers FUTURERELEASE (RFC 4865): messages are held for up to `hold_s_max` seconds, and until
 * `latest` at the latest. For submission only; say it while HELLO is asked. Whether a message asks
 * for more is for the answer to MAIL. */
void smtp_server_offer_hold(struct smtp_server *server, uint32_t hold_s_max, struct wall latest);

/* Announces XNAMES (command_names.c) to this client, once it has logged in, under TLS or on
 * loopback; say it while HELLO is asked. */
void smtp_server_offer_names(struct smtp_server *server, bool is_offered);

/* While under stress the short timers hold. */
void smtp_server_set_stress(struct smtp_server *server, bool is_stressed);

/* What is known of the session; slices are valid until the next feed, answer or tls_started. */
struct smtp_server_facts {
    enum smtp_service service;
    struct slice helo;     /* empty before HELO/EHLO */
    struct slice identity; /* empty when not authenticated */
    bool is_extended;
    bool is_secure;
    bool is_utf8;    /* of the transaction */
    bool is_waiting; /* a question is open */
    bool is_closing;
    bool is_secret;      /* the next input line is part of an AUTH exchange: mask it in traces */
    uint32_t recipients; /* accepted in the transaction */
    uint64_t body_bytes; /* of the transaction so far */
    uint32_t errors;
    uint32_t transactions;
};
struct smtp_server_facts smtp_server_facts(const struct smtp_server *server);

/* True for a line that carries a secret ("AUTH PLAIN …"): for traces made before feeding. */
bool smtp_line_is_secret(struct slice line);

/* The same, for whoever moves the bytes of any engine. */
extern const struct engine_kind smtp_server_kind;

#endif
