/* SPDX-License-Identifier: ISC */
/* Private to the room: what the mechanisms of the client's side share. */
#ifndef SASL_CLIENT_PRIVATE_H
#define SASL_CLIENT_PRIVATE_H

#include "base/buffer.h"
#include "sasl/client.h"
#include "sasl/scram.h"

struct sasl_client {
    enum sasl_mechanism mechanism;
    unsigned steps; /* challenges answered */
    bool is_done;
    bool is_binding_seen;
    struct buffer authcid, authzid, password; /* password: prepared */
    struct buffer binding, binding_kind;
    struct buffer response;
    struct buffer nonce;        /* our part */
    size_t gs2_len;             /* of the gs2-header at the front of the first message */
    struct buffer first;        /* the first message */
    struct buffer auth_message; /* RFC 5802 §3 */
    uint8_t server_signature[SASL_DIGEST_MAX];
};

enum sasl_hash sasl_client_hash(const struct sasl_client *client);

/* client-first-message into client->response. */
void sasl_scram_client_first(struct sasl_client *client);

/* Answers server-first-message; then looks at server-final-message. */
MUST_USE bool sasl_scram_client_final(struct sasl_client *client, struct slice challenge);
MUST_USE bool sasl_scram_client_check(struct sasl_client *client, struct slice challenge);

#endif
