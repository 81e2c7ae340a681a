/* SPDX-License-Identifier: ISC */
/* Certificates as PEM bytes: making a self-signed one, and what one says of itself. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "base/buffer.h"
#include "base/time.h"
#include "tls/digest.h"

enum {
    TLS_CERTIFICATE_NAMES_MAX = 100,
    TLS_CERTIFICATE_PEM_MAX = 65536 /* enough for chain or key */
};

struct tls_certificate_request {
    const struct slice *names; /* domains or IP addresses in text form; the first is the subject */
    size_t names_count;
    struct wall now;
    uint32_t days; /* of validity, from a day before now on */
};

/* Makes an ECDSA P-256 key and a self-signed certificate for it (RFC 5280) with subjectAltName for
 * each name; both are put as PEM. False, with a sentence in `problem` and nothing else put, when a
 * name cannot stand in a certificate. */
MUST_USE bool tls_certificate_make(const struct tls_certificate_request *request,
                                   struct buffer *ret_chain, struct buffer *ret_key,
                                   struct buffer *problem);

struct tls_certificate_facts {
    int64_t from_s, until_s; /* since 1970 */
    bool is_name_in_it;      /* as a client that looks for the name compares (RFC 6125) */
    uint8_t key_id[TLS_SHA256_SIZE]; /* of its public key (SubjectPublicKeyInfo, DER) */
};

/* What the first certificate of a chain says; false when there is none in it. */
MUST_USE bool tls_certificate_look(struct slice chain, struct slice name,
                                   struct tls_certificate_facts *ret_facts);

#endif
