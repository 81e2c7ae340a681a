/* SPDX-License-Identifier: ISC */
/* What a TLS connection has agreed on. Everything here is meaningful once the state is TLS_OPEN. */
#ifndef TLS_FACTS_H
#define TLS_FACTS_H

#include "tls/engine.h"

/* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; valid while the engine is. */
struct slice tls_engine_version(const struct tls_engine *engine);
struct slice tls_engine_cipher(const struct tls_engine *engine);

/* True when the session was resumed from a ticket. */
bool tls_engine_is_resumed(const struct tls_engine *engine);

/* The server's certificate is one that was asked for: vouched for, or matched by a TLSA record. */
bool tls_engine_is_verified(const struct tls_engine *engine);

/* Why a client's handshake failed, as far as the certificate is to blame (RFC 8460 §4.3.2). */
enum tls_fault {
    TLS_FAULT_OTHER,
    TLS_FAULT_HOST_MISMATCH,
    TLS_FAULT_EXPIRED,
    TLS_FAULT_NOT_TRUSTED,
    TLS_FAULT_TLSA /* no record matches */
};
enum tls_fault tls_engine_fault(const struct tls_engine *engine);

/* Channel bindings, for SASL -PLUS. */
enum tls_binding {
    TLS_BINDING_EXPORTER,   /* "tls-exporter", RFC 9266: 32 bytes */
    TLS_BINDING_END_POINT,  /* "tls-server-end-point", RFC 5929 §4: a digest */
};
enum { TLS_BINDING_MAX = 64 };

/* The name that SASL uses for it. */
struct slice tls_binding_name(enum tls_binding binding);

/* Puts the binding's bytes; false, and nothing put, when this connection has none: tls-exporter
 * needs TLS 1.3 (or 1.2 with extended master secret), the end point one a known signature digest.
 * */
MUST_USE bool tls_engine_put_binding(const struct tls_engine *engine, enum tls_binding binding,
                                     struct buffer *ret_binding);

/* A server's side: the client has shown a certificate. */
bool tls_engine_has_peer_certificate(const struct tls_engine *engine);

/* A server's side: puts the client's certificates in DER, its own first, as tls/chain.h takes them;
 * false, and nothing put, when there are none or more than TLS_CHAIN_MAX octets. */
MUST_USE bool tls_engine_put_peer_chain(const struct tls_engine *engine, struct buffer *ret_chain);

/* Puts the subject of the peer's certificate in RFC 2253 form; false when it showed none. */
MUST_USE bool tls_engine_put_peer_subject(const struct tls_engine *engine,
                                          struct buffer *ret_subject);

#endif
