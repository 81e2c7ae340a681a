/* SPDX-License-Identifier: ISC */
/* Whose is a certificate that a client has shown? The handshake has proven that it has the key;
 * here is asked who vouches for it (RFC 5280 §6), and which names stand in it. */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include "base/buffer.h"
#include "base/time.h"

enum {
    TLS_CHAIN_MAX = 16384, /* octets of all certificates together */
    TLS_CHAIN_CERTIFICATES_MAX = 8,
    TLS_CHAIN_NAMES_MAX = 16, /* names of one certificate; more are not looked at */
    TLS_CHAIN_NAME_MAX = 320  /* octets of a name; a longer one is passed over */
};

enum tls_chain_result {
    TLS_CHAIN_OK,
    TLS_CHAIN_MALFORMED,
    TLS_CHAIN_NOT_TRUSTED, /* no way from it to an authority */
    TLS_CHAIN_EXPIRED,     /* or not valid yet, it or one above it */
    TLS_CHAIN_REVOKED,     /* or no current list of an authority that has lists */
    TLS_CHAIN_PURPOSE,     /* not for clients */
    TLS_CHAIN_NAMELESS,
    TLS_CHAIN_RESULTS
};
const char *tls_chain_result_name(enum tls_chain_result result);

/* Which name is a person's. */
enum tls_chain_name {
    TLS_CHAIN_EMAIL,       /* rfc822Name of subjectAltName, emailAddress of the subject */
    TLS_CHAIN_COMMON_NAME, /* CN of the subject */
    TLS_CHAIN_USER_ID      /* UID of the subject (RFC 4519 §2.39) */
};

struct tls_chain_policy {
    struct slice trust; /* PEM: authorities, and their lists of what is revoked (CRL), if any */
    enum tls_chain_name name;
    struct wall now;
};

/* `chain` is DER, one certificate after another, the client's own first. Puts each name, and a line
 * feed behind it, when all is right. */
MUST_USE enum tls_chain_result tls_chain_verify(struct slice chain,
                                                const struct tls_chain_policy *policy,
                                                struct buffer *ret_names);

#endif
