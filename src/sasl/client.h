/* SPDX-License-Identifier: ISC */
/* The client's side of one authentication. It never trusts the server: lengths, iterations and the
 * server's own proof are checked, and a server that grants before it has proven itself (SCRAM) is
 * found out by sasl_client_is_done. */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include "sasl/mechanism.h"

struct sasl_client_options {
    enum sasl_mechanism mechanism;
    struct slice authcid;
    struct slice authzid;  /* usually empty */
    struct slice password; /* as typed; prepared here */
    struct slice nonce;    /* scram.h; at most SASL_NONCE_MAX characters */
    struct slice binding;  /* of the TLS connection, empty without */
    struct slice binding_kind;
    bool is_binding_seen; /* the server's list has a -PLUS */
};

struct sasl_client;

/* NULL when the name or password cannot be sent: empty, too long, NUL or prohibited in it. */
MUST_USE struct sasl_client *sasl_client_open(const struct sasl_client_options *options);
void sasl_client_close(struct sasl_client **client);

/* The initial response. Every mechanism here has one, and it may travel with the AUTH command. */
MUST_USE struct slice sasl_client_initial(struct sasl_client *client);

/* Answers a challenge; valid until the next call. False: the server is wrong or not ours, abort. */
MUST_USE bool sasl_client_step(struct sasl_client *client, struct slice challenge,
                               struct slice *ret_response);

/* True when nothing is missing on our side: only then believe a success. */
bool sasl_client_is_done(const struct sasl_client *client);

#endif
