/* SPDX-License-Identifier: ISC */
/* The server's side of one authentication, whatever the mechanism (RFC 4422 §3). Every call gives a
 * status that says what the caller does next:
 *
 *     status = sasl_server_start(server, has_initial, initial);
 *     SASL_SERVER_CHALLENGE      send sasl_server_message(), then sasl_server_feed() the response
 *     SASL_SERVER_ASK_PASSWORD   look at authcid and password, then sasl_server_answer_password()
 *     SASL_SERVER_ASK_KEYS       find the user's keys, then sasl_server_answer_keys()
 *     SASL_SERVER_ASK_TOKEN      verify the token, then sasl_server_answer_token()
 *     SASL_SERVER_ASK_EXTERNAL   look at the certificate, then sasl_server_answer_external()
 *     SASL_SERVER_GRANTED        proven; sasl_server_message() may hold the last words (SCRAM's v=)
 *     SASL_SERVER_FAILED         over; sasl_server_failure() says why
 *
 * What the accessors return lives until the next call that changes the server. */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "sasl/mechanism.h"
#include "sasl/scram.h"

enum { SASL_BINDING_MAX = 64 };

enum sasl_server_status {
    SASL_SERVER_CHALLENGE,
    SASL_SERVER_ASK_PASSWORD,
    SASL_SERVER_ASK_KEYS,
    SASL_SERVER_ASK_TOKEN,
    SASL_SERVER_ASK_EXTERNAL,
    SASL_SERVER_GRANTED,
    SASL_SERVER_FAILED,
};

enum sasl_failure {
    SASL_FAILURE_CREDENTIALS, /* wrong password, wrong proof, or no such user: never told apart */
    SASL_FAILURE_MALFORMED,   /* not what the mechanism's grammar allows */
    SASL_FAILURE_BINDING,     /* the channel binding differs or was stripped from our offer */
};

struct sasl_server_options {
    enum sasl_mechanism mechanism;
    struct slice nonce;        /* scram.h; at most SASL_NONCE_MAX characters */
    struct slice binding;      /* of the TLS connection, empty without; <= SASL_BINDING_MAX */
    struct slice binding_kind; /* "tls-exporter", "tls-server-end-point", "tls-unique" */
    bool is_binding_offered;   /* -PLUS stood in the list that the client was shown */
};

struct sasl_server;

/* Copies what it needs of the options. */
struct sasl_server *sasl_server_open(const struct sasl_server_options *options);
void sasl_server_close(struct sasl_server **server);

/* Begins. Without an initial response the mechanism's first challenge (often empty) comes. */
enum sasl_server_status sasl_server_start(struct sasl_server *server, bool has_initial,
                                          struct slice initial);

/* One response of the client, after SASL_SERVER_CHALLENGE only. */
enum sasl_server_status sasl_server_feed(struct sasl_server *server, struct slice response);

/* After SASL_SERVER_ASK_PASSWORD; the password is wiped. */
enum sasl_server_status sasl_server_answer_password(struct sasl_server *server, bool is_right);

/* After SASL_SERVER_ASK_TOKEN. When it is not right, the client is told why in a challenge, which
 * it answers, and then the exchange fails (RFC 7628 §3.2.3). The token is wiped. */
enum sasl_server_status sasl_server_answer_token(struct sasl_server *server, bool is_right);

/* After SASL_SERVER_ASK_EXTERNAL (RFC 4422 appendix A): TLS has the proof, and what proves it names
 * somebody who may act as the authzid. */
enum sasl_server_status sasl_server_answer_external(struct sasl_server *server, bool is_right);

/* After SASL_SERVER_ASK_KEYS. `keys` are of sasl_server_hash(); `is_real` false (sasl_scram_fake)
 * lets the exchange go on and fail at its end. Copied. */
enum sasl_server_status sasl_server_answer_keys(struct sasl_server *server,
                                                const struct sasl_scram_keys *keys, bool is_real);

/* The octets to send: a challenge, or what goes with success. May be empty. */
struct slice sasl_server_message(const struct sasl_server *server);

/* Who proves it, and as whom they want to act (empty: as themselves). UTF-8 was not checked. */
struct slice sasl_server_authcid(const struct sasl_server *server);
struct slice sasl_server_authzid(const struct sasl_server *server);

/* The password as it was sent, while the status is SASL_SERVER_ASK_PASSWORD. */
struct slice sasl_server_password(const struct sasl_server *server);

/* The token, while the status is SASL_SERVER_ASK_TOKEN. Who it is for is the authzid, if anybody.
 */
struct slice sasl_server_token(const struct sasl_server *server);

/* Which keys are asked for. */
enum sasl_hash sasl_server_hash(const struct sasl_server *server);

enum sasl_failure sasl_server_failure(const struct sasl_server *server);

#endif
