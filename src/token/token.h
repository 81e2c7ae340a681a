/* SPDX-License-Identifier: ISC */
/* Is this token good, and whose is it? By its signature (RFC 7519 §7.2, RFC 8725), or by what its
 * issuer says of it (RFC 7662). */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include "base/buffer.h"
#include "base/time.h"

enum {
    TOKEN_LEN_MAX = 8192,
    TOKEN_KEYS_MAX = 48 * 1024, /* octets of a JWK set */
    TOKEN_NAME_MAX = 320,       /* octets of the name in a token */
    TOKEN_LEEWAY_S = 60,        /* by how much clocks may differ */
};

enum token_result {
    TOKEN_OK,
    TOKEN_MALFORMED,
    TOKEN_NO_KEY,    /* none of the keys fits its header */
    TOKEN_FORGED,    /* the signature is not of that key */
    TOKEN_EXPIRED,   /* or without a time at which it expires */
    TOKEN_TOO_EARLY, /* RFC 7519 §4.1.5 */
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_NAMELESS,
    TOKEN_INACTIVE, /* its issuer says so */
    TOKEN_UNTOLD,   /* its issuer's answer is none */
    TOKEN_RESULTS
};
const char *token_result_name(enum token_result result);

struct token_policy {
    struct slice keys;     /* a JWK set (RFC 7517 §5), as text */
    struct slice issuer;   /* `iss` must be this */
    struct slice audience; /* `aud` must be or have this; empty: any */
    struct slice claim;    /* whose value is the name, "email" */
    struct wall now;
};

/* Puts the name into `name` when all is right. */
MUST_USE enum token_result token_verify(struct slice token, const struct token_policy *policy,
                                        struct buffer *name);

/* The same by the answer of its issuer (§2.2); the policy's keys are not looked at. `iss` and `exp`
 * may be missing there, `aud` only where any will do. *ret_until is when the token expires, or
 * INT64_MAX seconds. */
MUST_USE enum token_result token_introspect(struct slice answer, const struct token_policy *policy,
                                            struct buffer *name, int64_t *ret_until_s);

/* A JWK set, as far as one may replace another by it: an object with an array of keys (RFC 7517
 * §5). */
MUST_USE bool token_keys_are_sound(struct slice keys);

#endif
