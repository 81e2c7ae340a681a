/* SPDX-License-Identifier: ISC */
/* What the mechanisms of the server's side share. */
#ifndef SASL_SERVER_PRIVATE_H
#define SASL_SERVER_PRIVATE_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "sasl/server.h"

/* What is fed next, or which question is open. */
enum sasl_stage {
    SASL_STAGE_NEW,
    SASL_STAGE_FIRST,    /* PLAIN's message, LOGIN's name, SCRAM's client-first-message */
    SASL_STAGE_SECOND,   /* LOGIN's password, SCRAM's client-final-message */
    SASL_STAGE_PASSWORD, /* sasl_server_answer_password */
    SASL_STAGE_KEYS,     /* sasl_server_answer_keys */
    SASL_STAGE_TOKEN,    /* sasl_server_answer_token */
    SASL_STAGE_EXTERNAL, /* sasl_server_answer_external */
    SASL_STAGE_OVER,
};

struct sasl_server {
    enum sasl_mechanism mechanism;
    enum sasl_stage stage;
    enum sasl_failure failure;
    bool is_binding_offered;
    bool is_real; /* SCRAM: the user exists */
    struct buffer binding, binding_kind;
    struct buffer authcid, authzid, password;
    struct buffer message;
    /* SCRAM (RFC 5802 §3, §7). */
    struct buffer gs2_header;   /* as sent: the client repeats it in c= */
    struct buffer own_nonce;    /* our part */
    struct buffer nonce;        /* both parts */
    struct buffer auth_message; /* grows with the exchange */
    struct sasl_scram_keys keys;
};

/* Ends the exchange. */
enum sasl_server_status sasl_server_fail(struct sasl_server *server, enum sasl_failure failure);

/* OAUTHBEARER and XOAUTH2. */
enum sasl_server_status sasl_bearer_server_feed(struct sasl_server *server, struct slice message);

/* client-first-message, the answer of keys, and client-final-message. */
enum sasl_server_status sasl_scram_server_first(struct sasl_server *server, struct slice message);
enum sasl_server_status sasl_scram_server_keys(struct sasl_server *server);
enum sasl_server_status sasl_scram_server_final(struct sasl_server *server, struct slice message);

#endif
