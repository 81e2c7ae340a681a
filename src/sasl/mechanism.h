/* SPDX-License-Identifier: ISC */
/* The mechanisms that Facteur speaks, by their registered names. */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/slice.h"

/* No payload of a mechanism is longer than this, in octets after base64. */
enum { SASL_MESSAGE_MAX = 8192 };

enum sasl_mechanism {
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_SCRAM_SHA_1,
    SASL_SCRAM_SHA_1_PLUS,
    SASL_SCRAM_SHA_256,
    SASL_SCRAM_SHA_256_PLUS,
    SASL_OAUTHBEARER, /* the server's side only, as the next */
    SASL_XOAUTH2,
    SASL_EXTERNAL,
    SASL_MECHANISMS
};

/* Case does not matter. False, and nothing set, when we do not speak it. */
MUST_USE bool sasl_mechanism_parse(struct slice name, enum sasl_mechanism *ret_mechanism);

/* The registered name; of static storage, and followed by a NUL. */
struct slice sasl_mechanism_name(enum sasl_mechanism mechanism);

/* True when the password itself, or a token, travels, or TLS has the proof: only for encrypted
 * connections. */
bool sasl_mechanism_is_plaintext(enum sasl_mechanism mechanism);

/* True when what travels is a token. */
bool sasl_mechanism_is_bearer(enum sasl_mechanism mechanism);

/* True for -PLUS: needs the channel binding of the TLS connection. */
bool sasl_mechanism_is_bound(enum sasl_mechanism mechanism);

#endif
